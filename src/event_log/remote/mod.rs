//! The remote: a shared log elsewhere that the files of this log copy, each line verified.
//!
//! Readers know nothing of a remote: they read the copy up to its head. Only the [writer] asks the
//! remote: it follows the remote when it takes the lock, and sends a batch between the sync of the
//! batch and the publication of the head. [`role`] keeps in the store which remote it copies.
//!
//! Invariant: on a copy no line is published that the remote does not have.
//!
//! [writer]: crate::event_log::writer

pub mod role;

use std::time::Duration;

use crate::domain::id::Sequence;
use crate::domain::time::EventTime;
use crate::event_log::error::LogError;
use crate::event_log::hash::Hash;
use crate::event_log::line::Line;

/// Sequence and hash of the last event of a log; zero for a log without events.
pub type End = (Sequence, Hash);

/// What one process at a time may do. The turns of different kinds do not exclude each other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TurnOf {
    /// Appends.
    Writer,
    /// Posts to the books.
    Books,
    /// Sends mails.
    Mails,
}

impl TurnOf {
    pub const fn name(self) -> &'static str {
        match self {
            TurnOf::Writer => "writer",
            TurnOf::Books => "books",
            TurnOf::Mails => "mails",
        }
    }
}

/// The state of a remote at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    pub end: End,
    /// The clock of the remote, if it has one.
    pub time: Option<EventTime>,
}

/// A turn that was taken. Dropping it gives it back.
pub struct Turn<'r> {
    pub standing: Standing,
    pub(crate) _held: Box<dyn Send + 'r>,
}

/// One company's log on an engine that several machines reach.
///
/// Every wait has a deadline. [`LogError::Unreachable`] and [`LogError::Refused`] say that the
/// remote surely took nothing; only [`Remote::append`] may answer [`LogError::InDoubt`].
pub trait Remote: Send + Sync {
    /// The hosts, without secrets, for messages.
    fn name(&self) -> String;

    /// The last event.
    fn standing(&self) -> Result<Standing, LogError>;

    /// Keeps other machines from the same kind of work. Safety does not depend on it, because
    /// `append` compares the end; without it others would decide in vain.
    ///
    /// # Errors
    /// [`LogError::Locked`] names the holder.
    fn turn(&self, of: TurnOf, holder: &str, wait: Duration) -> Result<Turn<'_>, LogError>;

    /// Stores all of the lines or none behind `follows`; `last` is the end of the lines. They are
    /// durable when it returns.
    ///
    /// # Errors
    /// [`LogError::HeadMoved`] if `follows` is not the end; nothing is stored.
    /// [`LogError::InDoubt`] if it is not known whether the lines are stored.
    fn append(&self, follows: End, last: End, lines: &[u8]) -> Result<(), LogError>;

    /// Visits the lines after `after` up to and including `through`, without line breaks, in order.
    /// It checks nothing about them.
    ///
    /// # Errors
    /// The error of `take`.
    fn read(
        &self,
        after: Sequence,
        through: Sequence,
        take: &mut dyn FnMut(&[u8]) -> Result<(), LogError>,
    ) -> Result<(), LogError>;
}

pub(super) fn damaged(remote: &dyn Remote, sequence: Sequence, what: String) -> LogError {
    LogError::DamagedThere {
        name: remote.name(),
        sequence,
        what,
    }
}

/// The hash that the remote states for an event; `None` if it has no such event.
pub fn hash_at(remote: &dyn Remote, sequence: Sequence) -> Result<Option<Hash>, LogError> {
    if sequence == Sequence::ZERO {
        return Ok(Some(Hash::ZERO));
    }
    let mut hash = None;
    remote.read(Sequence(sequence.0 - 1), sequence, &mut |line| {
        let line = Line::parse(line).map_err(|what| damaged(remote, sequence, what))?;
        hash = (line.sequence == sequence).then_some(line.hash);
        Ok(())
    })?;
    Ok(hash)
}
