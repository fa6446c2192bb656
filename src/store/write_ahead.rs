//! Write-ahead files of DuckDB. The program never reads one, because nothing shows whether it was
//! written together with the tables beside it.

use std::convert::Infallible;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{FlockType, fcntl_getlk};

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

/// A write-ahead file that nobody is going to remove: no process has the tables open for writing, or
/// it is still there after `patience`.
pub(super) fn lasting_write_ahead(path: &Path, patience: Duration) -> Option<PathBuf> {
    let files = write_ahead_of(path);
    let look = || files.iter().find(|file| file.symlink_metadata().is_ok());
    let mut found = None;
    let Ok(_) = wait_until(patience, || {
        found = look();
        let is_left = found.is_some() && !is_being_written(path);
        if is_left {
            // A process removes its mark before it closes the tables.
            found = look();
        }
        Ok::<_, Infallible>(is_left || found.is_none())
    });
    found.cloned()
}

/// Whether another process has the tables open for writing; true if the system does not tell. The
/// caller does not have them open: closing the file here would end the locks of this process.
fn is_being_written(path: &Path) -> bool {
    let Ok(file) = File::open(path) else {
        return true;
    };
    !matches!(fcntl_getlk(&file, &FlockType::ReadLock.into()), Ok(None))
}

/// Whether a write-ahead file is the one that DuckDB leaves if it is killed during a checkpoint: a
/// mark that names the place of the tables, without rows.
pub fn is_mark_of_checkpoint(write_ahead: &Path) -> bool {
    std::fs::metadata(write_ahead)
        .is_ok_and(|found| found.is_file() && found.len() <= MARK_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use super::*;
    use crate::deadline::Child;

    const LONGER_THAN_ANY_TEST: Duration = Duration::from_secs(100_000);

    /// Locks the tables as DuckDB does, and removes the file beside them after half a second.
    const WRITER: &str = "import fcntl, os, sys, time
tables = open(sys.argv[1], 'r+')
fcntl.lockf(tables, fcntl.LOCK_EX)
print('locked', flush=True)
time.sleep(0.5)
os.remove(sys.argv[1] + '.wal')
sys.stdin.read()";

    #[test]
    fn a_file_beside_tables_is_waited_for_only_while_a_process_writes_them() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("tables.duckdb");
        let beside = &write_ahead_of(&path)[0];
        std::fs::write(&path, "").unwrap();
        std::fs::write(beside, "").unwrap();
        let left = lasting_write_ahead(&path, LONGER_THAN_ANY_TEST);
        assert_eq!(left.as_ref(), Some(beside));
        let mut command = Command::new("python3");
        command.args(["-c", WRITER]).arg(&path);
        let mut writer = Child::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let mut said = String::new();
        let stdout = writer.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut said).unwrap();
        assert_eq!(said, "locked\n");
        assert_eq!(lasting_write_ahead(&path, LONGER_THAN_ANY_TEST), None);
        writer.wait();
    }
}
