//! Files that appear whole or not at all: written beside their place, synced, renamed into it.
//!
//! Invariant: a reader sees the former bytes or the new ones; after a crash the name leads to
//! one of the two; when a replacement has returned, it is durable.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::names::{parent_of, remove, sync_directory};

/// Makes the file `beside` with `mode` (less the umask), lets `write` fill it, and waits until its
/// bytes are durable. A file that a killed process left there is removed first, and a link is not
/// followed.
///
/// # Errors
/// If it cannot be made or written; then no file stays.
pub(crate) fn write_beside(
    beside: &Path,
    mode: u32,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    remove(beside)?;
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(beside)?;
    let written = write(&mut file).and_then(|()| file.sync_all());
    if written.is_err() {
        // The first error is the one to report.
        let _ = remove(beside);
    }
    written
}

/// Renames `beside`, which is durable, to `path` and makes the name durable. Both are in one file
/// system.
///
/// # Errors
/// If it cannot be renamed; then `path` is as it was. If the name cannot be synced.
pub(crate) fn put_in_place(beside: &Path, path: &Path) -> io::Result<()> {
    failpoint!("files.before_rename");
    std::fs::rename(beside, path)?;
    failpoint!("files.renamed");
    sync_directory(parent_of(path))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_whatever_a_killed_process_left_beside_it() {
        let home = tempfile::tempdir().unwrap();
        let (path, beside) = (home.path().join("file"), home.path().join(".file.new"));
        std::fs::write(&path, "former").unwrap();
        std::os::unix::fs::symlink(&path, &beside).unwrap();
        write_beside(&beside, 0o600, |file| file.write_all(b"new")).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"former");
        put_in_place(&beside, &path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!beside.exists());
    }

    #[test]
    fn a_file_that_cannot_be_filled_does_not_stay() {
        let home = tempfile::tempdir().unwrap();
        let beside = home.path().join(".file.new");
        let failed = write_beside(&beside, 0o600, |file| {
            file.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(!beside.exists());
    }
}
