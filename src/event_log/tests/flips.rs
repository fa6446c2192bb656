//! Every single bit of a small log flipped: an audit finds each one and names the segment, and
//! events that a flip in the head file hides for a while are found by the next writer.

use super::sample::{AT_ONCE, batches, lines_of, log_of_three_segments, read};
use crate::event_log::audit::{Audit, Depth, FaultKind};
use crate::event_log::{FileLog, segment};

const SLOT_BYTES: usize = 4096;

fn audit(log: &FileLog) -> Audit {
    log.audit(Depth::Chain, 1, &|_, _| {}).unwrap()
}

#[test]
fn an_audit_finds_every_flipped_bit_of_every_segment() {
    let (disk, log) = log_of_three_segments();
    assert_eq!(audit(&log).faults, []);
    for name in segment::list(&disk)
        .unwrap()
        .into_iter()
        .map(segment::file_name)
    {
        disk.flip_each(&name, 0..disk.bytes(&name).len() * 8, |bit| {
            let faults = audit(&log).faults;
            let named = faults
                .iter()
                .any(|fault| fault.kind == FaultKind::Damage && fault.place.segment == name);
            assert!(named, "{name} bit {bit}: {faults:?}");
        });
    }
}

/// If the newer slot is unreadable, the older one counts. No wrong line is shown, an audit reports
/// it, and the batches after the older head are published again.
#[test]
fn a_flipped_bit_of_a_head_slot_is_found_and_hides_nothing_for_good() {
    let good = lines_of(&batches());
    let (disk, _) = log_of_three_segments();
    let head = disk.bytes("head");
    // After the text of a slot every byte is a space; a sample of these bytes is enough.
    let bytes = (0..2 * SLOT_BYTES).filter(|byte| {
        byte % SLOT_BYTES < 200 || byte % 61 == 0 || byte % SLOT_BYTES == SLOT_BYTES - 1
    });
    let bits = bytes.flat_map(|byte| (0..8).map(move |bit| (byte, bit)));
    for (byte, bit) in bits {
        let (disk, log) = log_of_three_segments();
        let mut flipped = head.clone();
        flipped[byte] ^= 1 << bit;
        disk.put("head", &flipped);
        let what = format!("byte {byte} bit {bit}");
        let is_found = audit(&log)
            .faults
            .iter()
            .any(|fault| fault.kind == FaultKind::Head);
        assert!(is_found, "{what}");
        assert!(good.starts_with(&read(&log).unwrap()), "{what}");
        drop(log.writer(&AT_ONCE).unwrap());
        assert_eq!(read(&log).unwrap(), good, "{what}");
    }
}

#[test]
fn the_name_of_the_lock_holder_is_only_a_message() {
    let (disk, log) = log_of_three_segments();
    let mut head = disk.bytes("head");
    assert!(head.len() > 2 * SLOT_BYTES, "somebody is named");
    head[2 * SLOT_BYTES..].fill(b'?');
    disk.put("head", &head);
    assert_eq!(audit(&log).faults, []);
    assert_eq!(read(&log).unwrap(), lines_of(&batches()));
}
