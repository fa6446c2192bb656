//! Gathers rows in columns and appends them a table at a time, through Arrow.

use std::sync::Arc;

use duckdb::arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, FixedSizeBinaryBuilder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder, UInt32Builder, UInt64Builder,
};
use uuid::Uuid;

use crate::domain::money::Money;
use crate::domain::time::{BusinessDate, EventTime};

/// A column being filled.
pub trait Column: Default {
    /// The value from which a cell is made.
    type Cell<'a>;

    fn push(&mut self, cell: Self::Cell<'_>);
    /// Takes the filled column and leaves an empty one.
    fn finish(&mut self) -> ArrayRef;
}

macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident, $optional:ident, $builder:ty, $new:expr, $cell:ty, |$c:ident| $raw:expr;)+) => {$(
        $(#[$doc])*
        pub struct $name($builder);

        impl Default for $name {
            fn default() -> Self {
                Self($new)
            }
        }

        impl Column for $name {
            type Cell<'a> = $cell;

            fn push(&mut self, $c: Self::Cell<'_>) {
                // Only a fixed-size builder can refuse, and only a value of another size.
                let _ = self.0.append_value($raw);
            }

            fn finish(&mut self) -> ArrayRef {
                Arc::new(self.0.finish())
            }
        }

        /// The same with nulls.
        pub struct $optional($builder);

        impl Default for $optional {
            fn default() -> Self {
                Self($new)
            }
        }

        impl Column for $optional {
            type Cell<'a> = Option<$cell>;

            fn push(&mut self, cell: Self::Cell<'_>) {
                match cell {
                    Some($c) => {
                        let _ = self.0.append_value($raw);
                    }
                    None => self.0.append_null(),
                }
            }

            fn finish(&mut self) -> ArrayRef {
                Arc::new(self.0.finish())
            }
        }
    )+};
}

columns! {
    /// UUID
    Ids, OptionalIds, FixedSizeBinaryBuilder, FixedSizeBinaryBuilder::new(16), Uuid, |id| id.as_bytes();
    /// UBIGINT
    Counts, OptionalCounts, UInt64Builder, UInt64Builder::new(), u64, |count| count;
    /// UINTEGER
    Numbers, OptionalNumbers, UInt32Builder, UInt32Builder::new(), u32, |number| number;
    /// BIGINT, minor units
    Amounts, OptionalAmounts, Int64Builder, Int64Builder::new(), Money, |money| money.minor();
    /// BOOLEAN
    Flags, OptionalFlags, BooleanBuilder, BooleanBuilder::new(), bool, |flag| flag;
    /// DATE
    Dates, OptionalDates, Date32Builder, Date32Builder::new(), BusinessDate, |date| date.epoch_days();
    /// TIMESTAMP, UTC
    Times, OptionalTimes, TimestampMicrosecondBuilder, TimestampMicrosecondBuilder::new(), EventTime, |time| time.micros();
    /// VARCHAR
    Texts, OptionalTexts, StringBuilder, StringBuilder::new(), &'a str, |text| text;
}

/// Declares a table: a row type, and a buffer of rows that is appended at once.
#[macro_export]
macro_rules! table {
    ($(#[$doc:meta])* $buffer:ident of $row:ident into $table:literal { $($column:ident: $kind:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Default)]
        pub struct $buffer {
            rows: usize,
            $($column: $crate::store::rows::$kind,)+
        }

        pub struct $row<'a> {
            $(pub $column: <$crate::store::rows::$kind as $crate::store::rows::Column>::Cell<'a>,)+
        }

        impl $buffer {
            pub fn push(&mut self, row: $row<'_>) {
                use $crate::store::rows::Column;
                self.rows += 1;
                $(self.$column.push(row.$column);)+
            }

            /// Appends the rows to their table, inside the caller's transaction, and empties the
            /// buffer.
            pub fn flush(
                &mut self,
                database: &$crate::store::Database,
            ) -> Result<(), $crate::store::StoreError> {
                self.flush_into(database, $table)
            }

            pub fn flush_into(
                &mut self,
                database: &$crate::store::Database,
                table: &str,
            ) -> Result<(), $crate::store::StoreError> {
                use $crate::store::rows::Column;
                if self.rows == 0 {
                    return Ok(());
                }
                self.rows = 0;
                let columns = vec![$((stringify!($column), self.$column.finish())),+];
                $crate::store::rows::append(database, table, columns)
            }
        }
    };
}

/// Appends whole columns to `table`.
///
/// # Errors
/// If DuckDB refuses the rows.
pub fn append(
    database: &crate::store::Database,
    table: &str,
    columns: Vec<(&'static str, ArrayRef)>,
) -> Result<(), crate::store::StoreError> {
    let batch = duckdb::arrow::record_batch::RecordBatch::try_from_iter_with_nullable(
        columns
            .into_iter()
            .map(|(name, column)| (name, column, true)),
    )
    .expect("columns of one buffer have one length");
    let append = || {
        let mut appender = database.connection().appender(table)?;
        appender.append_record_batch(batch)?;
        appender.flush()
    };
    append().map_err(database.failed("append to"))
}
