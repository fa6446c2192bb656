//! `negative`: the users with a negative balance, deepest first, and since when.

use duckdb::Connection;
use polars::prelude::{
    DataFrame, IntoLazy, JoinArgs, JoinType, PolarsResult, SortMultipleOptions, col, lit,
};

use crate::domain::period::DateRange;
use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::query::{Query, dated, of_user};
use crate::reports::source::{Source, sum};
use crate::reports::table::ColumnKind::{Bool, Date, Money, Text};
use crate::reports::table::{ColumnKind, Table, Value};
use crate::reports::users;

const COLUMNS: &[(&str, ColumnKind)] = &[
    ("date", Date),
    ("user_id", Text),
    ("login", Text),
    ("name", Text),
    ("role", Text),
    ("active", Bool),
    ("balance", Money),
    ("in_red_since", Date),
];

/// Reads the tables of analytics. A range means the end of its last date; name, role and activity
/// are those of that date.
pub fn load(connection: &Connection, query: &Query) -> Result<Report, ReportError> {
    let source = Source::open(connection)?;
    let at = query.dates.period().to;
    let until = DateRange { from: None, to: at };
    let of_user = of_user("user_id", query.user);
    let changes = source.load(&format!(
        "WITH red AS (
            SELECT user_id FROM user_days WHERE {condition} GROUP BY user_id
            HAVING sum(rewards - fees + corrections - payout) < 0)
        SELECT user_id, business_date AS date, rewards - fees + corrections - payout AS change
        FROM user_days WHERE user_id IN (SELECT user_id FROM red) AND {condition}",
        condition = format_args!("{} AND {of_user}", dated("business_date", until)),
    ))?;
    let users = source.load(&users::users(at, query.user))?;
    let mut frame = compute(&changes, &users)?;
    let day = at.map(|date| date.epoch_days());
    frame.with_column(polars::prelude::Column::new(
        "date".into(),
        vec![day; frame.height()],
    ))?;
    let count = i64::try_from(frame.height()).expect("rows fit");
    let totals = vec![
        ("popugs_negative", Value::Int(count)),
        ("debt_carried", Value::minor(-sum(&frame, "balance")?)),
    ];
    Ok(source.report(
        "negative",
        query,
        DateRange { from: at, to: at },
        totals,
        Table::from_frame(COLUMNS, &frame)?,
    ))
}

/// `changes` are those of users with a negative balance at the end. The debt begins with the first
/// date after the last one that ended at zero or above.
fn compute(changes: &DataFrame, users: &DataFrame) -> PolarsResult<DataFrame> {
    let balance = col("change").cum_sum(false).over([col("user_id")])?;
    let days = changes
        .clone()
        .lazy()
        .sort(["user_id", "date"], SortMultipleOptions::default())
        .with_column(balance.alias("balance"));
    let on = [col("user_id")];
    let last_good = days
        .clone()
        .filter(col("balance").gt_eq(lit(0_i64)))
        .group_by(&on)
        .agg([col("date").max().alias("last_good")]);
    days.join(last_good, &on, &on, JoinArgs::new(JoinType::Left))
        .filter(
            col("last_good")
                .is_null()
                .or(col("date").gt(col("last_good"))),
        )
        .sort(["user_id", "date"], SortMultipleOptions::default())
        .group_by(&on)
        .agg([
            col("date").min().alias("in_red_since"),
            col("balance").last(),
        ])
        .join(
            users.clone().lazy(),
            &on,
            &on,
            JoinArgs::new(JoinType::Left),
        )
        .with_column(col("login").fill_null(col("user_id")))
        .sort(["balance", "login"], SortMultipleOptions::default())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_below_zero_begins_after_the_last_good_date() {
        let changes = polars::df!(
            "user_id" => ["u", "u", "u", "u", "v"], "date" => [1_i32, 2, 3, 5, 4], "change" => [-5_i64, 5, -7, 1, -6]
        )
        .unwrap();
        let users = polars::df!(
            "user_id" => ["u", "v"], "login" => ["anna", "boris"], "name" => ["Анна", "Борис"],
            "role" => ["worker", "worker"], "active" => [true, false]
        )
        .unwrap();
        let frame = compute(&changes, &users).unwrap();
        let since: Vec<_> = frame
            .column("in_red_since")
            .unwrap()
            .i32()
            .unwrap()
            .iter()
            .flatten()
            .collect();
        let balances: Vec<_> = frame
            .column("balance")
            .unwrap()
            .i64()
            .unwrap()
            .iter()
            .flatten()
            .collect();
        assert_eq!((balances, since), (vec![-6, -6], vec![3, 4]));
    }
}
