//! The tails that a writer finds after the head, and its recovery.

use super::forgetful_disk::ForgetfulDisk;
use super::sample::{AT_ONCE, append_all, batch, lines_of, read};
use crate::event_log::{Batch, FileLog, LogError, Recovery};

const FIRST: &str = "00000000000000000001.ndjson";

fn published() -> Vec<Batch> {
    vec![batch(1, 2), batch(2, 3)]
}

fn all() -> Vec<Batch> {
    vec![batch(1, 2), batch(2, 3), batch(3, 3)]
}

fn bytes_of(batches: &[Batch]) -> Vec<u8> {
    (lines_of(batches).join("\n") + "\n").into_bytes()
}

/// A log with `published` acknowledged and the segments replaced by `segments`.
fn log_with(published: &[Batch], segments: &[(&str, &[u8])]) -> (ForgetfulDisk, FileLog) {
    let disk = ForgetfulDisk::with_empty_log(4096);
    let log = FileLog::on(Box::new(disk.clone()));
    append_all(&log, published);
    for (name, bytes) in segments {
        disk.put(name, bytes);
    }
    (disk, log)
}

/// Opens a writer and appends once more. Returns the recovery and the lines of the log.
fn recovered(log: &FileLog, next: &Batch) -> (Recovery, Vec<String>) {
    let mut writer = log.writer(&AT_ONCE).unwrap();
    let recovery = writer.recovery();
    let head = *writer.head();
    writer.append(&head, next).unwrap();
    drop(writer);
    assert_eq!(
        log.writer(&AT_ONCE).unwrap().recovery(),
        Recovery::default(),
        "nothing is left to recover"
    );
    (recovery, read(log).unwrap())
}

fn with_next(batches: &[Batch]) -> Vec<String> {
    lines_of(&[batches, &[batch(9, 1)]].concat())
}

#[test]
fn a_torn_tail_is_cut_at_whatever_byte_it_was_torn() {
    let (whole, acknowledged) = (bytes_of(&all()), bytes_of(&published()).len());
    for length in acknowledged..whole.len() {
        let (_disk, log) = log_with(&published(), &[(FIRST, &whole[..length])]);
        assert_eq!(
            read(&log).unwrap(),
            lines_of(&published()),
            "readers stop at the head"
        );
        let (recovery, lines) = recovered(&log, &batch(9, 1));
        let cut_bytes = (length - acknowledged) as u64;
        assert_eq!(
            recovery,
            Recovery {
                published_events: 0,
                cut_bytes
            },
            "torn at {length}"
        );
        assert_eq!(lines, with_next(&published()), "torn at {length}");
    }
}

#[test]
fn the_torn_first_batch_of_a_log_is_cut() {
    let whole = bytes_of(&[batch(3, 3)]);
    for length in 1..whole.len() {
        let (disk, log) = log_with(&[], &[(FIRST, &whole[..length])]);
        let (recovery, lines) = recovered(&log, &batch(9, 1));
        assert_eq!(recovery.cut_bytes, length as u64);
        assert_eq!(lines, lines_of(&[batch(9, 1)]));
        assert_eq!(disk.bytes(FIRST), bytes_of(&[batch(9, 1)]));
    }
}

#[test]
fn a_tail_of_zeros_or_garbage_is_cut() {
    let good = bytes_of(&published());
    let foreign = bytes_of(&[batch(7, 2)]);
    let tails: [&[u8]; 6] = [
        &[0; 5000],
        b"\n",
        b"\n\n\n",
        &[0xff; 700],
        b"{\"specversion\":\"1.0\"}\n",
        &foreign,
    ];
    for tail in tails {
        let (_disk, log) = log_with(&published(), &[(FIRST, &[&good[..], tail].concat())]);
        let (recovery, lines) = recovered(&log, &batch(9, 1));
        assert_eq!(
            recovery,
            Recovery {
                published_events: 0,
                cut_bytes: tail.len() as u64
            }
        );
        assert_eq!(lines, with_next(&published()));
    }
}

#[test]
fn a_whole_batch_that_was_not_acknowledged_is_published_late() {
    let whole = bytes_of(&all());
    for torn in ["", "{\"specversion\":\"1.0\",\"id\":\"", "\0\0\0"] {
        let (_disk, log) = log_with(
            &published(),
            &[(FIRST, &[&whole, torn.as_bytes()].concat())],
        );
        let (recovery, lines) = recovered(&log, &batch(9, 1));
        assert_eq!(
            recovery,
            Recovery {
                published_events: 3,
                cut_bytes: torn.len() as u64
            }
        );
        assert_eq!(lines, with_next(&all()));
    }
}

#[test]
fn a_segment_that_was_begun_but_not_acknowledged_is_published_or_removed() {
    let tail = bytes_of(&all()).split_off(bytes_of(&published()).len());
    let name = "00000000000000000006.ndjson";
    for length in 0..=tail.len() {
        let (disk, log) = log_with(&published(), &[(name, &tail[..length])]);
        assert_eq!(read(&log).unwrap(), lines_of(&published()));
        let kept = if length == tail.len() {
            all()
        } else {
            published()
        };
        let (recovery, lines) = recovered(&log, &batch(9, 1));
        assert_eq!(
            recovery.published_events,
            if length == tail.len() { 3 } else { 0 }
        );
        assert_eq!(lines, with_next(&kept), "{length} of {}", tail.len());
        let continued = disk.bytes(if length == tail.len() { name } else { FIRST });
        assert!(continued.ends_with(
            &bytes_of(&[&kept[..], &[batch(9, 1)]].concat()).split_off(bytes_of(&kept).len())
        ));
    }
}

#[test]
fn a_segment_that_recovery_removed_does_not_come_back_after_a_crash() {
    let tail = bytes_of(&all()).split_off(bytes_of(&published()).len());
    let name = "00000000000000000006.ndjson";
    for seed in 0..8 {
        let (disk, log) = log_with(&published(), &[(name, &tail[..tail.len() / 2])]);
        drop(log.writer(&AT_ONCE).unwrap());
        let names = crate::event_log::segment::list(&disk.after_crash(seed)).unwrap();
        assert_eq!(
            names.into_iter().map(|first| first.0).collect::<Vec<_>>(),
            [1],
            "seed {seed}"
        );
    }
}

#[test]
fn without_a_head_file_whole_batches_are_the_log_and_a_torn_one_is_damage() {
    let whole = bytes_of(&all());
    for length in 1..=whole.len() {
        let (disk, log) = log_with(&all(), &[(FIRST, &whole[..length])]);
        disk.delete("head");
        let count = (0..=all().len())
            .find(|count| *count > 0 && bytes_of(&all()[..*count]).len() == length);
        match count {
            Some(count) => {
                assert_eq!(read(&log).unwrap(), lines_of(&all()[..count]));
                assert_eq!(recovered(&log, &batch(9, 1)).1, with_next(&all()[..count]));
            }
            // It may have been acknowledged, so no reader skips it and no command cuts it unasked.
            None => {
                assert!(
                    matches!(log.head(), Err(LogError::Damaged { .. })),
                    "{length}"
                );
                assert!(
                    matches!(log.writer(&AT_ONCE), Err(LogError::Damaged { .. })),
                    "{length}"
                );
                assert!(disk.bytes(FIRST) == whole[..length], "{length}");
                disk.delete("head");
                assert!(
                    log.lock_unsettled(&AT_ONCE).unwrap().settle().is_ok(),
                    "{length}"
                );
            }
        }
    }
}

#[test]
fn a_head_file_without_a_valid_slot_is_found_again() {
    for junk in [vec![], vec![0; 8192], vec![b'x'; 9000], vec![0xff; 100]] {
        let (disk, log) = log_with(&all(), &[]);
        disk.put("head", &junk);
        assert_eq!(read(&log).unwrap(), lines_of(&all()));
        assert_eq!(recovered(&log, &batch(9, 1)).1, with_next(&all()));
    }
}

#[test]
fn a_damaged_newer_slot_loses_no_batch() {
    for slot in [0..4096, 4096..8192] {
        let (disk, log) = log_with(&all(), &[]);
        let mut head = disk.bytes("head");
        head[slot].fill(b'?');
        disk.put("head", &head);
        assert_eq!(recovered(&log, &batch(9, 1)).1, with_next(&all()));
    }
}

/// Three segments without a head file; `spoil` may change them.
fn headless_segments(spoil: impl FnOnce(&ForgetfulDisk, &[String])) -> (ForgetfulDisk, FileLog) {
    let disk = ForgetfulDisk::with_empty_log(4096);
    let log = FileLog::on(Box::new(disk.clone())).with_segment_bytes_max(1);
    append_all(&log, &all());
    let names: Vec<_> = crate::event_log::segment::list(&disk).unwrap();
    let names: Vec<_> = names
        .into_iter()
        .map(crate::event_log::segment::file_name)
        .collect();
    assert_eq!(names.len(), 3);
    disk.delete("head");
    spoil(&disk, &names);
    (disk, log)
}

fn assert_damaged_and_untouched((disk, log): (ForgetfulDisk, FileLog)) {
    use crate::event_log::storage::Storage;
    let names = |disk: &ForgetfulDisk| {
        disk.names()
            .unwrap()
            .into_iter()
            .filter(|name| name != "head")
    };
    let before: Vec<_> = names(&disk).map(|name| (disk.bytes(&name), name)).collect();
    assert!(matches!(log.head(), Err(LogError::Damaged { .. })));
    assert!(matches!(
        log.writer(&AT_ONCE),
        Err(LogError::Damaged { .. })
    ));
    let after: Vec<_> = names(&disk).map(|name| (disk.bytes(&name), name)).collect();
    assert_eq!(before, after);
}

#[test]
fn without_a_head_file_segments_in_a_row_are_one_log() {
    let (_disk, log) = headless_segments(|_, _| {});
    assert_eq!(read(&log).unwrap(), lines_of(&all()));
    assert_eq!(recovered(&log, &batch(9, 1)).1, with_next(&all()));
}

#[test]
fn without_a_head_file_a_bad_line_before_a_good_segment_is_damage_and_nothing_is_removed() {
    for at in [0, 100, 600] {
        assert_damaged_and_untouched(headless_segments(|disk, names| {
            let mut bytes = disk.bytes(&names[1]);
            let last = bytes.len() - 1;
            bytes[last - at] ^= 1;
            disk.put(&names[1], &bytes);
        }));
    }
}

#[test]
fn without_a_head_file_a_missing_segment_is_damage_and_nothing_is_removed() {
    for missing in [0, 1] {
        assert_damaged_and_untouched(headless_segments(|disk, names| {
            disk.delete(&names[missing])
        }));
    }
}

#[test]
fn without_a_head_file_a_segment_by_another_name_is_damage_and_nothing_is_removed() {
    assert_damaged_and_untouched(headless_segments(|disk, names| {
        disk.put("00000000000000000004.ndjson", &disk.bytes(&names[1]));
        disk.delete(&names[1]);
    }));
}

#[test]
fn a_log_without_any_file_is_missing() {
    let disk = ForgetfulDisk::with_empty_log(4096);
    disk.delete("head");
    let log = FileLog::on(Box::new(disk));
    assert!(matches!(log.head(), Err(LogError::Missing { .. })));
    assert!(matches!(
        log.writer(&AT_ONCE),
        Err(LogError::Missing { .. })
    ));
}
