//! One slot of the head is lost, and it is unknown whether it was the newer one.

use super::forgetful_disk::ForgetfulDisk;
use super::sample::{AT_ONCE, append_all, batch, lines_of, read};
use crate::event_log::audit::{Depth, FaultKind};
use crate::event_log::tail::Cutting;
use crate::event_log::{Batch, FileLog, HeadFileState, LogError, segment};

const SLOT_BYTES: usize = 4096;
const FIRST: &str = "00000000000000000001.ndjson";

fn batches() -> Vec<Batch> {
    vec![batch(1, 2), batch(2, 3), batch(3, 1), batch(4, 3)]
}

fn log() -> (ForgetfulDisk, FileLog) {
    let disk = ForgetfulDisk::with_empty_log(512);
    let log = FileLog::on(Box::new(disk.clone()));
    append_all(&log, &batches());
    (disk, log)
}

/// The ways to lose a slot.
fn losses(head: &[u8], slot: usize) -> [Vec<u8>; 3] {
    let place = slot * SLOT_BYTES..(slot + 1) * SLOT_BYTES;
    let filled = |byte| {
        let mut bytes = head.to_vec();
        bytes[place.clone()].fill(byte);
        bytes
    };
    let shorter = if slot == 1 {
        head[..SLOT_BYTES].to_vec()
    } else {
        filled(b' ')
    };
    [filled(0), filled(0xff), shorter]
}

/// The slot that was written last. Numbers of fixed width sort like their text.
fn newer(head: &[u8]) -> usize {
    usize::from(head[..40] < head[SLOT_BYTES..SLOT_BYTES + 40])
}

#[test]
fn both_slots_are_written_before_the_first_event() {
    let disk = ForgetfulDisk::with_empty_log(512);
    let log = FileLog::on(Box::new(disk.clone()));
    drop(log.writer(&AT_ONCE).unwrap());
    let head = disk.bytes("head");
    assert!(
        head[..SLOT_BYTES] == head[SLOT_BYTES..2 * SLOT_BYTES] && head.starts_with(b"popug-head 1")
    );
}

#[test]
fn whichever_slot_was_lost_no_batch_is_and_the_next_writer_heals_it() {
    let (disk, _) = log();
    let head = disk.bytes("head");
    for slot in [0, 1] {
        for lost in losses(&head, slot) {
            let (disk, log) = log();
            disk.put("head", &lost);
            let faults = log.audit(Depth::Chain, 1, &|_, _| {}).unwrap().faults;
            let place = |fault: &crate::event_log::audit::Fault| (fault.kind, fault.place.byte);
            assert_eq!(
                faults.iter().map(place).collect::<Vec<_>>(),
                [(FaultKind::Head, (slot * SLOT_BYTES) as u64)]
            );
            assert_eq!(log.tail().unwrap().head_file, HeadFileState::OneSlot);
            drop(log.writer(&AT_ONCE).unwrap());
            assert_eq!(read(&log).unwrap(), lines_of(&batches()), "slot {slot}");
            assert!(log.tail().unwrap().is_settled(), "slot {slot}");
        }
    }
}

/// A consumer that has nothing to append settles the log, and for many logs that is the last
/// command.
#[test]
fn settling_heals_a_lost_slot_though_nothing_stands_behind_the_head() {
    let (disk, _) = log();
    let head = disk.bytes("head");
    for slot in [0, 1] {
        let (disk, log) = log();
        disk.put("head", &losses(&head, slot)[0]);
        log.settle(&AT_ONCE).unwrap();
        assert!(log.tail().unwrap().is_settled(), "slot {slot}");
        assert_eq!(
            log.audit(Depth::Chain, 1, &|_, _| {}).unwrap().faults,
            [],
            "slot {slot}"
        );
        assert_eq!(read(&log).unwrap(), lines_of(&batches()), "slot {slot}");
    }
}

/// A crash tears a slot or the end of the log, never both. If both are torn, acknowledged events
/// may be lost, so the end is neither cut nor hidden.
#[test]
fn an_unfinished_batch_behind_a_lone_slot_is_damage_and_stays() {
    let (disk, _) = log();
    let (head, bytes) = (disk.bytes("head"), disk.bytes(FIRST));
    let slot = newer(&head);
    let last = lines_of(&batches()[3..]).join("\n").len() + 1;
    for byte in bytes.len() - last..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[byte] ^= 1;
        for spoilt in [&flipped[..], &bytes[..byte]]
            .into_iter()
            .filter(|spoilt| spoilt.len() > bytes.len() - last)
        {
            let (disk, log) = log();
            disk.put("head", &losses(&head, slot)[0]);
            disk.put(FIRST, spoilt);
            let refused = log.writer(&AT_ONCE).err();
            assert!(
                matches!(refused, Some(LogError::Damaged { .. })),
                "byte {byte}: {refused:?}"
            );
            assert!(
                matches!(log.head().err(), Some(LogError::Damaged { .. })),
                "byte {byte}"
            );
            assert!(disk.bytes(FIRST) == spoilt, "byte {byte}");
        }
    }
}

#[test]
fn good_lines_behind_a_bad_one_are_damage_for_an_audit_and_for_a_repair_too() {
    let (disk, whole) = log();
    let (head, mut bytes) = (disk.bytes("head"), disk.bytes(FIRST));
    let slot = newer(&head);
    let first_of_last = bytes.len() - lines_of(&batches()[3..]).join("\n").len() - 1;
    bytes[first_of_last + 40] ^= 1;
    disk.put("head", &losses(&head, slot)[1]);
    disk.put(FIRST, &bytes);
    let refused = whole.tail().unwrap().check(Cutting::Approved);
    assert!(matches!(refused, Err(LogError::Damaged { .. })));
    let faults = whole.audit(Depth::Chain, 1, &|_, _| {}).unwrap().faults;
    let damage: Vec<_> = faults
        .iter()
        .filter(|fault| fault.kind == FaultKind::Damage)
        .collect();
    assert!(
        damage.len() == 1 && damage[0].place.byte == first_of_last as u64,
        "{faults:?}"
    );
}

#[test]
fn a_repair_may_cut_what_is_torn_behind_a_lone_slot() {
    let (disk, whole) = log();
    let (head, bytes) = (disk.bytes("head"), disk.bytes(FIRST));
    let slot = newer(&head);
    disk.put("head", &losses(&head, slot)[2]);
    disk.put(FIRST, &bytes[..bytes.len() - 1]);
    assert_eq!(whole.tail().unwrap().cuts().count(), 1);
    whole.lock_unsettled(&AT_ONCE).unwrap().settle().unwrap();
    assert_eq!(read(&whole).unwrap(), lines_of(&batches()[..3]));
    assert!(whole.tail().unwrap().is_settled());
}

#[test]
fn no_bit_of_the_last_line_may_have_flipped_for_a_writer() {
    for batches in [batches(), vec![batch(1, 1)]] {
        for segment_bytes_max in [1, 1 << 20] {
            let disk = ForgetfulDisk::with_empty_log(512);
            let log = FileLog::on(Box::new(disk.clone())).with_segment_bytes_max(segment_bytes_max);
            append_all(&log, &batches);
            let name = segment::file_name(segment::list(&disk).unwrap().pop().unwrap());
            let end = disk.bytes(&name).len();
            let last = lines_of(&batches).pop().unwrap().len() + 1;
            disk.flip_each(&name, (end - last) * 8..end * 8, |bit| {
                let refused = log.writer(&AT_ONCE).err();
                assert!(
                    matches!(refused, Some(LogError::Damaged { .. })),
                    "bit {bit} of {name}: {refused:?}"
                );
            });
            assert!(log.writer(&AT_ONCE).is_ok());
        }
    }
}
