//! Rules A4, A5 and A10: closing a date pays every user with a positive balance at its end.

use uuid::Uuid;

use crate::domain::event::{BalanceChanged, DayClosed, Fact, PayoutMade};
use crate::domain::id::{EntryId, EventId, PayoutId, Sequence, UserId};
use crate::domain::ledger::books::{Books, UserDay};
use crate::domain::ledger::entry::EntryKind;
use crate::domain::ledger::reaction::derived_id;
use crate::domain::money::Money;
use crate::domain::rejection::Rejection;
use crate::domain::time::{BusinessDate, EventTime};

/// The inputs of a close.
#[derive(Clone, Copy, Debug)]
pub struct Closing {
    /// The time of the close's batch.
    pub at: EventTime,
    /// The last sequence before the batch.
    pub through_sequence: Sequence,
    /// Events of the date that an admin skipped.
    pub skipped_events: u64,
}

impl Books {
    /// Whether `date` can be closed at `now`. `Ok(false)` if it is already closed.
    ///
    /// # Errors
    /// [`Rejection::DateBeforeFounding`], [`Rejection::DateNotOver`]
    pub fn closable(&self, date: BusinessDate, now: EventTime) -> Result<bool, Rejection> {
        if date < self.company.first_date {
            return Err(Rejection::DateBeforeFounding {
                date,
                founded: self.company.first_date,
            });
        }
        if self.closed_through.is_some_and(|closed| date <= closed) {
            return Ok(false);
        }
        let ends = self.company.zone.end_of(date);
        if now < ends {
            Err(Rejection::DateNotOver { date, ends })
        } else {
            Ok(true)
        }
    }

    /// The first open date if it is over at `now` and not after `last`.
    pub fn next_to_close(
        &self,
        now: EventTime,
        last: Option<BusinessDate>,
    ) -> Option<BusinessDate> {
        let date = self.first_open_date();
        let wanted = last.is_none_or(|last| date <= last);
        (wanted && now >= self.company.zone.end_of(date)).then_some(date)
    }

    /// Closes the first open date: a payout for every user with a positive balance at its end, in
    /// the order of ids, then `day.closed`, which is also returned alone. The facts are posted to
    /// these books.
    pub fn decide_close(&mut self, closing: &Closing) -> (Vec<Fact>, DayClosed) {
        let date = self.first_open_date();
        let mut facts = Vec::new();
        for user in self.due(date) {
            let paid = self.payout(user, date);
            let paid_id = EventId::from_uuid(self.payout_event_id(paid.payout_id));
            let entry = self.payout_entry(&paid, closing.at);
            facts.push(Fact {
                id: paid_id,
                causation: None,
                event: paid.into(),
            });
            facts.push(self.posted(entry, paid_id));
        }
        let closed = self.totals(date, closing);
        self.close(&closed);
        facts.push(Fact {
            id: self.close_event_id(date),
            causation: None,
            event: closed.clone().into(),
        });
        (facts, closed)
    }

    /// The id of the event that closes `date`.
    pub fn close_event_id(&self, date: BusinessDate) -> EventId {
        EventId::from_uuid(self.company.id.derive(&format!("day/{date}")))
    }

    /// The id of the event that makes a payout.
    pub fn payout_event_id(&self, payout: PayoutId) -> Uuid {
        derived_id(self.company.id, "payout.made", payout)
    }

    /// Every user's balance before `date` and the user's entries of it.
    pub fn balances_on(
        &self,
        date: BusinessDate,
    ) -> impl Iterator<Item = (UserId, Money, UserDay)> {
        self.balances.keys().map(move |user| {
            let (opening, day) = self.balance_on(*user, date);
            (*user, opening, day)
        })
    }

    /// The user's balance before `date`, which is the first open one, and the user's entries of it.
    fn balance_on(&self, user: UserId, date: BusinessDate) -> (Money, UserDay) {
        let balance = self.balances.get(&user).copied().unwrap_or_default();
        let day = self.open_days.get(&date).and_then(|day| day.get(&user));
        (balance.carried, day.copied().unwrap_or_default())
    }

    /// The users with a positive balance at the end of `date`.
    fn due(&self, date: BusinessDate) -> Vec<UserId> {
        self.balances_on(date)
            .filter(|(_, opening, day)| (*opening + day.change()).is_positive())
            .map(|(user, ..)| user)
            .collect()
    }

    /// The debts of users with a negative balance at the end of `date`, as positive amounts.
    fn debts(&self, date: BusinessDate) -> Vec<Money> {
        let ends = self
            .balances_on(date)
            .map(|(_, opening, day)| opening + day.change());
        ends.filter(|end| end.is_negative())
            .map(|end| -end)
            .collect()
    }

    /// The payout of a user for the first open date. Nothing is posted.
    pub fn payout(&self, user_id: UserId, date: BusinessDate) -> PayoutMade {
        let company = self.company.id;
        let (opening, day) = self.balance_on(user_id, date);
        let payout_id = PayoutId::from_uuid(company.derive(&format!("payout/{user_id}/{date}")));
        let entry_id = derived_id(company, "balance.changed", payout_id);
        PayoutMade {
            payout_id,
            entry_id: EntryId::from_uuid(entry_id),
            user_id,
            amount: opening + day.earned(),
            business_date: date,
            opening,
            earned: day.earned(),
        }
    }

    /// The entry of a payout. Nothing is posted.
    pub fn payout_entry(&self, paid: &PayoutMade, at: EventTime) -> BalanceChanged {
        BalanceChanged {
            entry_id: paid.entry_id,
            user_id: paid.user_id,
            kind: EntryKind::Payout,
            amount: -paid.amount,
            balance: self.balance(paid.user_id) - paid.amount,
            business_date: paid.business_date,
            late: false,
            occurred_at: at,
            cause_sequence: None,
            task_id: None,
            assignment_no: None,
            payout_id: Some(paid.payout_id),
            corrects: None,
            reason: None,
        }
    }

    /// The totals of `day.closed` for `date`, after its payouts are posted.
    pub fn totals(&self, date: BusinessDate, closing: &Closing) -> DayClosed {
        let days: Vec<&UserDay> = self
            .open_days
            .get(&date)
            .into_iter()
            .flat_map(|day| day.values())
            .collect();
        let debts = self.debts(date);
        let sum = |part: fn(&UserDay) -> Money| days.iter().map(|day| part(day)).sum::<Money>();
        let (fees, rewards, corrections) =
            (sum(|d| d.fees), sum(|d| d.rewards), sum(|d| d.corrections));
        DayClosed {
            business_date: date,
            through_sequence: closing.through_sequence,
            entries: days.iter().map(|d| d.entries).sum(),
            late_entries: days.iter().map(|d| d.late_entries).sum(),
            fees,
            rewards,
            corrections,
            management_earned: fees - rewards - corrections,
            payouts_count: days.iter().filter(|d| d.payout.is_positive()).count() as u64,
            payouts_total: sum(|d| d.payout),
            accounts_negative: debts.len() as u64,
            debt_carried: debts.into_iter().sum(),
            skipped_events: closing.skipped_events,
        }
    }
}
