//! `balances`: the balance of every user, now or at the end of dates.
//!
//! Everyone but service users has a row, also before their registration and without entries: zeros.
//! Name, role and activity of a dated row are those at the end of its date.

use duckdb::Connection;
use polars::prelude::{
    Column, DataFrame, Expr, FillNullStrategy, IdxCa, IdxSize, IntoColumn, IntoLazy, JoinArgs,
    JoinType, LazyFrame, NamedFrom, NewChunkedArray, PolarsResult, Series, col, lit,
};

use crate::domain::period::DateRange;
use crate::domain::time::BusinessDate;
use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::query::{Dates, Query, dated, of_user};
use crate::reports::source::{Source, money_totals};
use crate::reports::table::ColumnKind::{Bool, Date, Money, Text};
use crate::reports::table::{ColumnKind, Named, Table, Value};
use crate::reports::users;

const COLUMNS: &[(&str, ColumnKind)] = &[
    ("date", Date),
    ("user_id", Text),
    ("login", Text),
    ("name", Text),
    ("role", Text),
    ("active", Bool),
    ("opening", Money),
    ("fees", Money),
    ("rewards", Money),
    ("corrections", Money),
    ("payout", Money),
    ("balance", Money),
    ("closed", Bool),
];
const SUMS: [&str; 4] = ["fees", "rewards", "corrections", "payout"];

/// Reads accounting's tables.
pub fn load(connection: &Connection, query: &Query) -> Result<Report, ReportError> {
    let source = Source::open(connection)?;
    let (people, dates, frame) = match query.dates {
        Dates::Default => {
            let now = [BusinessDate::from_epoch_days(0)];
            let loaded = Loaded {
                people: source.load(&people_sql(query, None))?,
                changes: source.load(NO_CHANGES)?,
                openings: source.load(NO_OPENINGS)?,
                days: source.load(&current_sql(query))?,
            };
            (loaded.people.height(), None, compute(&loaded, &now)?)
        }
        Dates::On(_) | Dates::Range { .. } => {
            let (from, to) = query.closed_range(source.first_date);
            let dates: Vec<BusinessDate> = from.through(to).collect();
            let before = from.previous();
            let loaded = Loaded {
                people: source.load(&people_sql(query, Some(before)))?,
                changes: source.load(&users::changes(before, to, query.user))?,
                openings: source.load(&openings_sql(query, from))?,
                days: source.load(&days_sql(query, from, to))?,
            };
            (
                loaded.people.height(),
                Some(dates.clone()),
                compute(&loaded, &dates)?,
            )
        }
    };
    let frame = with_dates(frame, dates.as_deref(), &source)?;
    let totals = totals(&frame, people)?;
    let period = dates
        .as_deref()
        .and_then(|dates| Some((*dates.first()?, *dates.last()?)));
    let period = DateRange {
        from: period.map(|(from, _)| from),
        to: period.map(|(_, to)| to),
    };
    Ok(source.report(
        "balances",
        query,
        period,
        totals,
        Table::from_frame(COLUMNS, &frame)?,
    ))
}

/// The data of the tables, as the input of [`compute`].
struct Loaded {
    /// In order of login, as they were before the first date.
    people: DataFrame,
    /// The changes of users on the dates.
    changes: DataFrame,
    openings: DataFrame,
    days: DataFrame,
}

fn people_sql(query: &Query, on: Option<BusinessDate>) -> String {
    format!(
        "FROM ({}) WHERE role <> 'service' ORDER BY login",
        users::users(on, query.user)
    )
}

const NO_CHANGES: &str =
    "SELECT DATE '1970-01-01' AS date, user_id, full_name AS new_name, role AS new_role,
    active AS new_active FROM users WHERE false";

const NO_OPENINGS: &str = "SELECT user_id, 0::BIGINT AS opening FROM users WHERE false";

fn openings_sql(query: &Query, from: BusinessDate) -> String {
    format!(
        "SELECT user_id, sum(rewards - fees + corrections - payout)::BIGINT AS opening FROM user_days
        WHERE business_date < DATE '{from}' AND {} GROUP BY user_id",
        of_user("user_id", query.user),
    )
}

/// All entries since the founding, under one date that stands for now.
fn current_sql(query: &Query) -> String {
    format!(
        "SELECT DATE '1970-01-01' AS date, user_id, sum(fees)::BIGINT AS fees, sum(rewards)::BIGINT AS rewards,
            sum(corrections)::BIGINT AS corrections, sum(payout)::BIGINT AS payout
        FROM user_days WHERE {} GROUP BY user_id",
        of_user("user_id", query.user),
    )
}

fn days_sql(query: &Query, from: BusinessDate, to: BusinessDate) -> String {
    format!(
        "SELECT business_date AS date, user_id, fees, rewards, corrections, payout FROM user_days WHERE {} AND {}",
        dated(
            "business_date",
            DateRange {
                from: Some(from),
                to: Some(to)
            }
        ),
        of_user("user_id", query.user),
    )
}

/// One row for each date and user, in this order.
fn compute(loaded: &Loaded, dates: &[BusinessDate]) -> PolarsResult<DataFrame> {
    let opened = join(
        loaded.people.clone().lazy(),
        loaded.openings.clone().lazy(),
        &["user_id"],
    )
    .with_column(col("opening").fill_null(lit(0_i64)).alias("before"))
    .drop(polars::prelude::cols(["opening"]))
    .with_row_index("user", None)
    .collect()?;
    let grid = join(
        grid(&opened, dates)?.lazy(),
        loaded.changes.clone().lazy(),
        &["date", "user_id"],
    );
    let change = col("rewards") - col("fees") + col("corrections") - col("payout");
    let balance = col("change").cum_sum(false).over([col("user")])? + col("before");
    join(grid, loaded.days.clone().lazy(), &["date", "user_id"])
        .sort(["date", "user"], Default::default())
        .with_columns([
            since("new_name", "name")?,
            since("new_role", "role")?,
            since("new_active", "active")?,
        ])
        .with_columns(SUMS.map(|name| col(name).fill_null(lit(0_i64))))
        .with_column(change.alias("change"))
        .with_column(balance.alias("balance"))
        .with_column((col("balance") - col("change")).alias("opening"))
        .collect()
}

/// The value of each date after the last change; before the first change, the value of `name`.
fn since(changed: &str, name: &str) -> PolarsResult<Expr> {
    let last = col(changed)
        .fill_null_with_strategy(FillNullStrategy::Forward(None))
        .over([col("user")])?;
    Ok(last.fill_null(col(name)).alias(name))
}

fn join(left: LazyFrame, right: LazyFrame, on: &[&str]) -> LazyFrame {
    let on: Vec<_> = on.iter().map(|name| col(*name)).collect();
    left.join(right, &on, &on, JoinArgs::new(JoinType::Left))
}

/// All users for the first date, then all for the second, and so on.
fn grid(users: &DataFrame, dates: &[BusinessDate]) -> PolarsResult<DataFrame> {
    let height = IdxSize::try_from(users.height()).expect("fewer than 2^32 users");
    let rows: Vec<IdxSize> = dates.iter().flat_map(|_| 0..height).collect();
    let days: Vec<i32> = dates
        .iter()
        .flat_map(|date| std::iter::repeat_n(date.epoch_days(), users.height()))
        .collect();
    let mut grid = users.take(&IdxCa::from_slice("".into(), &rows))?;
    grid.with_column(Series::new("date".into(), days).into_column())?;
    Ok(grid)
}

/// Adds to each row whether its date is closed; without dates both are absent.
fn with_dates(
    mut frame: DataFrame,
    dates: Option<&[BusinessDate]>,
    source: &Source<'_>,
) -> PolarsResult<DataFrame> {
    let height = frame.height();
    let closed: Column = if dates.is_some() {
        let closed = |day| source.is_closed(BusinessDate::from_epoch_days(day));
        let flags: Vec<Option<bool>> = frame
            .column("date")?
            .i32()?
            .iter()
            .map(|day| day.map(closed))
            .collect();
        Series::new("closed".into(), flags).into_column()
    } else {
        frame.with_column(Series::new("date".into(), vec![None::<i32>; height]).into_column())?;
        Series::new("closed".into(), vec![None::<bool>; height]).into_column()
    };
    frame.with_column(closed)?;
    Ok(frame)
}

/// Opening of the first date, balance of the last, and the sums in between.
fn totals(frame: &DataFrame, users: usize) -> Result<Vec<Named>, ReportError> {
    let edge = |name: &str, from: usize| -> Result<i64, ReportError> {
        Ok(frame
            .column(name)?
            .i64()?
            .iter()
            .skip(from)
            .take(users)
            .flatten()
            .sum())
    };
    let mut totals = vec![("opening", Value::minor(edge("opening", 0)?))];
    totals.extend(money_totals(frame, &SUMS)?);
    totals.push((
        "balance",
        Value::minor(edge("balance", frame.height().saturating_sub(users))?),
    ));
    Ok(totals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balance_runs_from_the_opening_over_dates_without_entries() {
        let people = polars::df!(
            "user_id" => ["u1", "u2"], "login" => ["anna", "boris"], "name" => ["Anna", "Boris"],
            "role" => ["worker", "worker"], "active" => [false, true]
        )
        .unwrap();
        let changes = polars::df!(
            "date" => [12_i32, 11], "user_id" => ["u2", "u1"], "new_name" => ["Boris", "Anna B."],
            "new_role" => ["manager", "worker"], "new_active" => [false, true]
        )
        .unwrap();
        let openings = polars::df!("user_id" => ["u2"], "opening" => [-500_i64]).unwrap();
        let days = polars::df!(
            "date" => [12_i32, 10], "user_id" => ["u2", "u1"], "fees" => [100_i64, 0], "rewards" => [900_i64, 700],
            "corrections" => [0_i64, 50], "payout" => [300_i64, 0]
        )
        .unwrap();
        let dates: Vec<BusinessDate> = (10..13).map(BusinessDate::from_epoch_days).collect();
        let frame = compute(
            &Loaded {
                people,
                changes,
                openings,
                days,
            },
            &dates,
        )
        .unwrap();
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
        assert_eq!(of("balance"), [750, -500, 750, -500, 750, 0]);
        assert_eq!(of("opening"), [0, -500, 750, -500, 750, -500]);
        let of = |name: &str| {
            frame
                .column(name)
                .unwrap()
                .str()
                .unwrap()
                .iter()
                .flatten()
                .collect::<Vec<_>>()
        };
        assert_eq!(
            of("name"),
            ["Anna", "Boris", "Anna B.", "Boris", "Anna B.", "Boris"]
        );
        assert_eq!(
            of("role"),
            ["worker", "worker", "worker", "worker", "worker", "manager"]
        );
        let active: Vec<_> = frame
            .column("active")
            .unwrap()
            .bool()
            .unwrap()
            .iter()
            .flatten()
            .collect();
        assert_eq!(active, [false, true, true, true, true, false]);
    }
}
