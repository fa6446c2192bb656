//! Opening the index, bringing it to the head, and its transactions.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use crate::domain::event::Subject;
use crate::domain::id::{Sequence, UserId};
use crate::event_log::{EventLog, FileLog, Hash, LineKind, LogError, Reader};
use crate::state::{Checkpoint, Recorded, apply};

/// Raised whenever the meaning of the tables changes; an index of another version is rebuilt.
const CODE_VERSION: i64 = 1;

#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("cannot {action} the state index {}", path.display())]
    Sqlite { action: &'static str, path: PathBuf, source: rusqlite::Error },
    #[error("the state index {} is busy with another process", path.display())]
    Busy { path: PathBuf },
    #[error("cannot move the damaged state index {} aside", path.display())]
    MoveAside { path: PathBuf, source: std::io::Error },
    #[error("the company in the state index cannot be read: {reason}")]
    Company { reason: String },
    #[error(transparent)]
    Log(#[from] LogError),
}

pub struct StateIndex {
    db: Connection,
    path: PathBuf,
    /// Asked for by every new task; forgotten when a user changes.
    eligible: RefCell<Option<Rc<[UserId]>>>,
}

/// What opening found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Opened {
    AsItWas,
    /// There was none, or one of another code version.
    Anew,
    /// The file was damaged and is now called this.
    MovedAside(PathBuf),
}

impl StateIndex {
    /// Opens the index, creating or replacing it where needed. Its contents may lag behind.
    pub fn open(path: &Path, lock_wait: Duration) -> Result<(StateIndex, Opened), StateError> {
        match StateIndex::open_existing(path, lock_wait) {
            Ok(Some(index)) => Ok((index, Opened::AsItWas)),
            Ok(None) => {
                remove(path);
                Ok((StateIndex::create(path, lock_wait)?, Opened::Anew))
            }
            Err(StateError::Sqlite { source, .. }) if is_damage(&source) => {
                let aside = move_aside(path)?;
                Ok((StateIndex::create(path, lock_wait)?, Opened::MovedAside(aside)))
            }
            Err(other) => Err(other),
        }
    }

    /// `None` if there is no index of this code version.
    fn open_existing(path: &Path, lock_wait: Duration) -> Result<Option<StateIndex>, StateError> {
        if !path.exists() {
            return Ok(None);
        }
        let index = StateIndex::connect(path, lock_wait)?;
        let tables: i64 = index
            .db
            .query_row("SELECT count(*) FROM sqlite_master WHERE name = 'checkpoint'", [], |row| row.get(0))
            .map_err(index.failed("open"))?;
        if tables == 0 {
            return Ok(None);
        }
        let version: Option<i64> = index
            .db
            .query_row("SELECT code_version FROM checkpoint", [], |row| row.get(0))
            .optional()
            .map_err(index.failed("read"))?;
        Ok((version == Some(CODE_VERSION)).then_some(index))
    }

    fn connect(path: &Path, lock_wait: Duration) -> Result<StateIndex, StateError> {
        let failed = |source| StateError::Sqlite { action: "open", path: path.to_owned(), source };
        let db = Connection::open(path).map_err(failed)?;
        db.busy_timeout(lock_wait).map_err(failed)?;
        db.set_prepared_statement_cache_capacity(64);
        // A lost tail of the index is read again from the log, so commits need no fsync.
        db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -32000;")
            .map_err(failed)?;
        Ok(StateIndex { db, path: path.to_owned(), eligible: RefCell::new(None) })
    }

    /// A new, empty index at `path`. If another process makes one at the same time, either is good.
    fn create(path: &Path, lock_wait: Duration) -> Result<StateIndex, StateError> {
        let index = StateIndex::connect(path, lock_wait)?;
        let schema = include_str!("schema.sql")
            .replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS")
            .replace("CREATE INDEX", "CREATE INDEX IF NOT EXISTS");
        index.db.execute_batch(&format!("BEGIN IMMEDIATE; {schema}")).map_err(index.failed("create"))?;
        index
            .db
            .execute(
                "INSERT OR IGNORE INTO checkpoint VALUES (1, 0, ?1, ?2)",
                params![Hash::ZERO.to_string(), CODE_VERSION],
            )
            .map_err(index.failed("create"))?;
        index.commit()?;
        Ok(index)
    }

    /// An index in memory, for checking what a rebuild would give.
    pub fn in_memory() -> Result<StateIndex, StateError> {
        StateIndex::create(Path::new(":memory:"), Duration::ZERO)
    }

    pub(super) fn db(&self) -> &Connection {
        &self.db
    }

    pub(super) fn eligible_cache(&self) -> &RefCell<Option<Rc<[UserId]>>> {
        &self.eligible
    }

    pub(super) fn failed(&self, action: &'static str) -> impl Fn(rusqlite::Error) -> StateError {
        let path = self.path.clone();
        move |source| match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StateError::Busy { path: path.clone() },
            _ => StateError::Sqlite { action, path: path.clone(), source },
        }
    }

    pub fn checkpoint(&self) -> Result<Checkpoint, StateError> {
        self.db
            .query_row("SELECT sequence, hash FROM checkpoint", [], |row| {
                let hash: String = row.get(1)?;
                let hash = hash.parse().map_err(|()| rusqlite::Error::InvalidQuery)?;
                Ok(Checkpoint { sequence: Sequence(row.get(0)?), hash })
            })
            .map_err(self.failed("read"))
    }

    pub fn begin(&self) -> Result<(), StateError> {
        self.eligible.take();
        self.db.execute_batch("BEGIN IMMEDIATE").map_err(self.failed("lock"))
    }

    pub fn commit(&self) -> Result<(), StateError> {
        self.db.execute_batch("COMMIT").map_err(self.failed("commit"))
    }

    pub fn rollback(&self) -> Result<(), StateError> {
        self.eligible.take();
        self.db.execute_batch("ROLLBACK").map_err(self.failed("roll back"))
    }

    /// Brings the index to the head in a transaction of its own, if it is not there. Returns the
    /// number of events it read.
    pub fn catch_up(&self, log: &FileLog) -> Result<u64, StateError> {
        let head = log.head()?;
        if self.checkpoint()? == Checkpoint::from(&head) {
            return Ok(0);
        }
        self.begin()?;
        let followed = self.follow(log);
        match followed {
            Ok(events) => self.commit().map(|()| events),
            Err(error) => self.rollback().and(Err(error)),
        }
    }

    /// Brings the index to the head inside the caller's transaction.
    pub fn follow(&self, log: &FileLog) -> Result<u64, StateError> {
        let from = self.checkpoint()?;
        let mut reader = log.read_after(from.sequence, &from.hash)?;
        let events = self.apply_lines(&mut reader)?;
        if events > 0 {
            self.set_checkpoint(&Checkpoint::from(reader.head()))?;
        }
        Ok(events)
    }

    fn apply_lines(&self, reader: &mut Reader<'_>) -> Result<u64, StateError> {
        let mut events = 0;
        while let Some(line) = reader.next_line()? {
            events += 1;
            match line.kind() {
                LineKind::Known(kind) if apply::is_subscribed(kind) => self.apply(&Recorded::from_line(&line)?)?,
                LineKind::UnknownVersion(kind) if apply::is_subscribed(kind) => line.event().map(drop)?,
                _ if line.command_hash.is_some() => self.remember_key(&Recorded::from_line(&line)?)?,
                _ => {}
            }
        }
        Ok(events)
    }

    /// Follows one event; the checkpoint is set apart from it.
    pub fn apply(&self, recorded: &Recorded<'_>) -> Result<(), StateError> {
        if matches!(recorded.event.subject(), Subject::User(_)) {
            self.eligible.take();
        }
        apply::apply(&self.db, recorded).map_err(self.failed("write"))
    }

    fn remember_key(&self, recorded: &Recorded<'_>) -> Result<(), StateError> {
        apply::remember_key(&self.db, recorded).map_err(self.failed("write"))
    }

    pub fn set_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StateError> {
        self.db
            .prepare_cached("UPDATE checkpoint SET sequence = ?1, hash = ?2")
            .and_then(|mut update| update.execute(params![checkpoint.sequence.0, checkpoint.hash.to_string()]))
            .map(drop)
            .map_err(self.failed("write"))
    }

    /// Empties the index inside the caller's transaction, to be filled from sequence 1.
    pub fn clear(&self) -> Result<(), StateError> {
        let sql =
            "DELETE FROM commands; DELETE FROM assignments; DELETE FROM tasks; DELETE FROM users; DELETE FROM company;";
        self.db.execute_batch(sql).map_err(self.failed("clear"))?;
        self.set_checkpoint(&Checkpoint::START)
    }
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
        || matches!(error, rusqlite::Error::InvalidQuery | rusqlite::Error::InvalidColumnType(..))
}

/// The database and its two companions.
fn files(path: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    })
}

fn remove(path: &Path) {
    // What is not there need not be removed; what cannot be is met again when creating.
    files(path).iter().for_each(|file| drop(std::fs::remove_file(file)));
}

fn move_aside(path: &Path) -> Result<PathBuf, StateError> {
    let aside = (1..)
        .map(|n| path.with_extension(format!("sqlite.damaged-{n}")))
        .find(|aside| !aside.exists())
        .expect("some number is free");
    std::fs::rename(path, &aside).map_err(|source| StateError::MoveAside { path: path.to_owned(), source })?;
    remove(path);
    Ok(aside)
}
