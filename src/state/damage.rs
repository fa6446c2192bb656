//! Recognises damaged SQLite files, by their headers and by SQLite's errors.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use rusqlite::{ErrorCode, ffi};

use crate::files::lock::wait_until;
use crate::files::regular_file;
use crate::state::checked_pages;
use crate::state::place::{wal_of, with_companions};

/// Whether the error reports damage, or that the file lacks our tables.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::Error as E;
    match error {
        E::SqliteFailure(failure, message) => {
            let lacks = |what: &str| {
                message
                    .as_ref()
                    .is_some_and(|message| message.starts_with(what))
            };
            matches!(
                failure.code,
                ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt
            ) || checked_pages::is_mismatch(failure)
                || lacks("no such table")
                || lacks("no such column")
        }
        E::SqlInputError { msg, .. } => {
            msg.starts_with("no such table") || msg.starts_with("no such column")
        }
        E::InvalidQuery
        | E::InvalidColumnType(..)
        | E::InvalidColumnName(_)
        | E::FromSqlConversionFailure(..)
        | E::IntegralValueOutOfRange(..)
        | E::Utf8Error(..) => true,
        _ => false,
    }
}

/// Checks the headers of a database and its write-ahead file before SQLite opens them. Opening
/// alone does not find everything: the write-ahead file may hold all pages that opening reads, and
/// hide that the rest is no database. And SQLite ignores a write-ahead file with a wrong header, or
/// a process without write permission reads it again and again for ten seconds. False if the pages
/// have no room for checksums.
pub(super) fn check_headers(path: &Path) -> rusqlite::Result<bool> {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    // A link leads to a file of another program, perhaps of another store.
    let is_other = |path: &Path| path.is_symlink() || regular_file::is_other(path);
    if is_other(path) {
        return Err(lacking("it is not a file"));
    }
    let [_, companions @ ..] = with_companions(path);
    if let Some(other) = companions.iter().find(|companion| is_other(companion)) {
        let name = other.file_name().unwrap_or_default().display();
        return Err(lacking(&format!("{name} is not a regular file")));
    }
    let is_checked = match beginning(path, checked_pages::HEADER_BYTES)
        .as_deref()
        .map(<[u8]>::first_chunk)
    {
        Ok(Some(header)) if header.starts_with(MAGIC) => checked_pages::has_room(header),
        Ok(_) => return Err(lacking("it is not a database")),
        // SQLite's own error explains better why the file cannot be read.
        Err(_) => true,
    };
    let wal = wal_of(path);
    // Another process may be writing the header.
    let Ok(is_sound) = wait_until(WAL_HEADER_TAKES, || {
        let header = beginning(&wal, WAL_HEADER_BYTES);
        Ok::<_, Infallible>(header.ok().is_none_or(|header| is_wal_header(&header)))
    });
    if is_sound {
        return Ok(is_checked);
    }
    Err(lacking("its write-ahead file is not valid"))
}

fn beginning(path: &Path, bytes: usize) -> io::Result<Vec<u8>> {
    let mut begins = Vec::new();
    File::open(path)?
        .take(bytes as u64)
        .read_to_end(&mut begins)?;
    Ok(begins)
}

const WAL_HEADER_BYTES: usize = 32;
/// The time that another process may take to write the header.
const WAL_HEADER_TAKES: Duration = Duration::from_millis(15);

/// A shorter header is that of an empty file. See
/// <https://www.sqlite.org/fileformat2.html#walformat>.
fn is_wal_header(header: &[u8]) -> bool {
    const MAGIC: u32 = 0x377f_0682;
    if header.len() < WAL_HEADER_BYTES {
        return true;
    }
    let words: Vec<[u8; 4]> = header
        .chunks_exact(4)
        .map(|word| word.try_into().expect("four bytes"))
        .collect();
    let [magic, .., first, second] = words[..] else {
        unreachable!("a header has eight words")
    };
    let magic = u32::from_be_bytes(magic);
    // The last bit gives the byte order of the checksum.
    let read = if magic & 1 == 1 {
        u32::from_be_bytes
    } else {
        u32::from_le_bytes
    };
    let sums = words[..6]
        .chunks_exact(2)
        .fold((0_u32, 0_u32), |(first, second), pair| {
            let first = first.wrapping_add(read(pair[0])).wrapping_add(second);
            (
                first,
                second.wrapping_add(read(pair[1])).wrapping_add(first),
            )
        });
    magic & !1 == MAGIC && sums == (u32::from_be_bytes(first), u32::from_be_bytes(second))
}

/// The error of a file that is not ours, with the reason.
pub(super) fn lacking(what: &str) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_NOTADB), Some(what.to_owned()))
}

/// The error that SQLite would give.
pub(super) fn io_error(error: &io::Error) -> rusqlite::Error {
    let code = if error.kind() == io::ErrorKind::StorageFull {
        ffi::SQLITE_FULL
    } else {
        ffi::SQLITE_CANTOPEN
    };
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(error.to_string()))
}

/// The fault in words.
pub(super) fn reason(error: &rusqlite::Error) -> String {
    match error {
        // A value that this program cannot have written.
        rusqlite::Error::InvalidQuery => "it holds an impossible value".to_owned(),
        rusqlite::Error::SqliteFailure(failure, _) if checked_pages::is_mismatch(failure) => {
            "a page does not match its checksum".to_owned()
        }
        other => other.to_string(),
    }
}

/// Whether the file lies on a read-only file system.
pub(super) fn is_on_read_only_disk(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK) == Err(rustix::io::Errno::ROFS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_sqlite_wrote_begin_as_they_should() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state.sqlite");
        let db = rusqlite::Connection::open(&path).unwrap();
        db.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x);")
            .unwrap();
        let wal = wal_of(&path);
        let written = std::fs::read(&wal).unwrap();
        assert!(written.len() > WAL_HEADER_BYTES);
        check_headers(&path).unwrap();
        for at in 0..WAL_HEADER_BYTES {
            let mut spoilt = written.clone();
            spoilt[at] ^= 0x10;
            std::fs::write(&wal, spoilt).unwrap();
            assert!(is_damage(&check_headers(&path).unwrap_err()), "byte {at}");
        }
        std::fs::write(&wal, "").unwrap();
        check_headers(&path).unwrap();
        std::fs::write(&path, "").unwrap();
        assert!(is_damage(&check_headers(&path).unwrap_err()));
    }
}
