//! Following the log into a DuckDB file: the part that accounting and analytics share.
//!
//! Rows are collected in memory, handed to DuckDB in a transaction that stays open, and stored together
//! with the checkpoint when that transaction is committed.
//!
//! Invariant: a commit stores the rows of every event up to the checkpoint and of none behind it.

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

/// How many events are held in memory before they are handed to DuckDB.
const FLUSH_EVENTS: u64 = 100_000;

/// The tables that one consumer keeps beside the common ones.
pub trait OwnTables: Sized {
    /// Continues the tables in the file.
    fn load(database: &Database) -> Result<Self, StoreError>;

    /// Keeps the rows of an event. `tally` counts all entries up to this event, which may be one itself.
    fn record(&mut self, recorded: &Recorded<'_>, tally: &Tally);

    /// Hands the rows to DuckDB, inside the caller's transaction.
    fn flush(&mut self, database: &Database) -> Result<(), StoreError>;
}

/// The tables of one consumer, somewhere on the way to the head.
pub struct Projection<'d, T> {
    pub(super) database: &'d Database,
    pub(super) common: CommonTables,
    pub(super) own: T,
    pub(super) withheld: Arc<Withheld>,
    /// The last event that the tables and the books have followed.
    position: Checkpoint,
    /// Events followed by this value.
    applied: u64,
    /// Whether a transaction with rows is open.
    is_open: bool,
    /// Events whose rows DuckDB does not have.
    unflushed: u64,
}

impl<'d, T: OwnTables> Projection<'d, T> {
    /// Goes on from the checkpoint in the file.
    ///
    /// # Errors
    /// If the tables cannot be read.
    pub fn resume(database: &'d Database, withheld: Withheld) -> Result<Self, ConsumeError> {
        Ok(Projection {
            common: CommonTables::load(database)?,
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

    /// Events followed so far.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// Follows the log to the head, or to `last` if that comes before it, or until `deadline`. False if
    /// time ended it. The rows wait for [`Projection::commit`].
    ///
    /// # Errors
    /// An event that cannot be read or followed. The events before it are committed.
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

    /// Follows an event that somebody else decided: books and rows.
    ///
    /// # Errors
    /// If the event contradicts the tables.
    pub fn project(&mut self, recorded: &Recorded<'_>) -> Result<(), ConsumeError> {
        self.common.project(recorded)?;
        self.own.record(recorded, self.common.tally());
        Ok(())
    }

    /// Keeps the rows of an event that the books have followed already.
    pub(super) fn record(&mut self, recorded: &Recorded<'_>) {
        self.common.record(recorded);
        self.own.record(recorded, self.common.tally());
    }

    /// The last `events` events end at `through`.
    ///
    /// # Errors
    /// If DuckDB does not take their rows.
    pub fn moved_to(&mut self, through: Checkpoint, events: u64) -> Result<(), ConsumeError> {
        self.position = through;
        self.applied += events;
        self.unflushed += events;
        if self.unflushed >= FLUSH_EVENTS {
            self.flush()?;
        }
        Ok(())
    }

    /// Hands the rows to DuckDB, in a transaction that stays open. The log may not have all of their
    /// events yet.
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
    ///
    /// # Errors
    /// If DuckDB cannot store them.
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
