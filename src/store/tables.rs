//! The tables of `common.sql`, `accounting.sql` and `analytics.sql` as row buffers, column by
//! column in the order of the SQL.

use crate::table;

table! { CompanyRows of CompanyRow into "company" {
    company_id: Ids, name: Texts, time_zone: Texts, currency: Texts, fee_min: Amounts, fee_max: Amounts,
    reward_min: Amounts, reward_max: Amounts, test_clock: Flags, founded_at: Times,
} }

table! { UserRows of UserRow into "users" {
    user_id: Ids, login: Texts, full_name: Texts, email: Texts, role: Texts, active: Flags,
} }

table! { UserChangeRows of UserChangeRow into "user_changes" {
    sequence: Counts, user_id: Ids, business_date: Dates, full_name: Texts, role: Texts, active: Flags,
} }

table! { UserDayRows of UserDayRow into "user_days" {
    business_date: Dates, user_id: Ids, fees: Amounts, rewards: Amounts, corrections: Amounts, payout: Amounts,
    entries: Counts, late_entries: Counts, digest: Counts,
} }

table! { PayoutRows of PayoutRow into "payouts" {
    sequence: Counts, payout_id: Ids, entry_id: Ids, user_id: Ids, amount: Amounts, business_date: Dates,
    opening: Amounts, earned: Amounts, paid_at: Times,
} }

table! { CloseRows of CloseRow into "closes" {
    sequence: Counts, business_date: Dates, closed_at: Times, closed_by: Ids, through_sequence: Counts,
    entries: Counts, late_entries: Counts, fees: Amounts, rewards: Amounts, corrections: Amounts,
    management_earned: Amounts, payouts_count: Counts, payouts_total: Amounts, accounts_negative: Counts,
    debt_carried: Amounts, skipped_events: Counts,
} }

table! { TaskRows of TaskRow into "tasks" {
    sequence: Counts, task_id: Ids, number: Counts, title: Texts, jira_id: OptionalTexts,
    description: OptionalTexts, created_by: Ids, created_at: Times,
} }

table! { TaskChangeRows of TaskChangeRow into "task_changes" {
    sequence: Counts, task_id: Ids, title: OptionalTexts, jira_id: OptionalTexts, description: OptionalTexts,
} }

table! { PriceRows of PriceRow into "prices" {
    sequence: Counts, task_id: Ids, fee: Amounts, reward: Amounts,
} }

table! { AssignmentRows of AssignmentRow into "assignments" {
    sequence: Counts, task_id: Ids, assignee_id: Ids, assignment_no: Numbers, assigned_at: Times,
} }

table! { CompletionRows of CompletionRow into "completions" {
    sequence: Counts, task_id: Ids, completed_by: Ids, completed_at: Times,
} }

table! { CancellationRows of CancellationRow into "cancellations" {
    sequence: Counts, task_id: Ids, keep_fees: Flags, cancelled_at: Times,
} }

table! { EntryRows of EntryRow into "entries" {
    sequence: Counts, entry_id: Ids, user_id: Ids, kind: Texts, amount: Amounts, balance: Amounts,
    business_date: Dates, late: Flags, occurred_at: Times, posted_at: Times, cause_sequence: OptionalCounts,
    task_id: OptionalIds, assignment_no: OptionalNumbers, payout_id: OptionalIds, corrects: OptionalIds,
    reason: OptionalTexts, digest: Counts,
} }

table! { MailRows of MailRow into "mails" {
    sequence: Counts, payout_id: Ids, state: Texts, mail_to: OptionalTexts, attempt: Numbers,
} }

table! { SettledRows of SettledRow into "settled" {
    sequence: Counts, task_id: Ids, number: Counts, title: Texts, jira_id: OptionalTexts, completed_by: Ids,
    completed_at: Times, completed_on: Dates, completed_sequence: Counts, fee: Amounts, reward: Amounts,
    fees_charged: Amounts,
} }

table! {
    /// Task ids to be looked up together; a temporary table.
    WantedRows of WantedRow into "wanted" { task_id: Ids }
}
