//! Decides the entries of task events and appends them: reads the events again after the last one
//! that has its entry.
//!
//! Causes that were released from the dead letters later come first. While one batch is appended,
//! the next is decided.

use std::sync::Arc;

use crate::consumers::accounting::appending::{Appending, encoded_behind};
use crate::consumers::accounting::owed::{Owed, Progress, is_cause, unknown, without_entries};
use crate::consumers::accounting::{Accounting, Proposal, owed};
use crate::consumers::feed::{Chunk, feed};
use crate::consumers::{ConsumeError, WriterAccess};
use crate::domain::event::{Actor, Consumer, Event, EventKind, Fact};
use crate::domain::id::{EventId, Sequence};
use crate::domain::ledger::reaction::{Cause, TaskAccount};
use crate::event_log::{Hash, Line};
use crate::state::{Checkpoint, Recorded};
use crate::turn::Surroundings;
use crate::turn::clock::stamp;

/// The most events in one batch of entries.
const BATCH_EVENTS_MAX: usize = 10_000;

/// Decided facts that wait to be appended.
#[derive(Default)]
struct Decided {
    facts: Vec<Fact>,
    first_cause: Option<EventId>,
    last_cause: Sequence,
    /// The price of a task whose first assignment was not read yet. It goes into one batch with the
    /// fee, so that the cause of the last entry shows the progress of the reaction.
    unassigned: Option<(Cause, Fact)>,
}

impl Decided {
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

/// One run of the reaction: decided facts, and the batch before them, which is being appended.
struct Reaction<'s, 'e> {
    decided: Decided,
    appending: Appending<'s, 'e>,
}

impl Accounting<'_> {
    /// Decides and appends the entries of all causes that have none, up to the position. False if
    /// `in_time` ended it.
    pub(super) fn react<'l>(
        &mut self,
        around: &Surroundings<'l>,
        access: &mut WriterAccess<'_, 'l>,
        in_time: &impl Fn() -> bool,
    ) -> Result<bool, ConsumeError> {
        let owed = self.owed()?;
        let released = self.released(around)?;
        if owed.is_none() && released.is_none() {
            return Ok(true);
        }
        std::thread::scope(|threads| {
            let mut reaction = Reaction {
                decided: Decided::default(),
                appending: Appending::new(threads),
            };
            if let Some(chunk) = released {
                self.react_to_chunk(around, access, &mut reaction, &chunk)?;
                reaction.decided.include_unassigned();
            }
            let is_done = match owed {
                Some(owed) => self.react_to_log(around, access, &mut reaction, owed, in_time)?,
                None => true,
            };
            self.append_decided(around, access, &mut reaction)?;
            reaction.appending.finish(around)?;
            if let Some(owed) = owed.filter(|_| is_done) {
                self.progress().advance_to(owed.last);
            }
            Ok(is_done)
        })
    }

    fn progress(&mut self) -> &mut Progress {
        &mut self.projection.own.progress
    }

    /// The causes without an entry. A price does not name the sequence of its cause, so the tables
    /// are queried if there seem to be any.
    fn owed(&mut self) -> Result<Option<Owed>, ConsumeError> {
        if self.progress().owed().is_none() {
            return Ok(None);
        }
        self.projection.flush()?;
        let reacted = owed::last_reacted(self.projection.database)?;
        self.progress().advance_to(reacted);
        Ok(self.progress().owed())
    }

    /// The causes that were withheld when later ones got their entries, and are not withheld any
    /// more.
    fn released(&mut self, around: &Surroundings<'_>) -> Result<Option<Chunk>, ConsumeError> {
        if self.projection.withheld.is_empty() {
            return Ok(None);
        }
        self.projection.flush()?;
        let reacted_through = self.progress().reacted_through();
        let released = without_entries(self.projection.database, reacted_through)?;
        let Some(last) = released.last() else {
            return Ok(None);
        };
        let through = checkpoint_at(around, *last)?;
        let read =
            |sequence: &Sequence| Ok(Recorded::from_line(&around.log.line(*sequence)?.line())?);
        let events = released
            .iter()
            .map(read)
            .collect::<Result<Vec<_>, ConsumeError>>()?;
        Ok(Some(Chunk {
            lines: events.len() as u64,
            events,
            through,
        }))
    }

    /// Reads the owed causes from the log. False if `in_time` ended it.
    fn react_to_log<'s, 'l: 's>(
        &mut self,
        around: &Surroundings<'l>,
        access: &mut WriterAccess<'_, 'l>,
        reaction: &mut Reaction<'s, '_>,
        owed: Owed,
        in_time: &impl Fn() -> bool,
    ) -> Result<bool, ConsumeError> {
        let after = checkpoint_at(around, owed.after)?;
        let withheld = Arc::clone(&self.projection.withheld);
        let is_wanted = |kind| is_cause(kind) || kind == EventKind::TaskChanged;
        let read = |line: &Line<'_>| withheld.read_if(line, is_wanted);
        let is_done = feed(around.log, &after, Some(owed.last), read, |chunk: Chunk| {
            self.react_to_chunk(around, access, reaction, &chunk)?;
            let through = chunk.through.sequence;
            around
                .notices
                .advanced(Consumer::Accounting, through, owed.last);
            Ok::<_, ConsumeError>(in_time())
        })?;
        if is_done {
            reaction.decided.include_unassigned();
        }
        Ok(is_done)
    }

    fn react_to_chunk<'s, 'l: 's>(
        &mut self,
        around: &Surroundings<'l>,
        access: &mut WriterAccess<'_, 'l>,
        reaction: &mut Reaction<'s, '_>,
        chunk: &Chunk,
    ) -> Result<(), ConsumeError> {
        self.look_up_tasks(around, access, reaction, &chunk.events)?;
        for recorded in &chunk.events {
            let most = reaction.decided.facts.len() + self.accounts.fees_to_take_back(recorded);
            if most > BATCH_EVENTS_MAX {
                self.append_decided(around, access, reaction)?;
            }
            if let Err(stopped) = self.owe(recorded, &mut reaction.decided) {
                // The causes before it need their entries all the same.
                self.append_decided(around, access, reaction)?;
                reaction.appending.finish(around)?;
                self.commit()?;
                return Err(stopped);
            }
            if reaction.decided.facts.len() + 3 > BATCH_EVENTS_MAX {
                self.append_decided(around, access, reaction)?;
            }
        }
        if reaction.decided.is_empty() {
            self.progress().advance_to(chunk.through.sequence);
            self.accounts.forget_some();
        }
        Ok(())
    }

    fn owe(&mut self, recorded: &Recorded<'_>, decided: &mut Decided) -> Result<(), ConsumeError> {
        let cause = Cause {
            sequence: recorded.sequence,
            id: recorded.id,
            time: recorded.time,
        };
        let books = self.projection.common.books_mut();
        match recorded.event.as_ref() {
            Event::TaskCreated(created) => {
                let (price, fact) = books.price_task(cause, created);
                let account = TaskAccount::created(created, price);
                self.accounts.insert(created.task_id, account);
                decided.include_unassigned();
                decided.unassigned = Some((cause, fact));
            }
            Event::TaskChanged(changed) => self.accounts.change(recorded.sequence, changed),
            Event::TaskAssigned(assigned) => {
                let task = self
                    .accounts
                    .open(assigned.task_id, cause.sequence)
                    .ok_or_else(|| unknown_task(recorded))?;
                let fact = books.charge_fee(cause, assigned, task);
                self.accounts.charged(&fact);
                decided.owe(cause, [fact]);
            }
            Event::TaskCompleted(completed) => {
                let task = self
                    .accounts
                    .end(completed.task_id, cause.sequence)
                    .ok_or_else(|| unknown_task(recorded))?;
                decided.owe(cause, books.credit_reward(cause, completed, &task));
            }
            Event::TaskCancelled(cancelled) => {
                self.accounts
                    .end(cancelled.task_id, cause.sequence)
                    .ok_or_else(|| unknown_task(recorded))?;
                let fees = self.accounts.take_fees(cancelled.task_id);
                let facts = books.take_fees_back(cause, cancelled, &fees);
                if !facts.is_empty() {
                    decided.owe(cause, facts);
                }
            }
            _ => unreachable!("only causes and changes are fed to the reaction"),
        }
        Ok(())
    }

    /// Appends the decided facts, or begins to append them on the other thread.
    fn append_decided<'s, 'l: 's>(
        &mut self,
        around: &Surroundings<'l>,
        access: &mut WriterAccess<'_, 'l>,
        reaction: &mut Reaction<'s, '_>,
    ) -> Result<(), ConsumeError> {
        let decided = &mut reaction.decided;
        let Some(first_cause) = decided.first_cause.take() else {
            return Ok(());
        };
        let proposal = Proposal {
            actor: Actor::System(Consumer::Accounting),
            command_id: format!("accounting/{first_cause}"),
            command_hash: None,
            facts: std::mem::take(&mut decided.facts),
        };
        self.progress().advance_to(decided.last_cause);
        match access {
            WriterAccess::Held(turn) => {
                self.absorb(around)?;
                let time = turn.stamp()?;
                self.append(turn, time, proposal).map(drop)
            }
            WriterAccess::PerBatch => self.send(around, &mut reaction.appending, proposal),
        }
    }

    /// Begins to append a proposal after the batch before has arrived, and keeps its rows.
    fn send<'s, 'l: 's>(
        &mut self,
        around: &Surroundings<'l>,
        appending: &mut Appending<'s, '_>,
        proposal: Proposal,
    ) -> Result<(), ConsumeError> {
        let mut batch = proposal.into_batch(stamp(appending.time(), around)?);
        let ahead = appending.encode_ahead(&batch)?;
        appending.finish(around)?;
        let turn = around.take_turn()?;
        self.absorb(around)?;
        let before = *self.position();
        let encoded = match ahead.filter(|encoded| encoded.follows(before.sequence, before.hash)) {
            Some(encoded) => encoded,
            None => {
                batch.time = turn.stamp()?;
                encoded_behind(&before, &batch)?
            }
        };
        let last = appending.start(turn, encoded, before, batch.time);
        self.keep(&batch, last)
    }

    /// Looks up the tasks that the events are about and that are not in memory, and the fees of those that are
    /// cancelled.
    fn look_up_tasks<'s, 'l: 's>(
        &mut self,
        around: &Surroundings<'l>,
        access: &mut WriterAccess<'_, 'l>,
        reaction: &mut Reaction<'s, '_>,
        events: &[Recorded<'_>],
    ) -> Result<(), ConsumeError> {
        let wanted = self.accounts.wanted(events);
        if wanted.is_empty() {
            return Ok(());
        }
        // The query finds the rows that DuckDB has, of events that the log has.
        self.append_decided(around, access, reaction)?;
        reaction.appending.finish(around)?;
        self.projection.flush()?;
        Ok(self.accounts.load(self.projection.database, &wanted)?)
    }
}

fn unknown_task(recorded: &Recorded<'_>) -> ConsumeError {
    let reason = unknown(&recorded.event.subject().to_string());
    ConsumeError::Stopped {
        consumer: Consumer::Accounting,
        sequence: recorded.sequence,
        reason,
    }
}

fn checkpoint_at(
    around: &Surroundings<'_>,
    sequence: Sequence,
) -> Result<Checkpoint, ConsumeError> {
    let hash = match sequence {
        Sequence::ZERO => Hash::ZERO,
        _ => around.log.line(sequence)?.line().hash,
    };
    Ok(Checkpoint { sequence, hash })
}
