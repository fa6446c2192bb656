//! Opens the index and brings it to the head.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use rusqlite::Connection;

use crate::domain::event::Subject;
use crate::domain::id::{Sequence, UserId};
use crate::event_log::{FileLog, LineKind, Reader};
use crate::state::apply::Refusal;
use crate::state::sqlite_file::{Check, Layout, Opened, SqliteFile};
use crate::state::{Checkpoint, Recorded, StateError, apply};

pub(super) const LAYOUT: Layout = Layout {
    schema: include_str!("schema.sql"),
    code_version: 9,
    own_table: "tasks",
};

/// The result of bringing an index to the head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Followed {
    /// The number of events that were read.
    pub events: u64,
    /// The rows contradicted the log and were rebuilt from the first event.
    pub anew: bool,
}

pub struct StateIndex {
    file: SqliteFile,
    /// Read for every new task; cleared when a user changes.
    eligible: RefCell<Option<Rc<[UserId]>>>,
}

impl StateIndex {
    /// Opens the index, creating or replacing it where needed. Its contents may lag behind.
    pub fn open(
        path: &Path,
        check: Check,
        lock_wait: Duration,
    ) -> Result<(StateIndex, Opened), StateError> {
        let (file, opened) = SqliteFile::open(path, &LAYOUT, check, lock_wait)?;
        Ok((StateIndex::on(file), opened))
    }

    /// The index in an open file.
    pub(super) fn on(file: SqliteFile) -> StateIndex {
        StateIndex {
            file,
            eligible: RefCell::new(None),
        }
    }

    /// An empty index in memory.
    pub fn in_memory() -> Result<StateIndex, StateError> {
        Ok(StateIndex::on(SqliteFile::in_memory(&LAYOUT)?))
    }

    pub(super) fn file(&self) -> &SqliteFile {
        &self.file
    }

    pub(super) fn db(&self) -> &Connection {
        self.file.db()
    }

    pub(super) fn eligible_cache(&self) -> &RefCell<Option<Rc<[UserId]>>> {
        &self.eligible
    }

    pub(super) fn failed(
        &self,
        action: &'static str,
    ) -> impl Fn(rusqlite::Error) -> StateError + use<> {
        self.file.failed(action)
    }

    pub fn checkpoint(&self) -> Result<Checkpoint, StateError> {
        self.file.checkpoint()
    }

    pub fn begin(&self) -> Result<(), StateError> {
        self.eligible.take();
        self.file.begin()
    }

    pub fn commit(&self) -> Result<(), StateError> {
        self.file.commit()
    }

    pub fn rollback(&self) -> Result<(), StateError> {
        self.eligible.take();
        self.file.rollback()
    }

    /// Reads the whole file.
    ///
    /// # Errors
    /// [`StateError::Damaged`]
    pub fn check_integrity(&self) -> Result<(), StateError> {
        self.file.check_integrity(&LAYOUT)
    }

    /// From now on nothing is stored, as a dry run needs it.
    pub fn never_commit(&self) -> Result<(), StateError> {
        self.file.never_commit()
    }

    /// Goes back to the stored state and lets other processes write.
    pub fn forget(&self) -> Result<(), StateError> {
        self.eligible.take();
        self.file.forget()
    }

    /// Brings the index to the head, if it is not there, in a transaction of its own. Rows that
    /// contradict the log are rebuilt.
    ///
    /// # Errors
    /// [`StateError::Contradiction`] if the log contradicts itself; the index stays as it was.
    pub fn catch_up(&self, log: &FileLog) -> Result<Followed, StateError> {
        // Another process may have brought the file on in the meantime.
        self.eligible.take();
        if log.has_drafted() {
            self.never_commit()?;
        }
        let head = log.head()?;
        if self.checkpoint()? == Checkpoint::from(&head) {
            return Ok(Followed {
                events: 0,
                anew: false,
            });
        }
        let (followed, anew) = match self.file.transaction(|| self.follow(log)) {
            Err(contradiction @ StateError::Contradiction { .. }) => {
                let filled = match self.fill_anew(log) {
                    Err(StateError::Contradiction { .. }) => Err(contradiction),
                    filled => filled,
                };
                (filled, true)
            }
            followed => (followed, false),
        };
        followed.map(|events| Followed { events, anew })
    }

    /// Fills the index from the first event, in a transaction of its own, because its rows
    /// contradict the log.
    ///
    /// # Errors
    /// [`StateError::Contradiction`] if the log contradicts itself; the index stays as it was.
    pub fn fill_anew(&self, log: &FileLog) -> Result<u64, StateError> {
        self.file.transaction(|| {
            self.clear()?;
            self.follow(log)
        })
    }

    /// Brings the index to the head inside the caller's transaction.
    pub fn follow(&self, log: &FileLog) -> Result<u64, StateError> {
        self.follow_through(log, Sequence(u64::MAX))
    }

    /// The same, up to `last` if that comes before the head.
    pub fn follow_through(&self, log: &FileLog, last: Sequence) -> Result<u64, StateError> {
        let from = self.checkpoint()?;
        let mut reader = log.read_after(from.sequence, &from.hash)?;
        let through = self.apply_lines(&mut reader, from, last)?;
        if through != from {
            self.set_checkpoint(&through)?;
        }
        Ok(through.sequence.0 - from.sequence.0)
    }

    fn apply_lines(
        &self,
        reader: &mut Reader<'_>,
        from: Checkpoint,
        last: Sequence,
    ) -> Result<Checkpoint, StateError> {
        let mut through = from;
        while through.sequence < last {
            let Some(line) = reader.next_line()? else {
                break;
            };
            through = Checkpoint {
                sequence: line.sequence,
                hash: line.hash,
            };
            match line.kind() {
                LineKind::Known(kind) if apply::is_subscribed(kind) => {
                    self.apply(&Recorded::from_line(&line)?)?
                }
                LineKind::UnknownVersion(kind) if apply::is_subscribed(kind) => {
                    line.event().map(drop)?
                }
                _ if line.command_hash.is_some() => {
                    self.remember_key(&Recorded::from_line(&line)?)?
                }
                _ => {}
            }
        }
        Ok(through)
    }

    /// Moves the checkpoint from `from` to `to`, if no event between them concerns the index. False
    /// if the checkpoint is not `from`.
    pub fn pass_over(&self, from: &Checkpoint, to: &Checkpoint) -> Result<bool, StateError> {
        self.file.move_checkpoint(from, to)
    }

    /// Applies one event, or stores the given key of an event that does not concern the index
    /// otherwise.
    pub fn follow_event(&self, recorded: &Recorded<'_>) -> Result<(), StateError> {
        if apply::is_subscribed(recorded.event.kind()) {
            self.apply(recorded)
        } else if recorded.command_hash.is_some() {
            self.remember_key(recorded)
        } else {
            Ok(())
        }
    }

    /// Applies one event; the caller sets the checkpoint.
    pub fn apply(&self, recorded: &Recorded<'_>) -> Result<(), StateError> {
        if matches!(recorded.event.subject(), Subject::User(_)) {
            self.eligible.take();
        }
        apply::apply(self.db(), recorded).map_err(|refusal| match refusal {
            Refusal::Contradiction(reason) => self.contradicted(recorded.sequence, reason),
            Refusal::Sqlite(error) => self.refused(recorded.sequence, error),
        })
    }

    fn remember_key(&self, recorded: &Recorded<'_>) -> Result<(), StateError> {
        apply::remember_key(self.db(), recorded)
            .map_err(|error| self.refused(recorded.sequence, error))
    }

    /// A broken constraint means that the event contradicts earlier ones.
    fn refused(&self, sequence: Sequence, error: rusqlite::Error) -> StateError {
        let error = self.failed("write")(error);
        error
            .broken_constraint()
            .map_or(error, |reason| self.contradicted(sequence, reason))
    }

    fn contradicted(&self, sequence: Sequence, reason: String) -> StateError {
        StateError::Contradiction {
            path: self.file.path().to_owned(),
            sequence,
            reason,
        }
    }

    pub fn set_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StateError> {
        self.file.set_checkpoint(checkpoint)?;
        failpoint!("index.before_commit");
        Ok(())
    }

    /// Empties the index inside the caller's transaction. The caller fills it again from sequence
    /// 1.
    pub fn clear(&self) -> Result<(), StateError> {
        let sql = "DELETE FROM resolutions; DELETE FROM commands; DELETE FROM assignments; DELETE FROM task_changes; DELETE FROM tasks; DELETE FROM users; DELETE FROM company;";
        self.db().execute_batch(sql).map_err(self.failed("clear"))?;
        self.set_checkpoint(&Checkpoint::START)
    }
}
