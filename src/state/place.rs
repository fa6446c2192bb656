//! The place of a SQLite file: its path, its companions, and the file that was opened there.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::files::held::{self, Held};
use crate::files::{Identity, with_suffix};

/// A file of a store that was opened for work. An error about damage names it, so that
/// [`move_aside`](crate::state::move_aside) moves this file and no other.
#[derive(Debug)]
pub struct LiveFile {
    pub(super) path: PathBuf,
    pub(super) identity: Identity,
    /// The time to wait for another process that replaces the file.
    pub(super) lock_wait: Duration,
    /// Errors outlive the store, and the path leads through the descriptor of its directory.
    _held: Option<Arc<Held>>,
}

impl LiveFile {
    pub(super) fn new(path: &Path, identity: Identity, lock_wait: Duration) -> LiveFile {
        LiveFile {
            path: path.to_owned(),
            identity,
            lock_wait,
            _held: held::keeper(path),
        }
    }
}

/// The database and its companions. Our files have no journal, but SQLite looks for one.
pub(super) fn with_companions(path: &Path) -> [PathBuf; 4] {
    ["", "-wal", "-shm", "-journal"].map(|suffix| with_suffix(path, suffix))
}

pub(super) fn wal_of(path: &Path) -> PathBuf {
    with_suffix(path, "-wal")
}
