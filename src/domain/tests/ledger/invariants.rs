//! The invariants of the books, computed from the entries alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::event::{BalanceChanged, DayClosed};
use crate::domain::id::UserId;
use crate::domain::ledger::entry::{Account, EntryKind, posting};
use crate::domain::money::Money;
use crate::domain::tests::ledger::bookkeeper::{Bookkeeper, sum_of};
use crate::domain::time::BusinessDate;

pub(super) fn assert_invariants(keeper: &Bookkeeper) {
    balances_are_sums(keeper);
    postings_balance(keeper);
    management_earns_what_popugs_lose(keeper);
    at_most_one_payout_per_user_and_date(keeper);
    closes_pay_whoever_is_in_the_black(keeper);
    closes_total_their_entries(keeper);
    debts_follow_from_the_date_before(keeper);
    nothing_enters_a_closed_date(keeper);
}

fn users(keeper: &Bookkeeper) -> BTreeSet<UserId> {
    keeper.entries().map(|entry| entry.user_id).collect()
}

fn sum<'a>(keeper: &'a Bookkeeper, wanted: impl Fn(&BalanceChanged) -> bool + 'a) -> Money {
    keeper
        .entries()
        .filter(|entry| wanted(entry))
        .map(|entry| entry.amount)
        .sum()
}

/// I1.
fn balances_are_sums(keeper: &Bookkeeper) {
    let mut running: BTreeMap<UserId, Money> = BTreeMap::new();
    for entry in keeper.entries() {
        let balance = running.entry(entry.user_id).or_default();
        *balance += entry.amount;
        assert_eq!(entry.balance, *balance, "{entry:?}");
    }
    running
        .iter()
        .for_each(|(user, balance)| assert_eq!(keeper.books.balance(*user), *balance));
}

/// Debit less credit of every account, with all popugs in one account.
fn trial_balance(keeper: &Bookkeeper) -> BTreeMap<Account, Money> {
    let mut accounts = BTreeMap::new();
    for entry in keeper.entries() {
        let posting = posting(entry.kind, entry.amount);
        assert!(
            posting.amount.is_positive() && posting.debit != posting.credit,
            "{entry:?}"
        );
        *accounts.entry(posting.debit).or_default() += posting.amount;
        *accounts.entry(posting.credit).or_default() -= posting.amount;
    }
    accounts
}

/// I1: the two sides are equal, and the company owes the sum of the popugs' balances.
fn postings_balance(keeper: &Bookkeeper) {
    let accounts = trial_balance(keeper);
    assert_eq!(accounts.values().copied().sum::<Money>(), Money::ZERO);
    let owed = accounts.get(&Account::Popug).copied().unwrap_or_default();
    assert_eq!(-owed, sum(keeper, |_| true));
}

/// I2, over all dates: closed ones as recorded, open ones from their entries.
fn management_earns_what_popugs_lose(keeper: &Bookkeeper) {
    let accounts = trial_balance(keeper);
    let of = |account| accounts.get(&account).copied().unwrap_or_default();
    let closed: Money = keeper
        .closes
        .iter()
        .map(|closed| closed.management_earned)
        .sum();
    let closed_through = keeper.books.closed_through();
    let open =
        |entry: &BalanceChanged| closed_through.is_none_or(|closed| entry.business_date > closed);
    let open = sum(keeper, |entry| {
        entry.kind != EntryKind::Payout && open(entry)
    });
    assert_eq!(closed - open, -(of(Account::Fees) + of(Account::Rewards)));
}

/// I5.
fn at_most_one_payout_per_user_and_date(keeper: &Bookkeeper) {
    let distinct: BTreeSet<_> = keeper
        .payouts
        .iter()
        .map(|payout| (payout.user_id, payout.business_date))
        .collect();
    assert_eq!(distinct.len(), keeper.payouts.len());
    let ids: BTreeSet<_> = keeper.facts.iter().map(|fact| fact.id).collect();
    assert_eq!(ids.len(), keeper.facts.len(), "no id is derived twice");
}

/// I6.
fn closes_pay_whoever_is_in_the_black(keeper: &Bookkeeper) {
    for date in keeper.closes.iter().map(|closed| closed.business_date) {
        for user in users(keeper) {
            let is_payout = |entry: &BalanceChanged| {
                entry.kind == EntryKind::Payout && entry.business_date == date
            };
            let of_user =
                |entry: &BalanceChanged| entry.user_id == user && entry.business_date <= date;
            let before = sum(keeper, |entry| of_user(entry) && !is_payout(entry));
            let after = sum(keeper, of_user);
            let payout = keeper
                .payouts
                .iter()
                .find(|payout| payout.user_id == user && payout.business_date == date);
            let paid = payout.map_or(Money::ZERO, |payout| payout.amount);
            assert_eq!(
                (paid, after),
                (before.max(Money::ZERO), before.min(Money::ZERO)),
                "{user} on {date}"
            );
            if let Some(payout) = payout {
                assert_eq!(payout.opening + payout.earned, payout.amount);
                assert!(
                    !payout.opening.is_positive(),
                    "what was above zero has been paid"
                );
            }
        }
    }
}

/// I7: a close equals a fresh aggregation.
fn closes_total_their_entries(keeper: &Bookkeeper) {
    for closed in &keeper.closes {
        assert_eq!(
            *closed,
            aggregated(keeper, closed),
            "{}",
            closed.business_date
        );
    }
}

fn aggregated(keeper: &Bookkeeper, closed: &DayClosed) -> DayClosed {
    let date = closed.business_date;
    let entries: Vec<_> = keeper
        .entries()
        .filter(|entry| entry.business_date == date)
        .collect();
    let of = |kind| sum_of(&entries, kind);
    let (fees, rewards, corrections) = (
        of(EntryKind::Fee),
        of(EntryKind::Reward),
        of(EntryKind::Correction),
    );
    let debts: Vec<Money> = debts_at_the_end_of(keeper, date);
    DayClosed {
        business_date: date,
        through_sequence: closed.through_sequence,
        entries: entries.len() as u64,
        late_entries: entries.iter().filter(|entry| entry.late).count() as u64,
        fees,
        rewards,
        corrections,
        management_earned: fees - rewards - corrections,
        payouts_count: entries
            .iter()
            .filter(|entry| entry.kind == EntryKind::Payout)
            .count() as u64,
        payouts_total: of(EntryKind::Payout),
        accounts_negative: debts.len() as u64,
        debt_carried: debts.into_iter().sum(),
        skipped_events: 0,
    }
}

fn debts_at_the_end_of(keeper: &Bookkeeper, date: BusinessDate) -> Vec<Money> {
    let balance = |user| {
        sum(keeper, move |entry| {
            entry.user_id == user && entry.business_date <= date
        })
    };
    users(keeper)
        .into_iter()
        .map(balance)
        .filter(|end| end.is_negative())
        .map(|debt| -debt)
        .collect()
}

/// I7: the identity of the debt.
fn debts_follow_from_the_date_before(keeper: &Bookkeeper) {
    let mut debt = Money::ZERO;
    for closed in &keeper.closes {
        debt += closed.management_earned + closed.payouts_total;
        assert_eq!(closed.debt_carried, debt, "{}", closed.business_date);
    }
}

/// I14.
fn nothing_enters_a_closed_date(keeper: &Bookkeeper) {
    for (entry, closed) in &keeper.posted {
        assert!(
            closed.is_none_or(|closed| entry.business_date > closed),
            "{entry:?} after the close of {closed:?}"
        );
    }
}
