//! Rules T1 to T5.

use crate::domain::event::{
    AssignmentReason, Event, TaskAssigned, TaskCompleted, TaskCreated, TasksReshuffled,
};
use crate::domain::rejection::Rejection;
use crate::domain::role::{Right, Role};
use crate::domain::task::{Add, Status};
use crate::domain::tests::facts::{assigned, completed, created, joined, left, task_id, user_id};
use crate::domain::tests::scenario::{Command, World, given};

/// One user of each role; `dima` and `wanda` are the developer and the worker.
fn everybody() -> [Event; 6] {
    [
        joined("anna", Role::Admin),
        joined("maria", Role::Manager),
        joined("alexej", Role::Accountant),
        joined("dima", Role::Developer),
        joined("wanda", Role::Worker),
        joined("cron", Role::Service),
    ]
}

fn company(more: impl IntoIterator<Item = Event>) -> World {
    given(everybody().into_iter().chain(more))
}

fn add(title: &str) -> Command<'_> {
    let description = Some("As soon as possible.".into());
    Command::Add(Add::new(title.into(), None, description))
}

fn done(number: u64, login: &str, assignment_no: u32) -> Event {
    TaskCompleted {
        task_id: task_id(number),
        completed_by: user_id(login),
        assignment_no,
    }
    .into()
}

#[test]
fn any_person_creates_a_task_and_a_service_does_not() {
    for login in ["anna", "maria", "alexej", "dima", "wanda"] {
        assert!(company([]).when(login, add("Fix it")).is_ok(), "{login}");
    }
    let refused = company([]).when("cron", add("Fix it"));
    let expected = Rejection::RoleMayNot {
        login: "cron".into(),
        role: Role::Service,
        right: Right::CreateTask,
    };
    assert_eq!(refused, Err(expected));
}

#[test]
fn a_task_is_created_and_assigned_in_one_batch() {
    let mut world = company([]);
    let events = world.when("anna", add("[UP-7] Fix it")).unwrap();
    let task = &world.tasks[0];
    let created = TaskCreated {
        task_id: task.id,
        number: 1,
        title: "Fix it".into(),
        jira_id: Some("UP-7".into()),
        description: Some("As soon as possible.".into()),
        created_by: user_id("anna"),
    };
    let assigned = TaskAssigned {
        task_id: task.id,
        assignee_id: task.assignee,
        previous_assignee_id: None,
        reason: AssignmentReason::Created,
        assignment_no: 1,
    };
    assert_eq!(events, [created.into(), assigned.into()]);
    assert!(world.eligible().contains(&task.assignee) && task.status == Status::Open);
}

#[test]
fn tasks_are_numbered_one_after_the_other() {
    let mut world = company([]);
    for _ in 0..3 {
        world.when("dima", add("Fix it")).unwrap();
    }
    assert_eq!(
        world
            .tasks
            .iter()
            .map(|task| task.number)
            .collect::<Vec<_>>(),
        [1, 2, 3]
    );
}

#[test]
fn only_active_accountants_developers_and_workers_are_drawn() {
    let mut world = company([joined("gone", Role::Developer), left("gone")]);
    let mut drawn = std::collections::BTreeSet::new();
    for _ in 0..60 {
        world.when("anna", add("Fix it")).unwrap();
        drawn.insert(world.tasks.last().unwrap().assignee);
    }
    assert_eq!(drawn, ["alexej", "dima", "wanda"].map(user_id).into());
}

#[test]
fn a_reshuffle_redraws_every_open_task_at_once() {
    let mut world = company([
        created(1),
        assigned(1, "dima"),
        created(2),
        assigned(2, "dima"),
        completed(2, "dima"),
        created(3),
        assigned(3, "wanda"),
    ]);
    let events = world.when("maria", Command::Reshuffle).unwrap();
    let moved = |number: u64, from: &str| {
        Event::from(TaskAssigned {
            task_id: task_id(number),
            assignee_id: world.tasks[number as usize - 1].assignee,
            previous_assignee_id: Some(user_id(from)),
            reason: AssignmentReason::Reshuffle,
            assignment_no: 2,
        })
    };
    let head = TasksReshuffled {
        open_tasks: 2,
        eligible_users: 3,
        moved: 2,
    };
    assert_eq!(events, [head.into(), moved(1, "dima"), moved(3, "wanda")]);
}

#[test]
fn each_reshuffle_assigns_again_and_may_draw_the_current_assignee() {
    let mut world = company([created(1), assigned(1, "dima")]);
    let mut kept = 0;
    for press in 0..20 {
        let before = world.tasks[0].assignee;
        world.when("anna", Command::Reshuffle).unwrap();
        assert_eq!(world.tasks[0].assignment_no, press + 2);
        kept += u32::from(world.tasks[0].assignee == before);
    }
    assert!((1..20).contains(&kept), "{kept}");
}

#[test]
fn an_assignee_who_is_not_eligible_any_more_loses_the_task_at_the_next_reshuffle() {
    let mut world = company([
        created(1),
        assigned(1, "dima"),
        left("dima"),
        left("alexej"),
    ]);
    assert_eq!(
        world.tasks[0].assignee,
        user_id("dima"),
        "until then it is kept"
    );
    world.when("anna", Command::Reshuffle).unwrap();
    assert_eq!(world.tasks[0].assignee, user_id("wanda"));
}

#[test]
fn only_managers_and_admins_reshuffle() {
    for (login, may) in [
        ("anna", true),
        ("maria", true),
        ("alexej", false),
        ("dima", false),
        ("wanda", false),
        ("cron", false),
    ] {
        let decision = company([created(1), assigned(1, "dima")]).when(login, Command::Reshuffle);
        assert_eq!(decision.is_ok(), may, "{login}");
        assert!(
            may || matches!(
                decision,
                Err(Rejection::RoleMayNot {
                    right: Right::Reshuffle,
                    ..
                })
            )
        );
    }
}

#[test]
fn a_reshuffle_of_nothing_succeeds_and_moves_nothing() {
    let nothing = |eligible_users| {
        vec![
            TasksReshuffled {
                open_tasks: 0,
                eligible_users,
                moved: 0,
            }
            .into(),
        ]
    };
    let mut world = company([created(1), assigned(1, "dima"), completed(1, "dima")]);
    assert_eq!(world.when("anna", Command::Reshuffle), Ok(nothing(3)));
    let mut nobody = given([joined("anna", Role::Admin)]);
    assert_eq!(
        nobody.when("anna", Command::Reshuffle),
        Ok(nothing(0)),
        "even with nobody eligible"
    );
}

#[test]
fn the_assignee_completes_their_task() {
    let mut world = company([created(1), assigned(1, "dima")]);
    assert_eq!(
        world.when("dima", Command::Complete(&[1])),
        Ok(vec![done(1, "dima", 1)])
    );
    assert_eq!(world.tasks[0].status, Status::Completed);
}

#[test]
fn a_completion_names_the_assignment_it_ends() {
    let mut world = given([
        joined("anna", Role::Admin),
        joined("dima", Role::Developer),
        created(1),
        assigned(1, "dima"),
    ]);
    world.when("anna", Command::Reshuffle).unwrap();
    assert_eq!(
        world.when("dima", Command::Complete(&[1])),
        Ok(vec![done(1, "dima", 2)])
    );
}

#[test]
fn a_former_manager_role_keeps_nobody_from_completing_their_tasks() {
    let mut world = company([created(1), assigned(1, "dima")]);
    world
        .when("anna", Command::SetRole("dima", "manager"))
        .unwrap();
    assert!(world.when("dima", Command::Complete(&[1])).is_ok());
}

#[test]
fn nobody_else_completes_it_in_any_role() {
    for login in ["anna", "maria", "alexej", "wanda"] {
        let refused =
            company([created(1), assigned(1, "dima")]).when(login, Command::Complete(&[1]));
        assert_eq!(
            refused,
            Err(Rejection::NotTheAssignee {
                number: 1,
                assignee: "dima".into()
            }),
            "{login}"
        );
    }
}

#[test]
fn completing_a_completed_task_is_rejected() {
    let mut world = company([created(1), assigned(1, "dima"), completed(1, "dima")]);
    assert_eq!(
        world.when("dima", Command::Complete(&[1])),
        Err(Rejection::AlreadyCompleted { number: 1 })
    );
}

#[test]
fn several_tasks_are_completed_all_or_none() {
    let tasks = [
        created(1),
        assigned(1, "dima"),
        created(2),
        assigned(2, "dima"),
        created(3),
        assigned(3, "wanda"),
    ];
    let mut world = company(tasks);
    let refused = world.when("dima", Command::Complete(&[1, 2, 3]));
    assert_eq!(
        refused,
        Err(Rejection::NotTheAssignee {
            number: 3,
            assignee: "wanda".into()
        })
    );
    assert!(world.tasks.iter().all(|task| task.status == Status::Open));
    let events = world.when("dima", Command::Complete(&[2, 1]));
    assert_eq!(events, Ok(vec![done(2, "dima", 1), done(1, "dima", 1)]));
}

#[test]
fn a_task_that_is_named_twice_is_completed_once() {
    let mut world = company([created(1), assigned(1, "dima")]);
    assert_eq!(
        world.when("dima", Command::Complete(&[1, 1])),
        Ok(vec![done(1, "dima", 1)])
    );
}

#[test]
fn without_anybody_eligible_nothing_is_created_or_reshuffled() {
    let mut world = given([joined("anna", Role::Admin), joined("dima", Role::Worker)]);
    world.when("dima", add("Fix it")).unwrap();
    world
        .when("anna", Command::Deactivate("dima", false))
        .unwrap();
    assert_eq!(
        world.when("anna", add("Fix it")),
        Err(Rejection::NobodyEligible)
    );
    assert_eq!(
        world.when("anna", Command::Reshuffle),
        Err(Rejection::NobodyEligible)
    );
    assert_eq!((world.tasks.len(), world.tasks[0].assignment_no), (1, 1));
}

#[test]
fn creating_is_refused_for_the_role_then_the_state_then_the_text() {
    let mut nobody = given([joined("anna", Role::Admin), joined("cron", Role::Service)]);
    let refused = nobody.when("cron", add(""));
    assert!(
        matches!(refused, Err(Rejection::RoleMayNot { .. })),
        "{refused:?}"
    );
    assert_eq!(nobody.when("anna", add("")), Err(Rejection::NobodyEligible));
    assert_eq!(
        company([]).when("anna", add("")),
        Err(Rejection::Empty { what: "title" })
    );
}

#[test]
fn completing_is_refused_for_the_role_then_the_assignee_then_the_state() {
    let mut world = company([
        created(1),
        assigned(1, "dima"),
        completed(1, "dima"),
        created(2),
        assigned(2, "wanda"),
    ]);
    let refused = world.when("cron", Command::Complete(&[1, 2]));
    assert!(
        matches!(
            refused,
            Err(Rejection::RoleMayNot {
                right: Right::CompleteTask,
                ..
            })
        ),
        "{refused:?}"
    );
    let refused = world.when("dima", Command::Complete(&[1, 2]));
    assert!(
        matches!(refused, Err(Rejection::NotTheAssignee { number: 2, .. })),
        "{refused:?}"
    );
    let refused = world.when("anna", Command::Complete(&[1]));
    assert!(
        matches!(refused, Err(Rejection::NotTheAssignee { number: 1, .. })),
        "{refused:?}"
    );
}

#[test]
fn reshuffling_is_refused_for_the_role_before_the_state() {
    let mut world = given([
        joined("cron", Role::Service),
        created(1),
        assigned(1, "cron"),
    ]);
    let refused = world.when("cron", Command::Reshuffle);
    assert!(
        matches!(refused, Err(Rejection::RoleMayNot { .. })),
        "{refused:?}"
    );
}

#[test]
fn pinned_dice_draw_the_same_again() {
    let play = || {
        let mut world = company([created(1), assigned(1, "dima")]);
        (
            world.when("anna", add("Fix it")),
            world.when("anna", Command::Reshuffle),
        )
    };
    assert_eq!(play(), play());
}
