//! I2, I7 and I13: what a close says of its date, and of the company.

use crate::app::verify::history::entries::Day;
use crate::app::verify::history::{History, Minor, minor, money};
use crate::domain::event::{BalanceChanged, DayClosed};
use crate::domain::id::Sequence;
use crate::domain::ledger::entry::EntryKind;
use crate::domain::time::BusinessDate;
use crate::state::Recorded;

/// The accounts of the trial balance, credit positive, and what closes said so far.
#[derive(Default)]
pub(super) struct Totals {
    income: Minor,
    expenses: Minor,
    bank: Minor,
    popugs: Minor,
    /// The debt that the last close stated.
    debt: Minor,
    /// Earned by management on all dates closed so far.
    earned_closed: Minor,
}

impl Totals {
    /// The other side of every entry, by the table of rule A8.
    pub fn post(&mut self, e: &BalanceChanged) {
        let amount = minor(e.amount);
        self.popugs += amount;
        match e.kind {
            EntryKind::Fee => self.income -= amount,
            EntryKind::Reward => self.expenses -= amount,
            EntryKind::Payout => self.bank -= amount,
            // Gives a fee back, or takes a reward back.
            EntryKind::Correction if amount > 0 => self.income -= amount,
            EntryKind::Correction => self.expenses -= amount,
        }
    }
}

impl History {
    pub(super) fn day_closed(&mut self, recorded: &Recorded<'_>, e: &DayClosed) {
        let (at, date) = (recorded.sequence, e.business_date);
        self.check_id(recorded, || format!("day/{date}"));
        if Some(date) != self.first_open_date() {
            return self.violates(
                "I7",
                at,
                format!("{date} is closed out of order, or a second time"),
            );
        }
        self.check_everybody_paid(at, date);
        self.check_totals(recorded, e);
        self.check_nothing_owed(recorded, date);
        self.days.remove(&date);
        self.closed_through = Some(date);
        self.totals.debt = minor(e.debt_carried);
    }

    fn check_totals(&mut self, recorded: &Recorded<'_>, e: &DayClosed) {
        let at = recorded.sequence;
        let day = self.sum_of(e.business_date);
        let earned = day.fees - day.rewards - day.corrections;
        let debts: Vec<Minor> = self
            .carried
            .values()
            .filter(|balance| **balance < 0)
            .map(|balance| -balance)
            .collect();
        let skipped = self.company.as_ref().map_or(0, |company| {
            self.withheld.skipped_on(e.business_date, &company.zone)
        });
        let through = Minor::from(self.batch_first.0) - 1;
        let wrong: Vec<String> = [
            (
                "through_sequence",
                Minor::from(e.through_sequence.0),
                through,
            ),
            ("entries", e.entries.into(), day.entries.into()),
            (
                "late_entries",
                e.late_entries.into(),
                day.late_entries.into(),
            ),
            ("fees", minor(e.fees), day.fees),
            ("rewards", minor(e.rewards), day.rewards),
            ("corrections", minor(e.corrections), day.corrections),
            (
                "payouts_count",
                e.payouts_count.into(),
                day.payouts_count.into(),
            ),
            ("payouts_total", minor(e.payouts_total), day.payouts),
            (
                "accounts_negative",
                e.accounts_negative.into(),
                debts.len() as Minor,
            ),
            ("debt_carried", minor(e.debt_carried), debts.iter().sum()),
            ("skipped_events", e.skipped_events.into(), skipped.into()),
        ]
        .into_iter()
        .filter(|(_, said, is)| said != is)
        .map(|(member, said, is)| format!("{member} is {said}, the events give {is}"))
        .collect();
        let debt = self.totals.debt + minor(e.management_earned) + minor(e.payouts_total);
        let earned_is_right = minor(e.management_earned) == earned;
        if !wrong.is_empty() {
            self.violates("I7", at, wrong.join("; "));
        } else if earned_is_right && recorded.more > 0 {
            self.violates("I7", at, "day.closed is not the last event of its batch");
        } else if earned_is_right && debt != minor(e.debt_carried) {
            let what = format!(
                "the debt carried is {}, debt before + earned + payouts is {}",
                e.debt_carried,
                money(debt)
            );
            self.violates("I7", at, what);
        }
        if !earned_is_right {
            let what = format!(
                "management earned {}, the events give {}",
                e.management_earned,
                money(earned)
            );
            self.violates("I2", at, what);
        }
        self.totals.earned_closed += earned;
    }

    fn sum_of(&self, date: BusinessDate) -> Day {
        let days = self
            .days
            .get(&date)
            .into_iter()
            .flat_map(|day| day.values());
        days.fold(Day::default(), |sum, day| Day {
            fees: sum.fees + day.fees,
            rewards: sum.rewards + day.rewards,
            corrections: sum.corrections + day.corrections,
            payouts: sum.payouts + day.payouts,
            payouts_count: sum.payouts_count + day.payouts_count,
            entries: sum.entries + day.entries,
            late_entries: sum.late_entries + day.late_entries,
        })
    }

    /// I13: whatever happened up to the end of the date has its entries, so that what is paid
    /// does not depend on when the close runs.
    fn check_nothing_owed(&mut self, recorded: &Recorded<'_>, date: BusinessDate) {
        let at = recorded.sequence;
        let Some(zone) = self.company.as_ref().map(|company| company.zone.clone()) else {
            return;
        };
        if recorded.time < zone.end_of(date) {
            self.violates("I13", at, format!("{date} was not over when it was closed"));
        }
        let of_the_date = self
            .owed
            .iter()
            .filter(|(_, cause)| zone.date_of(cause.time) <= date);
        let owed: Vec<Sequence> = of_the_date
            .filter(|(at, cause)| !self.is_withheld(**at, cause))
            .map(|(at, _)| *at)
            .collect();
        if let Some(first) = owed.first() {
            let what = format!(
                "{date} was closed while {} of its events had no entry, first event {first}",
                owed.len()
            );
            self.violates("I13", at, what);
        }
    }

    /// I2 and I1 over all dates: what management earned is the credit balance of income and
    /// expenses together, and all accounts sum to zero.
    pub(super) fn check_trial_balance(&mut self) {
        let Totals {
            income,
            expenses,
            bank,
            popugs,
            earned_closed,
            ..
        } = self.totals;
        let at = Sequence(self.read);
        let open: Minor = self
            .days
            .keys()
            .map(|date| self.sum_of(*date))
            .map(|day| -day.earned())
            .sum();
        if earned_closed + open != income + expenses {
            let what = format!(
                "over all dates management earned {}, income and expenses give {}",
                money(earned_closed + open),
                money(income + expenses)
            );
            self.violates("I2", at, what);
        }
        let of_users: Minor = self.balances.values().sum();
        if of_users != popugs || income + expenses + bank + popugs != 0 {
            self.violates("I1", at, "debits and credits of all accounts differ");
        }
    }
}
