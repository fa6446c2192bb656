//! The tasks that stand out: the fastest of a period and those that have been open for longest, as rows of `tasks`, and the
//! dates on which tasks were handed out anew.

use std::collections::BTreeMap;

use duckdb::Connection;

use crate::domain::period::DateRange;
use crate::domain::time::{BusinessDate, EventTime};
use crate::reports::error::ReportError;
use crate::reports::query::timed;
use crate::reports::source::Source;
use crate::reports::table::Table;
use crate::reports::tasks;

/// The `count` tasks of the period that were completed soonest after their last assignment, the fastest first. Reads
/// accounting's tables.
pub fn fastest(
    connection: &Connection,
    period: DateRange,
    count: usize,
) -> Result<Table, ReportError> {
    let source = Source::open(connection)?;
    let within = timed("completed_at", period, &source.zone);
    let sql = format!(
        "WITH finished AS (
            SELECT task_id, min(completed_at) AS completed_at FROM completions GROUP BY task_id HAVING {within}),
        held AS (
            SELECT task_id, max(assigned_at) AS assigned_at FROM assignments
            WHERE task_id IN (SELECT task_id FROM finished) GROUP BY task_id)
        SELECT number FROM finished JOIN held USING (task_id) JOIN tasks USING (task_id)
        ORDER BY completed_at - assigned_at, number LIMIT {count}",
        within = within.replace("completed_at", "min(completed_at)"),
    );
    rows(&source, &sql)
}

/// The `count` open tasks that were created first. Reads accounting's tables.
pub fn oldest(connection: &Connection, count: usize) -> Result<Table, ReportError> {
    let source = Source::open(connection)?;
    let sql = format!(
        "SELECT number FROM tasks ANTI JOIN completions USING (task_id) ANTI JOIN cancellations USING (task_id)
        ORDER BY created_at, number LIMIT {count}"
    );
    rows(&source, &sql)
}

/// The rows of the tasks whose numbers `sql` selects, in its order.
fn rows(source: &Source<'_>, sql: &str) -> Result<Table, ReportError> {
    let chosen = source.load(sql)?;
    let numbers: Vec<i64> = chosen.column("number")?.i64()?.iter().flatten().collect();
    tasks::numbered(source, &numbers)
}

/// The dates on which open tasks were handed out anew, by a reshuffle or because somebody left, with the number of these
/// assignments. Reads accounting's tables.
pub fn handed_out_anew(
    connection: &Connection,
    period: DateRange,
) -> Result<BTreeMap<BusinessDate, i64>, ReportError> {
    let source = Source::open(connection)?;
    let found = source.load(&format!(
        "SELECT assigned_at, count(*) AS assignments FROM assignments
        WHERE assignment_no > 1 AND {} GROUP BY assigned_at",
        timed("assigned_at", period, &source.zone)
    ))?;
    let moments = found.column("assigned_at")?.i64()?.iter();
    let counts = found.column("assignments")?.i64()?.iter();
    let mut dates = BTreeMap::new();
    for (moment, count) in moments.zip(counts) {
        if let Some(moment) = moment.and_then(EventTime::from_micros) {
            *dates.entry(source.zone.date_of(moment)).or_default() += count.unwrap_or(0);
        }
    }
    Ok(dates)
}
