//! The consumers: each reads the log from its checkpoint and fills tables of its own.
//!
//! A projection is pure: rows follow from events alone. Accounting and the notifier also react:
//! caught up with the head, they append events of their own and read them back like any other.
//!
//! Lock order: a consumer's process lock, then its DuckDB file, then the log's writer lock. The
//! first two are never waited for while the third is held.

pub mod accounting;
pub mod analytics;
pub mod common_tables;
pub mod contents;
pub mod dispatch;
pub mod feed;
#[cfg(test)]
mod fixture;
pub mod notifier;
pub mod process_lock;
pub mod projection;
pub mod run;
pub mod standing;
pub mod table_file;
pub mod tracker;
pub mod withheld;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::domain::clock::{self, Clock, Stamp};
use crate::domain::dead_letter::Stop;
use crate::domain::displayed::Displayed;
use crate::domain::event::Consumer;
use crate::domain::id::{PayoutId, Sequence};
use crate::domain::rejection::Rejection;
use crate::domain::time::{BusinessDate, EventTime};
use crate::event_log::{FileLog, LogError, Patience, Recovery, Writer};
use crate::state::{Opened, StateError};
use crate::store::{StoreDirectory, StoreError};

#[derive(Debug, thiserror::Error)]
pub enum ConsumeError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Rejected(#[from] Rejection),
    #[error("{} is held by another process: {holder}", path.display())]
    Locked { path: PathBuf, holder: String },
    #[error("cannot {action} {}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    /// Work on a file of tables met damage. The next opening makes the file anew.
    #[error("{} was damaged ({reason}); it is kept as {}", path.display(), aside.display())]
    SetAside {
        path: PathBuf,
        aside: PathBuf,
        reason: String,
    },
    /// An event that cannot be applied; the checkpoint stays before it.
    #[error("{} stops at event {sequence}: {reason}", consumer.name())]
    Stopped {
        consumer: Consumer,
        sequence: Sequence,
        reason: String,
    },
    /// The consumer's tables were made from another log, or from one that was rolled back since.
    #[error("{} has read up to event {checkpoint} of another log", consumer.name())]
    ForeignTables {
        consumer: Consumer,
        checkpoint: Sequence,
    },
    /// The consumer's tables were made by another version of the program.
    #[error("{} was made by another version of popug-cli", path.display())]
    OtherVersion { consumer: Consumer, path: PathBuf },
    /// A close was about to pay another amount than the entries give. Nothing was appended.
    #[error("the balances of {date} are not the sums of the entries: {what}")]
    BooksDisagree { date: BusinessDate, what: String },
    /// No payout's id begins so.
    #[error("there is no mail `{}`", Displayed(name))]
    UnknownMail { name: String },
    #[error("`{}` may mean {} mails", Displayed(name), candidates.len())]
    AmbiguousMail {
        name: String,
        candidates: Vec<PayoutId>,
    },
}

impl ConsumeError {
    /// The event that its consumer cannot apply, now or ever. `None` if trying again may help.
    pub fn stop(&self) -> Option<Stop> {
        let (sequence, reason) = match self {
            ConsumeError::Stopped {
                sequence, reason, ..
            } => (*sequence, reason.clone()),
            ConsumeError::Log(
                error @ (LogError::Undecodable { sequence, .. }
                | LogError::UnknownVersion { sequence, .. }),
            ) => (*sequence, error.to_string()),
            _ => return None,
        };
        Some(Stop { sequence, reason })
    }
}

/// What a consumer works with.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    pub directory: &'a StoreDirectory,
    pub log: &'a FileLog,
    pub clock: &'a dyn Clock,
    pub lock_wait: Duration,
    /// Shown to processes that wait for us.
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
    /// Takes the writer lock, telling what was recovered.
    ///
    /// # Errors
    /// If another process holds it for longer than the lock wait, or the log is damaged.
    pub fn writer(&self) -> Result<Writer<'l>, LogError> {
        let writer = self.log.writer(&self.patience())?;
        report_recovery(writer.recovery(), self.notices);
        Ok(writer)
    }
}

/// Told what happens on the way, for people.
pub trait Notices {
    fn warn(&self, message: &str);
    /// `done` of `total` events are applied.
    fn advanced(&self, consumer: Consumer, done: Sequence, total: Sequence);
}

/// What one run of a consumer did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Consumed {
    pub consumer: Consumer,
    pub from: Sequence,
    pub to: Sequence,
    /// Events read and, where subscribed, applied.
    pub applied: u64,
    /// Events that the consumer appended itself.
    pub appended: u64,
}

/// The way to the writer lock: taken for each batch, or held by the caller all along.
pub enum WriterAccess<'p, 'l> {
    PerBatch,
    Held(&'p mut Writer<'l>),
}

impl<'l> WriterAccess<'_, 'l> {
    /// Runs `write` under the writer lock.
    pub fn with_writer<T>(
        &mut self,
        around: &Surroundings<'l>,
        write: impl FnOnce(&mut Writer<'l>) -> Result<T, ConsumeError>,
    ) -> Result<T, ConsumeError> {
        match self {
            WriterAccess::Held(writer) => write(writer),
            WriterAccess::PerBatch => write(&mut around.writer()?),
        }
    }
}

/// Tells if opening a SQLite file, which people know as `name`, found more than a sound one.
fn tell_opened(around: &Surroundings<'_>, name: &str, path: &Path, opened: Opened) {
    match opened {
        Opened::AsItWas | Opened::Anew => {}
        Opened::MovedAside(aside) => around.notices.warn(&format!(
            "{name} was damaged; it is kept as {} and rebuilt from the log",
            aside.display()
        )),
        Opened::InMemory(obstacle) => around.notices.warn(&format!(
            "the disk of {} {obstacle}; the log is read into memory instead",
            path.display()
        )),
    }
}

/// Tells what recovery did, if it did anything.
pub fn report_recovery(recovery: Recovery, notices: &dyn Notices) {
    if recovery.happened() {
        notices.warn(&format!(
            "the log had an unfinished end: {} whole events were kept, {} bytes cut",
            recovery.published_events, recovery.cut_bytes
        ));
    }
}

/// Stamps the next batch, warning of a clock that is behind.
///
/// # Errors
/// As [`check_clock`].
pub fn stamp(
    last: Option<EventTime>,
    around: &Surroundings<'_>,
) -> Result<EventTime, ConsumeError> {
    let stamp = check_clock(last, around)?;
    if let Some(behind) = stamp.warn_behind_micros {
        around.notices.warn(&format!(
            "the clock is {} s behind the log's last event; the event takes that event's time",
            behind / 1_000_000
        ));
    }
    Ok(stamp.time)
}

/// Whether a batch could be stamped now.
///
/// # Errors
/// [`Rejection::ClockBehind`], naming the last event before the clock ran ahead.
pub fn check_clock(
    last: Option<EventTime>,
    around: &Surroundings<'_>,
) -> Result<Stamp, ConsumeError> {
    match clock::stamp(around.clock.now(), last) {
        Err(Rejection::ClockBehind { now, last, .. }) => {
            let before_jump = last_event_before(around.log, now)?;
            Err(Rejection::ClockBehind {
                now,
                last,
                before_jump,
            }
            .into())
        }
        other => Ok(other?),
    }
}

/// The last event that is not later than `now`.
fn last_event_before(log: &FileLog, now: EventTime) -> Result<Sequence, LogError> {
    let mut last = Sequence::ZERO;
    log.for_each(Sequence::FIRST, &mut |line| {
        if line.event_time()? <= now {
            last = line.sequence;
        }
        Ok(())
    })?;
    Ok(last)
}
