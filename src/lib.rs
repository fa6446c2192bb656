//! popug-cli: a company's task exchange and its books on one append-only log.
//!
//! Each layer uses only those below it: `cli` (words in, exit code out), `app` (use cases),
//! `consumers` (fill tables from the log) and `reports` (read them), `turn` (how every decider gets
//! to the end of the log), `event_log`, `state`, `store`, `credentials` and `mail` (files on disk
//! and mails), `postgres` (a log that several machines share), `domain` (the rules, pure). Without the feature `cli` there are only `domain` and
//! `event_log`. docs/CODE_MAP.md lists every file.

#![cfg_attr(
    test,
    allow(clippy::too_many_lines, reason = "a test is as long as its story")
)]

#[macro_use]
mod failpoint;

mod files;

/// The deadline of the end-to-end tests, for the programs that the tests of this crate start.
#[cfg(test)]
#[path = "../tests/popug/helpers/deadline.rs"]
#[expect(unreachable_pub, reason = "the end-to-end tests use it too")]
mod deadline;

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
pub mod postgres;
#[cfg(feature = "cli")]
pub mod reports;
#[cfg(feature = "cli")]
pub mod state;
#[cfg(feature = "cli")]
pub mod store;
#[cfg(feature = "cli")]
pub mod turn;
