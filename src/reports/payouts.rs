//! `payouts`: who was paid what for which date, and whether the pay mail has gone out.

use duckdb::Connection;

use crate::reports::error::ReportError;
use crate::reports::query::{Query, dated, of_user};
use crate::reports::source::{Source, money_totals};
use crate::reports::table::ColumnKind::{Date, Int, Money, Text, Time};
use crate::reports::table::{ColumnKind, Report, Table, Value};

const COLUMNS: &[(&str, ColumnKind)] = &[
    ("date", Date),
    ("payout_id", Text),
    ("entry_id", Text),
    ("sequence", Int),
    ("paid_at", Time),
    ("user_id", Text),
    ("login", Text),
    ("name", Text),
    ("opening", Money),
    ("earned", Money),
    ("amount", Money),
    ("mail_status", Text),
    ("mail_to", Text),
];

/// Reads accounting's tables.
///
/// # Errors
/// [`ReportError`]
pub fn load(connection: &Connection, query: &Query) -> Result<Report, ReportError> {
    query.check()?;
    let source = Source::open(connection)?;
    let period = query.dates.period();
    let frame = source.load(&sql(query))?;
    let table = Table::from_frame(COLUMNS, &frame)?;
    let count = i64::try_from(frame.height()).expect("rows fit");
    let mut totals = money_totals(&frame, &["amount"])?;
    totals.push(("payouts_count", Value::Int(count)));
    Ok(source.report("payouts", query, period, totals, table))
}

/// The last word on a mail is its latest row; without any it is still to be sent. People are named as on the date.
fn sql(query: &Query) -> String {
    format!(
        "WITH mail AS (
            SELECT payout_id, arg_max(sent, sequence) AS sent, arg_max(mail_to, sequence) AS mail_to
            FROM mails GROUP BY payout_id),
        named AS (
            SELECT user_id, business_date, arg_max(full_name, sequence) AS name
            FROM user_changes GROUP BY user_id, business_date)
        SELECT p.business_date AS date, p.payout_id, p.entry_id, p.sequence, p.paid_at, p.user_id,
            coalesce(u.login, p.user_id::VARCHAR) AS login, coalesce(n.name, u.full_name) AS name,
            p.opening, p.earned, p.amount,
            CASE WHEN m.sent THEN 'sent' WHEN m.sent IS NULL THEN 'pending' ELSE 'failed' END AS mail_status,
            coalesce(m.mail_to, u.email) AS mail_to
        FROM payouts p ASOF LEFT JOIN named n ON n.user_id = p.user_id AND n.business_date <= p.business_date
        LEFT JOIN users u ON u.user_id = p.user_id LEFT JOIN mail m ON m.payout_id = p.payout_id
        WHERE {} AND {} ORDER BY date, login, p.sequence",
        dated("p.business_date", query.dates.period()),
        of_user("p.user_id", query.user),
    )
}
