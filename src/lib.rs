//! popug-cli: a company's task exchange and its books on one append-only log.

#[cfg(feature = "cli")]
pub mod app;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod consumers;
#[cfg(feature = "cli")]
pub mod credentials;
pub mod domain;
pub mod event_log;
#[cfg(feature = "cli")]
pub mod mail;
#[cfg(feature = "cli")]
pub mod reports;
#[cfg(feature = "cli")]
pub mod state;
#[cfg(feature = "cli")]
pub mod store;
