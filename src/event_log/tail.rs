//! The end of the log: the head according to the head file, and the bytes after it.
//!
//! `examine` is the only place that reads after the head. From it readers learn where the log ends
//! if the head file is lost, a writer what to publish and to cut, an audit and a repair what to
//! report. It changes nothing.

use std::ops::Range;

use crate::domain::id::Sequence;
use crate::event_log::error::{LogError, Place};
use crate::event_log::head::{Head, HeadFileState, Published};
use crate::event_log::line::Line;
use crate::event_log::reader::check_line;
use crate::event_log::segment;
use crate::event_log::storage::{Access, Storage};

/// The head according to the head file, and everything after it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tail {
    /// [`Head::EMPTY`] if the head file is lost.
    pub head: Head,
    pub head_file: HeadFileState,
    /// The end of the whole batches that continue the head.
    pub end: Head,
    /// The segments that hold these batches, the last one with `end` in it.
    pub(super) whole: Vec<SegmentRange>,
    /// Everything after `end`. Segments that begin after it are listed even if they are empty.
    pub(super) torn: Vec<SegmentRange>,
    /// A bad line that good lines follow: a crash alone does not leave this.
    pub(super) doubtful: Option<(Place, String)>,
}

/// Bytes of one segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentRange {
    pub segment: Sequence,
    pub bytes: Range<u64>,
    /// The first and the last readable line, in a torn range.
    pub sequences: Option<(Sequence, Sequence)>,
}

impl SegmentRange {
    pub fn length(&self) -> u64 {
        self.bytes.end - self.bytes.start
    }
}

/// Who asks to settle a tail. This decides which bytes may be cut:
///
/// | head file | whole batches | a torn end | a bad line that good lines follow |
/// | --- | --- | --- | --- |
/// | sound: the tail was never acknowledged | published | cut | cut |
/// | one slot, or lost: the tail may have been acknowledged | published | damage if `Unasked`, cut if `Approved` | damage |
///
/// One crash tears either a slot of the head or the end of the log. If both are unreadable,
/// acknowledged events may be lost, and only people may decide to continue without them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cutting {
    /// Any command: it cuts only bytes that certainly were never acknowledged.
    Unasked,
    /// People who have seen the tail and kept a copy.
    Approved,
}

const IN_DOUBT: &str = "a batch is not whole, and a slot of the head cannot be read, so the batch may have been acknowledged";

impl Tail {
    /// Checks that a writer may settle this tail: publish the whole batches and cut the rest.
    ///
    /// # Errors
    /// [`LogError::Damaged`] where [`Cutting`] says so.
    pub fn check(&self, cutting: Cutting) -> Result<(), LogError> {
        let found = match (self.head_file, cutting) {
            (HeadFileState::Sound, _) => None,
            (_, Cutting::Unasked) => self.doubtful.clone().or_else(|| self.in_doubt()),
            (_, Cutting::Approved) => self.doubtful.clone(),
        };
        match found {
            Some((place, what)) => Err(LogError::Damaged { place, what }),
            None => Ok(()),
        }
    }

    /// The last event that counts as acknowledged. If the head file is not sound, all whole batches
    /// count.
    ///
    /// # Errors
    /// [`LogError::Damaged`] if the head file is not sound and the tail does not end with a whole
    /// batch.
    pub fn acknowledged(&self) -> Result<Head, LogError> {
        self.check(Cutting::Unasked)?;
        Ok(match self.head_file {
            HeadFileState::Sound => self.head,
            HeadFileState::OneSlot | HeadFileState::Lost => self.end,
        })
    }

    /// The place at which the tail stops being whole batches, if there is one.
    pub(super) fn in_doubt(&self) -> Option<(Place, String)> {
        let place = Place {
            segment: segment::file_name(self.end.segment),
            byte: self.end.position,
            sequence: self.end.sequence.next(),
        };
        (!self.torn.is_empty()).then(|| (place, IN_DOUBT.to_owned()))
    }

    /// The number of events of whole batches that were not acknowledged. If the head file is lost,
    /// it is unknown which these are, so none is counted.
    pub fn late_events(&self) -> u64 {
        match self.head_file {
            HeadFileState::Sound | HeadFileState::OneSlot => {
                self.end.sequence.0 - self.head.sequence.0
            }
            HeadFileState::Lost => 0,
        }
    }

    pub fn torn_bytes(&self) -> u64 {
        self.torn.iter().map(SegmentRange::length).sum()
    }

    /// The number of bytes after `head`, whole or torn.
    pub(super) fn bytes(&self) -> u64 {
        self.whole.iter().map(SegmentRange::length).sum::<u64>() + self.torn_bytes()
    }

    /// The ranges that settling would cut. An empty segment that the next append would begin is not
    /// cut.
    pub fn cuts(&self) -> impl Iterator<Item = &SegmentRange> {
        let next = self.end.sequence.next();
        self.torn
            .iter()
            .filter(move |range| range.length() > 0 || range.segment > next)
    }

    /// Whether there is nothing to publish and nothing to cut.
    pub fn is_settled(&self) -> bool {
        self.head_file == HeadFileState::Sound
            && self.late_events() == 0
            && self.cuts().next().is_none()
    }
}

/// Whether an append after `head` would meet other bytes. Cheap: it reads the length of one file
/// and looks for the next.
///
/// # Errors
/// [`LogError::Damaged`] if the log ends before the head.
pub(super) fn is_in_the_way(storage: &dyn Storage, head: &Head) -> Result<bool, LogError> {
    let length = length_up_to(storage, head)?;
    let next = head.sequence.next();
    Ok(length > head.position || next != head.segment && length_if_there(storage, next)?.is_some())
}

/// The length of the segment of the head, which must reach the head.
fn length_up_to(storage: &dyn Storage, head: &Head) -> Result<u64, LogError> {
    let length = length_if_there(storage, head.segment)?.unwrap_or(0);
    if length < head.position {
        let place = Place {
            segment: segment::file_name(head.segment),
            byte: length,
            sequence: head.sequence,
        };
        let what = format!(
            "the segment ends here, but {} bytes are acknowledged",
            head.position
        );
        return Err(LogError::Damaged { place, what });
    }
    Ok(length)
}

fn length_if_there(storage: &dyn Storage, first: Sequence) -> Result<Option<u64>, LogError> {
    match storage.open(&segment::file_name(first), Access::Read) {
        Ok(file) => file
            .len()
            .map(Some)
            .map_err(|source| segment::io_error(storage, "measure", first, source)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(segment::io_error(storage, "open", first, source)),
    }
}

/// Reads from the published head to the end of the files.
///
/// # Errors
/// [`LogError::Damaged`] if the log ends before the head.
pub(super) fn examine(storage: &dyn Storage, published: &Published) -> Result<Tail, LogError> {
    let head = published.head;
    length_up_to(storage, &head)?;
    let segments: Vec<_> = segment::list(storage)?
        .into_iter()
        .filter(|first| *first == head.segment || *first > head.sequence)
        .collect();
    let mut scan = Scan {
        end: head,
        open: head,
        more: 0,
        bad: None,
        good_after_bad: false,
    };
    for first in &segments {
        scan.segment(storage, *first, start_of(*first, &head))?;
    }
    scan.finish(storage, &segments, published)
}

/// The first byte of a segment that lies after `head`.
fn start_of(segment: Sequence, head: &Head) -> u64 {
    if segment == head.segment {
        head.position
    } else {
        0
    }
}

struct Scan {
    /// The end of the last whole batch.
    end: Head,
    /// The end of the last good line.
    open: Head,
    /// The number of events that the batch of the last good line still lacks.
    more: u64,
    bad: Option<(Place, String)>,
    good_after_bad: bool,
}

impl Scan {
    fn segment(
        &mut self,
        storage: &dyn Storage,
        first: Sequence,
        from: u64,
    ) -> Result<(), LogError> {
        if first != self.open.segment && (first != self.open.sequence.next() || self.more > 0) {
            self.bad(
                first,
                0,
                "the segment does not continue the one before it".to_owned(),
            );
        }
        let bytes = segment::read_from(storage, first, from)?;
        let mut offset = 0;
        while let Some(length) = memchr::memchr(b'\n', &bytes[offset..]) {
            self.line(&bytes[offset..offset + length], first, from + offset as u64);
            offset += length + 1;
        }
        if offset < bytes.len() {
            let byte = from + offset as u64;
            self.bad(first, byte, "the line has no end".to_owned());
        }
        Ok(())
    }

    /// Notes the first bad place.
    fn bad(&mut self, first: Sequence, byte: u64, what: String) {
        let sequence = self.open.sequence.next();
        self.bad.get_or_insert_with(|| {
            let segment = segment::file_name(first);
            let place = Place {
                segment,
                byte,
                sequence,
            };
            (place, what)
        });
    }

    fn line(&mut self, bytes: &[u8], first: Sequence, byte: u64) {
        if self.bad.is_some() {
            self.good_after_bad |= Line::parse(bytes).is_ok();
            return;
        }
        let more = Some(self.more).filter(|more| *more > 0);
        match check_line(bytes, self.open.sequence.next(), &self.open.hash, more) {
            Ok(line) => {
                let position = byte + bytes.len() as u64 + 1;
                self.open = Head {
                    sequence: line.sequence,
                    hash: line.hash,
                    segment: first,
                    position,
                };
                self.more = line.more;
                if line.more == 0 {
                    self.end = self.open;
                }
            }
            Err(what) => self.bad(first, byte, what),
        }
    }

    fn finish(
        self,
        storage: &dyn Storage,
        segments: &[Sequence],
        published: &Published,
    ) -> Result<Tail, LogError> {
        let end = self.end;
        let (mut whole, mut torn) = (Vec::new(), Vec::new());
        for first in segments {
            let length = segment::length(storage, *first)?;
            if *first > end.segment {
                torn.push(torn_stretch(storage, *first, 0..length)?);
                continue;
            }
            let start = start_of(*first, &published.head);
            let stop = if *first == end.segment {
                end.position
            } else {
                length
            };
            whole.push(SegmentRange {
                segment: *first,
                bytes: start..stop,
                sequences: None,
            });
            if stop < length {
                torn.push(torn_stretch(storage, *first, stop..length)?);
            }
        }
        Ok(Tail {
            head: published.head,
            head_file: published.head_file,
            end,
            whole,
            torn,
            doubtful: self
                .bad
                .filter(|_| self.good_after_bad)
                .map(|(place, what)| (place, format!("{what}, and good lines follow"))),
        })
    }
}

fn torn_stretch(
    storage: &dyn Storage,
    segment: Sequence,
    bytes: Range<u64>,
) -> Result<SegmentRange, LogError> {
    let text = segment::read_from(storage, segment, bytes.start)?;
    let lines = text
        .split(|byte| *byte == b'\n')
        .filter_map(|line| Line::parse(line).ok());
    let mut sequences = lines.map(|line| line.sequence);
    let first = sequences.next();
    let sequences = first.map(|first| (first, sequences.next_back().unwrap_or(first)));
    Ok(SegmentRange {
        segment,
        bytes,
        sequences,
    })
}
