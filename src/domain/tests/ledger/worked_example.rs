//! The worked example of the requirements, with its exact figures: V, P and W in UTC.

use crate::domain::money::Money;
use crate::domain::tests::facts::{at, on, user_id};
use crate::domain::tests::ledger::bookkeeper::{Bookkeeper, bookkeeper};
use crate::domain::tests::ledger::invariants::assert_invariants;

const fn units(units: i64) -> Money {
    Money::units(units)
}

/// A fee if the amount is negative, otherwise a reward.
fn post(keeper: &mut Bookkeeper, login: &str, amount: i64, time: &str) {
    if amount < 0 {
        keeper.fee(login, -amount, at(time));
    } else {
        keeper.reward(login, amount, at(time));
    }
    assert_invariants(keeper);
}

#[test]
fn v_is_paid_for_the_20th_although_their_balance_is_negative_when_it_is_closed() {
    let mut keeper = bookkeeper("UTC", "2026-10-20T08:00:00Z");
    for (amount, time, balance) in [
        (-12, "2026-10-20T09:00:00Z", -12),
        (25, "2026-10-20T17:00:00Z", 13),
        (-15, "2026-10-21T00:02:00Z", -2),
        (-10, "2026-10-21T00:02:00Z", -12),
    ] {
        post(&mut keeper, "v", amount, time);
        assert_eq!(keeper.balance("v"), units(balance));
    }
    let closed = keeper.close(at("2026-10-21T00:05:00Z"), None);
    assert_invariants(&keeper);

    assert_eq!(keeper.paid("v"), [(on("2026-10-20"), units(13))]);
    let payout = &keeper.payouts[0];
    assert_eq!((payout.opening, payout.earned), (units(0), units(13)));
    assert_eq!(keeper.end_of(on("2026-10-20"), "v"), units(0));
    assert_eq!(keeper.balance("v"), units(-25));
    let entry = keeper.last_entry();
    assert_eq!(
        (entry.amount, entry.balance, entry.business_date),
        (units(-13), units(-25), on("2026-10-20"))
    );
    let [closed] = &closed[..] else {
        panic!("one date is over: {closed:?}")
    };
    assert_eq!(
        (closed.fees, closed.rewards, closed.management_earned),
        (units(12), units(25), units(-13))
    );
    assert_eq!(
        (closed.payouts_count, closed.payouts_total, closed.entries),
        (1, units(13), 3)
    );
    assert_eq!(
        (closed.accounts_negative, closed.debt_carried),
        (0, units(0)),
        "the 21st plays no part"
    );
}

#[test]
fn p_carries_18_over_midnight_and_is_paid_12_for_the_21st() {
    let mut keeper = bookkeeper("UTC", "2026-10-20T08:00:00Z");
    post(&mut keeper, "p", -18, "2026-10-20T09:00:00Z");
    post(&mut keeper, "p", 30, "2026-10-21T00:01:00Z");

    let closed = keeper.close(at("2026-10-21T00:05:00Z"), None);
    assert_eq!(
        keeper.paid("p"),
        [],
        "the balance is positive now, but was not at the end of the 20th"
    );
    assert_eq!(
        (closed[0].accounts_negative, closed[0].debt_carried),
        (1, units(18))
    );
    assert_eq!(keeper.balance("p"), units(12));

    let closed = keeper.close(at("2026-10-22T00:00:00Z"), None);
    assert_invariants(&keeper);
    assert_eq!(keeper.paid("p"), [(on("2026-10-21"), units(12))]);
    assert_eq!(
        (keeper.payouts[0].opening, keeper.payouts[0].earned),
        (units(-18), units(30))
    );
    assert_eq!(
        (closed[0].accounts_negative, closed[0].debt_carried),
        (0, units(0))
    );
    assert_eq!(keeper.balance("p"), units(0));
}

#[test]
fn w_is_paid_for_the_18th_by_one_close_on_the_21st() {
    let mut keeper = bookkeeper("UTC", "2026-10-18T08:00:00Z");
    for (amount, time) in [
        (-11, "2026-10-18T09:00:00Z"),
        (38, "2026-10-18T12:00:00Z"),
        (-20, "2026-10-19T09:00:00Z"),
        (-14, "2026-10-19T12:00:00Z"),
        (22, "2026-10-20T09:00:00Z"),
        (-13, "2026-10-21T09:00:00Z"),
    ] {
        post(&mut keeper, "w", amount, time);
    }
    let closed = keeper.close(at("2026-10-21T10:00:00Z"), None);
    assert_invariants(&keeper);

    let dates: Vec<_> = closed
        .iter()
        .map(|closed| closed.business_date.to_string())
        .collect();
    assert_eq!(dates, ["2026-10-18", "2026-10-19", "2026-10-20"]);
    assert_eq!(keeper.paid("w"), [(on("2026-10-18"), units(27))]);
    assert_eq!(
        closed
            .iter()
            .map(|closed| closed.debt_carried)
            .collect::<Vec<_>>(),
        [units(0), units(34), units(12)]
    );
    for (date, end) in [
        ("2026-10-18", 0),
        ("2026-10-19", -34),
        ("2026-10-20", -12),
        ("2026-10-21", -25),
    ] {
        assert_eq!(keeper.end_of(on(date), "w"), units(end), "{date}");
    }
    assert_eq!(keeper.balance("w"), units(-25));
}

/// Closing a second or a week after midnight pays the same.
#[test]
fn all_three_are_paid_the_same_whenever_the_closes_run() {
    let play = |closes: &[&str]| {
        let mut keeper = bookkeeper("UTC", "2026-10-20T08:00:00Z");
        post(&mut keeper, "v", -12, "2026-10-20T09:00:00Z");
        post(&mut keeper, "v", 25, "2026-10-20T09:30:00Z");
        post(&mut keeper, "p", -18, "2026-10-20T10:00:00Z");
        let mut late = vec![
            ("p", 30, "2026-10-21T00:01:00Z"),
            ("v", -25, "2026-10-21T00:02:00Z"),
        ];
        for now in closes {
            late.retain(|(login, amount, time)| {
                let happened = at(time) <= at(now);
                if happened {
                    post(&mut keeper, login, *amount, time);
                }
                !happened
            });
            keeper.close(at(now), None);
        }
        let mut payouts = keeper.payouts.clone();
        payouts.sort_by_key(|payout| payout.payout_id);
        (
            payouts,
            ["v", "p"].map(|login| keeper.books.balance(user_id(login))),
        )
    };
    let at_once = play(&["2026-10-21T00:00:00Z", "2026-10-22T00:00:00Z"]);
    assert_eq!(
        at_once,
        play(&["2026-10-21T00:05:00Z", "2026-10-22T12:00:00Z"])
    );
    assert_eq!(at_once, play(&["2026-10-22T00:00:00Z"]));
}
