//! Logs whose tasks changed hands or texts or were cancelled against the rules.

use crate::app::verify::tests::broken;
use crate::app::verify::tests::crafted::{
    appended, changed, expect, fact, last_of, registered, removed,
};
use crate::domain::event::{
    AssignmentReason, BalanceChanged, Event, TaskAssigned, TaskCancelled, TaskChanged,
};
use crate::domain::id::{EntryId, EventId, TaskId, UserId};
use crate::event_log::Batch;

/// The last assignment of the task that was assigned last, which is open.
fn last_assignment(batches: &[Batch]) -> TaskAssigned {
    last_of(batches, |event| match event {
        Event::TaskAssigned(e) => Some(e.clone()),
        _ => None,
    })
}

fn handed_over(before: TaskAssigned, to: UserId) -> TaskAssigned {
    TaskAssigned {
        assignee_id: to,
        previous_assignee_id: Some(before.assignee_id),
        reason: AssignmentReason::Left,
        assignment_no: before.assignment_no + 1,
        ..before
    }
}

#[test]
fn i11_a_task_that_is_handed_over_though_nobody_left() {
    let (at, findings) = appended(|batches| {
        let dima = registered(batches, "dima").user_id;
        vec![fact(1, handed_over(last_assignment(batches), dima))]
    });
    expect(&findings, &[("I11", at)]);
}

#[test]
fn i11_a_change_of_a_task_that_was_never_created() {
    let change = |task_id| TaskChanged {
        task_id,
        title: Some("x".into()),
        jira_id: None,
        description: None,
    };
    let nil = TaskId::from_uuid(uuid::Uuid::nil());
    let (at, findings) = appended(|_| vec![fact(1, change(nil))]);
    expect(&findings, &[("I11", at)]);
    let done = |batches: &[Batch]| {
        last_of(batches, |event| match event {
            Event::TaskCompleted(e) => Some(e.task_id),
            _ => None,
        })
    };
    let (_, findings) = appended(|batches| vec![fact(1, change(done(batches)))]);
    expect(&findings, &[]);
}

#[test]
fn i12_a_settlement_with_a_title_of_another_time() {
    let (at, findings) = changed(|fact| match &mut fact.event {
        Event::TaskSettled(e) if e.title.ends_with("клетку 2") && e.jira_id.is_some() => {
            e.title = "Почистить клетку 0".into();
            true
        }
        _ => false,
    });
    expect(&findings, &[("I12", at)]);
}

/// A fee that a cancellation took back.
fn is_back(event: &Event) -> Option<&BalanceChanged> {
    match event {
        Event::BalanceChanged(e) if e.corrects.is_some() && e.cause_sequence.is_some() => Some(e),
        _ => None,
    }
}

#[test]
fn i4_a_fee_that_a_cancellation_does_not_take_back() {
    let (entry, findings) = removed(|event| is_back(event).is_some());
    let cause = is_back(&entry).unwrap().cause_sequence.unwrap();
    let place = format!("event {cause}");
    assert!(
        broken(&findings).contains(&("I4", place.as_str())),
        "{findings:#?}"
    );
}

#[test]
fn i4_a_fee_that_is_taken_back_twice_or_by_another_cancellation() {
    let (_, findings) = changed(|fact| {
        let Event::BalanceChanged(e) = &mut fact.event else {
            return false;
        };
        let is_back = e.corrects.is_some() && e.cause_sequence.is_some();
        if is_back {
            e.cause_sequence = e.cause_sequence.map(|cause| cause.next());
        }
        is_back
    });
    assert!(
        findings
            .violations
            .iter()
            .any(|found| found.invariant == "I4"),
        "{findings:#?}"
    );
}

#[test]
fn i4_and_i11_a_task_that_is_cancelled_twice_or_was_never_created() {
    let cancel = |task_id| TaskCancelled {
        task_id,
        reason: "x".into(),
        keep_fees: true,
    };
    let (at, findings) = appended(|batches| {
        let again = last_of(batches, |event| match event {
            Event::TaskCancelled(e) => Some(e.task_id),
            _ => None,
        });
        vec![fact(1, cancel(again))]
    });
    expect(&findings, &[("I4", at)]);
    let nil = TaskId::from_uuid(uuid::Uuid::nil());
    let (at, findings) = appended(|_| vec![fact(1, cancel(nil))]);
    expect(&findings, &[("I11", at)]);
}

#[test]
fn i9_a_correction_whose_id_is_not_that_of_its_cancellation_and_fee() {
    let (at, findings) = changed(|fact| {
        let Event::BalanceChanged(e) = &mut fact.event else {
            return false;
        };
        let is_back = e.corrects.is_some() && e.cause_sequence.is_some();
        if is_back {
            e.entry_id = EntryId::from_uuid(uuid::Uuid::from_u128(9));
            fact.id = EventId::from_uuid(e.entry_id.uuid());
        }
        is_back
    });
    let place = format!("event {at}");
    assert!(
        broken(&findings).contains(&("I9", place.as_str())),
        "{findings:#?}"
    );
}
