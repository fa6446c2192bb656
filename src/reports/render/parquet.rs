//! Parquet with real types: money as DECIMAL(18,2), tenths as DECIMAL(18,1), dates, and timestamps in microseconds UTC.
//!
//! Text is a plain UTF-8 string for every reader. Beside Parquet's own types Polars would describe
//! the columns in the types of its memory, in which text is a `string_view`: older readers of Arrow
//! cannot open such a file, newer ones cannot filter, sort or join by such a column. So that
//! description is left out; Parquet's own types are enough.

use std::io::Write;
use std::sync::PoisonError;

use polars::prelude::{
    Column, DataFrame, DataType, IntoColumn, KeyValueMetadata, ParquetWriter, PolarsResult,
    TimeUnit, TimeZone,
};

use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::table::{ColumnKind, Table};

const DIGITS: usize = 18;

/// # Errors
/// [`ReportError::Frames`]: an amount of more than 18 digits, or `out` fails.
pub(super) fn write(report: &Report, out: &mut dyn Write) -> Result<(), ReportError> {
    let mut writer = ParquetWriter::new(out).batched(typed_frame(&report.table)?.schema())?;
    report.each_page(|table| Ok(writer.write_batch(&typed_frame(table)?)?))?;
    let version = ("popug-cli".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    if let KeyValueMetadata::Static(pairs) = KeyValueMetadata::from_static(vec![version]) {
        writer
            .get_writer()
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .end(Some(pairs))?;
    }
    Ok(())
}

/// The rows of a page, which become a row group.
fn typed_frame(table: &Table) -> PolarsResult<DataFrame> {
    let kinds = table.columns().iter().map(|(_, kind)| *kind);
    let columns = kinds.zip(table.frame().columns());
    let typed: Vec<Column> = columns
        .map(|(kind, column)| typed(kind, column))
        .collect::<PolarsResult<_>>()?;
    let mut frame = DataFrame::new(table.height(), typed)?;
    frame.rechunk_mut();
    Ok(frame)
}

fn typed(kind: ColumnKind, column: &Column) -> PolarsResult<Column> {
    match kind {
        ColumnKind::Text | ColumnKind::Int | ColumnKind::Bool => Ok(column.clone()),
        ColumnKind::Date => column.cast(&DataType::Date),
        ColumnKind::Time => {
            let micros = column.i64()?.clone();
            Ok(micros
                .into_datetime(TimeUnit::Microseconds, Some(TimeZone::UTC))
                .into_column())
        }
        ColumnKind::Money => decimal(column, 2),
        ColumnKind::Tenths => decimal(column, 1),
    }
}

/// Whole numbers as decimals with `places` decimal places.
fn decimal(column: &Column, places: usize) -> PolarsResult<Column> {
    let whole = column.cast(&DataType::Int128)?;
    let series = whole.as_materialized_series().clone();
    Ok(series.into_decimal(DIGITS, places)?.into())
}
