//! A report beside the same report of another period: the difference of every total, and of the main figure of every row.

use std::collections::HashMap;

use polars::prelude::{Column, DataFrame, PolarsResult};

use crate::domain::period::DateRange;
use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::name::ReportName;
use crate::reports::table::ColumnKind::{Money, Tenths};
use crate::reports::table::{Cell, Named, Table, Value};

/// The other period, and its totals beside those of the report.
#[derive(Clone, Debug)]
pub struct Versus {
    pub period: DateRange,
    pub totals: Vec<Named>,
    /// This report's total less the other's.
    pub difference: Vec<Named>,
    /// The difference as a percentage of the other's total; null if that is zero.
    pub percent: Vec<Named>,
}

/// The main figure of a report's rows, and the columns by which a row is found in the other period. Dates and periods are
/// matched by their place, so they are no key.
const fn figure(name: ReportName) -> Option<(&'static str, Option<&'static str>)> {
    match name {
        ReportName::Earnings => Some(("earned", None)),
        ReportName::Balances => Some(("balance", Some("login"))),
        ReportName::Pay => Some(("paid", Some("login"))),
        _ => None,
    }
}

/// Adds the columns `vs`, `difference` and `percent` to the rows, and the totals of `other`.
///
/// # Errors
/// [`ReportError::NoOption`] for a report that cannot be compared.
pub fn compare(name: ReportName, report: Report, other: &Report) -> Result<Report, ReportError> {
    if !name.takes_versus() {
        return Err(ReportError::NoOption(name.name(), "--vs"));
    }
    let table = match figure(name) {
        Some((figure, key)) => with_columns(&report.table, &other.table, figure, key)?,
        None => report.table,
    };
    Ok(Report {
        versus: Some(versus(&report.totals, other)),
        table,
        ..report
    })
}

fn with_columns(
    table: &Table,
    other: &Table,
    figure: &str,
    key: Option<&str>,
) -> PolarsResult<Table> {
    let theirs: HashMap<_, _> = keyed(other.frame(), figure, key)?.into_iter().collect();
    let ours = keyed(table.frame(), figure, key)?;
    let pairs: Vec<(i64, Option<i64>)> = ours
        .into_iter()
        .map(|(key, value)| (value, theirs.get(&key).copied()))
        .collect();
    let mut frame = table.frame().clone();
    let column = |of: &dyn Fn(i64, i64) -> Option<i64>| -> Vec<Option<i64>> {
        let values = pairs.iter();
        values.map(|(value, other)| of(*value, (*other)?)).collect()
    };
    frame.with_column(Column::new("vs".into(), column(&|_, other| Some(other))))?;
    frame.with_column(Column::new(
        "difference".into(),
        column(&|value, other| value.checked_sub(other)),
    ))?;
    frame.with_column(Column::new("percent".into(), column(&percent)))?;
    let added = [("vs", Money), ("difference", Money), ("percent", Tenths)];
    Table::from_frame(&[table.columns(), &added].concat(), &frame)
}

/// A login and the number of rows with that login so far.
type Key<'a> = (Option<&'a str>, usize);

/// Each row's figure under its key.
fn keyed<'a>(
    frame: &'a DataFrame,
    figure: &str,
    key: Option<&str>,
) -> PolarsResult<Vec<(Key<'a>, i64)>> {
    let keys: Vec<Option<&str>> = match key {
        Some(key) => frame.column(key)?.str()?.iter().collect(),
        None => vec![None; frame.height()],
    };
    let mut seen: HashMap<Option<&str>, usize> = HashMap::new();
    let values = frame.column(figure)?.i64()?.iter();
    Ok(keys
        .into_iter()
        .zip(values)
        .map(|(key, value)| {
            let before = seen.entry(key).or_default();
            *before += 1;
            ((key, *before), value.unwrap_or(0))
        })
        .collect())
}

fn versus(totals: &[Named], other: &Report) -> Versus {
    let with = |of: fn(&Value, &Value) -> Value| -> Vec<Named> {
        let totals = totals.iter().zip(&other.totals);
        totals
            .map(|((name, ours), (_, theirs))| (*name, of(ours, theirs)))
            .collect()
    };
    Versus {
        period: other.period,
        totals: other.totals.clone(),
        difference: with(|ours, theirs| match (ours, theirs) {
            (Cell::Money(ours), Cell::Money(theirs)) => Cell::Money(*ours - *theirs),
            (Cell::Int(ours), Cell::Int(theirs)) => Cell::Int(ours - theirs),
            _ => Cell::Null,
        }),
        percent: with(|ours, theirs| {
            let percent = match (ours, theirs) {
                (Cell::Money(ours), Cell::Money(theirs)) => percent(ours.minor(), theirs.minor()),
                (Cell::Int(ours), Cell::Int(theirs)) => percent(*ours, *theirs),
                _ => None,
            };
            percent.map_or(Cell::Null, Cell::Tenths)
        }),
    }
}

/// The change from `other` to `value` in tenths of a percent of the size of `other`, rounded away from zero at half.
fn percent(value: i64, other: i64) -> Option<i64> {
    let difference = i128::from(value) - i128::from(other);
    let size = i128::from(other.unsigned_abs());
    if size == 0 {
        return None;
    }
    let rounded = (difference.abs() * 2000 + size) / (2 * size);
    i64::try_from(rounded * difference.signum()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_that_of_the_size_of_the_other_value() {
        for (value, other, tenths) in [
            (150, 100, Some(500)),
            (50, 100, Some(-500)),
            (-150, -100, Some(-500)),
            (100, -100, Some(2000)),
            (7, 7, Some(0)),
            (0, 3, Some(-1000)),
            (4, 3, Some(333)),
            (1_000_001, 1_000_000, Some(0)),
            (5, 0, None),
            (i64::MAX, 1, None),
        ] {
            assert_eq!(percent(value, other), tenths, "{value} {other}");
        }
    }

    #[test]
    fn rows_are_matched_by_login_and_by_their_place() {
        let table = |logins: &[&str], balances: &[i64]| {
            let frame = polars::df!("login" => logins, "balance" => balances).unwrap();
            Table::from_frame(
                &[
                    ("login", crate::reports::table::ColumnKind::Text),
                    ("balance", Money),
                ],
                &frame,
            )
            .unwrap()
        };
        let ours = table(&["anna", "boris", "anna", "vera"], &[100, 200, 300, 5]);
        let theirs = table(&["boris", "anna", "dora"], &[50, 80, 1]);
        let joined = with_columns(&ours, &theirs, "balance", Some("login")).unwrap();
        let of = |name: &str| -> Vec<Option<i64>> {
            joined
                .frame()
                .column(name)
                .unwrap()
                .i64()
                .unwrap()
                .iter()
                .collect()
        };
        assert_eq!(of("vs"), [Some(80), Some(50), None, None]);
        assert_eq!(of("difference"), [Some(20), Some(150), None, None]);
        assert_eq!(of("percent"), [Some(250), Some(3000), None, None]);
        let joined = with_columns(&ours, &theirs, "balance", None).unwrap();
        let vs: Vec<_> = joined
            .frame()
            .column("vs")
            .unwrap()
            .i64()
            .unwrap()
            .iter()
            .collect();
        assert_eq!(vs, [Some(50), Some(80), Some(1), None]);
    }
}
