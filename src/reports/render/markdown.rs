//! A pipe table, with the totals as its last row and other facts under it. Text is escaped, so that
//! it is shown unchanged and cannot become markup.

use std::io::{self, Write};

use crate::domain::displayed::Displayed;
use crate::domain::time::Zone;
use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::render::text::{footer, for_people, totals_row, write_rows};
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
    if let Some(totals) = totals_row(report) {
        let bold = |value: Option<&Value>| {
            value.map_or(String::new(), |v| {
                format!("**{}**", escaped(v.cell(), &report.zone))
            })
        };
        write_row(out, totals.into_iter().map(bold))?;
    }
    for (number, (name, value)) in footer(report).enumerate() {
        let gap = if number == 0 { "\n" } else { "" };
        writeln!(
            out,
            "{gap}- {name}: {}",
            escaped(value.cell(), &report.zone)
        )?;
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
