//! What stands beyond the head: batches that were written but never acknowledged, whole or torn.

use crate::domain::id::Sequence;
use crate::event_log::error::{LogError, Place};
use crate::event_log::hash::Hash;
use crate::event_log::head::Head;
use crate::event_log::reader::check_line;
use crate::event_log::segment;
use crate::event_log::storage::{Access, Storage};

/// What a writer did to the tail before it could go on.
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

/// The longest run of whole batches that continues `head`.
pub(super) struct Tail {
    pub head: Head,
    /// Bytes behind it, in its segment and in those that follow.
    pub excess_bytes: u64,
    /// Whether a well-formed line follows the first bad one.
    pub valid_after_bad: Option<Place>,
    /// Segments that begin behind `head`.
    pub excess_segments: Vec<Sequence>,
}

/// Reads on from `head` without a published end.
pub(super) fn examine(storage: &dyn Storage, head: Head) -> Result<Tail, LogError> {
    let mut scan = Scan { head, open: head, more: None, bad: None, valid_after_bad: None };
    let segments = segment::list(storage)?;
    if segments.binary_search(&head.segment).is_ok() {
        scan.segment(storage, head.segment, head.position)?;
    }
    while scan.bad.is_none() && segments.binary_search(&scan.open.sequence.next()).is_ok() {
        let first = scan.open.sequence.next();
        if first == scan.open.segment {
            break;
        }
        scan.segment(storage, first, 0)?;
    }
    scan.finish(storage, &segments)
}

struct Scan {
    /// The end of the last whole batch.
    head: Head,
    /// The end of the last good line.
    open: Head,
    more: Option<u64>,
    bad: Option<Place>,
    valid_after_bad: Option<Place>,
}

impl Scan {
    fn segment(&mut self, storage: &dyn Storage, first: Sequence, from: u64) -> Result<(), LogError> {
        let bytes = read_from(storage, first, from)?;
        let mut offset = 0;
        while let Some(length) = memchr::memchr(b'\n', &bytes[offset..]) {
            self.line(&bytes[offset..offset + length], first, from + offset as u64);
            offset += length + 1;
        }
        if offset < bytes.len() && self.bad.is_none() {
            self.bad = Some(self.place(first, from + offset as u64));
        }
        Ok(())
    }

    fn place(&self, first: Sequence, byte: u64) -> Place {
        Place { segment: segment::file_name(first), byte, sequence: self.open.sequence.next() }
    }

    fn line(&mut self, bytes: &[u8], first: Sequence, byte: u64) {
        if self.bad.is_some() {
            if self.valid_after_bad.is_none() && super::line::Line::parse(bytes).is_ok() {
                self.valid_after_bad = self.bad.clone();
            }
            return;
        }
        let more = self.more.filter(|more| *more > 0);
        match check_line(bytes, self.open.sequence.next(), &self.open.hash, more) {
            Ok(line) => {
                let position = byte + bytes.len() as u64 + 1;
                self.open = Head { sequence: line.sequence, hash: line.hash, segment: first, position };
                self.more = Some(line.more);
                if line.more == 0 {
                    self.head = self.open;
                }
            }
            Err(_) => self.bad = Some(self.place(first, byte)),
        }
    }

    fn finish(self, storage: &dyn Storage, segments: &[Sequence]) -> Result<Tail, LogError> {
        let mut excess_bytes = 0;
        let mut excess_segments = Vec::new();
        for first in segments {
            if *first == self.head.segment {
                excess_bytes += length_of(storage, *first)?.saturating_sub(self.head.position);
            } else if *first > self.head.sequence {
                excess_bytes += length_of(storage, *first)?;
                excess_segments.push(*first);
            }
        }
        Ok(Tail { head: self.head, excess_bytes, valid_after_bad: self.valid_after_bad, excess_segments })
    }
}

/// Finds the head of a log whose head file is missing: the longest valid prefix of whole
/// batches. What follows it may only be a torn tail.
///
/// # Errors
/// [`LogError::Damaged`] if a well-formed line follows a bad one.
pub(super) fn find_head(storage: &dyn Storage) -> Result<Tail, LogError> {
    let tail = examine(storage, Head { hash: Hash::ZERO, ..Head::EMPTY })?;
    match tail.valid_after_bad {
        Some(place) => Err(LogError::Damaged { place, what: "this line is bad, and good lines follow it".to_owned() }),
        None => Ok(tail),
    }
}

fn length_of(storage: &dyn Storage, first: Sequence) -> Result<u64, LogError> {
    let file = segment::open(storage, first, Access::Read)?;
    file.len().map_err(|source| io_error(storage, "measure", first, source))
}

fn read_from(storage: &dyn Storage, first: Sequence, from: u64) -> Result<Vec<u8>, LogError> {
    let file = segment::open(storage, first, Access::Read)?;
    let length = file.len().map_err(|source| io_error(storage, "measure", first, source))?;
    let mut bytes = vec![0; usize::try_from(length.saturating_sub(from)).expect("a segment fits memory")];
    let read = file.read_at(&mut bytes, from).map_err(|source| io_error(storage, "read", first, source))?;
    bytes.truncate(read);
    Ok(bytes)
}

pub(super) fn io_error(
    storage: &dyn Storage,
    action: &'static str,
    first: Sequence,
    source: std::io::Error,
) -> LogError {
    LogError::Io { action, path: storage.path(&segment::file_name(first)), source }
}
