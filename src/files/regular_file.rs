//! Checks that a file is a regular file before it is opened. A directory holds no bytes, and
//! opening a pipe to read it would wait for ever.

#[cfg(feature = "cli")]
use std::path::Path;

/// The error for a name of ours at which there is no regular file.
pub(crate) const NO_FILE: &str = "it is not a regular file";

/// Whether `path` leads to anything but a regular file. Links are followed.
#[cfg(feature = "cli")]
pub(crate) fn is_other(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| !found.is_file())
}

/// Opens a regular file.
///
/// # Errors
/// [`std::io::ErrorKind::AlreadyExists`] if another kind of file is there, or an error of the
/// system.
#[cfg(feature = "cli")]
pub(crate) fn open(path: &Path, options: &std::fs::OpenOptions) -> std::io::Result<std::fs::File> {
    if is_other(path) {
        return Err(std::io::Error::new(
            std::io::ErrorKind::AlreadyExists,
            NO_FILE,
        ));
    }
    options.open(path)
}
