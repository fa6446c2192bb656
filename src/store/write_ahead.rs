//! Write-ahead files of DuckDB. The program never reads one, because nothing shows whether it was
//! written together with the tables beside it.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::files::lock::wait_until;
use crate::files::with_suffix;

/// The time for which DuckDB may keep its mark in a write-ahead file during a checkpoint.
pub(super) const CHECKPOINT_TAKES: Duration = Duration::from_secs(2);

const MARK_BYTES_MAX: u64 = 128;

/// The suffixes of write-ahead files.
pub const WRITE_AHEAD: [&str; 3] = [".wal", ".wal.checkpoint", ".wal.recovery"];

/// The files that DuckDB would replay into the tables.
pub fn write_ahead_of(path: &Path) -> [PathBuf; 3] {
    WRITE_AHEAD.map(|suffix| with_suffix(path, suffix))
}

/// A write-ahead file that is still there after `patience`.
pub(super) fn lasting_write_ahead(path: &Path, patience: Duration) -> Option<PathBuf> {
    let files = write_ahead_of(path);
    let mut found = None;
    let Ok(_) = wait_until(patience, || {
        found = files.iter().find(|file| file.symlink_metadata().is_ok());
        Ok::<_, Infallible>(found.is_none())
    });
    found.cloned()
}

/// Whether a write-ahead file is the one that DuckDB leaves if it is killed during a checkpoint: a
/// mark that names the place of the tables, without rows.
pub fn is_mark_of_checkpoint(write_ahead: &Path) -> bool {
    std::fs::metadata(write_ahead)
        .is_ok_and(|found| found.is_file() && found.len() <= MARK_BYTES_MAX)
}
