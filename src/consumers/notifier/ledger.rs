//! The charges and credits that a mail lists, from accounting's tables.
//!
//! The notifier keeps no copy of them: see docs/decisions/0004-notifier-reads-the-ledger.md.

use std::collections::HashMap;

use crate::consumers::common_tables::money;
use crate::consumers::notifier::rows::OwedMail;
use crate::consumers::{ConsumeError, WriterAccess, run, table_file};
use crate::domain::id::{PayoutId, Sequence};
use crate::domain::ledger::entry::EntryKind;
use crate::mail::Line;
use crate::store::{Database, StoreError, Tables};
use crate::turn::Surroundings;

pub(super) type Lines = HashMap<PayoutId, Vec<Line>>;

/// The lines of all these mails, read with one query. If accounting's tables end before the newest
/// of their payouts, accounting runs first.
///
/// # Errors
/// [`ConsumeError::MovedAside`] if the query meets damage in accounting's tables.
pub(super) fn load_lines<'l>(
    around: &Surroundings<'l>,
    access: &mut WriterAccess<'_, 'l>,
    mails: &[OwedMail],
) -> Result<Lines, ConsumeError> {
    let newest = mails
        .iter()
        .map(|mail| mail.waiting.sequence)
        .max()
        .unwrap_or_default();
    let database = match open_current(around, newest)? {
        Some(database) => database,
        None => {
            run::consume_accounting(around, access)?;
            table_file::open_to_read(around, Tables::Accounting)?
        }
    };
    table_file::read(around, database, Tables::Accounting, |database| {
        read_lines(database, mails).map_err(|error| database.failed("read")(error).into())
    })
}

/// `None` if the tables are damaged, of another code version or end before `sequence`; a run of
/// accounting repairs each of these.
fn open_current(
    around: &Surroundings<'_>,
    sequence: Sequence,
) -> Result<Option<Database>, ConsumeError> {
    match table_file::open_to_read(around, Tables::Accounting) {
        Ok(database) if database.checkpoint()?.sequence >= sequence => Ok(Some(database)),
        Ok(_)
        | Err(
            ConsumeError::OtherVersion { .. } | ConsumeError::Store(StoreError::Damaged { .. }),
        ) => Ok(None),
        Err(error) => Err(error),
    }
}

fn read_lines(database: &Database, mails: &[OwedMail]) -> Result<Lines, duckdb::Error> {
    let ids = mails
        .iter()
        .map(|mail| mail.waiting.payout_id.to_string())
        .collect::<Vec<_>>()
        .join(",");
    let mut statement = database.connection().prepare(
        "SELECT p.payout_id::VARCHAR, e.kind, t.number, nullif(coalesce(x.jira_id, t.jira_id), ''),
             coalesce(x.title, t.title), e.amount
         FROM (SELECT unnest(string_split(?, ','))::UUID AS payout_id) w JOIN payouts p USING (payout_id)
         JOIN entries e ON e.user_id = p.user_id AND e.business_date = p.business_date AND e.kind <> 'payout'
         JOIN tasks t ON t.task_id = e.task_id
         LEFT JOIN changed_texts x ON x.sequence = e.sequence
         ORDER BY e.sequence",
    )?;
    let mut lines = Lines::new();
    for row in statement.query_map([ids], line)? {
        let (payout, line) = row?;
        lines.entry(payout).or_default().push(line);
    }
    Ok(lines)
}

fn line(row: &duckdb::Row<'_>) -> Result<(PayoutId, Line), duckdb::Error> {
    let payout: String = row.get(0)?;
    let kind: String = row.get(1)?;
    let line = Line {
        kind: EntryKind::named(&kind).ok_or(duckdb::Error::InvalidQuery)?,
        task_number: row.get(2)?,
        jira_id: row.get(3)?,
        title: row.get(4)?,
        amount: money(row, 5)?,
    };
    Ok((
        payout.parse().map_err(|_| duckdb::Error::InvalidQuery)?,
        line,
    ))
}
