//! Rules A1, A2 and A6: prices, fees, rewards, and the dates of entries.

use uuid::Uuid;

use crate::domain::event::{Event, TaskCreated, TaskPriced};
use crate::domain::id::{EntryId, EventId, Sequence};
use crate::domain::ledger::entry::EntryKind;
use crate::domain::ledger::reaction::{Cause, TaskAccount};
use crate::domain::money::Money;
use crate::domain::pricing::{Price, PriceRange};
use crate::domain::tests::facts::{assigned, at, completed, created, on, user_id};
use crate::domain::tests::ledger::bookkeeper::bookkeeper;
use crate::domain::tests::ledger::invariants::assert_invariants;

fn created_task() -> TaskCreated {
    let Event::TaskCreated(created) = created(1) else {
        unreachable!("created() makes a creation")
    };
    created
}

fn cause(number: u64) -> Cause {
    let id = EventId::from_uuid(Uuid::from_u128(number.into()));
    Cause {
        sequence: Sequence(number),
        id,
        time: at("2026-10-20T09:00:00Z"),
    }
}

#[test]
fn a_created_task_gets_the_same_price_whoever_asks_and_whenever() {
    let keeper = bookkeeper("UTC", "2026-10-20T08:00:00Z");
    let mut later = bookkeeper("UTC", "2026-10-20T08:00:00Z");
    later.fee("dima", 12, at("2026-10-20T09:00:00Z"));
    let (price, fact) = keeper.books.price_task(cause(5), &created_task());
    assert_eq!(
        (price, fact.clone()),
        later.books.price_task(cause(5), &created_task())
    );
    let priced = TaskPriced {
        task_id: created_task().task_id,
        fee: price.fee,
        reward: price.reward,
    };
    assert_eq!(
        (fact.event, fact.causation),
        (priced.into(), Some(cause(5).id))
    );
    let range = PriceRange::STANDARD;
    assert!((range.fee_min..=range.fee_max).contains(&price.fee));
    assert!((range.reward_min..=range.reward_max).contains(&price.reward));
}

#[test]
fn an_assignment_charges_the_new_assignee_and_refunds_nobody() {
    let mut keeper = bookkeeper("UTC", "2026-10-20T08:00:00Z");
    keeper.fee("dima", 12, at("2026-10-20T09:00:00Z"));
    let entry = keeper.fee("wanda", 12, at("2026-10-20T10:00:00Z"));
    assert_eq!(
        (keeper.balance("dima"), keeper.balance("wanda")),
        (Money::units(-12), Money::units(-12))
    );
    assert_eq!(
        (entry.kind, entry.amount, entry.user_id),
        (EntryKind::Fee, Money::units(-12), user_id("wanda"))
    );
    assert_eq!(
        (entry.cause_sequence, entry.assignment_no),
        (Some(Sequence(2)), Some(1))
    );
    assert_invariants(&keeper);
}

#[test]
fn a_completion_credits_the_reward_to_the_person_it_names() {
    let mut keeper = bookkeeper("UTC", "2026-10-20T08:00:00Z");
    keeper.fee("dima", 12, at("2026-10-20T09:00:00Z"));
    let (entry, settled) = keeper.reward("wanda", 30, at("2026-10-20T10:00:00Z"));
    assert_eq!(
        (keeper.balance("dima"), keeper.balance("wanda")),
        (Money::units(-12), Money::units(30))
    );
    assert_eq!(
        (entry.kind, entry.amount),
        (EntryKind::Reward, Money::units(30))
    );
    assert_eq!(
        (settled.completed_by, settled.reward),
        (user_id("wanda"), Money::units(30))
    );
    assert_eq!(
        (settled.completed_on, settled.completed_sequence),
        (on("2026-10-20"), Sequence(2))
    );
    assert_invariants(&keeper);
}

#[test]
fn the_fees_of_all_assignments_of_a_task_are_added_up() {
    let mut keeper = bookkeeper("UTC", "2026-10-20T08:00:00Z");
    let price = Price {
        fee: Money::units(12),
        reward: Money::units(30),
    };
    let mut task = TaskAccount::created(&created_task(), price);
    let Event::TaskAssigned(assigned) = assigned(1, "dima") else {
        unreachable!()
    };
    keeper.books.charge_fee(cause(1), &assigned, &mut task);
    keeper.books.charge_fee(cause(2), &assigned, &mut task);
    assert_eq!(task.fees_charged, Money::units(24));
    let Event::TaskCompleted(completed) = completed(1, "dima") else {
        unreachable!()
    };
    let [_, settled] = keeper.books.credit_reward(cause(3), &completed, &task);
    let Event::TaskSettled(settled) = settled.event else {
        panic!("the settlement comes second")
    };
    assert_eq!(
        (settled.fee, settled.fees_charged),
        (Money::units(12), Money::units(24))
    );
}

#[test]
fn facts_that_follow_from_an_event_have_an_id_derived_from_it() {
    let mut keeper = bookkeeper("UTC", "2026-10-20T08:00:00Z");
    let entry = keeper.fee("dima", 12, at("2026-10-20T09:00:00Z"));
    let company = keeper.books.company.id;
    let cause = keeper.facts[0].causation.unwrap();
    let id = company.derive(&format!("balance.changed/{cause}"));
    assert_eq!(
        (keeper.facts[0].id, entry.entry_id),
        (EventId::from_uuid(id), EntryId::from_uuid(id))
    );
}

#[test]
fn an_entry_is_dated_by_the_local_date_of_its_cause() {
    let mut keeper = bookkeeper("Europe/Moscow", "2026-10-20T08:00:00Z");
    let before = keeper.fee("dima", 12, at("2026-10-20T20:59:59.999999Z"));
    let after = keeper.fee("dima", 12, at("2026-10-20T21:00:00Z"));
    assert_eq!(
        (before.business_date, after.business_date),
        (on("2026-10-20"), on("2026-10-21"))
    );
    assert!(!before.late && !after.late);
}

#[test]
fn an_entry_of_a_closed_date_goes_to_the_first_open_one_and_is_late() {
    let mut keeper = bookkeeper("UTC", "2026-10-20T08:00:00Z");
    keeper.close(at("2026-10-22T00:00:00Z"), None);
    let cause = at("2026-10-20T23:00:00Z");
    let (entry, settled) = keeper.reward("dima", 30, cause);
    assert_eq!(
        (entry.business_date, entry.late, entry.occurred_at),
        (on("2026-10-22"), true, cause)
    );
    assert_eq!(
        settled.completed_on,
        on("2026-10-20"),
        "the completion keeps its own date"
    );
    let own = keeper.fee("dima", 12, at("2026-10-22T08:00:00Z"));
    assert_eq!((own.business_date, own.late), (on("2026-10-22"), false));
    let closed = keeper.close(at("2026-10-23T00:00:00Z"), None);
    assert_eq!((closed[0].entries, closed[0].late_entries), (3, 1));
    assert_eq!(keeper.paid("dima"), [(on("2026-10-22"), Money::units(18))]);
    assert_invariants(&keeper);
}

/// St John's, 2010-11-07 00:01: the clock goes back to 23:01 of the 6th.
#[test]
fn a_date_before_the_first_one_hands_its_entries_to_the_first_one() {
    let mut keeper = bookkeeper("America/St_Johns", "2010-11-07T02:30:30Z");
    assert_eq!(keeper.books.company.first_date, on("2010-11-07"));
    let (entry, _) = keeper.reward("dima", 30, at("2010-11-07T02:40:00Z"));
    assert_eq!((entry.business_date, entry.late), (on("2010-11-07"), false));
    keeper.close(at("2010-11-08T12:00:00Z"), None);
    assert_eq!(keeper.paid("dima"), [(on("2010-11-07"), Money::units(30))]);
    assert_invariants(&keeper);
}
