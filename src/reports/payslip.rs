//! `payslip`: every charge and credit of one user in a period, and their row of the pay sheet.

use duckdb::Connection;

use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::pay;
use crate::reports::query::Query;
use crate::reports::source::Source;
use crate::reports::statement;
use crate::reports::table::ColumnKind::{Bool, Date, Int, Money, Text, Time};
use crate::reports::table::{ColumnKind, Value};
use crate::reports::users;

const COLUMNS: &[(&str, ColumnKind)] = &[
    ("business_date", Date),
    ("time", Time),
    ("kind", Text),
    ("number", Int),
    ("jira_id", Text),
    ("title", Text),
    ("amount", Money),
    ("balance", Money),
    ("late", Bool),
    ("reason", Text),
    ("entry_id", Text),
];

/// Reads accounting's tables. The balance runs from the one that was brought in to the one that is carried out.
///
/// # Errors
/// [`ReportError::UserMissing`] without a user.
pub fn load(connection: &Connection, query: &Query) -> Result<Report, ReportError> {
    let source = Source::open(connection)?;
    let user = query.user.ok_or(ReportError::UserMissing)?;
    let sheet = pay::load(connection, query)?;
    let (_, sums, rows) = statement::rows(&source, user, sheet.period, COLUMNS)?;
    let totals = vec![("amount", Value::minor(sums.amount))];
    let mut report = source.report("payslip", query, sheet.period, totals, rows);
    let name: Option<String> = connection
        .prepare(&users::users(sheet.period.to, Some(user)))?
        .query_map([], |row| row.get("name"))?
        .next()
        .transpose()?;
    report.beside = vec![
        ("login", Value::Text(statement::login(connection, user)?)),
        ("name", name.map_or(Value::Null, Value::Text)),
    ];
    report.beside.extend(sheet.totals);
    report.beside.extend(sheet.beside);
    report.adds_up = sheet.adds_up;
    Ok(report)
}
