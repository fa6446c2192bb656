//! Logs with right hashes and one fault in their history.

use uuid::Uuid;

use crate::app::verify::Findings;
use crate::app::verify::tests::broken;
use crate::app::verify::tests::store::Store;
use crate::domain::event::{
    AssignmentReason, BalanceChanged, Event, Fact, TaskAssigned, TaskCreated, UserChanged,
    UserDeactivated, UserRegistered,
};
use crate::domain::id::{EntryId, EventId, TaskId, UserId};
use crate::domain::ledger::entry::EntryKind;
use crate::domain::money::Money;
use crate::event_log::Batch;

fn verified(batches: &[Batch]) -> Findings {
    let findings = Store::craft(batches).verify(true);
    assert_eq!(findings.damage, [], "{findings:#?}");
    findings
}

/// Changes the last fact that `change` accepts. Returns its sequence and the findings.
pub(super) fn changed(mut change: impl FnMut(&mut Fact) -> bool) -> (u64, Findings) {
    let mut batches = Store::sound().batches();
    let mut sequence: u64 = batches.iter().map(|batch| batch.facts.len() as u64).sum();
    for fact in batches
        .iter_mut()
        .rev()
        .flat_map(|batch| batch.facts.iter_mut().rev())
    {
        if change(fact) {
            return (sequence, verified(&batches));
        }
        sequence -= 1;
    }
    panic!("no such event")
}

/// Appends a batch of these events. Returns the sequence of the last one and the findings.
pub(super) fn appended(make: impl FnOnce(&[Batch]) -> Vec<Fact>) -> (u64, Findings) {
    let mut batches = Store::sound().batches();
    let facts = make(&batches);
    let like = batches.last().unwrap();
    batches.push(Batch {
        command_id: "crafted".into(),
        command_hash: None,
        facts,
        ..like.clone()
    });
    (
        batches.iter().map(|batch| batch.facts.len() as u64).sum(),
        verified(&batches),
    )
}

pub(super) fn last_of<'b, T>(batches: &'b [Batch], pick: impl Fn(&'b Event) -> Option<T>) -> T {
    batches
        .iter()
        .rev()
        .flat_map(|batch| batch.facts.iter().rev())
        .find_map(|fact| pick(&fact.event))
        .unwrap()
}

pub(super) fn registered(batches: &[Batch], login: &str) -> UserRegistered {
    last_of(batches, |event| match event {
        Event::UserRegistered(e) if e.login == login => Some(e.clone()),
        _ => None,
    })
}

fn last_number(batches: &[Batch]) -> u64 {
    last_of(batches, |event| match event {
        Event::TaskCreated(e) => Some(e.number),
        _ => None,
    })
}

/// A new task, created and assigned.
fn task_for(assignee_id: UserId, number: u64) -> Vec<Fact> {
    let (task_id, created_by) = (TaskId::from_uuid(Uuid::from_u128(5)), assignee_id);
    let created = TaskCreated {
        task_id,
        number,
        title: "x".into(),
        jira_id: None,
        description: None,
        created_by,
    };
    vec![
        fact(1, created),
        fact(2, first_assignment(task_id, assignee_id)),
    ]
}

fn first_assignment(task_id: TaskId, assignee_id: UserId) -> TaskAssigned {
    let reason = AssignmentReason::Created;
    TaskAssigned {
        task_id,
        assignee_id,
        previous_assignee_id: None,
        reason,
        assignment_no: 1,
    }
}

pub(super) fn fact(number: u128, event: impl Into<Event>) -> Fact {
    Fact {
        id: fact_id(number),
        causation: None,
        event: event.into(),
    }
}

fn fact_id(number: u128) -> EventId {
    EventId::from_uuid(Uuid::from_u128(number))
}

#[track_caller]
pub(super) fn expect(findings: &Findings, expected: &[(&'static str, u64)]) {
    let places: Vec<_> = expected
        .iter()
        .map(|(invariant, at)| (*invariant, format!("event {at}")))
        .collect();
    let mut expected: Vec<_> = places
        .iter()
        .map(|(invariant, place)| (*invariant, place.as_str()))
        .collect();
    expected.sort_unstable();
    assert_eq!(broken(findings), expected, "{findings:#?}");
}

#[test]
fn the_same_log_written_again_is_sound() {
    expect(&verified(&Store::sound().batches()), &[]);
}

#[test]
fn i1_a_balance_that_is_not_the_sum_of_the_entries() {
    let (at, findings) = changed(|fact| match &mut fact.event {
        Event::BalanceChanged(e) => {
            e.balance += Money::from_minor(1);
            true
        }
        _ => false,
    });
    expect(&findings, &[("I1", at)]);
}

#[test]
fn i2_and_i7_wrong_totals_of_a_close() {
    for (invariant, fees) in [("I2", 0), ("I7", 1)] {
        let (at, findings) = changed(|fact| match &mut fact.event {
            Event::DayClosed(e) => {
                e.fees += Money::from_minor(fees);
                e.management_earned += Money::from_minor(1 - fees);
                true
            }
            _ => false,
        });
        expect(&findings, &[(invariant, at)]);
    }
}

#[test]
fn i3_a_price_that_is_not_the_drawn_one() {
    let (at, findings) = changed(|fact| match &mut fact.event {
        Event::TaskPriced(e) => {
            e.fee += Money::units(1);
            true
        }
        _ => false,
    });
    // The fee was charged by the right price.
    expect(&findings, &[("I3", at), ("I4", at + 1)]);
}

#[test]
fn i4_a_task_that_is_completed_twice() {
    let (at, findings) = appended(|batches| {
        let completed = last_of(batches, |event| match event {
            Event::TaskCompleted(e) => Some(e.clone()),
            _ => None,
        });
        vec![fact(1, completed)]
    });
    expect(&findings, &[("I4", at)]);
}

#[test]
fn i5_a_date_that_is_paid_twice() {
    let (at, findings) = appended(|batches| {
        let paid = last_of(batches, |event| match event {
            Event::PayoutMade(e) => Some(e.clone()),
            _ => None,
        });
        vec![fact(1, paid)]
    });
    expect(&findings, &[("I5", at), ("I9", at)]);
}

#[test]
fn i6_a_payout_that_is_not_what_was_earned() {
    let (at, findings) = changed(|fact| match &mut fact.event {
        Event::PayoutMade(e) => {
            e.earned += Money::from_minor(1);
            e.amount += Money::from_minor(1);
            true
        }
        _ => false,
    });
    expect(&findings, &[("I6", at), ("I6", at + 1)]);
}

#[test]
fn i9_an_id_that_is_not_derived_from_its_cause() {
    let (at, findings) = changed(|fact| {
        fact.id = EventId::from_uuid(Uuid::from_u128(1));
        matches!(fact.event, Event::DayClosed(_))
    });
    expect(&findings, &[("I9", at)]);
}

#[test]
fn i10_an_id_or_a_key_that_is_used_twice() {
    let mut batches = Store::sound().batches();
    let key = batches[2].command_id.clone();
    batches.last_mut().unwrap().command_id = key;
    let findings = verified(&batches);
    let rules: Vec<_> = findings.violations.iter().map(|v| v.invariant).collect();
    assert_eq!(rules, ["I10"], "{findings:#?}");
    let mut batches = Store::sound().batches();
    batches[3].facts[0].id = batches[2].facts[0].id;
    let findings = verified(&batches);
    let rules: Vec<_> = findings.violations.iter().map(|v| v.invariant).collect();
    assert_eq!(rules, ["I10"], "{findings:#?}");
}

#[test]
fn i11_an_assignee_who_is_not_drawn() {
    let (at, findings) = appended(|batches| {
        let boss = registered(batches, "boss").user_id;
        task_for(boss, last_number(batches) + 1)
    });
    expect(&findings, &[("I11", at)]);
}

#[test]
fn i11_a_reshuffle_that_moved_another_number_of_tasks() {
    let (at, findings) = changed(|fact| match &mut fact.event {
        Event::TasksReshuffled(e) => {
            e.moved += 1;
            true
        }
        _ => false,
    });
    expect(&findings, &[("I11", at)]);
}

#[test]
fn i12_a_settlement_that_is_not_the_ledgers() {
    let (at, findings) = changed(|fact| match &mut fact.event {
        Event::TaskSettled(e) => {
            e.fees_charged += Money::from_minor(1);
            true
        }
        _ => false,
    });
    expect(&findings, &[("I12", at)]);
}

#[test]
fn i13_an_entry_that_is_late_without_reason() {
    let (at, findings) = changed(|fact| match &mut fact.event {
        Event::BalanceChanged(e) if e.kind == EntryKind::Fee => {
            e.late = !e.late;
            true
        }
        _ => false,
    });
    assert!(
        broken(&findings).contains(&("I13", format!("event {at}").as_str())),
        "{findings:#?}"
    );
    let others = findings.violations.iter().filter(|v| v.invariant != "I13");
    assert!(
        others.into_iter().all(|v| v.what.contains("late_entries")),
        "{findings:#?}"
    );
}

#[test]
fn i14_an_entry_that_is_dated_into_a_closed_date() {
    let (at, findings) = appended(|batches| {
        let entry = last_of(batches, |event| match event {
            Event::BalanceChanged(e) if e.kind == EntryKind::Correction => Some(e.clone()),
            _ => None,
        });
        let balance = last_of(batches, |event| match event {
            Event::BalanceChanged(e) if e.user_id == entry.user_id => Some(e.balance),
            _ => None,
        });
        let id = EntryId::from_uuid(Uuid::from_u128(1));
        vec![fact(
            1,
            BalanceChanged {
                entry_id: id,
                balance: balance + entry.amount,
                occurred_at: batches.last().unwrap().time,
                ..entry
            },
        )]
    });
    expect(&findings, &[("I14", at)]);
}

#[test]
fn i10_and_i8_what_the_state_index_cannot_follow_is_told_of_the_event_though_there_is_no_index() {
    for login in ["dima", "new"] {
        let (at, findings) = appended(|batches| {
            let dima = registered(batches, "dima");
            let user_id = if login == "new" {
                dima.user_id
            } else {
                UserId::from_uuid(Uuid::from_u128(5))
            };
            vec![fact(
                1,
                UserRegistered {
                    login: login.into(),
                    user_id,
                    ..dima
                },
            )]
        });
        expect(&findings, &[("I10", at), ("I8", at)]);
    }
    let (at, findings) = appended(|batches| {
        vec![Fact {
            id: fact_id(1),
            ..batches[0].facts[0].clone()
        }]
    });
    expect(&findings, &[("I10", at), ("I8", at)]);
}

#[test]
fn i11_and_i8_a_task_number_that_is_given_twice_and_an_assignment_of_no_task() {
    let (at, findings) = appended(|batches| task_for(registered(batches, "dima").user_id, 1));
    expect(&findings, &[("I11", at - 1), ("I8", at - 1)]);
    let (at, findings) = appended(|batches| {
        let nothing = TaskId::from_uuid(Uuid::from_u128(6));
        vec![fact(
            1,
            first_assignment(nothing, registered(batches, "dima").user_id),
        )]
    });
    expect(&findings, &[("I11", at), ("I8", at)]);
}

#[test]
fn i11_a_task_number_that_leaves_one_out() {
    let (at, findings) = appended(|batches| {
        task_for(
            registered(batches, "dima").user_id,
            last_number(batches) + 2,
        )
    });
    expect(&findings, &[("I11", at - 1)]);
}

#[test]
fn i10_a_user_who_was_never_registered() {
    let (at, findings) = appended(|_| {
        vec![fact(
            1,
            UserDeactivated {
                user_id: UserId::from_uuid(Uuid::from_u128(5)),
                reason: None,
            },
        )]
    });
    expect(&findings, &[("I10", at)]);
}

#[test]
fn i10_and_i8_a_given_key_that_is_used_twice() {
    let mut batches = Store::sound().batches();
    let given = batches
        .iter()
        .find(|batch| batch.command_hash.is_some())
        .unwrap()
        .clone();
    let like = batches.last().unwrap().clone();
    let user_id = registered(&batches, "dima").user_id;
    let facts = vec![fact(
        1,
        UserDeactivated {
            user_id,
            reason: None,
        },
    )];
    batches.push(Batch {
        facts,
        command_id: given.command_id,
        command_hash: given.command_hash,
        ..like
    });
    let findings = verified(&batches);
    let rules: Vec<_> = findings.violations.iter().map(|v| v.invariant).collect();
    assert_eq!(rules, ["I10", "I8"], "{findings:#?}");
}

/// Replaces the last event that `is_meant`. Returns the former event and the findings.
pub(super) fn removed(mut is_meant: impl FnMut(&Event) -> bool) -> (Event, Findings) {
    let mut batches = Store::sound().batches();
    let user_id = registered(&batches, "dima").user_id;
    let mut facts = batches
        .iter_mut()
        .rev()
        .flat_map(|batch| batch.facts.iter_mut().rev());
    let fact = facts.find(|fact| is_meant(&fact.event)).unwrap();
    let full_name = Some("Dima".to_owned());
    let other = UserChanged {
        user_id,
        full_name,
        email: None,
    };
    let event = std::mem::replace(&mut fact.event, other.into());
    fact.id = fact_id(1);
    (event, verified(&batches))
}

#[test]
fn i12_a_finished_task_that_is_never_settled() {
    let (settled, findings) = removed(|event| matches!(event, Event::TaskSettled(_)));
    let Event::TaskSettled(settled) = settled else {
        unreachable!("it was asked for")
    };
    expect(&findings, &[("I12", settled.completed_sequence.0)]);
}

#[test]
fn i3_a_task_that_never_gets_a_price() {
    let (priced, findings) = removed(|event| matches!(event, Event::TaskPriced(_)));
    let Event::TaskPriced(priced) = priced else {
        unreachable!("it was asked for")
    };
    let told: Vec<_> = findings
        .violations
        .iter()
        .map(|v| (v.invariant, &*v.what))
        .collect();
    assert_eq!(told, [("I3", "the task never got a price")], "{priced:?}");
}

#[test]
fn i4_a_charge_that_is_missing() {
    let is_fee =
        |event: &Event| matches!(event, Event::BalanceChanged(e) if e.kind == EntryKind::Fee);
    let mut fees = 0;
    // The last fee of the log is the end of the reaction, so nothing shows that it is missing.
    let (entry, findings) = removed(|event| {
        is_fee(event) && {
            fees += 1;
            fees == 2
        }
    });
    let Event::BalanceChanged(entry) = entry else {
        unreachable!("it was asked for")
    };
    let place = format!("event {}", entry.cause_sequence.unwrap());
    assert!(
        broken(&findings).contains(&("I4", place.as_str())),
        "{findings:#?}"
    );
}

#[test]
fn i4_a_correction_of_more_than_the_entry() {
    let (at, findings) = changed(|fact| match &mut fact.event {
        Event::BalanceChanged(e) if e.kind == EntryKind::Correction => {
            e.amount -= Money::units(100);
            e.balance -= Money::units(100);
            true
        }
        _ => false,
    });
    let place = format!("event {at}");
    assert!(
        broken(&findings).contains(&("I4", place.as_str())),
        "{findings:#?}"
    );
}
