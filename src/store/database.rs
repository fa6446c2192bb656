//! Opening a DuckDB file, its checkpoint and its transactions.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use duckdb::{AccessMode, Config, Connection, params};

use crate::domain::id::Sequence;
use crate::durable::sync_directory;
use crate::event_log::Hash;
use crate::regular_file;
use crate::state::Checkpoint;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot {action} {}: {}", path.display(), first_line(source))]
    DuckDb { action: &'static str, path: PathBuf, source: duckdb::Error },
    #[error("{} has been in use for {waited_millis} ms: {holder}", path.display())]
    Locked { path: PathBuf, holder: String, waited_millis: u128 },
    /// DuckDB cannot read the file, or some of it, or it lacks our tables.
    #[error("{} is damaged or not ours: {reason}", path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("cannot {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
}

impl StoreError {
    fn of(action: &'static str, path: &Path, source: duckdb::Error) -> StoreError {
        let path = path.to_owned();
        if is_damage(&source) {
            return StoreError::Damaged { path, reason: first_line(&source) };
        }
        StoreError::DuckDb { action, path, source }
    }
}

fn first_line(error: &duckdb::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Whose tables a file holds.
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
            Tables::Accounting | Tables::Analytics => 2,
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

/// An open file. Dropping it closes the file and lets go of its lock.
pub struct Database {
    connection: Connection,
    path: PathBuf,
    tables: Tables,
    /// Transactions are parts of one that is never committed.
    never_commits: Cell<bool>,
}

impl Database {
    /// Opens a file for writing, creating it with its tables if it is not there.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if it cannot be read, [`StoreError::Locked`] after `wait`.
    pub fn open(path: &Path, tables: Tables, wait: Duration) -> Result<Database, StoreError> {
        if !path.exists() {
            Database::make(path, tables, wait)?;
        }
        let database = Database::connect(path, tables, wait, AccessMode::ReadWrite)?;
        database.check_tables()?;
        Ok(database)
    }

    /// Puts a file with its tables in its place, so that one without them is never one in the making. The caller
    /// has the lock of whoever writes it.
    fn make(path: &Path, tables: Tables, wait: Duration) -> Result<(), StoreError> {
        let mut making = path.as_os_str().to_owned();
        making.push(".making");
        let making = PathBuf::from(making);
        // Of somebody who was killed, or of a file that is gone.
        for left in [wal_of(&making), making.clone(), wal_of(path)] {
            match std::fs::remove_file(&left) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StoreError::Io { action: "remove", path: left, source: error });
                }
                _ => {}
            }
        }
        let database = Database::connect(&making, tables, wait, AccessMode::ReadWrite)?;
        database.create_tables()?;
        database.checkpoint_file()?;
        drop(database);
        let named = std::fs::rename(&making, path).and_then(|()| sync_directory(path.parent().unwrap_or(path)));
        named.map_err(|source| StoreError::Io { action: "create", path: path.into(), source })
    }

    /// Opens a file for reading; an empty one in memory if there is none yet.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub fn open_to_read(path: &Path, tables: Tables, wait: Duration) -> Result<Database, StoreError> {
        if !path.exists() {
            return Database::in_memory(tables);
        }
        let database = Database::connect(path, tables, wait, AccessMode::ReadOnly)?;
        database.check_tables()?;
        Ok(database)
    }

    /// Empty tables in memory.
    ///
    /// # Errors
    /// If DuckDB fails.
    pub fn in_memory(tables: Tables) -> Result<Database, StoreError> {
        let path = PathBuf::from(tables.file_name());
        let connection = config(AccessMode::ReadWrite)
            .and_then(Connection::open_in_memory_with_flags)
            .map_err(|source| StoreError::DuckDb { action: "open", path: path.clone(), source })?;
        let database = Database { connection, path, tables, never_commits: Cell::new(false) };
        database.create_tables()?;
        Ok(database)
    }

    fn connect(path: &Path, tables: Tables, wait: Duration, mode: AccessMode) -> Result<Database, StoreError> {
        let damaged = |reason: &str| StoreError::Damaged { path: path.to_owned(), reason: reason.to_owned() };
        // DuckDB would wait at a pipe for ever.
        if regular_file::is_other(path) {
            return Err(damaged("it is not a file"));
        }
        if regular_file::is_other(&wal_of(path)) {
            return Err(damaged("its write-ahead file (.wal) is not a regular file"));
        }
        let began = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            let error = match try_connect(path, &mode) {
                Ok(connection) => {
                    let path = path.to_owned();
                    return Ok(Database { connection, path, tables, never_commits: Cell::new(false) });
                }
                Err(error) => error,
            };
            let waited = began.elapsed();
            match lock_holder(&error) {
                Some(_) if waited < wait => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(5));
                }
                Some(holder) => {
                    let waited_millis = waited.as_millis();
                    return Err(StoreError::Locked { path: path.to_owned(), holder, waited_millis });
                }
                None => return Err(cannot_open(path, error)),
            }
        }
    }

    fn create_tables(&self) -> Result<(), StoreError> {
        let start = Checkpoint::START;
        self.run("create", "BEGIN TRANSACTION")?;
        for schema in self.tables.schema() {
            self.run("create", schema)?;
        }
        self.connection
            .execute(
                "INSERT INTO checkpoint VALUES (?, ?, ?)",
                params![start.sequence.0, start.hash.to_string(), self.tables.code_version()],
            )
            .map_err(self.failed("create"))?;
        self.run("create", "COMMIT")
    }

    fn check_tables(&self) -> Result<(), StoreError> {
        self.checkpoint().map(drop).map_err(|error| match error {
            StoreError::DuckDb { path, source, .. } => StoreError::Damaged { path, reason: first_line(&source) },
            other => other,
        })
    }

    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Wraps a DuckDB error with what was being done.
    pub fn failed(&self, action: &'static str) -> impl Fn(duckdb::Error) -> StoreError + use<> {
        let path = self.path.clone();
        move |source| StoreError::of(action, &path, source)
    }

    pub fn run(&self, action: &'static str, sql: &str) -> Result<(), StoreError> {
        self.connection.execute_batch(sql).map_err(self.failed(action))
    }

    /// From now on nothing is stored, as a dry run needs it: every transaction is part of one
    /// that closing the file rolls back.
    ///
    /// # Errors
    /// If DuckDB fails.
    pub fn never_commit(&self) -> Result<(), StoreError> {
        self.begin()?;
        self.never_commits.set(true);
        Ok(())
    }

    pub fn begin(&self) -> Result<(), StoreError> {
        if self.never_commits.get() { Ok(()) } else { self.run("write", "BEGIN TRANSACTION") }
    }

    pub fn commit(&self) -> Result<(), StoreError> {
        if self.never_commits.get() { Ok(()) } else { self.run("commit", "COMMIT") }
    }

    /// Merges the write-ahead file into the database file.
    pub fn checkpoint_file(&self) -> Result<(), StoreError> {
        self.run("checkpoint", "CHECKPOINT")
    }

    pub fn checkpoint(&self) -> Result<Checkpoint, StoreError> {
        let row = self.connection.query_row("SELECT sequence, hash FROM checkpoint", [], |row| {
            Ok((row.get::<_, u64>(0)?, row.get::<_, String>(1)?))
        });
        let (sequence, hash) = row.map_err(self.failed("read"))?;
        let hash: Hash = hash.parse().map_err(|()| StoreError::Damaged {
            path: self.path.clone(),
            reason: "the checkpoint's hash is not a hash".into(),
        })?;
        Ok(Checkpoint { sequence: Sequence(sequence), hash })
    }

    /// Reads every row of every table.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if some cannot be read.
    pub fn check_readable(&self) -> Result<(), StoreError> {
        let names = || -> Result<Vec<String>, duckdb::Error> {
            let sql = "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()";
            self.connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
        };
        for table in names().map_err(self.failed("read"))? {
            self.run("read", &format!("SELECT sum(hash(t)) FROM {table} t"))?;
        }
        Ok(())
    }

    /// Whether the rows were made by this version of the code.
    pub fn is_current(&self) -> Result<bool, StoreError> {
        let version = self.connection.query_row("SELECT code_version FROM checkpoint", [], |row| row.get::<_, i32>(0));
        Ok(version.map_err(self.failed("read"))? == self.tables.code_version())
    }

    pub fn set_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        self.connection
            .execute(
                "UPDATE checkpoint SET sequence = ?, hash = ?",
                params![checkpoint.sequence.0, checkpoint.hash.to_string()],
            )
            .map(drop)
            .map_err(self.failed("write"))
    }
}

/// What DuckDB has not merged into the file yet.
pub fn wal_of(path: &Path) -> PathBuf {
    let mut wal = path.as_os_str().to_owned();
    wal.push(".wal");
    wal.into()
}

/// The version of DuckDB that is linked.
///
/// # Errors
/// If it cannot be asked.
pub fn duckdb_version() -> Result<String, StoreError> {
    let failed = |source| StoreError::DuckDb { action: "ask", path: PathBuf::from("DuckDB"), source };
    let connection = config(AccessMode::ReadWrite).and_then(Connection::open_in_memory_with_flags).map_err(failed)?;
    connection.query_row("SELECT version()", [], |row| row.get(0)).map_err(failed)
}

fn try_connect(path: &Path, mode: &AccessMode) -> Result<Connection, duckdb::Error> {
    let mode = match mode {
        AccessMode::ReadOnly => AccessMode::ReadOnly,
        _ => AccessMode::ReadWrite,
    };
    Connection::open_with_flags(path, config(mode)?)
}

/// Never fetches an extension from anywhere.
fn config(mode: AccessMode) -> Result<Config, duckdb::Error> {
    Config::default()
        .access_mode(mode)?
        .threads(2)?
        .max_memory("384MB")?
        .enable_autoload_extension(false)?
        // A commit of more than this goes into the file at once, and is not written twice.
        .with("wal_autocheckpoint", "1MB")
}

/// Who holds a file, if that is why it could not be opened. DuckDB says so only in words.
fn lock_holder(error: &duckdb::Error) -> Option<String> {
    let text = error.to_string();
    let locked = text.contains("Could not set lock on file");
    locked.then(|| {
        let held = text.split_once("Conflicting lock is held in ").map(|(_, rest)| rest);
        let holder = held.and_then(|rest| rest.split_once(". ")).map_or("another process", |(holder, _)| holder);
        holder.to_owned()
    })
}

/// Whether the disk takes no more. DuckDB says so only in words.
pub fn is_full_disk(error: &duckdb::Error) -> bool {
    let text = error.to_string();
    ["No space left on device", "File too large", "Disk quota exceeded"].iter().any(|words| text.contains(words))
}

/// Whether the file does not hold what was written to it. DuckDB says so only in words; once it has met
/// damage, some of them are said of whatever is asked next.
pub fn is_damage(error: &duckdb::Error) -> bool {
    const WORDS: [&str; 6] = [
        "Corrupt database file",
        "Could not read enough bytes",
        "Serialization Error",
        "INTERNAL Error",
        "FATAL Error",
        "Catalog Error: Table with name",
    ];
    let text = error.to_string();
    !is_full_disk(error) && WORDS.iter().any(|words| text.contains(words))
}

/// A file that the system does not open is not damaged, whatever the reason; the system tells it best.
fn cannot_open(path: &Path, error: duckdb::Error) -> StoreError {
    let failed = |source| StoreError::DuckDb { action: "open", path: path.to_owned(), source };
    if is_full_disk(&error) {
        return failed(error);
    }
    for file in [path.to_owned(), wal_of(path)] {
        match std::fs::File::open(&file) {
            Err(source) if file == path || source.kind() != std::io::ErrorKind::NotFound => {
                return StoreError::Io { action: "open", path: file, source };
            }
            _ => {}
        }
    }
    if error.to_string().contains("Cannot open file") {
        return failed(error);
    }
    StoreError::Damaged { path: path.to_owned(), reason: first_line(&error) }
}
