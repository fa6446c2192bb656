//! Every refusal has a text for users, a hint, a stable code and its place in the order of
//! precedence. The tests of each rule check when it refuses; here is one sample of each refusal, so
//! that none stays untested.

use std::fmt::Write as _;

use crate::domain::clock;
use crate::domain::company::{self, FoundCompany};
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::domain::ledger::entry::EntryKind;
use crate::domain::money::Money;
use crate::domain::rejection::{Rejection, RejectionClass};
use crate::domain::role::{Right, Role};
use crate::domain::tests::dice::PinnedDice;
use crate::domain::tests::facts::{at, now, on};
use crate::domain::text::{self, Title};

fn founding(time_zone: &str, currency: &str) -> Rejection {
    let found = FoundCompany {
        name: "UberPopug".into(),
        time_zone: time_zone.into(),
        currency: currency.into(),
        admin_login: "anna".into(),
        admin_name: "Anna".into(),
        admin_email: "anna@popug.example".into(),
        test_clock: false,
    };
    found.decide(now(), &mut PinnedDice::new(1)).unwrap_err()
}

/// One of each in the order of their declaration; those that depend only on the arguments of a
/// rule's function are made by that function.
fn one_of_each() -> Vec<Rejection> {
    let title = |text: &str, jira_id| Title::from_input(text, jira_id).unwrap_err();
    let login = || "dima".to_owned();
    vec![
        Rejection::UnknownUser {
            name: "nobody".into(),
        },
        Rejection::UnknownTask {
            name: "T-99".into(),
        },
        Rejection::UnknownEntry { name: "99".into() },
        Rejection::UnknownEvent {
            sequence: Sequence(99),
        },
        Rejection::ActorDeactivated { login: login() },
        Rejection::RoleMayNot {
            login: login(),
            role: Role::Accountant,
            right: Right::Reshuffle,
        },
        Rejection::NotTheAssignee {
            number: 12,
            assignee: "wanda".into(),
        },
        Rejection::AlreadyCharged { number: 12 },
        Rejection::OwnAccount,
        Rejection::KeyReused {
            key: "k\u{1b}1".into(),
            first_sequence: Sequence(42),
        },
        Rejection::LoginTaken { login: login() },
        Rejection::ServiceRoleFixed {
            login: "cron".into(),
        },
        Rejection::LastAdmin {
            login: "anna".into(),
        },
        Rejection::AlreadyCompleted { number: 12 },
        Rejection::AlreadyCancelled { number: 12 },
        Rejection::CanBeDrawn { login: login() },
        Rejection::NobodyEligible,
        Rejection::DateBeforeFounding {
            date: on("2026-10-19"),
            founded: on("2026-10-20"),
        },
        Rejection::DateNotOver {
            date: on("2026-11-22"),
            ends: at("2026-11-23T00:00:00Z"),
        },
        Rejection::DateBlocked {
            date: on("2026-11-20"),
            sequence: Sequence(42),
        },
        Rejection::NotStopped {
            consumer: Consumer::Analytics,
            sequence: Sequence(42),
            at: None,
        },
        Rejection::NotSetAside {
            consumer: Consumer::Accounting,
            sequence: Sequence(42),
        },
        Rejection::StillUnreadable {
            sequence: Sequence(42),
            reason: "it has the type task.completed.v9".into(),
        },
        Rejection::BooksAreNotSkipped {
            consumer: Consumer::Analytics,
            sequence: Sequence(42),
        },
        Rejection::BooksIncomplete {
            sequence: Sequence(42),
        },
        Rejection::NotCorrectable {
            kind: EntryKind::Payout,
        },
        Rejection::CorrectionTooLarge {
            asked: Money::units(12),
            remaining: Money::units(7),
        },
        Rejection::CorrectedInFull,
        clock::stamp(now(), Some(at("2026-11-22T11:00:00Z"))).unwrap_err(),
        crate::domain::user::parse_role("develper").unwrap_err(),
        text::check_login("Not A Login").unwrap_err(),
        text::check_email("nowhere").unwrap_err(),
        title("UP-7 - Fix it", Some("UP-8")),
        title("Fix it", Some("up-7")),
        title(" ", None),
        text::check_description(Some(&"x".repeat(70_000))).unwrap_err(),
        title("Fix\nit", None),
        title("[urgent] Fix it", None),
        Rejection::NotPositive {
            amount: Money::ZERO,
        },
        Rejection::BadAmount {
            text: "5.005".into(),
        },
        company::check_founded(at("2026-11-23T12:00:00Z"), now()).unwrap_err(),
        company::check_founded(at("1999-12-31T23:59:59Z"), now()).unwrap_err(),
        founding("Mars/Olympus", "EUR"),
        founding("UTC", "JPY"),
        Rejection::ReservedKey {
            key: "close/2026-11-22".into(),
        },
        Rejection::TokenInKey,
    ]
}

/// The names of the variants as they are declared, as codes.
fn declared() -> Vec<String> {
    let source = include_str!("../rejection.rs");
    let (_, declaration) = source
        .split_once("pub enum Rejection {\n")
        .expect("the declaration");
    let (variants, _) = declaration.split_once("\n}").expect("its end");
    let names = variants
        .lines()
        .filter_map(|line| line.strip_prefix("    "));
    let names = names.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
    names
        .map(|line| snake_case(line.split([' ', ',']).next().expect("a name")))
        .collect()
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

#[test]
fn every_declared_rejection_is_here_in_its_place_under_its_code() {
    let codes: Vec<_> = one_of_each().iter().map(Rejection::code).collect();
    assert_eq!(codes, declared());
}

#[test]
fn rejections_are_declared_in_order_of_their_class() {
    let place = |class| match class {
        RejectionClass::NotFound => 0,
        RejectionClass::NotAllowed => 1,
        RejectionClass::Conflict => 2,
        RejectionClass::Invalid => 3,
    };
    assert!(
        one_of_each()
            .iter()
            .map(|rejection| place(rejection.class()))
            .is_sorted()
    );
}

#[test]
fn every_rejection_says_what_is_wrong_and_what_to_do() {
    let mut told = String::new();
    for rejection in one_of_each() {
        let hint = rejection.hint().expect("a hint");
        writeln!(
            told,
            "{} ({:?})\n  {rejection}\n  {hint}",
            rejection.code(),
            rejection.class()
        )
        .unwrap();
    }
    assert!(!told.replace('\n', "").contains(char::is_control));
    insta::assert_snapshot!(told);
}

#[test]
fn a_clock_that_ran_ahead_names_an_event_to_go_back_to_only_behind_the_founding() {
    let hint = |before_jump| {
        let last = at("2026-11-22T11:00:00Z");
        Rejection::ClockBehind {
            now: now(),
            last,
            before_jump: Sequence(before_jump),
        }
        .hint()
        .expect("a hint")
    };
    for founding in [0, 1, 2] {
        let told = hint(founding);
        assert!(
            told.contains("wait until 2026-11-22T11:00:00") && !told.contains("--to-sequence"),
            "{told}"
        );
    }
    assert!(hint(3).contains("--to-sequence 3"), "{}", hint(3));
}

#[test]
fn currencies_have_two_minor_digits() {
    for currency in ["JPY", "KWD", "AAA", "eur", "EURO", "", "EUR USD", "XXX"] {
        assert_eq!(
            founding("UTC", currency),
            Rejection::BadCurrency {
                currency: currency.into()
            }
        );
    }
}

#[test]
fn a_time_zone_is_refused_before_the_currency_as_the_command_names_them() {
    assert_eq!(
        founding("Mars/Olympus", "JPY"),
        Rejection::BadTimeZone {
            name: "Mars/Olympus".into()
        }
    );
}
