//! Encodes batches as lines.

use std::io::{self, Read, Write};

use memchr::memmem;

use crate::domain::event::bounds::{self, OutOfBounds};
use crate::domain::event::{Actor, Event, Fact};
use crate::domain::id::Sequence;
use crate::domain::time::EventTime;
use crate::event_log::error::LogError;
use crate::event_log::hash::Hash;
use crate::event_log::line::HASH_SUFFIX_BYTES;
use crate::event_log::remote::End;

/// Facts that are appended together: all of them or none.
#[derive(Clone, PartialEq, Debug)]
pub struct Batch {
    /// Not before the time of the log's last event.
    pub time: EventTime,
    pub actor: Actor,
    /// The idempotency key: given, minted or derived.
    pub command_id: String,
    /// The hash of actor and command, if the key was given or imported.
    pub command_hash: Option<Hash>,
    pub facts: Vec<Fact>,
}

impl Batch {
    /// Checks that every reader would accept the events.
    fn check_bounds(&self) -> Result<(), LogError> {
        let refused = |fact: &Fact, reason: OutOfBounds| LogError::OutOfBounds {
            context: fact.event.context(),
            type_name: fact.event.kind().type_name(),
            reason,
        };
        bounds::moment(self.time).map_err(|reason| refused(&self.facts[0], reason))?;
        self.facts
            .iter()
            .try_for_each(|fact| bounds::check(&fact.event).map_err(|reason| refused(fact, reason)))
    }
}

/// The lines of batches, chained to the event that they follow. Encoding is most of the work of an
/// append and needs no lock; if another event comes in between, the lines are useless.
///
/// Invariant: no reader refuses these lines. There is no other way into the log.
pub struct Encoded {
    pub(super) follows: End,
    pub(super) last: End,
    pub(super) first_time: EventTime,
    pub(super) last_time: EventTime,
    pub(super) lines: Vec<u8>,
}

impl Encoded {
    /// Encodes batches to follow the event with this sequence and hash.
    ///
    /// # Errors
    /// [`LogError::OutOfBounds`]
    ///
    /// # Panics
    /// On no batch, on an empty one, and on one whose time is before that of the batch before it:
    /// bugs of the caller.
    pub fn behind(sequence: Sequence, hash: Hash, batches: &[Batch]) -> Result<Encoded, LogError> {
        let mut lines = Unplaced::default();
        batches.iter().try_for_each(|batch| lines.push(batch))?;
        Ok(lines.behind(sequence, hash))
    }

    /// Sequence and hash of the last event.
    pub fn last(&self) -> End {
        self.last
    }

    pub fn into_lines(self) -> Vec<u8> {
        self.lines
    }

    /// Whether the lines continue the event `sequence`.
    pub fn follows(&self, sequence: Sequence, hash: Hash) -> bool {
        self.follows == (sequence, hash)
    }
}

/// The lines of batches before their place in the log is known: digits stand where the sequence and
/// the hash of each belong.
#[derive(Default)]
pub struct Unplaced {
    events: u64,
    /// Of the first and the last batch.
    times: Option<(EventTime, EventTime)>,
    lines: Vec<u8>,
}

impl Unplaced {
    /// # Errors
    /// [`LogError::OutOfBounds`]
    ///
    /// # Panics
    /// On an empty batch, and on one whose time is before that of the batch before it.
    pub fn push(&mut self, batch: &Batch) -> Result<(), LogError> {
        assert!(!batch.facts.is_empty(), "a batch has events");
        let (first, last) = self.times.unwrap_or((batch.time, batch.time));
        assert!(batch.time >= last, "event times never decrease");
        batch.check_bounds()?;
        put_batch(batch, &mut self.lines);
        self.events += batch.facts.len() as u64;
        self.times = Some((first, batch.time));
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.times.is_none()
    }

    pub fn events(&self) -> u64 {
        self.events
    }

    pub fn bytes(&self) -> usize {
        self.lines.len()
    }

    /// Writes the lines to a place from which [`Stored::load`] reads them, and empties these.
    pub fn store(&mut self, to: &mut impl Write) -> io::Result<Stored> {
        to.write_all(&self.lines)?;
        let stored = Stored {
            bytes: self.lines.len(),
            events: self.events,
            times: self.times,
        };
        self.lines.clear();
        (self.events, self.times) = (0, None);
        Ok(stored)
    }

    /// The lines behind the event with this sequence and hash.
    ///
    /// # Panics
    /// Without a line.
    pub fn behind(mut self, sequence: Sequence, hash: Hash) -> Encoded {
        let (first_time, last_time) = self.times.expect("there is a batch");
        let follows = (sequence, hash);
        let last = (
            sequence.plus(self.events),
            place(&mut self.lines, sequence.next(), hash),
        );
        Encoded {
            follows,
            last,
            first_time,
            last_time,
            lines: self.lines,
        }
    }
}

/// Lines that are stored elsewhere.
pub struct Stored {
    bytes: usize,
    events: u64,
    times: Option<(EventTime, EventTime)>,
}

impl Stored {
    /// Reads the lines back, from the place to which they were written.
    pub fn load(self, from: &mut impl Read) -> io::Result<Unplaced> {
        let mut lines = vec![0; self.bytes];
        from.read_exact(&mut lines)?;
        Ok(Unplaced {
            events: self.events,
            times: self.times,
            lines,
        })
    }
}

const SEQUENCE_MEMBER: &str = r#","sequence":""#;
const SEQUENCE_DIGITS: &str = "00000000000000000000";

/// Appends the lines of `batch`, without their places, to `out`.
fn put_batch(batch: &Batch, out: &mut Vec<u8>) {
    let head = format!(
        r#""time":"{}"{SEQUENCE_MEMBER}{SEQUENCE_DIGITS}","more":"#,
        batch.time
    );
    let mut tail = format!(r#","actor":"{}","commandid":"#, batch.actor);
    tail.push_str(&json_string(&batch.command_id));
    let mut more = batch.facts.len();
    for (index, fact) in batch.facts.iter().enumerate() {
        more -= 1;
        put_identity(out, fact);
        out.extend_from_slice(head.as_bytes());
        put(out, more);
        out.extend_from_slice(tail.as_bytes());
        if let Some(command_hash) = batch.command_hash.filter(|_| index == 0) {
            put(out, format_args!(r#","commandhash":"{command_hash}""#));
        }
        if let Some(cause) = fact.causation {
            out.extend_from_slice(br#","causationid":""#);
            put_uuid(out, cause.uuid());
            out.push(b'"');
        }
        out.extend_from_slice(br#","data":"#);
        put_data(out, &fact.event);
        out.extend_from_slice(br#","hash":""#);
        out.extend_from_slice(Hash::ZERO.ascii());
        out.extend_from_slice(b"\"}\n");
    }
}

/// Puts sequences from `first` on and hashes into lines, the first of which follows a line with the
/// hash `previous`. Returns the hash of the last line.
fn place(lines: &mut [u8], first: Sequence, previous: Hash) -> Hash {
    let (mut rest, mut sequence, mut hash) = (lines, first, previous);
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let (line, behind) = rest.split_at_mut(end + 1);
        // No text of a user stands before the sequence.
        let member = memmem::find(line, SEQUENCE_MEMBER.as_bytes()).expect("lines have a sequence");
        let digits = member + SEQUENCE_MEMBER.len();
        put_padded(
            &mut line[digits..digits + SEQUENCE_DIGITS.len()],
            sequence.0,
        );
        let open = end - HASH_SUFFIX_BYTES;
        hash = Hash::of_line(&hash, &line[..open]);
        line[end - 2 - Hash::ZERO.ascii().len()..end - 2].copy_from_slice(hash.ascii());
        (rest, sequence) = (behind, sequence.next());
    }
    hash
}

/// Appends the lines of `batch` to `out`. Returns the hash of the last line.
#[cfg(test)]
pub(super) fn encode(batch: &Batch, first: Sequence, previous: Hash, out: &mut Vec<u8>) -> Hash {
    let start = out.len();
    put_batch(batch, out);
    place(&mut out[start..], first, previous)
}

fn put_identity(out: &mut Vec<u8>, fact: &Fact) {
    out.extend_from_slice(br#"{"specversion":"1.0","id":""#);
    put_uuid(out, fact.id.uuid());
    out.extend_from_slice(br#"","source":"/popug/"#);
    out.extend_from_slice(fact.event.context().name().as_bytes());
    out.extend_from_slice(br#"","type":""#);
    out.extend_from_slice(fact.event.kind().type_name().as_bytes());
    out.extend_from_slice(br#"","subject":""#);
    put(out, fact.event.subject());
    out.extend_from_slice(br#"","#);
}

fn put_data(out: &mut Vec<u8>, event: &Event) {
    serde_json::to_writer(out, event).expect("events serialize into memory");
}

fn put(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    write!(out, "{value}").expect("memory takes every write");
}

fn put_uuid(out: &mut Vec<u8>, uuid: uuid::Uuid) {
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    out.extend_from_slice(uuid.hyphenated().encode_lower(&mut text).as_bytes());
}

/// Writes a number with leading zeros.
fn put_padded(digits: &mut [u8], mut number: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).expect("a digit");
        number /= 10;
    }
}

fn json_string(text: &str) -> String {
    serde_json::to_string(text).expect("text serializes into memory")
}
