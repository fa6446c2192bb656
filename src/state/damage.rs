//! Damaged SQLite files: knowing one, and moving it out of the way.
//!
//! Invariant: only the file in which the damage was met is moved. One that took its place since is left
//! alone, and of several processes that meet the same damage one moves the file.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Which file a path led to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// `None` if nothing is there.
    pub fn of(path: &Path) -> Option<Identity> {
        std::fs::metadata(path).ok().map(|metadata| Identity::from(&metadata))
    }
}

impl From<&Metadata> for Identity {
    fn from(metadata: &Metadata) -> Identity {
        Identity { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// Whether the file does not hold what was written to it, or lacks our tables.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::Error as E;
    match error {
        E::SqliteFailure(failure, message) => {
            let lacks = |what: &str| message.as_ref().is_some_and(|message| message.starts_with(what));
            matches!(failure.code, ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
                || lacks("no such table")
                || lacks("no such column")
        }
        E::SqlInputError { msg, .. } => msg.starts_with("no such table") || msg.starts_with("no such column"),
        E::InvalidQuery
        | E::InvalidColumnType(..)
        | E::InvalidColumnName(_)
        | E::FromSqlConversionFailure(..)
        | E::IntegralValueOutOfRange(..)
        | E::Utf8Error(..) => true,
        _ => false,
    }
}

/// What is wrong, in words.
pub(super) fn reason(error: &rusqlite::Error) -> String {
    match error {
        // Where a value is read that nothing of ours can have written.
        rusqlite::Error::InvalidQuery => "it holds a value that cannot be in it".to_owned(),
        other => other.to_string(),
    }
}

/// The database and its two companions.
pub(super) fn files(path: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    })
}

pub(super) fn remove(path: &Path) {
    // What is not there need not be removed; what cannot be is met again when creating.
    files(path).iter().for_each(|file| drop(std::fs::remove_file(file)));
}

/// Gives the file another name, unless it is not the one that the damage was met in any more.
pub(super) fn move_aside(path: &Path, met_in: Identity) -> io::Result<Option<PathBuf>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    // Until it is let go of, nobody else moves this file.
    file.lock()?;
    if Identity::from(&file.metadata()?) != met_in || Identity::of(path) != Some(met_in) {
        return Ok(None);
    }
    let aside = (1..)
        .map(|n| path.with_extension(format!("sqlite.damaged-{n}")))
        .find(|aside| !aside.exists())
        .expect("some number is free");
    std::fs::rename(path, &aside)?;
    remove(path);
    Ok(Some(aside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_took_the_place_of_the_damaged_one_is_not_moved() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state.sqlite");
        std::fs::write(&path, "damaged").unwrap();
        let damaged = Identity::of(&path).unwrap();
        let aside = move_aside(&path, damaged).unwrap().unwrap();
        assert_eq!(std::fs::read(&aside).unwrap(), b"damaged");
        assert_eq!(move_aside(&path, damaged).unwrap(), None);
        std::fs::write(&path, "sound").unwrap();
        assert_eq!(move_aside(&path, damaged).unwrap(), None);
        assert_eq!(std::fs::read(&path).unwrap(), b"sound");
    }
}
