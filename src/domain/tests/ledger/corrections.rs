//! Rules A7 and A10: corrections.

use crate::domain::event::BalanceChanged;
use crate::domain::ledger::correct::Correct;
use crate::domain::ledger::entry::EntryKind;
use crate::domain::money::Money;
use crate::domain::rejection::Rejection;
use crate::domain::role::{Right, Role};
use crate::domain::tests::facts::{at, on, user_id};
use crate::domain::tests::ledger::bookkeeper::{Bookkeeper, bookkeeper};
use crate::domain::tests::ledger::invariants::assert_invariants;
use crate::domain::time::EventTime;
use crate::domain::user::User;

pub(super) fn accountant(login: &str) -> User {
    user(login, Role::Accountant)
}

fn user(login: &str, role: Role) -> User {
    let email = format!("{login}@popug.example");
    User {
        id: user_id(login),
        login: login.into(),
        full_name: login.into(),
        email,
        role,
        active: true,
    }
}

fn noon() -> EventTime {
    at("2026-10-20T12:00:00Z")
}

/// `dima` was charged 12.
fn charged() -> (Bookkeeper, BalanceChanged) {
    let mut keeper = bookkeeper("UTC", "2026-10-20T08:00:00Z");
    let fee = keeper.fee("dima", 12, at("2026-10-20T09:00:00Z"));
    (keeper, fee)
}

#[test]
fn a_fee_is_given_back_wholly_with_a_reason() {
    let (mut keeper, fee) = charged();
    let correction = keeper
        .correct(&accountant("alexej"), &fee, None, noon())
        .unwrap();
    assert_eq!(
        (correction.kind, correction.amount),
        (EntryKind::Correction, Money::units(12))
    );
    assert_eq!(
        (correction.balance, correction.user_id),
        (Money::ZERO, user_id("dima"))
    );
    assert_eq!(
        (correction.corrects, correction.task_id),
        (Some(fee.entry_id), fee.task_id)
    );
    assert_eq!(correction.reason.as_deref(), Some("Charged by mistake."));
    assert_invariants(&keeper);
}

#[test]
fn a_reward_is_taken_back_in_part() {
    let mut keeper = bookkeeper("UTC", "2026-10-20T08:00:00Z");
    let (reward, _) = keeper.reward("dima", 30, at("2026-10-20T09:00:00Z"));
    let part = Some("7.50".parse().unwrap());
    let correction = keeper
        .correct(&accountant("alexej"), &reward, part, noon())
        .unwrap();
    assert_eq!(correction.amount, Money::from_minor(-7_50));
    assert_eq!(keeper.balance("dima"), Money::from_minor(22_50));
    assert_invariants(&keeper);
}

#[test]
fn corrections_of_an_entry_are_in_total_at_most_the_entry() {
    let (mut keeper, fee) = charged();
    let alexej = accountant("alexej");
    keeper
        .correct(&alexej, &fee, Some(Money::units(5)), noon())
        .unwrap();
    let (asked, remaining) = (Money::from_minor(7_01), Money::units(7));
    let refused = keeper.correct(&alexej, &fee, Some(asked), noon());
    assert_eq!(
        refused,
        Err(Rejection::CorrectionTooLarge { asked, remaining })
    );
    let rest = keeper.correct(&alexej, &fee, None, noon()).unwrap();
    assert_eq!(
        rest.amount,
        Money::units(7),
        "without an amount: whatever is left"
    );
    let refused = keeper.correct(&alexej, &fee, None, noon()).unwrap_err();
    assert_eq!(refused, Rejection::CorrectedInFull);
    assert_invariants(&keeper);
}

#[test]
fn an_amount_of_zero_or_less_is_refused() {
    let (mut keeper, fee) = charged();
    for amount in [Money::ZERO, Money::units(-1)] {
        let refused = keeper.correct(&accountant("alexej"), &fee, Some(amount), noon());
        assert_eq!(refused, Err(Rejection::NotPositive { amount }));
    }
}

#[test]
fn payouts_and_corrections_cannot_be_corrected() {
    let (mut keeper, fee) = charged();
    let correction = keeper
        .correct(&accountant("alexej"), &fee, None, noon())
        .unwrap();
    keeper.reward("dima", 30, noon());
    keeper.close(at("2026-10-21T00:00:00Z"), None);
    let payout = keeper.last_entry();
    for (entry, kind) in [
        (correction, EntryKind::Correction),
        (payout, EntryKind::Payout),
    ] {
        assert_eq!(entry.kind, kind);
        let refused = keeper.correct(
            &accountant("alexej"),
            &entry,
            None,
            at("2026-10-21T09:00:00Z"),
        );
        assert_eq!(refused, Err(Rejection::NotCorrectable { kind }));
    }
}

#[test]
fn only_accountants_and_admins_correct() {
    for role in Role::ALL {
        let (mut keeper, fee) = charged();
        let decision = keeper.correct(&user("alexej", role), &fee, None, noon());
        let may = matches!(role, Role::Accountant | Role::Admin);
        assert_eq!(decision.is_ok(), may, "{role}");
        assert!(
            may || matches!(
                decision,
                Err(Rejection::RoleMayNot {
                    right: Right::Correct,
                    ..
                })
            )
        );
    }
}

#[test]
fn nobody_corrects_what_touches_their_own_account() {
    let (mut keeper, fee) = charged();
    for role in [Role::Accountant, Role::Admin] {
        assert_eq!(
            keeper.correct(&user("dima", role), &fee, None, noon()),
            Err(Rejection::OwnAccount)
        );
    }
}

#[test]
fn a_correction_is_refused_for_the_role_then_the_account_then_the_state_then_the_text() {
    let (mut keeper, fee) = charged();
    let decide = |actor: &User, keeper: &Bookkeeper, amount: i64| {
        let correct = Correct {
            amount: Some(Money::units(amount)),
            reason: " ".into(),
        };
        correct
            .decide(
                actor,
                &keeper.original(&fee),
                &keeper.books,
                fee.entry_id,
                noon(),
            )
            .unwrap_err()
    };
    assert!(matches!(
        decide(&user("dima", Role::Worker), &keeper, 99),
        Rejection::RoleMayNot { .. }
    ));
    assert_eq!(
        decide(&accountant("dima"), &keeper, 99),
        Rejection::OwnAccount
    );
    assert!(matches!(
        decide(&accountant("alexej"), &keeper, 99),
        Rejection::CorrectionTooLarge { .. }
    ));
    assert_eq!(
        decide(&accountant("alexej"), &keeper, 1),
        Rejection::Empty { what: "reason" }
    );
    keeper
        .correct(&accountant("alexej"), &fee, None, noon())
        .unwrap();
    assert_eq!(
        decide(&accountant("alexej"), &keeper, 1),
        Rejection::CorrectedInFull
    );
}

#[test]
fn a_correction_of_a_closed_date_is_dated_when_it_is_made() {
    let mut keeper = bookkeeper("UTC", "2026-10-20T08:00:00Z");
    let (reward, _) = keeper.reward("dima", 30, at("2026-10-20T09:00:00Z"));
    keeper.close(at("2026-10-21T00:00:00Z"), None);
    let correction = keeper
        .correct(
            &accountant("alexej"),
            &reward,
            None,
            at("2026-10-22T09:00:00Z"),
        )
        .unwrap();
    assert_eq!(
        (correction.business_date, correction.late),
        (on("2026-10-22"), false)
    );
    let closed = keeper.close(at("2026-10-23T00:00:00Z"), None);
    assert_eq!(
        keeper.paid("dima"),
        [(on("2026-10-20"), Money::units(30))],
        "the money has left"
    );
    let day = closed.last().unwrap();
    assert_eq!(
        (day.corrections, day.management_earned),
        (Money::units(-30), Money::units(30))
    );
    assert_eq!(day.debt_carried, Money::units(30));
    assert_invariants(&keeper);
}

#[test]
fn a_corrected_fee_is_paid_out_at_the_end_of_the_date_of_its_correction() {
    let (mut keeper, fee) = charged();
    keeper.close(at("2026-10-21T00:00:00Z"), None);
    keeper.reward("dima", 20, at("2026-10-21T09:00:00Z"));
    keeper
        .correct(
            &accountant("alexej"),
            &fee,
            None,
            at("2026-10-21T10:00:00Z"),
        )
        .unwrap();
    keeper.close(at("2026-10-22T00:00:00Z"), None);
    assert_eq!(keeper.paid("dima"), [(on("2026-10-21"), Money::units(20))]);
    let payout = &keeper.payouts[0];
    assert_eq!(
        (payout.opening, payout.earned),
        (Money::units(-12), Money::units(32))
    );
    assert_invariants(&keeper);
}
