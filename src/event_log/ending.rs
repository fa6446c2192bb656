//! How the log ends and who writes to it, for whoever only looks. Nothing is changed here.

use crate::domain::id::Sequence;
use crate::event_log::error::LogError;
use crate::event_log::head::{HEAD_FILE, Head, HeadFile};
use crate::event_log::segment::OwnedLine;
use crate::event_log::storage::Access;
use crate::event_log::{FileLog, recovery};

/// The head, and what stands beyond it.
pub struct Ending {
    pub head: Head,
    /// `None` in a log without events.
    pub last: Option<OwnedLine>,
    pub head_file: HeadFileState,
    /// Of whole batches that the next writer publishes.
    pub unpublished_events: u64,
    /// Of a torn batch, which the next writer cuts.
    pub torn_bytes: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeadFileState {
    Sound,
    /// The next writer makes it anew.
    Missing,
    /// The other slot holds the head.
    OneSlotBad,
}

impl FileLog {
    /// Reads the head, the last line and everything beyond.
    ///
    /// # Errors
    /// The damage that keeps the end from being read.
    pub fn ending(&self) -> Result<Ending, LogError> {
        let (head, head_file) = (self.head()?, self.head_file_state()?);
        let last = (head.sequence > Sequence::ZERO)
            .then(|| self.line(head.sequence))
            .transpose()?;
        let tail = recovery::examine(self.storage(), head)?;
        let unpublished_events = tail.head.sequence.0 - head.sequence.0;
        Ok(Ending {
            head,
            last,
            head_file,
            unpublished_events,
            torn_bytes: tail.excess_bytes,
        })
    }

    fn head_file_state(&self) -> Result<HeadFileState, LogError> {
        let Some(file) = HeadFile::open(self.storage(), Access::Read)? else {
            return Ok(HeadFileState::Missing);
        };
        let published = file.published(self.storage())?;
        Ok(if published.is_some_and(|published| published.is_alone) {
            HeadFileState::OneSlotBad
        } else {
            HeadFileState::Sound
        })
    }

    /// Who holds the writer lock, in his own words; `None` if nobody does. The lock is tried and let
    /// go at once.
    ///
    /// # Errors
    /// If the head file cannot be opened or locked.
    pub fn writer_lock_holder(&self) -> Result<Option<String>, LogError> {
        let Some(file) = HeadFile::open(self.storage(), Access::Read)? else {
            return Ok(None);
        };
        let is_free = file.try_lock().map_err(|source| LogError::Io {
            action: "lock",
            path: self.storage().path(HEAD_FILE),
            source,
        })?;
        Ok((!is_free).then(|| file.holder()))
    }
}
