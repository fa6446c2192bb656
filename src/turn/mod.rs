//! The turn of a decider: how every decider gets to the end of the log and appends there.
//!
//! A decider takes a [`Turn`], follows the log up to the head, asks the turn for the time, decides,
//! and appends behind the event up to which it followed. Then it follows its own batch. A batch
//! whose decider did not follow up to the head is refused, and [`begin_again`] runs the decider once
//! more. While the writer lock is the only lock of the log, the head stays during a turn. A
//! remote is followed when the turn is taken, and may have moved when the batch arrives.
//!
//! [`clock`] gives a batch its time, [`index`] opens the state index and brings it to the head.

pub mod clock;
pub mod index;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::{Duration, Instant};

use crate::domain::clock::Clock;
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::domain::time::EventTime;
use crate::event_log::remote::{Turn as TurnThere, TurnOf};
use crate::event_log::{Batch, FileLog, LogError, Patience, Recovery, Unplaced, Writer};
use crate::state::Checkpoint;
use crate::store::StoreDirectory;
use clock::{StampError, check_not_ahead, stamp};

/// The store of a decider or a consumer, and its circumstances.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    pub directory: &'a StoreDirectory,
    pub log: &'a FileLog,
    pub clock: &'a dyn Clock,
    pub lock_wait: Duration,
    /// Shown to processes that wait for one of our locks.
    pub holder: &'a str,
    pub notices: &'a dyn Notices,
}

impl Surroundings<'_> {
    pub fn patience(&self) -> Patience {
        Patience {
            wait: self.lock_wait,
            holder: self.holder.to_owned(),
        }
    }
}

impl<'l> Surroundings<'l> {
    /// Takes the writer lock, and reports what the recovery changed.
    ///
    /// # Errors
    /// If another process holds it for longer than the lock wait, or the log is damaged.
    pub fn take_turn(&self) -> Result<Turn<'l>, LogError> {
        let writer = self.waited("the writer lock", || self.log.writer(&self.patience()))?;
        report_recovery(writer.recovery(), self.notices);
        Ok(Turn {
            around: *self,
            writer,
        })
    }

    /// Keeps other machines from the same kind of work, and brings the copy to the end of the
    /// remote. Nothing is done without a remote, and in a dry run.
    ///
    /// # Errors
    /// If another machine works for longer than the lock wait, or the remote cannot be reached.
    pub fn take_turn_there(&self, of: TurnOf) -> Result<Option<TurnThere<'l>>, LogError> {
        let Some(remote) = self.log.remote().filter(|_| !self.log.is_draft()) else {
            return Ok(None);
        };
        let turn = remote.turn(of, self.holder, self.lock_wait)?;
        self.log.follow()?;
        Ok(Some(turn))
    }
}

impl Surroundings<'_> {
    /// The result of `take`, which takes `lock`. A wait for another process is told as a detail.
    pub fn waited<T>(&self, lock: &str, take: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let taken = take();
        let waited = began.elapsed();
        if waited >= WORTH_TELLING {
            let millis = waited.as_millis();
            self.notices
                .detail(format_args!("waited {millis} ms for {lock}"));
        }
        taken
    }
}

/// A lock that nobody holds is taken in less.
const WORTH_TELLING: Duration = Duration::from_millis(3);

/// Holds the writer lock for a decider.
pub struct Turn<'l> {
    around: Surroundings<'l>,
    writer: Writer<'l>,
}

impl<'l> Turn<'l> {
    /// The last event of the log.
    pub fn head(&self) -> Checkpoint {
        self.writer.head().into()
    }

    /// The time of the last event.
    pub fn last_time(&self) -> Option<EventTime> {
        self.writer.last_time()
    }

    /// The time of the next batch. Warns if the clock is behind.
    ///
    /// # Errors
    /// As [`clock::check_clock`].
    pub fn stamp(&self) -> Result<EventTime, StampError> {
        let time = stamp(self.last_time(), &self.around)?;
        match self.writer.time_there() {
            Some((there, name)) if !self.around.clock.is_pinned() => {
                check_not_ahead(time, there, name)?;
            }
            _ => {}
        }
        Ok(time)
    }

    /// Appends a batch that was decided from all events up to `followed`. Returns its last event.
    ///
    /// # Errors
    /// [`LogError::HeadMoved`] if `followed` is not the head; nothing is written. Otherwise as
    /// [`Writer::append`].
    pub fn append(&mut self, followed: &Checkpoint, batch: &Batch) -> Result<Checkpoint, LogError> {
        let mut lines = Unplaced::default();
        lines.push(batch)?;
        self.append_lines(followed, lines)
    }

    /// Appends the lines of batches. A crash leaves the first of them, each whole.
    ///
    /// # Errors
    /// As [`Turn::append`].
    pub fn append_lines(
        &mut self,
        followed: &Checkpoint,
        lines: Unplaced,
    ) -> Result<Checkpoint, LogError> {
        let encoded = lines.behind(followed.sequence, followed.hash);
        let head: Checkpoint = (&self.writer.append_encoded(&encoded)?).into();
        self.around.notices.detail(format_args!(
            "appended events {} to {}",
            followed.sequence.next(),
            head.sequence
        ));
        Ok(head)
    }

    /// The writer, for a thread that appends while the decider goes on.
    pub fn into_writer(self) -> Writer<'l> {
        self.writer
    }
}

/// Receives messages for users during the work.
pub trait Notices {
    fn warn(&self, message: &str);
    /// `done` of `total` events are applied.
    fn advanced(&self, consumer: Consumer, done: Sequence, total: Sequence);
    /// A step of the work, for users who want to follow it.
    fn detail(&self, _: fmt::Arguments<'_>) {}
}

/// The number of turns after which a decider gives up.
const TURNS_MAX: u32 = 5;

/// An error that may only mean that another decider came first.
pub trait Overtaken {
    fn is_overtaken(&self) -> bool;
}

impl Overtaken for LogError {
    fn is_overtaken(&self) -> bool {
        matches!(self, LogError::HeadMoved { .. })
    }
}

/// Takes a turn with `decide`, and another one whenever the batch came too late for the head that
/// it follows, at most `TURNS_MAX` in all. No value that `decide` keeps between two turns may
/// follow from a batch that was not appended.
///
/// # Errors
/// The last error of `decide`.
pub fn begin_again<T, E: Overtaken>(mut decide: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    for _ in 1..TURNS_MAX {
        match decide() {
            Err(error) if error.is_overtaken() => {}
            decided => return decided,
        }
    }
    decide()
}

/// Reports the recovery, if it changed anything.
pub fn report_recovery(recovery: Recovery, notices: &dyn Notices) {
    if recovery.happened() {
        notices.warn(&format!(
            "the log had an unfinished end: {} whole events were kept, {} bytes cut",
            recovery.published_events, recovery.cut_bytes
        ));
    }
}
