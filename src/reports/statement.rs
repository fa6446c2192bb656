//! `statement` and `entries`: the audit trail, entry by entry, of one user or of all.

use duckdb::{Connection, OptionalExt};

use crate::domain::id::UserId;
use crate::domain::period::DateRange;
use crate::domain::time::BusinessDate;
use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::pages::{PAGE_ROWS, Pages};
use crate::reports::query::{Query, dated, of_user};
use crate::reports::source::{Source, sum};
use crate::reports::table::ColumnKind::{Bool, Date, Int, Money, Text, Time};
use crate::reports::table::{ColumnKind, Named, Table, Value};

const COLUMNS: [(&str, ColumnKind); 16] = [
    ("sequence", Int),
    ("entry_id", Text),
    ("time", Time),
    ("posted_at", Time),
    ("business_date", Date),
    ("kind", Text),
    ("task_id", Text),
    ("number", Int),
    ("jira_id", Text),
    ("title", Text),
    ("description", Text),
    ("amount", Money),
    ("balance", Money),
    ("late", Bool),
    ("corrects", Text),
    ("reason", Text),
];

/// The entries of all users; `balance` is the running one in posting order.
pub fn load_entries(connection: &Connection, query: &Query) -> Result<Report, ReportError> {
    let source = Source::open(connection)?;
    let period = query.dates.period();
    let pages = pages(&source, period, query.user)?;
    let totals = Sums::of(&pages);
    let columns = [&COLUMNS[..], &[("user_id", Text), ("login", Text)]].concat();
    let named =
        format!("{SELECTED}, e.balance, e.user_id, coalesce(u.login, e.user_id::VARCHAR) AS login");
    let table = Pages::begin(connection, &columns, pages, totals.rows, |page| {
        sql(page, query.user, &named)
    })?;
    let rows = i64::try_from(totals.rows).expect("rows fit");
    let totals = vec![
        ("amount", Value::minor(totals.amount)),
        ("entries", Value::Int(rows)),
    ];
    Ok(source.report("entries", query, period, totals, table))
}

/// The entries of one user; `balance` runs in the order of the rows, from the opening balance on. A
/// user who is not in the tables yet has no entries, and their id stands for their login.
///
/// # Errors
/// [`ReportError::UserMissing`] without a user.
pub fn load_statement(connection: &Connection, query: &Query) -> Result<Report, ReportError> {
    let source = Source::open(connection)?;
    let user = query.user.ok_or(ReportError::UserMissing)?;
    let period = query.dates.period();
    let (opening, sums, rows) = rows(&source, user, period, &COLUMNS)?;
    let totals = vec![("amount", Value::minor(sums.amount))];
    let mut report = source.report("statement", query, period, totals, rows);
    report.beside = beside(login(connection, user)?, opening, &sums);
    Ok(report)
}

/// The opening balance of the user, the sums of their entries in the period, and the entries with their running balance.
pub(super) fn rows(
    source: &Source<'_>,
    user: UserId,
    period: DateRange,
    columns: &[(&'static str, ColumnKind)],
) -> Result<(i64, Sums, (Table, Pages)), ReportError> {
    let opening = opening(source, user, period)?;
    let pages = pages(source, period, Some(user))?;
    let sums = Sums::of(&pages);
    let rows = Pages::begin(source.connection(), columns, pages, sums.rows, |page| {
        let before = opening + page.before;
        let running = format!(
            "{SELECTED}, ({before} + sum(e.amount) OVER (ORDER BY e.business_date, e.sequence))::BIGINT AS balance"
        );
        sql(page, Some(user), &running)
    })?;
    Ok((opening, sums, rows))
}

/// Consecutive entries in the order of the report.
pub(super) struct Page {
    /// SQL, of `e`.
    condition: String,
    /// The sequences that such entries have, as a condition.
    sequences: String,
    /// The sum of the entries on the pages before, in minor units.
    before: i64,
    sums: Sums,
}

/// The page of a report without entries.
impl Default for Page {
    fn default() -> Page {
        Page {
            condition: "false".to_owned(),
            sequences: "false".to_owned(),
            before: 0,
            sums: Sums::default(),
        }
    }
}

/// Sums of entries, in minor units.
#[derive(Clone, Copy, Default)]
pub(super) struct Sums {
    rows: usize,
    pub amount: i64,
    paid: i64,
}

impl Sums {
    fn of(pages: &[Page]) -> Sums {
        pages.iter().fold(Sums::default(), |sums, page| Sums {
            rows: sums.rows + page.sums.rows,
            amount: sums.amount + page.sums.amount,
            paid: sums.paid + page.sums.paid,
        })
    }
}

/// Divides the entries in the order of dates and sequences.
pub(super) fn pages(
    source: &Source<'_>,
    period: DateRange,
    user: Option<UserId>,
) -> Result<Vec<Page>, ReportError> {
    let sql = format!(
        "WITH numbered AS (
            SELECT business_date AS date, sequence, amount, kind,
                row_number() OVER (ORDER BY business_date, sequence) - 1 AS place
            FROM entries WHERE {} AND {})
        SELECT date_diff('day', DATE '1970-01-01', min(date)), arg_min(sequence, place),
            date_diff('day', DATE '1970-01-01', max(date)), arg_max(sequence, place),
            min(sequence), max(sequence), count(*), sum(amount)::BIGINT,
            coalesce(-sum(amount) FILTER (kind = 'payout'), 0)::BIGINT
        FROM numbered GROUP BY place // {PAGE_ROWS} ORDER BY min(place)",
        dated("business_date", period),
        of_user("user_id", user),
    );
    let mut statement = source.connection().prepare(&sql)?;
    let found = statement.query_map([], |row| {
        let first = (BusinessDate::from_epoch_days(row.get(0)?), row.get(1)?);
        let last = (BusinessDate::from_epoch_days(row.get(2)?), row.get(3)?);
        let sums = Sums {
            rows: row.get(6)?,
            amount: row.get(7)?,
            paid: row.get(8)?,
        };
        let sequences: (u64, u64) = (row.get(4)?, row.get(5)?);
        let sequences = format!("sequence BETWEEN {} AND {}", sequences.0, sequences.1);
        Ok((between(first, last), sequences, sums))
    })?;
    let mut before = 0;
    found
        .map(|page| {
            let (condition, sequences, sums) = page?;
            let page = Page {
                condition,
                sequences,
                before,
                sums,
            };
            before += sums.amount;
            Ok(page)
        })
        .collect()
}

/// The entries from `first` to `last`, both included, in the order of dates and sequences.
fn between(first: (BusinessDate, u64), last: (BusinessDate, u64)) -> String {
    format!(
        "e.business_date BETWEEN DATE '{}' AND DATE '{}'
            AND (e.business_date > DATE '{}' OR e.sequence >= {})
            AND (e.business_date < DATE '{}' OR e.sequence <= {})",
        first.0, last.0, first.0, first.1, last.0, last.1,
    )
}

pub(super) fn login(connection: &Connection, user: UserId) -> Result<String, ReportError> {
    let sql = format!(
        "SELECT login FROM users WHERE {}",
        of_user("user_id", Some(user))
    );
    let found = connection
        .query_row(&sql, [], |row| row.get(0))
        .optional()?;
    Ok(found.unwrap_or_else(|| user.to_string()))
}

/// The balance at the end of the date before the period.
fn opening(source: &Source<'_>, user: UserId, period: DateRange) -> Result<i64, ReportError> {
    let Some(from) = period.from else {
        return Ok(0);
    };
    let before = source.load(&format!(
        "SELECT coalesce(sum(rewards - fees + corrections - payout), 0)::BIGINT AS opening
        FROM user_days WHERE {} AND business_date < DATE '{from}'",
        of_user("user_id", Some(user)),
    ))?;
    sum(&before, "opening")
}

fn beside(login: String, opening: i64, sums: &Sums) -> Vec<Named> {
    vec![
        ("login", Value::Text(login)),
        ("opening_balance", Value::minor(opening)),
        ("earned", Value::minor(sums.amount + sums.paid)),
        ("paid", Value::minor(sums.paid)),
        ("closing_balance", Value::minor(opening + sums.amount)),
    ]
}

const SELECTED: &str = "e.sequence, e.entry_id, e.occurred_at AS time, e.posted_at, e.business_date, e.kind, e.task_id,
    t.number, nullif(coalesce(x.jira_id, t.jira_id), '') AS jira_id, coalesce(x.title, t.title) AS title,
    nullif(coalesce(x.description, t.description), '') AS description,
    e.amount, e.late, e.corrects, e.reason";

/// `columns` of the entries `e` of a page, with their tasks `t`, users `u` and changed texts `x`. The range of sequences
/// lets DuckDB pass over the rest of the table.
pub(super) fn sql(page: &Page, user: Option<UserId>, columns: &str) -> String {
    let Page {
        condition,
        sequences,
        ..
    } = page;
    format!(
        "WITH chosen AS (SELECT * FROM entries e WHERE {sequences} AND {condition} AND {}),
        changed AS (SELECT * FROM changed_texts WHERE {sequences})
        SELECT {columns}
        FROM chosen e LEFT JOIN tasks t USING (task_id) LEFT JOIN users u USING (user_id)
        LEFT JOIN changed x ON x.sequence = e.sequence
        ORDER BY e.business_date, e.sequence",
        of_user("user_id", user),
    )
}
