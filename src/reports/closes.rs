//! `closes`: every closed date with the totals that its close recorded.

use duckdb::Connection;

use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::query::{Query, dated};
use crate::reports::source::{Source, count_totals, money_totals};
use crate::reports::table::ColumnKind::{Date, Int, Money, Text, Time};
use crate::reports::table::{ColumnKind, Table};

const COLUMNS: &[(&str, ColumnKind)] = &[
    ("business_date", Date),
    ("closed_at", Time),
    ("closed_by", Text),
    ("sequence", Int),
    ("through_sequence", Int),
    ("entries", Int),
    ("late_entries", Int),
    ("fees", Money),
    ("rewards", Money),
    ("corrections", Money),
    ("management_earned", Money),
    ("payouts_count", Int),
    ("payouts_total", Money),
    ("accounts_negative", Int),
    ("debt_carried", Money),
    ("skipped_events", Int),
];

/// Reads accounting's tables; analytics' tables have the same rows.
pub fn load(connection: &Connection, query: &Query) -> Result<Report, ReportError> {
    let source = Source::open(connection)?;
    let period = query.dates.period();
    let frame = source.load(&format!(
        "SELECT c.* REPLACE (coalesce(u.login, c.closed_by::VARCHAR) AS closed_by)
        FROM closes c LEFT JOIN users u ON u.user_id = c.closed_by
        WHERE {} ORDER BY c.business_date",
        dated("c.business_date", period),
    ))?;
    let mut totals = count_totals(
        &frame,
        &["entries", "late_entries", "payouts_count", "skipped_events"],
    )?;
    let money = [
        "fees",
        "rewards",
        "corrections",
        "management_earned",
        "payouts_total",
    ];
    totals.extend(money_totals(&frame, &money)?);
    Ok(source.report(
        "closes",
        query,
        period,
        totals,
        Table::from_frame(COLUMNS, &frame)?,
    ))
}
