//! Opens a DuckDB file: its checkpoint and its transactions.
//!
//! Invariant: only DuckDB's checkpoint changes a file; it makes all rows of a transaction durable
//! at once. No rows are written to a write-ahead file, and one that is beside a file is never read,
//! because nothing shows that the two were written together.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use duckdb::{Connection, params};

use crate::domain::id::Sequence;
use crate::domain::ledger::tally::Tally;
use crate::event_log::Hash;
use crate::files::held::{Held, keeper};
use crate::files::lock::wait_until;
use crate::files::replace::put_in_place;
use crate::files::{self, Identity, parent_of, regular_file, with_suffix};
use crate::state::Checkpoint;
use crate::store::connecting::{
    Mode, cannot_open, check_directory, config, lock_holder, try_connect,
};
use crate::store::error::{StoreError, first_line};
use crate::store::write_ahead::{CHECKPOINT_TAKES, lasting_write_ahead, write_ahead_of};

/// The consumer whose tables a file holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tables {
    Accounting,
    Analytics,
}

impl Tables {
    pub const fn file_name(self) -> &'static str {
        match self {
            Tables::Accounting => "accounting.duckdb",
            Tables::Analytics => "analytics.duckdb",
        }
    }

    /// Raised whenever the meaning of the tables changes; a file of another version is rebuilt.
    pub const fn code_version(self) -> i32 {
        match self {
            Tables::Accounting => 6,
            Tables::Analytics => 3,
        }
    }

    fn schema(self) -> [&'static str; 2] {
        let own = match self {
            Tables::Accounting => include_str!("accounting.sql"),
            Tables::Analytics => include_str!("analytics.sql"),
        };
        [include_str!("common.sql"), own]
    }
}

/// An open file. Dropping it closes the file and releases its lock.
pub struct Database {
    connection: Connection,
    path: PathBuf,
    tables: Tables,
    /// All transactions are parts of one that is never committed.
    never_commits: Cell<bool>,
    /// The directory that the path leads through.
    _held: Option<Arc<Held>>,
}

impl Database {
    /// Opens a file for writing, creating it with its tables if it is not there.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if it cannot be read, [`StoreError::Locked`] after `wait`,
    /// [`StoreError::WriteAhead`] if there is a write-ahead file.
    pub fn open(path: &Path, tables: Tables, wait: Duration) -> Result<Database, StoreError> {
        if !path.exists() {
            Database::make(path, tables, wait)?;
        }
        Database::open_existing(path, tables, wait, Mode::Write)
    }

    /// Makes a file with its tables and moves it into its place, so that a file without them is
    /// never an unfinished one. The caller has the lock of the consumer that writes it.
    fn make(path: &Path, tables: Tables, wait: Duration) -> Result<(), StoreError> {
        let making = with_suffix(path, ".making");
        remove(&making)?;
        for companion in write_ahead_of(&making) {
            remove(&companion)?;
        }
        let database = Database::connect(&making, tables, wait, Mode::Write)?;
        if !database.is_in_place()? {
            return Err(StoreError::Replaced {
                path: path.to_owned(),
            });
        }
        database.create_tables()?;
        drop(database);
        put_in_place(&making, path).map_err(|source| StoreError::Io {
            action: "create",
            path: path.into(),
            source,
        })
    }

    /// Opens a file for reading; an empty one in memory if there is no file yet.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub fn open_to_read(
        path: &Path,
        tables: Tables,
        wait: Duration,
    ) -> Result<Database, StoreError> {
        if !path.exists() {
            return Database::in_memory(tables);
        }
        Database::open_existing(path, tables, wait, Mode::Read)
    }

    fn open_existing(
        path: &Path,
        tables: Tables,
        wait: Duration,
        mode: Mode,
    ) -> Result<Database, StoreError> {
        // DuckDB would wait at a pipe for ever.
        if regular_file::is_other(path) {
            return Err(StoreError::Damaged {
                path: path.to_owned(),
                reason: "it is not a file".to_owned(),
            });
        }
        let patience = if mode == Mode::Read {
            wait.min(CHECKPOINT_TAKES)
        } else {
            Duration::ZERO
        };
        if let Some(path) = lasting_write_ahead(path, patience) {
            return Err(StoreError::WriteAhead { path });
        }
        // A rebuild may put another file in its place at this moment.
        for _ in 0..OPENINGS_MAX {
            let database = Database::connect(path, tables, wait, mode)?;
            if database.is_in_place()? {
                database.check_tables()?;
                return Ok(database);
            }
        }
        Err(StoreError::Replaced {
            path: path.to_owned(),
        })
    }

    /// Empty tables in memory.
    pub fn in_memory(tables: Tables) -> Result<Database, StoreError> {
        let path = PathBuf::from(tables.file_name());
        let connection = Connection::open_in_memory_with_flags(config(&path, Mode::Write)?)
            .map_err(|source| StoreError::DuckDb {
                action: "open",
                path: path.clone(),
                source,
            })?;
        let database = Database {
            connection,
            path,
            tables,
            never_commits: Cell::new(false),
            _held: None,
        };
        database.create_tables()?;
        Ok(database)
    }

    fn connect(
        path: &Path,
        tables: Tables,
        wait: Duration,
        mode: Mode,
    ) -> Result<Database, StoreError> {
        check_directory(parent_of(path), None).map_err(|source| StoreError::Io {
            action: "open",
            path: path.to_owned(),
            source,
        })?;
        let (mut connection, mut held_by) = (None, None);
        wait_until(wait, || {
            // A program that had the file open may have left one behind.
            if held_by.is_some()
                && let Some(path) = lasting_write_ahead(path, CHECKPOINT_TAKES.min(wait))
            {
                return Err(StoreError::WriteAhead { path });
            }
            match try_connect(path, mode)? {
                Ok(opened) => connection = Some(opened),
                Err(error) => match lock_holder(&error) {
                    Some(holder) => held_by = Some(holder),
                    None => return Err(cannot_open(path, error)),
                },
            }
            Ok(connection.is_some())
        })?;
        let path = path.to_owned();
        match connection {
            Some(connection) => Ok(Database {
                connection,
                _held: keeper(&path),
                path,
                tables,
                never_commits: Cell::new(false),
            }),
            None => Err(StoreError::Locked {
                path,
                holder: held_by.unwrap_or_default(),
                waited_millis: wait.as_millis(),
            }),
        }
    }

    /// Whether the open file is the one at the path, because DuckDB resolves links and opens the
    /// resolved name. True for tables in memory.
    fn is_in_place(&self) -> Result<bool, StoreError> {
        let sql = "SELECT path FROM duckdb_databases() WHERE database_name = current_database()";
        let opened: Option<String> = self
            .connection
            .query_row(sql, [], |row| row.get(0))
            .map_err(self.failed("open"))?;
        let is_meant = |opened: String| {
            Identity::of(Path::new(&opened)).is_some_and(|it| Some(it) == Identity::of(&self.path))
        };
        Ok(opened.is_none_or(is_meant))
    }

    fn create_tables(&self) -> Result<(), StoreError> {
        let start = Checkpoint::START;
        self.run("create", "BEGIN TRANSACTION")?;
        for schema in self.tables.schema() {
            self.run("create", schema)?;
        }
        self.connection
            .execute(
                "INSERT INTO checkpoint VALUES (?, ?, ?, 0, 0, 0)",
                params![
                    start.sequence.0,
                    start.hash.to_string(),
                    self.tables.code_version()
                ],
            )
            .map_err(self.failed("create"))?;
        self.run("create", "COMMIT")?;
        self.run("create", CHECKPOINT)
    }

    fn check_tables(&self) -> Result<(), StoreError> {
        self.checkpoint().map(drop).map_err(|error| match error {
            StoreError::DuckDb { path, source, .. } => StoreError::Damaged {
                path,
                reason: first_line(&source),
            },
            other => other,
        })
    }

    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Converts an error of DuckDB; `action` names the operation.
    pub fn failed(&self, action: &'static str) -> impl Fn(duckdb::Error) -> StoreError + use<> {
        let path = self.path.clone();
        move |source| StoreError::of(action, &path, source)
    }

    pub fn run(&self, action: &'static str, sql: &str) -> Result<(), StoreError> {
        self.connection
            .execute_batch(sql)
            .map_err(self.failed(action))
    }

    /// From now on nothing is stored, as a dry run needs it: every transaction is part of one that
    /// closing the file rolls back.
    pub fn never_commit(&self) -> Result<(), StoreError> {
        self.begin()?;
        self.never_commits.set(true);
        Ok(())
    }

    pub fn begin(&self) -> Result<(), StoreError> {
        if self.never_commits.get() {
            Ok(())
        } else {
            self.run("write", "BEGIN TRANSACTION")
        }
    }

    /// Ends the transaction and makes it durable.
    ///
    /// # Errors
    /// If DuckDB fails. The file then holds the whole transaction or nothing of it.
    pub fn commit(&self) -> Result<(), StoreError> {
        if self.never_commits.get() {
            return Ok(());
        }
        // DuckDB makes its checkpoint mark by name; it must not land beside the tables of another
        // store.
        if !self.is_in_place()? {
            return Err(StoreError::Replaced {
                path: self.path.clone(),
            });
        }
        self.run("commit", "COMMIT")?;
        failpoint!("tables.before_checkpoint");
        self.run("commit", CHECKPOINT)
    }

    pub fn checkpoint(&self) -> Result<Checkpoint, StoreError> {
        let row = self
            .connection
            .query_row("SELECT sequence, hash FROM checkpoint", [], |row| {
                Ok((row.get::<_, u64>(0)?, row.get::<_, String>(1)?))
            });
        let (sequence, hash) = row.map_err(self.failed("read"))?;
        let hash: Hash = hash
            .parse()
            .map_err(|()| self.damaged("the checkpoint's hash is not a hash"))?;
        Ok(Checkpoint {
            sequence: Sequence(sequence),
            hash,
        })
    }

    /// The tally of the entries up to the checkpoint.
    pub fn tally(&self) -> Result<Tally, StoreError> {
        self.connection
            .query_row(
                "SELECT entries, amount, digest FROM checkpoint",
                [],
                |row| {
                    Ok(Tally {
                        entries: row.get(0)?,
                        amount_minor: row.get(1)?,
                        digest: row.get(2)?,
                    })
                },
            )
            .map_err(self.failed("read"))
    }

    /// Compares what a table holds of the entries with the checkpoint.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if they differ.
    pub fn check_tally(&self, table: &str, held: Tally) -> Result<(), StoreError> {
        let wanted = self.tally()?;
        if held == wanted {
            return Ok(());
        }
        Err(self.damaged(format!(
            "its checkpoint says {} entries with the sum {} and the digest {:016x}, \
             the table {table} holds {} with the sum {} and the digest {:016x}",
            wanted.entries,
            wanted.amount_minor,
            wanted.digest,
            held.entries,
            held.amount_minor,
            held.digest
        )))
    }

    /// Converts an error of adding amounts up. If a sum fits no amount, this program did not write
    /// the rows.
    pub fn failed_sum(&self, error: duckdb::Error) -> StoreError {
        let text = error.to_string();
        if ["Conversion Error", "Out of Range Error"]
            .iter()
            .any(|words| text.contains(words))
        {
            return self.damaged("its amounts add up to more than an amount can be");
        }
        self.failed("read")(error)
    }

    /// The error of a file with wrong contents.
    pub fn damaged(&self, reason: impl Into<String>) -> StoreError {
        StoreError::Damaged {
            path: self.path.clone(),
            reason: reason.into(),
        }
    }

    /// Reads every row of every table.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if a row cannot be read.
    pub fn check_readable(&self) -> Result<(), StoreError> {
        let names = || -> Result<Vec<String>, duckdb::Error> {
            let sql =
                "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()";
            self.connection
                .prepare(sql)?
                .query_map([], |row| row.get(0))?
                .collect()
        };
        for table in names().map_err(self.failed("read"))? {
            self.run("read", &format!("SELECT sum(hash(t)) FROM {table} t"))?;
        }
        Ok(())
    }

    /// Whether the rows were made by this version of the code.
    pub fn is_current(&self) -> Result<bool, StoreError> {
        let version = self
            .connection
            .query_row("SELECT code_version FROM checkpoint", [], |row| {
                row.get::<_, i32>(0)
            });
        Ok(version.map_err(self.failed("read"))? == self.tables.code_version())
    }

    /// Stores the checkpoint; `tally` covers all entries up to it.
    pub fn set_checkpoint(&self, checkpoint: &Checkpoint, tally: &Tally) -> Result<(), StoreError> {
        let Tally {
            entries,
            amount_minor,
            digest,
        } = *tally;
        self.connection
            .execute(
                "UPDATE checkpoint SET sequence = ?, hash = ?, entries = ?, amount = ?, digest = ?",
                params![
                    checkpoint.sequence.0,
                    checkpoint.hash.to_string(),
                    entries,
                    amount_minor,
                    digest
                ],
            )
            .map(drop)
            .map_err(self.failed("write"))
    }
}

const OPENINGS_MAX: usize = 5;

const CHECKPOINT: &str = "CHECKPOINT";

/// Removes a file, if it is there.
pub fn remove(path: &Path) -> Result<(), StoreError> {
    files::remove(path)
        .map(drop)
        .map_err(|source| StoreError::Io {
            action: "remove",
            path: path.to_owned(),
            source,
        })
}
