//! popug-cli: a company's task exchange and its books on one append-only log.

pub mod domain;
pub mod event_log;
#[cfg(feature = "cli")]
pub mod mail;
