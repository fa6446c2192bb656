//! The log and its head, each damaged in one way.

use std::path::Path;

use crate::app::verify::tests::broken;
use crate::app::verify::tests::store::Store;

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

fn first_sequence(path: &Path) -> u64 {
    name(path)[..20].parse().unwrap()
}

/// Where the line with this index begins.
fn line_start(bytes: &[u8], index: usize) -> usize {
    let ends = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .map(|(at, _)| at + 1);
    std::iter::once(0).chain(ends).nth(index).unwrap()
}

#[test]
fn a_flipped_bit_anywhere_in_a_line_is_one_damage_at_its_place() {
    let store = Store::sound();
    let segment = &store.segments()[1];
    let whole = std::fs::read(segment).unwrap();
    let (start, end) = (line_start(&whole, 2), line_start(&whole, 3));
    for byte in (start..end - 1).step_by(7) {
        edit(segment, |bytes| bytes[byte] ^= 1);
        let findings = store.verify(false);
        let places: Vec<_> = findings
            .damage
            .iter()
            .map(|d| (d.segment.clone(), d.byte, d.sequence))
            .collect();
        let expected = (name(segment), start as u64, first_sequence(segment) + 2);
        assert_eq!(
            places,
            [expected],
            "byte {}: {:#?}",
            byte - start,
            findings.damage
        );
        assert_eq!(findings.violations, []);
        std::fs::write(segment, &whole).unwrap();
    }
}

#[test]
fn damage_says_what_to_do_and_the_deep_checks_end_before_it() {
    let store = Store::sound();
    let segment = &store.segments()[1];
    edit(segment, |bytes| bytes[300] ^= 1);
    let findings = store.verify(true);
    assert_eq!(findings.damage.len(), 1, "{findings:#?}");
    assert!(findings.damage[0].remedy.contains("restore"));
    assert_eq!(findings.violations, []);
    assert!(
        findings
            .notes
            .iter()
            .any(|note| note.contains("the deep checks end after event")),
        "{:?}",
        findings.notes
    );
}

#[test]
fn swapped_lines_are_damage_from_the_first_of_them() {
    let store = Store::sound();
    let segment = &store.segments()[0];
    let whole = std::fs::read(segment).unwrap();
    let at = |index| line_start(&whole, index);
    edit(segment, |bytes| {
        *bytes = [
            &whole[..at(3)],
            &whole[at(4)..at(5)],
            &whole[at(3)..at(4)],
            &whole[at(5)..],
        ]
        .concat();
    });
    let findings = store.verify(false);
    assert_eq!(
        (findings.damage[0].sequence, findings.damage[0].byte),
        (4, at(3) as u64),
        "{findings:#?}"
    );
    assert!(findings.damage.len() <= 3, "{findings:#?}");
}

#[test]
fn a_removed_or_repeated_line_is_one_damage() {
    let store = Store::sound();
    let segment = &store.segments()[0];
    let whole = std::fs::read(segment).unwrap();
    let at = |index| line_start(&whole, index);
    for spoiled in [
        [&whole[..at(3)], &whole[at(4)..]].concat(),
        [&whole[..at(4)], &whole[at(3)..]].concat(),
    ] {
        std::fs::write(segment, spoiled).unwrap();
        let findings = store.verify(false);
        assert_eq!(findings.damage.len(), 1, "{findings:#?}");
    }
}

#[test]
fn a_missing_segment_is_one_damage() {
    let segments = Store::sound().segments().len();
    assert!(segments > 3, "the log has {segments} segments");
    for index in 0..segments {
        let store = Store::sound();
        let gone = store.segments()[index].clone();
        std::fs::remove_file(&gone).unwrap();
        let findings = store.verify(false);
        let places: Vec<_> = findings
            .damage
            .iter()
            .map(|d| (d.segment.clone(), d.byte, d.sequence))
            .collect();
        assert_eq!(
            places,
            [(name(&gone), 0, first_sequence(&gone))],
            "{findings:#?}"
        );
    }
}

#[test]
fn a_segment_that_is_there_twice_is_one_damage() {
    let store = Store::sound();
    let segments = store.segments();
    let copy =
        segments[0].with_file_name(format!("{:020}.ndjson", first_sequence(&segments[1]) + 1));
    std::fs::copy(&segments[0], &copy).unwrap();
    let findings = store.verify(false);
    let places: Vec<_> = findings.damage.iter().map(|d| d.segment.clone()).collect();
    assert_eq!(places, [name(&copy)], "{findings:#?}");
}

#[test]
fn a_cut_segment_is_one_damage() {
    let count = Store::sound().segments().len();
    for (index, cut) in [(1, 10), (count - 1, 10), (count - 1, 2_000)] {
        let store = Store::sound();
        let segment = &store.segments()[index];
        edit(segment, |bytes| bytes.truncate(bytes.len() - cut));
        let findings = store.verify(false);
        assert_eq!(
            findings.damage.len(),
            1,
            "segment {index} less {cut}: {findings:#?}"
        );
        assert_eq!(findings.damage[0].segment, name(segment));
    }
}

#[test]
fn bytes_beyond_the_head_are_a_note() {
    let store = Store::sound();
    edit(store.segments().last().unwrap(), |bytes| {
        bytes.extend_from_slice(b"{\"specversion\"")
    });
    let findings = store.verify(true);
    assert!(findings.is_sound(), "{findings:#?}");
    assert!(
        findings.notes[0].starts_with("14 bytes are after the head"),
        "{:?}",
        findings.notes
    );
}

#[test]
fn a_bad_slot_of_the_head_is_named() {
    let store = Store::sound();
    let head = store.path("log/head");
    let whole = std::fs::read(&head).unwrap();
    let older = usize::from(whole[13..33] > whole[4096 + 13..4096 + 33]);
    edit(&head, |bytes| bytes[older * 4096 + 20] ^= 1);
    let findings = store.verify(false);
    assert_eq!(findings.damage, []);
    assert_eq!(
        broken(&findings),
        [("head", format!("log/head byte {}", older * 4096).as_str())]
    );
}

#[test]
fn a_missing_head_file_is_named_and_the_log_still_checked() {
    let store = Store::sound();
    store.remove("log/head");
    let findings = store.verify(true);
    assert_eq!(findings.damage, []);
    assert_eq!(
        broken(&findings),
        [("head", "log/head byte 0")],
        "{findings:#?}"
    );
    assert_eq!(findings.checked_bytes, store.log_bytes());
}

#[test]
fn a_head_that_names_another_last_line_is_damage() {
    let store = Store::sound();
    let mut batches = store.batches();
    let last = batches.last_mut().unwrap();
    last.command_id = last.command_id.replace("close", "CLOSE");
    let other = Store::craft(&batches);
    let (mine, theirs) = (store.path("log/head"), other.path("log/head"));
    let same_files = Store::craft(&store.batches());
    std::fs::copy(theirs, same_files.path("log/head")).unwrap();
    assert!(mine.exists());
    let findings = same_files.verify(false);
    assert_eq!(findings.damage.len(), 1, "{findings:#?}");
    assert!(
        findings.damage[0]
            .what
            .contains("not the one the head names")
    );
}
