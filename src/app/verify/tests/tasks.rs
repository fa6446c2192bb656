//! Logs whose tasks changed hands or texts against the rules.

use crate::app::verify::tests::crafted::{appended, changed, expect, fact, last_of, registered};
use crate::domain::event::{AssignmentReason, Event, TaskAssigned, TaskChanged};
use crate::domain::id::{TaskId, UserId};
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
