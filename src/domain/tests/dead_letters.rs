//! Setting aside, retrying and skipping: rights, states and reasons.

use uuid::Uuid;

use crate::domain::dead_letter::{LetterState, Stop, Target};
use crate::domain::event::{Consumer, Event};
use crate::domain::id::{EventId, Sequence};
use crate::domain::rejection::Rejection;
use crate::domain::role::Role;
use crate::domain::tests::facts::{joined, user_id};
use crate::domain::user::User;

fn user(login: &str, role: Role) -> User {
    let Event::UserRegistered(registered) = joined(login, role) else {
        unreachable!()
    };
    User::registered(&registered)
}

fn target(state: Option<LetterState>) -> Target {
    Target {
        consumer: Consumer::Accounting,
        sequence: Sequence(42),
        id: EventId::from_uuid(Uuid::from_u128(42)),
        is_of_the_books: false,
        touches: vec![user_id("dima")],
        state,
    }
}

fn stop() -> Stop {
    Stop {
        sequence: Sequence(42),
        reason: "task/7 was never\ncreated".into(),
    }
}

#[test]
fn an_event_is_set_aside_only_where_the_consumer_stops() {
    let petr = user("petr", Role::Accountant);
    let elsewhere = Stop {
        sequence: Sequence(41),
        ..stop()
    };
    for (stop, at) in [(None, None), (Some(&elsewhere), Some(Sequence(41)))] {
        let refused = target(None).set_aside(&petr, stop, None).unwrap_err();
        assert_eq!(
            refused,
            Rejection::NotStopped {
                consumer: Consumer::Accounting,
                sequence: Sequence(42),
                at
            }
        );
    }
    let events = target(None).set_aside(&petr, Some(&stop()), None).unwrap();
    let [Event::EventSetAside(set_aside)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(set_aside.target_sequence, Sequence(42));
    assert_eq!(
        set_aside.reason, "task/7 was never created",
        "the failure is the reason, on one line"
    );
}

#[test]
fn only_what_is_set_aside_is_skipped_and_only_by_an_admin() {
    let (petr, anna) = (user("petr", Role::Accountant), user("anna", Role::Admin));
    let set_aside = target(Some(LetterState::SetAside));
    assert!(matches!(
        set_aside.skip(&petr, "gone"),
        Err(Rejection::RoleMayNot { .. })
    ));
    assert!(matches!(
        set_aside.skip(&anna, " "),
        Err(Rejection::Empty { what: "reason" })
    ));
    assert!(matches!(
        set_aside.skip(&anna, "gone").unwrap()[..],
        [Event::EventSkipped(_)]
    ));
    for state in [None, Some(LetterState::Retried), Some(LetterState::Skipped)] {
        assert!(
            matches!(
                target(state).skip(&anna, "gone"),
                Err(Rejection::NotSetAside { .. })
            ),
            "{state:?}"
        );
    }
}

#[test]
fn an_event_of_the_books_is_never_skipped() {
    let anna = user("anna", Role::Admin);
    let target = Target {
        is_of_the_books: true,
        ..target(Some(LetterState::SetAside))
    };
    assert_eq!(
        target.skip(&anna, "gone"),
        Err(Rejection::BooksAreNotSkipped {
            consumer: target.consumer,
            sequence: Sequence(42)
        })
    );
    assert!(target.retry(&anna, None, "mended").is_ok());
}

#[test]
fn an_event_that_is_set_aside_or_skipped_is_retried_once_it_can_be_read() {
    let petr = user("petr", Role::Accountant);
    for state in [LetterState::SetAside, LetterState::Skipped] {
        assert!(matches!(
            target(Some(state)).retry(&petr, None, "mended").unwrap()[..],
            [Event::EventRetried(_)]
        ));
    }
    let unreadable =
        target(Some(LetterState::SetAside)).retry(&petr, Some("unknown version".into()), "mended");
    assert!(matches!(unreadable, Err(Rejection::StillUnreadable { .. })));
    assert!(matches!(
        target(None).retry(&petr, None, "mended"),
        Err(Rejection::NotSetAside { .. })
    ));
}

#[test]
fn nobody_sets_aside_or_skips_what_touches_their_own_account() {
    let dima = user("dima", Role::Admin);
    assert_eq!(
        target(None).set_aside(&dima, Some(&stop()), None),
        Err(Rejection::OwnAccount)
    );
    assert_eq!(
        target(Some(LetterState::SetAside)).skip(&dima, "gone"),
        Err(Rejection::OwnAccount)
    );
}

#[test]
fn only_accountants_and_admins_decide_about_dead_letters() {
    for role in [Role::Manager, Role::Developer, Role::Worker, Role::Service] {
        let actor = user("mara", role);
        assert!(matches!(
            target(None).set_aside(&actor, Some(&stop()), None),
            Err(Rejection::RoleMayNot { .. })
        ));
        let retried = target(Some(LetterState::SetAside)).retry(&actor, None, "mended");
        assert!(matches!(retried, Err(Rejection::RoleMayNot { .. })));
    }
}
