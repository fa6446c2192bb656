//! `earnings`: for each date the earnings of management, the payouts, and the users' debts.
//!
//! A date's row includes all entries of that date, closed or not. By weeks or months every row is a
//! whole period that touches the range; debts are those at the period's end.

use std::collections::HashMap;

use duckdb::Connection;
use polars::prelude::{
    DataFrame, Expr, IntoLazy, JoinArgs, JoinType, PolarsResult, SortMultipleOptions, col, lit,
};

use crate::domain::period::{DateRange, Unit};
use crate::domain::time::BusinessDate;
use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::query::{Query, dated};
use crate::reports::source::{Source, count_totals, money_totals};
use crate::reports::table::ColumnKind::{Bool, Date, Int, Money};
use crate::reports::table::{ColumnKind, Named, Table, Value};

const FIGURES: [(&str, ColumnKind); 9] = [
    ("fees", Money),
    ("rewards", Money),
    ("corrections", Money),
    ("earned", Money),
    ("popugs_negative", Int),
    ("payouts", Money),
    ("payouts_count", Int),
    ("debt_carried", Money),
    ("closed", Bool),
];
const SUMS: [&str; 5] = ["fees", "rewards", "corrections", "payouts", "payouts_count"];

/// Reads the tables of analytics.
pub fn load(connection: &Connection, query: &Query) -> Result<Report, ReportError> {
    let source = Source::open(connection)?;
    let (from, to) = query.closed_range(source.first_date);
    let periods = query.granularity.unwrap_or(Unit::Day).touching(from, to);
    let (first, last) = match (periods.first(), periods.last()) {
        (Some((first, _)), Some((_, last))) => (*first, *last),
        _ => (from, to),
    };
    let daily = source.load(&daily_sql(first, last))?;
    let changes = source.load(&changes_sql(first, last))?;
    let frame = compute(&daily, &changes, &dates_frame(&periods, &source)?)?;
    let dates: &[_] = match query.granularity {
        None => &[("date", Date)],
        Some(_) => &[("period_start", Date), ("period_end", Date)],
    };
    let table = Table::from_frame(&[dates, &FIGURES].concat(), &frame)?;
    let period = DateRange {
        from: Some(from),
        to: Some(to),
    };
    Ok(source.report("earnings", query, period, totals(&frame)?, table))
}

fn daily_sql(from: BusinessDate, to: BusinessDate) -> String {
    format!(
        "SELECT business_date AS date, sum(fees)::BIGINT AS fees, sum(rewards)::BIGINT AS rewards,
            sum(corrections)::BIGINT AS corrections, sum(payout)::BIGINT AS payouts,
            count(*) FILTER (payout > 0) AS payouts_count
        FROM user_days WHERE {} GROUP BY business_date",
        dated(
            "business_date",
            DateRange {
                from: Some(from),
                to: Some(to)
            }
        ),
    )
}

/// The change of each balance on each date; all dates before the range count as one. A number stands for the user.
fn changes_sql(from: BusinessDate, to: BusinessDate) -> String {
    let before = from.previous();
    format!(
        "WITH moved AS (
            SELECT user_id, business_date AS date, rewards - fees + corrections - payout AS change
            FROM user_days WHERE business_date <= DATE '{to}'),
        changes AS (
            FROM moved WHERE date >= DATE '{from}'
            UNION ALL SELECT user_id, DATE '{before}', sum(change)::BIGINT
            FROM moved WHERE date < DATE '{from}' GROUP BY user_id),
        numbered AS (
            SELECT user_id, row_number() OVER () AS number FROM (SELECT DISTINCT user_id FROM moved))
        SELECT number AS user_id, date, change FROM changes JOIN numbered USING (user_id)"
    )
}

/// Every date of `periods` and one before, with its period and whether that is closed.
fn dates_frame(
    periods: &[(BusinessDate, BusinessDate)],
    source: &Source<'_>,
) -> PolarsResult<DataFrame> {
    let before = periods.first().map(|(start, _)| (start.previous(), None));
    let within = periods.iter().flat_map(|period| {
        period
            .0
            .through(period.1)
            .map(move |date| (date, Some(*period)))
    });
    let dates: Vec<_> = before.into_iter().chain(within).collect();
    let days = |date: BusinessDate| date.epoch_days();
    let column = |of: fn((BusinessDate, BusinessDate)) -> BusinessDate| -> Vec<Option<i32>> {
        dates
            .iter()
            .map(|(_, period)| period.map(|period| days(of(period))))
            .collect()
    };
    polars::df!(
        "date" => dates.iter().map(|(date, _)| days(*date)).collect::<Vec<i32>>(),
        "period_start" => column(|period| period.0),
        "period_end" => column(|period| period.1),
        "closed" => dates.iter().map(|(_, period)| period.is_some_and(|p| source.is_closed(p.1))).collect::<Vec<bool>>(),
    )
}

/// One row for each period.
fn compute(daily: &DataFrame, changes: &DataFrame, dates: &DataFrame) -> PolarsResult<DataFrame> {
    let on = [col("date")];
    let left = || JoinArgs::new(JoinType::Left);
    let zero = |name: &str| col(name).fill_null(lit(0_i64));
    let by_date = dates
        .clone()
        .lazy()
        .join(daily.clone().lazy(), &on, &on, left())
        .join(debts(changes)?.lazy(), &on, &on, left())
        .with_columns(SUMS.map(zero))
        .with_columns(["popugs_negative", "debt_carried"].map(zero))
        .sort(["date"], SortMultipleOptions::default())
        .with_columns(["popugs_negative", "debt_carried"].map(|name| col(name).cum_sum(false)))
        .filter(col("period_start").is_not_null());
    let sums: Vec<Expr> = SUMS.iter().map(|name| col(*name).sum()).collect();
    let last =
        ["period_end", "popugs_negative", "debt_carried", "closed"].map(|name| col(name).last());
    by_date
        .group_by_stable([col("period_start")])
        .agg([&sums[..], &last[..]].concat())
        .with_column((col("fees") - col("rewards") - col("corrections")).alias("earned"))
        .with_column(col("period_start").alias("date"))
        .collect()
}

/// The change of the number of users with a negative balance, and of the sum of their debts, on
/// each date.
fn debts(changes: &DataFrame) -> PolarsResult<DataFrame> {
    let (users, dates) = (
        changes.column("user_id")?.i64()?,
        changes.column("date")?.i32()?,
    );
    let moved = users.iter().zip(changes.column("change")?.i64()?.iter());
    let mut rows: Vec<_> = dates.iter().zip(moved).collect();
    rows.sort_unstable();
    let mut balances = HashMap::new();
    let (mut dates, mut owed, mut red) = (vec![], vec![], vec![]);
    for on_date in rows.chunk_by(|a, b| a.0 == b.0) {
        let (mut owed_more, mut more_red) = (0, 0);
        for (_, (user, change)) in on_date {
            let balance = balances.entry(user).or_insert(0_i64);
            let before = *balance;
            *balance += change.unwrap_or(0);
            owed_more += before.min(0) - (*balance).min(0);
            more_red += i64::from(*balance < 0) - i64::from(before < 0);
        }
        dates.push(on_date[0].0);
        owed.push(owed_more);
        red.push(more_red);
    }
    polars::df!("date" => dates, "debt_carried" => owed, "popugs_negative" => red)
}

/// Sums over the rows; debts are those of the last row.
fn totals(frame: &DataFrame) -> Result<Vec<Named>, ReportError> {
    let last = |name: &str| -> Result<i64, ReportError> {
        Ok(frame.column(name)?.i64()?.last().unwrap_or(0))
    };
    let mut totals = money_totals(frame, &["fees", "rewards", "corrections", "earned"])?;
    totals.push(("popugs_negative", Value::Int(last("popugs_negative")?)));
    totals.extend(money_totals(frame, &["payouts"])?);
    totals.extend(count_totals(frame, &["payouts_count"])?);
    totals.push(("debt_carried", Value::minor(last("debt_carried")?)));
    Ok(totals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debts_are_carried_over_dates_without_entries() {
        let daily = polars::df!(
            "date" => [11_i32], "fees" => [1500_i64], "rewards" => [0_i64], "corrections" => [0_i64],
            "payouts" => [0_i64], "payouts_count" => [0_i64]
        )
        .unwrap();
        let changes =
            polars::df!("user_id" => [1_i64, 2, 1], "date" => [11_i32, 9, 9], "change" => [-1500_i64, -200, 700])
                .unwrap();
        let dates = polars::df!(
            "date" => [9_i32, 10, 11, 12], "period_start" => [None, Some(10_i32), Some(11), Some(12)],
            "period_end" => [None, Some(10_i32), Some(11), Some(12)], "closed" => [false; 4]
        )
        .unwrap();
        let frame = compute(&daily, &changes, &dates).unwrap();
        let of = |name: &str| {
            frame
                .column(name)
                .unwrap()
                .i64()
                .unwrap()
                .iter()
                .flatten()
                .collect::<Vec<_>>()
        };
        assert_eq!(of("debt_carried"), [200, 1000, 1000]);
        assert_eq!(of("popugs_negative"), [1, 2, 2]);
        assert_eq!(of("earned"), [0, 1500, 0]);
    }
}
