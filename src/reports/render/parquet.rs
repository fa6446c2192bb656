//! Parquet with real types: money as DECIMAL(18,2), dates, and timestamps in microseconds UTC.

use std::io::Write;

use polars::prelude::{Column, DataFrame, DataType, IntoColumn, ParquetWriter, PolarsResult, TimeUnit, TimeZone};

use crate::reports::error::ReportError;
use crate::reports::table::{ColumnKind, Report};

const MONEY_DIGITS: usize = 18;

/// # Errors
/// [`ReportError::Frames`]: an amount of more than 18 digits, or `out` fails.
pub fn write(report: &Report, out: &mut dyn Write) -> Result<(), ReportError> {
    let kinds = report.table.columns().iter().map(|(_, kind)| *kind);
    let columns = kinds.zip(report.table.frame().columns());
    let typed: Vec<Column> = columns.map(|(kind, column)| typed(kind, column)).collect::<PolarsResult<_>>()?;
    let mut frame = DataFrame::new(report.table.height(), typed)?;
    ParquetWriter::new(out).finish(&mut frame)?;
    Ok(())
}

fn typed(kind: ColumnKind, column: &Column) -> PolarsResult<Column> {
    match kind {
        ColumnKind::Text | ColumnKind::Int | ColumnKind::Bool => Ok(column.clone()),
        ColumnKind::Date => column.cast(&DataType::Date),
        ColumnKind::Time => {
            let micros = column.i64()?.clone();
            Ok(micros.into_datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)).into_column())
        }
        ColumnKind::Money => {
            let minor = column.cast(&DataType::Int128)?;
            let series = minor.as_materialized_series().clone();
            Ok(series.into_decimal(MONEY_DIGITS, 2)?.into())
        }
    }
}
