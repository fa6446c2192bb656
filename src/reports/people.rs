//! `people`: the tasks of each user in a period, the time they take to complete one, and their part in the earnings of
//! management.
//!
//! A task that a reshuffle or a hand-over gives to another user is reshuffled away; one that is drawn for the same user
//! again stays with them and is assigned once more. Users without any figure are left out unless they can be drawn.

use duckdb::Connection;
use polars::prelude::{Column, DataFrame, PolarsResult};

use crate::domain::period::DateRange;
use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::query::{Query, dated, of_user, timed, twice_median};
use crate::reports::source::{Source, count_totals, money_totals};
use crate::reports::table::ColumnKind::{Int, Money, Tenths, Text};
use crate::reports::table::{Cell, ColumnKind, Table};
use crate::reports::users;

const COLUMNS: &[(&str, ColumnKind)] = &[
    ("login", Text),
    ("name", Text),
    ("assigned", Int),
    ("reshuffled_away", Int),
    ("completed", Int),
    ("open", Int),
    ("median_hours_to_complete", Tenths),
    ("fees", Money),
    ("rewards", Money),
    ("earned_by_management", Money),
];
const COUNTS: [&str; 4] = ["assigned", "reshuffled_away", "completed", "open"];
const SUMS: [&str; 3] = ["fees", "rewards", "corrections"];
/// In microseconds.
const TENTH_OF_AN_HOUR: i64 = 360_000_000;

/// Reads accounting's tables. Names and open tasks are those at the end of the period.
pub fn load(connection: &Connection, query: &Query) -> Result<Report, ReportError> {
    let source = Source::open(connection)?;
    let (from, to) = query.range_or_month(source.first_date);
    let period = DateRange {
        from: Some(from),
        to: Some(to),
    };
    let until = DateRange {
        from: None,
        ..period
    };
    let within = |column: &str| timed(column, period, &source.zone);
    let by_end = |column: &str| timed(column, until, &source.zone);
    let times = source.load(&times_sql(&within("completed_at"), query))?;
    let figures = [
        source.load(&assigned_sql(&within("assigned_at")))?,
        source.load(&away_sql(&within("assigned_at")))?,
        source.load(&open_sql(by_end))?,
        source.load(&money_sql(period))?,
    ];
    let figures = [&figures[..], &[completed(&times)?]].concat();
    let names = [&COUNTS[..], &SUMS].concat();
    let frame = users::with_figures(&source, to, query.user, &figures, &names)?;
    let frame = with_earned(frame)?;
    let mut totals = count_totals(&frame, &COUNTS)?;
    let median = median_of_all(&times)?.map_or(Cell::Null, Cell::Tenths);
    totals.push(("median_hours_to_complete", median));
    totals.extend(money_totals(
        &frame,
        &["fees", "rewards", "earned_by_management"],
    )?);
    let table = Table::from_frame(COLUMNS, &frame)?;
    Ok(source.report("people", query, period, totals, table))
}

fn assigned_sql(within: &str) -> String {
    format!(
        "SELECT assignee_id AS user_id, count(*) AS assigned FROM assignments WHERE {within}
        GROUP BY assignee_id"
    )
}

/// The assignments of tasks that another user had, by that user.
fn away_sql(within: &str) -> String {
    format!(
        "WITH held AS (
            SELECT assignee_id, assigned_at, {FORMER} AS former FROM assignments
            WHERE task_id IN (SELECT task_id FROM assignments WHERE assignment_no > 1 AND {within}))
        SELECT former AS user_id, count(*) AS reshuffled_away FROM held
        WHERE {within} AND former <> assignee_id GROUP BY former"
    )
}

/// The assignee before, of a row of `assignments`.
const FORMER: &str = "lag(assignee_id) OVER (PARTITION BY task_id ORDER BY sequence)";

fn open_sql(by_end: impl Fn(&str) -> String) -> String {
    format!(
        "WITH ended AS (
            SELECT task_id FROM completions WHERE {}
            UNION ALL SELECT task_id FROM cancellations WHERE {}),
        held AS (
            SELECT arg_max(assignee_id, sequence) AS user_id FROM assignments ANTI JOIN ended USING (task_id)
            WHERE {} GROUP BY task_id)
        SELECT user_id, count(*) AS open FROM held GROUP BY user_id",
        by_end("completed_at"),
        by_end("cancelled_at"),
        by_end("assigned_at"),
    )
}

fn money_sql(period: DateRange) -> String {
    format!(
        "SELECT user_id, sum(fees)::BIGINT AS fees, sum(rewards)::BIGINT AS rewards,
            sum(corrections)::BIGINT AS corrections
        FROM user_days WHERE {} GROUP BY user_id",
        dated("business_date", period),
    )
}

/// For each completed task the user and the microseconds since it was given to them, shortest first. The first
/// completion counts; accounting stops at a second one.
fn times_sql(within: &str, query: &Query) -> String {
    let of_user = of_user("completed_by", query.user);
    format!(
        "WITH finished AS (
            SELECT task_id, arg_min(completed_by, sequence) AS user_id, min(completed_at) AS completed_at
            FROM completions WHERE {within} AND {of_user} GROUP BY task_id),
        held AS (
            SELECT task_id, assignee_id, assigned_at, {FORMER} AS former FROM assignments
            WHERE task_id IN (SELECT task_id FROM finished)),
        given AS (
            SELECT task_id, max(assigned_at) AS given_at FROM held
            WHERE former IS DISTINCT FROM assignee_id GROUP BY task_id)
        SELECT user_id, date_diff('microsecond', given_at, completed_at) AS micros
        FROM finished JOIN given USING (task_id) ORDER BY user_id, micros"
    )
}

fn with_earned(mut frame: DataFrame) -> PolarsResult<DataFrame> {
    let fees_kept = (frame.column("fees")? - frame.column("rewards")?)?;
    let mut earned = (&fees_kept - frame.column("corrections")?)?;
    earned.rename("earned_by_management".into());
    frame.with_column(earned)?;
    Ok(frame)
}

/// The number of tasks that each user completed, and the median of their times.
fn completed(times: &DataFrame) -> PolarsResult<DataFrame> {
    let users = times.column("user_id")?.str()?.iter();
    let rows: Vec<_> = users
        .zip(times.column("micros")?.i64()?.iter().flatten())
        .collect();
    let (mut users, mut counts, mut medians) = (Vec::new(), Vec::new(), Vec::new());
    for of_user in rows.chunk_by(|a, b| a.0 == b.0) {
        let micros: Vec<i64> = of_user.iter().map(|(_, micros)| *micros).collect();
        users.push(of_user[0].0);
        counts.push(micros.len() as i64);
        medians.push(median(&micros));
    }
    DataFrame::new_infer_height(vec![
        Column::new("user_id".into(), users),
        Column::new("completed".into(), counts),
        Column::new("median_hours_to_complete".into(), medians),
    ])
}

fn median_of_all(times: &DataFrame) -> PolarsResult<Option<i64>> {
    let mut micros: Vec<i64> = times.column("micros")?.i64()?.iter().flatten().collect();
    micros.sort_unstable();
    Ok(median(&micros))
}

/// In tenths of an hour, rounded.
fn median(micros: &[i64]) -> Option<i64> {
    twice_median(micros).map(|twice| (twice + TENTH_OF_AN_HOUR).div_euclid(2 * TENTH_OF_AN_HOUR))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 10 * TENTH_OF_AN_HOUR;

    #[test]
    fn each_user_has_the_median_of_their_own_times() {
        let times = polars::df!(
            "user_id" => ["u1", "u1", "u1", "u1", "u2"], "micros" => [HOUR, HOUR, 2 * HOUR, 9 * HOUR, 4 * HOUR]
        )
        .unwrap();
        let frame = completed(&times).unwrap();
        let of = |name: &str| -> Vec<Option<i64>> {
            frame.column(name).unwrap().i64().unwrap().iter().collect()
        };
        assert_eq!(of("completed"), [Some(4), Some(1)]);
        assert_eq!(of("median_hours_to_complete"), [Some(15), Some(40)]);
        assert_eq!(median_of_all(&times).unwrap(), Some(20));
    }

    #[test]
    fn a_median_is_rounded_to_the_nearest_tenth() {
        for (micros, tenths) in [
            (&[][..], None),
            (&[0], Some(0)),
            (&[TENTH_OF_AN_HOUR / 2 - 1], Some(0)),
            (&[TENTH_OF_AN_HOUR / 2], Some(1)),
            (&[0, TENTH_OF_AN_HOUR], Some(1)),
            (&[0, 3 * TENTH_OF_AN_HOUR, 50 * TENTH_OF_AN_HOUR], Some(3)),
        ] {
            assert_eq!(median(micros), tenths, "{micros:?}");
        }
    }
}
