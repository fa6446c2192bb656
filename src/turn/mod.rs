//! The turn of a decider: how every decider gets to the end of the log and appends there.
//!
//! A decider takes the writer from [`Surroundings::writer`], follows the log up to the head,
//! decides, appends and follows its own batch. [`begin_again`] runs it once more if its batch did
//! not follow the head any more. That cannot happen while the writer lock is the only lock of the
//! log. A log elsewhere, of which the files here are a copy, will be followed where the writer is
//! taken, and may have moved when the batch arrives.
//!
//! [`clock`] gives a batch its time, [`index`] opens the state index and brings it to the head.

pub mod clock;
pub mod index;

use std::time::Duration;

use crate::domain::clock::Clock;
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::event_log::{FileLog, LogError, Patience, Recovery, Writer};
use crate::store::StoreDirectory;

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
    /// Takes the writer lock, and reports the recovery.
    ///
    /// # Errors
    /// If another process holds it for longer than the lock wait, or the log is damaged.
    pub fn writer(&self) -> Result<Writer<'l>, LogError> {
        let writer = self.log.writer(&self.patience())?;
        report_recovery(writer.recovery(), self.notices);
        Ok(writer)
    }
}

/// Receives messages for users during the work.
pub trait Notices {
    fn warn(&self, message: &str);
    /// `done` of `total` events are applied.
    fn advanced(&self, consumer: Consumer, done: Sequence, total: Sequence);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{Actor, Fact, TasksReshuffled};
    use crate::domain::id::EventId;
    use crate::domain::time::EventTime;
    use crate::event_log::{Batch, Encoded, Head};

    const AT_ONCE: Patience = Patience {
        wait: Duration::ZERO,
        holder: String::new(),
    };

    fn batch(number: u128) -> Batch {
        let event = TasksReshuffled {
            open_tasks: 0,
            eligible_users: 0,
            moved: 0,
        };
        Batch {
            time: EventTime::from_micros(1_700_000_000_000_000).unwrap(),
            actor: Actor::System(Consumer::Accounting),
            command_id: format!("command {number}"),
            command_hash: None,
            facts: vec![Fact {
                id: EventId::from_uuid(uuid::Uuid::from_u128(number)),
                causation: None,
                event: event.into(),
            }],
        }
    }

    fn behind(head: &Head, batch: &Batch) -> Encoded {
        Encoded::behind(head.sequence, head.hash, std::slice::from_ref(batch)).unwrap()
    }

    fn keys(log: &FileLog) -> Vec<String> {
        let mut keys = Vec::new();
        log.for_each(Sequence::FIRST, &mut |line| {
            keys.push(line.command_id().into_owned());
            Ok(())
        })
        .unwrap();
        keys
    }

    /// A log with one event, and the head before that event.
    fn overtaken() -> (tempfile::TempDir, FileLog, Head) {
        let directory = tempfile::tempdir().unwrap();
        let log = FileLog::create(&directory.path().join("log")).unwrap();
        let before = log.head().unwrap();
        let mut other = log.writer(&AT_ONCE).unwrap();
        other.append_encoded(&behind(&before, &batch(1))).unwrap();
        drop(other);
        (directory, log, before)
    }

    #[test]
    fn a_decider_that_was_overtaken_decides_again_and_appends_once() {
        let (_directory, log, before) = overtaken();
        let mut follows = Some(before);
        let head = begin_again(|| {
            let mut writer = log.writer(&AT_ONCE)?;
            let head = follows.take().unwrap_or(*writer.head());
            writer.append_encoded(&behind(&head, &batch(2)))
        });
        assert_eq!(head.unwrap().sequence, Sequence(2));
        assert_eq!(keys(&log), ["command 1", "command 2"]);
    }

    #[test]
    fn a_decider_that_is_always_overtaken_gives_up_and_appends_nothing() {
        let (_directory, log, before) = overtaken();
        let mut turns = 0;
        let refused = begin_again(|| {
            turns += 1;
            let mut writer = log.writer(&AT_ONCE)?;
            writer.append_encoded(&behind(&before, &batch(2)))
        });
        assert!(matches!(refused, Err(LogError::HeadMoved { .. })));
        assert_eq!(turns, TURNS_MAX);
        assert_eq!(keys(&log), ["command 1"]);
    }
}
