//! Drafts: they behave like the log, and nothing reaches the disk.

use std::collections::BTreeMap;
use std::path::Path;

use super::sample::{AT_ONCE, append_all, batch, lines_of, read, read_from};
use crate::event_log::{Batch, FileLog, LogError};

const SEGMENT_BYTES_MAX: u64 = 3_000;

fn open(directory: &Path) -> FileLog {
    FileLog::open(directory)
        .unwrap()
        .with_segment_bytes_max(SEGMENT_BYTES_MAX)
}

/// A log of two batches in a directory of its own.
fn begun() -> (tempfile::TempDir, FileLog) {
    let directory = tempfile::tempdir().unwrap();
    drop(FileLog::create(directory.path()).unwrap());
    let log = open(directory.path());
    append_all(&log, &[batch(1, 2), batch(2, 3)]);
    (directory, log)
}

/// Enough batches for several segments.
fn more() -> Vec<Batch> {
    (3..12).map(|number| batch(number, 4)).collect()
}

fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap());
    entries
        .map(|e| {
            (
                e.file_name().into_string().unwrap(),
                std::fs::read(e.path()).unwrap(),
            )
        })
        .collect()
}

fn drafted(log: &FileLog) -> Vec<String> {
    let mut lines = Vec::new();
    log.for_each_drafted(|line| {
        lines.push(line.text.to_owned());
        Ok::<_, LogError>(())
    })
    .unwrap();
    lines
}

#[test]
fn a_draft_reads_back_what_the_log_would_hold_and_changes_no_file() {
    let (directory, log) = begun();
    let before = files(directory.path());
    let draft = open(directory.path()).draft();
    let drafted_head = append_all(&draft, &more()[..4]);
    assert_eq!(drafted_head, draft.head().unwrap());
    let drafted_head = append_all(&draft, &more()[4..]);
    assert_eq!(
        (drafted(&draft), read(&draft).unwrap().len()),
        (read_from(&draft, 6).unwrap(), 41)
    );
    assert!(files(directory.path()) == before);
    let lines = drafted(&draft);
    drop(draft);
    assert_eq!(append_all(&log, &more()), drafted_head);
    assert!(
        files(directory.path()).len() > before.len(),
        "segments were begun"
    );
    assert_eq!(read_from(&log, 6).unwrap(), lines);
}

#[test]
fn a_draft_that_nobody_wrote_to_sees_what_others_append() {
    let (directory, log) = begun();
    let draft = open(directory.path()).draft();
    assert!(draft.is_draft() && !draft.has_drafted() && !log.is_draft());
    append_all(&log, &more()[..1]);
    assert_eq!(read(&draft).unwrap(), read(&log).unwrap());
    assert_eq!(drafted(&draft), Vec::<String>::new());
}

#[test]
fn a_draft_holds_the_real_lock_from_its_first_writer_to_its_end() {
    let (directory, log) = begun();
    let draft = open(directory.path()).draft();
    append_all(&draft, &more()[..1]);
    assert!(matches!(log.writer(&AT_ONCE), Err(LogError::Locked { .. })));
    let writer = draft.writer(&AT_ONCE).unwrap();
    assert!(
        matches!(draft.writer(&AT_ONCE), Err(LogError::Locked { .. })),
        "two writers of one draft"
    );
    drop(writer);
    let lines = drafted(&draft);
    draft.end_draft();
    for others in [batch(20, 1), batch(21, 9), batch(22, 9)] {
        append_all(&log, &[others]);
        assert_eq!(drafted(&draft), lines, "whatever others append afterwards");
    }
    let held = log.writer(&AT_ONCE).unwrap();
    assert!(matches!(
        open(directory.path()).draft().writer(&AT_ONCE),
        Err(LogError::Locked { .. })
    ));
    drop(held);
}

#[test]
fn a_draft_recovers_an_unfinished_end_without_touching_it() {
    let (directory, log) = begun();
    let acknowledged = std::fs::read(directory.path().join("head")).unwrap();
    append_all(&log, &more()[..2]);
    std::fs::write(directory.path().join("head"), acknowledged).unwrap();
    let mut segments = files(directory.path())
        .into_keys()
        .filter(|name| name != "head");
    let last = directory.path().join(segments.next_back().unwrap());
    let whole = std::fs::read(&last).unwrap();
    for torn in [0, 1, 700] {
        std::fs::write(&last, &whole[..whole.len() - torn]).unwrap();
        let before = files(directory.path());
        let draft = open(directory.path()).draft();
        let writer = draft.writer(&AT_ONCE).unwrap();
        assert!(
            !writer.recovery().happened(),
            "nothing was really recovered"
        );
        drop(writer);
        append_all(&draft, &[batch(30, 2)]);
        assert_eq!(
            drafted(&draft).len(),
            2,
            "what recovery publishes is an earlier command's"
        );
        let batches = [
            &[batch(1, 2), batch(2, 3)],
            &more()[..if torn == 0 { 2 } else { 1 }],
            &[batch(30, 2)],
        ]
        .concat();
        assert_eq!(read(&draft).unwrap(), lines_of(&batches), "torn by {torn}");
        assert!(files(directory.path()) == before, "torn by {torn}");
    }
}

#[test]
fn a_draft_of_a_log_that_lost_its_head_finds_it_without_writing_it() {
    let (directory, _log) = begun();
    std::fs::remove_file(directory.path().join("head")).unwrap();
    let before = files(directory.path());
    let draft = open(directory.path()).draft();
    append_all(&draft, &more());
    assert_eq!(drafted(&draft).len(), 36);
    assert!(files(directory.path()) == before);
}
