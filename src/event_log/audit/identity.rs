//! Invariant I10: event ids are unique and an idempotency key belongs to one batch.
//!
//! Eight bytes are kept of each id and key. Equal ones are suspects. Only if there are any, the log
//! is read once more to compare the ids and keys themselves. So a log of five million events needs
//! 40 MB and one pass, and a hash collision costs time but gives no wrong finding.

use std::collections::{HashMap, HashSet};

use crate::domain::id::Sequence;
use crate::event_log::audit::plan::{self, Plan};
use crate::event_log::audit::{Audit, FaultKind};
use crate::event_log::error::{LogError, Place};
use crate::event_log::line::Line;
use crate::event_log::segment;
use crate::event_log::storage::Storage;

/// Mixes the bits of a word.
fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word ^ (word >> 29)
}

/// The fingerprint of an id or a key.
pub(super) fn fingerprint(text: &str) -> u64 {
    let add = |sum: u64, word: [u8; 8]| mix(sum.rotate_left(17) ^ u64::from_le_bytes(word));
    let (words, rest) = text.as_bytes().as_chunks();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let sum = words
        .iter()
        .fold(text.len() as u64, |sum, word| add(sum, *word));
    add(sum, last)
}

/// Fingerprints that occur twice. Those with a high first bit are sorted on a second thread,
/// because the other threads are done by then.
fn suspects(fingerprints: Vec<u64>) -> HashSet<u64> {
    let (high, low): (Vec<_>, Vec<_>) = fingerprints
        .into_iter()
        .partition(|fingerprint| fingerprint >> 63 == 1);
    std::thread::scope(|scope| {
        let high = scope.spawn(|| repeated(high));
        let mut found = repeated(low);
        found.extend(high.join().expect("sorting does not panic"));
        found
    })
}

fn repeated(mut fingerprints: Vec<u64>) -> HashSet<u64> {
    fingerprints.sort_unstable();
    fingerprints
        .windows(2)
        .filter(|pair| pair[0] == pair[1])
        .map(|pair| pair[0])
        .collect()
}

pub(super) fn check(
    storage: &dyn Storage,
    plan: &Plan,
    ids: Vec<u64>,
    keys: Vec<u64>,
    audit: &mut Audit,
) -> Result<(), LogError> {
    let (ids, keys) = (suspects(ids), suspects(keys));
    if ids.is_empty() && keys.is_empty() {
        return Ok(());
    }
    let mut seen = Seen {
        ids,
        keys,
        first_ids: HashMap::new(),
        first_keys: HashMap::new(),
        more: 0,
    };
    for task in &plan.chunks {
        let (segment, _) = plan::open(storage, task.segment, &plan.head)?;
        let mut bytes = vec![
            0;
            usize::try_from(task.bytes.end - task.bytes.start)
                .expect("a chunk fits memory")
        ];
        let read = segment.read_at(&mut bytes, task.bytes.start)?;
        let mut start = 0;
        while let Some(length) = memchr::memchr(b'\n', &bytes[start..read]) {
            if let Ok(line) = Line::parse(&bytes[start..start + length]) {
                seen.line(&line, task.segment, task.bytes.start + start as u64, audit);
            }
            start += length + 1;
        }
    }
    Ok(())
}

struct Seen {
    ids: HashSet<u64>,
    keys: HashSet<u64>,
    first_ids: HashMap<String, Sequence>,
    first_keys: HashMap<String, Sequence>,
    more: u64,
}

impl Seen {
    fn line(&mut self, line: &Line<'_>, segment: Sequence, byte: u64, audit: &mut Audit) {
        let place = || Place {
            segment: segment::file_name(segment),
            byte,
            sequence: line.sequence,
        };
        if self.ids.contains(&fingerprint(line.id)) {
            let first = *self
                .first_ids
                .entry(line.id.to_owned())
                .or_insert(line.sequence);
            if first != line.sequence {
                audit.fault(
                    FaultKind::Identity,
                    place(),
                    format!("event {first} has the id {} too", line.id),
                );
            }
        }
        let begins = self.more == 0;
        self.more = line.more;
        let key = line.command_id();
        if begins && self.keys.contains(&fingerprint(&key)) {
            let first = *self
                .first_keys
                .entry(key.clone().into_owned())
                .or_insert(line.sequence);
            if first != line.sequence {
                let what =
                    format!("the batch of event {first} has the idempotency key `{key}` too");
                audit.fault(FaultKind::Identity, place(), what);
            }
        }
    }
}
