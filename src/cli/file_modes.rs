//! Modes of new files. Every file of a store is made for its owner alone, under any umask:
//! log, tables with the companions of DuckDB and SQLite, locks, mails, keys. Only files that the
//! user named, a report or an export, follow the umask.

use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::sync::OnceLock;

use rustix::fs::Mode;
use rustix::process::umask;

const FILE: u32 = 0o666;
const DIRECTORY: u32 = 0o777;

/// The user's umask before it was narrowed. It belongs to the process, as a umask does.
static UMASK: OnceLock<u32> = OnceLock::new();

/// From here on group and others get no right to new files. Called before the first file is made; a
/// second call does no harm.
pub(super) fn keep_to_owner() {
    UMASK.get_or_init(|| umask(Mode::RWXG | Mode::RWXO).as_raw_mode());
}

fn as_the_user_wants(mode: u32) -> Permissions {
    Permissions::from_mode(mode & !UMASK.get().copied().unwrap_or(0o077))
}

/// Gives a finished file the mode of the user's umask, or that of the file `replaced`.
pub(super) fn open_as_user_wants(file: &File, replaced: Option<Permissions>) -> io::Result<()> {
    file.set_permissions(replaced.unwrap_or_else(|| as_the_user_wants(FILE)))
}

/// Makes a directory for the user, with its missing parents; an existing one stays as it is.
///
/// # Errors
/// If the system refuses, or another kind of file is there.
pub(super) fn make_directory_for_user(path: &Path) -> io::Result<()> {
    let missing: Vec<_> = path
        .ancestors()
        .take_while(|path| !path.exists() && *path != Path::new(""))
        .collect();
    for directory in missing.into_iter().rev() {
        DirBuilder::new().mode(DIRECTORY).create(directory)?;
        std::fs::set_permissions(directory, as_the_user_wants(DIRECTORY))?;
    }
    if path.is_dir() {
        Ok(())
    } else {
        Err(io::ErrorKind::NotADirectory.into())
    }
}
