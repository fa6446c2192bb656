//! `pay`: the pay sheet of a period, one row for each user: the balance brought in, the sums of the period, and the
//! balance carried out.
//!
//! The sums come from the days of the users, the carried balance from the entries themselves, so that the check can fail.

use duckdb::Connection;
use polars::prelude::{DataFrame, PolarsResult};

use crate::domain::money::Money;
use crate::domain::period::DateRange;
use crate::domain::time::BusinessDate;
use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::query::{Query, dated, of_user};
use crate::reports::source::{Source, count_totals, money_totals};
use crate::reports::table::ColumnKind::{Bool, Int, Money as Minor, Text};
use crate::reports::table::{ColumnKind, Named, Table, Value};
use crate::reports::users;

const COLUMNS: &[(&str, ColumnKind)] = &[
    ("user_id", Text),
    ("login", Text),
    ("name", Text),
    ("role", Text),
    ("active", Bool),
    ("opening", Minor),
    ("fees", Minor),
    ("rewards", Minor),
    ("corrections", Minor),
    ("paid", Minor),
    ("payouts_count", Int),
    ("carried", Minor),
];
/// The columns with the figures of a user.
pub const FIGURES: [&str; 7] = [
    "opening",
    "fees",
    "rewards",
    "corrections",
    "paid",
    "payouts_count",
    "carried",
];

/// Reads accounting's tables. Name, role and activity are those at the end of the period.
pub fn load(connection: &Connection, query: &Query) -> Result<Report, ReportError> {
    let source = Source::open(connection)?;
    let (from, to) = query.range_or_month(source.first_date);
    let period = DateRange {
        from: Some(from),
        to: Some(to),
    };
    let figures = [
        source.load(&sums_sql(from, to, query))?,
        source.load(&carried_sql(to, query))?,
    ];
    let frame = users::with_figures(&source, to, query.user, &figures, &FIGURES)?;
    let mut totals = money_totals(&frame, &FIGURES[..5])?;
    totals.extend(count_totals(&frame, &["payouts_count"])?);
    totals.extend(money_totals(&frame, &["carried"])?);
    let (adds_up, check) = check(&frame, &totals)?;
    let table = Table::from_frame(COLUMNS, &frame)?;
    let mut report = source.report("pay", query, period, totals, table);
    report.beside = vec![("check", Value::Text(check))];
    report.adds_up = adds_up;
    Ok(report)
}

fn sums_sql(from: BusinessDate, to: BusinessDate, query: &Query) -> String {
    let since = format!("FILTER (business_date >= DATE '{from}')");
    let sum =
        |what: &str, name: &str| format!("coalesce(sum({what}) {since}, 0)::BIGINT AS {name}");
    format!(
        "SELECT user_id,
            coalesce(sum(rewards - fees + corrections - payout) FILTER (business_date < DATE '{from}'), 0)::BIGINT
                AS opening,
            {}, {}, {}, {}, count(*) FILTER (business_date >= DATE '{from}' AND payout > 0) AS payouts_count
        FROM user_days WHERE business_date <= DATE '{to}' AND {} GROUP BY user_id",
        sum("fees", "fees"),
        sum("rewards", "rewards"),
        sum("corrections", "corrections"),
        sum("payout", "paid"),
        of_user("user_id", query.user),
    )
}

fn carried_sql(to: BusinessDate, query: &Query) -> String {
    let until = DateRange {
        from: None,
        to: Some(to),
    };
    format!(
        "SELECT user_id, sum(amount)::BIGINT AS carried FROM entries WHERE {} AND {} GROUP BY user_id",
        dated("business_date", until),
        of_user("user_id", query.user),
    )
}

/// Whether every row adds up, and the sum of all rows in words.
fn check(frame: &DataFrame, totals: &[Named]) -> PolarsResult<(bool, String)> {
    let figures = [
        "opening",
        "rewards",
        "fees",
        "corrections",
        "paid",
        "carried",
    ];
    let columns: Vec<Vec<i64>> = figures
        .iter()
        .map(|name| Ok(frame.column(name)?.i64()?.iter().flatten().collect()))
        .collect::<PolarsResult<_>>()?;
    let of_row = |row: usize| -> [i64; 6] { std::array::from_fn(|place| columns[place][row]) };
    let adds_up = |[opening, rewards, fees, corrections, paid, carried]: [i64; 6]| {
        opening + rewards - fees + corrections - paid == carried
    };
    let total = |name: &str| {
        let found = totals.iter().find(|(total, _)| *total == name);
        match found {
            Some((_, Value::Money(money))) => *money,
            _ => Money::ZERO,
        }
    };
    let [opening, rewards, fees, corrections, paid, carried] = figures.map(total);
    let is_right = (0..frame.height()).all(|row| adds_up(of_row(row)));
    let sign = if is_right { "=" } else { "is not" };
    let check = format!("{opening} + {rewards} - {fees} + {corrections} - {paid} {sign} {carried}");
    Ok((is_right, check))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_does_not_add_up_is_a_finding_even_if_the_sums_are_right() {
        let sheet = |carried: [i64; 2]| {
            let zeros = [0_i64, 0];
            polars::df!(
                "opening" => [-500_i64, 0], "rewards" => [2000_i64, 700], "fees" => [1000_i64, 0],
                "corrections" => [50_i64, 0], "paid" => zeros, "carried" => carried
            )
            .unwrap()
        };
        let totals = |frame: &DataFrame| {
            let names = [
                "opening",
                "rewards",
                "fees",
                "corrections",
                "paid",
                "carried",
            ];
            money_totals(frame, &names).unwrap()
        };
        let right = sheet([550, 700]);
        let (adds_up, said) = check(&right, &totals(&right)).unwrap();
        assert!(adds_up);
        assert_eq!(said, "-5.00 + 27.00 - 10.00 + 0.50 - 0.00 = 12.50");
        let wrong = sheet([700, 550]);
        let (adds_up, said) = check(&wrong, &totals(&wrong)).unwrap();
        assert!(!adds_up && said.contains(" is not "), "{said}");
    }
}
