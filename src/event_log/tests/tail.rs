//! The log cut, blanked or spoiled from any byte on: acknowledged batches are there or their loss
//! is damage, and of the others whole batches from the front remain.

use super::forgetful_disk::ForgetfulDisk;
use super::sample::{AT_ONCE, append_all, batch, lines_of, read};
use crate::event_log::{Batch, FileLog, LogError, Recovery};

const SEGMENT: &str = "00000000000000000001.ndjson";
const PAGE_BYTES: usize = 4096;

/// A log with `acknowledged` of `batches` acknowledged; the others only reached the segment.
struct Interrupted {
    batches: Vec<Batch>,
    acknowledged: usize,
    bytes: Vec<u8>,
    /// The end of each batch.
    ends: Vec<usize>,
}

impl Interrupted {
    fn new(batches: Vec<Batch>, acknowledged: usize) -> Interrupted {
        let bytes_of = |batches: &[Batch]| (lines_of(batches).join("\n") + "\n").into_bytes();
        let ends = (1..=batches.len())
            .map(|count| bytes_of(&batches[..count]).len())
            .collect();
        Interrupted {
            bytes: bytes_of(&batches),
            ends,
            batches,
            acknowledged,
        }
    }

    fn acknowledged_bytes(&self) -> usize {
        self.ends[self.acknowledged - 1]
    }

    /// The log with `found` in its segment.
    fn log(&self, found: &[u8]) -> (ForgetfulDisk, FileLog) {
        let disk = ForgetfulDisk::with_empty_log(PAGE_BYTES);
        let log = FileLog::on(Box::new(disk.clone()));
        append_all(&log, &self.batches[..self.acknowledged]);
        disk.put(SEGMENT, found);
        (disk, log)
    }

    /// If all bytes up to `intact` are good, recovery keeps the batches that end there.
    fn assert_recovers(&self, found: &[u8], intact: usize, what: &str) {
        let (_disk, log) = self.log(found);
        let kept = self.ends.iter().filter(|end| **end <= intact).count();
        assert!(kept >= self.acknowledged, "{what}");
        assert_eq!(
            read(&log).unwrap(),
            lines_of(&self.batches[..self.acknowledged]),
            "{what}: before recovery"
        );
        let published_events = self.batches[self.acknowledged..kept]
            .iter()
            .map(|batch| batch.facts.len() as u64)
            .sum();
        let cut_bytes = (found.len() - self.ends[kept - 1]) as u64;
        let recovery = log.writer(&AT_ONCE).unwrap().recovery();
        assert_eq!(
            recovery,
            Recovery {
                published_events,
                cut_bytes
            },
            "{what}"
        );
        assert_eq!(
            read(&log).unwrap(),
            lines_of(&self.batches[..kept]),
            "{what}"
        );
    }
}

fn small() -> Interrupted {
    Interrupted::new(
        vec![
            batch(1, 2),
            batch(2, 1),
            batch(3, 3),
            batch(4, 1),
            batch(5, 2),
        ],
        2,
    )
}

#[test]
fn a_log_cut_at_any_byte_has_all_that_was_acknowledged_or_is_damaged() {
    let interrupted = small();
    for length in 0..=interrupted.bytes.len() {
        let found = &interrupted.bytes[..length];
        if length >= interrupted.acknowledged_bytes() {
            interrupted.assert_recovers(found, length, &format!("cut at {length}"));
            continue;
        }
        let (disk, log) = interrupted.log(found);
        assert!(
            matches!(log.writer(&AT_ONCE), Err(LogError::Damaged { .. })),
            "cut at {length}"
        );
        assert!(
            matches!(read(&log), Err(LogError::Damaged { .. })),
            "cut at {length}"
        );
        assert_eq!(disk.bytes(SEGMENT), found, "nothing is repaired by itself");
    }
}

/// The new value of the byte at a place.
type Spoiler<'a> = (&'a str, &'a dyn Fn(usize, u8) -> u8);

#[test]
fn a_tail_that_is_blank_or_garbage_from_any_byte_on_keeps_the_whole_batches_before_it() {
    let interrupted = small();
    let garbage = |at: usize, byte: u8| byte ^ u8::try_from(at * 131 % 254 + 1).unwrap();
    let zeros = |_, _| 0;
    let one_bit = |_, byte| byte ^ 4;
    let spoilers: [Spoiler<'_>; 3] = [
        ("zeros", &zeros),
        ("garbage", &garbage),
        ("one bit", &one_bit),
    ];
    for (name, spoil) in spoilers {
        for from in interrupted.acknowledged_bytes()..interrupted.bytes.len() {
            let mut found = interrupted.bytes.clone();
            found
                .iter_mut()
                .enumerate()
                .skip(from)
                .for_each(|(at, byte)| *byte = spoil(at, *byte));
            interrupted.assert_recovers(&found, from, &format!("{name} from {from}"));
        }
    }
}

#[test]
fn unsynced_pages_that_came_in_any_order_leave_whole_batches_from_the_front() {
    // Multiples of three have a long description.
    let numbers = [(1, 2), (90, 2), (91, 1), (120, 2), (150, 2), (151, 2)];
    let interrupted = Interrupted::new(
        numbers.map(|(number, events)| batch(number, events)).into(),
        1,
    );
    let start = interrupted.acknowledged_bytes();
    let pages = interrupted.bytes.len().div_ceil(PAGE_BYTES);
    assert!((4..=10).contains(&pages), "{pages} pages");
    for kept in 0..1_u32 << pages {
        let is_lost = |at: usize| at >= start && kept >> (at / PAGE_BYTES) & 1 == 0;
        let mut found = interrupted.bytes.clone();
        found
            .iter_mut()
            .enumerate()
            .filter(|(at, _)| is_lost(*at))
            .for_each(|(_, byte)| *byte = 0);
        let intact = (0..found.len())
            .find(|at| is_lost(*at))
            .unwrap_or(found.len());
        interrupted.assert_recovers(&found, intact, &format!("pages {kept:b}"));
    }
}
