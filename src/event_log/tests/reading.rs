//! Seeking, checkpoints and single lines.

use super::sample::{append_all, batch, lines_of, read, read_from};
use crate::domain::id::Sequence;
use crate::event_log::{Batch, FileLog, Hash, Line, LogError};

fn batches() -> Vec<Batch> {
    (1..=30)
        .map(|number| batch(number, number % 5 + 1))
        .collect()
}

fn log_of_many_segments() -> (tempfile::TempDir, FileLog) {
    let directory = tempfile::tempdir().unwrap();
    let log = FileLog::create(directory.path())
        .unwrap()
        .with_segment_bytes_max(5_000);
    append_all(&log, &batches());
    (directory, log)
}

#[test]
fn reading_can_begin_at_every_sequence() {
    let (_directory, log) = log_of_many_segments();
    let lines = lines_of(&batches());
    for from in 1..=lines.len() + 1 {
        assert_eq!(
            read_from(&log, from as u64).unwrap(),
            lines[from - 1..],
            "from {from}"
        );
    }
    assert_eq!(read_from(&log, 0).unwrap(), lines);
}

#[test]
fn reading_beyond_the_head_is_not_on_the_chain() {
    let (_directory, log) = log_of_many_segments();
    let head = log.head().unwrap().sequence;
    assert!(
        matches!(log.read(head.plus(2)), Err(LogError::NotOnChain { sequence }) if sequence == head.next())
    );
    for sequence in [Sequence::ZERO, head.next()] {
        assert!(
            matches!(log.line(sequence), Err(LogError::NotOnChain { .. })),
            "{sequence}"
        );
    }
}

#[test]
fn every_line_is_found_alone() {
    let (_directory, log) = log_of_many_segments();
    for (index, text) in lines_of(&batches()).iter().enumerate() {
        assert_eq!(
            log.line(Sequence(index as u64 + 1)).unwrap().line().text,
            text
        );
    }
}

#[test]
fn a_checkpoint_goes_on_only_where_its_hash_is_the_logs() {
    let (_directory, log) = log_of_many_segments();
    let lines = lines_of(&batches());
    for (index, text) in lines.iter().enumerate() {
        let checkpoint = Line::parse(text.as_bytes()).unwrap();
        let mut reader = log
            .read_after(checkpoint.sequence, &checkpoint.hash)
            .unwrap();
        let next = reader.next_line().unwrap().map(|line| line.text.to_owned());
        assert_eq!(next.as_ref(), lines.get(index + 1));
        let foreign = log.read_after(checkpoint.sequence, &Hash::of_bytes(b"another log"));
        assert!(
            matches!(foreign, Err(LogError::NotOnChain { sequence }) if sequence == checkpoint.sequence)
        );
    }
    assert!(log.read_after(Sequence::ZERO, &Hash::ZERO).is_ok());
    assert!(
        log.read_after(Sequence::ZERO, &Hash::of_bytes(b"x"))
            .is_err()
    );
}

#[test]
fn a_line_longer_than_the_readers_buffer_is_read_whole() {
    let directory = tempfile::tempdir().unwrap();
    let log = FileLog::create(directory.path()).unwrap();
    let mut long = batch(1, 3);
    long.command_id = "ключ ".repeat(200_000);
    let batches = [batch(0, 2), long, batch(2, 2)];
    append_all(&log, &batches);
    assert_eq!(read(&log).unwrap(), lines_of(&batches));
    for from in [3, 4, 6] {
        assert_eq!(
            read_from(&log, from).unwrap(),
            lines_of(&batches)[usize::try_from(from).unwrap() - 1..]
        );
    }
}

#[test]
fn a_reader_sees_nothing_appended_after_it_began() {
    let (_directory, log) = log_of_many_segments();
    let mut reader = log.read(log.head().unwrap().sequence).unwrap();
    append_all(&log, &[batch(40, 3)]);
    assert!(reader.next_line().unwrap().is_some());
    assert!(reader.next_line().unwrap().is_none());
}

#[test]
fn a_log_without_events_reads_as_empty() {
    let directory = tempfile::tempdir().unwrap();
    let log = FileLog::create(directory.path()).unwrap();
    assert_eq!(log.head().unwrap().sequence, Sequence::ZERO);
    assert!(read(&log).unwrap().is_empty());
    assert!(matches!(
        FileLog::create(directory.path()),
        Err(LogError::Exists { .. })
    ));
    assert!(matches!(
        FileLog::open(&directory.path().join("none")),
        Err(LogError::Missing { .. })
    ));
}
