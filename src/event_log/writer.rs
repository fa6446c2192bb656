//! Appends a batch: write, sync, send to the remote if there is one, publish the head.

mod adopting;
mod following;

use crate::domain::id::Sequence;
use crate::domain::time::EventTime;
use crate::event_log::encode::{Batch, Encoded};
use crate::event_log::error::LogError;
use crate::event_log::hash::Hash;
use crate::event_log::head::{Head, HeadFile, HeadFileState, Published};
use crate::event_log::reader::check_line;
use crate::event_log::remote::{End, Remote, Turn};
use crate::event_log::segment::{self, Segment, io_error};
use crate::event_log::storage::{Access, Storage, StorageFile};
use crate::event_log::tail::{self, Cutting, SegmentRange, Tail};

/// Holds the writer lock. Dropping it releases the lock.
pub struct Writer<'s> {
    storage: &'s dyn Storage,
    head_file: HeadFile,
    head: Head,
    /// The slot that holds `head`.
    slot: usize,
    last_time: Option<EventTime>,
    segment: Option<Box<dyn StorageFile>>,
    segment_bytes_max: u64,
    recovery: Recovery,
    poisoned: bool,
    /// The remote, if the log is a copy.
    link: Option<Link<'s>>,
}

/// The remote of a writer.
pub(super) struct Link<'s> {
    pub remote: &'s dyn Remote,
    pub sending: Sending<'s>,
}

/// What a writer sends to the remote.
pub(super) enum Sending<'s> {
    /// Everything that it appends, and what an earlier writer may not have sent.
    InTurn(Turn<'s>),
    /// Nothing: it is a draft, on which appending is the same otherwise.
    Drafted,
    /// Nothing: it only fetches.
    Nothing,
}

/// The changes that a writer made to the tail before its first append.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Recovery {
    /// Events of whole batches that were published late.
    pub published_events: u64,
    /// Bytes of a torn tail that were cut off.
    pub cut_bytes: u64,
}

impl Recovery {
    pub fn happened(self) -> bool {
        self != Recovery::default()
    }
}

/// A batch that is durable in its segment and not acknowledged yet. Only publishing it returns the
/// new head.
#[must_use = "a batch that is not published was not appended"]
struct Unpublished {
    head: Head,
}

impl<'s> Writer<'s> {
    /// Takes over a locked head file: settles the tail, checks the last acknowledged line.
    pub(super) fn open(
        storage: &'s dyn Storage,
        head_file: HeadFile,
        segment_bytes_max: u64,
        cutting: Cutting,
        link: Option<Link<'s>>,
    ) -> Result<Writer<'s>, LogError> {
        if head_file.is_copy() && link.is_none() {
            return Err(LogError::Unreachable {
                name: storage.path("").display().to_string(),
                what: "its remote was not opened".to_owned(),
            });
        }
        let published = head_file.published(storage)?;
        let mut writer = Writer {
            storage,
            head_file,
            head: published.head,
            slot: published.slot,
            last_time: None,
            segment: None,
            segment_bytes_max,
            recovery: Recovery::default(),
            poisoned: false,
            link,
        };
        if writer.link.is_some() {
            writer.follow(published)?;
        } else {
            writer.recover(published, cutting)?;
        }
        writer.last_time = writer.read_last_time()?;
        Ok(writer)
    }

    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The time of the last event; the next one is not earlier.
    pub fn last_time(&self) -> Option<EventTime> {
        self.last_time
    }

    /// The clock of the remote when this turn was taken.
    pub fn time_there(&self) -> Option<(EventTime, String)> {
        match &self.link {
            Some(Link {
                remote,
                sending: Sending::InTurn(turn),
            }) => Some((turn.standing.time?, remote.name())),
            _ => None,
        }
    }

    /// The changes that were made to the tail when the lock was taken.
    pub fn recovery(&self) -> Recovery {
        self.recovery
    }

    /// In a draft the tail on the disk was not changed.
    pub(super) fn forget_recovery(&mut self) {
        self.recovery = Recovery::default();
    }

    /// Writes the name of the lock holder into the head file.
    pub(super) fn name_holder(&self, holder: &str) {
        // It only serves messages.
        let _ = self.head_file.name_holder(holder);
    }

    fn recover(&mut self, published: Published, cutting: Cutting) -> Result<(), LogError> {
        let is_sound = published.head_file == HeadFileState::Sound;
        if is_sound && !tail::is_in_the_way(self.storage, &self.head)? {
            return Ok(());
        }
        let tail = tail::examine(self.storage, &published)?;
        tail.check(cutting)?;
        self.settle(&tail)
    }

    /// Also settles bytes that no append would meet yet: segments further after the head.
    pub(super) fn settle_the_rest(&mut self) -> Result<(), LogError> {
        let published = Published {
            head: self.head,
            slot: self.slot,
            head_file: HeadFileState::Sound,
        };
        let tail = tail::examine(self.storage, &published)?;
        if tail.torn.is_empty() {
            Ok(())
        } else {
            self.settle(&tail)
        }
    }

    fn settle(&mut self, tail: &Tail) -> Result<(), LogError> {
        let outcome = self.cut_and_publish(tail);
        self.poisoned = outcome.is_err();
        outcome?;
        self.recovery.published_events += tail.end.sequence.0 - tail.head.sequence.0;
        self.recovery.cut_bytes += tail.torn_bytes();
        Ok(())
    }

    fn cut_and_publish(&mut self, tail: &Tail) -> Result<(), LogError> {
        failpoint!("recovery.before_cut");
        let behind = |range: &&SegmentRange| range.segment > tail.end.segment;
        for SegmentRange { segment: first, .. } in tail.torn.iter().rev().filter(behind) {
            let name = segment::file_name(*first);
            self.storage
                .remove(&name)
                .map_err(|source| io_error(self.storage, "remove", *first, source))?;
        }
        for range in &tail.whole {
            self.make_durable(range, tail.head_file)?;
        }
        self.sync_directory()?;
        failpoint!("recovery.before_publish");
        if tail.head_file != HeadFileState::Sound || tail.end != self.head {
            self.publish(tail.end)?;
        }
        // Both slots are written before anything is appended, so an unreadable slot was always
        // lost.
        if tail.head_file == HeadFileState::Lost {
            self.publish(tail.end)
        } else {
            Ok(())
        }
    }

    /// Cuts a segment after `range` and makes the rest of it durable. The process that wrote it may
    /// have died of a failed fsync, after which a second one succeeds without writing anything; so
    /// bytes that are published late are written again. If the head file is lost, that would be the
    /// whole log, almost all of it acknowledged before, so nothing is written again then.
    fn make_durable(&self, range: &SegmentRange, head_file: HeadFileState) -> Result<(), LogError> {
        let SegmentRange {
            segment: first,
            bytes,
            ..
        } = range;
        let file = segment::open(self.storage, *first, Access::Write)?;
        let io = |source| io_error(self.storage, "recover", *first, source);
        file.truncate(bytes.end).map_err(io)?;
        if head_file != HeadFileState::Lost && !bytes.is_empty() {
            let again = segment::read_from(self.storage, *first, bytes.start)?;
            file.write_at(&again, bytes.start).map_err(io)?;
        }
        file.sync().map_err(io)
    }

    fn read_last_time(&self) -> Result<Option<EventTime>, LogError> {
        if self.head.sequence == Sequence::ZERO {
            return Ok(None);
        }
        let segment = Segment::open(self.storage, self.head.segment, &self.head)?;
        let (start, bytes) = segment.line_before(self.head.position)?;
        let damaged = |what| LogError::Damaged {
            place: segment.place(start, self.head.sequence),
            what,
        };
        let previous = self.hash_before_last(&segment, start)?;
        let line = check_line(&bytes, self.head.sequence, &previous, None).map_err(damaged)?;
        if line.hash != self.head.hash {
            return Err(damaged(
                "the last line is not the one the head names".to_owned(),
            ));
        }
        line.event_time().map(Some)
    }

    /// The stated hash of the line before the last one, which begins at `start` of `segment`.
    fn hash_before_last(&self, segment: &Segment, start: u64) -> Result<Hash, LogError> {
        let Some(sequence) = self
            .head
            .sequence
            .0
            .checked_sub(1)
            .filter(|before| *before > 0)
            .map(Sequence)
        else {
            return Ok(Hash::ZERO);
        };
        if start > 0 {
            return Ok(segment.checked_line_before(start, sequence)?.line().hash);
        }
        let earlier = segment::list(self.storage)?
            .into_iter()
            .rev()
            .find(|first| *first < segment.first);
        let earlier = Segment::open(self.storage, earlier.unwrap_or(Sequence::FIRST), &self.head)?;
        Ok(earlier
            .checked_line_before(earlier.end, sequence)?
            .line()
            .hash)
    }

    /// Appends a batch: all its events become visible together, durably, or none does.
    ///
    /// # Errors
    /// [`LogError::HeadMoved`] if `expected` is not the head, [`LogError::OutOfBounds`] if no
    /// reader would accept the batch, [`LogError::Unreachable`] and [`LogError::Refused`] if the
    /// remote did not take it; nothing is written. Any other error poisons the writer: the next
    /// recovery decides whether the batch reached the disk, and on a copy the remote.
    ///
    /// # Panics
    /// On an empty batch and on a batch before the last event: bugs of the caller.
    pub fn append(&mut self, expected: &Head, batch: &Batch) -> Result<Head, LogError> {
        self.append_group(expected, std::slice::from_ref(batch))
    }

    /// Appends several batches with one write and one publication. They become visible together. A
    /// crash leaves the first of them, each whole.
    ///
    /// # Errors
    /// As [`Writer::append`].
    ///
    /// # Panics
    /// As [`Writer::append`].
    pub fn append_group(&mut self, expected: &Head, batches: &[Batch]) -> Result<Head, LogError> {
        self.append_encoded(&Encoded::behind(expected.sequence, expected.hash, batches)?)
    }

    /// Appends encoded lines.
    ///
    /// # Errors
    /// [`LogError::HeadMoved`] if the head is not the event that they follow; nothing is written.
    /// Otherwise as [`Writer::append`].
    ///
    /// # Panics
    /// If their time is before that of the last event.
    pub fn append_encoded(&mut self, encoded: &Encoded) -> Result<Head, LogError> {
        if self.poisoned {
            return Err(LogError::Poisoned);
        }
        if !encoded.follows(self.head.sequence, self.head.hash) {
            return Err(LogError::HeadMoved {
                expected: encoded.follows.0,
                actual: self.head.sequence,
            });
        }
        assert!(
            self.last_time.is_none_or(|last| encoded.first_time >= last),
            "event times never decrease"
        );
        self.poisoned = true;
        let Unpublished { head } = self.write(encoded.last, &encoded.lines)?;
        self.send(encoded)?;
        self.publish(head)?;
        self.last_time = Some(encoded.last_time);
        self.poisoned = false;
        Ok(head)
    }

    fn write(&mut self, (sequence, hash): End, lines: &[u8]) -> Result<Unpublished, LogError> {
        let (segment_first, position) = self.place_for(lines.len() as u64);
        let file = self.segment_file(segment_first)?;
        failpoint!("log.before_write");
        failpoint!(
            "log.mid_line",
            file.write_at(&lines[..lines.len() / 2], position)
        );
        let written = file.write_at(lines, position).and_then(|()| {
            failpoint!("log.before_sync");
            file.sync()
        });
        written.map_err(|source| io_error(self.storage, "write", segment_first, source))?;
        failpoint!("log.before_publish");
        let position = position + lines.len() as u64;
        Ok(Unpublished {
            head: Head {
                sequence,
                hash,
                segment: segment_first,
                position,
            },
        })
    }

    /// The place of the next batch. A batch never spans two segments.
    fn place_for(&mut self, length: u64) -> (Sequence, u64) {
        let full = self.head.position > 0 && self.head.position + length > self.segment_bytes_max;
        if !full {
            return (self.head.segment, self.head.position);
        }
        self.segment = None;
        (self.head.sequence.next(), 0)
    }

    fn segment_file(&mut self, first: Sequence) -> Result<&dyn StorageFile, LogError> {
        if self.segment.is_none() {
            let is_new = self.head.position == 0 || first != self.head.segment;
            let access = if is_new {
                Access::Create
            } else {
                Access::Write
            };
            self.segment = Some(segment::open(self.storage, first, access)?);
            if is_new {
                failpoint!("log.new_segment");
                self.sync_directory()?;
            }
        }
        Ok(self.segment.as_deref().expect("opened above"))
    }

    fn sync_directory(&self) -> Result<(), LogError> {
        self.storage
            .sync_directory()
            .map_err(|source| LogError::Io {
                action: "sync",
                path: self.storage.path(""),
                source,
            })
    }

    fn publish(&mut self, head: Head) -> Result<(), LogError> {
        let slot = 1 - self.slot;
        self.head_file
            .publish(head, slot)
            .map_err(|source| LogError::Io {
                action: "publish",
                path: self.storage.path(crate::event_log::head::HEAD_FILE),
                source,
            })?;
        self.head = head;
        self.slot = slot;
        Ok(())
    }
}
