//! Crash consistency: after a crash at any call, with any subset of the unsynced bytes on the disk,
//! all acknowledged batches are there and no batch is half there.

use super::forgetful_disk::{Fault, ForgetfulDisk};
use super::sample::{AT_ONCE, batch, lines_of, read};
use crate::domain::id::Sequence;
use crate::event_log::{Batch, FileLog, Head, LogError};

const SEEDS: u64 = 5;

/// Enough to begin three segments and to write both slots several times.
fn script() -> Vec<Batch> {
    (1..=6)
        .map(|number| batch(number, number % 3 + 1))
        .collect()
}

fn log_on(disk: &ForgetfulDisk) -> FileLog {
    FileLog::on(Box::new(disk.clone())).with_segment_bytes_max(3_000)
}

/// The number of batches that end at `head`, which must be the end of one.
fn batches_until(head: Sequence) -> usize {
    let ends = script().into_iter().scan(0, |end, batch| {
        *end += batch.facts.len() as u64;
        Some(*end)
    });
    std::iter::once(0)
        .chain(ends)
        .position(|end| end == head.0)
        .expect("a head is the end of a batch")
}

/// Appends the rest of the script and stops at the first error. Returns the last acknowledged head.
fn go_on(disk: &ForgetfulDisk, acknowledged: &mut usize) -> Result<Head, LogError> {
    let log = log_on(disk);
    let mut head = Head::EMPTY;
    for number in 0..script().len() {
        // A new writer every second batch, so that opening is interrupted too.
        let mut writer = log.writer(&AT_ONCE)?;
        head = *writer.head();
        let done = batches_until(head.sequence);
        assert!(
            done >= *acknowledged,
            "acknowledged {acknowledged}, found {done}"
        );
        *acknowledged = done;
        for batch in script().iter().skip(done).take(1 + number % 2) {
            head = writer.append(&head, batch)?;
            *acknowledged = batches_until(head.sequence);
        }
    }
    Ok(head)
}

/// Checks the lines that readers see at once, and the log after the rest of the script.
fn assert_consistent(disk: &ForgetfulDisk, acknowledged: usize, what: &str) {
    let log = log_on(disk);
    let head = log.head().unwrap_or_else(|error| panic!("{what}: {error}"));
    let seen = batches_until(head.sequence);
    assert!(
        seen >= acknowledged,
        "{what}: acknowledged {acknowledged}, seen {seen}"
    );
    assert_eq!(read(&log).unwrap(), lines_of(&script()[..seen]), "{what}");
    let mut acknowledged = acknowledged;
    go_on(disk, &mut acknowledged).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(read(&log).unwrap(), lines_of(&script()), "{what}");
}

/// After a failed publication the slot may be lost although it could be read before the crash. A
/// writer then finds the batch, which was durable, and publishes it again.
fn assert_found_again(disk: &ForgetfulDisk, published: usize, what: &str) {
    let found = batches_until(log_on(disk).writer(&AT_ONCE).unwrap().head().sequence);
    assert!(
        found >= published,
        "{what}: published {published}, found {found}"
    );
    assert_consistent(disk, found, what);
}

fn changes_of_the_script(page_bytes: usize) -> usize {
    let disk = ForgetfulDisk::with_empty_log(page_bytes);
    go_on(&disk, &mut 0).unwrap();
    disk.changes()
}

#[test]
fn a_crash_at_any_call_loses_nothing_acknowledged_and_shows_nothing_half() {
    for page_bytes in [64, 4096] {
        for change in 0..changes_of_the_script(page_bytes) {
            let disk = ForgetfulDisk::with_empty_log(page_bytes);
            disk.fail_at(change, Fault::Crash);
            let mut acknowledged = 0;
            let _ = go_on(&disk, &mut acknowledged);
            for seed in 0..SEEDS {
                let what = format!("pages of {page_bytes}, crash at {change}, seed {seed}");
                assert_consistent(&disk.after_crash(seed), acknowledged, &what);
            }
        }
    }
}

#[test]
fn a_crash_while_recovering_from_a_crash_changes_nothing_about_that() {
    for change in 0..changes_of_the_script(64) {
        let first = ForgetfulDisk::with_empty_log(64);
        first.fail_at(change, Fault::Crash);
        let mut acknowledged = 0;
        let _ = go_on(&first, &mut acknowledged);
        for again in 0..6 {
            let second = first.after_crash(change as u64 * 31 + again);
            second.fail_at(usize::try_from(again).unwrap(), Fault::Crash);
            let mut acknowledged = acknowledged;
            let _ = go_on(&second, &mut acknowledged);
            let what = format!("crash at {change}, then at {again}");
            assert_consistent(&second.after_crash(again), acknowledged, &what);
        }
    }
}

#[test]
fn a_batch_acknowledged_after_a_failed_call_survives_a_later_crash() {
    for change in 0..changes_of_the_script(64) {
        let disk = ForgetfulDisk::with_empty_log(64);
        disk.fail_at(change, Fault::Fail);
        let mut acknowledged = 0;
        let _ = go_on(&disk, &mut acknowledged);
        go_on(&disk, &mut acknowledged).unwrap();
        assert_eq!(acknowledged, script().len());
        for seed in 0..SEEDS {
            assert_found_again(
                &disk.after_crash(seed),
                acknowledged,
                &format!("call {change} failed, seed {seed}"),
            );
        }
    }
}

#[test]
fn a_batch_that_is_published_late_survives_a_crash_right_after_it() {
    for change in 0..changes_of_the_script(64) {
        let disk = ForgetfulDisk::with_empty_log(64);
        disk.fail_at(change, Fault::Fail);
        let mut acknowledged = 0;
        let _ = go_on(&disk, &mut acknowledged);
        let published = batches_until(log_on(&disk).writer(&AT_ONCE).unwrap().head().sequence);
        assert!(published >= acknowledged);
        for seed in 0..SEEDS {
            assert_found_again(
                &disk.after_crash(seed),
                published,
                &format!("call {change} failed, seed {seed}"),
            );
        }
    }
}
