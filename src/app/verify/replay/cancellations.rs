//! Rule T7 and I4: a cancelled task takes back what is left of each of its fees, once, by entries of its own.

use crate::app::verify::replay::Replay;
use crate::app::verify::replay::causes::{Cancellation, cause_of};
use crate::app::verify::replay::entries::repeats;
use crate::domain::event::{BalanceChanged, Subject, TaskCancelled};
use crate::domain::id::{Sequence, TaskId};
use crate::domain::ledger::entry::EntryKind;
use crate::state::Recorded;

impl Replay {
    pub(super) fn task_cancelled(&mut self, recorded: &Recorded<'_>, e: &TaskCancelled) {
        let at = recorded.sequence;
        if self.has_ended(e.task_id, at) {
            return;
        }
        let Some(task) = self.tasks.known.get_mut(&e.task_id) else {
            return self.violates("I11", at, "the cancelled task does not exist");
        };
        task.cancelled = Some(at);
        task.keeps_fees = e.keep_fees;
        let cancellation = Cancellation {
            cause: cause_of(recorded),
            event: e.clone(),
        };
        self.tasks.open = self.tasks.open.saturating_sub(1);
        self.tasks.cancellations.insert(at, cancellation);
        self.tasks.forget_if_finished(e.task_id);
    }

    /// The correction takes a fee of the cancelled task back. The entry that was expected.
    pub(super) fn taken_back(
        &mut self,
        recorded: &Recorded<'_>,
        said: &BalanceChanged,
        cause: Sequence,
    ) -> Option<BalanceChanged> {
        let at = recorded.sequence;
        let books = self.books.as_ref()?;
        let Some(cancelled) = self.tasks.cancellations.get(&cause) else {
            let what =
                "no cancellation awaits this entry: it has its entries already, or never happened";
            self.violates("I4", at, what);
            return None;
        };
        let fee = said
            .corrects
            .and_then(|entry| self.corrected.get_mut(&entry)?.as_mut())
            .filter(|fee| fee.kind == EntryKind::Fee)
            .filter(|fee| fee.task_id == Some(cancelled.event.task_id));
        let Some(fee) = fee else {
            self.violates(
                "I4",
                at,
                "the corrected entry is no fee of the cancelled task",
            );
            return None;
        };
        let expected = books.fee_back(cancelled.cause, &cancelled.event, fee);
        let (cause_id, task) = (cancelled.cause.id, cancelled.event.task_id);
        fee.corrected += said.amount;
        if cause > self.reacted_through {
            (self.reacted_through, self.reacted_at) = (cause, at);
        }
        if let Some(task) = self.tasks.known.get_mut(&task) {
            task.fees_left -= said.amount;
        }
        self.tasks.forget_if_finished(task);
        let Some(expected) = expected else {
            self.violates("I4", at, "nothing of the fee is left to take back");
            return None;
        };
        self.check_origin(recorded, expected.entry_id.uuid(), Some(cause_id));
        if !repeats(said, &expected) || said.reason != expected.reason {
            let what = "the entry does not repeat the cancellation and the fee that it names";
            self.violates("I4", at, what);
        }
        if said.amount != expected.amount {
            let (is, due) = (said.amount, expected.amount);
            let what = format!("the amount is {is}, of the fee {due} is left");
            self.violates("I4", at, what);
        }
        Some(expected)
    }

    /// Cancellations that have not taken back every fee, though nothing holds them up.
    pub(super) fn unanswered_cancellations(&self) -> impl Iterator<Item = &Cancellation> {
        let is_owed = |task: TaskId| {
            let task = self.tasks.known.get(&task);
            task.is_some_and(|task| !task.keeps_fees && task.fees_left.is_positive())
        };
        self.tasks.cancellations.values().filter(move |cancelled| {
            let task = cancelled.event.task_id;
            let subject = Subject::Task(task).to_string();
            is_owed(task) && !self.withheld.withholds(cancelled.cause.sequence, &subject)
        })
    }

    /// Whether accounting has to catch up with a decision about the cancellation.
    pub(super) fn is_cancellation_released(&self, cancelled: &Cancellation) -> bool {
        let subject = Subject::Task(cancelled.event.task_id).to_string();
        let last = self
            .withheld
            .last_decision(cancelled.cause.sequence, &subject);
        last.is_some_and(|last| last > self.reacted_at)
    }
}
