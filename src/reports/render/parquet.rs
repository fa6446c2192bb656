//! Parquet with real types: money as DECIMAL(18,2), dates, and timestamps in microseconds UTC.
//!
//! Text is a plain UTF-8 string to every reader. Polars describes its columns in the types of its own memory beside
//! Parquet's, and there text is a `string_view`: older readers of Arrow cannot open such a file, newer ones cannot
//! filter, sort or join by such a column. So that description is left out; Parquet's own types say everything.

use std::fs::File;
use std::io::Write;
use std::sync::PoisonError;

use polars::prelude::{
    Column, DataFrame, DataType, IntoColumn, KeyValueMetadata, ParquetReader, ParquetWriter,
    PolarsResult, SerReader, TimeUnit, TimeZone,
};

use crate::reports::error::ReportError;
use crate::reports::table::{ColumnKind, Report};

const MONEY_DIGITS: usize = 18;

const ROW_GROUP_ROWS: usize = 1 << 18;

/// # Errors
/// [`ReportError::Frames`]: an amount of more than 18 digits, or `out` fails.
pub fn write(report: &Report, out: &mut dyn Write) -> Result<(), ReportError> {
    let kinds = report.table.columns().iter().map(|(_, kind)| *kind);
    let columns = kinds.zip(report.table.frame().columns());
    let typed: Vec<Column> = columns
        .map(|(kind, column)| typed(kind, column))
        .collect::<PolarsResult<_>>()?;
    let mut frame = DataFrame::new(report.table.height(), typed)?;
    frame.rechunk_mut();
    let mut writer = ParquetWriter::new(out).batched(frame.schema())?;
    for first in (0..frame.height()).step_by(ROW_GROUP_ROWS) {
        writer.write_batch(&frame.slice(first as i64, ROW_GROUP_ROWS))?;
    }
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

/// The names of the columns of a file; `None` if it is no Parquet file.
pub fn columns(file: File) -> Option<Vec<String>> {
    let schema = ParquetReader::new(file).schema().ok()?;
    Some(schema.iter_names().map(|name| name.to_string()).collect())
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
        ColumnKind::Money => {
            let minor = column.cast(&DataType::Int128)?;
            let series = minor.as_materialized_series().clone();
            Ok(series.into_decimal(MONEY_DIGITS, 2)?.into())
        }
    }
}
