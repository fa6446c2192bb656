//! Write-ahead files of DuckDB. The program never reads one, because nothing shows whether it was
//! written together with the tables beside it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

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
    let began = Instant::now();
    loop {
        let found = write_ahead_of(path)
            .into_iter()
            .find(|file| file.symlink_metadata().is_ok())?;
        if began.elapsed() >= patience {
            return Some(found);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whether a write-ahead file is the one that DuckDB leaves if it is killed during a checkpoint: a
/// mark that names the place of the tables, without rows.
pub fn is_mark_of_checkpoint(write_ahead: &Path) -> bool {
    std::fs::metadata(write_ahead)
        .is_ok_and(|found| found.is_file() && found.len() <= MARK_BYTES_MAX)
}
