//! Accounting: the ledger.
//!
//! `catch_up` fills the tables from events alone. `reaction` decides the entries that task events
//! are owed, `close` pays dates out, `correct` reverses entries; all three append under the
//! writer lock after the books have followed everything up to the head. `owed` tells how far the
//! entries have come.

mod close;
mod correct;
mod owed;
mod reaction;
mod tables;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Instant;

pub use close::{CloseRequest, Closed, Closes};
pub use correct::{Corrected, Correction};
pub use owed::{first_owed, has_entries_behind, settled_through, stop};

use crate::consumers::common_tables::CommonTables;
use crate::consumers::feed::follow;
use crate::consumers::withheld::Withheld;
use crate::consumers::{ConsumeError, Pen, Surroundings};
use crate::domain::event::{Actor, Consumer, Event, Fact};
use crate::domain::id::Sequence;
use crate::domain::time::EventTime;
use crate::event_log::{Batch, Hash, Head, Writer};
use crate::state::{Checkpoint, Recorded};
use crate::store::Database;
use owed::{LAST_CAUSE, LAST_REACTED, last_sequence};
use reaction::TaskAccounts;
use tables::AccountingTables;

/// How many events are held in memory before they are stored.
const FLUSH_EVENTS: u64 = 100_000;

/// The ledger's tables and books, somewhere on the way to the head.
pub struct Accounting<'d> {
    database: &'d Database,
    common: CommonTables,
    tables: AccountingTables,
    accounts: TaskAccounts,
    withheld: Arc<Withheld>,
    /// The last event that tables and books have followed.
    position: Checkpoint,
    /// Every task event up to here has its entries.
    reacted_through: Sequence,
    /// The last task event that was projected.
    last_cause: Sequence,
    /// Prices were projected, and only the tables tell which events they follow from.
    has_read_prices: bool,
    /// Whether rows wait in an open transaction.
    is_open: bool,
    unflushed: u64,
    applied: u64,
    appended: u64,
}

/// A batch that is to be appended under the writer lock.
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
        withheld: Withheld,
    ) -> Result<Accounting<'d>, ConsumeError> {
        Ok(Accounting {
            common: CommonTables::load(database)?,
            tables: AccountingTables::default(),
            accounts: TaskAccounts::default(),
            position: database.checkpoint()?,
            reacted_through: last_sequence(database, LAST_REACTED)?,
            last_cause: last_sequence(database, LAST_CAUSE)?,
            has_read_prices: false,
            withheld: Arc::new(withheld),
            is_open: false,
            unflushed: 0,
            applied: 0,
            appended: 0,
            database,
        })
    }

    pub fn position(&self) -> &Checkpoint {
        &self.position
    }

    /// Events read and events appended so far.
    pub fn counts(&self) -> (u64, u64) {
        (self.applied, self.appended)
    }

    /// Whether nothing is owed of what the log says up to `until`, though its entries may not be read yet.
    pub fn has_reacted_to(&self, until: Sequence) -> bool {
        self.position.sequence >= until && self.reacted_through >= self.last_cause.min(until)
    }

    /// Projects and reacts until the head is reached and nothing is owed, or until `deadline`.
    /// True when all is done.
    pub fn advance<'l>(
        &mut self,
        around: &Surroundings<'l>,
        pen: &mut Pen<'_, 'l>,
        deadline: Option<Instant>,
    ) -> Result<bool, ConsumeError> {
        let in_time = || deadline.is_none_or(|deadline| Instant::now() < deadline);
        let done = loop {
            if !self.catch_up(around, deadline)? {
                break false;
            }
            if let Some(missing) = self.withheld.missing_from_the_books() {
                let waits = "nothing is charged, credited or paid until";
                around
                    .notices
                    .warn(&format!("{waits} event {missing} of the books is retried"));
                break true;
            }
            self.pass_over_prices()?;
            if !self.react(around, pen, &in_time)? {
                break false;
            }
            let at_head = around.log.head()?.sequence == self.position.sequence;
            if at_head && self.reacted_through >= self.last_cause {
                break true;
            }
        };
        self.commit()?;
        Ok(done)
    }

    /// Reads on to the head, or until `deadline`; never reacts. True at the head. What was read
    /// waits for [`Accounting::commit`].
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
        let (after, withheld) = (self.position, Arc::clone(&self.withheld));
        let fed = follow(around, &withheld, &after, last, deadline, |chunk| {
            for recorded in &chunk.events {
                self.project(recorded)?;
            }
            self.moved_to(chunk.through, chunk.lines)
        });
        // The log's errors come between chunks: what stands before the bad event is kept.
        if matches!(fed, Err(ConsumeError::Log(_)))
            && self.withheld.may_rest_at(self.position.sequence)
        {
            self.commit()?;
        }
        fed
    }

    fn project(&mut self, recorded: &Recorded<'_>) -> Result<(), ConsumeError> {
        self.common.project(recorded)?;
        self.tables.record(recorded, self.common.tally());
        match recorded.event.as_ref() {
            Event::BalanceChanged(entry) => {
                self.reacted_through = self
                    .reacted_through
                    .max(entry.cause_sequence.unwrap_or_default());
            }
            Event::TaskPriced(_) => self.has_read_prices = true,
            event if reaction::is_cause(event.kind()) => self.last_cause = recorded.sequence,
            _ => {}
        }
        Ok(())
    }

    /// A price whose fee waits, or never comes, has no entry behind it that tells how far its task events were decided.
    fn pass_over_prices(&mut self) -> Result<(), ConsumeError> {
        if std::mem::take(&mut self.has_read_prices) {
            self.flush()?;
            self.reacted_through = self
                .reacted_through
                .max(last_sequence(self.database, LAST_REACTED)?);
        }
        Ok(())
    }

    fn moved_to(&mut self, through: Checkpoint, events: u64) -> Result<(), ConsumeError> {
        self.position = through;
        self.applied += events;
        self.unflushed += events;
        if self.unflushed >= FLUSH_EVENTS {
            self.flush()?;
        }
        Ok(())
    }

    /// Under the writer lock: follows what others appended since. That may be anything but
    /// accounting's own events, because accounting.lock keeps every other accountant out.
    fn absorb(
        &mut self,
        around: &Surroundings<'_>,
    ) -> Result<Vec<Recorded<'static>>, ConsumeError> {
        let mut absorbed = Vec::new();
        let mut reader = around
            .log
            .read_after(self.position.sequence, &self.position.hash)?;
        while let Some(line) = reader.next_line()? {
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
            if let Some(recorded) = self.withheld.read(&line)? {
                self.project(&recorded)?;
                absorbed.push(recorded);
            }
            self.position = Checkpoint {
                sequence: line.sequence,
                hash: line.hash,
            };
            self.applied += 1;
            self.unflushed += 1;
        }
        Ok(absorbed)
    }

    /// Under the writer lock: appends what was decided and keeps its rows. The books have posted
    /// the facts already; after an error they are ahead of the log and this value is of no use.
    fn append(
        &mut self,
        writer: &mut Writer<'_>,
        time: EventTime,
        proposal: Proposal,
    ) -> Result<Head, ConsumeError> {
        let batch = proposal.into_batch(time);
        self.check_at_head(writer);
        let expected = *writer.head();
        let head = writer.append(&expected, &batch)?;
        self.keep(&batch, Checkpoint::from(&head))?;
        Ok(head)
    }

    fn check_at_head(&self, writer: &Writer<'_>) {
        let head = writer.head().sequence;
        assert_eq!(
            head, self.position.sequence,
            "the books have followed everything up to the head"
        );
    }

    /// Keeps the rows of a batch that ends at `through` and that the books have posted.
    fn keep(&mut self, batch: &Batch, through: Checkpoint) -> Result<(), ConsumeError> {
        for recorded in Recorded::of_batch(batch, self.position.sequence.next()) {
            self.common.record(&recorded);
            self.tables.record(&recorded, self.common.tally());
        }
        let events = batch.facts.len() as u64;
        self.appended += events;
        self.moved_to(through, events)
    }

    /// Hands the rows over to DuckDB, in a transaction that stays open. The log may not have all
    /// of them yet.
    fn flush(&mut self) -> Result<(), ConsumeError> {
        if !std::mem::replace(&mut self.is_open, true) {
            self.database.begin()?;
        }
        self.common.flush(self.database)?;
        self.tables.flush(self.database)?;
        self.unflushed = 0;
        Ok(())
    }

    /// Stores rows and checkpoint in one transaction. The log has all of them: no batch is on its way.
    pub fn commit(&mut self) -> Result<(), ConsumeError> {
        self.flush()?;
        self.database
            .set_checkpoint(&self.position, self.common.tally())?;
        failpoint!("accounting.before_commit");
        self.database.commit()?;
        self.is_open = false;
        Ok(())
    }
}
