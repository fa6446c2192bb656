//! Events of a version that this program does not know, in an otherwise sound store.

use uuid::Uuid;

use crate::app::verify::Findings;
use crate::app::verify::tests::broken;
use crate::app::verify::tests::store::Store;
use crate::domain::event::{Consumer, Event, EventSetAside, Fact};
use crate::domain::id::{EventId, Sequence};
use crate::event_log::Batch;

/// Appends this event alone. Returns its sequence.
fn append(store: &Store, batches: &[Batch], event: Event) -> u64 {
    let head = batches
        .iter()
        .map(|batch| batch.facts.len() as u64)
        .sum::<u64>();
    let like = batches.last().unwrap().clone();
    let event = Fact {
        id: EventId::from_uuid(Uuid::now_v7()),
        causation: None,
        event,
    };
    let key = format!("crafted behind {head}/{}", event.id);
    store.append(&Batch {
        command_id: key,
        command_hash: None,
        facts: vec![event],
        ..like
    })
}

fn set_aside(store: &Store, batches: &[Batch], consumer: Consumer, at: u64) {
    let target_id = EventId::from_uuid(Uuid::from_u128(at.into()));
    let event = EventSetAside {
        consumer,
        target_sequence: Sequence(at),
        target_id,
        reason: "unreadable".into(),
    };
    append(store, batches, event.into());
}

#[track_caller]
fn the_decoding(findings: &Findings) -> (String, String, String) {
    let told: Vec<_> = findings
        .violations
        .iter()
        .filter(|v| v.invariant == "decoding")
        .collect();
    let [told] = told[..] else {
        panic!("{findings:#?}")
    };
    (told.place.clone(), told.what.clone(), told.remedy.clone())
}

#[test]
fn it_is_a_finding_and_what_stands_behind_it_and_in_the_tables_is_still_checked() {
    let store = Store::sound();
    let batches = store.batches();
    let at = store.append_of_type("mail.sent.v9");
    let is_payout = |fact: &&Fact| matches!(fact.event, Event::PayoutMade(_));
    let paid = batches
        .iter()
        .flat_map(|batch| &batch.facts)
        .find(is_payout)
        .unwrap();
    let twice = append(&store, &batches, paid.event.clone());
    duckdb::Connection::open(store.path("accounting.duckdb"))
        .unwrap()
        .execute_batch("DELETE FROM closes")
        .unwrap();
    let shallow = store.verify(false);
    assert_eq!(
        broken(&shallow),
        [("decoding", format!("event {at}").as_str())],
        "{shallow:#?}"
    );
    let findings = store.verify(true);
    let (at, twice) = (format!("event {at}"), format!("event {twice}"));
    let expected = [
        ("I5", twice.as_str()),
        ("I8", "accounting.duckdb table closes"),
        ("I9", twice.as_str()),
        ("decoding", at.as_str()),
    ];
    assert_eq!(broken(&findings), expected, "{findings:#?}");
    let (_, what, remedy) = the_decoding(&findings);
    assert!(
        what.contains("mail.sent.v9") && what.contains("accounting, notifier cannot continue"),
        "{what}"
    );
    assert!(remedy.contains("newer popug-cli"), "{remedy}");
    for consumer in ["accounting", "notifier"] {
        assert!(
            remedy.contains(&format!("dlq set-aside {} --consumer {consumer}", &at[6..])),
            "{remedy}"
        );
    }
    assert!(
        findings
            .notes
            .iter()
            .any(|note| note.contains(&format!("pass over {at}"))),
        "{:?}",
        findings.notes
    );
}

#[test]
fn set_aside_for_whoever_needs_it_it_is_none() {
    let store = Store::sound();
    let batches = store.batches();
    let at = store.append_of_type("mail.sent.v9");
    set_aside(&store, &batches, Consumer::Accounting, at);
    let (place, what, _) = the_decoding(&store.verify(true));
    assert_eq!(
        (place.as_str(), what.contains("so that notifier")),
        (format!("event {at}").as_str(), true),
        "{what}"
    );
    set_aside(&store, &batches, Consumer::Notifier, at);
    let findings = store.verify(true);
    assert!(findings.is_sound(), "{findings:#?}");
}

#[test]
fn where_the_state_index_stops_there_is_nothing_to_set_aside() {
    let store = Store::sound();
    let batches = store.batches();
    let at = store.append_of_type("task.created.v9");
    for consumer in [
        Consumer::Accounting,
        Consumer::Analytics,
        Consumer::Notifier,
    ] {
        set_aside(&store, &batches, consumer, at);
    }
    let findings = store.verify(true);
    let (place, what, remedy) = the_decoding(&findings);
    assert_eq!(place, format!("event {at}"));
    assert!(what.contains("so that tracker cannot continue"), "{what}");
    assert!(!remedy.contains("dlq"), "{remedy}");
}

#[test]
fn a_type_that_nobody_knows_is_a_note() {
    let store = Store::sound();
    store.append_of_type("lunch.served.v1");
    let findings = store.verify(true);
    assert!(findings.is_sound(), "{findings:#?}");
    assert_eq!(
        findings.notes,
        ["1 events are of types that this version does not know"]
    );
}

#[test]
fn an_index_behind_which_the_log_contradicts_itself_is_compared_and_the_event_named() {
    let store = Store::sound();
    let batches = store.batches();
    let at = append(&store, &batches, batches[0].facts[0].event.clone());
    let findings = store.verify(true);
    let at = format!("event {at}");
    assert_eq!(
        broken(&findings),
        [("I10", at.as_str()), ("I8", at.as_str())],
        "{findings:#?}"
    );
}
