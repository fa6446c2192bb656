//! Checks the events that follow from tasks: prices (I3), entries (I1, I4, I13, I14) and
//! settlements (I12).

use crate::app::verify::replay::Replay;
use crate::app::verify::replay::causes::{Caused, Owed, Task};
use crate::domain::event::{BalanceChanged, TaskPriced, TaskSettled};
use crate::domain::id::Sequence;
use crate::domain::ledger::books::Books;
use crate::domain::ledger::entry::EntryKind;
use crate::domain::ledger::reaction::derived_id;
use crate::domain::money::Money;
use crate::domain::pricing::Price;
use crate::state::Recorded;

impl Replay {
    pub(super) fn task_priced(&mut self, recorded: &Recorded<'_>, said: &TaskPriced) {
        let at = recorded.sequence;
        let Some(task) = self.tasks.known.get_mut(&said.task_id) else {
            let what = if self.tasks.finished.contains_key(&said.task_id) {
                "the task has a price already"
            } else {
                "the priced task does not exist"
            };
            return self.violates("I3", at, what);
        };
        if std::mem::replace(&mut task.is_priced, true) {
            return self.violates("I3", at, "the task has a price already");
        }
        let price = Price {
            fee: said.fee,
            reward: said.reward,
        };
        let drawn = std::mem::replace(&mut task.account.price, price);
        let cause = task.created;
        self.check_derived(recorded, "task.priced", cause);
        if drawn != price {
            let what = format!(
                "the price is {} and {}, the price function gives {} and {}",
                price.fee, price.reward, drawn.fee, drawn.reward
            );
            self.violates("I3", at, what);
        }
        self.tasks.forget_if_finished(said.task_id);
    }

    /// I9: checks an event that is named after its cause.
    fn check_derived(
        &mut self,
        recorded: &Recorded<'_>,
        name: &str,
        cause: crate::domain::id::EventId,
    ) {
        if let Some(books) = &self.books {
            let id = derived_id(books.company.id, name, cause);
            self.check_origin(recorded, id, Some(cause));
        }
    }

    pub(super) fn balance_changed(&mut self, recorded: &Recorded<'_>, said: &BalanceChanged) {
        let at = recorded.sequence;
        if said.entry_id.uuid() != recorded.id.uuid() {
            self.violates("I9", at, "the entry and its event have different ids");
        }
        let expected = match said.kind {
            EntryKind::Fee | EntryKind::Reward => self.caused(recorded, said),
            EntryKind::Payout => self.payout_posted(recorded, said),
            EntryKind::Correction => match said.cause_sequence {
                Some(cause) => self.taken_back(recorded, said, cause),
                None => self.corrected(recorded, said),
            },
        };
        self.check_sum(at, said);
        self.check_date(at, said, expected.as_ref());
        self.keep_original(said);
        if let Some(books) = &mut self.books {
            follow(books, said);
        }
    }

    /// I4: checks that the entry follows from its cause. Returns the expected entry.
    fn caused(&mut self, recorded: &Recorded<'_>, said: &BalanceChanged) -> Option<BalanceChanged> {
        let at = recorded.sequence;
        let name = if said.kind == EntryKind::Fee {
            "assignment"
        } else {
            "completion"
        };
        let cause = said.cause_sequence;
        let Some(owed) = cause.and_then(|sequence| self.owed.remove(&sequence)) else {
            let what =
                format!("no {name} awaits this entry: it has one already, or never happened");
            self.violates("I4", at, what);
            return None;
        };
        if let Some(sequence) = cause.filter(|sequence| *sequence > self.reacted_through) {
            (self.reacted_through, self.reacted_at) = (sequence, at);
        }
        let expected = self.expected_of(&owed)?;
        self.check_origin(recorded, expected.entry_id.uuid(), Some(owed.cause.id));
        if !repeats(said, &expected) {
            let what = format!("the entry does not repeat the {name} that it names as its cause");
            self.violates("I4", at, what);
        }
        if said.amount != expected.amount {
            let (is, due) = (said.amount, expected.amount);
            let what = format!("the amount is {is}, the task's price asks for {due}");
            self.violates("I4", at, what);
        }
        if let Some(task) = self.tasks.known.get_mut(&owed.task()) {
            // If a log creates a task twice, both have entries, but the count is kept for one.
            task.owed = task.owed.saturating_sub(1);
            if said.kind == EntryKind::Fee {
                task.account.fees_charged -= said.amount;
                task.fees_left -= said.amount;
            }
        }
        self.tasks.forget_if_finished(owed.task());
        Some(expected)
    }

    /// The entry that the books would post now. `None` if the task does not exist.
    fn expected_of(&self, owed: &Owed) -> Option<BalanceChanged> {
        let (books, task) = (self.books.as_ref()?, self.tasks.known.get(&owed.task())?);
        let price = &task.account.price;
        Some(match &owed.event {
            Caused::Assigned(e) => books.fee(owed.cause, e, price),
            Caused::Completed(e) => books.reward(owed.cause, e, price),
        })
    }

    /// I1: the stated balance is the sum of all entries up to this one.
    fn check_sum(&mut self, at: Sequence, said: &BalanceChanged) {
        let Some(books) = &self.books else { return };
        let sum = books.balance(said.user_id) + said.amount;
        if sum != said.balance {
            let what = format!(
                "the balance is {}, the user's entries sum to {sum}",
                said.balance
            );
            self.violates("I1", at, what);
        }
        let is_signed = match said.kind {
            EntryKind::Fee | EntryKind::Payout => said.amount.is_negative(),
            EntryKind::Reward => said.amount.is_positive(),
            EntryKind::Correction => said.amount != Money::ZERO,
        };
        if !is_signed {
            let what = format!("a {} of {} has no posting", said.kind.name(), said.amount);
            self.violates("I1", at, what);
        }
    }

    /// I14: no entry is dated into a closed date. I13: the date follows from the cause alone, or is
    /// the first open one.
    fn check_date(
        &mut self,
        at: Sequence,
        said: &BalanceChanged,
        expected: Option<&BalanceChanged>,
    ) {
        let Some(books) = &self.books else { return };
        if let Some(closed) = books.closed_through()
            && !books.is_open(said.business_date)
        {
            let date = said.business_date;
            let what = format!("the entry is dated {date}, and dates up to {closed} are closed");
            return self.violates("I14", at, what);
        }
        let dated = |entry: &BalanceChanged| {
            let mark = if entry.late { ", late" } else { "" };
            format!("{}{mark}", entry.business_date)
        };
        if let Some(expected) = expected.map(dated).filter(|date| *date != dated(said)) {
            let said = dated(said);
            let what = format!("the entry is dated {said}, its cause belongs to {expected}");
            self.violates("I13", at, what);
        }
    }

    pub(super) fn task_settled(&mut self, recorded: &Recorded<'_>, said: &TaskSettled) {
        let at = recorded.sequence;
        let task = self.tasks.known.get_mut(&said.task_id);
        let Some((task, books)) = task.zip(self.books.as_ref()) else {
            let what = if self.tasks.finished.contains_key(&said.task_id) {
                "the settlement contradicts the task's events: it was settled before"
            } else {
                "the settled task was never completed"
            };
            return self.violates("I12", at, what);
        };
        let left_out = |at| {
            self.withheld
                .withholds(at, &recorded.event.subject().to_string())
        };
        let Some(expected) = settlement(books, task, left_out) else {
            return self.violates("I12", at, "the settled task was never completed");
        };
        let mut wrong = differences(said, &expected);
        if let Some(done) = &mut task.completed {
            let cause = done.cause.id;
            if std::mem::replace(&mut done.is_settled, true) {
                wrong.insert(0, "it was settled before");
            }
            self.check_derived(recorded, "task.settled", cause);
        }
        if !wrong.is_empty() {
            let wrong = wrong.join(", ");
            let what = format!("the settlement contradicts the task's events: {wrong}");
            self.violates("I12", at, what);
        }
        self.tasks.forget_if_finished(said.task_id);
    }

    /// I3, I4 and I12: every cause up to the last one with an entry has its entry, price and
    /// settlement. A withheld cause and a later one may lack theirs.
    pub(super) fn check_nothing_missing(&mut self) {
        let mut missing = Vec::new();
        for (at, owed) in self.owed.range(..self.reacted_through) {
            if !self.is_withheld(*at, owed) && !self.is_released(*at, owed) {
                let kind = owed.kind().name();
                missing.push((
                    "I4",
                    *at,
                    format!("there is no {kind} entry for this event"),
                ));
            }
        }
        for cancelled in self.unanswered_cancellations() {
            let at = cancelled.cause.sequence;
            if at < self.reacted_through && !self.is_cancellation_released(cancelled) {
                let what = "the cancellation has not taken back every fee of its task".to_owned();
                missing.push(("I4", at, what));
            }
        }
        for task in self.tasks.known.values() {
            let at = task.created_at;
            let is_awaited = at < self.reacted_through && task.account.fees_charged != Money::ZERO;
            if !task.is_priced && is_awaited && self.withheld.last_decision(at, "").is_none() {
                missing.push(("I3", at, "the task never got a price".to_owned()));
            }
            if let Some(done) = &task.completed
                && !done.is_settled
                && !self.lacks_events
                && !self.owed.contains_key(&done.cause.sequence)
            {
                let what = "the task was credited and never settled".to_owned();
                missing.push(("I12", done.cause.sequence, what));
            }
        }
        missing.sort_unstable();
        for (rule, at, what) in missing {
            self.violates(rule, at, what);
        }
    }
}

/// Whether the entry states the same cause and facts as the expected one.
pub(super) fn repeats(said: &BalanceChanged, expected: &BalanceChanged) -> bool {
    let cause = |entry: &BalanceChanged| {
        let BalanceChanged {
            user_id,
            kind,
            occurred_at,
            cause_sequence,
            task_id,
            assignment_no,
            payout_id,
            corrects,
            ..
        } = entry;
        let from = (
            *cause_sequence,
            *task_id,
            *assignment_no,
            *payout_id,
            *corrects,
        );
        (*user_id, *kind, *occurred_at, from)
    };
    cause(said) == cause(expected)
}

/// Posts the entry. One that is dated into a closed date counts for the first open one, so that
/// later balances add up.
fn follow(books: &mut Books, said: &BalanceChanged) {
    if books.is_open(said.business_date) {
        return books.post(said);
    }
    books.post(&BalanceChanged {
        business_date: books.first_open_date(),
        ..said.clone()
    });
}

/// Changes of the texts that accounting leaves out do not show.
fn settlement(
    books: &Books,
    task: &mut Task,
    is_left_out: impl Fn(Sequence) -> bool,
) -> Option<TaskSettled> {
    task.account.changes.retain(|(at, _)| !is_left_out(*at));
    let done = task.completed.as_ref()?;
    Some(books.settlement(done.cause, &done.event, &task.account))
}

fn differences(said: &TaskSettled, expected: &TaskSettled) -> Vec<&'static str> {
    let words = |e: &TaskSettled| (e.number, e.title.clone(), e.jira_id.clone());
    [
        (
            "number, title or jira id differ",
            words(said) != words(expected),
        ),
        (
            "completed_by differs",
            said.completed_by != expected.completed_by,
        ),
        (
            "completed_at differs",
            said.completed_at != expected.completed_at,
        ),
        (
            "completed_on differs",
            said.completed_on != expected.completed_on,
        ),
        (
            "completed_sequence differs",
            said.completed_sequence != expected.completed_sequence,
        ),
        (
            "fee or reward differ from the price",
            (said.fee, said.reward) != (expected.fee, expected.reward),
        ),
        (
            "fees_charged differs",
            said.fees_charged != expected.fees_charged,
        ),
    ]
    .into_iter()
    .filter_map(|(what, is_wrong)| is_wrong.then_some(what))
    .collect()
}
