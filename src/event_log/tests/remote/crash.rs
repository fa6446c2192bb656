//! A copy on a disk that fails or crashes at every call, while the remote loses requests and
//! answers: nothing acknowledged is lost, nothing is there twice, and copy and remote end alike.

use std::sync::Arc;

use super::machine::{Machine, SEGMENT_BYTES, make_copy};
use super::memory::{Fault as Loss, Memory};
use crate::event_log::tests::forgetful_disk::{Fault, ForgetfulDisk};
use crate::event_log::tests::sample::{AT_ONCE, batch, lines_of, read};
use crate::event_log::{Batch, FileLog, Head, LogError};

const SEEDS: u64 = 5;

fn script() -> Vec<Batch> {
    (1..=5)
        .map(|number| batch(number, number % 3 + 1))
        .collect()
}

fn done(head: &Head) -> usize {
    let mut end = 0;
    let ends = script().into_iter().map(|batch| {
        end += batch.facts.len() as u64;
        end
    });
    let ends: Vec<u64> = std::iter::once(0).chain(ends).collect();
    let found = ends.iter().position(|end| *end == head.sequence.0);
    found.expect("a head is the end of a batch")
}

fn log_on(disk: &ForgetfulDisk, remote: &Memory) -> FileLog {
    FileLog::on(Box::new(disk.clone()))
        .with_segment_bytes_max(SEGMENT_BYTES)
        .copying(Arc::new(remote.clone()))
}

/// Appends the rest of the script and stops at the first error.
fn go_on(disk: &ForgetfulDisk, remote: &Memory, acknowledged: &mut usize) -> Result<(), LogError> {
    let log = log_on(disk, remote);
    for number in 0..script().len() {
        let mut writer = log.writer(&AT_ONCE)?;
        let mut head = *writer.head();
        assert!(
            done(&head) >= *acknowledged,
            "an acknowledged batch is lost"
        );
        *acknowledged = done(&head);
        for batch in script().iter().skip(*acknowledged).take(1 + number % 2) {
            head = writer.append(&head, batch)?;
            *acknowledged = done(&head);
        }
    }
    Ok(())
}

fn fresh() -> (ForgetfulDisk, Memory) {
    let disk = ForgetfulDisk::with_empty_log(64);
    make_copy(&disk);
    (disk, Memory::default())
}

/// The number of calls that change the disk in a run without faults, and the first one to hit.
fn changes() -> std::ops::Range<usize> {
    let (disk, remote) = fresh();
    let first = disk.changes();
    go_on(&disk, &remote, &mut 0).unwrap();
    first..disk.changes()
}

fn assert_whole(disk: &ForgetfulDisk, remote: &Memory, mut acknowledged: usize, what: &str) {
    remote.calm();
    assert!(
        remote
            .lines()
            .starts_with(&lines_of(&script()[..acknowledged])),
        "{what}: the remote lacks an acknowledged batch"
    );
    let log = log_on(disk, remote);
    let seen = read(&log).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(
        remote.lines().starts_with(&seen),
        "{what}: a line that the remote lacks is seen"
    );
    go_on(disk, remote, &mut acknowledged).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(read(&log).unwrap(), lines_of(&script()), "{what}");
    assert_eq!(remote.lines(), lines_of(&script()), "{what}");
}

#[test]
fn a_crash_of_a_copy_at_any_call_loses_and_doubles_nothing_whatever_the_remote_loses() {
    let mut trials = 0;
    for change in changes() {
        for fault in [Fault::Fail, Fault::Crash] {
            for loss in [
                None,
                Some(Loss::RequestLost),
                Some(Loss::AnswerLost),
                Some(Loss::Delayed),
            ] {
                for seed in 0..SEEDS {
                    let (disk, remote) = fresh();
                    disk.fail_at(change, fault);
                    let before = usize::try_from(seed).unwrap();
                    remote.plan(std::iter::repeat_n(None, before).chain([loss]));
                    let mut acknowledged = 0;
                    let _ = go_on(&disk, &remote, &mut acknowledged);
                    let what = format!("{fault:?} at {change}, {loss:?} of {seed}");
                    if fault == Fault::Fail {
                        // The process goes on, or another one does.
                        let _ = go_on(&disk, &remote, &mut acknowledged);
                    }
                    assert_whole(&disk.after_crash(seed), &remote, acknowledged, &what);
                    trials += 1;
                }
            }
        }
    }
    println!("{trials} trials");
    assert!(trials >= 1_260, "{trials}");
}

#[test]
fn another_machine_fetches_what_a_crashed_one_wrote() {
    for change in changes() {
        let (disk, remote) = fresh();
        disk.fail_at(change, Fault::Crash);
        let mut acknowledged = 0;
        let _ = go_on(&disk, &remote, &mut acknowledged);
        remote.calm();
        let other = Machine::with(Arc::new(remote.clone()));
        other.log().follow().unwrap();
        let seen = other.lines();
        assert!(seen.starts_with(&lines_of(&script()[..acknowledged])));
        other.append(90, 2).unwrap();
        let disk = disk.after_crash(change as u64);
        let log = log_on(&disk, &remote);
        drop(
            log.writer(&AT_ONCE)
                .unwrap_or_else(|error| panic!("{change}: {error}")),
        );
        assert_eq!(read(&log).unwrap(), other.lines(), "crash at {change}");
    }
}

#[test]
fn a_crash_while_fetching_leaves_a_copy_that_goes_on() {
    let (first, remote) = fresh();
    go_on(&first, &remote, &mut 0).unwrap();
    let (disk, _) = fresh();
    let begin = disk.changes();
    log_on(&disk, &remote).follow().unwrap();
    for change in begin..disk.changes() {
        for fault in [Fault::Fail, Fault::Crash] {
            for seed in 0..SEEDS {
                let (disk, _) = fresh();
                disk.fail_at(change, fault);
                assert!(log_on(&disk, &remote).follow().is_err());
                let disk = disk.after_crash(seed);
                remote.calm();
                log_on(&disk, &remote).follow().unwrap();
                assert_eq!(read(&log_on(&disk, &remote)).unwrap(), lines_of(&script()));
            }
        }
    }
}
