//! Files that are regular files. A directory holds no bytes, and whoever opened a pipe to read it would wait
//! for ever, so whatever else stands in the place of a file is refused before it is opened.

#[cfg(feature = "cli")]
use std::path::Path;

/// The error for a name of ours that leads to anything but a regular file.
pub const NO_FILE: &str = "what stands there is not a regular file";

/// Whether something else than a regular file stands at `path`. Links are followed.
#[cfg(feature = "cli")]
pub fn is_other(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| !found.is_file())
}

/// Opens a regular file. Something else is in its way: [`std::io::ErrorKind::AlreadyExists`].
///
/// # Errors
/// That error, or the system's.
#[cfg(feature = "cli")]
pub fn open(path: &Path, options: &std::fs::OpenOptions) -> std::io::Result<std::fs::File> {
    if is_other(path) {
        return Err(std::io::Error::new(
            std::io::ErrorKind::AlreadyExists,
            NO_FILE,
        ));
    }
    options.open(path)
}
