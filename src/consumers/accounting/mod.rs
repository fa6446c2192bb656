//! Accounting: the ledger.
//!
//! `catch_up` fills the tables from events alone. `reaction` decides the entries that are owed for
//! task events, `close` pays dates out, `correct` reverses entries; all three append under the
//! writer lock after the books have followed everything up to the head. A close posts under that
//! lock what is still owed. `owed` finds the last event whose entries are posted.

mod appending;
mod close;
mod correct;
mod owed;
mod reaction;
mod tables;
mod task_accounts;
#[cfg(test)]
mod tests;

use std::time::Instant;

pub use close::{CloseRequest, Closed, Closes};
pub use owed::{first_owed, has_entries_behind, is_nothing_owed, stop};
pub use tables::AccountingTables;

use crate::consumers::common_tables::CommonTables;
use crate::consumers::projection::Projection;
use crate::consumers::withheld::Withheld;
use crate::consumers::{ConsumeError, WriterAccess};
use crate::domain::event::{Actor, Consumer, Fact};
use crate::domain::id::Sequence;
use crate::domain::time::EventTime;
use crate::event_log::{Batch, Hash, LogError};
use crate::state::{Checkpoint, Recorded};
use crate::store::Database;
use crate::turn::{Surroundings, Turn};
use owed::last_sequence;
use task_accounts::TaskAccounts;

/// The ledger's tables and books, at some event of the log.
pub struct Accounting<'d> {
    projection: Projection<'d, AccountingTables>,
    accounts: TaskAccounts,
    appended: u64,
}

/// A batch to append under the writer lock.
struct Proposal {
    actor: Actor,
    command_id: String,
    command_hash: Option<Hash>,
    facts: Vec<Fact>,
}

impl Proposal {
    fn into_batch(self, time: EventTime) -> Batch {
        let Proposal {
            actor,
            command_id,
            command_hash,
            facts,
        } = self;
        Batch {
            time,
            actor,
            command_id,
            command_hash,
            facts,
        }
    }
}

impl<'d> Accounting<'d> {
    pub fn resume(
        database: &'d Database,
        common: CommonTables,
        withheld: Withheld,
    ) -> Result<Accounting<'d>, ConsumeError> {
        Ok(Accounting {
            projection: Projection::resume(database, common, withheld)?,
            accounts: TaskAccounts::default(),
            appended: 0,
        })
    }

    pub fn position(&self) -> &Checkpoint {
        self.projection.position()
    }

    /// The numbers of events read and appended so far.
    pub fn counts(&self) -> (u64, u64) {
        (self.projection.applied(), self.appended)
    }

    /// Whether nothing is owed for the log up to `until`. The entries themselves may not be read
    /// yet.
    pub fn has_reacted_to(&self, until: Sequence) -> bool {
        self.position().sequence >= until && self.projection.own.progress.has_reacted_to(until)
    }

    /// Reads to the head, appends the entries that are owed for what was read, and stores the
    /// tables. Events that others append meanwhile may wait for the next call. False if `deadline`
    /// came first.
    pub fn advance<'l>(
        &mut self,
        around: &Surroundings<'l>,
        access: &mut WriterAccess<'_, 'l>,
        deadline: Option<Instant>,
    ) -> Result<bool, ConsumeError> {
        let in_time = || deadline.is_none_or(|deadline| Instant::now() < deadline);
        let mut done = self.catch_up(around, deadline)?;
        if let Some(missing) = self.projection.withheld.missing_from_the_books() {
            let waits = "nothing is charged, credited or paid until";
            around
                .notices
                .warn(&format!("{waits} event {missing} of the books is retried"));
        } else {
            done = done && self.react(around, access, &in_time)?;
        }
        self.commit()?;
        Ok(done)
    }

    /// Reads to the head, or until `deadline`, without reacting. True at the head. The rows wait
    /// for [`Accounting::commit`].
    pub fn catch_up(
        &mut self,
        around: &Surroundings<'_>,
        deadline: Option<Instant>,
    ) -> Result<bool, ConsumeError> {
        self.project_through(around, None, deadline)
    }

    /// The same, up to `last` if that comes before the head.
    pub fn project_through(
        &mut self,
        around: &Surroundings<'_>,
        last: Option<Sequence>,
        deadline: Option<Instant>,
    ) -> Result<bool, ConsumeError> {
        self.projection.follow(around, last, deadline)
    }

    /// Stores rows and checkpoint in one transaction. The log has all of the events.
    pub fn commit(&mut self) -> Result<(), ConsumeError> {
        self.projection.commit()
    }

    /// Applies the events that other processes appended, under the writer lock. None of them can be
    /// an event of accounting, because accounting.lock excludes other accounting processes. Another
    /// machine is excluded as long as the turn there is not lost; then the decider begins again.
    fn absorb(&mut self, around: &Surroundings<'_>) -> Result<(), ConsumeError> {
        let position = *self.position();
        let mut reader = around.log.read_after(position.sequence, &position.hash)?;
        while let Some(line) = reader.next_line()? {
            if line.source == "/popug/accounting" && around.log.remote().is_some() {
                return Err(ConsumeError::Log(LogError::HeadMoved {
                    expected: position.sequence,
                    actual: line.sequence,
                }));
            }
            if line.source == "/popug/accounting" {
                let reason =
                    "another process posts to the books without holding accounting.lock".into();
                let sequence = line.sequence;
                return Err(ConsumeError::Stopped {
                    consumer: Consumer::Accounting,
                    sequence,
                    reason,
                });
            }
            if let Some(recorded) = self.projection.withheld.read(&line)? {
                self.projection.project(&recorded)?;
            }
            let through = Checkpoint {
                sequence: line.sequence,
                hash: line.hash,
            };
            self.projection.moved_to(through, 1)?;
        }
        Ok(())
    }

    /// Appends the decided facts under the writer lock and keeps their rows. The books have already
    /// posted the facts, so after an error they are ahead of the log and this value must be
    /// dropped.
    fn append(
        &mut self,
        turn: &mut Turn<'_>,
        time: EventTime,
        proposal: Proposal,
    ) -> Result<Checkpoint, ConsumeError> {
        let batch = proposal.into_batch(time);
        let through = turn.append(self.position(), &batch)?;
        self.keep(&batch, through)?;
        Ok(through)
    }

    /// Keeps the rows of a batch that ends at `through` and that the books have posted.
    fn keep(&mut self, batch: &Batch, through: Checkpoint) -> Result<(), ConsumeError> {
        for recorded in Recorded::of_batch(batch, self.position().sequence.next()) {
            self.projection.record(&recorded);
        }
        let events = batch.facts.len() as u64;
        self.appended += events;
        self.projection.moved_to(through, events)
    }
}
