//! An event with a number, date or time out of bounds is not read, whoever wrote the log.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::any_event::any_event_of;
use super::sample::{AT_ONCE, batch, lines_of, read};
use crate::domain::event::{Event, EventKind};
use crate::domain::id::Sequence;
use crate::domain::time::EventTime;
use crate::event_log::{Batch, Encoded, FileLog, Line, LogError};

const NOBODY_COUNTS_SO_FAR: [i128; 3] = [i64::MIN as i128, i64::MAX as i128, u64::MAX as i128];
const NO_SEQUENCE: [i128; 3] = [-1, i64::MAX as i128 + 1, u64::MAX as i128];
const NO_DATE: [&str; 4] = ["9999-12-31", "9999-02-01", "1969-12-30", "0000-01-01"];
const NO_TIME: [&str; 4] = [
    "9999-12-30T22:00:00.999999Z",
    "9999-01-01T00:00:00.000000Z",
    "1969-12-31T23:59:59.999999Z",
    "-009999-01-02T02:00:00Z",
];

/// Values that this member must not have.
fn beyond(pointer: &str, value: &Value) -> Vec<Value> {
    let numbers = |numbers: [i128; 3]| {
        numbers
            .map(|n| {
                u64::try_from(n)
                    .map_or_else(|_| json!(i64::try_from(n).unwrap_or(-1)), |n| json!(n))
            })
            .to_vec()
    };
    match value {
        Value::Number(_) if pointer.ends_with("sequence") => numbers(NO_SEQUENCE),
        Value::Number(_) => numbers(NOBODY_COUNTS_SO_FAR),
        _ if pointer.ends_with("_date") || pointer.ends_with("_on") => {
            NO_DATE.map(Value::from).to_vec()
        }
        _ if pointer.ends_with("_at") => NO_TIME.map(Value::from).to_vec(),
        _ => Vec::new(),
    }
}

/// The members of an object and of those in it.
fn members(object: &Value, below: &str) -> Vec<(String, Value)> {
    let members = object.as_object().into_iter().flatten();
    let each = |(name, value): (&String, &Value)| {
        let pointer = format!("{below}/{name}");
        if value.is_object() {
            self::members(value, &pointer)
        } else {
            vec![(pointer, value.clone())]
        }
    };
    members.flat_map(each).collect()
}

/// Data of this kind, each with one member out of bounds.
fn out_of_bounds(kind: EventKind) -> Vec<(String, Value)> {
    let mut runner = TestRunner::deterministic();
    let mut edited = Vec::new();
    // Optional members are present in some of them.
    for _ in 0..12 {
        let event = any_event_of(kind)
            .new_tree(&mut runner)
            .expect("an event")
            .current();
        let data = serde_json::to_value(&event).expect("events serialize");
        for (pointer, value) in members(&data, "") {
            for beyond in beyond(&pointer, &value) {
                let mut data = data.clone();
                *data.pointer_mut(&pointer).expect("a member") = beyond;
                edited.push((pointer.clone(), data));
            }
        }
    }
    edited
}

/// The event of a line with these data.
fn decode(kind: EventKind, data: &Value) -> Result<Event, String> {
    let line = lines_of(&[batch(1, 1)]).swap_remove(0);
    let sound = Line::parse(line.as_bytes()).unwrap();
    let edited = line
        .replace(sound.data, &data.to_string())
        .replace(sound.type_name, kind.type_name());
    let line = Line::parse(edited.as_bytes()).unwrap();
    line.event().map_err(|error| error.to_string())
}

#[test]
fn an_event_with_a_number_date_or_time_beyond_its_bounds_is_not_read() {
    let mut tried = 0;
    for kind in EventKind::ALL {
        for (pointer, data) in out_of_bounds(*kind) {
            let refused = decode(*kind, &data);
            assert!(
                refused.is_err_and(|error| error.contains("cannot be read")),
                "{} {pointer}: {data}",
                kind.type_name()
            );
            tried += 1;
        }
    }
    assert!(tried > 1_000, "{tried}");
}

#[test]
fn prices_are_drawn_from_ranges_only() {
    let mut runner = TestRunner::deterministic();
    let founded = any_event_of(EventKind::CompanyFounded)
        .new_tree(&mut runner)
        .expect("an event")
        .current();
    let founded = serde_json::to_value(founded).expect("events serialize");
    for (member, value) in [("fee_min", -1), ("fee_max", -1), ("reward_max", -1)] {
        let mut data = founded.clone();
        data["pricing"][member] = value.into();
        let refused = decode(EventKind::CompanyFounded, &data).unwrap_err();
        assert!(refused.contains("no price lies between"), "{refused}");
    }
}

#[test]
fn a_line_with_a_time_beyond_the_calendar_is_not_read_and_says_so() {
    let line = lines_of(&[batch(1, 1)]).swap_remove(0);
    let stated = Line::parse(line.as_bytes()).unwrap().time.to_owned();
    for time in NO_TIME {
        let edited = line.replace(&stated, time);
        let Err(LogError::Undecodable {
            sequence, reason, ..
        }) = Line::parse(edited.as_bytes()).unwrap().event_time()
        else {
            panic!("{time} was read")
        };
        assert_eq!(sequence, Sequence::FIRST);
        assert!(
            reason.contains("the years 1970") || time.starts_with('-'),
            "{reason}"
        );
    }
}

/// Batches that no reader accepts: two events with the last one out of bounds, and one with a time
/// outside the calendar.
fn that_nobody_reads() -> Vec<Batch> {
    let event = |(kind, data): (EventKind, Value)| {
        Event::deserialize_data(
            kind,
            &mut serde_json::Deserializer::from_str(&data.to_string()),
        )
        .ok()
    };
    let all = EventKind::ALL.iter().flat_map(|kind| {
        out_of_bounds(*kind)
            .into_iter()
            .map(|(_, data)| (*kind, data))
    });
    let with = |event: Event| {
        let mut batch = batch(1, 2);
        batch.facts[1].event = event;
        batch
    };
    let late = EventTime::from_micros(crate::domain::event::bounds::END_MICROS).expect("a time");
    all.filter_map(event)
        .map(with)
        .chain([Batch {
            time: late,
            ..batch(1, 1)
        }])
        .collect()
}

#[test]
fn a_batch_that_nobody_would_read_is_not_written_to_the_log_nor_to_a_draft() {
    let directory = tempfile::tempdir().unwrap();
    let log = FileLog::create(directory.path()).unwrap();
    let refused = that_nobody_reads();
    assert!(refused.len() > 300, "{}", refused.len());
    for log in [log, FileLog::open(directory.path()).unwrap().draft()] {
        let mut writer = log.writer(&AT_ONCE).unwrap();
        let head = *writer.head();
        for batch in &refused {
            let appended = writer.append(&head, batch);
            assert!(
                matches!(appended, Err(LogError::OutOfBounds { .. })),
                "{batch:?}"
            );
            let encoded = Encoded::behind(head.sequence, head.hash, std::slice::from_ref(batch));
            assert!(
                matches!(encoded.err(), Some(LogError::OutOfBounds { .. })),
                "{batch:?}"
            );
        }
        assert_eq!((*writer.head(), read(&log).unwrap()), (head, Vec::new()));
        assert!(
            log.storage()
                .names()
                .unwrap()
                .iter()
                .all(|name| name == "head"),
            "no segment was begun"
        );
        if log.is_draft() {
            let _ = writer
                .append(&head, &batch(1, 2))
                .expect("nothing is poisoned");
        }
    }
}
