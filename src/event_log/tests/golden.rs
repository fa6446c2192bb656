//! Logs of every format so far, kept for ever: `tests/golden/v<n>/log` is never edited. `events.ndjson`
//! beside it holds the events that it is read as today; `POPUG_BLESS=1` rewrites it when an event gets a new version.
//! `POPUG_BLESS=1` also makes a log if there is none.

use std::path::{Path, PathBuf};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use uuid::Uuid;

use super::any_event::any_event_of;
use crate::domain::event::{Actor, Consumer, Event, EventKind, Fact};
use crate::domain::id::{EventId, Sequence};
use crate::domain::time::EventTime;
use crate::event_log::upcast::UPCASTERS;
use crate::event_log::{Batch, FileLog, LineKind, Patience};

/// Every golden log, and the kinds whose current versions began with it.
const LOGS: [(&str, &[EventKind]); 4] = [
    ("v1", EventKind::ALL),
    ("v2", &[EventKind::TaskChanged, EventKind::TaskAssigned]),
    ("v3", &[EventKind::TaskCancelled]),
    ("v4", &[EventKind::UserPasswordReset]),
];

fn directory(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(version)
}

#[expect(
    clippy::disallowed_methods,
    reason = "golden files are written anew when asked for"
)]
fn blessing() -> bool {
    std::env::var_os("POPUG_BLESS").is_some_and(|value| value == "1")
}

fn patience() -> Patience {
    Patience {
        wait: std::time::Duration::ZERO,
        holder: "golden".to_owned(),
    }
}

/// One event of every kind in one batch.
fn make_log(directory: &Path, kinds: &[EventKind]) {
    let log = FileLog::create(directory).unwrap();
    let mut writer = log.writer(&patience()).unwrap();
    let head = *writer.head();
    writer.append(&head, &batch_of(1, kinds)).unwrap();
}

fn batch_of(number: u128, kinds: &[EventKind]) -> Batch {
    let mut runner = TestRunner::deterministic();
    let mut event = |kind: &EventKind| -> Event {
        any_event_of(*kind).new_tree(&mut runner).unwrap().current()
    };
    let fact = |(index, kind): (usize, &EventKind)| Fact {
        id: EventId::from_uuid(Uuid::from_u128(number << 64 | index as u128)),
        causation: (index > 0).then(|| EventId::from_uuid(Uuid::from_u128(number << 64))),
        event: event(kind),
    };
    Batch {
        time: EventTime::from_micros(1_780_000_000_000_000 + i64::try_from(number).unwrap())
            .unwrap(),
        actor: Actor::System(Consumer::Accounting),
        command_id: format!("golden/{number} \"ключ\""),
        command_hash: Some(crate::event_log::Hash::of_bytes(&number.to_be_bytes())),
        facts: kinds.iter().enumerate().map(fact).collect(),
    }
}

/// Sequence, current type and current data of every event. Its numbers were drawn from all there
/// are, before they had bounds: what is kept for ever is the shape.
fn events_of(log: &FileLog) -> String {
    let mut text = String::new();
    log.for_each(Sequence::FIRST, &mut |line| {
        let event = line.unbounded_event()?;
        let data = serde_json::to_string(&event).unwrap();
        let kind = event.kind().type_name();
        text += &format!(
            "{{\"sequence\":{},\"type\":\"{kind}\",\"data\":{data}}}\n",
            line.sequence
        );
        Ok(())
    })
    .unwrap();
    text
}

#[test]
fn the_golden_logs_read_as_they_always_did() {
    for (version, kinds) in LOGS {
        let directory = directory(version);
        let log_directory = directory.join("log");
        if !log_directory.exists() && blessing() {
            make_log(&log_directory, kinds);
        }
        let read = events_of(&FileLog::open(&log_directory).unwrap());
        let expected = directory.join("events.ndjson");
        if blessing() {
            std::fs::write(&expected, &read).unwrap();
        }
        assert_eq!(
            read,
            std::fs::read_to_string(&expected).unwrap(),
            "{version}"
        );
    }
}

#[test]
fn the_golden_logs_have_a_line_of_every_version_of_every_event() {
    let mut found = Vec::new();
    for (version, _) in LOGS {
        let log = FileLog::open(&directory(version).join("log")).unwrap();
        log.for_each(Sequence::FIRST, &mut |line| {
            assert!(
                matches!(line.kind(), LineKind::Known(_)),
                "{}",
                line.type_name
            );
            found.push(line.type_name.to_owned());
            Ok(())
        })
        .unwrap();
    }
    let current = EventKind::ALL.iter().map(|kind| kind.type_name());
    for type_name in current.chain(UPCASTERS.iter().map(|upcaster| upcaster.type_name)) {
        assert!(found.iter().any(|found| found == type_name), "{type_name}");
    }
}

#[test]
fn a_jira_id_in_a_golden_title_is_split_off() {
    let log = FileLog::open(&directory("v1").join("log")).unwrap();
    let line = log.line(Sequence(7)).unwrap();
    assert_eq!(line.line().type_name, "task.created.v1");
    let Event::TaskCreated(task) = line.line().event().unwrap() else {
        panic!("another event")
    };
    assert_eq!(
        (task.title.as_str(), task.jira_id.as_deref()),
        ("Почистить клетку", Some("UP-7"))
    );
}
