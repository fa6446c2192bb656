//! Rules A1 and A2: the price, fee or reward that is owed for a task event.

use crate::domain::event::{
    BalanceChanged, Event, Fact, TaskAssigned, TaskCancelled, TaskChanged, TaskCompleted,
    TaskCreated, TaskPriced, TaskSettled,
};
use crate::domain::id::{CompanyId, EntryId, EventId, Sequence, TaskId, UserId};
use crate::domain::ledger::books::Books;
use crate::domain::ledger::correct::Original;
use crate::domain::ledger::entry::EntryKind;
use crate::domain::money::Money;
use crate::domain::pricing::{self, Price};
use crate::domain::task::edit::TaskText;
use crate::domain::time::EventTime;

/// The state of a task in accounting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskAccount {
    pub number: u64,
    /// The texts of the creation.
    pub text: TaskText,
    /// The changes of the texts, in the order of the log.
    pub changes: Vec<(Sequence, TaskChanged)>,
    pub price: Price,
    /// The sum of the fees charged so far.
    pub fees_charged: Money,
    /// Where the task was cancelled, if that is known; nothing follows from its later events.
    pub cancelled: Option<Sequence>,
}

impl TaskAccount {
    pub fn created(e: &TaskCreated, price: Price) -> TaskAccount {
        TaskAccount {
            number: e.number,
            text: TaskText {
                title: e.title.clone(),
                jira_id: e.jira_id.clone(),
                description: None,
            },
            changes: Vec::new(),
            price,
            fees_charged: Money::ZERO,
            cancelled: None,
        }
    }

    /// Follows a change of the texts. One that was followed before changes nothing.
    pub fn change(&mut self, at: Sequence, e: &TaskChanged) {
        if self.changes.last().is_none_or(|(last, _)| *last < at) {
            self.changes.push((at, e.clone()));
        }
    }

    /// Rule T6: the texts as they were at an event, whatever became of them later.
    fn text_at(&self, event: Sequence) -> TaskText {
        let mut text = self.text.clone();
        let until = self.changes.iter().take_while(|(at, _)| *at < event);
        until.for_each(|(_, change)| text.evolve(change));
        text
    }
}

/// The place and time of the causing event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cause {
    pub sequence: Sequence,
    pub id: EventId,
    pub time: EventTime,
}

/// The id of a fact that follows from `cause`: `<type without version>/<cause>`.
pub fn derived_id(
    company: CompanyId,
    type_without_version: &str,
    cause: impl std::fmt::Display,
) -> uuid::Uuid {
    company.derive(&format!("{type_without_version}/{cause}"))
}

impl Books {
    /// The price of a created task.
    pub fn price_task(&self, cause: Cause, created: &TaskCreated) -> (Price, Fact) {
        let price = pricing::price(self.company.id, created.task_id, &self.company.pricing);
        let event = TaskPriced {
            task_id: created.task_id,
            fee: price.fee,
            reward: price.reward,
        };
        (price, self.derived("task.priced", cause.id, event.into()))
    }

    /// The entry by which an assignment charges the task's fee to the new assignee. Nothing is posted.
    pub fn fee(&self, cause: Cause, assigned: &TaskAssigned, price: &Price) -> BalanceChanged {
        let assignment = Assignment {
            task: assigned.task_id,
            assignment_no: assigned.assignment_no,
        };
        self.entry(
            cause,
            assigned.assignee_id,
            EntryKind::Fee,
            -price.fee,
            assignment,
        )
    }

    /// The entry by which a completion credits the reward. Nothing is posted.
    pub fn reward(&self, cause: Cause, completed: &TaskCompleted, price: &Price) -> BalanceChanged {
        let assignment = Assignment {
            task: completed.task_id,
            assignment_no: completed.assignment_no,
        };
        self.entry(
            cause,
            completed.completed_by,
            EntryKind::Reward,
            price.reward,
            assignment,
        )
    }

    /// A completed task with its total cost.
    pub fn settlement(
        &self,
        cause: Cause,
        completed: &TaskCompleted,
        task: &TaskAccount,
    ) -> TaskSettled {
        let TaskText { title, jira_id, .. } = task.text_at(cause.sequence);
        TaskSettled {
            task_id: completed.task_id,
            number: task.number,
            title,
            jira_id,
            completed_by: completed.completed_by,
            completed_at: cause.time,
            completed_on: self.company.zone.date_of(cause.time),
            completed_sequence: cause.sequence,
            fee: task.price.fee,
            reward: task.price.reward,
            fees_charged: task.fees_charged,
        }
    }

    /// An assignment charges the task's fee to the new assignee.
    pub fn charge_fee(
        &mut self,
        cause: Cause,
        assigned: &TaskAssigned,
        task: &mut TaskAccount,
    ) -> Fact {
        task.fees_charged += task.price.fee;
        let entry = self.fee(cause, assigned, &task.price);
        self.posted(entry, cause.id)
    }

    /// A completion credits the reward and settles the task.
    pub fn credit_reward(
        &mut self,
        cause: Cause,
        completed: &TaskCompleted,
        task: &TaskAccount,
    ) -> [Fact; 2] {
        let reward = self.reward(cause, completed, &task.price);
        let settled = self.settlement(cause, completed, task);
        [
            self.posted(reward, cause.id),
            self.derived("task.settled", cause.id, settled.into()),
        ]
    }

    /// Rule T7: a cancellation takes back what is left of each fee of its task.
    pub fn take_fees_back(
        &mut self,
        cause: Cause,
        cancelled: &TaskCancelled,
        fees: &[Original],
    ) -> Vec<Fact> {
        let mut facts = Vec::new();
        for fee in fees {
            // Each entry states the balance after the one before.
            let entry = self.fee_back(cause, cancelled, fee);
            facts.extend(entry.map(|entry| self.posted(entry, cause.id)));
        }
        facts
    }

    /// The entry by which a cancellation takes a fee back; `None` if nothing of it is left. Nothing is posted.
    ///
    /// One cancellation causes several entries, so the id is derived from the cancellation and the fee.
    pub fn fee_back(
        &self,
        cause: Cause,
        cancelled: &TaskCancelled,
        fee: &Original,
    ) -> Option<BalanceChanged> {
        let amount = fee.remaining();
        if cancelled.keep_fees || !amount.is_positive() {
            return None;
        }
        let (business_date, late) = self.business_date(cause.time);
        let origin = format!("{}/{}", cause.id, fee.entry_id);
        let id = derived_id(self.company.id, "balance.changed", origin);
        Some(BalanceChanged {
            entry_id: EntryId::from_uuid(id),
            user_id: fee.user_id,
            kind: EntryKind::Correction,
            amount,
            balance: self.balance(fee.user_id) + amount,
            business_date,
            late,
            occurred_at: cause.time,
            cause_sequence: Some(cause.sequence),
            task_id: fee.task_id,
            assignment_no: fee.assignment_no,
            payout_id: None,
            corrects: Some(fee.entry_id),
            reason: Some(cancelled.reason.clone()),
        })
    }

    fn entry(
        &self,
        cause: Cause,
        user_id: UserId,
        kind: EntryKind,
        amount: Money,
        assignment: Assignment,
    ) -> BalanceChanged {
        let (business_date, late) = self.business_date(cause.time);
        let id = derived_id(self.company.id, "balance.changed", cause.id);
        BalanceChanged {
            entry_id: EntryId::from_uuid(id),
            user_id,
            kind,
            amount,
            balance: self.balance(user_id) + amount,
            business_date,
            late,
            occurred_at: cause.time,
            cause_sequence: Some(cause.sequence),
            task_id: Some(assignment.task),
            assignment_no: Some(assignment.assignment_no),
            payout_id: None,
            corrects: None,
            reason: None,
        }
    }

    /// Posts the entry. An entry and its event have the same id.
    pub(super) fn posted(&mut self, entry: BalanceChanged, cause: EventId) -> Fact {
        self.post(&entry);
        Fact {
            id: EventId::from_uuid(entry.entry_id.uuid()),
            causation: Some(cause),
            event: entry.into(),
        }
    }

    fn derived(&self, type_without_version: &str, cause: EventId, event: Event) -> Fact {
        let id = derived_id(self.company.id, type_without_version, cause);
        Fact {
            id: EventId::from_uuid(id),
            causation: Some(cause),
            event,
        }
    }
}

#[derive(Clone, Copy)]
struct Assignment {
    task: TaskId,
    assignment_no: u32,
}
