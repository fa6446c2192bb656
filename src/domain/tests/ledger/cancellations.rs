//! Rule T7: what a cancellation takes back.

use std::collections::HashSet;

use crate::domain::ledger::entry::EntryKind;
use crate::domain::money::Money;
use crate::domain::tests::facts::{at, on, user_id};
use crate::domain::tests::ledger::bookkeeper::bookkeeper;
use crate::domain::tests::ledger::corrections::accountant;
use crate::domain::tests::ledger::invariants::assert_invariants;

#[test]
fn a_cancellation_takes_each_fee_back_with_an_entry_of_its_own() {
    let mut keeper = bookkeeper("UTC", "2026-10-20T08:00:00Z");
    let time = at("2026-10-20T09:00:00Z");
    let first = keeper.fee("dima", 12, time);
    let second = keeper.fee("wanda", 12, time);
    let third = keeper.fee("dima", 12, time);
    let back = keeper.cancel(
        &[&first, &second, &third],
        false,
        at("2026-10-20T10:00:00Z"),
    );
    let who: Vec<_> = back.iter().map(|entry| entry.user_id).collect();
    assert_eq!(who, ["dima", "wanda", "dima"].map(user_id));
    let corrected: Vec<_> = back.iter().map(|entry| entry.corrects.unwrap()).collect();
    assert_eq!(corrected, [first.entry_id, second.entry_id, third.entry_id]);
    for entry in &back {
        assert_eq!(
            (entry.kind, entry.amount),
            (EntryKind::Correction, Money::units(12))
        );
        assert_eq!(entry.cause_sequence, back[0].cause_sequence);
        assert_eq!(entry.reason.as_deref(), Some("Not needed."));
    }
    assert_eq!(keeper.balance("dima"), Money::ZERO);
    assert_eq!(keeper.balance("wanda"), Money::ZERO);
    assert_invariants(&keeper);
}

#[test]
fn the_entries_of_one_cancellation_have_ids_of_their_own_and_the_same_when_decided_again() {
    let ids = || {
        let mut keeper = bookkeeper("UTC", "2026-10-20T08:00:00Z");
        let time = at("2026-10-20T09:00:00Z");
        let fees = [keeper.fee("dima", 12, time), keeper.fee("dima", 12, time)];
        let back = keeper.cancel(&[&fees[0], &fees[1]], false, time);
        back.into_iter()
            .map(|entry| entry.entry_id)
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(), ids());
    assert_eq!(ids().into_iter().collect::<HashSet<_>>().len(), 2);
}

#[test]
fn of_a_fee_that_was_corrected_before_only_the_rest_is_taken_back() {
    let mut keeper = bookkeeper("UTC", "2026-10-20T08:00:00Z");
    let time = at("2026-10-20T09:00:00Z");
    let (part, whole) = (keeper.fee("dima", 12, time), keeper.fee("wanda", 12, time));
    let some = Some(Money::units(5));
    keeper
        .correct(&accountant("alexej"), &part, some, time)
        .unwrap();
    keeper
        .correct(&accountant("alexej"), &whole, None, time)
        .unwrap();
    let back = keeper.cancel(&[&part, &whole], false, time);
    let amounts: Vec<_> = back
        .iter()
        .map(|entry| (entry.user_id, entry.amount))
        .collect();
    assert_eq!(amounts, [(user_id("dima"), Money::units(7))]);
    assert_eq!(keeper.cancel(&[&part, &whole], false, time), []);
    assert_invariants(&keeper);
}

#[test]
fn a_cancellation_may_leave_the_fees() {
    let mut keeper = bookkeeper("UTC", "2026-10-20T08:00:00Z");
    let time = at("2026-10-20T09:00:00Z");
    let fee = keeper.fee("dima", 12, time);
    assert_eq!(keeper.cancel(&[&fee], true, time), []);
    assert_eq!(keeper.balance("dima"), Money::units(-12));
}

#[test]
fn a_fee_of_a_closed_date_is_taken_back_on_the_date_of_the_cancellation_or_late() {
    let mut keeper = bookkeeper("UTC", "2026-10-20T08:00:00Z");
    let fee = keeper.fee("dima", 12, at("2026-10-20T09:00:00Z"));
    let other = keeper.fee("dima", 12, at("2026-10-20T09:00:00Z"));
    let next = at("2026-10-21T10:00:00Z");
    keeper.close(next, None);
    let back = keeper.cancel(&[&fee], false, next);
    assert_eq!(
        (back[0].business_date, back[0].late),
        (on("2026-10-21"), false)
    );
    // Cancelled on the 21st, and heard of after its close.
    keeper.close(at("2026-10-22T10:00:00Z"), None);
    let back = keeper.cancel(&[&other], false, next);
    assert_eq!(
        (back[0].business_date, back[0].late),
        (on("2026-10-22"), true)
    );
    assert_invariants(&keeper);
}
