//! The rows of `accounting.sql`.

use crate::consumers::accounting::owed::Progress;
use crate::consumers::notifier::MailState;
use crate::consumers::projection::OwnTables;
use crate::domain::event::{BalanceChanged, Event, TaskCreated};
use crate::domain::ledger::tally::Tally;
use crate::state::Recorded;
use crate::store::tables::{
    AssignmentRow, AssignmentRows, CancellationRow, CancellationRows, CompletionRow,
    CompletionRows, EntryRow, EntryRows, MailRow, MailRows, PriceRow, PriceRows, TaskChangeRow,
    TaskChangeRows, TaskRow, TaskRows,
};
use crate::store::{Database, StoreError};

#[derive(Default)]
pub struct AccountingTables {
    /// The progress of the entries, in tables and rows.
    pub(super) progress: Progress,
    tasks: TaskRows,
    task_changes: TaskChangeRows,
    prices: PriceRows,
    assignments: AssignmentRows,
    completions: CompletionRows,
    cancellations: CancellationRows,
    entries: EntryRows,
    mails: MailRows,
}

impl OwnTables for AccountingTables {
    fn load(database: &Database) -> Result<AccountingTables, StoreError> {
        Ok(AccountingTables {
            progress: Progress::load(database)?,
            ..AccountingTables::default()
        })
    }

    fn record(&mut self, recorded: &Recorded<'_>, tally: &Tally) {
        self.progress.follow(recorded);
        let sequence = recorded.sequence.0;
        match recorded.event.as_ref() {
            Event::TaskCreated(e) => self.tasks.push(task_row(e, recorded)),
            Event::TaskChanged(e) => self.task_changes.push(TaskChangeRow {
                sequence,
                task_id: e.task_id.uuid(),
                title: e.title.as_deref(),
                jira_id: e.jira_id.as_deref(),
                description: e.description.as_deref(),
            }),
            Event::TaskAssigned(e) => self.assignments.push(AssignmentRow {
                sequence,
                task_id: e.task_id.uuid(),
                assignee_id: e.assignee_id.uuid(),
                assignment_no: e.assignment_no,
                assigned_at: recorded.time,
            }),
            Event::TaskCompleted(e) => self.completions.push(CompletionRow {
                sequence,
                task_id: e.task_id.uuid(),
                completed_by: e.completed_by.uuid(),
                completed_at: recorded.time,
            }),
            Event::TaskCancelled(e) => self.cancellations.push(CancellationRow {
                sequence,
                task_id: e.task_id.uuid(),
                keep_fees: e.keep_fees,
                cancelled_at: recorded.time,
            }),
            Event::TaskPriced(e) => {
                self.prices.push(PriceRow {
                    sequence,
                    task_id: e.task_id.uuid(),
                    fee: e.fee,
                    reward: e.reward,
                });
            }
            Event::BalanceChanged(e) => self.entries.push(entry_row(e, recorded, tally)),
            Event::MailSent(e) => self.mails.push(MailRow {
                sequence,
                payout_id: e.payout_id.uuid(),
                state: MailState::after(e.transport).name(),
                mail_to: Some(&e.to),
                attempt: e.attempt,
            }),
            Event::MailFailed(e) => self.mails.push(MailRow {
                sequence,
                payout_id: e.payout_id.uuid(),
                state: MailState::Failed.name(),
                mail_to: None,
                attempt: e.attempt,
            }),
            // Stored in the tables that analytics has too, or nowhere.
            Event::CompanyFounded(_)
            | Event::UserRegistered(_)
            | Event::UserChanged(_)
            | Event::UserRoleChanged(_)
            | Event::UserDeactivated(_)
            | Event::UserReactivated(_)
            | Event::UserPasswordReset(_)
            | Event::TasksReshuffled(_)
            | Event::TaskSettled(_)
            | Event::PayoutMade(_)
            | Event::DayClosed(_)
            | Event::EventSetAside(_)
            | Event::EventRetried(_)
            | Event::EventSkipped(_) => {}
        }
    }

    fn flush(&mut self, database: &Database) -> Result<(), StoreError> {
        self.tasks.flush(database)?;
        self.task_changes.flush(database)?;
        self.prices.flush(database)?;
        self.assignments.flush(database)?;
        self.completions.flush(database)?;
        self.cancellations.flush(database)?;
        self.entries.flush(database)?;
        self.mails.flush(database)
    }
}

fn task_row<'a>(e: &'a TaskCreated, recorded: &Recorded<'_>) -> TaskRow<'a> {
    TaskRow {
        sequence: recorded.sequence.0,
        task_id: e.task_id.uuid(),
        number: e.number,
        title: &e.title,
        jira_id: e.jira_id.as_deref(),
        description: e.description.as_deref(),
        created_by: e.created_by.uuid(),
        created_at: recorded.time,
    }
}

fn entry_row<'a>(e: &'a BalanceChanged, recorded: &Recorded<'_>, tally: &Tally) -> EntryRow<'a> {
    EntryRow {
        sequence: recorded.sequence.0,
        entry_id: e.entry_id.uuid(),
        user_id: e.user_id.uuid(),
        kind: e.kind.name(),
        amount: e.amount,
        balance: e.balance,
        business_date: e.business_date,
        late: e.late,
        occurred_at: e.occurred_at,
        posted_at: recorded.time,
        cause_sequence: e.cause_sequence.map(|sequence| sequence.0),
        task_id: e.task_id.map(|id| id.uuid()),
        assignment_no: e.assignment_no,
        payout_id: e.payout_id.map(|id| id.uuid()),
        corrects: e.corrects.map(|id| id.uuid()),
        reason: e.reason.as_deref(),
        digest: tally.digest,
    }
}
