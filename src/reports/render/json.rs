//! JSON: one object around the rows, or one row on each line. Money is a decimal string, an absent
//! value is null.

use std::io::{self, Write};

use crate::domain::period::DateRange;
use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::render::text::{write_machine, write_rows};
use crate::reports::table::{Cell, Table, Value, next_row};

/// The whole report, on one line.
pub(super) fn write(report: &Report, out: &mut dyn Write) -> Result<(), ReportError> {
    let mut head = Vec::new();
    write_head(report, &mut head)?;
    out.write_all(&head)?;
    let members = Members::of(&report.table);
    let mut is_first = true;
    write_rows(report, out, |cells, line| {
        if !std::mem::take(&mut is_first) {
            line.push(b',');
        }
        members.write_object(cells, line)
    })?;
    Ok(out.write_all(b"]}\n")?)
}

/// The rows alone, one object a line.
pub(super) fn write_lines(report: &Report, out: &mut dyn Write) -> Result<(), ReportError> {
    let members = Members::of(&report.table);
    write_rows(report, out, |cells, line| {
        members.write_object(cells, line)?;
        line.push(b'\n');
        Ok(())
    })
}

/// The members of the first row, without the braces around them.
pub fn write_members(table: &Table, to: &mut Vec<u8>) -> io::Result<()> {
    Members::of(table).write(&mut next_row(&mut table.cells()), to)
}

fn write_head(report: &Report, to: &mut Vec<u8>) -> io::Result<()> {
    let date = |date: Option<_>| date.map_or(Value::Null, Value::Date);
    to.push(b'{');
    write_named(
        to,
        &[
            ("report", Value::Text(report.name.to_owned())),
            ("as_of_sequence", sequence(report.as_of_sequence.0)),
            ("head_sequence", sequence(report.head_sequence.0)),
            ("time_zone", Value::Text(report.zone.name().to_owned())),
            ("currency", Value::Text(report.currency.clone())),
        ],
    )?;
    let asked = report.asked.clone().map_or(Value::Null, Value::Text);
    to.extend_from_slice(b",\"period\":");
    write_object(
        to,
        &[
            ("from", date(report.period.from)),
            ("to", date(report.period.to)),
            ("asked", asked),
        ],
    )?;
    to.extend_from_slice(b",\"totals\":");
    write_object(to, &report.totals)?;
    if let Some(versus) = &report.versus {
        to.extend_from_slice(b",\"vs\":{\"period\":");
        let DateRange { from, to: until } = versus.period;
        write_object(to, &[("from", date(from)), ("to", date(until))])?;
        for (name, values) in [
            ("totals", &versus.totals),
            ("difference", &versus.difference),
            ("percent", &versus.percent),
        ] {
            write!(to, ",\"{name}\":")?;
            write_object(to, values)?;
        }
        to.push(b'}');
    }
    for (name, value) in &report.beside {
        write!(to, ",\"{name}\":")?;
        write_value(value.cell(), to)?;
    }
    to.extend_from_slice(b",\"rows\":[");
    Ok(())
}

fn sequence(sequence: u64) -> Value {
    Value::Int(i64::try_from(sequence).expect("a sequence is below 2^63"))
}

fn write_object(to: &mut Vec<u8>, members: &[(&'static str, Value)]) -> io::Result<()> {
    to.push(b'{');
    write_named(to, members)?;
    to.push(b'}');
    Ok(())
}

fn write_named(to: &mut Vec<u8>, members: &[(&'static str, Value)]) -> io::Result<()> {
    for (number, (name, value)) in members.iter().enumerate() {
        let comma = if number > 0 { "," } else { "" };
        write!(to, "{comma}\"{name}\":")?;
        write_value(value.cell(), to)?;
    }
    Ok(())
}

/// The bytes before each value of a row.
struct Members(Vec<String>);

impl Members {
    fn of(table: &Table) -> Members {
        let names = table.columns().iter().enumerate();
        let before = names.map(|(number, (name, _))| {
            format!("{}\"{name}\":", if number == 0 { "" } else { "," })
        });
        Members(before.collect())
    }

    fn write_object(
        &self,
        cells: &mut dyn Iterator<Item = Cell<&str>>,
        to: &mut Vec<u8>,
    ) -> io::Result<()> {
        to.push(b'{');
        self.write(cells, to)?;
        to.push(b'}');
        Ok(())
    }

    fn write(
        &self,
        cells: &mut dyn Iterator<Item = Cell<&str>>,
        to: &mut Vec<u8>,
    ) -> io::Result<()> {
        for (before, cell) in self.0.iter().zip(cells) {
            to.extend_from_slice(before.as_bytes());
            write_value(cell, to)?;
        }
        Ok(())
    }
}

fn write_value(cell: Cell<&str>, to: &mut Vec<u8>) -> io::Result<()> {
    match cell {
        Cell::Null => to.write_all(b"null"),
        Cell::Text(text) => Ok(serde_json::to_writer(to, text)?),
        Cell::Int(_) | Cell::Tenths(_) | Cell::Bool(_) => write_machine(cell, to),
        Cell::Money(_) | Cell::Date(_) | Cell::Time(_) => {
            to.push(b'"');
            write_machine(cell, to)?;
            to.push(b'"');
            Ok(())
        }
    }
}
