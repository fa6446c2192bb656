//! Copies on a disk that forgets unsynced bytes and stops at any call.

use super::forgetful_disk::{Fault, ForgetfulDisk};
use super::sample::{append_all, batch, lines_of, read};
use crate::domain::id::Sequence;
use crate::event_log::copy::{Extent, publish_first_head};
use crate::event_log::reader::Reader;
use crate::event_log::{Batch, FileLog, Head, LogError};

const SEEDS: u64 = 5;

fn batches() -> Vec<Batch> {
    (1..=8)
        .map(|number| batch(number, number % 3 + 1))
        .collect()
}

/// A log with some of the batches, in several segments.
fn log_with(count: usize) -> (ForgetfulDisk, FileLog) {
    let disk = ForgetfulDisk::with_empty_log(512);
    let log = FileLog::on(Box::new(disk.clone())).with_segment_bytes_max(3_000);
    append_all(&log, &batches()[..count]);
    (disk, log)
}

fn holds(disk: &ForgetfulDisk, extent: &Extent) -> bool {
    extent.lacking(disk, &|_, _| {}).unwrap().is_empty()
}

fn lines_in(disk: &ForgetfulDisk, extent: &Extent) -> Vec<String> {
    read(&FileLog::as_of(Box::new(disk.clone()), extent.head)).unwrap()
}

#[test]
fn stopped_at_any_call_a_copy_still_holds_what_it_held_and_is_completed_later() {
    let former = log_with(4).1;
    let (_, log) = log_with(8);
    let clean = ForgetfulDisk::with_empty_log(512);
    let extent = former.copy_to(&clean, None, &|_, _| {}).unwrap().extent;
    let began = clean.changes();
    let wanted = log
        .copy_to(&clean, Some(&extent), &|_, _| {})
        .unwrap()
        .extent;
    let calls = clean.changes() - began;
    assert!(calls > 5, "{calls}");
    for call in 0..calls {
        for fault in [Fault::Fail, Fault::Crash] {
            let target = ForgetfulDisk::with_empty_log(512);
            former.copy_to(&target, None, &|_, _| {}).unwrap();
            target.fail_at(began + call, fault);
            assert!(
                log.copy_to(&target, Some(&extent), &|_, _| {}).is_err(),
                "call {call}"
            );
            for seed in 0..SEEDS {
                let found = target.after_crash(seed);
                assert!(holds(&found, &extent), "call {call}, seed {seed}");
                let copied = log.copy_to(&found, Some(&extent), &|_, _| {}).unwrap();
                assert_eq!(copied.extent, wanted);
                // The extent that it states survives a crash at once.
                assert!(
                    holds(&found.after_crash(seed), &wanted),
                    "call {call}, seed {seed}"
                );
            }
        }
    }
    assert_eq!(lines_in(&clean, &wanted), lines_of(&batches()));
}

#[test]
fn a_copy_can_end_with_any_batch_and_becomes_a_log_of_its_own() {
    let (_, log) = log_with(8);
    for count in 1..=8 {
        let part = log_with(count).1;
        let end = part
            .copy_to(&ForgetfulDisk::with_empty_log(512), None, &|_, _| {})
            .unwrap()
            .extent
            .head;
        let (disk, _) = log_with(8);
        let target = ForgetfulDisk::with_empty_log(512);
        let past = FileLog::as_of(Box::new(disk), end);
        assert_eq!(
            past.copy_to(&target, None, &|_, _| {}).unwrap().extent.head,
            end
        );
        target.delete("head");
        publish_first_head(&target, end).unwrap();
        for seed in 0..SEEDS {
            assert_eq!(target.after_crash(seed).bytes("head"), target.bytes("head"));
        }
        let own = FileLog::on(Box::new(target.after_crash(1))).with_segment_bytes_max(3_000);
        assert_eq!(read(&own).unwrap(), lines_of(&batches()[..count]));
        append_all(&own, &batches()[count..]);
        assert_eq!(read(&own).unwrap(), read(&log).unwrap());
    }
}

#[test]
fn no_flipped_bit_of_what_is_new_reaches_a_copy() {
    let extent = log_with(5)
        .1
        .copy_to(&ForgetfulDisk::with_empty_log(512), None, &|_, _| {})
        .unwrap()
        .extent;
    let (disk, log) = log_with(8);
    let head = log
        .copy_to(&ForgetfulDisk::with_empty_log(512), None, &|_, _| {})
        .unwrap()
        .extent;
    let prefix = head
        .prefixes
        .iter()
        .find(|prefix| prefix.segment > extent.head.segment)
        .expect("it is new");
    let name = crate::event_log::segment::file_name(prefix.segment);
    disk.flip_each(&name, (0..disk.bytes(&name).len() * 8).step_by(3), |bit| {
        let target = ForgetfulDisk::with_empty_log(512);
        log_with(5).1.copy_to(&target, None, &|_, _| {}).unwrap();
        let refused = log.copy_to(&target, Some(&extent), &|_, _| {}).unwrap_err();
        assert!(
            matches!(refused, LogError::Damaged { .. }),
            "bit {bit}: {refused}"
        );
        assert!(holds(&target, &extent), "bit {bit}");
    });
}

#[test]
fn any_flipped_bit_of_a_copy_is_found_and_its_segment_copied_again() {
    let (_, log) = log_with(8);
    let target = ForgetfulDisk::with_empty_log(512);
    let extent = log.copy_to(&target, None, &|_, _| {}).unwrap().extent;
    for prefix in &extent.prefixes {
        let name = crate::event_log::segment::file_name(prefix.segment);
        let whole = target.bytes(&name);
        target.flip_each(&name, (0..whole.len() * 8).step_by(3), |bit| {
            assert_eq!(
                extent.lacking(&target, &|_, _| {}).unwrap(),
                [prefix],
                "bit {bit} of {name}"
            );
        });
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        target.put(&name, &flipped);
        let renewed = log
            .copy_to(&target, Some(&extent), &|_, _| {})
            .unwrap()
            .renewed;
        assert!(renewed == [prefix.segment] && target.bytes(&name) == whole);
    }
}

#[test]
fn bytes_behind_a_finished_segment_of_a_copy_are_cut_and_told() {
    let (_, log) = log_with(8);
    let target = ForgetfulDisk::with_empty_log(512);
    let extent = log.copy_to(&target, None, &|_, _| {}).unwrap().extent;
    for prefix in &extent.prefixes {
        let name = crate::event_log::segment::file_name(prefix.segment);
        let whole = target.bytes(&name);
        target.put(&name, &[&whole[..], b"more\n"].concat());
        assert!(
            holds(&target, &extent),
            "only the bytes that are counted belong to it"
        );
        let copied = log.copy_to(&target, Some(&extent), &|_, _| {}).unwrap();
        // The last segment is a leftover of a killed copy and no damage.
        let is_last = Some(prefix) == extent.prefixes.last();
        assert_eq!(
            copied.renewed,
            if is_last {
                Vec::new()
            } else {
                vec![prefix.segment]
            }
        );
        let kept = if is_last {
            target.bytes(&name)
        } else {
            target.after_crash(1).bytes(&name)
        };
        assert!(kept == whole && copied.extent == extent);
    }
}

#[test]
fn a_copy_does_not_end_within_a_batch() {
    let (disk, log) = log_with(8);
    let mut reader = Reader::from(log.storage(), log.head().unwrap(), Sequence::FIRST).unwrap();
    let mut within = Vec::new();
    while let Some((sequence, hash, more)) = reader
        .next_line()
        .unwrap()
        .map(|l| (l.sequence, l.hash, l.more))
    {
        let (segment, position) = reader.position().unwrap();
        within.extend((more > 0).then_some(Head {
            sequence,
            hash,
            segment,
            position,
        }));
    }
    assert!(within.len() > 3);
    for head in within {
        let past = FileLog::as_of(Box::new(disk.clone()), head);
        let refused = past
            .copy_to(&ForgetfulDisk::with_empty_log(512), None, &|_, _| {})
            .unwrap_err();
        assert!(matches!(refused, LogError::Damaged { .. }), "{refused}");
    }
}

#[test]
fn a_copy_of_another_log_is_not_gone_on_with() {
    let target = ForgetfulDisk::with_empty_log(512);
    let extent = log_with(6)
        .1
        .copy_to(&target, None, &|_, _| {})
        .unwrap()
        .extent;
    for other in [log_with(3).1, other_log()] {
        let refused = other
            .copy_to(&target, Some(&extent), &|_, _| {})
            .unwrap_err();
        assert!(
            matches!(refused, LogError::NotOnChain { sequence } if sequence == extent.head.sequence),
            "{refused}"
        );
        assert!(holds(&target, &extent));
        // Lost bytes of the copy are not replaced by bytes of another log.
        let spoilt = target.after_crash(0);
        spoilt.delete(&crate::event_log::segment::file_name(
            extent.prefixes[1].segment,
        ));
        assert!(other.copy_to(&spoilt, Some(&extent), &|_, _| {}).is_err());
        assert_eq!(
            extent.lacking(&spoilt, &|_, _| {}).unwrap(),
            [&extent.prefixes[1]]
        );
    }
    assert!(extent.head.sequence > Sequence(3));
}

/// Longer than six of the batches, and different from them.
fn other_log() -> FileLog {
    let log = FileLog::on(Box::new(ForgetfulDisk::with_empty_log(512)));
    append_all(
        &log,
        &(11..=20).map(|number| batch(number, 2)).collect::<Vec<_>>(),
    );
    log
}
