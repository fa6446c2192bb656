//! Names on the disk. A file whose bytes were synced is lost all the same if its name was not: of
//! what is created, moved or removed the directory is to be synced too.

use std::fs::File;
use std::io;
use std::path::Path;

/// Makes the names in `directory` durable; an empty path is the current directory.
///
/// # Errors
/// Whatever the system says.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    let directory = if directory.as_os_str().is_empty() {
        Path::new(".")
    } else {
        directory
    };
    File::open(directory)?.sync_all()
}
