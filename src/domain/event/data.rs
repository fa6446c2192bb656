//! The members of each event's `data`.
//!
//! Absent members are left out, never null, and an unknown member is refused: an event that this
//! program understands only in part must not be applied.

use serde::{Deserialize, Serialize};

use crate::domain::event::Consumer;
use crate::domain::id::{CompanyId, EntryId, EventId, PayoutId, Sequence, TaskId, UserId};
use crate::domain::ledger::entry::EntryKind;
use crate::domain::money::Money;
use crate::domain::pricing::PriceRange;
use crate::domain::role::Role;
use crate::domain::time::{BusinessDate, EventTime};

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompanyFounded {
    pub company_id: CompanyId,
    pub name: String,
    /// An IANA name; cannot be changed later.
    pub time_zone: String,
    /// ISO 4217, with two minor digits.
    pub currency: String,
    pub pricing: PriceRange,
    /// Whether clock and dice may be pinned in this store.
    pub test_clock: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserRegistered {
    pub user_id: UserId,
    pub login: String,
    pub full_name: String,
    pub email: String,
    pub role: Role,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserChanged {
    pub user_id: UserId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub full_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub email: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserRoleChanged {
    pub user_id: UserId,
    pub old_role: Role,
    pub new_role: Role,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserDeactivated {
    pub user_id: UserId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserReactivated {
    pub user_id: UserId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserPasswordReset {
    pub user_id: UserId,
    /// The Unix account that owns the store's files.
    pub account: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskCreated {
    pub task_id: TaskId,
    /// 1, 2, 3 … in the order of creation.
    pub number: u64,
    pub title: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub jira_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub description: Option<String>,
    pub created_by: UserId,
}

/// Absent members are unchanged; an empty jira id or description is taken away.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskChanged {
    pub task_id: TaskId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub jira_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub description: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AssignmentReason {
    Created,
    Reshuffle,
    /// The assignee before cannot be drawn any more.
    Left,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskAssigned {
    pub task_id: TaskId,
    pub assignee_id: UserId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub previous_assignee_id: Option<UserId>,
    pub reason: AssignmentReason,
    /// 1 at creation, one more at each later assignment.
    pub assignment_no: u32,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TasksReshuffled {
    pub open_tasks: u64,
    pub eligible_users: u64,
    /// Assignments that follow in the batch.
    pub moved: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskCompleted {
    pub task_id: TaskId,
    pub completed_by: UserId,
    pub assignment_no: u32,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskCancelled {
    pub task_id: TaskId,
    pub reason: String,
    /// Whether the fees that were charged for it stay.
    pub keep_fees: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskPriced {
    pub task_id: TaskId,
    pub fee: Money,
    pub reward: Money,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BalanceChanged {
    pub entry_id: EntryId,
    pub user_id: UserId,
    pub kind: EntryKind,
    /// Signed from the user's side: a fee is negative, a reward positive.
    pub amount: Money,
    /// The user's previous balance in posting order plus `amount`.
    pub balance: Money,
    pub business_date: BusinessDate,
    /// Whether the cause's own date was already closed.
    pub late: bool,
    /// When the cause happened.
    pub occurred_at: EventTime,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause_sequence: Option<Sequence>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub task_id: Option<TaskId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub assignment_no: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub payout_id: Option<PayoutId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub corrects: Option<EntryId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskSettled {
    pub task_id: TaskId,
    pub number: u64,
    pub title: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub jira_id: Option<String>,
    pub completed_by: UserId,
    pub completed_at: EventTime,
    /// The local date of the completion, whether it is closed or not.
    pub completed_on: BusinessDate,
    pub completed_sequence: Sequence,
    pub fee: Money,
    pub reward: Money,
    /// The sum of all fees charged for the task.
    pub fees_charged: Money,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayoutMade {
    pub payout_id: PayoutId,
    pub entry_id: EntryId,
    pub user_id: UserId,
    /// Positive; `opening + earned`.
    pub amount: Money,
    pub business_date: BusinessDate,
    /// The balance at the end of the date before: zero or debt.
    pub opening: Money,
    /// The sum of the date's entries before the payout.
    pub earned: Money,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayClosed {
    pub business_date: BusinessDate,
    /// The last sequence before this batch.
    pub through_sequence: Sequence,
    /// Entries of the date, its payouts included.
    pub entries: u64,
    pub late_entries: u64,
    pub fees: Money,
    pub rewards: Money,
    /// Signed from the users' side.
    pub corrections: Money,
    /// `fees - rewards - corrections`.
    pub management_earned: Money,
    pub payouts_count: u64,
    pub payouts_total: Money,
    /// Users with a negative balance at the end of the date, after its payouts.
    pub accounts_negative: u64,
    /// The sum of their debts, as a positive amount.
    pub debt_carried: Money,
    /// Events of the date that an admin skipped.
    pub skipped_events: u64,
}

/// The transport of a pay mail.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Written to `outbox/`.
    File,
    Smtp,
    /// Simulated: recorded as sent, written nowhere.
    None,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailSent {
    pub payout_id: PayoutId,
    pub user_id: UserId,
    pub to: String,
    pub message_id: String,
    pub transport: Transport,
    /// Counted from 1.
    pub attempt: u32,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailFailed {
    pub payout_id: PayoutId,
    pub user_id: UserId,
    /// Counted from 1.
    pub attempt: u32,
    pub error: String,
    pub permanent: bool,
}

macro_rules! resolution {
    ($($name:ident)+) => {$(
        #[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            pub consumer: Consumer,
            pub target_sequence: Sequence,
            pub target_id: EventId,
            pub reason: String,
        }
    )+};
}

resolution! { EventSetAside EventRetried EventSkipped }
