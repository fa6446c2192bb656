//! What can go wrong with a SQLite file of ours, and where a damaged one is moved aside.

use std::path::{Path, PathBuf};

use rusqlite::{ErrorCode, ffi};

use crate::domain::id::Sequence;
use crate::event_log::LogError;
use crate::state::damage::{self, Identity};

#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("cannot {action} {}", path.display())]
    Sqlite { action: &'static str, path: PathBuf, source: rusqlite::Error },
    #[error("{} is busy with another process", path.display())]
    Busy { path: PathBuf },
    /// `aside` is what the file is called now; `None` if it was only looked at, or replaced since.
    #[error("{}", damaged_text(path, aside.as_deref(), reason))]
    Damaged { path: PathBuf, aside: Option<PathBuf>, reason: String },
    #[error("cannot move the damaged {} aside", path.display())]
    MoveAside { path: PathBuf, source: std::io::Error },
    /// The event contradicts what was written before it.
    #[error("event {sequence} cannot be applied to {}: {reason}", path.display())]
    Contradiction { path: PathBuf, sequence: Sequence, reason: String },
    #[error("cannot copy {}", path.display())]
    Copy { path: PathBuf, source: std::io::Error },
    #[error("the company in the state index cannot be read: {reason}")]
    Company { reason: String },
    #[error(transparent)]
    Log(#[from] LogError),
}

fn damaged_text(path: &Path, aside: Option<&Path>, reason: &str) -> String {
    let path = path.display();
    match aside {
        Some(aside) => format!("{path} was damaged ({reason}); it is kept as {}", aside.display()),
        None => format!("{path} is damaged: {reason}"),
    }
}

impl StateError {
    /// What SQLite says about a file. One that is damaged is moved aside, if it is still `opened`.
    pub(super) fn of(
        action: &'static str,
        path: &Path,
        opened: Option<Identity>,
        source: rusqlite::Error,
    ) -> StateError {
        let path = path.to_owned();
        if matches!(source.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) {
            return StateError::Busy { path };
        }
        if !damage::is_damage(&source) {
            return StateError::Sqlite { action, path, source };
        }
        match opened.map_or(Ok(None), |opened| damage::move_aside(&path, opened)) {
            Ok(aside) => StateError::Damaged { path, aside, reason: damage::reason(&source) },
            Err(source) => StateError::MoveAside { path, source },
        }
    }

    /// Why SQLite refused a row, if a constraint of the tables did.
    pub fn broken_constraint(&self) -> Option<String> {
        match self {
            StateError::Sqlite { source, .. } if source.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                Some(source.to_string())
            }
            _ => None,
        }
    }

    /// Whether the disk takes no more.
    pub fn is_full_disk(&self) -> bool {
        matches!(self, StateError::Sqlite { source, .. } if is_full_disk(source))
    }

    /// Whether the file may not be written, or not be opened at all.
    pub fn is_forbidden(&self) -> bool {
        let forbidden = [ErrorCode::ReadOnly, ErrorCode::PermissionDenied, ErrorCode::CannotOpen];
        matches!(self, StateError::Sqlite { source: rusqlite::Error::SqliteFailure(failure, _), .. }
            if forbidden.contains(&failure.code))
    }
}

fn is_full_disk(error: &rusqlite::Error) -> bool {
    let rusqlite::Error::SqliteFailure(failure, _) = error else { return false };
    let of_writing = [
        ffi::SQLITE_IOERR_WRITE,
        ffi::SQLITE_IOERR_FSYNC,
        ffi::SQLITE_IOERR_TRUNCATE,
        ffi::SQLITE_IOERR_SHMOPEN,
        ffi::SQLITE_IOERR_SHMSIZE,
        ffi::SQLITE_IOERR_SHMMAP,
    ];
    failure.code == ErrorCode::DiskFull || of_writing.contains(&failure.extended_code)
}
