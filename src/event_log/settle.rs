//! What stands behind the head, said before it is settled, and the lock under which nobody else
//! settles it meanwhile.
//!
//! A writer settles in passing whatever would be in its way ([`crate::event_log::recovery`]). This is
//! for whoever wants to see it first, and keep it.

use crate::domain::id::Sequence;
use crate::event_log::error::LogError;
use crate::event_log::head::{Head, HeadFile};
use crate::event_log::line::Line;
use crate::event_log::recovery::{self, Recovery};
use crate::event_log::storage::{Access, Storage};
use crate::event_log::writer::{Cutting, Writer};
use crate::event_log::{FileLog, Patience, segment};

/// What settling would do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unsettled {
    pub head_file: HeadFileState,
    /// Whole batches that were written and not acknowledged: their events would be published.
    pub late_events: u64,
    /// Bytes that would be cut off.
    pub cuts: Vec<Cut>,
    /// The head there would be.
    pub head: Head,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeadFileState {
    Sound,
    /// One of two slots cannot be read; the other tells the head.
    HalfBad,
    /// It is missing, or nothing in it can be read: the segments tell the head.
    Lost,
}

/// The end of a segment, or all of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cut {
    pub segment: Sequence,
    pub byte: u64,
    pub bytes: u64,
    /// Those of its lines that can be read.
    pub sequences: Option<(Sequence, Sequence)>,
}

impl Unsettled {
    pub fn is_nothing(&self) -> bool {
        self.head_file == HeadFileState::Sound && self.late_events == 0 && self.cuts.is_empty()
    }
}

/// The writer lock, held, with nothing settled yet.
pub struct LockedLog<'l> {
    log: &'l FileLog,
    head_file: HeadFile,
}

impl FileLog {
    /// What settling would do now. Nothing is written and no lock is taken.
    ///
    /// # Errors
    /// [`LogError::Damaged`] if the head or a slot of it is lost and the log damaged behind what is
    /// left of it, so that nothing tells where it ends.
    pub fn unsettled(&self) -> Result<Unsettled, LogError> {
        let storage = self.storage();
        let Some(head_file) = HeadFile::open(storage, Access::Read)? else {
            if segment::list(storage)?.is_empty() {
                return Err(LogError::Missing {
                    path: storage.path(""),
                });
            }
            return behind_lost_head(storage);
        };
        let Some(published) = head_file.published(storage)? else {
            return behind_lost_head(storage);
        };
        let head = published.head;
        let (state, tail) = if published.is_alone {
            (
                HeadFileState::HalfBad,
                recovery::behind_what_is_left(storage, head)?,
            )
        } else {
            (HeadFileState::Sound, recovery::examine(storage, head)?)
        };
        Ok(Unsettled {
            head_file: state,
            late_events: tail.head.sequence.0 - head.sequence.0,
            cuts: cuts(storage, &tail.head)?,
            head: tail.head,
        })
    }

    /// Takes the writer lock and settles nothing.
    ///
    /// # Errors
    /// [`LogError::Locked`]
    pub fn lock_unsettled(&self, patience: &Patience) -> Result<LockedLog<'_>, LogError> {
        let head_file = self.locked_head_file(patience)?;
        let _ = head_file.name_holder(&patience.holder);
        Ok(LockedLog {
            log: self,
            head_file,
        })
    }
}

fn behind_lost_head(storage: &dyn Storage) -> Result<Unsettled, LogError> {
    let head = recovery::behind_what_is_left(storage, Head::EMPTY)?.head;
    Ok(Unsettled {
        head_file: HeadFileState::Lost,
        late_events: 0,
        cuts: cuts(storage, &head)?,
        head,
    })
}

/// Everything behind `head`.
fn cuts(storage: &dyn Storage, head: &Head) -> Result<Vec<Cut>, LogError> {
    let mut cuts = Vec::new();
    for first in segment::list(storage)? {
        let byte = match first {
            _ if first == head.segment => head.position,
            _ if first > head.sequence => 0,
            _ => continue,
        };
        let bytes = recovery::read_from(storage, first, byte)?;
        if !bytes.is_empty() || first > head.sequence.next() {
            cuts.push(Cut {
                segment: first,
                byte,
                bytes: bytes.len() as u64,
                sequences: sequences(&bytes),
            });
        }
    }
    Ok(cuts)
}

fn sequences(bytes: &[u8]) -> Option<(Sequence, Sequence)> {
    let lines = bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|line| Line::parse(line).ok());
    let mut sequences = lines.map(|line| line.sequence);
    let first = sequences.next()?;
    Some((first, sequences.next_back().unwrap_or(first)))
}

impl LockedLog<'_> {
    /// Publishes whole batches behind the head, cuts what else is there, and writes both slots of
    /// the head anew where one was bad.
    ///
    /// # Errors
    /// If the log is damaged or cannot be written.
    pub fn settle(self) -> Result<(Head, Recovery), LogError> {
        let mut writer = Writer::open(
            self.log.storage(),
            self.head_file,
            u64::MAX,
            Cutting::Approved,
        )?;
        writer.settle_the_rest()?;
        Ok((*writer.head(), writer.recovery()))
    }
}
