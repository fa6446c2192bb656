//! Rule T7: who cancels a task, and when.

use crate::domain::event::{Event, TaskCancelled};
use crate::domain::rejection::Rejection;
use crate::domain::role::{Right, Role};
use crate::domain::task::cancel::Cancel;
use crate::domain::task::{Add, Status};
use crate::domain::tests::facts::task_id;
use crate::domain::tests::scenario::{Command, World, company};

/// Task 3 is `dima`'s own.
fn with_own_task() -> World {
    let mut world = company([]);
    let own = Command::Add(Add::new("Mine".into(), None, None));
    world.when("dima", own).unwrap();
    world
}

fn cancel<'a>(number: u64, is_charged: bool) -> Command<'a> {
    let (reason, keep_fees) = (" Not needed. ".into(), false);
    Command::Cancel(number, Cancel { reason, keep_fees }, is_charged)
}

#[test]
fn a_manager_or_an_admin_cancels_an_open_task_with_a_reason() {
    for login in ["anna", "maria"] {
        let mut world = with_own_task();
        let expected = TaskCancelled {
            task_id: task_id(1),
            reason: "Not needed.".into(),
            keep_fees: false,
        };
        let events = world.when(login, cancel(1, true)).unwrap();
        assert_eq!(events, [Event::from(expected)]);
        assert_eq!(world.tasks[0].status, Status::Cancelled);
    }
    let without = Cancel {
        reason: "  ".into(),
        keep_fees: true,
    };
    let refused = with_own_task().when("anna", Command::Cancel(1, without, false));
    assert_eq!(refused, Err(Rejection::Empty { what: "reason" }));
}

#[test]
fn its_creator_cancels_a_task_only_as_long_as_nobody_was_charged() {
    let refused = with_own_task().when("dima", cancel(3, true));
    assert_eq!(refused, Err(Rejection::AlreadyCharged { number: 3 }));
    assert!(with_own_task().when("dima", cancel(3, false)).is_ok());
    for (login, role) in [
        ("dima", Role::Developer),
        ("alexej", Role::Accountant),
        ("cron", Role::Service),
    ] {
        let refused = Rejection::RoleMayNot {
            login: login.into(),
            role,
            right: Right::ManageTasks,
        };
        assert_eq!(
            with_own_task().when(login, cancel(1, false)),
            Err(refused),
            "{login}"
        );
    }
}

#[test]
fn a_cancelled_task_is_never_drawn_completed_or_cancelled_again() {
    let mut world = with_own_task();
    world.when("anna", cancel(1, true)).unwrap();
    let gone = Rejection::AlreadyCancelled { number: 1 };
    assert_eq!(world.when("anna", cancel(1, true)), Err(gone.clone()));
    assert_eq!(world.when("dima", Command::Complete(&[1])), Err(gone));
    let moved = world.when("maria", Command::Reshuffle).unwrap();
    // The head, and the one task that is open.
    assert_eq!(moved.len(), 2);
}

#[test]
fn a_completed_task_is_not_cancelled() {
    let refused = with_own_task().when("maria", cancel(2, true));
    assert_eq!(refused, Err(Rejection::AlreadyCompleted { number: 2 }));
}
