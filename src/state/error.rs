//! Errors of SQLite files.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{ErrorCode, ffi};

use crate::domain::id::Sequence;
use crate::event_log::LogError;
use crate::files::process::has_file_limit;
use crate::state::damage;
use crate::state::place::LiveFile;

#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("cannot {action} {}", path.display())]
    Sqlite {
        action: &'static str,
        path: PathBuf,
        source: rusqlite::Error,
    },
    #[error("{} is busy with another process", path.display())]
    Busy { path: PathBuf },
    /// `live` is the file to move aside; `None` if the file was opened only to read.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        path: PathBuf,
        reason: String,
        live: Option<Arc<LiveFile>>,
    },
    #[error("cannot move the damaged {} aside", path.display())]
    MoveAside {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot lock {}", path.display())]
    Lock {
        path: PathBuf,
        source: std::io::Error,
    },
    /// The event contradicts the events before it.
    #[error("event {sequence} cannot be applied to {}: {reason}", path.display())]
    Contradiction {
        path: PathBuf,
        sequence: Sequence,
        reason: String,
    },
    #[error("cannot copy {}", path.display())]
    Copy {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the company in the state index cannot be read: {reason}")]
    Company { reason: String },
    #[error(transparent)]
    Log(#[from] LogError),
}

impl StateError {
    /// Converts an error of SQLite about a file; `live` if it was opened for work.
    pub(super) fn of(
        action: &'static str,
        path: &Path,
        live: Option<Arc<LiveFile>>,
        source: rusqlite::Error,
    ) -> StateError {
        let path = path.to_owned();
        if matches!(
            source.sqlite_error_code(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
        ) {
            return StateError::Busy { path };
        }
        if damage::is_damage(&source) {
            return StateError::Damaged {
                path,
                reason: damage::reason(&source),
                live,
            };
        }
        StateError::Sqlite {
            action,
            path,
            source,
        }
    }

    /// The file that the error is about.
    pub fn path(&self) -> &Path {
        match self {
            StateError::Sqlite { path, .. }
            | StateError::Busy { path }
            | StateError::Damaged { path, .. }
            | StateError::MoveAside { path, .. }
            | StateError::Lock { path, .. }
            | StateError::Contradiction { path, .. }
            | StateError::Copy { path, .. } => path,
            StateError::Company { .. } | StateError::Log(_) => Path::new(""),
        }
    }

    /// The damaged file, if it was opened for work.
    pub fn damaged_file(&self) -> Option<&Arc<LiveFile>> {
        match self {
            StateError::Damaged { live, .. } => live.as_ref(),
            _ => None,
        }
    }

    /// The constraint that a row broke, if SQLite refused it for that.
    pub fn broken_constraint(&self) -> Option<String> {
        match self {
            StateError::Sqlite { source, .. }
                if source.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) =>
            {
                Some(source.to_string())
            }
            _ => None,
        }
    }

    /// Whether the disk is full.
    pub fn is_full_disk(&self) -> bool {
        match self {
            StateError::Sqlite { source, .. } => is_full_disk(source),
            StateError::Lock { source, .. } => source.kind() == ErrorKind::StorageFull,
            _ => false,
        }
    }

    /// Why the disk takes no more data, so that a database in memory has to do. `None` if the user
    /// lacks the permission to write, which is refused instead.
    pub fn obstacle(&self) -> Option<&'static str> {
        let is_read_only = match self {
            StateError::Sqlite { path, source, .. } => match source.sqlite_error_code() {
                Some(ErrorCode::ReadOnly) => true,
                // SQLite answers so if the companions are missing, as they are after a merge.
                Some(ErrorCode::CannotOpen) => damage::is_on_read_only_disk(path),
                _ => false,
            },
            StateError::Lock { source, .. } => source.kind() == ErrorKind::ReadOnlyFilesystem,
            _ => false,
        };
        match (self.is_full_disk(), is_read_only) {
            (true, _) if has_file_limit() => {
                Some("is full, or `ulimit -f` limits the size of a file")
            }
            (true, _) => Some("is full"),
            (false, true) => Some("cannot be written"),
            (false, false) => None,
        }
    }

    /// Whether the user lacks the permission to write or open the file.
    pub fn is_forbidden(&self) -> bool {
        let forbidden = [
            ErrorCode::ReadOnly,
            ErrorCode::PermissionDenied,
            ErrorCode::CannotOpen,
        ];
        match self {
            StateError::Sqlite {
                source: rusqlite::Error::SqliteFailure(failure, _),
                ..
            } => forbidden.contains(&failure.code),
            StateError::Lock { source, .. } => source.kind() == ErrorKind::PermissionDenied,
            _ => false,
        }
    }
}

fn is_full_disk(error: &rusqlite::Error) -> bool {
    let rusqlite::Error::SqliteFailure(failure, _) = error else {
        return false;
    };
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
