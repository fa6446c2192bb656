//! The fold of entries into balances.
//!
//! In memory are the balances of all users and the dates that are still open. Closed dates are
//! final, so the size of the fold does not grow with the length of the log.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::company::Company;
use crate::domain::event::{BalanceChanged, DayClosed};
use crate::domain::id::UserId;
use crate::domain::ledger::entry::EntryKind;
use crate::domain::ledger::tally::fingerprint;
use crate::domain::money::Money;
use crate::domain::time::{BusinessDate, EventTime};

/// One user's entries of one date.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct UserDay {
    /// Charged, as a positive sum.
    pub fees: Money,
    /// Credited, as a positive sum.
    pub rewards: Money,
    /// Signed from the popug's side.
    pub corrections: Money,
    /// Paid, as a positive sum.
    pub payout: Money,
    pub entries: u64,
    pub late_entries: u64,
    /// The sum of the fingerprints of the entries, modulo 2^64.
    pub digest: u64,
}

impl UserDay {
    fn add(&mut self, entry: &BalanceChanged) {
        match entry.kind {
            EntryKind::Fee => self.fees -= entry.amount,
            EntryKind::Reward => self.rewards += entry.amount,
            EntryKind::Correction => self.corrections += entry.amount,
            EntryKind::Payout => self.payout -= entry.amount,
        }
        self.entries += 1;
        self.late_entries += u64::from(entry.late);
        self.digest = self.digest.wrapping_add(fingerprint(entry));
    }

    /// Fees, rewards and corrections together, signed from the user's side.
    pub fn earned(&self) -> Money {
        self.rewards - self.fees + self.corrections
    }

    /// The change of the balance on this date.
    pub fn change(&self) -> Money {
        self.earned() - self.payout
    }
}

/// The balance of a user, now and at the end of the last closed date.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct UserBalance {
    /// The sum of all entries, which is the `balance` of the last one in posting order.
    pub balance: Money,
    /// The balance at the end of the last closed date.
    pub carried: Money,
}

#[derive(Clone, Debug)]
pub struct Books {
    pub company: Company,
    pub(super) closed_through: Option<BusinessDate>,
    pub(super) balances: BTreeMap<UserId, UserBalance>,
    pub(super) open_days: BTreeMap<BusinessDate, HashMap<UserId, UserDay>>,
    changed: BTreeSet<(BusinessDate, UserId)>,
    /// Changed rows of dates that were closed before the rows were taken.
    changed_then_closed: Vec<(BusinessDate, UserId, UserDay)>,
}

impl Books {
    pub fn new(company: Company) -> Books {
        Books {
            company,
            closed_through: None,
            balances: BTreeMap::new(),
            open_days: BTreeMap::new(),
            changed: BTreeSet::new(),
            changed_then_closed: Vec::new(),
        }
    }

    /// Books as a consumer stored them: balances of all users, days after `closed_through` only.
    pub fn resume(
        company: Company,
        closed_through: Option<BusinessDate>,
        balances: impl IntoIterator<Item = (UserId, UserBalance)>,
        open_days: impl IntoIterator<Item = (BusinessDate, UserId, UserDay)>,
    ) -> Books {
        let mut books = Books::new(company);
        books.closed_through = closed_through;
        books.balances.extend(balances);
        for (date, user, day) in open_days {
            books.open_days.entry(date).or_default().insert(user, day);
        }
        books
    }

    /// Whether entries of `date` may be posted: no entry is dated into a closed date.
    pub fn is_open(&self, date: BusinessDate) -> bool {
        self.closed_through.is_none_or(|closed| date > closed)
    }

    /// Posts an entry.
    ///
    /// # Panics
    /// If its date is closed.
    pub fn post(&mut self, entry: &BalanceChanged) {
        let date = entry.business_date;
        assert!(
            self.is_open(date),
            "an entry is dated {date}, which is closed"
        );
        let day = self.open_days.entry(entry.business_date).or_default();
        day.entry(entry.user_id).or_default().add(entry);
        self.balances.entry(entry.user_id).or_default().balance += entry.amount;
        self.changed.insert((entry.business_date, entry.user_id));
    }

    /// Applies a close: the date's change becomes part of the carried balance.
    pub fn close(&mut self, closed: &DayClosed) {
        let date = closed.business_date;
        for (user, day) in self.open_days.remove(&date).unwrap_or_default() {
            self.balances.entry(user).or_default().carried += day.change();
            if self.changed.remove(&(date, user)) {
                self.changed_then_closed.push((date, user, day));
            }
        }
        self.closed_through = Some(date);
    }

    pub fn closed_through(&self) -> Option<BusinessDate> {
        self.closed_through
    }

    /// The first date that is not closed, without dates that the zone skips.
    pub fn first_open_date(&self) -> BusinessDate {
        self.company.first_open_date(self.closed_through)
    }

    /// Rule A6: the business date of an entry whose cause happened at `moment`, and whether the
    /// entry is late. If a clock is turned back over midnight just after the founding, it can show
    /// a date before the first one. That date is never closed, so its entries get the first date.
    pub fn business_date(&self, moment: EventTime) -> (BusinessDate, bool) {
        let own = self.company.zone.date_of(moment);
        match self.closed_through {
            Some(closed) if own <= closed => (self.first_open_date(), true),
            _ => (own.max(self.company.first_date), false),
        }
    }

    /// The user's current balance, in posting order.
    pub fn balance(&self, user: UserId) -> Money {
        self.balances
            .get(&user)
            .map_or(Money::ZERO, |user| user.balance)
    }

    /// Takes the rows that changed since the last call, each in its present state, for a consumer
    /// to store; also those of dates that were closed since.
    pub fn take_changed(&mut self) -> Vec<(BusinessDate, UserId, UserDay)> {
        let mut rows = std::mem::take(&mut self.changed_then_closed);
        for (date, user) in std::mem::take(&mut self.changed) {
            rows.push((date, user, self.open_days[&date][&user]));
        }
        rows
    }
}
