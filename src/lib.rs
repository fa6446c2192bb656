//! popug-cli: a company's task exchange and its books on one append-only log.

#[cfg(feature = "cli")]
pub mod credentials;
pub mod domain;
pub mod event_log;
#[cfg(feature = "cli")]
pub mod mail;
