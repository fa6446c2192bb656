//! A history as the consumers' files, loaded through CSV.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use duckdb::Connection;

use crate::domain::id::UserId;
use crate::domain::ledger::books::UserDay;
use crate::domain::ledger::entry::EntryKind;
use crate::domain::time::BusinessDate;
use crate::reports::check::history::{Change, History};

const COMMON: &str = include_str!("../../store/common.sql");
const ACCOUNTING: &str = include_str!("../../store/accounting.sql");
const ANALYTICS: &str = include_str!("../../store/analytics.sql");
const NULL: &str = "<null>";

type Row = Vec<String>;

macro_rules! row {
    ($($value:expr),+ $(,)?) => { vec![$($value.to_string()),+] };
}

/// Both files in one database: no table is in both with other rows.
pub(super) fn fill(connection: &Connection, history: &History, directory: &Path) {
    connection
        .execute_batch(&format!("{COMMON}{ACCOUNTING}{ANALYTICS}"))
        .unwrap();
    let copy = |table: &str, rows: Vec<Row>| copy(connection, directory, table, rows);
    copy(
        "checkpoint",
        vec![row![history.head, "0".repeat(64), 1, 0, 0, 0]],
    );
    copy("company", vec![company(history)]);
    copy("users", users(history));
    copy("user_changes", user_changes(history));
    copy("user_days", user_days(history));
    copy("entries", entries(history));
    copy("payouts", payouts(history));
    copy("closes", closes(history));
    copy("mails", mails(history));
    copy("tasks", tasks(history));
    copy("settled", settled(history));
    copy("prices", prices(history));
    copy("assignments", assignments(history));
    copy("completions", completions(history));
}

fn copy(connection: &Connection, directory: &Path, table: &str, rows: Vec<Row>) {
    let path = directory.join(format!("{table}.csv"));
    let mut csv = csv::Writer::from_path(&path).unwrap();
    rows.iter().for_each(|row| csv.write_record(row).unwrap());
    csv.flush().unwrap();
    if !rows.is_empty() {
        let sql = format!(
            "COPY {table} FROM '{}' (HEADER false, NULLSTR '{NULL}', QUOTE '\"')",
            path.display()
        );
        connection.execute_batch(&sql).unwrap();
    }
}

fn optional(value: Option<impl Display>) -> String {
    value.map_or_else(|| NULL.to_owned(), |value| value.to_string())
}

fn company(h: &History) -> Row {
    let (c, p) = (&h.company, &h.company.pricing);
    row![
        c.id,
        c.name,
        c.zone.name(),
        c.currency,
        p.fee_min.minor(),
        p.fee_max.minor(),
        p.reward_min.minor(),
        p.reward_max.minor(),
        c.test_clock,
        h.founded_at
    ]
}

fn users(h: &History) -> Vec<Row> {
    h.users
        .iter()
        .map(|u| row![u.id, u.login, u.full_name, u.email, u.role, u.active])
        .collect()
}

fn user_changes(h: &History) -> Vec<Row> {
    let row = |change: &Change| {
        let user = &change.user;
        row![
            change.sequence,
            user.id,
            change.on,
            user.full_name,
            user.role,
            user.active
        ]
    };
    h.changes.iter().map(row).collect()
}

fn user_days(h: &History) -> Vec<Row> {
    let mut days: BTreeMap<(BusinessDate, UserId), UserDay> = BTreeMap::new();
    for entry in h.entries.iter().map(|at| &at.fact) {
        let day = days
            .entry((entry.business_date, entry.user_id))
            .or_default();
        match entry.kind {
            EntryKind::Fee => day.fees -= entry.amount,
            EntryKind::Reward => day.rewards += entry.amount,
            EntryKind::Correction => day.corrections += entry.amount,
            EntryKind::Payout => day.payout -= entry.amount,
        }
        day.entries += 1;
        day.late_entries += u64::from(entry.late);
    }
    let minor = |((date, user), d): (&(BusinessDate, UserId), &UserDay)| {
        row![
            date,
            user,
            d.fees.minor(),
            d.rewards.minor(),
            d.corrections.minor(),
            d.payout.minor(),
            d.entries,
            d.late_entries,
            d.digest
        ]
    };
    days.iter().map(minor).collect()
}

fn entries(h: &History) -> Vec<Row> {
    let rows = h.entries.iter().map(|at| {
        let e = &at.fact;
        row![
            at.sequence,
            e.entry_id,
            e.user_id,
            e.kind.name(),
            e.amount.minor(),
            e.balance.minor(),
            e.business_date,
            e.late,
            e.occurred_at,
            at.time,
            optional(e.cause_sequence),
            optional(e.task_id),
            optional(e.assignment_no),
            optional(e.payout_id),
            optional(e.corrects),
            optional(e.reason.as_ref()),
            0
        ]
    });
    rows.collect()
}

fn payouts(h: &History) -> Vec<Row> {
    let rows = h.payouts.iter().map(|at| {
        let p = &at.fact;
        row![
            at.sequence,
            p.payout_id,
            p.entry_id,
            p.user_id,
            p.amount.minor(),
            p.business_date,
            p.opening.minor(),
            p.earned.minor(),
            at.time
        ]
    });
    rows.collect()
}

fn closes(h: &History) -> Vec<Row> {
    let rows = h.closes.iter().map(|at| {
        let c = &at.fact;
        row![
            at.sequence,
            c.business_date,
            at.time,
            h.users[0].id,
            c.through_sequence,
            c.entries,
            c.late_entries,
            c.fees.minor(),
            c.rewards.minor(),
            c.corrections.minor(),
            c.management_earned.minor(),
            c.payouts_count,
            c.payouts_total.minor(),
            c.accounts_negative,
            c.debt_carried.minor(),
            c.skipped_events
        ]
    });
    rows.collect()
}

/// A third of the mails were sent or written at the second attempt, a third failed, the rest wait.
fn mails(h: &History) -> Vec<Row> {
    let mut rows = Vec::new();
    for (number, at) in h
        .payouts
        .iter()
        .enumerate()
        .filter(|(number, _)| number % 3 != 2)
    {
        rows.push(row![h.head + 1, at.fact.payout_id, "failed", NULL, 1]);
        if number % 3 == 0 {
            rows.push(row![
                h.head + 2,
                at.fact.payout_id,
                if number % 2 == 0 { "sent" } else { "written" },
                "elsewhere@popug.example",
                2
            ]);
        }
    }
    rows
}

fn tasks(h: &History) -> Vec<Row> {
    let rows = h.created.iter().map(|at| {
        let t = &at.fact;
        row![
            at.sequence,
            t.task_id,
            t.number,
            t.title,
            optional(t.jira_id.as_ref()),
            optional(t.description.as_ref()),
            t.created_by,
            at.time
        ]
    });
    rows.collect()
}

fn settled(h: &History) -> Vec<Row> {
    let rows = h.settled.iter().map(|at| {
        let s = &at.fact;
        row![
            at.sequence,
            s.task_id,
            s.number,
            s.title,
            optional(s.jira_id.as_ref()),
            s.completed_by,
            s.completed_at,
            s.completed_on,
            s.completed_sequence,
            s.fee.minor(),
            s.reward.minor(),
            s.fees_charged.minor()
        ]
    });
    rows.collect()
}

fn prices(h: &History) -> Vec<Row> {
    let rows = h.priced.iter();
    rows.map(|at| {
        row![
            at.sequence,
            at.fact.task_id,
            at.fact.fee.minor(),
            at.fact.reward.minor()
        ]
    })
    .collect()
}

fn assignments(h: &History) -> Vec<Row> {
    let rows = h.assigned.iter();
    rows.map(|at| {
        row![
            at.sequence,
            at.fact.task_id,
            at.fact.assignee_id,
            at.fact.assignment_no,
            at.time
        ]
    })
    .collect()
}

fn completions(h: &History) -> Vec<Row> {
    let rows = h.completed.iter();
    rows.map(|at| row![at.sequence, at.fact.task_id, at.fact.completed_by, at.time])
        .collect()
}
