//! Encodes batches as lines.

use std::io::Write;

use crate::domain::event::bounds::{self, OutOfBounds};
use crate::domain::event::{Actor, Event, Fact};
use crate::domain::id::Sequence;
use crate::domain::time::EventTime;
use crate::event_log::error::LogError;
use crate::event_log::hash::Hash;
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
        Encoded::into_buffer(sequence, hash, batches, Vec::new())
    }

    /// The same, into a buffer that is reused.
    pub(super) fn into_buffer(
        sequence: Sequence,
        hash: Hash,
        batches: &[Batch],
        mut lines: Vec<u8>,
    ) -> Result<Encoded, LogError> {
        let first_time = batches.first().expect("there is a batch").time;
        let follows = (sequence, hash);
        let (mut last, mut last_time) = (follows, first_time);
        lines.clear();
        for batch in batches {
            assert!(!batch.facts.is_empty(), "a batch has events");
            assert!(batch.time >= last_time, "event times never decrease");
            batch.check_bounds()?;
            let (sequence, hash) = last;
            let hash = encode(batch, sequence.next(), hash, &mut lines);
            last = (sequence.plus(batch.facts.len() as u64), hash);
            last_time = batch.time;
        }
        Ok(Encoded {
            follows,
            last,
            first_time,
            last_time,
            lines,
        })
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

/// Appends the lines of `batch` to `out`. Returns the hash of the last line.
pub(super) fn encode(batch: &Batch, first: Sequence, previous: Hash, out: &mut Vec<u8>) -> Hash {
    let head = format!(r#""time":"{}","sequence":""#, batch.time);
    let mut tail = format!(r#","actor":"{}","commandid":"#, batch.actor);
    tail.push_str(&json_string(&batch.command_id));
    let mut hash = previous;
    let mut more = batch.facts.len();
    for (index, fact) in batch.facts.iter().enumerate() {
        more -= 1;
        let start = out.len();
        put_identity(out, fact);
        out.extend_from_slice(head.as_bytes());
        put_padded(out, first.plus(index as u64).0);
        out.extend_from_slice(br#"","more":"#);
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
        hash = Hash::of_line(&hash, &out[start..]);
        out.extend_from_slice(br#","hash":""#);
        out.extend_from_slice(hash.ascii());
        out.extend_from_slice(b"\"}\n");
    }
    hash
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

/// Writes 20 digits with leading zeros.
fn put_padded(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [b'0'; 20];
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(number % 10).expect("a digit");
        number /= 10;
    }
    out.extend_from_slice(&digits);
}

fn json_string(text: &str) -> String {
    serde_json::to_string(text).expect("text serializes into memory")
}
