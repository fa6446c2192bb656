//! The disk of a store: its free space, and whether it keeps written bytes.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::files::sync_directory;

/// The free space for the user who runs the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    pub bytes: u64,
    /// `None` on a file system that does not count files.
    pub files: Option<u64>,
}

/// The prefix of the files that [`try_writing`] makes, by which a leftover is recognised.
pub const PROBE_PREFIX: &str = ".probe-";

pub fn room(path: &Path) -> io::Result<Room> {
    let found = rustix::fs::statvfs(path)?;
    let files = (found.f_files > 0).then_some(found.f_favail);
    Ok(Room {
        bytes: found.f_bavail.saturating_mul(found.f_frsize),
        files,
    })
}

/// Makes a small file in `directory`, waits until it is durable, and removes it.
///
/// # Errors
/// The reason why the disk refuses writes.
pub fn try_writing(directory: &Path) -> io::Result<()> {
    let path = directory.join(format!("{PROBE_PREFIX}{}", std::process::id()));
    // A leftover of a killed process that had our process id.
    let _ = std::fs::remove_file(&path);
    let written = File::create_new(&path).and_then(|mut file| {
        file.write_all(&[b'x'; 4096])?;
        file.sync_all()
    });
    let removed = std::fs::remove_file(&path);
    written.and(removed)?;
    sync_directory(directory)
}
