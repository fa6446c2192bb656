//! Which file stands at the path of a SQLite file, and who may change that while other processes open it.
//!
//! SQLite opens a database and its companions (`-wal`, `-shm`) by name, one after the other, so a file
//! that took another's place meanwhile would be joined with what belongs to the former one.
//!
//! Invariant: a file is moved aside, removed or published only by whoever holds the lock beside it, after looking again
//! which file stands there. Before a new one gets the name, the former one has lost it and its companions are gone.
//!
//! Invariant: whoever opens a sound file takes no lock. He looks at the path again when file and companions
//! are open: if it is still the same file, all three are of that one. Nothing is written before.
//!
//! Invariant: companions are removed by name only under the lock. A file that is closed leaves them where
//! they are, or holds the lock.
//!
//! An error met in a file that is not at the path any more says nothing about the one that is:
//! [`StateError::Replaced`], and whoever met it goes on with the other one.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::files::lock::lock;
use crate::files::{self, name_aside, regular_file, with_suffix};
use crate::state::{StateError, damage};

/// Which file a path led to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// `None` if nothing is there.
    pub fn of(path: &Path) -> Option<Identity> {
        std::fs::metadata(path)
            .ok()
            .map(|metadata| Identity::from(&metadata))
    }
}

impl From<&Metadata> for Identity {
    fn from(metadata: &Metadata) -> Identity {
        Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// A file that may be moved aside if it turns out to be damaged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Live {
    pub identity: Identity,
    /// For whoever else replaces it.
    pub lock_wait: Duration,
}

/// Nobody else changes which file stands at the path until this is dropped.
pub(super) struct Replacement {
    path: PathBuf,
    _lock: File,
}

impl Replacement {
    /// Waits for the lock beside the file.
    ///
    /// # Errors
    /// [`StateError::Lock`], or [`StateError::Busy`] after `wait`.
    pub fn begin(path: &Path, wait: Duration) -> Result<Replacement, StateError> {
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

    /// Gives the file another name, unless it is not `met` any more.
    pub fn move_aside(&self, met: Identity) -> Result<Option<PathBuf>, StateError> {
        if Identity::of(&self.path) != Some(met) {
            return Ok(None);
        }
        let aside = name_aside(&self.path);
        std::fs::rename(&self.path, &aside).map_err(|source| self.failed(source))?;
        self.remove_companions()?;
        Ok(Some(aside))
    }

    /// Puts the file that `make` makes under another name in the place of whatever is there.
    pub fn publish(
        &self,
        make: impl FnOnce(&Path) -> rusqlite::Result<()>,
    ) -> Result<(), StateError> {
        let failed = |source| StateError::of("create", &self.path, None, source);
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        // Left by somebody who was stopped, as he is not at work now.
        let new = self.path.with_file_name(format!(".{name}.new"));
        damage::files(&new)
            .iter()
            .for_each(|file| drop(std::fs::remove_file(file)));
        let published = make(&new).map_err(failed).and_then(|()| {
            self.remove()?;
            std::fs::rename(&new, &self.path).map_err(|error| failed(damage::io_error(&error)))
        });
        damage::files(&new)
            .iter()
            .for_each(|file| drop(std::fs::remove_file(file)));
        published
    }

    fn remove(&self) -> Result<(), StateError> {
        files::remove(&self.path).map_err(|source| self.failed(source))?;
        self.remove_companions()
    }

    /// Whatever stands in the place of one is kept.
    fn remove_companions(&self) -> Result<(), StateError> {
        let [_, companions @ ..] = damage::files(&self.path);
        for companion in &companions {
            let removed = if companion.is_symlink() || regular_file::is_other(companion) {
                std::fs::rename(companion, name_aside(companion))
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
    use rusqlite::ffi;

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
    fn of_two_only_one_replaces_and_the_other_waits_no_longer_than_he_may() {
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
    #[test]
    fn whatever_was_met_in_a_file_that_was_replaced_says_nothing_of_the_one_that_is_there() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state.sqlite");
        std::fs::write(&path, "former").unwrap();
        let live = Live {
            identity: Identity::of(&path).unwrap(),
            lock_wait: Duration::ZERO,
        };
        publish(&path, "new");
        for code in [
            ffi::SQLITE_IOERR_FSTAT,
            ffi::SQLITE_IOERR_DELETE_NOENT,
            ffi::SQLITE_CORRUPT,
            ffi::SQLITE_BUSY,
        ] {
            let met = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            let error = StateError::of("read", &path, Some(live), met);
            assert!(matches!(error, StateError::Replaced { .. }), "{error:?}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
    }
}
