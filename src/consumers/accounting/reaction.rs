//! Task events become entries: read once more from where the last reaction ended, decide, append.
//!
//! While one batch is written and synced on a thread of its own, the next is decided and encoded.
//! Until the log has a batch, its rows wait in a transaction that an error ends without a commit.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::thread::{Scope, ScopedJoinHandle};

use crate::consumers::accounting::{Accounting, Proposal};
use crate::consumers::common_tables::money;
use crate::consumers::feed::{Chunk, feed};
use crate::consumers::{ConsumeError, Pen, Surroundings, stamp, tracker};
use crate::domain::event::{Actor, Consumer, Event, EventKind, Fact};
use crate::domain::id::{EventId, Sequence, TaskId};
use crate::domain::ledger::reaction::{Cause, TaskAccount};
use crate::domain::money::Money;
use crate::domain::pricing::Price;
use crate::domain::time::EventTime;
use crate::event_log::{Batch, Encoded, Hash, Head, Line, LogError};
use crate::state::{Checkpoint, Recorded, StateIndex};
use crate::store::tables::{WantedRow, WantedRows};
use crate::store::{Database, StoreError};

/// A reaction's batch has at most this many events.
const BATCH_EVENTS_MAX: usize = 10_000;
/// Tasks kept at hand between batches; beyond it they are looked up again.
const ACCOUNTS_MAX: usize = 200_000;

/// What is known of the tasks that the next causes are about.
pub(super) type TaskAccounts = HashMap<TaskId, TaskAccount>;

/// Facts that wait for the writer lock.
struct Pending<'s, 'e> {
    facts: Vec<Fact>,
    first_cause: Option<EventId>,
    last_cause: Sequence,
    /// The price of a task whose first assignment has not been met yet. It goes into one batch
    /// with the fee, so that the cause of the last entry tells how far the reaction has come.
    unassigned: Option<(Cause, Fact)>,
    /// Where a batch is appended while the next is decided.
    threads: &'s Scope<'s, 'e>,
    underway: Option<Underway<'s>>,
    /// What commands decide from goes along, so that none of them has to read all these entries.
    index: Option<StateIndex>,
}

/// A batch on its way into the log.
struct Underway<'s> {
    /// The event in front of it, and its last one.
    before: Checkpoint,
    last: Checkpoint,
    time: EventTime,
    thread: ScopedJoinHandle<'s, Result<Head, LogError>>,
}

impl<'s, 'e> Pending<'s, 'e> {
    fn new(threads: &'s Scope<'s, 'e>) -> Self {
        Pending {
            facts: Vec::new(),
            first_cause: None,
            last_cause: Sequence::ZERO,
            unassigned: None,
            threads,
            underway: None,
            index: None,
        }
    }

    fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.unassigned.is_none()
    }

    fn owe(&mut self, cause: Cause, facts: impl IntoIterator<Item = Fact>) {
        self.include_unassigned();
        self.add(cause, facts);
    }

    fn include_unassigned(&mut self) {
        if let Some((cause, fact)) = self.unassigned.take() {
            self.add(cause, [fact]);
        }
    }

    fn add(&mut self, cause: Cause, facts: impl IntoIterator<Item = Fact>) {
        self.facts.extend(facts);
        self.first_cause.get_or_insert(cause.id);
        self.last_cause = cause.sequence;
    }
}

pub(super) fn is_cause(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::TaskCreated | EventKind::TaskAssigned | EventKind::TaskCompleted
    )
}

impl Accounting<'_> {
    /// Decides and appends the entries of all task events that have none, up to the position.
    /// False if `in_time` ended it.
    pub(super) fn react<'l>(
        &mut self,
        around: &Surroundings<'l>,
        pen: &mut Pen<'_, 'l>,
        in_time: &impl Fn() -> bool,
    ) -> Result<bool, ConsumeError> {
        self.react_to_released(around, pen)?;
        let last = self.last_cause;
        if self.reacted_through >= last {
            return Ok(true);
        }
        let after = Checkpoint {
            sequence: self.reacted_through,
            hash: hash_at(around, self.reacted_through)?,
        };
        let withheld = Arc::clone(&self.withheld);
        let read = |line: &Line<'_>| withheld.read_if(line, is_cause);
        let done = std::thread::scope(|threads| {
            let mut pending = Pending::new(threads);
            let done = feed(around.log, &after, Some(last), read, |chunk: Chunk| {
                self.react_to_chunk(around, pen, &mut pending, &chunk)?;
                around
                    .notices
                    .advanced(Consumer::Accounting, chunk.through.sequence, last);
                Ok::<_, ConsumeError>(in_time())
            })?;
            if done {
                pending.include_unassigned();
            }
            self.append_pending(around, pen, &mut pending)?;
            arrive(around, &mut pending)?;
            Ok::<_, ConsumeError>(done)
        })?;
        if done {
            self.reacted_through = last;
        }
        Ok(done)
    }

    /// Events that were left out when later ones were reacted to, and are not any more.
    fn react_to_released<'l>(
        &mut self,
        around: &Surroundings<'l>,
        pen: &mut Pen<'_, 'l>,
    ) -> Result<(), ConsumeError> {
        if self.withheld.is_empty() {
            return Ok(());
        }
        self.flush()?;
        let released = without_entries(self.database, self.reacted_through)?;
        let Some(last) = released.last() else {
            return Ok(());
        };
        let through = Checkpoint {
            sequence: *last,
            hash: hash_at(around, *last)?,
        };
        let read =
            |sequence: &Sequence| Ok(Recorded::from_line(&around.log.line(*sequence)?.line())?);
        let events = released
            .iter()
            .map(read)
            .collect::<Result<Vec<_>, ConsumeError>>()?;
        let chunk = Chunk {
            lines: events.len() as u64,
            events,
            through,
        };
        std::thread::scope(|threads| {
            let mut pending = Pending::new(threads);
            self.react_to_chunk(around, pen, &mut pending, &chunk)?;
            pending.include_unassigned();
            self.append_pending(around, pen, &mut pending)?;
            arrive(around, &mut pending)
        })
    }

    fn react_to_chunk<'s, 'l: 's>(
        &mut self,
        around: &Surroundings<'l>,
        pen: &mut Pen<'_, 'l>,
        pending: &mut Pending<'s, '_>,
        chunk: &Chunk,
    ) -> Result<(), ConsumeError> {
        self.look_up_tasks(around, pen, pending, &chunk.events)?;
        for recorded in &chunk.events {
            if let Err(stopped) = self.owe(recorded, pending) {
                // What stands before it is owed all the same.
                self.append_pending(around, pen, pending)?;
                arrive(around, pending)?;
                self.commit()?;
                return Err(stopped);
            }
            if pending.facts.len() + 3 > BATCH_EVENTS_MAX {
                self.append_pending(around, pen, pending)?;
            }
        }
        if pending.is_empty() {
            self.reacted_through = self.reacted_through.max(chunk.through.sequence);
            if self.accounts.len() > ACCOUNTS_MAX {
                self.accounts.clear();
            }
        }
        Ok(())
    }

    fn owe(
        &mut self,
        recorded: &Recorded<'_>,
        pending: &mut Pending<'_, '_>,
    ) -> Result<(), ConsumeError> {
        let cause = Cause {
            sequence: recorded.sequence,
            id: recorded.id,
            time: recorded.time,
        };
        let books = self.common.books_mut();
        match recorded.event.as_ref() {
            Event::TaskCreated(created) => {
                let (price, fact) = books.price_task(cause, created);
                let account = TaskAccount {
                    number: created.number,
                    title: created.title.clone(),
                    jira_id: created.jira_id.clone(),
                    price,
                    fees_charged: Money::ZERO,
                };
                self.accounts.insert(created.task_id, account);
                pending.include_unassigned();
                pending.unassigned = Some((cause, fact));
            }
            Event::TaskAssigned(assigned) => {
                let task = self
                    .accounts
                    .get_mut(&assigned.task_id)
                    .ok_or_else(|| unknown_task(recorded))?;
                pending.owe(cause, [books.charge_fee(cause, assigned, task)]);
            }
            Event::TaskCompleted(completed) => {
                let task = self
                    .accounts
                    .remove(&completed.task_id)
                    .ok_or_else(|| unknown_task(recorded))?;
                pending.owe(cause, books.credit_reward(cause, completed, &task));
            }
            _ => unreachable!("only causes are fed to the reaction"),
        }
        Ok(())
    }

    /// Sends what is pending on its way into the log.
    fn append_pending<'s, 'l: 's>(
        &mut self,
        around: &Surroundings<'l>,
        pen: &mut Pen<'_, 'l>,
        pending: &mut Pending<'s, '_>,
    ) -> Result<(), ConsumeError> {
        let Some(first_cause) = pending.first_cause.take() else {
            return Ok(());
        };
        let facts = std::mem::take(&mut pending.facts);
        let command_id = format!("accounting/{first_cause}");
        let proposal = Proposal {
            actor: Actor::System(Consumer::Accounting),
            command_id,
            command_hash: None,
            facts,
        };
        self.reacted_through = self.reacted_through.max(pending.last_cause);
        match pen {
            Pen::Held(writer) => {
                self.absorb(around)?;
                let time = stamp(writer.last_time(), around)?;
                self.append(writer, time, proposal).map(drop)
            }
            Pen::ByLock => self.send(around, pending, proposal),
        }
    }

    /// Appends a proposal on a thread of its own, after the batch before has arrived, and keeps its rows.
    fn send<'s, 'l: 's>(
        &mut self,
        around: &Surroundings<'l>,
        pending: &mut Pending<'s, '_>,
        proposal: Proposal,
    ) -> Result<(), ConsumeError> {
        // Encoded while the batch before is written, in the hope that nobody comes in between.
        let before = pending.underway.as_ref();
        let mut batch = proposal.into_batch(stamp(before.map(|before| before.time), around)?);
        let hoped = before
            .map(|before| encoded_behind(&before.last, &batch))
            .transpose()?;
        arrive(around, pending)?;
        let mut writer = around.writer()?;
        self.absorb(around)?;
        self.check_at_head(&writer);
        let encoded = match hoped.filter(|encoded| encoded.follows(writer.head())) {
            Some(encoded) => encoded,
            None => {
                batch.time = stamp(writer.last_time(), around)?;
                encoded_behind(&self.position, &batch)?
            }
        };
        let (sequence, hash) = encoded.last();
        let last = Checkpoint { sequence, hash };
        // The lock goes with the thread, and is let go as soon as the log has the batch.
        let thread = pending
            .threads
            .spawn(move || writer.append_encoded(&encoded));
        pending.underway = Some(Underway {
            before: self.position,
            last,
            time: batch.time,
            thread,
        });
        self.keep(&batch, last)
    }

    /// Looks up, in one query, the tasks that the events are about and that are not at hand.
    fn look_up_tasks<'s, 'l: 's>(
        &mut self,
        around: &Surroundings<'l>,
        pen: &mut Pen<'_, 'l>,
        pending: &mut Pending<'s, '_>,
        events: &[Recorded<'_>],
    ) -> Result<(), ConsumeError> {
        let mut created = HashSet::new();
        let mut wanted = HashSet::new();
        for recorded in events {
            let task = match recorded.event.as_ref() {
                Event::TaskCreated(e) => {
                    created.insert(e.task_id);
                    continue;
                }
                Event::TaskAssigned(e) => e.task_id,
                Event::TaskCompleted(e) => e.task_id,
                _ => continue,
            };
            if !created.contains(&task) && !self.accounts.contains_key(&task) {
                wanted.insert(task);
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        // Found are the rows of what is in the log.
        self.append_pending(around, pen, pending)?;
        arrive(around, pending)?;
        self.flush()?;
        let found = load_accounts(self.database, &wanted)?;
        self.accounts.extend(found);
        Ok(())
    }
}

fn encoded_behind(last: &Checkpoint, batch: &Batch) -> Result<Encoded, LogError> {
    Encoded::behind(last.sequence, last.hash, std::slice::from_ref(batch))
}

/// Waits until the log has the batch on its way.
fn arrive(around: &Surroundings<'_>, pending: &mut Pending<'_, '_>) -> Result<(), ConsumeError> {
    let Some(Underway {
        before,
        last,
        thread,
        ..
    }) = pending.underway.take()
    else {
        return Ok(());
    };
    thread.join().expect("appending does not panic")?;
    failpoint!("reaction.after_append");
    let index = match pending.index.take() {
        Some(index) => index,
        None => tracker::open_index(around)?,
    };
    if !index.pass_over(&before, &last)? {
        tracker::catch_up(around, &index)?;
    }
    pending.index = Some(index);
    Ok(())
}

fn unknown_task(recorded: &Recorded<'_>) -> ConsumeError {
    let reason = unknown(&recorded.event.subject().to_string());
    ConsumeError::Stopped {
        consumer: Consumer::Accounting,
        sequence: recorded.sequence,
        reason,
    }
}

/// Why nothing follows from an event of this task.
pub(super) fn unknown(subject: &str) -> String {
    format!("{subject} was never created, has no price or was completed before")
}

fn hash_at(around: &Surroundings<'_>, sequence: Sequence) -> Result<Hash, ConsumeError> {
    if sequence == Sequence::ZERO {
        return Ok(Hash::ZERO);
    }
    Ok(around.log.line(sequence)?.line().hash)
}

/// The causes up to `last` that neither a price nor an entry follows from.
fn without_entries(database: &Database, last: Sequence) -> Result<Vec<Sequence>, StoreError> {
    let sql = "SELECT sequence FROM (
            SELECT sequence FROM tasks ANTI JOIN prices USING (task_id) UNION ALL
            SELECT sequence FROM (SELECT sequence FROM assignments UNION ALL SELECT sequence FROM completions)
                ANTI JOIN (SELECT cause_sequence AS sequence FROM entries) USING (sequence))
        WHERE sequence <= ? ORDER BY sequence";
    let query = || -> Result<Vec<Sequence>, duckdb::Error> {
        database
            .connection()
            .prepare(sql)?
            .query_map([last.0], |row| row.get(0).map(Sequence))?
            .collect()
    };
    query().map_err(database.failed("read"))
}

/// Of those that are open: who was paid for a task is not paid again.
fn load_accounts(
    database: &Database,
    wanted: &HashSet<TaskId>,
) -> Result<Vec<(TaskId, TaskAccount)>, StoreError> {
    database.run(
        "write",
        "CREATE OR REPLACE TEMP TABLE wanted (task_id UUID)",
    )?;
    let mut rows = WantedRows::default();
    wanted.iter().for_each(|task| {
        rows.push(WantedRow {
            task_id: task.uuid(),
        })
    });
    rows.flush(database)?;
    let query = || -> Result<Vec<_>, duckdb::Error> {
        let mut statement = database.connection().prepare(
            "SELECT t.task_id::VARCHAR, t.number, t.title, t.jira_id, p.fee, p.reward, coalesce(e.fees, 0)::BIGINT
             FROM wanted w JOIN tasks t USING (task_id) JOIN prices p USING (task_id)
             LEFT JOIN (SELECT task_id, -sum(amount) FILTER (kind = 'fee') AS fees, bool_or(kind = 'reward') AS settled
                        FROM entries SEMI JOIN wanted USING (task_id) GROUP BY task_id) e USING (task_id)
             WHERE settled IS NOT TRUE",
        )?;
        statement.query_map([], account)?.collect()
    };
    query().map_err(database.failed("read"))
}

fn account(row: &duckdb::Row<'_>) -> Result<(TaskId, TaskAccount), duckdb::Error> {
    let id: String = row.get(0)?;
    let account = TaskAccount {
        number: row.get(1)?,
        title: row.get(2)?,
        jira_id: row.get(3)?,
        price: Price {
            fee: money(row, 4)?,
            reward: money(row, 5)?,
        },
        fees_charged: money(row, 6)?,
    };
    Ok((
        id.parse().map_err(|_| duckdb::Error::InvalidQuery)?,
        account,
    ))
}
