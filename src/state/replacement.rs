//! The lock for changing which file stands at the path of a SQLite file while other processes open
//! it.
//!
//! SQLite opens a database and its companions (`-wal`, `-shm`) by name, one after the other. If
//! another file took the path between two of these calls, it would be joined with the companions of
//! the former one.
//!
//! Invariant: only the holder of the lock beside the file moves it aside, removes it or publishes a
//! new one, and first checks which file is there. Before a new file gets the name, the former file
//! has lost it and its companions are gone.
//!
//! Invariant: opening a sound file takes no lock. When file and companions are open, the opener
//! checks the path again: if the same file is still there, all three belong together. It writes
//! nothing before that.
//!
//! Invariant: companions are removed by name only under the lock. Closing a file removes none.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::files::lock::lock;
use crate::files::{self, Identity, regular_file, remove, with_suffix};
use crate::state::place::{LiveFile, with_companions};
use crate::state::{StateError, damage};

/// Moves a damaged file aside, so that the next command rebuilds it from the log. A command does
/// this once, when it ends. `None` if another file is at the path by now.
///
/// # Errors
/// [`StateError::Lock`], [`StateError::Busy`], [`StateError::MoveAside`]
pub fn move_aside(damaged: &LiveFile) -> Result<Option<PathBuf>, StateError> {
    Replacement::begin(&damaged.path, damaged.lock_wait)?.move_aside(damaged.identity)
}

/// While it exists, no other process changes which file is at the path.
pub(super) struct Replacement {
    path: PathBuf,
    _lock: File,
}

impl Replacement {
    /// Waits for the lock beside the file.
    ///
    /// # Errors
    /// [`StateError::Lock`], or [`StateError::Busy`] after `wait`.
    pub(super) fn begin(path: &Path, wait: Duration) -> Result<Replacement, StateError> {
        let beside = with_suffix(path, ".lock");
        let failed = |source| StateError::Lock {
            path: beside.clone(),
            source,
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = regular_file::open(&beside, &options).map_err(failed)?;
        let path = path.to_owned();
        if lock(&file, wait).map_err(failed)? {
            Ok(Replacement { path, _lock: file })
        } else {
            Err(StateError::Busy { path })
        }
    }

    /// Renames the file, unless another file than `met` is there.
    pub(super) fn move_aside(&self, met: Identity) -> Result<Option<PathBuf>, StateError> {
        if Identity::of(&self.path) != Some(met) {
            return Ok(None);
        }
        let aside = files::move_aside(&self.path).map_err(|source| self.failed(source))?;
        self.remove_companions()?;
        Ok(Some(aside))
    }

    /// Makes a new file under another name and puts it in the place of the present one. Nothing is
    /// synced: if a crash takes the new file, it is filled from the log again.
    pub(super) fn publish(
        &self,
        make: impl FnOnce(&Path) -> rusqlite::Result<()>,
    ) -> Result<(), StateError> {
        let failed = |source| StateError::of("create", &self.path, None, source);
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        // A leftover of a killed process, because no process is at work now.
        let new = self.path.with_file_name(format!(".{name}.new"));
        with_companions(&new)
            .iter()
            .for_each(|file| drop(std::fs::remove_file(file)));
        let published = make(&new).map_err(failed).and_then(|()| {
            self.remove()?;
            std::fs::rename(&new, &self.path).map_err(|error| failed(damage::io_error(&error)))
        });
        with_companions(&new)
            .iter()
            .for_each(|file| drop(std::fs::remove_file(file)));
        published
    }

    fn remove(&self) -> Result<(), StateError> {
        remove(&self.path).map_err(|source| self.failed(source))?;
        self.remove_companions()
    }

    /// Anything else at the name of a companion is kept.
    fn remove_companions(&self) -> Result<(), StateError> {
        let [_, companions @ ..] = with_companions(&self.path);
        for companion in &companions {
            let removed = if companion.is_symlink() || regular_file::is_other(companion) {
                files::move_aside(companion).map(drop)
            } else {
                std::fs::remove_file(companion)
            };
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(self.failed(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn failed(&self, source: io::Error) -> StateError {
        StateError::MoveAside {
            path: self.path.clone(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &Path) -> Replacement {
        Replacement::begin(path, Duration::ZERO).unwrap()
    }

    fn publish(path: &Path, text: &str) {
        at(path)
            .publish(|new| std::fs::write(new, text).map_err(|error| damage::io_error(&error)))
            .unwrap();
    }

    #[test]
    fn a_file_that_took_the_place_of_the_damaged_one_is_not_moved() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state.sqlite");
        std::fs::write(&path, "damaged").unwrap();
        let damaged = Identity::of(&path).unwrap();
        let aside = at(&path).move_aside(damaged).unwrap().unwrap();
        assert_eq!(aside.file_name().unwrap(), "state.sqlite.damaged-1");
        assert_eq!(std::fs::read(&aside).unwrap(), b"damaged");
        assert_eq!(at(&path).move_aside(damaged).unwrap(), None);
        publish(&path, "sound");
        let companions =
            ["state.sqlite-wal", "state.sqlite-shm"].map(|name| home.path().join(name));
        companions
            .iter()
            .for_each(|companion| std::fs::write(companion, "of the sound one").unwrap());
        assert_eq!(at(&path).move_aside(damaged).unwrap(), None);
        assert_eq!(std::fs::read(&path).unwrap(), b"sound");
        assert!(companions.iter().all(|companion| companion.exists()));
        publish(&path, "sound and new");
        assert_eq!(std::fs::read(&path).unwrap(), b"sound and new");
        assert!(companions.iter().all(|companion| !companion.exists()));
    }

    #[test]
    fn of_two_only_one_replaces_and_the_other_waits_no_longer_than_it_may() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state.sqlite");
        let first = at(&path);
        assert!(matches!(
            Replacement::begin(&path, Duration::from_millis(5)),
            Err(StateError::Busy { .. })
        ));
        drop(first);
        drop(at(&path));
    }
}
