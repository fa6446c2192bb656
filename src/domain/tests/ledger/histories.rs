//! Random histories: the invariants hold after any events, whenever dates are closed.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::domain::event::{DayClosed, PayoutMade};
use crate::domain::id::{Sequence, UserId};
use crate::domain::ledger::books::{Books, UserBalance, UserDay};
use crate::domain::ledger::entry::EntryKind;
use crate::domain::ledger::tally::fingerprint;
use crate::domain::money::Money;
use crate::domain::tests::ledger::bookkeeper::{Bookkeeper, bookkeeper};
use crate::domain::tests::ledger::corrections::accountant;
use crate::domain::tests::ledger::invariants::assert_invariants;
use crate::domain::time::{BusinessDate, EventTime};

/// The possible next events. Popugs and entries are chosen by number.
#[derive(Clone, Debug)]
enum Step {
    Fee {
        popug: usize,
        units: i64,
    },
    Reward {
        popug: usize,
        units: i64,
    },
    /// The retry of an event of up to four days ago that was set aside.
    LateReward {
        popug: usize,
        units: i64,
        hours_ago: i64,
    },
    Correct {
        entry: usize,
        amount: Option<i64>,
    },
    Close,
}

#[derive(Clone, Debug)]
struct History {
    /// A zone and a founding shortly before an irregular change of its clock.
    scene: (&'static str, &'static str),
    /// Each after this number of minutes.
    steps: Vec<(i64, Step)>,
}

const SCENES: [(&str, &str); 6] = [
    ("UTC", "2026-10-20T08:00:00Z"),
    ("Europe/Moscow", "2026-12-30T20:59:59.999999Z"),
    ("America/New_York", "2026-10-31T23:00:00Z"),
    ("America/St_Johns", "2010-11-07T02:30:30Z"),
    ("Pacific/Apia", "2011-12-28T20:00:00Z"),
    ("America/Asuncion", "2024-03-23T12:00:00Z"),
];

const POPUGS: [&str; 4] = ["dima", "wanda", "petr", "vera"];

fn steps(step: impl Strategy<Value = Step>) -> impl Strategy<Value = History> {
    let steps = proptest::collection::vec((0..2_000_i64, step), 1..30);
    (proptest::sample::select(&SCENES[..]), steps)
        .prop_map(|(scene, steps)| History { scene, steps })
}

fn punctual() -> impl Strategy<Value = Step> {
    let popug = || 0..POPUGS.len();
    prop_oneof![
        4 => (popug(), 10..=20_i64).prop_map(|(popug, units)| Step::Fee { popug, units }),
        4 => (popug(), 20..=40_i64).prop_map(|(popug, units)| Step::Reward { popug, units }),
        2 => (0..30_usize, proptest::option::of(-1..4_000_i64))
            .prop_map(|(entry, amount)| Step::Correct { entry, amount }),
    ]
}

fn anything() -> impl Strategy<Value = Step> {
    let late = (0..POPUGS.len(), 20..=40_i64, 0..96_i64).prop_map(|(popug, units, hours_ago)| {
        Step::LateReward {
            popug,
            units,
            hours_ago,
        }
    });
    prop_oneof![5 => punctual(), 1 => late, 2 => Just(Step::Close)]
}

fn minutes_later(time: EventTime, minutes: i64) -> EventTime {
    EventTime::from_micros(time.micros() + minutes * 60_000_000).unwrap()
}

impl History {
    fn begin(&self) -> (Bookkeeper, EventTime) {
        (
            bookkeeper(self.scene.0, self.scene.1),
            self.scene.1.parse().unwrap(),
        )
    }
}

fn play(keeper: &mut Bookkeeper, step: &Step, now: EventTime) {
    match *step {
        Step::Fee { popug, units } => {
            keeper.fee(POPUGS[popug], units, now);
        }
        Step::Reward { popug, units } => {
            keeper.reward(POPUGS[popug], units, now);
        }
        Step::LateReward {
            popug,
            units,
            hours_ago,
        } => {
            keeper.reward(POPUGS[popug], units, minutes_later(now, -60 * hours_ago));
        }
        Step::Correct { entry, amount } => correct(keeper, entry, amount, now),
        Step::Close => {
            keeper.close(now, None);
        }
    }
}

/// Corrects the fee or reward with that number, if there is one; it may be refused.
fn correct(keeper: &mut Bookkeeper, number: usize, amount: Option<i64>, now: EventTime) {
    let correctable = |kind| matches!(kind, EntryKind::Fee | EntryKind::Reward);
    let entry = keeper
        .entries()
        .filter(|entry| correctable(entry.kind))
        .nth(number)
        .cloned();
    if let Some(entry) = entry {
        let _ = keeper.correct(
            &accountant("alexej"),
            &entry,
            amount.map(Money::from_minor),
            now,
        );
    }
}

/// The books as a consumer would load them from its tables.
fn resumed(keeper: &Bookkeeper, stored: &BTreeMap<(BusinessDate, UserId), UserDay>) -> Books {
    let closed_through = keeper.books.closed_through();
    let is_open = |date: BusinessDate| closed_through.is_none_or(|closed| date > closed);
    let mut balances: BTreeMap<UserId, UserBalance> = BTreeMap::new();
    for entry in keeper.entries() {
        let balance = balances.entry(entry.user_id).or_default();
        balance.balance += entry.amount;
        if !is_open(entry.business_date) {
            balance.carried += entry.amount;
        }
    }
    let open = stored
        .iter()
        .filter(|((date, _), _)| is_open(*date))
        .map(|((date, user), day)| (*date, *user, *day));
    Books::resume(keeper.books.company.clone(), closed_through, balances, open)
}

fn aggregated(keeper: &Bookkeeper) -> BTreeMap<(BusinessDate, UserId), UserDay> {
    let mut days: BTreeMap<_, UserDay> = BTreeMap::new();
    for entry in keeper.entries() {
        let day = days
            .entry((entry.business_date, entry.user_id))
            .or_default();
        match entry.kind {
            EntryKind::Fee => day.fees -= entry.amount,
            EntryKind::Reward => day.rewards += entry.amount,
            EntryKind::Correction => day.corrections += entry.amount,
            EntryKind::Payout => day.payout -= entry.amount,
        }
        day.entries += 1;
        day.late_entries += u64::from(entry.late);
        day.digest = day.digest.wrapping_add(fingerprint(entry));
    }
    days
}

/// The payouts and closes of a run, at any time.
fn outcome(keeper: &Bookkeeper) -> (BTreeMap<(BusinessDate, UserId), PayoutMade>, Vec<DayClosed>) {
    let payouts = keeper
        .payouts
        .iter()
        .map(|payout| ((payout.business_date, payout.user_id), payout.clone()));
    let closes = keeper.closes.iter().map(|day| DayClosed {
        through_sequence: Sequence::ZERO,
        ..day.clone()
    });
    (payouts.collect(), closes.collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_invariants_hold_after_every_step(history in steps(anything())) {
        let (mut keeper, mut now) = history.begin();
        for (minutes, step) in &history.steps {
            now = minutes_later(now, *minutes);
            play(&mut keeper, step, now);
            assert_invariants(&keeper);
        }
        keeper.close(minutes_later(now, 10_000), None);
        assert_invariants(&keeper);
    }

    /// I13: a run that closes each date at once and one that closes all of them weeks later pay the
    /// same.
    #[test]
    fn the_payouts_of_a_close_do_not_depend_on_when_it_runs(history in steps(punctual())) {
        let (mut at_once, mut now) = history.begin();
        let mut sometime = at_once.clone();
        for (number, (minutes, step)) in history.steps.iter().enumerate() {
            now = minutes_later(now, *minutes);
            at_once.close(now, None);
            if number % 7 == 6 {
                sometime.close(now, None);
            }
            // The choice of the corrected entry must not depend on payouts.
            play(&mut at_once, step, now);
            play(&mut sometime, step, now);
        }
        let weeks_later = minutes_later(now, 30_000);
        at_once.close(weeks_later, None);
        sometime.close(weeks_later, None);
        assert_invariants(&at_once);
        assert_invariants(&sometime);
        prop_assert_eq!(outcome(&at_once), outcome(&sometime));
    }

    /// Stopping after any step and continuing from stored tables gives the same as never stopping.
    #[test]
    fn resumed_books_go_on_as_if_never_stopped(history in steps(anything()), stop in 0..30_usize) {
        let (mut keeper, mut now) = history.begin();
        let mut stopped = keeper.clone();
        let mut stored = BTreeMap::new();
        for (number, (minutes, step)) in history.steps.iter().enumerate() {
            now = minutes_later(now, *minutes);
            play(&mut keeper, step, now);
            play(&mut stopped, step, now);
            stored.extend(stopped.books.take_changed().into_iter().map(|(date, user, day)| ((date, user), day)));
            if number == stop {
                stopped.books = resumed(&stopped, &stored);
            }
        }
        let later = minutes_later(now, 10_000);
        keeper.close(later, None);
        stopped.close(later, None);
        prop_assert_eq!(&keeper.facts, &stopped.facts);
    }

    #[test]
    fn the_rows_that_changed_are_all_rows_there_are(history in steps(anything()), every in 1..6_usize) {
        let (mut keeper, mut now) = history.begin();
        let mut stored = BTreeMap::new();
        let mut store = |keeper: &mut Bookkeeper| {
            stored.extend(keeper.books.take_changed().into_iter().map(|(date, user, day)| ((date, user), day)));
        };
        for (number, (minutes, step)) in history.steps.iter().enumerate() {
            now = minutes_later(now, *minutes);
            play(&mut keeper, step, now);
            if number % every == 0 {
                store(&mut keeper);
            }
        }
        store(&mut keeper);
        prop_assert_eq!(stored, aggregated(&keeper));
        prop_assert_eq!(keeper.books.take_changed(), vec![]);
    }
}
