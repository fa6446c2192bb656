//! What can go wrong with a SQLite file of ours, and where a damaged one is moved aside.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::{ErrorCode, ffi};

use crate::domain::id::Sequence;
use crate::event_log::LogError;
use crate::state::damage;
use crate::state::replacement::{Identity, Live, Replacement};

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
    /// `aside` is what the file is called now; `None` if it was only looked at.
    #[error("{}", damaged_text(path, aside.as_deref(), reason))]
    Damaged {
        path: PathBuf,
        aside: Option<PathBuf>,
        reason: String,
    },
    #[error("cannot move the damaged {} aside", path.display())]
    MoveAside {
        path: PathBuf,
        source: std::io::Error,
    },
    /// Whatever was met in the former file says nothing about the one that is there now.
    #[error("another process has put a new file in the place of {}", path.display())]
    Replaced { path: PathBuf },
    #[error("cannot lock {}", path.display())]
    Lock {
        path: PathBuf,
        source: std::io::Error,
    },
    /// The event contradicts what was written before it.
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

fn damaged_text(path: &Path, aside: Option<&Path>, reason: &str) -> String {
    let path = path.display();
    match aside {
        Some(aside) => format!(
            "{path} was damaged ({reason}); it is kept as {}",
            aside.display()
        ),
        None => format!("{path} is damaged: {reason}"),
    }
}

impl StateError {
    /// What SQLite says about a file. One that is damaged is moved aside if it is `live`.
    pub(super) fn of(
        action: &'static str,
        path: &Path,
        live: Option<Live>,
        source: rusqlite::Error,
    ) -> StateError {
        let path = path.to_owned();
        if live.is_some_and(|live| Identity::of(&path) != Some(live.identity)) {
            return StateError::Replaced { path };
        }
        if matches!(
            source.sqlite_error_code(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
        ) {
            return StateError::Busy { path };
        }
        if !damage::is_damage(&source) {
            return StateError::Sqlite {
                action,
                path,
                source,
            };
        }
        let reason = damage::reason(&source);
        let Some(live) = live else {
            return StateError::Damaged {
                path,
                aside: None,
                reason,
            };
        };
        match Replacement::begin(&path, live.lock_wait)
            .and_then(|replacement| replacement.move_aside(live.identity))
        {
            Ok(Some(aside)) => StateError::Damaged {
                path,
                aside: Some(aside),
                reason,
            },
            Ok(None) => StateError::Replaced { path },
            Err(error) => error,
        }
    }

    /// The file that could not be worked with.
    pub fn path(&self) -> &Path {
        match self {
            StateError::Sqlite { path, .. }
            | StateError::Busy { path }
            | StateError::Damaged { path, .. }
            | StateError::MoveAside { path, .. }
            | StateError::Replaced { path }
            | StateError::Lock { path, .. }
            | StateError::Contradiction { path, .. }
            | StateError::Copy { path, .. } => path,
            StateError::Company { .. } | StateError::Log(_) => Path::new(""),
        }
    }

    /// Whether another file has taken the place of the one that it was met in, or can take it.
    pub fn is_of_a_lost_file(&self) -> bool {
        matches!(
            self,
            StateError::Damaged { .. } | StateError::Replaced { .. }
        )
    }

    /// Whether it may be the file that is wrong, and one made anew from the log is right.
    pub fn may_be_damage(&self) -> bool {
        self.is_of_a_lost_file() || matches!(self, StateError::Contradiction { .. })
    }

    /// Why SQLite refused a row, if a constraint of the tables did.
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

    /// Whether the disk takes no more.
    pub fn is_full_disk(&self) -> bool {
        match self {
            StateError::Sqlite { source, .. } => is_full_disk(source),
            StateError::Lock { source, .. } => source.kind() == ErrorKind::StorageFull,
            _ => false,
        }
    }

    /// What keeps the disk from taking more, so that memory has to do. Whoever may not write at all is refused.
    pub fn obstacle(&self) -> Option<&'static str> {
        let is_read_only = match self {
            StateError::Sqlite { path, source, .. } => match source.sqlite_error_code() {
                Some(ErrorCode::ReadOnly) => true,
                // Where its companions are gone, as they are when it was merged.
                Some(ErrorCode::CannotOpen) => damage::is_on_read_only_disk(path),
                _ => false,
            },
            StateError::Lock { source, .. } => source.kind() == ErrorKind::ReadOnlyFilesystem,
            _ => false,
        };
        match (self.is_full_disk(), is_read_only) {
            (true, _) => Some("is full"),
            (false, true) => Some("cannot be written"),
            (false, false) => None,
        }
    }

    /// Whether the file may not be written, or not be opened at all.
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
