//! Names of files: making, removing and syncing them, and the identity of the file at a path.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The identity of the file or directory to which a path led. Inode numbers are used again after a
/// file is removed, so the time of creation counts too, if the file system has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
    created: Option<SystemTime>,
}

impl Identity {
    /// `None` if nothing is there.
    pub(crate) fn of(path: &Path) -> Option<Identity> {
        let found = std::fs::metadata(path).ok()?;
        Some(Identity {
            device: found.dev(),
            inode: found.ino(),
            created: found.created().ok(),
        })
    }
}

/// The path with `suffix` at the end of its name.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The first free name of `BEGINNING-1`, `BEGINNING-2` and so on. A name of a dangling link is not
/// free.
pub(crate) fn free_name(beginning: &Path) -> PathBuf {
    (1..)
        .map(|n: u32| with_suffix(beginning, &format!("-{n}")))
        .find(|name| name.symlink_metadata().is_err())
        .expect("some number is free")
}

/// Moves a damaged file, or another kind of file in its place, to a free name: `NAME.damaged-1` and
/// so on.
///
/// # Errors
/// If it cannot be renamed, or its directory cannot be synced.
pub(crate) fn move_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = free_name(&with_suffix(path, ".damaged"));
    std::fs::rename(path, &aside)?;
    sync_directory(parent_of(path))?;
    Ok(aside)
}

/// The directory of a path; the current directory for a name alone.
pub(crate) fn parent_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Makes the names in `directory` durable.
///
/// # Errors
/// If the directory cannot be opened or synced.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Removes a file. Returns whether there was one. Its absence is not durable until the directory is
/// synced.
///
/// # Errors
/// If it is there and cannot be removed.
pub(crate) fn remove(path: &Path) -> io::Result<bool> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_name_is_one_that_no_file_and_no_link_has() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state.sqlite");
        std::fs::write(home.path().join("state.sqlite.damaged-1"), "").unwrap();
        std::os::unix::fs::symlink("nowhere", home.path().join("state.sqlite.damaged-2")).unwrap();
        std::fs::write(&path, "kept").unwrap();
        let aside = move_aside(&path).unwrap();
        assert_eq!(aside, home.path().join("state.sqlite.damaged-3"));
        assert_eq!(std::fs::read(aside).unwrap(), b"kept");
        assert!(!path.exists());
        assert_eq!(
            free_name(&home.path().join("damaged")),
            home.path().join("damaged-1")
        );
    }

    #[test]
    fn a_name_alone_lies_in_the_current_directory() {
        assert_eq!(parent_of(Path::new("file")), Path::new("."));
        assert_eq!(parent_of(Path::new("a/file")), Path::new("a"));
    }
}
