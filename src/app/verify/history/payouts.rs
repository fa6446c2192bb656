//! I5 and I6: who is paid how much for a closed date.

use crate::app::verify::history::{History, Minor, minor, money};
use crate::domain::event::{BalanceChanged, PayoutMade};
use crate::domain::id::{EventId, PayoutId, Sequence, UserId};
use crate::domain::time::{BusinessDate, EventTime};
use crate::state::Recorded;

/// A payout whose entry follows.
pub(super) struct Paying {
    id: EventId,
    payout_id: PayoutId,
    user: UserId,
    amount: Minor,
    date: BusinessDate,
}

impl History {
    pub(super) fn payout_made(&mut self, recorded: &Recorded<'_>, e: &PayoutMade) {
        let at = recorded.sequence;
        if !self.paid.insert((e.user_id, e.business_date)) {
            let what = format!(
                "the user {} is paid twice for {}",
                e.user_id, e.business_date
            );
            self.violates("I5", at, what);
        } else if Some(e.business_date) == self.first_open_date() {
            self.check_payout(at, e);
        }
        self.check_id(recorded, || format!("payout.made/{}", e.payout_id));
        self.check_payout_id(at, e);
        self.mail_owed(recorded, e);
        let id = recorded.id;
        let paying = Paying {
            id,
            payout_id: e.payout_id,
            user: e.user_id,
            amount: minor(e.amount),
            date: e.business_date,
        };
        self.paying.insert(e.entry_id, paying);
    }

    fn check_payout_id(&mut self, at: Sequence, e: &PayoutMade) {
        let Some(company) = &self.company else { return };
        let name = format!("payout/{}/{}", e.user_id, e.business_date);
        let entry = format!("balance.changed/{}", e.payout_id);
        if company.id.derive(&name) != e.payout_id.uuid()
            || company.id.derive(&entry) != e.entry_id.uuid()
        {
            self.violates(
                "I9",
                at,
                "the payout's ids are not derived from user and date",
            );
        }
    }

    /// I6, as the payout tells it: opening + earned = amount, and both are what the entries say.
    fn check_payout(&mut self, at: Sequence, e: &PayoutMade) {
        let opening = self.carried.get(&e.user_id).copied().unwrap_or_default();
        let day = self
            .days
            .get(&e.business_date)
            .and_then(|day| day.get(&e.user_id))
            .copied()
            .unwrap_or_default();
        let due = (opening, day.earned(), opening + day.earned());
        if due != (minor(e.opening), minor(e.earned), minor(e.amount)) || due.2 <= 0 {
            let what = format!(
                "{} + {} = {} is paid; the entries give {} + {} = {}",
                e.opening,
                e.earned,
                e.amount,
                money(due.0),
                money(due.1),
                money(due.2)
            );
            self.violates("I6", at, what);
        }
    }

    /// The entry of a payout repeats it. The time by which it is dated: none, the payout says when.
    pub(super) fn payout_posted(
        &mut self,
        recorded: &Recorded<'_>,
        e: &BalanceChanged,
    ) -> Option<EventTime> {
        let paying = self.paying.remove(&e.entry_id);
        if let Some(paying) = &paying {
            self.check_cause(recorded, paying.id);
        }
        let repeats = paying.is_some_and(|paying| {
            (
                Some(paying.payout_id),
                paying.user,
                -paying.amount,
                paying.date,
            ) == (e.payout_id, e.user_id, minor(e.amount), e.business_date)
        });
        if !repeats {
            self.violates("I6", recorded.sequence, "the entry repeats no payout");
        }
        None
    }

    /// I6 at a close: max(0, balance before) is paid, and min(0, balance before) is left.
    pub(super) fn check_everybody_paid(&mut self, at: Sequence, date: BusinessDate) {
        let day = self.days.get(&date);
        let of_day = day.into_iter().flat_map(|day| day.keys());
        let mut users: Vec<UserId> = self.carried.keys().chain(of_day).copied().collect();
        users.sort_unstable();
        users.dedup();
        let mut wrong = Vec::new();
        for user in users {
            let day = self
                .days
                .get(&date)
                .and_then(|day| day.get(&user))
                .copied()
                .unwrap_or_default();
            let before = self.carried.get(&user).copied().unwrap_or_default() + day.earned();
            if day.payouts != before.max(0) {
                let (before, paid) = (money(before), money(day.payouts));
                wrong.push(format!(
                    "the balance of {user} at the end of {date} is {before}, {paid} is paid"
                ));
            }
            self.carried.insert(user, before - day.payouts);
        }
        self.carried.retain(|_, balance| *balance != 0);
        if !self.paying.is_empty() {
            self.paying.clear();
            wrong.push("a payout has no entry".to_owned());
        }
        for what in wrong {
            self.violates("I6", at, what);
        }
    }
}
