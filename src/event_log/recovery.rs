//! What stands beyond the head: batches that were written but never acknowledged, whole or torn.

use crate::domain::id::Sequence;
use crate::event_log::error::{LogError, Place};
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

/// The longest run of whole batches that continues the head it was examined from.
pub(super) struct Tail {
    pub head: Head,
    /// Where the batches of this run stand.
    pub stretches: Vec<Stretch>,
    /// Bytes behind it, in its segment and in those that follow.
    pub excess_bytes: u64,
    /// Segments that begin behind `head`.
    pub excess_segments: Vec<Sequence>,
    /// The first bad place and what is wrong there, if a well-formed line follows it.
    valid_after_bad: Option<(Place, String)>,
}

impl Tail {
    /// Whether all that was written are whole batches.
    pub fn is_whole(&self) -> bool {
        self.excess_bytes == 0 && self.excess_segments.is_empty()
    }

    /// Where it stops being whole.
    pub fn end(&self) -> Place {
        let Head {
            segment,
            position: byte,
            sequence,
            ..
        } = self.head;
        Place {
            segment: segment::file_name(segment),
            byte,
            sequence: sequence.next(),
        }
    }
}

/// Bytes of one segment.
pub(super) struct Stretch {
    pub segment: Sequence,
    pub bytes: std::ops::Range<u64>,
}

/// Whether anything stands beyond the head. Cheap: the length of one file and the name of the next.
///
/// # Errors
/// [`LogError::Damaged`] if the log ends before the head.
pub(super) fn has_tail(storage: &dyn Storage, head: &Head) -> Result<bool, LogError> {
    let length = length_up_to(storage, head)?;
    let next = head.sequence.next();
    Ok(length > head.position || next != head.segment && length_if_there(storage, next)?.is_some())
}

/// The length of the segment that the head is in, which reaches it.
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
            .map_err(|source| io_error(storage, "measure", first, source)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(io_error(storage, "open", first, source)),
    }
}

/// Reads on from `head` without a published end.
///
/// # Errors
/// As [`has_tail`].
pub(super) fn examine(storage: &dyn Storage, head: Head) -> Result<Tail, LogError> {
    length_up_to(storage, &head)?;
    let segments: Vec<_> = segment::list(storage)?
        .into_iter()
        .filter(|first| *first == head.segment || *first > head.sequence)
        .collect();
    let mut scan = Scan {
        head,
        open: head,
        more: 0,
        bad: None,
        valid_after_bad: false,
    };
    for first in &segments {
        let from = if *first == head.segment {
            head.position
        } else {
            0
        };
        scan.segment(storage, *first, from)?;
    }
    scan.finish(storage, &segments, head)
}

struct Scan {
    /// The end of the last whole batch.
    head: Head,
    /// The end of the last good line.
    open: Head,
    /// Events that the batch of the last good line still lacks.
    more: u64,
    bad: Option<(Place, String)>,
    valid_after_bad: bool,
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
        let bytes = read_from(storage, first, from)?;
        let mut offset = 0;
        while let Some(length) = memchr::memchr(b'\n', &bytes[offset..]) {
            self.line(&bytes[offset..offset + length], first, from + offset as u64);
            offset += length + 1;
        }
        if offset < bytes.len() {
            self.bad(
                first,
                from + offset as u64,
                "the line has no end".to_owned(),
            );
        }
        Ok(())
    }

    /// Notes the first bad place.
    fn bad(&mut self, first: Sequence, byte: u64, what: String) {
        let sequence = self.open.sequence.next();
        self.bad.get_or_insert_with(|| {
            (
                Place {
                    segment: segment::file_name(first),
                    byte,
                    sequence,
                },
                what,
            )
        });
    }

    fn line(&mut self, bytes: &[u8], first: Sequence, byte: u64) {
        if self.bad.is_some() {
            self.valid_after_bad |= super::line::Line::parse(bytes).is_ok();
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
                    self.head = self.open;
                }
            }
            Err(what) => self.bad(first, byte, what),
        }
    }

    fn finish(
        self,
        storage: &dyn Storage,
        segments: &[Sequence],
        examined_from: Head,
    ) -> Result<Tail, LogError> {
        let mut tail = Tail {
            head: self.head,
            stretches: Vec::new(),
            excess_bytes: 0,
            excess_segments: Vec::new(),
            valid_after_bad: self.bad.filter(|_| self.valid_after_bad),
        };
        for first in segments {
            let length = length_of(storage, *first)?;
            if *first > self.head.segment {
                tail.excess_bytes += length;
                tail.excess_segments.push(*first);
                continue;
            }
            let start = if *first == examined_from.segment {
                examined_from.position
            } else {
                0
            };
            let end = if *first == self.head.segment {
                self.head.position
            } else {
                length
            };
            tail.excess_bytes += length - end;
            tail.stretches.push(Stretch {
                segment: *first,
                bytes: start..end,
            });
        }
        Ok(tail)
    }
}

/// The tail behind what is left of the head: [`Head::EMPTY`] if all of it is lost, the head of one
/// slot if the other is. Whole batches of it may have been acknowledged.
///
/// # Errors
/// [`LogError::Damaged`] if a well-formed line follows a bad one.
pub(super) fn behind_what_is_left(storage: &dyn Storage, head: Head) -> Result<Tail, LogError> {
    let mut tail = examine(storage, head)?;
    match tail.valid_after_bad.take() {
        Some((place, what)) => Err(LogError::Damaged {
            place,
            what: format!("{what}, and good lines follow"),
        }),
        None => Ok(tail),
    }
}

/// What is wrong with a tail that is not made of whole batches where the head is lost, or a slot of it.
pub(super) const IN_DOUBT: &str = "a batch is not whole, and since a slot of the head cannot be read, nothing tells whether it was acknowledged";

/// The same for whoever reads on or would cut it without asking. One crash tears either a slot of
/// the head or the end of the log: where both are unreadable, something acknowledged may be.
///
/// # Errors
/// [`LogError::Damaged`] unless it is made of whole batches.
pub(super) fn whole_behind_what_is_left(
    storage: &dyn Storage,
    head: Head,
) -> Result<Tail, LogError> {
    let tail = behind_what_is_left(storage, head)?;
    if tail.is_whole() {
        Ok(tail)
    } else {
        Err(LogError::Damaged {
            place: tail.end(),
            what: IN_DOUBT.to_owned(),
        })
    }
}

fn length_of(storage: &dyn Storage, first: Sequence) -> Result<u64, LogError> {
    let file = segment::open(storage, first, Access::Read)?;
    file.len()
        .map_err(|source| io_error(storage, "measure", first, source))
}

pub(super) fn read_from(
    storage: &dyn Storage,
    first: Sequence,
    from: u64,
) -> Result<Vec<u8>, LogError> {
    let file = segment::open(storage, first, Access::Read)?;
    let length = file
        .len()
        .map_err(|source| io_error(storage, "measure", first, source))?;
    let mut bytes = Vec::new();
    let length = usize::try_from(length.saturating_sub(from)).unwrap_or(usize::MAX);
    let room = bytes
        .try_reserve_exact(length)
        .map_err(|_| std::io::ErrorKind::OutOfMemory.into());
    room.map_err(|source| io_error(storage, "read", first, source))?;
    bytes.resize(length, 0);
    let read = file
        .read_at(&mut bytes, from)
        .map_err(|source| io_error(storage, "read", first, source))?;
    bytes.truncate(read);
    Ok(bytes)
}

pub(super) fn io_error(
    storage: &dyn Storage,
    action: &'static str,
    first: Sequence,
    source: std::io::Error,
) -> LogError {
    LogError::Io {
        action,
        path: storage.path(&segment::file_name(first)),
        source,
    }
}
