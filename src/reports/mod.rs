//! Reports: load (SQL over DuckDB tables), compute (Polars, pure), render.
//!
//! One file per report. A report only reads, and states the last event that its tables include.
//! `app::reports` decides whether the caller may see it.

pub mod arrangement;
pub mod balances;
#[cfg(test)]
mod check;
pub mod closes;
pub mod comparison;
pub mod earnings;
pub mod error;
pub mod flow;
pub mod frame;
pub mod journal;
pub mod name;
pub mod negative;
pub mod pages;
pub mod pay;
pub mod payouts;
pub mod payslip;
pub mod people;
pub mod query;
pub mod render;
pub mod source;
pub mod standouts;
pub mod statement;
pub mod table;
pub mod tasks;
pub mod top_task;
pub mod trial_balance;
pub mod users;

use crate::domain::id::Sequence;
use crate::domain::period::DateRange;
use crate::domain::time::{BusinessDate, Zone};
use comparison::Versus;
use error::ReportError;
use pages::Pages;
use table::{Named, Table};

/// The version of the engine that computes reports.
pub const fn polars_version() -> &'static str {
    polars::VERSION
}

/// The input of every output format: a table with its name, its period and its totals.
#[derive(Debug)]
pub struct Report {
    pub name: &'static str,
    /// The last event up to which the tables behind it are complete.
    pub as_of_sequence: Sequence,
    pub head_sequence: Sequence,
    pub zone: Zone,
    /// The name of the company, above a table.
    pub company: String,
    pub currency: String,
    /// The last closed date.
    pub closed_through: Option<BusinessDate>,
    pub period: DateRange,
    /// The words in which the period was asked for.
    pub asked: Option<String>,
    pub totals: Vec<Named>,
    /// The same report of another period.
    pub versus: Option<Versus>,
    /// Members that stand beside the rows in JSON and under the table elsewhere.
    pub beside: Vec<Named>,
    /// All rows, or those of the first page.
    pub table: Table,
    pub pages: Pages,
    pub arranged: Arranged,
    /// Whether the sums of the report prove each other; otherwise the books have a fault.
    pub adds_up: bool,
}

/// The traces of the columns and rows that a reader chose.
#[derive(Clone, Default, Debug)]
pub struct Arranged {
    /// Whether the reader named the columns.
    pub has_chosen: bool,
    /// The columns that were not named.
    pub left_out: Vec<&'static str>,
    /// The rows beyond the limit.
    pub rows_left_out: usize,
}

impl Report {
    /// A table that is about no consumer and no dates.
    pub fn alone(table: Table) -> Report {
        Report {
            name: "",
            as_of_sequence: Sequence::ZERO,
            head_sequence: Sequence::ZERO,
            zone: Zone::utc(),
            company: String::new(),
            currency: String::new(),
            closed_through: None,
            period: DateRange::default(),
            asked: None,
            totals: Vec::new(),
            versus: None,
            beside: Vec::new(),
            table,
            pages: Pages::default(),
            arranged: Arranged::default(),
            adds_up: true,
        }
    }

    /// The number of rows on all pages.
    pub fn height(&self) -> usize {
        self.table.height() + self.pages.rows()
    }

    /// Runs `write` on the table of every page, in order.
    ///
    /// # Errors
    /// If a page cannot be read, or that of `write`.
    pub fn each_page(
        &self,
        write: impl FnMut(&Table) -> Result<(), ReportError>,
    ) -> Result<(), ReportError> {
        self.pages.each_after(&self.table, write)
    }
}
