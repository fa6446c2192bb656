//! I1, I4, I9, I13 and I14 of a single entry: its cause, its sums, its date.

use crate::app::verify::history::corrections::Correction;
use crate::app::verify::history::{History, Minor, minor, money};
use crate::domain::event::{BalanceChanged, TaskAssigned, TaskCompleted};
use crate::domain::id::{EventId, Sequence, TaskId, UserId};
use crate::domain::ledger::entry::EntryKind;
use crate::domain::time::{BusinessDate, EventTime};
use crate::state::Recorded;

/// A task event that accounting owes an entry for.
#[derive(Clone, Copy)]
pub(super) struct Cause {
    pub id: EventId,
    pub time: EventTime,
    pub kind: EntryKind,
    pub task: TaskId,
    pub user: UserId,
    pub assignment_no: u32,
}

impl Cause {
    pub fn of_assignment(recorded: &Recorded<'_>, e: &TaskAssigned) -> Cause {
        let (task, user, assignment_no) = (e.task_id, e.assignee_id, e.assignment_no);
        Cause {
            id: recorded.id,
            time: recorded.time,
            kind: EntryKind::Fee,
            task,
            user,
            assignment_no,
        }
    }

    pub fn of_completion(recorded: &Recorded<'_>, e: &TaskCompleted) -> Cause {
        let (task, user, assignment_no) = (e.task_id, e.completed_by, e.assignment_no);
        Cause {
            id: recorded.id,
            time: recorded.time,
            kind: EntryKind::Reward,
            task,
            user,
            assignment_no,
        }
    }
}

/// One user's entries of one date; all sums but corrections positive.
#[derive(Clone, Copy, Default)]
pub(super) struct Day {
    pub fees: Minor,
    pub rewards: Minor,
    pub corrections: Minor,
    pub payouts: Minor,
    pub payouts_count: u64,
    pub entries: u64,
    pub late_entries: u64,
}

impl Day {
    fn add(&mut self, e: &BalanceChanged) {
        let amount = minor(e.amount);
        match e.kind {
            EntryKind::Fee => self.fees -= amount,
            EntryKind::Reward => self.rewards += amount,
            EntryKind::Correction => self.corrections += amount,
            EntryKind::Payout => {
                self.payouts -= amount;
                self.payouts_count += 1;
            }
        }
        self.entries += 1;
        self.late_entries += u64::from(e.late);
    }

    /// Without payouts, from the popug's side.
    pub fn earned(&self) -> Minor {
        self.rewards - self.fees + self.corrections
    }
}

impl History {
    pub(super) fn balance_changed(&mut self, recorded: &Recorded<'_>, e: &BalanceChanged) {
        let at = recorded.sequence;
        if e.entry_id.uuid() != recorded.id.uuid() {
            self.violates("I9", at, "the entry and its event have different ids");
        }
        let when = match e.kind {
            EntryKind::Fee | EntryKind::Reward => self.caused(recorded, e),
            EntryKind::Payout => self.payout_posted(recorded, e),
            EntryKind::Correction => {
                self.corrections.push(Correction::of(at, e));
                Some(recorded.time)
            }
        };
        self.check_balance(at, e);
        self.check_date(at, e, when);
        self.days
            .entry(e.business_date)
            .or_default()
            .entry(e.user_id)
            .or_default()
            .add(e);
        self.totals.post(e);
    }

    /// I4: the entry is what its cause asks for. The time by which it is dated.
    fn caused(&mut self, recorded: &Recorded<'_>, e: &BalanceChanged) -> Option<EventTime> {
        let at = recorded.sequence;
        let name = if e.kind == EntryKind::Fee {
            "assignment"
        } else {
            "completion"
        };
        let Some(cause) = e
            .cause_sequence
            .and_then(|sequence| self.owed.remove(&sequence))
        else {
            self.violates(
                "I4",
                at,
                format!("no {name} awaits this entry: it has one already, or never happened"),
            );
            return None;
        };
        if let Some(sequence) = e
            .cause_sequence
            .filter(|sequence| *sequence > self.reacted_through)
        {
            (self.reacted_through, self.reacted_at) = (sequence, at);
        }
        let said = (
            e.kind,
            Some(cause.task),
            cause.user,
            Some(cause.assignment_no),
            cause.time,
        );
        if said
            != (
                cause.kind,
                e.task_id,
                e.user_id,
                e.assignment_no,
                e.occurred_at,
            )
        {
            self.violates(
                "I4",
                at,
                format!("the entry does not repeat the {name} that it names as its cause"),
            );
        }
        self.check_derived(recorded, "balance.changed", cause.id);
        self.check_amount(at, e, cause.task);
        Some(cause.time)
    }

    fn check_amount(&mut self, at: Sequence, e: &BalanceChanged, task: TaskId) {
        let Some(task) = self.tasks.known.get_mut(&task) else {
            return;
        };
        if e.kind == EntryKind::Fee {
            task.fees_charged -= minor(e.amount);
        }
        let Some(price) = task.price else { return };
        let due = if e.kind == EntryKind::Fee {
            -minor(price.fee)
        } else {
            minor(price.reward)
        };
        if due != minor(e.amount) {
            self.violates(
                "I4",
                at,
                format!(
                    "the amount is {}, the task's price asks for {}",
                    e.amount,
                    money(due)
                ),
            );
        }
    }

    /// I1: the stated balance is the sum of all entries up to this one.
    fn check_balance(&mut self, at: Sequence, e: &BalanceChanged) {
        let balance = self.balances.entry(e.user_id).or_default();
        *balance += minor(e.amount);
        let sum = *balance;
        if sum != minor(e.balance) {
            self.violates(
                "I1",
                at,
                format!(
                    "the balance is {}, the user's entries sum to {}",
                    e.balance,
                    money(sum)
                ),
            );
        }
        let is_signed = match e.kind {
            EntryKind::Fee | EntryKind::Payout => e.amount.minor() < 0,
            EntryKind::Reward => e.amount.minor() > 0,
            EntryKind::Correction => e.amount.minor() != 0,
        };
        if !is_signed {
            self.violates(
                "I1",
                at,
                format!("a {} of {} has no posting", e.kind.name(), e.amount),
            );
        }
    }

    /// I14: nothing is dated into a closed date. I13: the date follows from the cause alone, or is
    /// the first open one.
    fn check_date(&mut self, at: Sequence, e: &BalanceChanged, when: Option<EventTime>) {
        if let Some(closed) = self.closed_through
            && e.business_date <= closed
        {
            let what = format!(
                "the entry is dated {}, and dates up to {closed} are closed",
                e.business_date
            );
            return self.violates("I14", at, what);
        }
        let Some((date, late)) = when.and_then(|when| self.date_of(when)) else {
            return;
        };
        if (date, late) != (e.business_date, e.late) {
            let mark = |late| if late { ", late" } else { "" };
            let what = format!(
                "the entry is dated {}{}, its cause belongs to {date}{}",
                e.business_date,
                mark(e.late),
                mark(late)
            );
            self.violates("I13", at, what);
        }
    }

    /// Rule A6.
    fn date_of(&self, when: EventTime) -> Option<(BusinessDate, bool)> {
        let company = self.company.as_ref()?;
        let own = company.zone.date_of(when);
        match self.closed_through {
            Some(closed) if own <= closed => Some((self.first_open_date()?, true)),
            _ => Some((own.max(company.first_date), false)),
        }
    }

    /// Dates that the zone leaves out are never closed.
    pub(super) fn first_open_date(&self) -> Option<BusinessDate> {
        let company = self.company.as_ref()?;
        let Some(closed) = self.closed_through else {
            return Some(company.first_date);
        };
        (1..8)
            .map(|days| closed.plus_days(days))
            .find(|date| company.zone.has_date(*date))
    }

    /// I4: every cause before the last one with an entry has its own.
    pub(super) fn check_nothing_missing(&mut self) {
        let missing: Vec<_> = self
            .owed
            .range(..self.reacted_through)
            .filter(|(at, cause)| !self.is_withheld(**at, cause) && !self.is_released(**at, cause))
            .map(|(at, cause)| (*at, cause.kind))
            .collect();
        for (at, kind) in missing {
            self.violates(
                "I4",
                at,
                format!("there is no {} entry for this event", kind.name()),
            );
        }
    }
}
