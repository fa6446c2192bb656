//! Events with right facts and a wrong author or cause.

use uuid::Uuid;

use crate::app::verify::Findings;
use crate::app::verify::tests::broken;
use crate::app::verify::tests::store::Store;
use crate::domain::event::{
    Actor, Consumer, Event, Fact, MailFailed, MailSent, PayoutMade, Transport,
};
use crate::domain::id::{CompanyId, EventId, UserId};
use crate::domain::ledger::entry::EntryKind;
use crate::event_log::Batch;

#[track_caller]
fn expect(findings: &Findings, rule: &str, at: u64) {
    assert_eq!(
        broken(findings),
        [(rule, format!("event {at}").as_str())],
        "{findings:#?}"
    );
}

#[test]
fn i9_a_causation_that_is_not_the_cause() {
    let is_entry =
        |event: &Event, kind| matches!(event, Event::BalanceChanged(e) if e.kind == kind);
    let kinds: [&dyn Fn(&Event) -> bool; 5] = [
        &|event| is_entry(event, EntryKind::Fee),
        &|event| is_entry(event, EntryKind::Reward),
        &|event| is_entry(event, EntryKind::Payout),
        &|event| matches!(event, Event::TaskPriced(_)),
        &|event| matches!(event, Event::TaskSettled(_)),
    ];
    for is_meant in kinds {
        for other in [None, Some(EventId::from_uuid(Uuid::from_u128(1)))] {
            let mut batches = Store::sound().batches();
            let facts = (1..).zip(batches.iter_mut().flat_map(|batch| &mut batch.facts));
            let (at, fact) = facts
                .filter(|(_, fact)| is_meant(&fact.event))
                .last()
                .unwrap();
            fact.causation = other;
            expect(&Store::craft(&batches).verify(true), "I9", at);
        }
    }
}

#[test]
fn i9_a_price_and_a_settlement_whose_ids_are_not_derived() {
    for name in ["task.priced", "task.settled"] {
        let mut batches = Store::sound().batches();
        let facts = (1..).zip(batches.iter_mut().flat_map(|batch| &mut batch.facts));
        let (at, fact) = facts
            .filter(|(_, fact)| fact.event.kind().name() == name)
            .last()
            .unwrap();
        fact.id = EventId::from_uuid(Uuid::from_u128(1));
        expect(&Store::craft(&batches).verify(true), "I9", at);
    }
}

#[test]
fn an_event_by_somebody_else_than_its_batch() {
    let batches = Store::sound().batches();
    let is_paying = |batch: &&Batch| matches!(batch.facts[0].event, Event::PayoutMade(_));
    let by = batches.iter().rfind(is_paying).unwrap().actor;
    let store = Store::craft(&batches);
    let from = format!("\"actor\":\"{by}\"");
    let at = store.forge("payout.made.v1", &from, "\"actor\":\"system/tracker\"");
    let findings = store.verify(true);
    let told: Vec<_> = findings
        .violations
        .iter()
        .filter(|v| v.invariant == "envelope")
        .collect();
    // The event that differs from the first one; if the first differs, those after it.
    assert!(
        told.iter()
            .any(|v| v.place == format!("event {at}") || v.place == format!("event {}", at + 1)),
        "{told:#?}"
    );
}

#[test]
fn events_of_accounting_by_somebody_else_are_found() {
    let mut batches = Store::sound().batches();
    let first = batches
        .iter()
        .position(|batch| matches!(batch.facts[0].event, Event::TaskPriced(_)))
        .unwrap();
    let at: usize = batches[..first].iter().map(|batch| batch.facts.len()).sum();
    batches[first].actor = Actor::User(UserId::from_uuid(Uuid::from_u128(5)));
    let findings = Store::craft(&batches).verify(true);
    let expected: Vec<_> = (1..=batches[first].facts.len())
        .map(|n| format!("event {}", at + n))
        .collect();
    let mut told: Vec<_> = findings
        .violations
        .iter()
        .map(|v| (v.invariant, v.place.clone()))
        .collect();
    told.sort_by_key(|(_, place)| place[6..].parse::<usize>().unwrap());
    assert_eq!(
        told,
        expected
            .into_iter()
            .map(|place| ("envelope", place))
            .collect::<Vec<_>>()
    );
}

/// The store's log with these facts after it, by the notifier.
fn mailed(batches: &[Batch], facts: Vec<Fact>) -> Findings {
    let like = batches.last().unwrap().clone();
    let actor = Actor::System(Consumer::Notifier);
    let batch = Batch {
        actor,
        command_id: "notifier/crafted".into(),
        command_hash: None,
        facts,
        ..like
    };
    Store::craft(&[batches, &[batch]].concat()).verify(true)
}

fn company(batches: &[Batch]) -> CompanyId {
    let Event::CompanyFounded(founded) = &batches[0].facts[0].event else {
        panic!("no founding")
    };
    founded.company_id
}

/// The first payout and its event.
fn payout(batches: &[Batch]) -> (EventId, PayoutMade) {
    let payout = |fact: &Fact| match &fact.event {
        Event::PayoutMade(e) => Some((fact.id, e.clone())),
        _ => None,
    };
    batches
        .iter()
        .flat_map(|batch| &batch.facts)
        .find_map(payout)
        .unwrap()
}

/// A change of a mail and of its event.
type Change<'c> = dyn Fn(&mut Fact, &mut MailSent) + 'c;

/// A first attempt that failed, and a second one that succeeded.
fn attempts(batches: &[Batch]) -> [Fact; 2] {
    let (
        cause,
        PayoutMade {
            payout_id, user_id, ..
        },
    ) = payout(batches);
    let id = |name: String| EventId::from_uuid(company(batches).derive(&name));
    let failed = MailFailed {
        payout_id,
        user_id,
        attempt: 1,
        error: "no route".into(),
        permanent: false,
    };
    let (to, message_id) = (
        "dima@popug.example".into(),
        format!("<{payout_id}@popug.example>"),
    );
    let sent = MailSent {
        payout_id,
        user_id,
        to,
        message_id,
        transport: Transport::File,
        attempt: 2,
    };
    let failure = id(format!("mail/{payout_id}/1"));
    [
        Fact {
            id: failure,
            causation: Some(cause),
            event: failed.into(),
        },
        Fact {
            id: id(format!("mail/{payout_id}")),
            causation: Some(failure),
            event: sent.into(),
        },
    ]
}

#[test]
fn i9_a_mail_that_does_not_follow_from_its_payout() {
    let batches = Store::sound().batches();
    let whole = attempts(&batches);
    let sound = mailed(&batches, whole.to_vec());
    assert!(sound.is_sound(), "{sound:#?}");
    let last = batches
        .iter()
        .map(|batch| batch.facts.len() as u64)
        .sum::<u64>()
        + 2;
    // A mail that was sent may be sent again, under an id of its own.
    let [failed, sent] = whole.clone();
    let again = |named: &str| {
        let Event::MailSent(mut mail) = sent.event.clone() else {
            panic!("{sent:?}")
        };
        (mail.transport, mail.attempt) = (Transport::Smtp, 3);
        let name = format!("mail/{}{named}", mail.payout_id);
        let again = Fact {
            id: EventId::from_uuid(company(&batches).derive(&name)),
            causation: Some(sent.id),
            event: mail.into(),
        };
        mailed(&batches, vec![failed.clone(), sent.clone(), again])
    };
    assert!(again("/3").is_sound(), "{:#?}", again("/3"));
    expect(&again("/2"), "I9", last + 1);

    let stranger = UserId::from_uuid(Uuid::from_u128(5));
    let changes: [&Change<'_>; 3] = [
        &|_, sent| sent.attempt = 3,
        &|_, sent| sent.user_id = stranger,
        &|fact, _| fact.causation = Some(payout(&batches).0),
    ];
    for change in changes {
        let [failed, mut sent] = whole.clone();
        let Event::MailSent(mut mail) = sent.event.clone() else {
            panic!("{sent:?}")
        };
        change(&mut sent, &mut mail);
        sent.event = mail.into();
        expect(&mailed(&batches, vec![failed, sent]), "I9", last);
    }
}
