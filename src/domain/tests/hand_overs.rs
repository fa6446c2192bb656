//! Rule U4: the open tasks of a user who cannot be drawn any more.

use std::collections::BTreeSet;

use crate::domain::event::{AssignmentReason, Event};
use crate::domain::id::UserId;
use crate::domain::rejection::Rejection;
use crate::domain::role::{Right, Role};
use crate::domain::tests::facts::{assigned, created, joined, user_id};
use crate::domain::tests::scenario::{Command, World, company, given};

/// `dima` has the open tasks 1 and 3, `wanda` task 4; task 2 of `dima` is done.
fn with_wanda() -> World {
    company([
        joined("wanda", Role::Worker),
        created(3),
        assigned(3, "dima"),
        created(4),
        assigned(4, "wanda"),
    ])
}

/// Number of the task, who had it, who got it.
fn moved(world: &World, events: &[Event]) -> Vec<(u64, UserId, UserId)> {
    let assigned = events.iter().filter_map(|event| match event {
        Event::TaskAssigned(e) => Some(e),
        _ => None,
    });
    let of = |e: &crate::domain::event::TaskAssigned| {
        assert_eq!((e.reason, e.assignment_no), (AssignmentReason::Left, 2));
        let task = world
            .tasks
            .iter()
            .find(|task| task.id == e.task_id)
            .unwrap();
        (task.number, e.previous_assignee_id.unwrap(), e.assignee_id)
    };
    assigned.map(of).collect()
}

#[test]
fn open_tasks_of_a_user_who_leaves_are_drawn_anew_in_the_same_batch() {
    let mut drawn = BTreeSet::new();
    for seed in 0..30 {
        let mut world = with_wanda();
        world.dice = crate::domain::tests::dice::PinnedDice::new(seed);
        let events = world
            .when("anna", Command::Deactivate("dima", false))
            .unwrap();
        assert!(matches!(events[0], Event::UserDeactivated(_)));
        let moved = moved(&world, &events);
        assert_eq!(moved.len(), events.len() - 1);
        let from: Vec<_> = moved
            .iter()
            .map(|(number, from, _)| (*number, *from))
            .collect();
        assert_eq!(from, [(1, user_id("dima")), (3, user_id("dima"))]);
        drawn.extend(moved.into_iter().map(|(.., to)| to));
    }
    assert_eq!(drawn, ["alexej", "wanda"].map(user_id).into());
}

#[test]
fn tasks_stay_if_they_are_to_be_kept_or_nobody_else_is_eligible() {
    let mut world = with_wanda();
    let kept = world
        .when("anna", Command::Deactivate("dima", true))
        .unwrap();
    assert_eq!(kept.len(), 1);
    let alone = [
        joined("anna", Role::Admin),
        joined("dima", Role::Developer),
        created(1),
        assigned(1, "dima"),
    ];
    let mut world = given(alone);
    let events = world
        .when("anna", Command::Deactivate("dima", false))
        .unwrap();
    assert_eq!(
        (events.len(), world.tasks[0].assignee),
        (1, user_id("dima"))
    );
    let later = world.when("anna", Command::HandOver("dima"));
    assert_eq!(later, Err(Rejection::NobodyEligible));
}

#[test]
fn tasks_of_those_who_cannot_be_drawn_any_more_are_handed_over() {
    let mut world = with_wanda();
    world
        .when("anna", Command::Deactivate("dima", true))
        .unwrap();
    world
        .when("anna", Command::SetRole("wanda", "manager"))
        .unwrap();
    let events = world.when("maria", Command::HandOver("dima")).unwrap();
    let of_dima = moved(&world, &events);
    assert_eq!((of_dima.len(), events.len()), (2, 2));
    let events = world.when("anna", Command::HandOver("wanda")).unwrap();
    let expected = (4, user_id("wanda"), user_id("alexej"));
    assert_eq!(moved(&world, &events), [expected]);
    assert_eq!(world.when("anna", Command::HandOver("wanda")), Ok(vec![]));
}

#[test]
fn only_managers_and_admins_hand_over_and_nobody_who_can_be_drawn_loses_tasks() {
    let mut world = with_wanda();
    let refused = Rejection::RoleMayNot {
        login: "alexej".into(),
        role: Role::Accountant,
        right: Right::ManageTasks,
    };
    assert_eq!(
        world.when("alexej", Command::HandOver("dima")),
        Err(refused)
    );
    let drawn = Rejection::CanBeDrawn {
        login: "dima".into(),
    };
    assert_eq!(world.when("maria", Command::HandOver("dima")), Err(drawn));
}
