//! Reads acknowledged lines in order, each checked against the hash chain.

use crate::domain::id::Sequence;
use crate::event_log::error::{LogError, Place};
use crate::event_log::hash::Hash;
use crate::event_log::head::Head;
use crate::event_log::line::Line;
use crate::event_log::segment::{self, Segment};
use crate::event_log::storage::Storage;

const CHUNK_BYTES: usize = 1 << 20;
/// Far longer than any line; a longer one has lost its line breaks.
const LINE_BYTES_MAX: usize = 64 << 20;

/// Returns the lines from a sequence up to the head with which it was opened. Never writes.
pub struct Reader<'s> {
    storage: &'s dyn Storage,
    head: Head,
    segments: Vec<Sequence>,
    current: Option<Segment>,
    /// Offset in the segment of the first byte of `buffer`.
    buffer_offset: u64,
    /// File contents up to `filled`; the bytes up to `consumed` were returned.
    buffer: Vec<u8>,
    filled: usize,
    consumed: usize,
    next: Sequence,
    previous_hash: Hash,
    /// `more` of the previous line, if one was read.
    previous_more: Option<u64>,
}

impl<'s> Reader<'s> {
    /// A reader whose first line is the one after `after`.
    ///
    /// # Errors
    /// [`LogError::NotOnChain`] if the line `after` is not there or has another hash.
    pub(super) fn after(
        storage: &'s dyn Storage,
        head: Head,
        after: Sequence,
        hash: &Hash,
    ) -> Result<Self, LogError> {
        let mut reader = Reader::from(storage, head, after.next())?;
        if reader.previous_hash != *hash {
            return Err(LogError::NotOnChain { sequence: after });
        }
        reader.previous_more = None;
        Ok(reader)
    }

    /// A reader whose first line is `from`. It takes the hash of the line before as it is stated
    /// there.
    pub(super) fn from(
        storage: &'s dyn Storage,
        head: Head,
        from: Sequence,
    ) -> Result<Self, LogError> {
        let from = from.max(Sequence::FIRST);
        if from > head.sequence.next() {
            return Err(LogError::NotOnChain {
                sequence: Sequence(from.0 - 1),
            });
        }
        let mut reader = Reader {
            storage,
            head,
            segments: segment::list(storage)?,
            current: None,
            buffer_offset: 0,
            buffer: Vec::new(),
            filled: 0,
            consumed: 0,
            next: from,
            previous_hash: Hash::ZERO,
            previous_more: None,
        };
        if from > Sequence::FIRST {
            reader.seek(from)?;
        }
        Ok(reader)
    }

    /// Moves to the end of the line before `from` and takes over its hash.
    fn seek(&mut self, from: Sequence) -> Result<(), LogError> {
        let before = Sequence(from.0 - 1);
        let holder = self
            .segments
            .iter()
            .rev()
            .find(|first| **first <= before)
            .copied();
        let first = holder.ok_or_else(|| self.missing(Sequence::FIRST, before))?;
        let segment = Segment::open(self.storage, first, &self.head)?;
        let end = if from > self.head.sequence {
            self.head.position
        } else {
            segment.seek(from)?
        };
        let line = segment.checked_line_before(end, before)?;
        self.previous_hash = line.line().hash;
        self.buffer_offset = end;
        self.current = Some(segment);
        Ok(())
    }

    fn missing(&self, first: Sequence, sequence: Sequence) -> LogError {
        let place = Place {
            segment: segment::file_name(first),
            byte: 0,
            sequence,
        };
        LogError::Damaged {
            place,
            what: "no segment holds this sequence".into(),
        }
    }

    /// The head up to which this reader reads.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The segment of the last line and the byte after it.
    pub fn position(&self) -> Option<(Sequence, u64)> {
        self.current
            .as_ref()
            .map(|segment| (segment.first, self.buffer_offset + self.consumed as u64))
    }

    /// The next line, or `None` at the head.
    ///
    /// # Errors
    /// [`LogError::Damaged`] at the first line that does not continue the chain.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>, LogError> {
        if self.next > self.head.sequence {
            return Ok(None);
        }
        let (start, end) = self.find_line()?;
        let byte = self.buffer_offset + start as u64;
        let (sequence, previous, more) = (self.next, self.previous_hash, self.previous_more);
        let segment = self.current.as_ref().expect("a line was found in it");
        let damaged = |what| LogError::Damaged {
            place: segment.place(byte, sequence),
            what,
        };
        let line =
            check_line(&self.buffer[start..end], sequence, &previous, more).map_err(damaged)?;
        if sequence == self.head.sequence && line.hash != self.head.hash {
            return Err(damaged(
                "the last line is not the one the head names".to_owned(),
            ));
        }
        self.consumed = end + 1;
        self.next = sequence.next();
        self.previous_hash = line.hash;
        self.previous_more = Some(line.more);
        Ok(Some(line))
    }

    /// Fills the buffer until it holds a whole line. Returns the line's start and the place of its
    /// newline.
    fn find_line(&mut self) -> Result<(usize, usize), LogError> {
        let mut searched = self.consumed;
        loop {
            if let Some(newline) = memchr::memchr(b'\n', &self.buffer[searched..self.filled]) {
                return Ok((self.consumed, searched + newline));
            }
            searched = self.filled - self.consumed;
            if !self.fill()? {
                self.open_next()?;
            }
        }
    }

    /// Reads more bytes; false at the end of the segment.
    fn fill(&mut self) -> Result<bool, LogError> {
        self.buffer.copy_within(self.consumed..self.filled, 0);
        self.buffer_offset += self.consumed as u64;
        self.filled -= self.consumed;
        self.consumed = 0;
        let Some(segment) = &self.current else {
            return Ok(false);
        };
        if self.filled >= LINE_BYTES_MAX {
            let what = "the line has no end".to_owned();
            return Err(LogError::Damaged {
                place: segment.place(self.buffer_offset, self.next),
                what,
            });
        }
        if self.filled == self.buffer.len() {
            let mut larger = vec![0; (self.filled * 2).max(CHUNK_BYTES)];
            larger[..self.filled].copy_from_slice(&self.buffer);
            self.buffer = larger;
        }
        let length = segment.read_at(
            &mut self.buffer[self.filled..],
            self.buffer_offset + self.filled as u64,
        )?;
        self.filled += length;
        Ok(length > 0)
    }

    /// Opens the segment that begins with the next sequence. An empty one is refused, because it
    /// would begin with it again and again.
    fn open_next(&mut self) -> Result<(), LogError> {
        if let Some(segment) = &self.current
            && (self.filled > 0 || segment.first == self.head.segment || segment.first == self.next)
        {
            let what = "the segment ends before this line does".to_owned();
            return Err(LogError::Damaged {
                place: segment.place(self.buffer_offset, self.next),
                what,
            });
        }
        if self.segments.binary_search(&self.next).is_err() {
            return Err(self.missing(self.next, self.next));
        }
        self.current = Some(Segment::open(self.storage, self.next, &self.head)?);
        self.buffer_offset = 0;
        Ok(())
    }
}

/// Checks a line against its expected sequence and the hash before it.
pub(super) fn check_line<'a>(
    bytes: &'a [u8],
    sequence: Sequence,
    previous: &Hash,
    previous_more: Option<u64>,
) -> Result<Line<'a>, String> {
    let line = Line::parse(bytes)?;
    if line.sequence != sequence {
        return Err(format!("found sequence {} instead", line.sequence));
    }
    if line.computed_hash(previous) != line.hash {
        return Err("the hash does not match the line and the one before it".to_owned());
    }
    match previous_more {
        Some(more) if more > 0 && line.more != more - 1 => Err(format!(
            "the batch has {} events to come, but the line before promised {}",
            line.more,
            more - 1
        )),
        _ => Ok(line),
    }
}
