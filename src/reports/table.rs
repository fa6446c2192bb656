//! A table of typed columns over a frame.
//!
//! A frame holds physical values: text as strings, integers, money (minor units) and tenths as `Int64`,
//! dates as `Int32` days since 1970-01-01, times as `Int64` microseconds since 1970-01-01T00:00Z.
//! The [`ColumnKind`] gives the meaning of a column; renderers see [`Cell`]s only.

use polars::prelude::{Column, DataFrame, IntoColumn, NamedFrom, PolarsResult, Series};

use crate::domain::money::Money;
use crate::domain::time::{BusinessDate, EventTime};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ColumnKind {
    Text,
    Int,
    /// Minor units.
    Money,
    /// A number with one decimal place, in tenths.
    Tenths,
    Date,
    Time,
    Bool,
}

impl ColumnKind {
    /// Whether its values are counted or measured, so that they stand at the right.
    pub const fn is_number(self) -> bool {
        matches!(
            self,
            ColumnKind::Int | ColumnKind::Money | ColumnKind::Tenths
        )
    }
}

/// One value of a table, with text that is borrowed or owned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cell<T> {
    Null,
    Text(T),
    Int(i64),
    Money(Money),
    Tenths(i64),
    Date(BusinessDate),
    Time(EventTime),
    Bool(bool),
}

/// A value that stands outside the rows: a total, or a fact about the whole report.
pub type Value = Cell<String>;

impl Value {
    pub fn cell(&self) -> Cell<&str> {
        match self {
            Cell::Null => Cell::Null,
            Cell::Text(text) => Cell::Text(text),
            Cell::Int(int) => Cell::Int(*int),
            Cell::Money(money) => Cell::Money(*money),
            Cell::Tenths(tenths) => Cell::Tenths(*tenths),
            Cell::Date(date) => Cell::Date(*date),
            Cell::Time(time) => Cell::Time(*time),
            Cell::Bool(flag) => Cell::Bool(*flag),
        }
    }

    pub fn minor(minor: i64) -> Value {
        Value::Money(Money::from_minor(minor))
    }
}

pub type Named = (&'static str, Value);

/// The cells of one column, from the first row on.
pub type Cells<'a> = Box<dyn Iterator<Item = Cell<&'a str>> + 'a>;

/// The next cell of every column. There is one for each row of the table.
pub fn next_row<'a>(columns: &mut [Cells<'a>]) -> impl Iterator<Item = Cell<&'a str>> {
    columns
        .iter_mut()
        .map(|column| column.next().unwrap_or(Cell::Null))
}

/// Rows in their final order.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<(&'static str, ColumnKind)>,
    frame: DataFrame,
}

impl Table {
    /// Takes `columns` out of `frame`, in this order.
    ///
    /// # Errors
    /// A column that the frame lacks.
    pub fn from_frame(
        columns: &[(&'static str, ColumnKind)],
        frame: &DataFrame,
    ) -> PolarsResult<Table> {
        let mut frame = frame.select(columns.iter().map(|(name, _)| *name))?;
        frame.rechunk_mut();
        Ok(Table {
            columns: columns.to_vec(),
            frame,
        })
    }

    pub fn builder() -> TableBuilder {
        TableBuilder::default()
    }

    pub fn columns(&self) -> &[(&'static str, ColumnKind)] {
        &self.columns
    }

    pub fn frame(&self) -> &DataFrame {
        &self.frame
    }

    /// The number of rows.
    pub fn height(&self) -> usize {
        self.frame.height()
    }

    /// The columns, cell by cell. One of another physical type than its kind is a bug.
    pub fn cells(&self) -> Vec<Cells<'_>> {
        self.columns
            .iter()
            .zip(self.frame.columns())
            .map(|((_, kind), column)| cells(*kind, column))
            .collect()
    }
}

fn cells(kind: ColumnKind, column: &Column) -> Cells<'_> {
    const PHYSICAL: &str = "a column has the physical type of its kind";
    match kind {
        ColumnKind::Text => {
            let values = column.str().expect(PHYSICAL).iter();
            Box::new(values.map(|text| text.map_or(Cell::Null, Cell::Text)))
        }
        ColumnKind::Int => {
            let values = column.i64().expect(PHYSICAL).iter();
            Box::new(values.map(|int| int.map_or(Cell::Null, Cell::Int)))
        }
        ColumnKind::Money => {
            let values = column.i64().expect(PHYSICAL).iter();
            let money = |minor| Cell::Money(Money::from_minor(minor));
            Box::new(values.map(move |minor| minor.map_or(Cell::Null, money)))
        }
        ColumnKind::Tenths => {
            let values = column.i64().expect(PHYSICAL).iter();
            Box::new(values.map(|tenths| tenths.map_or(Cell::Null, Cell::Tenths)))
        }
        ColumnKind::Date => {
            let values = column.i32().expect(PHYSICAL).iter();
            let date = |days| Cell::Date(BusinessDate::from_epoch_days(days));
            Box::new(values.map(move |days| days.map_or(Cell::Null, date)))
        }
        ColumnKind::Time => {
            let values = column.i64().expect(PHYSICAL).iter();
            let time = |micros: Option<i64>| micros.and_then(EventTime::from_micros);
            Box::new(values.map(move |micros| time(micros).map_or(Cell::Null, Cell::Time)))
        }
        ColumnKind::Bool => {
            let values = column.bool().expect(PHYSICAL).iter();
            Box::new(values.map(|flag| flag.map_or(Cell::Null, Cell::Bool)))
        }
    }
}

/// Makes a table from plain values, column by column; all columns must be equally long.
#[derive(Default)]
pub struct TableBuilder {
    kinds: Vec<(&'static str, ColumnKind)>,
    columns: Vec<Column>,
}

impl TableBuilder {
    #[must_use]
    pub fn text<S: AsRef<str>>(
        self,
        name: &'static str,
        values: impl IntoIterator<Item = Option<S>>,
    ) -> Self {
        let values: Vec<Option<S>> = values.into_iter().collect();
        let texts: Vec<Option<&str>> = values
            .iter()
            .map(|value| value.as_ref().map(AsRef::as_ref))
            .collect();
        self.column(name, ColumnKind::Text, Series::new(name.into(), texts))
    }

    /// Whole numbers below 2^63; a larger one is a bug.
    #[must_use]
    pub fn int(self, name: &'static str, values: impl IntoIterator<Item = Option<u64>>) -> Self {
        let signed = |value: u64| i64::try_from(value).expect("a count or sequence is below 2^63");
        let ints: Vec<Option<i64>> = values.into_iter().map(|value| value.map(signed)).collect();
        self.column(name, ColumnKind::Int, Series::new(name.into(), ints))
    }

    #[must_use]
    pub fn money(
        self,
        name: &'static str,
        values: impl IntoIterator<Item = Option<Money>>,
    ) -> Self {
        let minor: Vec<Option<i64>> = values
            .into_iter()
            .map(|value| value.map(Money::minor))
            .collect();
        self.column(name, ColumnKind::Money, Series::new(name.into(), minor))
    }

    #[must_use]
    pub fn date(
        self,
        name: &'static str,
        values: impl IntoIterator<Item = Option<BusinessDate>>,
    ) -> Self {
        let days: Vec<Option<i32>> = values
            .into_iter()
            .map(|value| value.map(BusinessDate::epoch_days))
            .collect();
        self.column(name, ColumnKind::Date, Series::new(name.into(), days))
    }

    #[must_use]
    pub fn time(
        self,
        name: &'static str,
        values: impl IntoIterator<Item = Option<EventTime>>,
    ) -> Self {
        let micros: Vec<Option<i64>> = values
            .into_iter()
            .map(|value| value.map(EventTime::micros))
            .collect();
        self.column(name, ColumnKind::Time, Series::new(name.into(), micros))
    }

    #[must_use]
    pub fn bool(self, name: &'static str, values: impl IntoIterator<Item = Option<bool>>) -> Self {
        let flags: Vec<Option<bool>> = values.into_iter().collect();
        self.column(name, ColumnKind::Bool, Series::new(name.into(), flags))
    }

    fn column(mut self, name: &'static str, kind: ColumnKind, series: Series) -> Self {
        self.kinds.push((name, kind));
        self.columns.push(series.into_column());
        self
    }

    /// Columns of different lengths, or two of one name, are a bug.
    pub fn build(self) -> Table {
        const SOUND: &str = "columns have one length and different names";
        Table {
            columns: self.kinds,
            frame: DataFrame::new_infer_height(self.columns).expect(SOUND),
        }
    }
}
