//! Writers: one at a time, each appending to the head that it expects.

use std::time::{Duration, Instant};

use super::forgetful_disk::{Fault, ForgetfulDisk};
use super::sample::{AT_ONCE, append_all, batch, lines_of, read};
use crate::domain::id::Sequence;
use crate::event_log::{FileLog, Head, LogError, Patience};

fn patience(holder: &str, millis: u64) -> Patience {
    Patience {
        wait: Duration::from_millis(millis),
        holder: holder.to_owned(),
    }
}

#[test]
fn the_second_writer_is_told_who_holds_the_lock() {
    let directory = tempfile::tempdir().unwrap();
    let log = FileLog::create(directory.path()).unwrap();
    let held = log.writer(&patience("4711 popug-cli import\n", 0)).unwrap();
    let began = Instant::now();
    let Err(LogError::Locked {
        holder,
        waited_millis,
    }) = FileLog::open(directory.path())
        .unwrap()
        .writer(&patience("x", 30))
    else {
        panic!("two writers at once")
    };
    assert_eq!(holder, "4711 popug-cli import");
    assert!(waited_millis >= 30 && began.elapsed() >= Duration::from_millis(30));
    drop(held);
    assert!(log.writer(&AT_ONCE).is_ok());
}

#[test]
fn a_writer_that_waits_long_enough_gets_the_lock() {
    let directory = tempfile::tempdir().unwrap();
    let log = FileLog::create(directory.path()).unwrap();
    let held = log.writer(&AT_ONCE).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| log.writer(&patience("later", 10_000)).map(drop));
        std::thread::sleep(Duration::from_millis(20));
        drop(held);
        assert!(waiting.join().unwrap().is_ok());
    });
}

#[test]
fn of_two_appends_on_the_same_head_the_second_is_refused_and_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let log = FileLog::create(directory.path()).unwrap();
    let head = log.head().unwrap();
    let append = |expected, batch| log.writer(&AT_ONCE).unwrap().append(expected, &batch);
    let first = append(&head, batch(1, 2)).unwrap();
    let Err(LogError::HeadMoved { expected, actual }) = append(&head, batch(2, 1)) else {
        panic!("appended on an old head")
    };
    assert_eq!((expected, actual), (Sequence::ZERO, first.sequence));
    append(&first, batch(3, 1)).unwrap();
    assert_eq!(read(&log).unwrap(), lines_of(&[batch(1, 2), batch(3, 1)]));
}

#[test]
fn writers_that_contend_lose_and_double_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let log = FileLog::create(directory.path())
        .unwrap()
        .with_segment_bytes_max(3_000);
    let appended = std::sync::Mutex::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let mut writer = log.writer(&patience("one of four", 60_000)).unwrap();
                    let head = *writer.head();
                    *appended.lock().unwrap() += 1;
                    writer.append(&head, &batch(head.sequence.0, 2)).unwrap();
                }
            });
        }
    });
    let expected: Vec<_> = (0..40).map(|number| batch(number * 2, 2)).collect();
    assert_eq!(*appended.lock().unwrap(), 40);
    assert_eq!(read(&log).unwrap(), lines_of(&expected));
}

#[test]
#[should_panic(expected = "event times never decrease")]
fn a_batch_before_the_last_event_is_a_bug() {
    let directory = tempfile::tempdir().unwrap();
    let log = FileLog::create(directory.path()).unwrap();
    let head = append_all(&log, &[batch(5, 1)]);
    let _ = log.writer(&AT_ONCE).unwrap().append(&head, &batch(4, 1));
}

#[test]
fn a_failed_call_poisons_the_writer_and_the_next_one_recovers() {
    let before = [batch(1, 2), batch(2, 2)];
    let calls_of_an_append = 4;
    for call in 0..calls_of_an_append {
        let disk = ForgetfulDisk::with_empty_log(4096);
        let log = FileLog::on(Box::new(disk.clone()));
        append_all(&log, &before);
        let mut writer = log.writer(&AT_ONCE).unwrap();
        let head = *writer.head();
        disk.fail_at(disk.changes() + call, Fault::Fail);
        assert!(
            matches!(writer.append(&head, &batch(3, 3)), Err(LogError::Io { .. })),
            "call {call}"
        );
        assert!(
            matches!(writer.append(&head, &batch(3, 3)), Err(LogError::Poisoned)),
            "call {call}"
        );
        drop(writer);
        let writer = log.writer(&AT_ONCE).unwrap();
        let kept = if writer.head().sequence == Sequence(7) {
            3
        } else {
            2
        };
        let all = [before[0].clone(), before[1].clone(), batch(3, 3)];
        assert_eq!(read(&log).unwrap(), lines_of(&all[..kept]), "call {call}");
        assert_eq!(kept == 3, call > 0, "only a torn write loses the batch");
    }
}

#[test]
fn a_publication_leaves_the_slot_of_the_former_head_as_it_was() {
    let disk = ForgetfulDisk::with_empty_log(4096);
    let log = FileLog::on(Box::new(disk.clone()));
    append_all(&log, &[batch(1, 1)]);
    for number in 2..6 {
        let (hash, before) = (log.head().unwrap().hash.to_string(), disk.bytes("head"));
        let states = |slot: &[u8]| String::from_utf8_lossy(slot).contains(&hash);
        let slot = before.chunks(4096).position(states).unwrap();
        append_all(&log, &[batch(number, 1)]);
        assert_eq!(
            disk.bytes("head").chunks(4096).nth(slot),
            before.chunks(4096).nth(slot)
        );
    }
}

#[test]
fn an_old_program_leaves_a_newer_log_alone() {
    let directory = tempfile::tempdir().unwrap();
    let log = FileLog::create(directory.path()).unwrap();
    append_all(&log, &[batch(1, 2)]);
    let path = directory.path().join("head");
    let text = format!("popug-head 10 {}", log.head().unwrap().hash);
    let sum = &crate::event_log::Hash::of_bytes(text.as_bytes()).to_string()[..16];
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[..4096].copy_from_slice(format!("{:<4095}\n", format!("{text} {sum}")).as_bytes());
    std::fs::write(&path, &bytes).unwrap();
    assert!(matches!(log.head(), Err(LogError::TooNew { found, .. }) if found == "popug-head 10"));
    assert!(matches!(log.writer(&AT_ONCE), Err(LogError::TooNew { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn the_empty_head_is_what_a_new_log_has() {
    let log = FileLog::on(Box::new(ForgetfulDisk::with_empty_log(64)));
    assert_eq!(log.head().unwrap(), Head::EMPTY);
    assert_eq!(*log.writer(&AT_ONCE).unwrap().head(), Head::EMPTY);
}

#[test]
fn a_log_stays_the_one_that_was_opened_whatever_stands_under_its_name_later() {
    let home = tempfile::tempdir().unwrap();
    let (name, moved, other) = (
        home.path().join("log"),
        home.path().join("moved"),
        home.path().join("other"),
    );
    let log = FileLog::create(&name).unwrap().with_segment_bytes_max(1);
    append_all(&log, &[batch(1, 1)]);
    append_all(&FileLog::create(&other).unwrap(), &[batch(1, 1)]);
    std::fs::rename(&name, &moved).unwrap();
    std::fs::rename(&other, &name).unwrap();
    append_all(&log, &[batch(2, 1), batch(3, 1)]);
    let events =
        |directory: &std::path::Path| FileLog::open(directory).unwrap().head().unwrap().sequence.0;
    assert_eq!((events(&moved), events(&name)), (3, 1));
    assert_eq!(
        std::fs::read_dir(&moved).unwrap().count(),
        4,
        "three segments and the head"
    );
}
