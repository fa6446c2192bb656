//! Cells as text, and what the row-by-row formats share: a buffer that is flushed as it fills.

use std::io::{self, Write};

use jiff::tz::TimeZone;

use crate::reports::table::{Cell, Report, Value};

const BUFFER_BYTES: usize = 64 * 1024;

/// Writes rows through one buffer. `row` appends one line to it.
pub fn write_lines(
    rows: usize,
    out: &mut dyn Write,
    mut row: impl FnMut(usize, &mut Vec<u8>) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(BUFFER_BYTES + BUFFER_BYTES / 8);
    for number in 0..rows {
        row(number, &mut buffer)?;
        if buffer.len() >= BUFFER_BYTES {
            out.write_all(&buffer)?;
            buffer.clear();
        }
    }
    out.write_all(&buffer)
}

/// A cell that is not text, as programs read it: times in RFC 3339 UTC, null as nothing.
pub fn write_machine(cell: Cell<'_>, to: &mut Vec<u8>) -> io::Result<()> {
    match cell {
        Cell::Null => Ok(()),
        Cell::Text(text) => to.write_all(text.as_bytes()),
        Cell::Int(int) => write!(to, "{int}"),
        Cell::Money(money) => write!(to, "{money}"),
        Cell::Date(date) => write!(to, "{date}"),
        Cell::Time(time) => write!(to, "{time}"),
        Cell::Bool(flag) => write!(to, "{flag}"),
    }
}

/// A cell as people read it: times in the company's zone, flags as words, text unescaped.
pub fn for_people(cell: Cell<'_>, zone: &TimeZone) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Text(text) => text.to_owned(),
        Cell::Int(int) => int.to_string(),
        Cell::Money(money) => money.to_string(),
        Cell::Date(date) => date.to_string(),
        Cell::Time(time) => time.timestamp().to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Cell::Bool(true) => "yes".to_owned(),
        Cell::Bool(false) => "no".to_owned(),
    }
}

/// The company's zone. One that this build's database lacks shows UTC.
pub fn zone_of(report: &Report) -> TimeZone {
    TimeZone::get(report.zone.name()).unwrap_or(TimeZone::UTC)
}

/// The totals that belong under a column, one for each; `None` when no column has one.
pub fn totals_row(report: &Report) -> Option<Vec<Option<&Value>>> {
    let total = |name: &str| report.totals.iter().find(|(total, _)| *total == name).map(|(_, value)| value);
    let row: Vec<_> = report.table.columns().iter().map(|(name, _)| total(name)).collect();
    row.iter().any(Option::is_some).then_some(row)
}

/// What is said under the table: facts beside the rows and totals that are of no column.
pub fn footer(report: &Report) -> impl Iterator<Item = &(&'static str, Value)> {
    let is_column = |name: &str| report.table.columns().iter().any(|(column, _)| *column == name);
    report.beside.iter().chain(report.totals.iter().filter(move |(name, _)| !is_column(name)))
}
