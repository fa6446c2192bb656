//! Projects the log into a DuckDB file: the part that accounting and analytics share.
//!
//! Rows are collected in memory, passed to DuckDB in a transaction that stays open, and stored
//! together with the checkpoint when that transaction is committed.
//!
//! Invariant: a commit stores the rows of every event up to the checkpoint and of none after it.

use std::sync::Arc;
use std::time::Instant;

use crate::consumers::ConsumeError;
use crate::consumers::common_tables::CommonTables;
use crate::consumers::feed::follow;
use crate::consumers::withheld::Withheld;
use crate::domain::id::Sequence;
use crate::domain::ledger::tally::Tally;
use crate::state::{Checkpoint, Recorded};
use crate::store::{Database, StoreError};
use crate::turn::Surroundings;

/// The number of events whose rows are held in memory before they are passed to DuckDB.
const FLUSH_EVENTS: u64 = 100_000;

/// The tables that one consumer keeps beside the common ones.
pub trait OwnTables: Sized {
    /// Loads the tables of the file.
    fn load(database: &Database) -> Result<Self, StoreError>;

    /// Keeps the rows of an event. `tally` covers all entries up to this event, which may be one
    /// itself.
    fn record(&mut self, recorded: &Recorded<'_>, tally: &Tally);

    /// Passes the rows to DuckDB, inside the caller's transaction.
    fn flush(&mut self, database: &Database) -> Result<(), StoreError>;
}

/// The tables of one consumer, at some event of the log.
pub struct Projection<'d, T> {
    pub(super) database: &'d Database,
    pub(super) common: CommonTables,
    pub(super) own: T,
    pub(super) withheld: Arc<Withheld>,
    /// The last event that tables and books have applied.
    position: Checkpoint,
    /// The number of events that this value applied.
    applied: u64,
    /// Whether a transaction with rows is open.
    is_open: bool,
    /// The number of events whose rows DuckDB does not have yet.
    unflushed: u64,
}

impl<'d, T: OwnTables> Projection<'d, T> {
    /// Continues from the checkpoint in the file, from which `common` was loaded.
    pub fn resume(
        database: &'d Database,
        common: CommonTables,
        withheld: Withheld,
    ) -> Result<Self, ConsumeError> {
        Ok(Projection {
            common,
            own: T::load(database)?,
            position: database.checkpoint()?,
            withheld: Arc::new(withheld),
            applied: 0,
            is_open: false,
            unflushed: 0,
            database,
        })
    }

    pub fn position(&self) -> &Checkpoint {
        &self.position
    }

    /// The number of events applied so far.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// Applies the log up to the head, or to `last` if that comes before it, or until `deadline`.
    /// False if time ended it. The rows wait for [`Projection::commit`].
    ///
    /// # Errors
    /// An event that cannot be read or applied. The events before it are committed.
    pub fn follow(
        &mut self,
        around: &Surroundings<'_>,
        last: Option<Sequence>,
        deadline: Option<Instant>,
    ) -> Result<bool, ConsumeError> {
        let (after, withheld) = (self.position, Arc::clone(&self.withheld));
        let followed = follow(around, &withheld, &after, last, deadline, |chunk| {
            for recorded in &chunk.events {
                self.project(recorded)?;
            }
            self.moved_to(chunk.through, chunk.lines)
        });
        // An error of the log comes between two chunks.
        if matches!(followed, Err(ConsumeError::Log(_)))
            && self.withheld.may_rest_at(self.position.sequence)
        {
            self.commit()?;
        }
        followed
    }

    /// Applies an event that was read from the log: to the books and to the rows.
    ///
    /// # Errors
    /// If the event contradicts the tables.
    pub fn project(&mut self, recorded: &Recorded<'_>) -> Result<(), ConsumeError> {
        self.common.project(recorded)?;
        self.own.record(recorded, self.common.tally());
        Ok(())
    }

    /// Keeps the rows of an event that the books have already posted.
    pub(super) fn record(&mut self, recorded: &Recorded<'_>) {
        self.common.record(recorded);
        self.own.record(recorded, self.common.tally());
    }

    /// Moves the position to `through`, after `events` more events. Passes the rows to DuckDB if
    /// there are enough.
    pub fn moved_to(&mut self, through: Checkpoint, events: u64) -> Result<(), ConsumeError> {
        self.position = through;
        self.applied += events;
        self.unflushed += events;
        if self.unflushed >= FLUSH_EVENTS {
            self.flush()?;
        }
        Ok(())
    }

    /// Passes the rows to DuckDB, in a transaction that stays open. The log may not have all of
    /// their events yet.
    pub(super) fn flush(&mut self) -> Result<(), ConsumeError> {
        if !std::mem::replace(&mut self.is_open, true) {
            self.database.begin()?;
        }
        self.common.flush(self.database)?;
        self.own.flush(self.database)?;
        self.unflushed = 0;
        Ok(())
    }

    /// Stores rows and checkpoint in one transaction. The log must have all of the events.
    pub fn commit(&mut self) -> Result<(), ConsumeError> {
        self.flush()?;
        self.database
            .set_checkpoint(&self.position, self.common.tally())?;
        failpoint!("tables.before_commit");
        self.database.commit()?;
        self.is_open = false;
        Ok(())
    }
}
