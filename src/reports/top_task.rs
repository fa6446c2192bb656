//! `top-task`: rule N2, the most expensive finished task of a day, week, month or range.

use duckdb::Connection;
use polars::prelude::{
    DataFrame, IntoLazy, JoinArgs, JoinType, PolarsResult, SortMultipleOptions, col,
};

use crate::domain::period::DateRange;
use crate::domain::time::BusinessDate;
use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::query::{Query, dated};
use crate::reports::source::Source;
use crate::reports::table::ColumnKind::{Date, Int, Money, Text, Time};
use crate::reports::table::{ColumnKind, Table};

const COLUMNS: &[(&str, ColumnKind)] = &[
    ("period_start", Date),
    ("period_end", Date),
    ("task_id", Text),
    ("number", Int),
    ("jira_id", Text),
    ("title", Text),
    ("reward", Money),
    ("completed_at", Time),
    ("completed_on", Date),
    ("completed_by", Text),
    ("sequence", Int),
];

/// Reads the tables of analytics.
pub fn load(connection: &Connection, query: &Query) -> Result<Report, ReportError> {
    let source = Source::open(connection)?;
    let (from, to) = query.closed_range(source.first_date);
    let periods = match query.granularity {
        Some(granularity) => granularity.touching(from, to),
        None => vec![(from, to)],
    };
    let first = periods.first().map(|(start, _)| *start);
    let last = periods.last().map(|(_, end)| *end);
    let best = best_of_each_date(
        &source,
        DateRange {
            from: first,
            to: last,
        },
    )?;
    let frame = compute(&best, &periods)?;
    let period = DateRange {
        from: Some(from),
        to: Some(to),
    };
    Ok(source.report(
        "top-task",
        query,
        period,
        Vec::new(),
        Table::from_frame(COLUMNS, &frame)?,
    ))
}

/// The best task of each date. Its completion is found first, over narrow columns; then the wide
/// row is read by that sequence, which lets DuckDB skip all other rows.
fn best_of_each_date(source: &Source<'_>, period: DateRange) -> Result<DataFrame, ReportError> {
    let within = dated("completed_on", period);
    let best = source.load(&format!(
        "WITH highest AS (
            SELECT completed_on, max(reward) AS reward FROM settled WHERE {within} GROUP BY completed_on)
        SELECT min(s.completed_sequence) AS sequence
        FROM settled s JOIN highest USING (completed_on, reward) WHERE {within} GROUP BY completed_on"
    ))?;
    let sequences: Vec<String> = best
        .column("sequence")?
        .i64()?
        .iter()
        .flatten()
        .map(|s| s.to_string())
        .collect();
    // A list must not be empty; no sequence is 0.
    let list = if sequences.is_empty() {
        "0".to_owned()
    } else {
        sequences.join(", ")
    };
    source.load(&format!(
        "SELECT s.task_id, s.number, s.jira_id, s.title, s.reward, s.completed_at, s.completed_on,
            coalesce(u.login, s.completed_by::VARCHAR) AS completed_by, s.completed_sequence AS sequence
        FROM settled s LEFT JOIN users u ON u.user_id = s.completed_by
        WHERE {within} AND s.completed_sequence IN ({list})"
    ))
}

/// One row for each period; one without completions has its dates only.
fn compute(best: &DataFrame, periods: &[(BusinessDate, BusinessDate)]) -> PolarsResult<DataFrame> {
    let days = periods
        .iter()
        .flat_map(|period| period.0.through(period.1).map(move |date| (date, period)));
    let (dates, starts): (Vec<i32>, Vec<i32>) = days
        .map(|(date, (start, _))| (date.epoch_days(), start.epoch_days()))
        .unzip();
    let date_of = polars::df!("completed_on" => dates, "period_start" => starts)?;
    let on = [col("completed_on")];
    let winners = best
        .clone()
        .lazy()
        .join(date_of.lazy(), &on, &on, JoinArgs::new(JoinType::Inner))
        .sort(
            ["reward", "sequence"],
            SortMultipleOptions::default().with_order_descending_multi([true, false]),
        )
        .group_by_stable([col("period_start")])
        .agg([polars::prelude::all().as_expr().first()]);
    let on = [col("period_start")];
    polars::df!(
        "period_start" => periods.iter().map(|period| period.0.epoch_days()).collect::<Vec<_>>(),
        "period_end" => periods.iter().map(|period| period.1.epoch_days()).collect::<Vec<_>>(),
    )?
    .lazy()
    .join(winners, &on, &on, JoinArgs::new(JoinType::Left))
    .sort(["period_start"], SortMultipleOptions::default())
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_earliest_completion_and_empty_periods_stay() {
        let best = polars::df!(
            "completed_on" => [10_i32, 11, 12], "reward" => [3000_i64, 3000, 2000], "sequence" => [9_i64, 7, 3]
        )
        .unwrap();
        let day = BusinessDate::from_epoch_days;
        let frame = compute(&best, &[(day(10), day(12)), (day(13), day(15))]).unwrap();
        let sequences: Vec<_> = frame
            .column("sequence")
            .unwrap()
            .i64()
            .unwrap()
            .iter()
            .collect();
        assert_eq!(sequences, [Some(7), None]);
    }
}
