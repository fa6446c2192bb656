//! A log of the first format, kept for ever: `tests/golden/v1/log` is never edited. `events.ndjson`
//! beside it holds the events that it is read as today; `POPUG_BLESS=1` rewrites it when an event
//! gets a new version. `POPUG_BLESS=1` also makes the log if there is none.

use std::path::{Path, PathBuf};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::any_event::any_event_of;
use crate::domain::event::{Actor, Consumer, Event, EventKind, Fact};
use crate::domain::id::{EventId, Sequence};
use crate::domain::time::EventTime;
use crate::event_log::upcast::UPCASTERS;
use crate::event_log::{Batch, FileLog, LineKind, Patience};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1")
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

/// One event of every kind in two batches, and one of an old version between them.
fn make_log(directory: &Path) {
    let log = FileLog::create(directory).unwrap();
    let append = |batch: &Batch| {
        let mut writer = log.writer(&patience()).unwrap();
        let head = *writer.head();
        writer.append(&head, batch).unwrap()
    };
    let head = append(&batch_of(1, &EventKind::ALL[..6]));
    append_by_hand(directory, &head.hash.to_string(), head.sequence.next());
    append(&batch_of(2, &EventKind::ALL[6..]));
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

/// Writes a `task.created.v1` line, which no program writes any more, after the head. The next
/// writer finds a whole batch that continues the chain, and publishes it.
fn append_by_hand(directory: &Path, previous: &str, sequence: Sequence) {
    let task = "0197a3c0-0000-7000-8000-00000000000a";
    let user = "0197a3c0-0000-7000-8000-00000000000b";
    let open_line = format!(
        r#"{{"specversion":"1.0","id":"0197a3c0-0000-7000-8000-000000000001","source":"/popug/tracker","type":"task.created.v1","subject":"task/{task}","time":"2026-05-28T20:26:40.000001Z","sequence":"{:020}","more":0,"actor":"user/{user}","commandid":"by hand","data":{{"task_id":"{task}","number":1,"title":"[UP-7] - Почистить клетку","created_by":"{user}"}}"#,
        sequence.0
    );
    let digest = Sha256::digest(format!("{previous}\n{open_line}}}"));
    let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let segment = directory.join("00000000000000000001.ndjson");
    let text = std::fs::read_to_string(&segment).unwrap();
    std::fs::write(
        segment,
        format!("{text}{open_line},\"hash\":\"{hash}\"}}\n"),
    )
    .unwrap();
}

/// Sequence, current type and current data of every event. Their numbers were drawn before numbers
/// had bounds; only their form is kept for ever.
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
fn the_golden_log_reads_as_it_always_did() {
    let directory = directory();
    let log_directory = directory.join("log");
    if !log_directory.exists() && blessing() {
        make_log(&log_directory);
    }
    let read = events_of(&FileLog::open(&log_directory).unwrap());
    let expected = directory.join("events.ndjson");
    if blessing() {
        std::fs::write(&expected, &read).unwrap();
    }
    assert_eq!(read, std::fs::read_to_string(&expected).unwrap());
}

#[test]
fn the_golden_log_has_a_line_of_every_version_of_every_event() {
    let log = FileLog::open(&directory().join("log")).unwrap();
    let mut found = Vec::new();
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
    let current = EventKind::ALL.iter().map(|kind| kind.type_name());
    for type_name in current.chain(UPCASTERS.iter().map(|upcaster| upcaster.type_name)) {
        assert!(found.iter().any(|found| found == type_name), "{type_name}");
    }
}

#[test]
fn a_jira_id_in_a_golden_title_is_split_off() {
    let log = FileLog::open(&directory().join("log")).unwrap();
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
