//! Checks how the segments fit together, and cuts them into chunks.

use std::ops::Range;

use crate::domain::id::Sequence;
use crate::event_log::audit::{Audit, Fault, FaultKind};
use crate::event_log::error::{LogError, Place};
use crate::event_log::head::{self, HEAD_FILE, Head, HeadFile, HeadFileState, Published, Slot};
use crate::event_log::line::Line;
use crate::event_log::segment::{self, Segment};
use crate::event_log::storage::{Access, Storage};
use crate::event_log::tail::{self, Tail};

/// Small enough to stay in a core's cache between reading and hashing.
const CHUNK_BYTES: u64 = 512 << 10;

pub(super) struct Plan {
    pub head: Head,
    pub chunks: Vec<ChunkRange>,
}

/// Whole lines of one segment.
pub(super) struct ChunkRange {
    pub segment: Sequence,
    pub bytes: Range<u64>,
    /// The end of the line before: in this segment or in an earlier one. `None` before the first
    /// line, and if the line before is lost.
    pub before: Option<(Sequence, u64)>,
    /// The sequence of the first line according to the file name.
    pub first: Option<Sequence>,
}

impl Plan {
    /// `None` if there is nothing to go by.
    pub(super) fn make(storage: &dyn Storage, audit: &mut Audit) -> Result<Option<Plan>, LogError> {
        let segments = segment::list(storage)?;
        let Some((head, behind)) = find_head(storage, &segments, audit)? else {
            return Ok(None);
        };
        audit.head = Some(head);
        let mut plan = Plan {
            head,
            chunks: Vec::new(),
        };
        let mut walk = Walk {
            expected: Some(Sequence::FIRST),
            before: None,
        };
        for first in segments.iter().filter(|first| **first <= head.sequence) {
            plan.take_segment(storage, *first, &mut walk, audit)?;
        }
        plan.check_end(&walk, audit);
        note_excess(behind, audit);
        Ok(Some(plan))
    }

    fn take_segment(
        &mut self,
        storage: &dyn Storage,
        first: Sequence,
        walk: &mut Walk,
        audit: &mut Audit,
    ) -> Result<(), LogError> {
        let (segment, short) = open(storage, first, &self.head)?;
        if let Some((place, what)) = short {
            audit.fault(FaultKind::Damage, place, what);
        }
        let place = segment.place(0, first);
        match walk.expected {
            Some(expected) if first < expected => {
                let what = "other segments already hold these sequences; this segment is a copy or misnamed";
                audit.fault(FaultKind::Damage, place, what);
                return Ok(());
            }
            Some(expected) if first > expected => {
                audit.fault(FaultKind::Damage, missing(expected), lost(expected, first));
                walk.before = None;
            }
            _ => {}
        }
        if segment.end == 0 {
            audit.fault(FaultKind::Damage, place, "the segment is empty");
            *walk = Walk {
                expected: None,
                before: None,
            };
            return Ok(());
        }
        self.cut(&segment, first, walk.before)?;
        walk.before = Some((first, segment.end));
        walk.expected = last_sequence(&segment)?.map(Sequence::next);
        Ok(())
    }

    /// Cuts a segment at line borders.
    fn cut(
        &mut self,
        segment: &Segment,
        first: Sequence,
        before: Option<(Sequence, u64)>,
    ) -> Result<(), LogError> {
        let mut start = 0;
        while start < segment.end {
            let border = segment
                .next_line_start(start + CHUNK_BYTES)?
                .unwrap_or(segment.end)
                .min(segment.end);
            let before = if start == 0 {
                before
            } else {
                Some((first, start))
            };
            let first = (start == 0).then_some(first);
            self.chunks.push(ChunkRange {
                segment: segment.first,
                bytes: start..border,
                before,
                first,
            });
            start = border;
        }
        Ok(())
    }

    /// Reports segments that are missing at the end of the log.
    fn check_end(&self, walk: &Walk, audit: &mut Audit) {
        let Some(expected) = walk.expected else {
            return;
        };
        if expected <= self.head.sequence
            && walk
                .before
                .is_none_or(|(segment, _)| segment < self.head.segment)
        {
            audit.fault(
                FaultKind::Damage,
                missing(expected),
                lost(expected, self.head.sequence.next()),
            );
        }
    }
}

struct Walk {
    /// The sequence with which the next segment begins; `None` after a torn end.
    expected: Option<Sequence>,
    before: Option<(Sequence, u64)>,
}

fn missing(first: Sequence) -> Place {
    Place {
        segment: segment::file_name(first),
        byte: 0,
        sequence: first,
    }
}

fn lost(from: Sequence, to: Sequence) -> String {
    let last = to.0 - 1;
    format!(
        "sequences {from} to {last} are missing: their segment is gone, or the one before was cut"
    )
}

/// A segment up to the head, or up to its end if that is earlier, which is then damage.
pub(super) fn open(
    storage: &dyn Storage,
    first: Sequence,
    head: &Head,
) -> Result<(Segment, Option<(Place, String)>), LogError> {
    match Segment::open(storage, first, head) {
        Err(LogError::Damaged { place, what }) => {
            let shorter = Head {
                position: place.byte,
                ..*head
            };
            Ok((
                Segment::open(storage, first, &shorter)?,
                Some((place, what)),
            ))
        }
        other => Ok((other?, None)),
    }
}

/// `None` if the last line is torn or not readable.
fn last_sequence(segment: &Segment) -> Result<Option<Sequence>, LogError> {
    match segment.line_before(segment.end) {
        Ok((_, bytes)) => Ok(Line::parse(&bytes).ok().map(|line| line.sequence)),
        Err(LogError::Damaged { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

/// The published head; without one, the head that the next writer would find. Also the number of
/// bytes after it.
fn find_head(
    storage: &dyn Storage,
    segments: &[Sequence],
    audit: &mut Audit,
) -> Result<Option<(Head, u64)>, LogError> {
    let published = check_head_file(storage, segments, audit)?;
    let tail = match tail::examine(storage, &published) {
        // The log ends before this head. The check of its lines reports that.
        Err(LogError::Damaged { .. }) => return Ok(Some((published.head, 0))),
        tail => tail?,
    };
    let doubtful = tail.doubtful.clone();
    Ok(match (published.head_file, doubtful) {
        (HeadFileState::Sound, _) => Some((tail.head, tail.bytes())),
        (HeadFileState::OneSlot, Some((place, what))) => {
            audit.fault(FaultKind::Damage, place, what);
            Some((tail.head, tail.bytes()))
        }
        (HeadFileState::Lost, Some((place, what))) => {
            let head = last_line(storage, segments)?;
            if head.is_none() {
                // The end of the log is unknown, so its lines cannot be checked one by one.
                audit.fault(FaultKind::Damage, place, what);
            }
            head.map(|head| (head, 0))
        }
        (HeadFileState::OneSlot | HeadFileState::Lost, None) => {
            if !audit.faults.is_empty() {
                note_reconstructed(&tail, audit);
            }
            Some((tail.end, tail.torn_bytes()))
        }
    })
}

/// Reports faults of the head file. An empty one is sound in a log without events.
fn check_head_file(
    storage: &dyn Storage,
    segments: &[Sequence],
    audit: &mut Audit,
) -> Result<Published, LogError> {
    let place = |byte| Place {
        segment: HEAD_FILE.to_owned(),
        byte,
        sequence: Sequence::ZERO,
    };
    let Some(file) = HeadFile::open(storage, Access::Read)? else {
        if segments.is_empty() {
            return Err(LogError::Missing {
                path: storage.path(""),
            });
        }
        audit.fault(FaultKind::Head, place(0), "the head file is missing");
        return Ok(Published::LOST);
    };
    let slots = file.slots(storage)?;
    let published = head::published_by(slots);
    // Both slots are written before the first event.
    let is_lost = |slot| {
        slot == Slot::Bad || slot == Slot::Empty && published.head_file != HeadFileState::Lost
    };
    for (index, slot) in (0_u64..).zip(slots) {
        if is_lost(slot) {
            let what = format!("slot {index} of the head file is not readable");
            audit.fault(FaultKind::Head, place(index * Slot::BYTES), what);
        }
    }
    if slots == [Slot::Empty; 2] && !segments.is_empty() {
        audit.fault(FaultKind::Head, place(0), "the head file is empty");
    }
    Ok(published)
}

fn note_reconstructed(tail: &Tail, audit: &mut Audit) {
    if let Some((place, what)) = tail.in_doubt() {
        audit.fault(FaultKind::Doubt, place, what);
    }
    audit.notes.push(format!(
        "as far as its lines tell, the log ends with sequence {}",
        tail.end.sequence
    ));
}

fn last_line(storage: &dyn Storage, segments: &[Sequence]) -> Result<Option<Head>, LogError> {
    let Some(first) = segments.last() else {
        return Ok(None);
    };
    let unbounded = Head {
        segment: Sequence::ZERO,
        ..Head::EMPTY
    };
    let segment = Segment::open(storage, *first, &unbounded)?;
    let Ok((_, bytes)) = segment.line_before(segment.end) else {
        return Ok(None);
    };
    let head = Line::parse(&bytes).ok().map(|line| Head {
        sequence: line.sequence,
        hash: line.hash,
        segment: *first,
        position: segment.end,
    });
    Ok(head)
}

/// Bytes after the head were never acknowledged.
fn note_excess(bytes: u64, audit: &mut Audit) {
    if bytes == 0 {
        return;
    }
    let is_head_bad = |fault: &Fault| fault.kind == FaultKind::Head;
    let settled = if audit.faults.iter().any(is_head_bad) {
        "the damaged head file does not show whether they were acknowledged; popug-cli repair shows and settles them"
    } else {
        "never acknowledged; the next write command settles them, or popug-cli repair"
    };
    audit
        .notes
        .push(format!("{bytes} bytes are after the head: {settled}"));
}
