//! A SQLite file that follows the log: opening it in any state, its checkpoint, its transactions.
//!
//! Such a file is disposable, and opening it repairs it: a file that is damaged or lacks our tables
//! is moved aside, one of another code version is replaced, and the log fills the new one. Damage
//! that opening does not find ends the command that meets it;
//! [`move_aside`](crate::state::move_aside) then moves the file aside for the next opening.
//! `replacement` describes how this works while others have the file open. On a disk that is full
//! or read-only a database in memory takes the place of the file, so that reading continues.

use std::cell::Cell;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, ffi, params};

use crate::domain::id::Sequence;
use crate::event_log::Hash;
use crate::files::Identity;
use crate::state::place::{LiveFile, wal_of};
use crate::state::replacement::Replacement;
use crate::state::{Checkpoint, StateError, checked_pages, damage};

/// The tables of a file.
pub struct Layout {
    /// Includes a table `checkpoint` of one row.
    pub schema: &'static str,
    /// Raised whenever the meaning of the tables changes; a file of another version is rebuilt.
    pub code_version: i64,
    /// A table that the file has in every code version and no other file of the store has.
    pub own_table: &'static str,
}

/// SQLite counts in milliseconds of 31 bits: 24 days.
const LOCK_WAIT_MAX: Duration = Duration::from_millis(i32::MAX as u64);

/// How much of a file an opening checks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Check {
    /// The checks whose cost does not depend on the size of the file.
    Headers,
    /// Every page.
    All,
}

/// The result of an opening.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Opened {
    AsItWas,
    /// There was no file, or one of another code version.
    Anew,
    /// The file was damaged; this is its new name.
    MovedAside(PathBuf),
    /// The disk takes no more data, for this reason. The file was left as it is.
    InMemory(&'static str),
}

pub struct SqliteFile {
    db: Connection,
    path: PathBuf,
    /// All transactions are parts of one that is never committed.
    never_commits: Cell<bool>,
    /// `None` if the file must not be moved. It holds the directory, and companions are opened by
    /// name, so it is dropped last.
    live: Option<Arc<LiveFile>>,
}

/// A write-ahead file of up to this many bytes is not merged when the file is closed.
const WAL_BYTES_KEPT: u64 = 512 << 10;

/// Merging the write-ahead file costs two syncs, and beginning it again two more, and a command
/// would wait longer for these than for the log. So a small write-ahead file is left to the next
/// process, which reads it in less than a millisecond.
impl Drop for SqliteFile {
    fn drop(&mut self) {
        let bytes = || std::fs::metadata(wal_of(&self.path)).map_or(0, |wal| wal.len());
        if self.live.is_some() && bytes() > WAL_BYTES_KEPT {
            // If setting this fails, the file only stays unmerged.
            let _ = self
                .db
                .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false);
        }
    }
}

impl SqliteFile {
    /// Opens the file, creating or replacing it where needed. Its contents may lag behind.
    ///
    /// # Errors
    /// If it can be neither opened nor replaced.
    pub fn open(
        path: &Path,
        layout: &Layout,
        check: Check,
        lock_wait: Duration,
    ) -> Result<(SqliteFile, Opened), StateError> {
        let opened = match SqliteFile::look(path, layout, check, lock_wait) {
            Ok(Some(file)) => return Ok((file, Opened::AsItWas)),
            // Another process may be replacing the file at this moment.
            Ok(None) | Err(StateError::Damaged { .. }) => {
                SqliteFile::open_or_replace(path, layout, check, lock_wait)
            }
            Err(error) => Err(error),
        };
        match opened {
            Err(error) => match error.obstacle() {
                Some(obstacle) => Ok((SqliteFile::in_memory(layout)?, Opened::InMemory(obstacle))),
                None => Err(error),
            },
            opened => opened,
        }
    }

    fn open_or_replace(
        path: &Path,
        layout: &Layout,
        check: Check,
        lock_wait: Duration,
    ) -> Result<(SqliteFile, Opened), StateError> {
        let replacement = Replacement::begin(path, lock_wait)?;
        let met = Identity::of(path);
        let opened = match (SqliteFile::look(path, layout, check, lock_wait), met) {
            (Ok(Some(file)), _) => return Ok((file, Opened::AsItWas)),
            (Err(StateError::Damaged { .. }), Some(met)) => replacement
                .move_aside(met)?
                .map_or(Opened::Anew, Opened::MovedAside),
            (Ok(None) | Err(StateError::Damaged { .. }), _) => Opened::Anew,
            (Err(error), _) => return Err(error),
        };
        replacement.publish(|new| make(new, layout))?;
        let gone = || {
            let error = damage::lacking("another program removed it while it was made");
            StateError::of("open", path, None, error)
        };
        let file = SqliteFile::look(path, layout, Check::Headers, lock_wait)?;
        Ok((file.ok_or_else(gone)?, opened))
    }

    /// Opens an existing file without a lock and without moving anything. `None` if there is no
    /// file of this code version, or another file took its place meanwhile.
    fn look(
        path: &Path,
        layout: &Layout,
        check: Check,
        lock_wait: Duration,
    ) -> Result<Option<SqliteFile>, StateError> {
        let Some(identity) = Identity::of(path) else {
            return Ok(None);
        };
        let found = SqliteFile::open_existing(path, layout, lock_wait);
        // Until here companions were opened by name, and nothing was written.
        if Identity::of(path) != Some(identity) {
            return Ok(None);
        }
        let Some(mut file) = found? else {
            return Ok(None);
        };
        if check == Check::All {
            file.check_integrity(layout)?;
        }
        file.live = Some(Arc::new(LiveFile::new(path, identity, lock_wait)));
        Ok(Some(file))
    }

    fn open_existing(
        path: &Path,
        layout: &Layout,
        lock_wait: Duration,
    ) -> Result<Option<SqliteFile>, StateError> {
        let is_checked = damage::check_headers(path)
            .map_err(|source| StateError::of("open", path, None, source))?;
        // A file without tables is never made at the path.
        let flags = OpenFlags::default() - OpenFlags::SQLITE_OPEN_CREATE;
        let file = SqliteFile::connect(
            checked_pages::open_if(is_checked, path, flags),
            path,
            lock_wait,
        )?;
        // A merged write-ahead file is emptied and not removed, because another file may have its
        // name by now.
        checked_pages::keep_write_ahead_file(&file.db)
            .and_then(|()| {
                file.db
                    .pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)
            })
            .map_err(file.failed("open"))?;
        Ok(file.is_current(layout, is_checked)?.then_some(file))
    }

    /// A file that is opened only to read.
    pub(super) fn over(db: Connection, path: &Path) -> SqliteFile {
        SqliteFile {
            db,
            path: path.to_owned(),
            never_commits: Cell::new(false),
            live: None,
        }
    }

    /// Whether the file was made by this version of the code. `is_checked` says whether its pages
    /// have room for checksums.
    ///
    /// # Errors
    /// [`StateError::Damaged`] if the file is not ours in any version, or is of this version and
    /// lacks something.
    pub(super) fn is_current(&self, layout: &Layout, is_checked: bool) -> Result<bool, StateError> {
        let read = || {
            drop(
                self.db
                    .prepare(&format!("SELECT 1 FROM {}", layout.own_table))?,
            );
            let version = self
                .db
                .query_row("SELECT code_version FROM checkpoint", [], |row| {
                    row.get::<_, i64>(0)
                });
            version
                .optional()?
                .ok_or_else(|| damage::lacking("its checkpoint is missing"))
        };
        if read().map_err(self.failed("open"))? != layout.code_version {
            return Ok(false);
        }
        if !is_checked {
            return Err(self.damaged("its pages have no checksums"));
        }
        self.checkpoint()?;
        match checked_pages::is_of_one_piece(&self.db).map_err(self.failed("open"))? {
            true => Ok(true),
            false => Err(self.damaged("its write-ahead file belongs to another state of it")),
        }
    }

    fn connect(
        db: rusqlite::Result<Connection>,
        path: &Path,
        lock_wait: Duration,
    ) -> Result<SqliteFile, StateError> {
        let failed = |source| StateError::of("open", path, None, source);
        let db = db.map_err(failed)?;
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
            .map_err(failed)?;
        db.busy_timeout(lock_wait.min(LOCK_WAIT_MAX))
            .map_err(failed)?;
        db.set_prepared_statement_cache_capacity(64);
        // A lost tail of the file is read again from the log, so commits need no fsync.
        db.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -32000;",
        )
        .map_err(failed)?;
        Ok(SqliteFile::over(db, path))
    }

    /// A file in memory, to check the result of a rebuild.
    pub fn in_memory(layout: &Layout) -> Result<SqliteFile, StateError> {
        let file = SqliteFile::connect(
            Connection::open_in_memory(),
            Path::new(":memory:"),
            Duration::ZERO,
        )?;
        fill(&file.db, layout).map_err(file.failed("create"))?;
        Ok(file)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn db(&self) -> &Connection {
        &self.db
    }

    /// Reads the whole file.
    ///
    /// # Errors
    /// [`StateError::Damaged`]
    pub fn check_integrity(&self, layout: &Layout) -> Result<(), StateError> {
        if self.definitions()? != SqliteFile::in_memory(layout)?.definitions()? {
            return Err(self.damaged("its tables differ from those of this version"));
        }
        let found = self
            .db()
            .query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
        let found = found.map_err(self.failed("read"))?;
        if found == "ok" {
            return Ok(());
        }
        let corrupt = ffi::Error::new(ffi::SQLITE_CORRUPT);
        Err(self.failed("read")(rusqlite::Error::SqliteFailure(
            corrupt,
            Some(found.replace('\n', " ")),
        )))
    }

    /// Tables and indexes as SQL.
    fn definitions(&self) -> Result<Vec<String>, StateError> {
        let read = || -> rusqlite::Result<Vec<String>> {
            let mut select = self
                .db()
                .prepare("SELECT type || coalesce(sql, name) FROM sqlite_schema ORDER BY 1")?;
            select.query_map([], |row| row.get(0))?.collect()
        };
        read().map_err(self.failed("read"))
    }

    /// Converts an error of SQLite; `action` names the operation.
    pub fn failed(&self, action: &'static str) -> impl Fn(rusqlite::Error) -> StateError + use<> {
        let (path, live) = (self.path.clone(), self.live.clone());
        move |source| StateError::of(action, &path, live.clone(), source)
    }

    /// The error of a file that lacks something that every sound file has.
    pub fn damaged(&self, what: &str) -> StateError {
        self.failed("read")(damage::lacking(what))
    }

    pub fn checkpoint(&self) -> Result<Checkpoint, StateError> {
        self.db()
            .query_row("SELECT sequence, hash FROM checkpoint", [], |row| {
                let hash: String = row.get(1)?;
                let hash = hash.parse().map_err(|()| rusqlite::Error::InvalidQuery)?;
                Ok(Checkpoint {
                    sequence: Sequence(row.get(0)?),
                    hash,
                })
            })
            .map_err(self.failed("read"))
    }

    pub fn set_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StateError> {
        self.db()
            .prepare_cached("UPDATE checkpoint SET sequence = ?1, hash = ?2")
            .and_then(|mut update| {
                update.execute(params![checkpoint.sequence.0, checkpoint.hash.to_string()])
            })
            .map(drop)
            .map_err(self.failed("write"))
    }

    /// Sets the checkpoint to `to` if it is `from`.
    pub fn move_checkpoint(&self, from: &Checkpoint, to: &Checkpoint) -> Result<bool, StateError> {
        let parameters = params![
            to.sequence.0,
            to.hash.to_string(),
            from.sequence.0,
            from.hash.to_string()
        ];
        self.db()
            .prepare_cached(
                "UPDATE checkpoint SET sequence = ?1, hash = ?2 WHERE sequence = ?3 AND hash = ?4",
            )
            .and_then(|mut update| update.execute(parameters))
            .map(|moved| moved > 0)
            .map_err(self.failed("write"))
    }

    /// From now on nothing is stored, as a dry run needs it: every transaction is part of one that
    /// [`SqliteFile::forget`] or closing the file rolls back.
    pub fn never_commit(&self) -> Result<(), StateError> {
        if !self.never_commits.get() {
            self.begin()?;
            self.never_commits.set(true);
        }
        Ok(())
    }

    /// Rolls back the changes since [`SqliteFile::never_commit`], and stores again from now on.
    pub fn forget(&self) -> Result<(), StateError> {
        if self.never_commits.replace(false) {
            self.rollback()
        } else {
            Ok(())
        }
    }

    pub fn begin(&self) -> Result<(), StateError> {
        if self.never_commits.get() {
            return self
                .db()
                .execute_batch("SAVEPOINT part")
                .map_err(self.failed("lock"));
        }
        self.db()
            .execute_batch("BEGIN IMMEDIATE")
            .map_err(self.failed("lock"))?;
        checked_pages::begin_generation(self.db()).map_err(|error| {
            let _ = self.rollback();
            self.failed("write")(error)
        })
    }

    pub fn commit(&self) -> Result<(), StateError> {
        let sql = if self.never_commits.get() {
            "RELEASE part"
        } else {
            "COMMIT"
        };
        self.db().execute_batch(sql).map_err(self.failed("commit"))
    }

    pub fn rollback(&self) -> Result<(), StateError> {
        let sql = if self.never_commits.get() {
            "ROLLBACK TO part; RELEASE part"
        } else {
            "ROLLBACK"
        };
        self.db()
            .execute_batch(sql)
            .map_err(self.failed("roll back"))
    }

    /// Runs `work` in a transaction, which is committed, or after an error rolled back.
    pub fn transaction<T, E: From<StateError>>(
        &self,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        self.begin()?;
        match work() {
            Ok(value) => {
                self.commit()?;
                Ok(value)
            }
            Err(error) => {
                // A full disk has ended the transaction already.
                let _ = self.rollback();
                Err(error)
            }
        }
    }
}

/// The version of SQLite that is linked.
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}

/// Makes a file with its tables, so that a file without them is never an unfinished one.
fn make(path: &Path, layout: &Layout) -> rusqlite::Result<()> {
    let db = checked_pages::create(path)?;
    db.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL;")?;
    fill(&db, layout)?;
    db.close().map_err(|(_, error)| error)?;
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| damage::io_error(&error))
}

fn fill(db: &Connection, layout: &Layout) -> rusqlite::Result<()> {
    db.execute_batch(&format!("BEGIN; {}", layout.schema))?;
    let start = params![Hash::ZERO.to_string(), layout.code_version];
    db.execute("INSERT INTO checkpoint VALUES (1, 0, ?1, ?2)", start)?;
    db.execute_batch("COMMIT")
}

#[cfg(test)]
mod tests;
