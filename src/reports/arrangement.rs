//! The columns, the order and the number of rows that a reader wants; the totals stay those of all rows.
//!
//! Rows in memory are sorted there. The rows of a report of more than one page go through a temporary table of DuckDB,
//! which moves to disk what does not fit into memory.

use duckdb::Connection;
use polars::prelude::SortMultipleOptions;

use crate::reports::error::ReportError;
use crate::reports::pages::{PAGE_ROWS, Pages};
use crate::reports::table::{ColumnKind, Table};
use crate::reports::{Arranged, Report};

/// The choice of a reader; by default the report as it is.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Arrangement {
    /// The columns in their order; empty for all.
    pub columns: Vec<String>,
    /// The first key decides; rows that are equal in all keys keep the order of the report.
    pub sort: Vec<SortKey>,
    /// The most rows.
    pub limit: Option<usize>,
}

/// A column by which rows are sorted. Absent values are last in both directions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SortKey {
    pub column: String,
    pub is_descending: bool,
}

type Columns = [(&'static str, ColumnKind)];

/// An arrangement of known columns.
struct Plan {
    columns: Vec<(&'static str, ColumnKind)>,
    /// Column and whether it descends.
    keys: Vec<(&'static str, bool)>,
    limit: Option<usize>,
}

impl Arrangement {
    pub fn is_default(&self) -> bool {
        *self == Arrangement::default()
    }

    /// Arranges a report that is read from `connection`, or is in memory.
    ///
    /// # Errors
    /// [`ReportError::UnknownColumn`], [`ReportError::ColumnTwice`], or if the rows cannot be sorted.
    pub fn apply(
        &self,
        report: Report,
        connection: Option<&Connection>,
    ) -> Result<Report, ReportError> {
        if self.is_default() {
            return Ok(report);
        }
        let plan = self.plan(report.table.columns())?;
        let all = report.height();
        let kept = plan.limit.map_or(all, |limit| limit.min(all));
        let is_within_first_page = plan.keys.is_empty() && kept <= report.table.height();
        let (table, pages) = match connection {
            Some(connection) if report.pages.rows() > 0 && !is_within_first_page => {
                plan.through_tables(&report.pages, kept, connection)?
            }
            _ => (plan.in_memory(&report.table)?, Pages::default()),
        };
        let is_left_out = |name: &&'static str| plan.columns.iter().all(|(kept, _)| kept != name);
        let names = report.table.columns().iter().map(|(name, _)| *name);
        let arranged = Arranged {
            has_chosen: !self.columns.is_empty(),
            left_out: names.filter(is_left_out).collect(),
            rows_left_out: all - kept,
        };
        Ok(Report {
            table,
            pages,
            arranged,
            ..report
        })
    }

    fn plan(&self, columns: &Columns) -> Result<Plan, ReportError> {
        let find = |name: &String| {
            let found = columns.iter().find(|(column, _)| column == name);
            found.copied().ok_or_else(|| ReportError::UnknownColumn {
                name: name.clone(),
                columns: columns.iter().map(|(column, _)| *column).collect(),
            })
        };
        let chosen: Vec<_> = self.columns.iter().map(find).collect::<Result<_, _>>()?;
        if let Some(twice) = (1..chosen.len()).find(|at| chosen[..*at].contains(&chosen[*at])) {
            return Err(ReportError::ColumnTwice(chosen[twice].0));
        }
        let keys = self.sort.iter().map(|key| {
            let (name, _) = find(&key.column)?;
            Ok((name, key.is_descending))
        });
        Ok(Plan {
            columns: if chosen.is_empty() {
                columns.to_vec()
            } else {
                chosen
            },
            keys: keys.collect::<Result<_, ReportError>>()?,
            limit: self.limit,
        })
    }
}

const GATHERED: &str = "gathered_rows";
const SORTED: &str = "sorted_rows";

impl Plan {
    fn in_memory(&self, table: &Table) -> Result<Table, ReportError> {
        let options = SortMultipleOptions::default()
            .with_maintain_order(true)
            .with_nulls_last(true)
            .with_order_descending_multi(self.keys.iter().map(|(_, is_descending)| *is_descending));
        let names: Vec<_> = self.keys.iter().map(|(name, _)| *name).collect();
        let frame = if names.is_empty() {
            table.frame().clone()
        } else {
            table.frame().sort(names, options)?
        };
        let rows = self.limit.unwrap_or(frame.height());
        Ok(Table::from_frame(&self.columns, &frame.head(Some(rows)))?)
    }

    /// Copies the pages into a temporary table, sorts it, and divides it into pages again.
    fn through_tables(
        &self,
        pages: &Pages,
        rows: usize,
        connection: &Connection,
    ) -> Result<(Table, Pages), ReportError> {
        self.gather(pages, connection)?;
        let table = if self.keys.is_empty() {
            GATHERED
        } else {
            let keys = self.keys.iter().map(|(name, is_descending)| {
                let order = if *is_descending { "DESC" } else { "ASC" };
                format!("\"{name}\" {order} NULLS LAST, ")
            });
            connection.execute_batch(&format!(
                "CREATE TEMP TABLE {SORTED} AS FROM {GATHERED} ORDER BY {}rowid{};
                DROP TABLE {GATHERED}",
                keys.collect::<String>(),
                limited(self.limit),
            ))?;
            SORTED
        };
        let names = quoted(self.columns.iter().map(|(name, _)| *name));
        let starts: Vec<usize> = (0..rows).step_by(PAGE_ROWS).collect();
        Pages::begin(connection, &self.columns, starts, rows, |start| {
            let end = (start + PAGE_ROWS).min(rows);
            format!(
                "SELECT {names} FROM {table} WHERE rowid >= {start} AND rowid < {end} ORDER BY rowid"
            )
        })
    }

    /// All rows of the pages in their order, with the columns that are shown or sorted by.
    fn gather(&self, pages: &Pages, connection: &Connection) -> Result<(), ReportError> {
        let mut names: Vec<_> = self.columns.iter().map(|(name, _)| *name).collect();
        let keys = self.keys.iter().map(|(name, _)| *name);
        keys.for_each(|key| {
            if !names.contains(&key) {
                names.push(key);
            }
        });
        let names = quoted(names.into_iter());
        let mut room = self.limit.filter(|_| self.keys.is_empty());
        for (number, query) in pages.queries().iter().enumerate() {
            if room == Some(0) {
                break;
            }
            let begin = if number == 0 {
                format!("CREATE TEMP TABLE {GATHERED} AS")
            } else {
                format!("INSERT INTO {GATHERED}")
            };
            let sql = format!("{begin} SELECT {names} FROM ({query}){}", limited(room));
            let added = connection.execute(&sql, [])?;
            room = room.map(|room| room.saturating_sub(added));
        }
        Ok(())
    }
}

/// The clause for at most `rows` rows.
fn limited(rows: Option<usize>) -> String {
    rows.map_or_else(String::new, |rows| format!(" LIMIT {rows}"))
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.map(|name| format!("\"{name}\"")).collect();
    names.join(", ")
}
