//! Reads an index without changing it: read-only opening and comparison of two indexes.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, Statement};

use crate::files::Identity;
use crate::files::lock::wait_until;
use crate::state::index::LAYOUT;
use crate::state::place::wal_of;
use crate::state::{Check, Layout, SqliteFile, StateError, StateIndex, checked_pages, damage};

/// A table and the order in which its rows are compared.
pub type ComparedTable = (&'static str, &'static str);

/// Every table of the index.
const TABLES: [ComparedTable; 7] = [
    ("company", "one"),
    ("users", "ordinal"),
    ("tasks", "number"),
    ("task_changes", "number, sequence"),
    ("assignments", "number, assignment_no"),
    ("commands", "command_id"),
    ("resolutions", "sequence"),
];

impl SqliteFile {
    /// Opens a file to read only; `None` if it is none of this code version. Writes neither the
    /// file nor its directory: SQLite keeps its index of a write-ahead file in memory. If another
    /// process uses the file, so that this does not work, file and write-ahead file are copied to
    /// `scratch`.
    ///
    /// # Errors
    /// [`StateError::Damaged`]; [`StateError::Busy`] if the file kept changing for `lock_wait`
    /// while it was copied.
    pub fn open_to_read(
        path: &Path,
        layout: &Layout,
        scratch: &Path,
        lock_wait: Duration,
    ) -> Result<Option<SqliteFile>, StateError> {
        let mut found = Ok(None);
        let Ok(_) = wait_until(lock_wait, || {
            // The file of the attempt before is closed first.
            found = Ok(None);
            let met = Identity::of(path);
            found = SqliteFile::read_existing(path, layout, scratch, lock_wait);
            // If another process replaced the file meanwhile, the parts that were opened may belong
            // to two files.
            Ok::<_, Infallible>(Identity::of(path) == met)
        });
        found
    }

    fn read_existing(
        path: &Path,
        layout: &Layout,
        scratch: &Path,
        lock_wait: Duration,
    ) -> Result<Option<SqliteFile>, StateError> {
        let failed = |source| StateError::of("open", path, None, source);
        let is_checked = damage::check_headers(path).map_err(failed)?;
        // SQLite would make a write-ahead file that is missing.
        let wal = std::fs::metadata(wal_of(path)).ok();
        let open_shared = || open_as(path, "readonly_shm=1", is_checked).and_then(pinned);
        let db = if let Some(Ok(db)) = wal.as_ref().map(|_| open_shared()) {
            db
        } else if wal.is_none_or(|wal| wal.len() == 0) {
            open_as(path, "immutable=1", is_checked).map_err(failed)?
        } else {
            let copy = copy(path, scratch, lock_wait)?;
            checked_pages::open_if(is_checked, copy, OpenFlags::default()).map_err(failed)?
        };
        let file = SqliteFile::over(db, path);
        Ok(file.is_current(layout, is_checked)?.then_some(file))
    }

    /// The tables that differ, each with its first differing row.
    pub fn differences(
        &self,
        rebuilt: &SqliteFile,
        tables: &[ComparedTable],
    ) -> Result<Vec<(&'static str, String)>, StateError> {
        let mut found = Vec::new();
        for (table, order) in tables {
            let sql = format!("SELECT * FROM {table} ORDER BY {order}");
            let mut ours = self.db().prepare(&sql).map_err(self.failed("read"))?;
            let mut theirs = rebuilt.db().prepare(&sql).map_err(rebuilt.failed("read"))?;
            let difference =
                first_difference(&mut ours, &mut theirs).map_err(self.failed("read"))?;
            found.extend(difference.map(|what| (*table, what)));
        }
        Ok(found)
    }
}

impl StateIndex {
    /// Opens an index to read only, as [`SqliteFile::open_to_read`] does.
    pub fn open_to_read(
        path: &Path,
        scratch: &Path,
        lock_wait: Duration,
    ) -> Result<Option<StateIndex>, StateError> {
        Ok(SqliteFile::open_to_read(path, &LAYOUT, scratch, lock_wait)?.map(StateIndex::on))
    }

    /// A copy in `directory` of an index that could be read. The caller brings it to the head
    /// there.
    ///
    /// # Errors
    /// [`StateError::Copy`]; [`StateError::Busy`] if it kept changing for `lock_wait`.
    pub fn copied(
        path: &Path,
        directory: &Path,
        lock_wait: Duration,
    ) -> Result<StateIndex, StateError> {
        let copy = copy(path, directory, lock_wait)?;
        Ok(StateIndex::open(&copy, Check::Headers, lock_wait)?.0)
    }

    /// The tables that differ, each with its first differing row.
    pub fn differences(
        &self,
        rebuilt: &StateIndex,
    ) -> Result<Vec<(&'static str, String)>, StateError> {
        self.file().differences(rebuilt.file(), &TABLES)
    }
}

fn open_as(path: &Path, how: &str, is_checked: bool) -> rusqlite::Result<Connection> {
    let encoded: String =
        percent_encoding::utf8_percent_encode(&path.to_string_lossy(), RESERVED).collect();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    checked_pages::open_if(is_checked, format!("file:{encoded}?{how}"), flags)
}

/// From now on the connection shows its present state, even if others write.
fn pinned(db: Connection) -> rusqlite::Result<Connection> {
    db.execute_batch("BEGIN; SELECT count(*) FROM sqlite_master;")?;
    Ok(db)
}

const RESERVED: &percent_encoding::AsciiSet =
    &percent_encoding::CONTROLS.add(b'%').add(b'?').add(b'#');

fn first_difference(
    ours: &mut Statement<'_>,
    theirs: &mut Statement<'_>,
) -> rusqlite::Result<Option<String>> {
    let columns = (ours.column_count(), theirs.column_count());
    let (mut ours, mut theirs) = (ours.query([])?, theirs.query([])?);
    loop {
        let read = |row: Option<&rusqlite::Row<'_>>,
                    columns: usize|
         -> rusqlite::Result<Option<Vec<Value>>> {
            row.map(|row| (0..columns).map(|column| row.get(column)).collect())
                .transpose()
        };
        let (our_row, their_row) = (
            read(ours.next()?, columns.0)?,
            read(theirs.next()?, columns.1)?,
        );
        if our_row == their_row && our_row.is_none() {
            return Ok(None);
        }
        if our_row != their_row {
            let text =
                |row: Option<Vec<Value>>| row.map_or("nothing".to_owned(), |row| row_text(&row));
            return Ok(Some(format!(
                "it holds {} where the log gives {}",
                text(our_row),
                text(their_row)
            )));
        }
    }
}

fn row_text(row: &[Value]) -> String {
    let cells: Vec<String> = row.iter().map(cell_text).collect();
    format!("({})", cells.join(", "))
}

fn cell_text(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => format!("'{text}'"),
        Value::Blob(bytes) => {
            uuid::Uuid::from_slice(bytes).map_or("?".to_owned(), |id| id.to_string())
        }
    }
}

/// Copies database and write-ahead file until both stay the same during the copy.
fn copy(path: &Path, scratch: &Path, lock_wait: Duration) -> Result<PathBuf, StateError> {
    let io = |source| StateError::Copy {
        path: path.to_owned(),
        source,
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let to = scratch.join(format!("copy-of-{name}"));
    let is_whole = wait_until(lock_wait, || {
        let before = stamps(path);
        std::fs::copy(path, &to).map_err(io)?;
        match std::fs::copy(wal_of(path), wal_of(&to)) {
            // The other process has just closed the index.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            other => drop(other.map_err(io)?),
        }
        Ok::<_, StateError>(stamps(path) == before)
    })?;
    if is_whole {
        return Ok(to);
    }
    Err(StateError::Busy {
        path: path.to_owned(),
    })
}

fn stamps(path: &Path) -> [Option<(u64, SystemTime)>; 2] {
    [path.to_owned(), wal_of(path)].map(|file| {
        let metadata = std::fs::metadata(file).ok()?;
        Some((metadata.len(), metadata.modified().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Check;

    #[test]
    fn a_reader_keeps_its_state_while_others_write_and_merge() {
        let directory = tempfile::tempdir().unwrap();
        let (path, wait) = (directory.path().join("state.sqlite"), Duration::ZERO);
        let (writer, _) = StateIndex::open(&path, Check::Headers, wait).unwrap();
        let merge = || {
            let merge = "PRAGMA wal_checkpoint(TRUNCATE)";
            writer.db().query_row(merge, [], |_| Ok(())).unwrap();
        };
        writer.begin().unwrap();
        writer.commit().unwrap();
        merge();
        assert_eq!(std::fs::metadata(wal_of(&path)).unwrap().len(), 0);
        let reader = StateIndex::open_to_read(&path, directory.path(), wait);
        let reader = reader.unwrap().unwrap();
        writer.begin().unwrap();
        let row = "INSERT INTO commands (command_id, command_hash, first_sequence, events) VALUES ('k', 'h', 1, 1)";
        writer.db().execute_batch(row).unwrap();
        writer.commit().unwrap();
        merge();
        let count = |index: &StateIndex| -> u64 {
            let count = "SELECT count(*) FROM commands";
            index.db().query_row(count, [], |row| row.get(0)).unwrap()
        };
        assert_eq!((count(&reader), count(&writer)), (0, 1));
    }
}
