//! Checks the closes: the payouts (I5, I6), and the totals of `day.closed` (I2, I7, I13).

use crate::app::verify::replay::Replay;
use crate::domain::event::{BalanceChanged, DayClosed, PayoutMade};
use crate::domain::id::Sequence;
use crate::domain::ledger::books::Books;
use crate::domain::ledger::close::Closing;
use crate::domain::money::Money;
use crate::domain::time::BusinessDate;
use crate::state::Recorded;

impl Replay {
    pub(super) fn payout_made(&mut self, recorded: &Recorded<'_>, said: &PayoutMade) {
        let Some(books) = &self.books else { return };
        let (at, user, date) = (recorded.sequence, said.user_id, said.business_date);
        let expected = books.payout(user, date);
        let id = books.payout_event_id(expected.payout_id);
        let (is_open, is_next) = (books.is_open(date), date == books.first_open_date());
        let sums = |e: &PayoutMade| (e.opening, e.earned, e.amount);
        if !is_open || !self.paid.insert((user, date)) {
            let what = format!("the user {user} is paid twice for {date}, or after its close");
            self.violates("I5", at, what);
        } else if is_next && (sums(said) != sums(&expected) || !expected.amount.is_positive()) {
            let what = format!(
                "{} + {} = {} is paid; the entries give {} + {} = {}",
                said.opening,
                said.earned,
                said.amount,
                expected.opening,
                expected.earned,
                expected.amount
            );
            self.violates("I6", at, what);
        }
        self.check_origin(recorded, id, None);
        if (said.payout_id, said.entry_id) != (expected.payout_id, expected.entry_id) {
            let what = "the payout's ids are not derived from user and date";
            self.violates("I9", at, what);
        }
        self.mails.owe(recorded.id, said);
        self.paying
            .insert(said.entry_id, (recorded.id, said.clone()));
    }

    /// I6: the entry of a payout repeats its facts. Returns the expected entry.
    pub(super) fn payout_posted(
        &mut self,
        recorded: &Recorded<'_>,
        said: &BalanceChanged,
    ) -> Option<BalanceChanged> {
        let books = self.books.as_ref()?;
        let Some((cause, paid)) = self.paying.remove(&said.entry_id) else {
            self.violates("I6", recorded.sequence, "the entry repeats no payout");
            return None;
        };
        let expected = books.payout_entry(&paid, recorded.time);
        self.check_origin(recorded, said.entry_id.uuid(), Some(cause));
        let repeated = |e: &BalanceChanged| (e.payout_id, e.user_id, e.amount, e.business_date);
        if repeated(said) != repeated(&expected) {
            self.violates("I6", recorded.sequence, "the entry repeats no payout");
        }
        Some(expected)
    }

    pub(super) fn day_closed(&mut self, recorded: &Recorded<'_>, said: &DayClosed) {
        let Some(books) = &self.books else { return };
        let (at, date) = (recorded.sequence, said.business_date);
        let (id, next) = (books.close_event_id(date), books.first_open_date());
        self.check_origin(recorded, id.uuid(), None);
        if date != next {
            let what = format!("{date} is closed out of order, or a second time");
            return self.violates("I7", at, what);
        }
        self.check_everybody_paid(at, date);
        self.check_totals(recorded, said);
        self.check_nothing_owed(recorded, date);
        self.paid.retain(|(_, paid_for)| *paid_for > date);
        if let Some(books) = &mut self.books {
            books.close(said);
            drop(books.take_changed());
        }
    }

    /// I6: each user is paid max(0, balance at the end of the date).
    fn check_everybody_paid(&mut self, at: Sequence, date: BusinessDate) {
        let Some(books) = &self.books else { return };
        let mut wrong = Vec::new();
        for (user, opening, day) in books.balances_on(date) {
            let (due, paid) = (opening + day.earned(), day.payout);
            if paid != due.max(Money::ZERO) {
                wrong.push(format!(
                    "the balance of {user} at the end of {date} is {due}, {paid} is paid"
                ));
            }
        }
        if !self.paying.is_empty() {
            self.paying.clear();
            wrong.push("a payout has no entry".to_owned());
        }
        for what in wrong {
            self.violates("I6", at, what);
        }
    }

    fn check_totals(&mut self, recorded: &Recorded<'_>, said: &DayClosed) {
        let Some(books) = &self.books else { return };
        let date = said.business_date;
        let zone = &books.company.zone;
        let closing = Closing {
            at: recorded.time,
            through_sequence: Sequence(self.batch_first.0 - 1),
            skipped_events: self.withheld.skipped_on(date, zone),
        };
        let is_over = recorded.time >= zone.end_of(date);
        let expected = books.totals(date, &closing);
        let at = recorded.sequence;
        let wrong = differences(said, &expected);
        if !wrong.is_empty() {
            self.violates("I7", at, wrong.join("; "));
        } else if recorded.more > 0 {
            self.violates("I7", at, "day.closed is not the last event of its batch");
        }
        let (is, due) = (said.management_earned, expected.management_earned);
        if is != due {
            let what = format!("management earned {is}, the events give {due}");
            self.violates("I2", at, what);
        }
        if !is_over {
            self.violates("I13", at, format!("{date} was not over when it was closed"));
        }
    }

    /// I13: every cause up to the end of the date has its entry, so that the payouts do not depend
    /// on the time of the close.
    fn check_nothing_owed(&mut self, recorded: &Recorded<'_>, date: BusinessDate) {
        let Some(zone) = self.books.as_ref().map(|books: &Books| &books.company.zone) else {
            return;
        };
        let cancelled = self
            .unanswered_cancellations()
            .filter(|cancelled| zone.date_of(cancelled.cause.time) <= date)
            .map(|cancelled| cancelled.cause.sequence);
        let mut owed: Vec<Sequence> = self
            .owed
            .iter()
            .filter(|(_, owed)| zone.date_of(owed.cause.time) <= date)
            .filter(|(at, owed)| !self.is_withheld(**at, owed))
            .map(|(at, _)| *at)
            .chain(cancelled)
            .collect();
        owed.sort_unstable();
        if let Some(first) = owed.first() {
            let what = format!(
                "{date} was closed while {} of its events had no entry, first event {first}",
                owed.len()
            );
            self.violates("I13", recorded.sequence, what);
        }
    }
}

/// The members that differ, except the earnings of management.
fn differences(said: &DayClosed, expected: &DayClosed) -> Vec<String> {
    let counts = |e: &DayClosed| {
        [
            ("through_sequence", e.through_sequence.0),
            ("entries", e.entries),
            ("late_entries", e.late_entries),
            ("payouts_count", e.payouts_count),
            ("accounts_negative", e.accounts_negative),
            ("skipped_events", e.skipped_events),
        ]
        .map(|(member, count)| (member, count.to_string()))
    };
    let amounts = |e: &DayClosed| {
        [
            ("fees", e.fees),
            ("rewards", e.rewards),
            ("corrections", e.corrections),
            ("payouts_total", e.payouts_total),
            ("debt_carried", e.debt_carried),
        ]
        .map(|(member, amount)| (member, amount.to_string()))
    };
    let said = counts(said).into_iter().chain(amounts(said));
    let expected = counts(expected).into_iter().chain(amounts(expected));
    said.zip(expected)
        .filter(|(said, expected)| said != expected)
        .map(|((member, is), (_, due))| format!("{member} is {is}, the events give {due}"))
        .collect()
}
