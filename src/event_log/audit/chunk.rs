//! Checks the lines of one chunk, each against the line before it.

use crate::domain::id::Sequence;
use crate::domain::time::EventTime;
use crate::event_log::audit::content::{Contents, Counted};
use crate::event_log::audit::plan::{self, ChunkRange, Plan};
use crate::event_log::audit::written::is_displayed;
use crate::event_log::audit::{Depth, FAULTS_MAX, Fault, FaultKind, Scope, identity};
use crate::event_log::error::LogError;
use crate::event_log::hash::Hash;
use crate::event_log::head::Head;
use crate::event_log::line::{HASH_SUFFIX_BYTES, Line, LineKind};
use crate::event_log::segment::Segment;
use crate::event_log::storage::Storage;

#[derive(Default)]
pub(super) struct Checked {
    pub events: u64,
    pub bytes: u64,
    pub faults: Vec<Fault>,
    pub unlisted_faults: u64,
    /// The sequence of the last line, if the line continues the one before it.
    pub last: Option<Sequence>,
    /// The number of events of unknown types.
    pub unknown: u64,
    /// Events of known types in unknown versions.
    pub unknown_versions: Vec<Sequence>,
    pub counted: Counted,
    /// Fingerprints of all ids.
    pub ids: Vec<u64>,
    /// Fingerprints of the keys, one for each batch.
    pub keys: Vec<u64>,
}

/// The line that the next line must continue.
#[derive(Clone, Copy)]
struct Track {
    sequence: Sequence,
    hash: Hash,
    /// The right hash of the line before, if that line states another one.
    computed: Option<Hash>,
    /// False after a bad line: a mismatch that the bad line explains is no further fault.
    is_sure: bool,
    more: u64,
    key: u64,
    time: Option<EventTime>,
    time_text: [u8; TIME_BYTES],
}

const TIME_BYTES: usize = 27;

impl Track {
    const START: Track = Track {
        sequence: Sequence::ZERO,
        hash: Hash::ZERO,
        computed: None,
        is_sure: true,
        more: 0,
        key: 0,
        time: None,
        time_text: [0; TIME_BYTES],
    };
}

pub(super) fn check(
    storage: &dyn Storage,
    plan: &Plan,
    range: &ChunkRange,
    scope: &Scope<'_>,
    buffer: &mut Vec<u8>,
) -> Result<Checked, LogError> {
    let (segment, _) = plan::open(storage, range.segment, &plan.head)?;
    let track = track_before(storage, plan, range)?;
    let length = usize::try_from(range.bytes.end - range.bytes.start).expect("a chunk fits memory");
    if buffer.len() < length {
        buffer.resize(length, 0);
    }
    let read = segment.read_at(&mut buffer[..length], range.bytes.start)?;
    let contents = Contents::new(scope.depth, scope.marks);
    let depth = scope.depth;
    let mut chunk = Chunk {
        head: &plan.head,
        segment: &segment,
        depth,
        contents,
        track,
        checked: Checked::default(),
    };
    chunk.checked.bytes = length as u64;
    chunk.lines(&buffer[..read], range.bytes.start);
    chunk.checked.counted = std::mem::take(&mut chunk.contents.counted);
    chunk.checked.last = chunk
        .track
        .filter(|track| track.is_sure)
        .map(|track| track.sequence);
    Ok(chunk.checked)
}

fn track_before(
    storage: &dyn Storage,
    plan: &Plan,
    range: &ChunkRange,
) -> Result<Option<Track>, LogError> {
    let Some((segment, end)) = range.before else {
        return Ok((range.first == Some(Sequence::FIRST)).then_some(Track::START));
    };
    match plan::open(storage, segment, &plan.head)?.0.line_before(end) {
        Ok((_, bytes)) => Ok(Line::parse(&bytes).ok().map(|line| track_of(&line))),
        Err(LogError::Damaged { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

fn track_of(line: &Line<'_>) -> Track {
    Track {
        sequence: line.sequence,
        hash: line.hash,
        computed: None,
        is_sure: true,
        more: line.more,
        key: identity::fingerprint(&line.command_id()),
        time: line.event_time().ok(),
        time_text: line.time.as_bytes().try_into().unwrap_or_default(),
    }
}

struct Chunk<'a> {
    head: &'a Head,
    segment: &'a Segment,
    depth: Depth,
    contents: Contents,
    track: Option<Track>,
    checked: Checked,
}

impl Chunk<'_> {
    fn lines(&mut self, bytes: &[u8], offset: u64) {
        let mut start = 0;
        while let Some(length) = memchr::memchr(b'\n', &bytes[start..]) {
            self.line(&bytes[start..start + length], offset + start as u64);
            start += length + 1;
        }
        let is_cut =
            self.segment.first == self.head.segment && self.segment.end < self.head.position;
        if start < bytes.len() && !is_cut {
            self.damaged(offset + start as u64, "the line has no end");
        }
    }

    fn expected(&self) -> Sequence {
        self.track
            .map_or(self.segment.first, |track| track.sequence.next())
    }

    fn damaged(&mut self, byte: u64, what: impl Into<String>) {
        let sequence = self.expected();
        self.fault(FaultKind::Damage, byte, sequence, what.into());
    }

    fn fault(&mut self, kind: FaultKind, byte: u64, sequence: Sequence, what: String) {
        if self.checked.faults.len() == FAULTS_MAX {
            self.checked.unlisted_faults += 1;
            return;
        }
        self.checked.faults.push(Fault {
            kind,
            place: self.segment.place(byte, sequence),
            what,
        });
    }

    fn line(&mut self, bytes: &[u8], byte: u64) {
        self.checked.events += 1;
        let line = match Line::parse(bytes) {
            Ok(line) => line,
            Err(what) => return self.lose(bytes, byte, what),
        };
        let computed = self.track.map(|track| line.computed_hash(&track.hash));
        let fault = self.chain_fault(&line, computed);
        let is_sound = fault.is_none();
        if let Some(what) = fault {
            self.damaged(byte, what);
        }
        let key = self.key(&line, byte, is_sound);
        let time = self.time(&line, byte, is_sound);
        // A sequence that is too high may be a flipped digit; one that is too low, a repeated line.
        let sequence = if is_sound {
            line.sequence
        } else {
            line.sequence.min(self.expected())
        };
        // The time of a damaged line is not compared either.
        let before = self.track.map_or((None, Track::START.time_text), |track| {
            (track.time, track.time_text)
        });
        let stated = (time, line.time.as_bytes().try_into().unwrap_or_default());
        let (time, time_text) = if is_sound { stated } else { before };
        self.track = Some(Track {
            sequence,
            hash: line.hash,
            computed: computed.filter(|_| !is_sound),
            is_sure: is_sound,
            more: line.more,
            key,
            time,
            time_text,
        });
        if is_sound && self.depth > Depth::Chain {
            self.content(&line, byte);
        }
    }

    /// Continues after an unreadable line, whose last bytes may still state its hash.
    fn lose(&mut self, bytes: &[u8], byte: u64, what: String) {
        self.damaged(byte, what);
        let stated = bytes
            .len()
            .checked_sub(HASH_SUFFIX_BYTES)
            .map(|at| &bytes[at + 9..at + 73]);
        let stated = stated
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| hex.parse().ok());
        self.track = match (self.track, stated) {
            (Some(track), Some(hash)) => {
                let sequence = track.sequence.next();
                Some(Track {
                    sequence,
                    hash,
                    computed: None,
                    is_sure: false,
                    ..track
                })
            }
            _ => None,
        };
    }

    fn chain_fault(&self, line: &Line<'_>, computed: Option<Hash>) -> Option<String> {
        let (Some(track), Some(computed)) = (&self.track, computed) else {
            return None;
        };
        let is_next = line.sequence == track.sequence.next();
        if !is_next && (track.is_sure || line.sequence <= track.sequence) {
            return Some(format!("found sequence {} instead", line.sequence));
        }
        let continues_truth = || {
            track
                .computed
                .is_some_and(|truth| line.computed_hash(&truth) == line.hash)
        };
        if computed != line.hash && !continues_truth() {
            return Some("the hash does not match the line and the one before it".to_owned());
        }
        if track.is_sure && track.more > 0 && line.more != track.more - 1 {
            let promised = track.more - 1;
            return Some(format!(
                "the batch has {} events to come, but the line before promised {promised}",
                line.more
            ));
        }
        if line.sequence != self.head.sequence {
            return None;
        }
        if line.hash != self.head.hash {
            return Some("the last line is not the one the head names".to_owned());
        }
        (line.more > 0)
            .then(|| format!("the log ends with a batch that lacks {} events", line.more))
    }

    /// The fingerprint of the key. Checks that a batch has one key; `identity` checks that a key
    /// has one batch.
    fn key(&mut self, line: &Line<'_>, byte: u64, is_sound: bool) -> u64 {
        let key = identity::fingerprint(&line.command_id());
        match self.track {
            Some(track) if track.is_sure && is_sound && track.more > 0 => {
                if key != track.key {
                    let what =
                        "the batch has another idempotency key on the line before".to_owned();
                    self.fault(FaultKind::Identity, byte, line.sequence, what);
                }
                if line.command_hash.is_some() {
                    let what =
                        "a command hash stands on an event that does not begin a batch".to_owned();
                    self.fault(FaultKind::Envelope, byte, line.sequence, what);
                }
            }
            // After a bad line it is unknown where a batch begins.
            Some(track) if track.is_sure && is_sound => self.checked.keys.push(key),
            _ => {}
        }
        key
    }

    /// Most lines have the time of the line before, to the byte.
    fn time(&mut self, line: &Line<'_>, byte: u64, is_sound: bool) -> Option<EventTime> {
        if let Some(track) = &self.track
            && track.time_text == line.time.as_bytes()
        {
            return track.time;
        }
        let time = line.event_time().ok();
        let what = match (time, self.track.and_then(|track| track.time)) {
            (Some(time), _) if !is_displayed(&time, line.time) => {
                format!(
                    "the time {} is not written in UTC with six fraction digits",
                    line.time
                )
            }
            (Some(time), Some(before)) if time < before => {
                format!(
                    "the time {} is earlier than that of the event before, {before}",
                    line.time
                )
            }
            (None, _) => format!("`{}` is not the time of an event", line.time),
            _ => return time,
        };
        if is_sound {
            self.fault(FaultKind::Envelope, byte, line.sequence, what);
        }
        time
    }

    fn content(&mut self, line: &Line<'_>, byte: u64) {
        self.checked.ids.push(identity::fingerprint(line.id));
        match self.contents.check(line) {
            Ok(LineKind::Known(_)) => {}
            Ok(LineKind::Unknown) => self.checked.unknown += 1,
            Ok(LineKind::UnknownVersion(_)) => self.checked.unknown_versions.push(line.sequence),
            Err((kind, what)) => self.fault(kind, byte, line.sequence, what),
        }
    }
}
