//! `statement` and `entries`: the audit trail, entry by entry, of one user or of all.

use duckdb::{Connection, OptionalExt};
use polars::prelude::{DataFrame, IntoLazy, col, lit};

use crate::domain::id::UserId;
use crate::reports::error::ReportError;
use crate::reports::query::{Query, dated, of_user};
use crate::reports::source::{Source, money_totals, sum};
use crate::reports::table::ColumnKind::{Bool, Date, Int, Money, Text, Time};
use crate::reports::table::{ColumnKind, Named, Period, Report, Table, Value};

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
///
/// # Errors
/// [`ReportError`]
pub fn load_entries(connection: &Connection, query: &Query) -> Result<Report, ReportError> {
    query.check()?;
    let source = Source::open(connection)?;
    let period = query.dates.period();
    let frame = source.load(&sql(
        query,
        ", e.user_id, coalesce(u.login, e.user_id::VARCHAR) AS login",
    ))?;
    let columns = [&COLUMNS[..], &[("user_id", Text), ("login", Text)]].concat();
    let mut totals = money_totals(&frame, &["amount"])?;
    totals.push((
        "entries",
        Value::Int(i64::try_from(frame.height()).expect("rows fit")),
    ));
    Ok(source.report(
        "entries",
        query,
        period,
        totals,
        Table::from_frame(&columns, &frame)?,
    ))
}

/// The entries of one user; `balance` runs in the order of the rows, from what he had before. Of a
/// user whom the tables do not know yet there are none, and his id stands for his login.
///
/// # Errors
/// [`ReportError::UserMissing`] without a user.
pub fn load_statement(connection: &Connection, query: &Query) -> Result<Report, ReportError> {
    query.check()?;
    let source = Source::open(connection)?;
    let user = query.user.ok_or(ReportError::UserMissing)?;
    let login = login(connection, user)?;
    let period = query.dates.period();
    let opening = opening(&source, user, period)?;
    let frame = with_running_balance(source.load(&sql(query, ""))?, opening)?;
    let table = Table::from_frame(&COLUMNS, &frame)?;
    let mut report = source.report(
        "statement",
        query,
        period,
        money_totals(&frame, &["amount"])?,
        table,
    );
    report.beside = beside(login, opening, &frame)?;
    Ok(report)
}

fn login(connection: &Connection, user: UserId) -> Result<String, ReportError> {
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
fn opening(source: &Source<'_>, user: UserId, period: Period) -> Result<i64, ReportError> {
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

fn with_running_balance(entries: DataFrame, opening: i64) -> Result<DataFrame, ReportError> {
    let running = (col("amount").cum_sum(false) + lit(opening)).alias("balance");
    Ok(entries.lazy().with_column(running).collect()?)
}

fn beside(login: String, opening: i64, entries: &DataFrame) -> Result<Vec<Named>, ReportError> {
    let kinds = entries.column("kind")?.str()?;
    let amounts = entries.column("amount")?.i64()?;
    let of_payouts = kinds
        .iter()
        .zip(amounts.iter())
        .filter(|(kind, _)| *kind == Some("payout"));
    let paid: i64 = -of_payouts.filter_map(|(_, amount)| amount).sum::<i64>();
    let change = sum(entries, "amount")?;
    Ok(vec![
        ("login", Value::Text(login)),
        ("opening_balance", Value::minor(opening)),
        ("earned", Value::minor(change + paid)),
        ("paid", Value::minor(paid)),
        ("closing_balance", Value::minor(opening + change)),
    ])
}

/// The tasks are narrowed to those of the chosen entries: a whole join would read every title.
fn sql(query: &Query, more_columns: &str) -> String {
    let (period, user) = (query.dates.period(), query.user);
    let everything = period == Period::default() && user.is_none();
    let tasks = if everything { "tasks" } else { "named" };
    format!(
        "WITH chosen AS (SELECT * FROM entries WHERE {} AND {}),
        named AS (
            SELECT task_id, number, jira_id, title, description FROM tasks
            WHERE task_id IN (SELECT task_id FROM chosen))
        SELECT e.sequence, e.entry_id, e.occurred_at AS time, e.posted_at, e.business_date, e.kind, e.task_id,
            t.number, t.jira_id, t.title, t.description, e.amount, e.balance, e.late, e.corrects, e.reason{more_columns}
        FROM chosen e LEFT JOIN {tasks} t USING (task_id) LEFT JOIN users u USING (user_id)
        ORDER BY e.business_date, e.sequence",
        dated("business_date", period),
        of_user("user_id", user),
    )
}
