//! Errors of making a report.

use std::io;

use crate::store::{Database, StoreError, is_damage};

/// Failures of loading, computing and rendering. The caller's right is checked before a report is
/// loaded.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("the consumer has not read anything yet")]
    NothingConsumed,
    #[error("a statement needs one user")]
    UserMissing,
    #[error("`{0}` is not a report")]
    UnknownReport(String),
    /// The report, and the option.
    #[error("`report {0}` has no {1}")]
    NoOption(&'static str, &'static str),
    #[error("`report {0}` without a period cannot be compared with another one; name a period")]
    NothingToCompare(&'static str),
    #[error("there is no column `{name}`; the columns are {}", columns.join(", "))]
    UnknownColumn {
        name: String,
        columns: Vec<&'static str>,
    },
    #[error("column `{0}` is named twice")]
    ColumnTwice(&'static str),
    #[error("an entry in the tables has the kind `{0}`, which this build does not know")]
    UnknownKind(String),
    #[error("the period ends on {to}, before it begins on {from}")]
    EndBeforeStart {
        from: crate::domain::time::BusinessDate,
        to: crate::domain::time::BusinessDate,
    },
    #[error("no date of the company is in this period; its dates are {first} to {today}")]
    NoDates {
        first: crate::domain::time::BusinessDate,
        today: crate::domain::time::BusinessDate,
    },
    #[error("the time zone `{0}` in the tables is unknown to this build")]
    UnknownZone(String),
    #[error("column `{column}` has the type {found}, which no report reads")]
    ColumnType { column: String, found: String },
    #[error("column `{column}` holds {value}, more than a report can show")]
    TooLarge { column: String, value: u64 },
    #[error("reading the tables: {0}")]
    Tables(#[from] duckdb::Error),
    /// The tables are damaged.
    #[error(transparent)]
    Damaged(StoreError),
    /// A report of more than one page was written after its tables were closed.
    #[error("the tables were closed before the report was written")]
    TablesClosed,
    #[error("computing the report: {0}")]
    Frames(#[from] polars::error::PolarsError),
    #[error("writing the report: {0}")]
    Write(#[from] io::Error),
}

impl ReportError {
    /// This error of reading `database`; damage names its file.
    pub fn met_in(self, database: &Database) -> ReportError {
        match self {
            ReportError::Tables(source) if is_damage(&source) => {
                ReportError::Damaged(database.failed("read")(source))
            }
            other => other,
        }
    }
}
