//! Rules A3, A4, A5 and A10: closing dates.

use crate::domain::event::Event;
use crate::domain::id::{EntryId, EventId, PayoutId, Sequence};
use crate::domain::ledger::close::Closing;
use crate::domain::money::Money;
use crate::domain::rejection::Rejection;
use crate::domain::tests::facts::{at, on, user_id};
use crate::domain::tests::ledger::bookkeeper::{Bookkeeper, bookkeeper, zone};
use crate::domain::tests::ledger::corrections::accountant;
use crate::domain::tests::ledger::invariants::assert_invariants;
use crate::domain::time::EventTime;

fn founded_on_the_20th() -> Bookkeeper {
    bookkeeper("UTC", "2026-10-20T08:00:00Z")
}

fn dates(keeper: &Bookkeeper) -> Vec<String> {
    keeper
        .closes
        .iter()
        .map(|closed| closed.business_date.to_string())
        .collect()
}

#[test]
fn management_earns_fees_less_rewards_and_payouts_play_no_part() {
    let mut keeper = founded_on_the_20th();
    keeper.fee("dima", 12, at("2026-10-20T09:00:00Z"));
    keeper.fee("wanda", 15, at("2026-10-20T09:00:00Z"));
    keeper.reward("dima", 35, at("2026-10-20T10:00:00Z"));
    let closed = &keeper.close(at("2026-10-21T00:00:00Z"), None)[0];
    assert_eq!(closed.management_earned, Money::units(12 + 15 - 35));
    assert_eq!(
        (closed.payouts_total, closed.debt_carried),
        (Money::units(23), Money::units(15))
    );
    assert_invariants(&keeper);
}

#[test]
fn nobody_at_or_below_zero_gets_an_entry() {
    let mut keeper = founded_on_the_20th();
    keeper.fee("debtor", 12, at("2026-10-20T09:00:00Z"));
    keeper.fee("even", 20, at("2026-10-20T09:00:00Z"));
    keeper.reward("even", 20, at("2026-10-20T10:00:00Z"));
    let entries = keeper.posted.len();
    keeper.close(at("2026-10-21T00:00:00Z"), None);
    assert_eq!((keeper.posted.len(), keeper.payouts.len()), (entries, 0));
    assert_invariants(&keeper);
}

#[test]
fn the_smallest_amount_above_zero_is_paid() {
    let mut keeper = founded_on_the_20th();
    let (reward, _) = keeper.reward("dima", 20, at("2026-10-20T09:00:00Z"));
    let anna = accountant("anna");
    keeper
        .correct(
            &anna,
            &reward,
            Some(Money::from_minor(19_99)),
            at("2026-10-20T10:00:00Z"),
        )
        .unwrap();
    keeper.close(at("2026-10-21T00:00:00Z"), None);
    assert_eq!(
        keeper.paid("dima"),
        [(on("2026-10-20"), Money::from_minor(1))]
    );
}

#[test]
fn the_first_business_date_is_the_local_date_of_the_founding() {
    let mut keeper = bookkeeper("Asia/Tokyo", "2026-10-20T15:00:00Z");
    assert_eq!(keeper.books.first_open_date(), on("2026-10-21"));
    keeper.close(at("2026-10-21T15:00:00Z"), None);
    assert_eq!(dates(&keeper), ["2026-10-21"]);
}

#[test]
fn every_date_is_closed_in_order_and_empty_ones_with_zeros() {
    let mut keeper = founded_on_the_20th();
    let closed = keeper.close(at("2026-10-23T00:00:00Z"), None);
    assert_eq!(dates(&keeper), ["2026-10-20", "2026-10-21", "2026-10-22"]);
    assert!(
        closed
            .iter()
            .all(|day| day.entries == 0 && day.management_earned == Money::ZERO)
    );
    assert_eq!(
        keeper.close(at("2026-10-23T00:00:00Z"), None),
        [],
        "again: nothing is left to close"
    );
}

#[test]
fn a_date_is_closed_up_to_and_including_the_one_asked_for() {
    let mut keeper = founded_on_the_20th();
    keeper.close(at("2026-10-25T00:00:00Z"), Some(on("2026-10-21")));
    assert_eq!(dates(&keeper), ["2026-10-20", "2026-10-21"]);
}

#[test]
fn a_date_that_is_not_over_is_refused() {
    let keeper = founded_on_the_20th();
    let ends = at("2026-10-21T00:00:00Z");
    let refused = keeper
        .books
        .closable(on("2026-10-20"), at("2026-10-20T23:59:59.999999Z"));
    assert_eq!(
        refused,
        Err(Rejection::DateNotOver {
            date: on("2026-10-20"),
            ends
        })
    );
    assert_eq!(keeper.books.closable(on("2026-10-20"), ends), Ok(true));
    let far = keeper.books.closable(on("9999-12-31"), ends);
    assert!(matches!(far, Err(Rejection::DateNotOver { .. })), "{far:?}");
}

#[test]
fn a_closed_date_is_no_longer_to_be_closed() {
    let mut keeper = founded_on_the_20th();
    keeper.close(at("2026-10-22T00:00:00Z"), None);
    assert_eq!(
        keeper
            .books
            .closable(on("2026-10-20"), at("2026-10-22T00:00:00Z")),
        Ok(false)
    );
    assert_eq!(
        keeper
            .books
            .closable(on("2026-10-21"), at("2026-10-22T00:00:00Z")),
        Ok(false)
    );
}

#[test]
fn a_date_before_the_founding_is_refused() {
    let (date, founded) = (on("2026-10-19"), on("2026-10-20"));
    let refused = founded_on_the_20th()
        .books
        .closable(date, at("2026-10-25T00:00:00Z"));
    assert_eq!(
        refused,
        Err(Rejection::DateBeforeFounding { date, founded })
    );
}

/// Samoa went from 2011-12-29 to 2011-12-31 at midnight.
#[test]
fn a_date_that_the_zone_skips_is_not_closed() {
    let mut keeper = bookkeeper("Pacific/Apia", "2011-12-29T10:00:00Z");
    assert_eq!(keeper.books.company.first_date, on("2011-12-29"));
    keeper.reward("dima", 30, at("2011-12-30T09:59:59Z"));
    let first_of_the_31st = keeper.reward("dima", 20, at("2011-12-30T10:00:00Z")).0;
    assert_eq!(first_of_the_31st.business_date, on("2011-12-31"));
    keeper.close(at("2011-12-30T10:00:00Z"), Some(on("2011-12-30")));
    assert_eq!(dates(&keeper), ["2011-12-29"]);
    assert_eq!(keeper.books.first_open_date(), on("2011-12-31"));
    let late = keeper.fee("dima", 10, at("2011-12-30T09:00:00Z"));
    assert_eq!((late.business_date, late.late), (on("2011-12-31"), true));
    keeper.close(at("2012-01-01T10:00:00Z"), None);
    assert_eq!(dates(&keeper), ["2011-12-29", "2011-12-31", "2012-01-01"]);
    assert_eq!(
        keeper.paid("dima"),
        [
            (on("2011-12-29"), Money::units(30)),
            (on("2011-12-31"), Money::units(10))
        ]
    );
    assert_invariants(&keeper);
}

#[test]
fn dates_of_23_and_25_hours_are_closed_when_they_are_over() {
    for (first, hours) in [("2026-03-08", 23), ("2026-11-01", 25), ("2026-11-02", 24)] {
        let new_york = zone("America/New_York");
        let start = new_york.end_of(on(first).previous());
        let mut keeper = bookkeeper("America/New_York", &start.to_string());
        let ends = new_york.end_of(on(first));
        assert_eq!(start.micros_until(ends), hours * 3_600_000_000, "{first}");
        keeper.reward(
            "dima",
            20,
            EventTime::from_micros(ends.micros() - 1).unwrap(),
        );
        keeper.reward("dima", 30, ends);
        keeper.close(ends, None);
        assert_eq!(keeper.paid("dima"), [(on(first), Money::units(20))]);
        assert_invariants(&keeper);
    }
}

/// Paraguay, 2024-03-24 00:00: the clock went back to 23:00 of the 23rd.
#[test]
fn a_date_whose_last_hour_repeats_is_paid_after_the_second_pass() {
    let mut keeper = bookkeeper("America/Asuncion", "2024-03-23T12:00:00Z");
    keeper.reward("dima", 20, at("2024-03-24T02:59:00Z"));
    assert_eq!(
        keeper.close(at("2024-03-24T03:30:00Z"), None),
        [],
        "23:30 for the second time"
    );
    keeper.reward("dima", 30, at("2024-03-24T03:59:00Z"));
    keeper.close(at("2024-03-24T04:00:00Z"), None);
    assert_eq!(keeper.paid("dima"), [(on("2024-03-23"), Money::units(50))]);
    assert_invariants(&keeper);
}

#[test]
fn all_payouts_and_the_close_are_one_batch_with_the_close_last() {
    let mut keeper = founded_on_the_20th();
    keeper.reward("dima", 20, at("2026-10-20T09:00:00Z"));
    keeper.reward("wanda", 30, at("2026-10-20T09:00:00Z"));
    let closing = Closing {
        at: at("2026-10-21T00:05:00Z"),
        through_sequence: Sequence(9),
        skipped_events: 2,
    };
    let (facts, _) = keeper.books.decide_close(&closing);
    let names: Vec<_> = facts
        .iter()
        .map(|fact| fact.event.kind().type_name())
        .collect();
    let pay = ["payout.made.v1", "balance.changed.v1"];
    assert_eq!(names, [&pay[..], &pay, &["day.closed.v1"]].concat());
    let Event::DayClosed(closed) = &facts[4].event else {
        panic!("the close comes last")
    };
    assert_eq!(
        (
            closed.through_sequence,
            closed.skipped_events,
            closed.payouts_count
        ),
        (Sequence(9), 2, 2)
    );
}

#[test]
fn ids_of_a_close_are_derived_so_that_paying_twice_is_impossible() {
    let mut keeper = founded_on_the_20th();
    keeper.reward("dima", 20, at("2026-10-20T09:00:00Z"));
    let mut again = keeper.clone();
    keeper.close(at("2026-10-21T00:00:00Z"), None);
    again.close(at("2026-10-29T00:00:00Z"), Some(on("2026-10-20")));
    let ids = |keeper: &Bookkeeper| keeper.facts.iter().map(|fact| fact.id).collect::<Vec<_>>();
    assert_eq!(ids(&keeper), ids(&again));

    let company = keeper.books.company.id;
    let payout = &keeper.payouts[0];
    let payout_id = company.derive(&format!("payout/{}/2026-10-20", user_id("dima")));
    let entry_id = company.derive(&format!("balance.changed/{payout_id}"));
    assert_eq!(
        (payout.payout_id, payout.entry_id),
        (PayoutId::from_uuid(payout_id), EntryId::from_uuid(entry_id))
    );
    let [.., paid, entry, closed] = &keeper.facts[..] else {
        panic!("three facts of a close")
    };
    assert_eq!(
        paid.id,
        EventId::from_uuid(company.derive(&format!("payout.made/{payout_id}")))
    );
    assert_eq!(
        (entry.id, entry.causation),
        (EventId::from_uuid(entry_id), Some(paid.id))
    );
    assert_eq!(
        closed.id,
        EventId::from_uuid(company.derive("day/2026-10-20"))
    );
}
