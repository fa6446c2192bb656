//! Recognises files that this program wrote; others are not replaced unasked.
//!
//! A written file gets a mark, an extended attribute with its size and the time of its last change:
//! a file that another program has copied or changed later is not ours.

use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::XattrFlags;
use rustix::io::Errno;

use crate::cli::failure::Failure;
use crate::credentials::secret::without_tokens;

const MARK: &str = "user.popug-cli";
const MARK_BYTES_MAX: usize = 64;
/// More than a token and the columns before it.
const BEGINNING_BYTES: u64 = 4096;

/// Marks a file as written by this program, after all of it is written. A file system without
/// extended attributes keeps no mark.
pub(super) fn mark(file: &File) {
    let state = file.metadata().map(|found| state_of(&found));
    let _ =
        state.map(|state| rustix::fs::fsetxattr(file, MARK, state.as_bytes(), XattrFlags::empty()));
}

/// Size and time of the last change, which differ after a write to the file.
fn state_of(found: &Metadata) -> String {
    format!(
        "{} {}.{:09}",
        found.len(),
        found.mtime(),
        found.mtime_nsec()
    )
}

/// Refuses to replace a file that another program wrote. An empty file, a pipe and a device may be
/// written to.
///
/// # Errors
/// If `path` is a file that this program did not write, and `force` is not given.
pub(super) fn check_replaceable(path: &Path, force: bool) -> Result<(), Failure> {
    if force || is_replaceable(path, || false) {
        return Ok(());
    }
    Err(not_own(path))
}

pub(super) fn not_own(path: &Path) -> Failure {
    let reason = if holds_token(path) {
        "holds a token, which may be in use"
    } else if rustix::fs::getxattr(path, MARK, &mut [0; MARK_BYTES_MAX][..]).is_ok() {
        "was changed by another program since popug-cli wrote it"
    } else {
        "was not written by popug-cli"
    };
    let message = format!("{} is there already and {reason}", path.display());
    Failure::usage(message).hint("use another name, or replace this file with --force")
}

fn holds_token(path: &Path) -> bool {
    let mut beginning = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(BEGINNING_BYTES).read_to_end(&mut beginning));
    // A table of Markdown has the signs of a token behind backslashes.
    let text = String::from_utf8_lossy(&beginning).replace('\\', "");
    read.is_ok() && without_tokens(&text) != text
}

/// Whether the file may be replaced unasked: it is missing, empty or ours. `is_known` decides where the file system
/// keeps no marks.
pub(super) fn is_replaceable(path: &Path, is_known: impl FnOnce() -> bool) -> bool {
    is_free(path) || has_mark(path).unwrap_or_else(is_known)
}

fn is_free(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |found| !found.is_file() || found.len() == 0)
}

/// Whether the file has its mark and is unchanged since; `None` on a file system that keeps none.
fn has_mark(path: &Path) -> Option<bool> {
    let mut marked = [0; MARK_BYTES_MAX];
    match rustix::fs::getxattr(path, MARK, &mut marked[..]) {
        Ok(length) => {
            let found = std::fs::metadata(path);
            Some(found.is_ok_and(|found| state_of(&found).as_bytes() == &marked[..length]))
        }
        Err(Errno::NOTSUP) => None,
        Err(_) => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_ours_while_it_has_its_mark() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        std::fs::write(&path, "T-7\tada\n").unwrap();
        assert!(check_replaceable(&path, false).is_err() && check_replaceable(&path, true).is_ok());
        mark(&File::open(&path).unwrap());
        let Some(is_marked) = has_mark(&path) else {
            // No file is known on a file system without extended attributes.
            assert!(check_replaceable(&path, false).is_err());
            return;
        };
        assert!(is_marked && check_replaceable(&path, false).is_ok());
        // An editor writes a copy and gives it the name.
        let copy = home.path().join("copy");
        std::fs::write(&copy, "T-7\tada\n").unwrap();
        std::fs::rename(&copy, &path).unwrap();
        assert_eq!(has_mark(&path), Some(false));
        // Another program has written to it.
        mark(&File::open(&path).unwrap());
        std::fs::write(&path, "mine\n").unwrap();
        assert_eq!(has_mark(&path), Some(false));
    }

    #[test]
    fn nothing_and_an_empty_file_may_be_replaced() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        assert!(check_replaceable(&path, false).is_ok());
        std::fs::write(&path, "").unwrap();
        assert!(
            check_replaceable(&path, false).is_ok()
                && check_replaceable(Path::new("/dev/null"), false).is_ok()
        );
    }
}
