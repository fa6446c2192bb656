//! A pipe table, with the totals as its last row and other facts under it. Text is escaped, so that
//! it is shown unchanged and cannot become markup.

use std::io::{self, Write};

use crate::domain::displayed::Displayed;
use crate::domain::time::Zone;
use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::render::text::{against, footer, for_people, totals_rows, write_rows};
use crate::reports::table::{Cell, ColumnKind, Value};

pub(super) fn write(report: &Report, out: &mut dyn Write) -> Result<(), ReportError> {
    let columns = report.table.columns();
    write_row(out, columns.iter().map(|(name, _)| (*name).to_owned()))?;
    let align = |kind: ColumnKind| {
        if kind.is_number() { "---:" } else { "---" }
    };
    write_row(out, columns.iter().map(|(_, kind)| align(*kind).to_owned()))?;
    write_rows(report, out, |cells, line| {
        write_row(line, cells.map(|cell| escaped(cell, &report.zone)))
    })?;
    for (place, (name, totals)) in totals_rows(report).into_iter().enumerate() {
        let bold = |value: Option<&Value>| {
            value.map_or(String::new(), |v| {
                format!("**{}**", escaped(v.cell(), &report.zone))
            })
        };
        let mut cells: Vec<String> = totals.into_iter().map(bold).collect();
        if place > 0 && cells[0].is_empty() {
            cells[0] = format!("**{name}**");
        }
        write_row(out, cells.into_iter())?;
    }
    for (number, (name, value)) in footer(report).enumerate() {
        let gap = if number == 0 { "\n" } else { "" };
        let against = against(report, name).unwrap_or_default();
        let value = escaped(value.cell(), &report.zone);
        writeln!(out, "{gap}- {name}: {value}{against}")?;
    }
    Ok(())
}

fn write_row(
    out: &mut (impl Write + ?Sized),
    cells: impl Iterator<Item = String>,
) -> io::Result<()> {
    out.write_all(b"|")?;
    for cell in cells {
        write!(out, " {cell} |")?;
    }
    out.write_all(b"\n")
}

fn escaped(cell: Cell<&str>, zone: &Zone) -> String {
    let Cell::Text(text) = cell else {
        return for_people(cell, zone);
    };
    let lines: Vec<String> = text.lines().map(escape_line).collect();
    lines.join("<br>")
}

fn escape_line(line: &str) -> String {
    let displayed = Displayed(line).to_string();
    let mut escaped = String::with_capacity(displayed.len());
    for c in displayed.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '|' | '`' | '*' | '_' | '~' | '[' | ']' => escaped.extend(['\\', c]),
            _ => escaped.push(c),
        }
    }
    escaped
}
