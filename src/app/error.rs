//! Errors of the use cases. `cli/failure.rs` decides their heading, hints and exit code.

use std::path::PathBuf;
use std::sync::Arc;

use crate::app::backup::BackupError;
use crate::app::repair::RepairError;
use crate::consumers::ConsumeError;
use crate::credentials::CredentialError;
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::domain::rejection::Rejection;
use crate::domain::time::EventTime;
use crate::event_log::LogError;
use crate::reports::error::ReportError;
use crate::state::{LiveFile, StateError};
use crate::store::StoreError;
use crate::turn::Overtaken;
use crate::turn::clock::StampError;

#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error(transparent)]
    Rejected(#[from] Rejection),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Consume(#[from] ConsumeError),
    #[error(transparent)]
    Credential(#[from] CredentialError),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error(transparent)]
    Repair(#[from] RepairError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error("cannot {action} {}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },

    #[error("there is no store in {}", path.display())]
    NoStore { path: PathBuf },
    /// The directory is a backup; the next backup would remove or refuse a new file in it.
    #[error("{} is a backup, not a store", path.display())]
    IsBackup { path: PathBuf },
    /// Credentials are useless without the log.
    #[error("the log of the store is missing: neither head nor segments are in {}, though auth/ is beside it", path.display())]
    LogMissing { path: PathBuf },
    #[error("the database at {name} has no such company")]
    NoCompany { name: String },
    /// A copy is neither brought to another log nor repaired.
    #[error("this store is a copy of the log at {url}")]
    IsCopy { url: String },
    #[error("{} already exists", path.display())]
    StoreExists { path: PathBuf },
    #[error("`{name}` may be one of several {what}")]
    Ambiguous {
        name: String,
        /// The kind of the candidates.
        what: &'static str,
        candidates: Vec<String>,
    },
    /// The caller has to name one of these consumers.
    #[error("event {sequence} is a dead letter of several consumers")]
    SeveralConsumers {
        sequence: Sequence,
        consumers: Vec<Consumer>,
    },
    #[error("you are not logged in")]
    NotLoggedIn,
    #[error("wrong login or password")]
    WrongPassword,
    /// Clock or dice are pinned in a store that was not founded under them.
    #[error("{variable} is set, but this store does not run on a pinned clock")]
    Pinned { variable: &'static str },
    #[error("cannot {action}")]
    Stream {
        action: &'static str,
        source: std::io::Error,
    },

    /// The events of the request stand behind the head, where the next writer finds and acknowledges them.
    #[error("the request is written, but not acknowledged")]
    NotAcknowledged { source: LogError },
    /// A simulation would have to begin before the log's last event.
    #[error("the log's last event is of {last}, but {days} finished days begin at {start}")]
    NoRoom {
        days: u32,
        start: EventTime,
        last: EventTime,
    },
    #[error("{message}")]
    Usage {
        message: String,
        hint: Option<String>,
    },
}

impl AppError {
    /// The damaged SQLite file, if the error is about one.
    pub(super) fn damaged_file(&self) -> Option<&Arc<LiveFile>> {
        match self {
            AppError::State(error) | AppError::Consume(ConsumeError::State(error)) => {
                error.damaged_file()
            }
            _ => None,
        }
    }
}

/// An error with its causes: `cannot open x: permission denied`.
pub fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    for cause in std::iter::successors(error.source(), |cause| cause.source()) {
        // The engines' numbers say the same once more.
        if cause.is::<duckdb::ffi::Error>() || cause.is::<rusqlite::ffi::Error>() {
            continue;
        }
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

impl From<StampError> for AppError {
    fn from(error: StampError) -> AppError {
        match error {
            StampError::Rejected(rejection) => AppError::Rejected(rejection),
            StampError::Log(error) => AppError::Log(error),
        }
    }
}

impl Overtaken for AppError {
    fn is_overtaken(&self) -> bool {
        match self {
            AppError::Log(error) => error.is_overtaken(),
            AppError::Consume(error) => error.is_overtaken(),
            _ => false,
        }
    }
}
