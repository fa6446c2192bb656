//! `top-task`: rule N2, the most expensive finished task of a day, week, month or range.

use std::cmp::Reverse;

use duckdb::Connection;
use polars::prelude::{
    Column, DataFrame, DataFrameJoinOps, IdxCa, IdxSize, NewChunkedArray, PolarsResult,
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
    // The other tasks of the period with the same reward.
    ("ties", Int),
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
        SELECT min(s.completed_sequence) AS sequence, count(*) AS equals
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
    let wide = source.load(&format!(
        "SELECT s.task_id, s.number, s.jira_id, s.title, s.reward, s.completed_at, s.completed_on,
            coalesce(u.login, s.completed_by::VARCHAR) AS completed_by, s.completed_sequence AS sequence
        FROM settled s LEFT JOIN users u ON u.user_id = s.completed_by
        WHERE {within} AND s.completed_sequence IN ({list})"
    ))?;
    Ok(wide.left_join(&best, ["sequence"], ["sequence"])?)
}

/// One row for each period; one without completions has its dates only. `best` has the best task of each date and the
/// number of the date's tasks with the same reward.
fn compute(best: &DataFrame, periods: &[(BusinessDate, BusinessDate)]) -> PolarsResult<DataFrame> {
    let whole = |name: &str| PolarsResult::Ok(best.column(name)?.i64()?.iter().flatten());
    let dates = best.column("completed_on")?.i32()?;
    let ranked = whole("reward")?.zip(whole("sequence")?.map(Reverse));
    let rows = dates.iter().flatten().zip(ranked).zip(whole("equals")?);
    let rows: Vec<_> = rows.zip(0 as IdxSize..).collect();
    let (mut winners, mut ties) = (Vec::new(), Vec::new());
    for (start, end) in periods {
        let dates = start.epoch_days()..=end.epoch_days();
        let within = || {
            rows.iter()
                .filter(|(((date, _), _), _)| dates.contains(date))
        };
        let winner = within().max_by_key(|(((_, rank), _), _)| rank);
        ties.push(winner.map(|(((_, (reward, _)), _), _)| {
            let equals = within().filter(|(((_, (other, _)), _), _)| other == reward);
            equals.map(|((_, equals), _)| equals).sum::<i64>() - 1
        }));
        winners.push(winner.map(|(_, place)| *place));
    }
    let days = |of: fn(&(BusinessDate, BusinessDate)) -> BusinessDate| -> Vec<i32> {
        periods
            .iter()
            .map(|period| of(period).epoch_days())
            .collect()
    };
    let mut frame = best.take(&IdxCa::from_slice_options("".into(), &winners))?;
    frame.with_column(Column::new("period_start".into(), days(|period| period.0)))?;
    frame.with_column(Column::new("period_end".into(), days(|period| period.1)))?;
    frame.with_column(Column::new("ties".into(), ties))?;
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_earliest_completion_and_empty_periods_stay() {
        let best = polars::df!(
            "completed_on" => [10_i32, 11, 12], "reward" => [3000_i64, 3000, 2000], "sequence" => [9_i64, 7, 3],
            "equals" => [1_i64, 2, 5]
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
        let ties = frame.column("ties").unwrap().i64().unwrap();
        assert_eq!(ties.iter().collect::<Vec<_>>(), [Some(2), None]);
    }
}
