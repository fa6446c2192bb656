//! Faults before the head are found, and never repaired, guessed or ignored.

use super::forgetful_disk::ForgetfulDisk;
use super::sample::{
    AT_ONCE, append_all, batch, batches, lines_of, log_of_three_segments, read, read_from,
};
use crate::domain::id::Sequence;
use crate::event_log::audit::{Depth, Fault, FaultKind};
use crate::event_log::copy::publish_first_head;
use crate::event_log::error::Place;
use crate::event_log::{Batch, FileLog, Hash, Head, Line, LogError, encode};

const SEGMENTS: [&str; 3] = [
    "00000000000000000001.ndjson",
    "00000000000000000003.ndjson",
    "00000000000000000004.ndjson",
];

#[test]
fn every_flipped_bit_is_found_and_no_wrong_line_is_given() {
    let (disk, log) = log_of_three_segments();
    let good = lines_of(&batches());
    for name in SEGMENTS {
        disk.flip_each(name, 0..disk.bytes(name).len() * 8, |bit| {
            let mut given = Vec::new();
            let mut reader = log.read(crate::domain::id::Sequence::FIRST).unwrap();
            let end = loop {
                match reader.next_line() {
                    Ok(Some(line)) => given.push(line.text.to_owned()),
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            };
            assert!(
                matches!(end, Some(LogError::Damaged { .. })),
                "{name} bit {bit}: {end:?}"
            );
            assert!(good.starts_with(&given), "{name} bit {bit}");
        });
    }
    assert_eq!(read(&log).unwrap(), good);
}

#[test]
fn beginning_at_any_sequence_of_a_damaged_log_never_panics_and_never_gives_a_wrong_line() {
    let (disk, log) = log_of_three_segments();
    let good = lines_of(&batches());
    let bytes = 0..disk.bytes(SEGMENTS[2]).len();
    disk.flip_each(SEGMENTS[2], bytes.map(|byte| byte * 8 + 4), |bit| {
        for from in 4..=5 {
            match read_from(&log, from) {
                Ok(lines) => assert_eq!(
                    lines,
                    good[usize::try_from(from).unwrap() - 1..],
                    "bit {bit}"
                ),
                Err(error) => assert!(
                    matches!(error, LogError::Damaged { .. }),
                    "bit {bit}: {error}"
                ),
            }
        }
    });
}

#[test]
fn damage_names_its_segment_byte_and_sequence() {
    let (disk, log) = log_of_three_segments();
    let mut bytes = disk.bytes(SEGMENTS[0]);
    let second_line = lines_of(&batches())[0].len() + 1;
    bytes[second_line + 300] ^= 1;
    disk.put(SEGMENTS[0], &bytes);
    let Err(LogError::Damaged { place, .. }) = read(&log) else {
        panic!("not found")
    };
    assert_eq!(
        (place.segment.as_str(), place.byte, place.sequence.0),
        (SEGMENTS[0], second_line as u64, 2)
    );
}

#[test]
fn a_missing_segment_is_damage() {
    for name in SEGMENTS {
        let (disk, log) = log_of_three_segments();
        disk.delete(name);
        assert!(
            matches!(read(&log), Err(LogError::Damaged { .. })),
            "{name}"
        );
    }
    let (disk, log) = log_of_three_segments();
    disk.delete(SEGMENTS[2]);
    assert!(matches!(
        log.writer(&AT_ONCE),
        Err(LogError::Damaged { .. })
    ));
}

#[test]
fn a_segment_that_ends_too_early_is_damage() {
    for name in SEGMENTS {
        let (disk, log) = log_of_three_segments();
        let whole = disk.bytes(name);
        for length in [0, 1, whole.len() / 2, whole.len() - 1] {
            disk.put(name, &whole[..length]);
            assert!(
                matches!(read(&log), Err(LogError::Damaged { .. })),
                "{name} cut to {length}"
            );
            let refused = matches!(log.writer(&AT_ONCE), Err(LogError::Damaged { .. }));
            assert_eq!(
                refused,
                name == SEGMENTS[2],
                "a writer looks at the last segment only"
            );
            assert_eq!(disk.bytes(name), whole[..length]);
        }
    }
}

#[test]
fn lines_cut_swapped_repeated_or_of_another_log_are_damage() {
    let disk = ForgetfulDisk::with_empty_log(4096);
    let log = FileLog::on(Box::new(disk.clone()));
    append_all(&log, &batches());
    let lines = lines_of(&batches());
    let length = disk.bytes(SEGMENTS[0]).len();
    let foreign = lines_of(&[batch(7, 5)]);
    let order = |order: &[usize]| {
        order
            .iter()
            .map(|index| lines[*index].clone())
            .collect::<Vec<_>>()
    };
    for spoiled in [
        order(&[0, 1, 3, 4]),
        order(&[1, 0, 2, 3, 4]),
        order(&[0, 1, 1, 2, 3, 4]),
        foreign,
    ] {
        let mut bytes = (spoiled.join("\n") + "\n").into_bytes();
        bytes.resize(length.max(bytes.len()), b'\n');
        disk.put(SEGMENTS[0], &bytes);
        assert!(matches!(read(&log), Err(LogError::Damaged { .. })));
    }
}

#[test]
fn a_log_whose_last_line_is_not_the_heads_is_damaged_even_if_its_chain_holds() {
    let disk = ForgetfulDisk::with_empty_log(4096);
    let log = FileLog::on(Box::new(disk.clone()));
    append_all(&log, &[batch(1, 1)]);
    let mut other = batch(1, 1);
    other.command_id = other.command_id.replace('k', "K");
    disk.put(
        SEGMENTS[0],
        (lines_of(&[other]).join("\n") + "\n").as_bytes(),
    );
    assert!(matches!(read(&log), Err(LogError::Damaged { .. })));
    assert!(matches!(
        log.writer(&AT_ONCE),
        Err(LogError::Damaged { .. })
    ));
}

/// Batches that follow each other with right hashes, and the head after the last of them. Each
/// begins with the given sequence and has the given number of lines.
fn forged(batches: &[(Batch, u64, usize)]) -> (Vec<u8>, Head) {
    let (mut bytes, mut head) = (Vec::new(), Head::EMPTY);
    for (batch, first, lines) in batches {
        let mut encoded = Vec::new();
        encode::encode(batch, Sequence(*first), head.hash, &mut encoded);
        for line in encoded.split_inclusive(|byte| *byte == b'\n').take(*lines) {
            bytes.extend_from_slice(line);
            let hash = Line::parse(&line[..line.len() - 1]).unwrap().hash;
            head = Head {
                sequence: head.sequence.next(),
                hash,
                position: bytes.len() as u64,
                ..head
            };
        }
    }
    (bytes, head)
}

/// Readers refuse the log, and an audit reports `what`.
fn assert_damaged((bytes, head): (Vec<u8>, Head), what: &str) {
    let disk = ForgetfulDisk::with_empty_log(4096);
    disk.put(SEGMENTS[0], &bytes);
    publish_first_head(&disk, head).unwrap();
    let log = FileLog::on(Box::new(disk));
    assert!(matches!(read(&log), Err(LogError::Damaged { .. })));
    let faults = log.audit(Depth::Chain, 1, &|_, _| {}).unwrap().faults;
    assert!(
        faults.iter().any(|fault| fault.what.contains(what)),
        "{faults:?}"
    );
}

#[test]
fn a_wrong_sequence_is_damage_even_if_the_chain_holds() {
    assert_damaged(
        forged(&[(batch(1, 1), 1, 1), (batch(2, 1), 3, 1)]),
        "found sequence 3 instead",
    );
    assert_damaged(
        forged(&[(batch(1, 1), 1, 1), (batch(2, 1), 1, 1)]),
        "found sequence 1 instead",
    );
}

#[test]
fn reading_does_not_begin_behind_a_gap_even_if_the_chain_holds() {
    let (bytes, head) = forged(&[(batch(1, 1), 1, 1), (batch(2, 1), 3, 1)]);
    let disk = ForgetfulDisk::with_empty_log(4096);
    disk.put(SEGMENTS[0], &bytes);
    let log = FileLog::as_of(
        Box::new(disk),
        Head {
            sequence: Sequence(3),
            ..head
        },
    );
    assert!(matches!(read_from(&log, 3), Err(LogError::Damaged { .. })));
}

#[test]
fn a_batch_without_its_end_is_damage_even_if_the_chain_holds() {
    assert_damaged(
        forged(&[(batch(1, 3), 1, 1), (batch(2, 1), 2, 1)]),
        "the line before promised",
    );
}

#[test]
fn a_last_line_that_the_head_does_not_name_is_damage_even_if_the_chain_holds() {
    let (bytes, head) = forged(&[(batch(1, 1), 1, 1), (batch(2, 1), 2, 1)]);
    let head = Head {
        hash: Hash::of_bytes(b"another line"),
        ..head
    };
    assert_damaged((bytes, head), "the last line is not the one the head names");
}

#[test]
fn a_head_that_does_not_name_the_end_of_the_last_line_is_damage_even_if_its_checksum_is_right() {
    let (disk, log) = log_of_three_segments();
    let last = log.head().unwrap();
    let first_of_two = log.line(Sequence(4)).unwrap().line().hash;
    let heads = [
        (
            "more events than there are",
            Head {
                sequence: Sequence(1_000),
                ..last
            },
        ),
        (
            "fewer, with their hash",
            Head {
                sequence: Sequence(4),
                hash: first_of_two,
                ..last
            },
        ),
        (
            "a segment that is not there",
            Head {
                segment: Sequence(5),
                ..last
            },
        ),
        (
            "a segment that is not the last",
            Head {
                segment: Sequence(3),
                position: 0,
                ..last
            },
        ),
        (
            "the end of an earlier one",
            Head {
                sequence: Sequence(6),
                segment: Sequence(3),
                ..last
            },
        ),
        (
            "another place of the segment",
            Head {
                position: last.position - 1,
                ..last
            },
        ),
    ];
    for (what, head) in heads {
        publish_first_head(&disk, head).unwrap();
        let faults = log.audit(Depth::Chain, 1, &|_, _| {}).unwrap().faults;
        assert!(
            faults.iter().any(|fault| fault.kind == FaultKind::Damage),
            "{what}: {faults:?}"
        );
    }
    publish_first_head(&disk, heads[0].1).unwrap();
    let faults = log.audit(Depth::Chain, 1, &|_, _| {}).unwrap().faults;
    let [Fault { place, what, .. }] = &faults[..] else {
        panic!("{faults:?}")
    };
    let expected = Place {
        segment: SEGMENTS[2].to_owned(),
        byte: last.position,
        sequence: Sequence(6),
    };
    assert_eq!(*place, expected);
    assert!(
        what.contains("event 5 is the last one here, but the head names event 1000"),
        "{what}"
    );
    publish_first_head(&disk, last).unwrap();
    assert_eq!(log.audit(Depth::Chain, 1, &|_, _| {}).unwrap().faults, []);
}
