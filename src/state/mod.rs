//! The state index: users, tasks and idempotency keys in SQLite, from which commands decide.
//!
//! It is a consumer like the others. Rows and checkpoint change in one transaction, and it is never
//! ahead of the log's head. Every reader first brings it to the head, so a lagging index can never
//! cause a wrong decision.

mod apply;
mod beginnings;
pub mod checked_pages;
mod damage;
mod error;
mod index;
mod inspect;
mod place;
mod query;
mod replacement;
mod resolutions;
pub(crate) mod row;
mod sqlite_file;

pub use error::StateError;
pub use index::{Followed, StateIndex};
pub use inspect::ComparedTable;
pub use place::LiveFile;
pub use query::{GivenCommand, HandOver, HeldTask, TaskName, TaskRow, TextChange, WantedTasks};
pub use replacement::move_aside;
pub use resolutions::Resolution;
pub use sqlite_file::{Check, Layout, Opened, SqliteFile, sqlite_version};

use std::borrow::Cow;

use crate::domain::event::{Actor, Event};
use crate::domain::id::{EventId, Sequence};
use crate::domain::time::EventTime;
use crate::event_log::{Batch, FileLog, Hash, Head, Line, LogError};

/// An event with its place in the log.
#[derive(Clone, Debug)]
pub struct Recorded<'a> {
    pub sequence: Sequence,
    pub id: EventId,
    pub time: EventTime,
    /// The number of events of the same batch that still follow.
    pub more: u64,
    pub actor: Actor,
    pub command_id: Cow<'a, str>,
    pub command_hash: Option<Hash>,
    /// The event that caused this one.
    pub causation: Option<EventId>,
    pub event: Cow<'a, Event>,
}

impl<'a> Recorded<'a> {
    /// # Errors
    /// If the line cannot be decoded.
    pub fn from_line(line: &Line<'_>) -> Result<Recorded<'static>, LogError> {
        Ok(Recorded {
            sequence: line.sequence,
            id: line.event_id()?,
            time: line.event_time()?,
            more: line.more,
            actor: line.acting()?,
            command_id: Cow::Owned(line.command_id().into_owned()),
            command_hash: line.command_hash.and_then(|hash| hash.parse().ok()),
            causation: line.causation_id.and_then(|id| id.parse().ok()),
            event: Cow::Owned(line.event()?),
        })
    }

    /// The events of a batch that was, or will be, appended from `first` on.
    pub fn of_batch(batch: &'a Batch, first: Sequence) -> impl Iterator<Item = Recorded<'a>> {
        let count = batch.facts.len() as u64;
        batch
            .facts
            .iter()
            .zip(0..)
            .map(move |(fact, index)| Recorded {
                sequence: first.plus(index),
                id: fact.id,
                time: batch.time,
                more: count - 1 - index,
                actor: batch.actor,
                command_id: Cow::Borrowed(&batch.command_id),
                command_hash: batch.command_hash.filter(|_| index == 0),
                causation: fact.causation,
                event: Cow::Borrowed(&fact.event),
            })
    }
}

/// The progress of a consumer: the last event that it applied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    pub sequence: Sequence,
    pub hash: Hash,
}

impl Checkpoint {
    /// Before the first event.
    pub const START: Checkpoint = Checkpoint {
        sequence: Sequence::ZERO,
        hash: Hash::ZERO,
    };

    /// Whether the checkpoint belongs to this log, and not to another one or to a part that was
    /// rolled back.
    pub fn is_of(&self, log: &FileLog) -> Result<bool, LogError> {
        match log.read_after(self.sequence, &self.hash) {
            Ok(_) => Ok(true),
            Err(LogError::NotOnChain { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl From<&Head> for Checkpoint {
    fn from(head: &Head) -> Checkpoint {
        Checkpoint {
            sequence: head.sequence,
            hash: head.hash,
        }
    }
}
