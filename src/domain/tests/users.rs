//! Rules U1 to U3.

use crate::domain::event::{
    UserChanged, UserDeactivated, UserReactivated, UserRegistered, UserRoleChanged,
};
use crate::domain::id::UserId;
use crate::domain::rejection::Rejection;
use crate::domain::role::{Right, Role};
use crate::domain::tests::facts::{joined, left, user_id};
use crate::domain::tests::scenario::{Command, World, given};
use crate::domain::user::{Change, Register};

fn company() -> World {
    given([
        joined("anna", Role::Admin),
        joined("dima", Role::Developer),
        joined("cron", Role::Service),
    ])
}

fn register(login: &str, role: &str) -> Register {
    Register {
        login: login.into(),
        full_name: " Vera V. ".into(),
        email: "vera@popug.example".into(),
        role: role.into(),
    }
}

#[test]
fn an_admin_registers_users_of_every_role() {
    for role in Role::ALL {
        let mut world = company();
        let events = world
            .when("anna", Command::Register(register("vera", role.name())))
            .unwrap();
        let vera = world.user("vera");
        let (full_name, email) = ("Vera V.".into(), "vera@popug.example".into());
        assert_eq!(
            events,
            [UserRegistered {
                user_id: vera.id,
                login: "vera".into(),
                full_name,
                email,
                role
            }
            .into()]
        );
        assert!(vera.active && vera.role == role);
    }
}

#[test]
fn any_other_role_is_rejected_with_a_suggestion() {
    let refused = company().when("anna", Command::Register(register("vera", "manger")));
    assert_eq!(
        refused,
        Err(Rejection::UnknownRole {
            text: "manger".into(),
            suggestion: Role::Manager
        })
    );
    let refused = company().when("anna", Command::SetRole("dima", "bookkeeper"));
    assert_eq!(
        refused,
        Err(Rejection::UnknownRole {
            text: "bookkeeper".into(),
            suggestion: Role::Accountant
        })
    );
}

#[test]
fn a_login_is_unique_among_the_active_and_those_who_left() {
    let mut world = given([
        joined("anna", Role::Admin),
        joined("dima", Role::Developer),
        left("dima"),
    ]);
    let refused = world.when("anna", Command::Register(register("dima", "worker")));
    assert_eq!(
        refused,
        Err(Rejection::LoginTaken {
            login: "dima".into()
        })
    );
}

#[test]
fn a_registration_is_refused_for_the_role_then_the_login_taken_then_the_text() {
    let taken_and_wrong = || Command::Register(register("anna", "nonsense"));
    let refused = company().when("dima", taken_and_wrong());
    assert!(
        matches!(
            refused,
            Err(Rejection::RoleMayNot {
                right: Right::Administer,
                ..
            })
        ),
        "{refused:?}"
    );
    let refused = company().when("anna", taken_and_wrong());
    assert!(
        matches!(refused, Err(Rejection::LoginTaken { .. })),
        "{refused:?}"
    );
    let refused = company().when("anna", Command::Register(register("Not A Login", "worker")));
    assert_eq!(
        refused,
        Err(Rejection::BadLogin {
            login: "Not A Login".into()
        })
    );
}

#[test]
fn a_change_records_only_what_is_another() {
    let change = |name: &str, email: &str| Change {
        full_name: Some(name.into()),
        email: Some(email.into()),
    };
    let mut world = company();
    let events = world
        .when(
            "anna",
            Command::Change("dima", change("Dmitri", "dima@popug.example")),
        )
        .unwrap();
    let changed = UserChanged {
        user_id: user_id("dima"),
        full_name: Some("Dmitri".into()),
        email: None,
    };
    assert_eq!(events, [changed.into()]);
    assert_eq!(
        (
            world.user("dima").full_name.as_str(),
            world.user("anna").full_name.as_str()
        ),
        ("Dmitri", "anna")
    );
    let again = world.when(
        "anna",
        Command::Change("dima", change(" Dmitri ", "dima@popug.example")),
    );
    assert_eq!(again, Ok(vec![]));
}

#[test]
fn a_role_is_changed_once() {
    let mut world = company();
    let events = world
        .when("anna", Command::SetRole("dima", "manager"))
        .unwrap();
    let changed = UserRoleChanged {
        user_id: user_id("dima"),
        old_role: Role::Developer,
        new_role: Role::Manager,
    };
    assert_eq!(events, [changed.into()]);
    assert!(!world.user("dima").is_eligible());
    assert_eq!(
        world.when("anna", Command::SetRole("dima", "manager")),
        Ok(vec![])
    );
}

#[test]
fn a_service_user_is_never_drawn() {
    let mut world = company();
    assert_eq!(world.eligible(), [user_id("dima")]);
    world
        .when("anna", Command::Deactivate("dima", false))
        .unwrap();
    assert_eq!(world.eligible(), [] as [UserId; 0]);
}

#[test]
fn nobody_becomes_or_ceases_to_be_a_service_user() {
    for (login, role) in [
        ("cron", "worker"),
        ("cron", "admin"),
        ("dima", "service"),
        ("anna", "service"),
    ] {
        let refused = company().when("anna", Command::SetRole(login, role));
        assert_eq!(
            refused,
            Err(Rejection::ServiceRoleFixed {
                login: login.into()
            }),
            "{login} {role}"
        );
    }
    assert_eq!(
        company().when("anna", Command::SetRole("cron", "service")),
        Ok(vec![])
    );
}

#[test]
fn the_last_active_admin_can_be_neither_demoted_nor_deactivated() {
    let last = Err(Rejection::LastAdmin {
        login: "anna".into(),
    });
    assert_eq!(
        company().when("anna", Command::SetRole("anna", "worker")),
        last
    );
    assert_eq!(
        company().when("anna", Command::Deactivate("anna", false)),
        last
    );
    assert_eq!(
        company().when("anna", Command::SetRole("anna", "admin")),
        Ok(vec![])
    );
}

#[test]
fn an_admin_who_left_does_not_count_as_an_active_one() {
    let mut world = given([
        joined("anna", Role::Admin),
        joined("boris", Role::Admin),
        left("boris"),
    ]);
    let last = Err(Rejection::LastAdmin {
        login: "anna".into(),
    });
    assert_eq!(world.when("anna", Command::SetRole("anna", "worker")), last);
    assert!(
        world
            .when("anna", Command::SetRole("boris", "worker"))
            .is_ok(),
        "who left can be demoted"
    );
}

#[test]
fn one_of_two_admins_can_go() {
    let mut world = given([joined("anna", Role::Admin), joined("boris", Role::Admin)]);
    let gone = UserDeactivated {
        user_id: user_id("boris"),
        reason: Some("for a reason".into()),
    };
    assert_eq!(
        world.when("anna", Command::Deactivate("boris", false)),
        Ok(vec![gone.into()])
    );
    let last = Err(Rejection::LastAdmin {
        login: "anna".into(),
    });
    assert_eq!(world.when("anna", Command::Deactivate("anna", false)), last);
}

#[test]
fn leaving_and_coming_back_happen_once_each() {
    let mut world = company();
    assert_eq!(world.when("anna", Command::Reactivate("dima")), Ok(vec![]));
    assert_eq!(
        world
            .when("anna", Command::Deactivate("dima", false))
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        world.when("anna", Command::Deactivate("dima", false)),
        Ok(vec![])
    );
    let back = UserReactivated {
        user_id: user_id("dima"),
        reason: Some("for a reason".into()),
    };
    assert_eq!(
        world.when("anna", Command::Reactivate("dima")),
        Ok(vec![back.into()])
    );
    assert!(world.user("dima").is_eligible());
}

#[test]
fn who_left_may_do_nothing() {
    let mut world = given([
        joined("anna", Role::Admin),
        joined("dima", Role::Developer),
        left("dima"),
    ]);
    for command in [
        Command::Reactivate("dima"),
        Command::Complete(&[]),
        Command::Reshuffle,
    ] {
        assert_eq!(
            world.when("dima", command),
            Err(Rejection::ActorDeactivated {
                login: "dima".into()
            })
        );
    }
}
