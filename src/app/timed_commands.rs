//! Carries out many timed commands under one writer lock, for imports and simulations.
//!
//! A [`BatchDecider`] decides in one transaction of the state index and applies each batch in it,
//! so every command sees the results of the commands before it. A [`BatchAppender`] gathers batches
//! into groups that cost two fdatasyncs each, and closes dates in between, at their times in
//! history. Lock order: `accounting.lock` and its tables first, the writer lock last.

use std::cell::Cell;

use crate::app::command::Command;
use crate::app::write::{batch_of, with_ids};
use crate::app::{App, AppError};
use crate::consumers::accounting::{Accounting, CloseRequest, Closed};
use crate::consumers::{ConsumeError, WriterAccess};
use crate::domain::clock::Clock;
use crate::domain::dice::Dice;
use crate::domain::id::Sequence;
use crate::domain::time::EventTime;
use crate::domain::user::User;
use crate::event_log::{Batch, Hash, LogError, Unplaced};
use crate::state::{Checkpoint, Recorded, StateError, StateIndex};
use crate::turn::{Surroundings, Turn};

/// A group is appended when it has this many events or bytes.
const GROUP_EVENTS_MAX: u64 = 10_000;
const GROUP_BYTES_MAX: usize = 8 << 20;

/// Whether lines are enough for a group.
pub(super) fn is_group(lines: &Unplaced) -> bool {
    lines.events() >= GROUP_EVENTS_MAX || lines.bytes() >= GROUP_BYTES_MAX
}

/// A clock that shows the time of the present command in history.
pub(super) struct HistoryClock(Cell<EventTime>);

impl HistoryClock {
    pub(super) fn new(at: EventTime) -> HistoryClock {
        HistoryClock(Cell::new(at))
    }
}

impl Clock for HistoryClock {
    fn now(&self) -> EventTime {
        self.0.get()
    }
}

/// A command with its time and its actor.
pub(super) struct Timed<'a> {
    pub at: EventTime,
    pub actor: &'a User,
    pub command: &'a Command,
    /// The idempotency key and the hash of actor and command; without them a key is minted.
    pub key: Option<(&'a str, Hash)>,
}

/// Decides inside a transaction of the index, which is rolled back unless it is committed.
pub(super) struct BatchDecider<'i> {
    index: &'i StateIndex,
    next: Sequence,
    open: bool,
}

impl<'i> BatchDecider<'i> {
    /// The index is at `head`.
    pub(super) fn begin(
        index: &'i StateIndex,
        head: Checkpoint,
    ) -> Result<BatchDecider<'i>, AppError> {
        index.begin()?;
        Ok(BatchDecider {
            index,
            next: head.sequence.next(),
            open: true,
        })
    }

    /// Decides a command and applies its events; `None` if nothing has to change.
    ///
    /// # Errors
    /// The rejection that stands first.
    pub(super) fn decide(
        &mut self,
        timed: &Timed<'_>,
        dice: &mut dyn Dice,
    ) -> Result<Option<Batch>, AppError> {
        let Timed {
            at,
            actor,
            command,
            key,
        } = timed;
        let events = command.decide(self.index, actor, *at, dice)?;
        if events.is_empty() {
            return Ok(None);
        }
        let facts = with_ids(events, *at, dice);
        let batch = batch_of(facts, *at, actor, *key, dice);
        Recorded::of_batch(&batch, self.next)
            .try_for_each(|recorded| self.index.apply(&recorded))?;
        self.next = self.next.plus(batch.facts.len() as u64);
        Ok(Some(batch))
    }

    /// Checks whether a command could be carried out now. Nothing is applied.
    ///
    /// # Errors
    /// The rejection that stands first.
    pub(super) fn check(&self, timed: &Timed<'_>, dice: &mut dyn Dice) -> Result<(), AppError> {
        timed
            .command
            .decide(self.index, timed.actor, timed.at, dice)
            .map(drop)
    }

    /// Keeps what was followed, which is the log up to `head`.
    pub(super) fn commit(mut self, head: Checkpoint) -> Result<(), StateError> {
        self.index.set_checkpoint(&head)?;
        self.index.commit()?;
        self.open = false;
        Ok(())
    }
}

impl Drop for BatchDecider<'_> {
    fn drop(&mut self) {
        if self.open {
            // If the rollback fails too, closing the connection does it.
            let _ = self.index.rollback();
        }
    }
}

impl App<'_> {
    /// Settles the bytes that a failed write left after the head, after its lock is released. If
    /// that fails too, the next writer does it.
    pub(super) fn settle_after(&self, error: &AppError) {
        let is_of_log = |error: &LogError| matches!(error, LogError::Io { .. });
        let left_an_end = match error {
            AppError::Log(error) | AppError::Consume(ConsumeError::Log(error)) => is_of_log(error),
            _ => false,
        };
        if left_an_end && !self.log.is_draft() {
            let _ = self.log.settle(&self.around().patience());
        }
    }
}

/// Appends under the writer lock, which it holds all the time.
pub(super) struct BatchAppender<'p, 'l, 'd> {
    around: Surroundings<'l>,
    history_clock: &'l HistoryClock,
    turn: Turn<'l>,
    accounting: Option<&'p mut Accounting<'d>>,
    began: Sequence,
    group: Unplaced,
}

impl<'p, 'l, 'd> BatchAppender<'p, 'l, 'd> {
    /// Takes the writer lock. `accounting` is there if dates are going to be closed.
    pub(super) fn open(
        app: &'l App<'_>,
        history_clock: &'l HistoryClock,
        accounting: Option<&'p mut Accounting<'d>>,
    ) -> Result<BatchAppender<'p, 'l, 'd>, AppError> {
        let around = Surroundings {
            clock: history_clock,
            ..app.around()
        };
        let turn = around.take_turn()?;
        let began = turn.head().sequence;
        Ok(BatchAppender {
            around,
            history_clock,
            turn,
            accounting,
            began,
            group: Unplaced::default(),
        })
    }

    pub(super) fn head(&self) -> Checkpoint {
        self.turn.head()
    }

    /// The time of the last event.
    pub(super) fn last_time(&self) -> Option<EventTime> {
        self.turn.last_time()
    }

    /// Events that were appended so far.
    pub(super) fn appended(&self) -> u64 {
        self.turn.head().sequence.0 - self.began.0
    }

    /// Appends the batch with its group, sooner or later.
    pub(super) fn append(&mut self, batch: &Batch) -> Result<(), AppError> {
        self.group.push(batch)?;
        if is_group(&self.group) {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Appends what is still waiting.
    pub(super) fn flush(&mut self) -> Result<(), AppError> {
        if self.group.is_empty() {
            return Ok(());
        }
        let group = std::mem::take(&mut self.group);
        self.append_group(group)
    }

    /// Appends the lines of a group.
    pub(super) fn append_group(&mut self, group: Unplaced) -> Result<(), AppError> {
        let followed = self.turn.head();
        self.turn.append_lines(&followed, group)?;
        failpoint!("import.between_groups");
        Ok(())
    }

    /// Closes every open date that is finished at `at`, after all events before it have their
    /// entries.
    ///
    /// # Panics
    /// If the appender was opened without accounting.
    pub(super) fn close(
        &mut self,
        at: EventTime,
        request: &CloseRequest,
    ) -> Result<Vec<Closed>, AppError> {
        self.flush()?;
        self.history_clock.0.set(at);
        let accounting = self
            .accounting
            .as_deref_mut()
            .expect("opened to close dates");
        let closes = accounting.close(
            &self.around,
            &mut WriterAccess::Held(&mut self.turn),
            request,
        )?;
        Ok(closes.unblocked()?)
    }
}
