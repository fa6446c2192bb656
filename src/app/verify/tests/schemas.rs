//! Lines with a right hash that can be decoded and do not conform to their schema.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::verify::tests::store::Store;
use crate::domain::event::{Event, EventKind, Fact};
use crate::domain::id::EventId;
use crate::event_log::Batch;

const ID: &str = "00000000-0000-0000-0000-000000000001";

fn non_conforming() -> Vec<(EventKind, Value)> {
    let resolution =
        json!({"consumer": "accounting", "target_sequence": 0, "target_id": ID, "reason": "x"});
    vec![
        (
            EventKind::UserRegistered,
            json!({"user_id": ID, "login": "NO", "full_name": "x", "email": "a@b", "role": "worker"}),
        ),
        (
            EventKind::UserChanged,
            json!({"user_id": ID, "email": "nobody"}),
        ),
        (
            EventKind::UserDeactivated,
            json!({"user_id": ID, "reason": ""}),
        ),
        (
            EventKind::UserReactivated,
            json!({"user_id": ID, "reason": "two\nlines"}),
        ),
        (
            EventKind::TaskCreated,
            json!({"task_id": ID, "number": 0, "title": "x", "created_by": ID}),
        ),
        (
            EventKind::TaskAssigned,
            json!({"task_id": ID, "assignee_id": ID, "reason": "created", "assignment_no": 0}),
        ),
        (
            EventKind::TaskCompleted,
            json!({"task_id": ID, "completed_by": ID, "assignment_no": 0}),
        ),
        (
            EventKind::TaskPriced,
            json!({"task_id": ID, "fee": -1, "reward": 1}),
        ),
        (
            EventKind::PayoutMade,
            json!({"payout_id": ID, "entry_id": ID, "user_id": ID, "amount": 0, "business_date": "2026-10-20", "opening": 0, "earned": 0}),
        ),
        (
            EventKind::MailSent,
            json!({"payout_id": ID, "user_id": ID, "to": "nobody", "message_id": "x", "transport": "file", "attempt": 1}),
        ),
        (
            EventKind::MailFailed,
            json!({"payout_id": ID, "user_id": ID, "attempt": 0, "error": "x", "permanent": false}),
        ),
        (EventKind::EventSetAside, resolution.clone()),
        (EventKind::EventRetried, resolution.clone()),
        (EventKind::EventSkipped, resolution),
    ]
}

#[test]
fn a_line_that_does_not_conform_to_its_schema_is_found_by_a_deep_verification() {
    let batches = Store::sound().batches();
    for (kind, data) in non_conforming() {
        let event = Event::deserialize_data(kind, data).unwrap();
        let fact = Fact {
            id: EventId::from_uuid(Uuid::from_u128(9)),
            causation: None,
            event,
        };
        let last = Batch {
            command_id: "crafted".into(),
            command_hash: None,
            facts: vec![fact],
            ..batches[0].clone()
        };
        let last = Batch {
            time: batches.last().unwrap().time,
            ..last
        };
        let store = Store::craft(&[&batches[..], &[last]].concat());
        assert!(store.verify(false).is_sound(), "{kind:?}");
        let findings = store.verify(true);
        let schema: Vec<_> = findings
            .violations
            .iter()
            .filter(|v| v.invariant == "schema")
            .collect();
        assert_eq!(
            (findings.damage.len(), schema.len()),
            (0, 1),
            "{kind:?}: {findings:#?}"
        );
        assert!(
            schema[0]
                .place
                .contains(&format!("sequence {}", findings.checked_events)),
            "{schema:?}"
        );
    }
}
