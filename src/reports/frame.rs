//! Runs a DuckDB query into a Polars frame, through Arrow batches.
//!
//! Unsigned integers become `Int64`, dates `Int32` days and timestamps `Int64` microseconds, the
//! physical types of [`crate::reports::table`]. Queries cast sums to BIGINT, because a type that is
//! not listed here is refused.

use duckdb::arrow::array::{Array, AsArray, RecordBatch};
use duckdb::arrow::datatypes::{self as arrow, DataType as ArrowType, TimeUnit};
use duckdb::{Connection, Params};
use polars::prelude::{
    BooleanChunkedBuilder, ChunkedBuilder, Column, DataFrame, Int32Type, Int64Type, IntoColumn,
    IntoSeries, PrimitiveChunkedBuilder, StringChunkedBuilder,
};

use crate::reports::error::ReportError;

/// Runs `sql` and copies its result.
///
/// # Errors
/// If the query fails, or a column has a type that no report reads.
pub fn query(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
) -> Result<DataFrame, ReportError> {
    let mut statement = connection.prepare(sql)?;
    let batches = statement.query_arrow(parameters)?;
    let schema = batches.get_schema();
    let mut columns: Vec<Copied> = schema
        .fields()
        .iter()
        .map(|f| Copied::new(f))
        .collect::<Result<_, _>>()?;
    for batch in batches {
        append(&mut columns, &batch)?;
    }
    Ok(DataFrame::new_infer_height(
        columns.into_iter().map(Copied::finish).collect(),
    )?)
}

fn append(columns: &mut [Copied], batch: &RecordBatch) -> Result<(), ReportError> {
    columns
        .iter_mut()
        .zip(batch.columns())
        .try_for_each(|(column, array)| column.append(array))
}

/// A growing column.
struct Copied {
    name: String,
    values: Values,
}

enum Values {
    Text(StringChunkedBuilder),
    Signed(PrimitiveChunkedBuilder<Int64Type>),
    Unsigned32(PrimitiveChunkedBuilder<Int64Type>),
    Unsigned64(PrimitiveChunkedBuilder<Int64Type>),
    Days(PrimitiveChunkedBuilder<Int32Type>),
    Micros(PrimitiveChunkedBuilder<Int64Type>),
    Flags(BooleanChunkedBuilder),
}

impl Copied {
    fn new(field: &arrow::Field) -> Result<Copied, ReportError> {
        let name = field.name().as_str();
        let longs = || PrimitiveChunkedBuilder::new(name.into(), 0);
        let values = match field.data_type() {
            ArrowType::Utf8 => Values::Text(StringChunkedBuilder::new(name.into(), 0)),
            ArrowType::Int64 => Values::Signed(longs()),
            ArrowType::UInt32 => Values::Unsigned32(longs()),
            ArrowType::UInt64 => Values::Unsigned64(longs()),
            ArrowType::Date32 => Values::Days(PrimitiveChunkedBuilder::new(name.into(), 0)),
            ArrowType::Timestamp(TimeUnit::Microsecond, None) => Values::Micros(longs()),
            ArrowType::Boolean => Values::Flags(BooleanChunkedBuilder::new(name.into(), 0)),
            other => {
                return Err(ReportError::ColumnType {
                    column: name.to_owned(),
                    found: other.to_string(),
                });
            }
        };
        Ok(Copied {
            name: name.to_owned(),
            values,
        })
    }

    fn append(&mut self, array: &dyn Array) -> Result<(), ReportError> {
        match &mut self.values {
            Values::Text(to) => array
                .as_string::<i32>()
                .iter()
                .for_each(|v| to.append_option(v)),
            Values::Signed(to) => {
                array
                    .as_primitive::<arrow::Int64Type>()
                    .iter()
                    .for_each(|v| to.append_option(v));
            }
            Values::Unsigned32(to) => {
                array
                    .as_primitive::<arrow::UInt32Type>()
                    .iter()
                    .for_each(|v| to.append_option(v.map(i64::from)));
            }
            Values::Unsigned64(to) => {
                for value in array.as_primitive::<arrow::UInt64Type>() {
                    to.append_option(value.map(|value| signed(&self.name, value)).transpose()?);
                }
            }
            Values::Days(to) => {
                array
                    .as_primitive::<arrow::Date32Type>()
                    .iter()
                    .for_each(|v| to.append_option(v));
            }
            Values::Micros(to) => {
                array
                    .as_primitive::<arrow::TimestampMicrosecondType>()
                    .iter()
                    .for_each(|v| to.append_option(v));
            }
            Values::Flags(to) => array.as_boolean().iter().for_each(|v| to.append_option(v)),
        }
        Ok(())
    }

    fn finish(self) -> Column {
        let series = match self.values {
            Values::Text(values) => values.finish().into_series(),
            Values::Signed(v)
            | Values::Unsigned32(v)
            | Values::Unsigned64(v)
            | Values::Micros(v) => v.finish().into_series(),
            Values::Days(values) => values.finish().into_series(),
            Values::Flags(values) => values.finish().into_series(),
        };
        series.into_column()
    }
}

fn signed(column: &str, value: u64) -> Result<i64, ReportError> {
    i64::try_from(value).map_err(|_| ReportError::TooLarge {
        column: column.to_owned(),
        value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_the_tables_is_copied_with_its_nulls() {
        let connection = Connection::open_in_memory().unwrap();
        let sql = "SELECT * FROM (VALUES
            (7::UBIGINT, 3::UINTEGER, -5::BIGINT, 'ж', '0190a0c8-1111-7000-8000-000000000001'::UUID, true,
             DATE '1970-01-03', TIMESTAMP '1970-01-01 00:00:01.5'),
            (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)) t(a, b, c, d, e, f, g, h)";
        let frame = query(&connection, sql, []).unwrap();
        assert_eq!(frame.height(), 2);
        let int = |name: &str| frame.column(name).unwrap().i64().unwrap().get(0);
        assert_eq!(
            (int("a"), int("b"), int("c"), int("h")),
            (Some(7), Some(3), Some(-5), Some(1_500_000))
        );
        let text = |name: &str| {
            frame
                .column(name)
                .unwrap()
                .str()
                .unwrap()
                .get(0)
                .unwrap()
                .to_owned()
        };
        assert_eq!(
            (text("d"), text("e")),
            (
                "ж".to_owned(),
                "0190a0c8-1111-7000-8000-000000000001".to_owned()
            )
        );
        assert_eq!(
            frame.column("f").unwrap().bool().unwrap().get(0),
            Some(true)
        );
        assert_eq!(frame.column("g").unwrap().i32().unwrap().get(0), Some(2));
        assert!(
            frame
                .columns()
                .iter()
                .all(|column| column.null_count() == 1)
        );
    }

    #[test]
    fn a_result_without_rows_keeps_its_columns() {
        let connection = Connection::open_in_memory().unwrap();
        let frame = query(
            &connection,
            "SELECT 1::BIGINT AS a, 'x' AS b WHERE false",
            [],
        )
        .unwrap();
        assert_eq!((frame.height(), frame.width()), (0, 2));
    }

    #[test]
    fn a_sum_that_was_not_cast_is_refused() {
        let connection = Connection::open_in_memory().unwrap();
        let refused = query(
            &connection,
            "SELECT sum(a) AS s FROM (VALUES (1::BIGINT)) t(a)",
            [],
        );
        assert!(matches!(refused, Err(ReportError::ColumnType { column, .. }) if column == "s"));
    }
}
