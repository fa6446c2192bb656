//! The paths of a store.
//!
//! Invariant: an open store is held: all of its files are those of the directory that was opened,
//! even if its name comes to mean another one.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::files::held::Held;
use crate::store::Tables;

/// The directory of a store.
#[derive(Clone, Debug)]
pub struct StoreDirectory {
    name: PathBuf,
    held: Option<Arc<Held>>,
}

impl StoreDirectory {
    /// A directory by its name; it need not exist.
    pub fn new(name: impl Into<PathBuf>) -> StoreDirectory {
        StoreDirectory {
            name: name.into(),
            held: None,
        }
    }

    /// Holds the directory that has the name now: all paths lead to it from then on.
    ///
    /// # Errors
    /// If there is none, or it cannot be opened.
    pub fn hold(self) -> io::Result<StoreDirectory> {
        let held = match self.held {
            Some(held) => held,
            None => Held::open(&self.name)?,
        };
        Ok(StoreDirectory {
            name: self.name,
            held: Some(held),
        })
    }

    /// A held directory, with the name that users gave it.
    pub(crate) fn of(held: Arc<Held>, name: impl Into<PathBuf>) -> StoreDirectory {
        StoreDirectory {
            name: name.into(),
            held: Some(held),
        }
    }

    /// The name that the user gave, for messages; it may lead to another directory by now.
    pub fn root(&self) -> &Path {
        &self.name
    }

    /// The path of the directory. If it is held, the path always leads to the same one.
    pub fn place(&self) -> &Path {
        self.held.as_ref().map_or(&self.name, |held| held.path())
    }

    pub fn log(&self) -> PathBuf {
        self.place().join("log")
    }

    pub fn state_index(&self) -> PathBuf {
        self.place().join("state.sqlite")
    }

    pub fn database(&self, tables: Tables) -> PathBuf {
        self.place().join(tables.file_name())
    }

    pub fn notifier(&self) -> PathBuf {
        self.place().join("notifier.sqlite")
    }

    pub fn lock(&self, name: &str) -> PathBuf {
        self.place().join(format!("{name}.lock"))
    }

    pub fn auth(&self) -> PathBuf {
        self.place().join("auth")
    }

    pub fn outbox(&self) -> PathBuf {
        self.place().join("outbox")
    }

    /// Whether `path` is in this store, or will be when it is created, also through links and dots.
    ///
    /// # Errors
    /// If a part of the path cannot be read, or follows `..` after a part that does not exist.
    pub fn contains(&self, path: &Path) -> io::Result<bool> {
        let absolute = std::path::absolute(path)?;
        let mut existing = absolute.as_path();
        let kind = loop {
            if let Some(found) = found(existing)? {
                break found.file_type();
            }
            let is_plain = matches!(
                existing.components().next_back(),
                Some(Component::Normal(_))
            );
            existing = existing
                .parent()
                .filter(|_| is_plain)
                .ok_or(io::ErrorKind::NotFound)?;
        };
        if !kind.is_dir() && !kind.is_file() {
            // A pipe or a device, which need not have a path.
            return Ok(false);
        }
        let parts = [self.place(), &self.log(), &self.auth()].map(found);
        let parts = parts.into_iter().collect::<io::Result<Vec<_>>>()?;
        for directory in existing.canonicalize()?.ancestors() {
            let directory = found(directory)?;
            if parts
                .iter()
                .any(|part| is_same(part.as_ref(), directory.as_ref()))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Written by `restore`: mails of this store go to the outbox only.
    pub fn restored_marker(&self) -> PathBuf {
        self.place().join("restored")
    }
}

/// The metadata of the file at `path`, links followed; `None` if there is none.
pub fn found(path: &Path) -> io::Result<Option<Metadata>> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Whether two files are the same one: device and inode number are equal, even if their names
/// differ.
pub fn is_same(one: Option<&Metadata>, other: Option<&Metadata>) -> bool {
    one.zip(other)
        .is_some_and(|(one, other)| (one.dev(), one.ino()) == (other.dev(), other.ino()))
}
