//! A document for browsers and printers: one file without scripts, in which the template engine escapes every text.

use std::io::{self, Write};

use minijinja::Environment;
use minijinja::value::Serde;
use serde::Serialize;

use crate::domain::displayed::Displayed;
use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::render::terminal::{displayed, heading, is_id, title};
use crate::reports::render::text::{against, footer, totals_rows};
use crate::reports::table::{Cell, Table, next_row};

const HEAD: &str = include_str!("html/head.html");
const ROWS: &str = include_str!("html/rows.html");
const FOOT: &str = include_str!("html/foot.html");
/// Rows that are written together.
const ROWS_AT_ONCE: usize = 1_000;

pub(super) fn write(report: &Report, out: &mut dyn Write) -> Result<(), ReportError> {
    let shown = shown_columns(report);
    fill(HEAD, &head(report, &shown), out)?;
    report.each_page(|table| write_rows(report, table, &shown, out))?;
    fill(FOOT, &foot(report, &shown), out)
}

/// Whether each column is shown: ids are not unless they were asked for, nor are columns without a value.
fn shown_columns(report: &Report) -> Vec<bool> {
    let table = &report.table;
    let knows_all = report.pages.rows() == 0 && table.height() > 0;
    let columns = table.columns().iter().zip(table.cells());
    let is_shown = columns.map(|((name, kind), mut cells)| {
        let mut is_empty = || knows_all && cells.all(|cell| cell == Cell::Null);
        report.arranged.has_chosen || !(is_id(name, *kind) || is_empty())
    });
    is_shown.collect()
}

/// A text and the class of its style.
#[derive(Serialize)]
struct Shown {
    text: String,
    class: &'static str,
}

#[derive(Serialize)]
struct Fact {
    name: String,
    cell: Shown,
}

#[derive(Serialize)]
struct Head {
    title: String,
    company: String,
    facts: Vec<Fact>,
    columns: Vec<Shown>,
}

#[derive(Serialize)]
struct Rows {
    rows: Vec<Vec<Shown>>,
}

#[derive(Serialize)]
struct Foot {
    totals: Vec<Vec<Shown>>,
    foot: String,
}

/// The columns of `all` that are shown.
fn only<'a, T>(
    all: impl IntoIterator<Item = T> + 'a,
    shown: &'a [bool],
) -> impl Iterator<Item = T> + 'a {
    let all = all.into_iter().zip(shown);
    all.filter(|(_, is_shown)| **is_shown).map(|(one, _)| one)
}

fn head(report: &Report, shown: &[bool]) -> Head {
    let (title, company) = title(report);
    let facts = footer(report).map(|(name, value)| {
        let mut cell = cell_of(report, name, value.cell());
        cell.text.extend(against(report, name));
        Fact {
            name: heading(name),
            cell,
        }
    });
    let columns = only(report.table.columns(), shown).map(|(name, kind)| Shown {
        text: heading(name),
        class: if kind.is_number() { "n" } else { "" },
    });
    Head {
        title: Displayed(&title).to_string(),
        company: Displayed(&company).to_string(),
        facts: facts.collect(),
        columns: columns.collect(),
    }
}

fn foot(report: &Report, shown: &[bool]) -> Foot {
    let columns = report.table.columns();
    let totals = totals_rows(report).into_iter().map(|(row, totals)| {
        let cells = columns.iter().zip(totals).map(|((name, _), total)| {
            let cell = total.map_or(Cell::Null, |total| total.cell());
            cell_of(report, name, cell)
        });
        let mut cells: Vec<_> = only(cells, shown).collect();
        if let Some(first) = cells.first_mut().filter(|first| first.text.is_empty()) {
            first.text = row;
        }
        cells
    });
    let totals = totals.collect();
    let (as_of, version) = (report.as_of_sequence, env!("CARGO_PKG_VERSION"));
    Foot {
        totals,
        foot: format!("As of event {as_of}. Made by popug-cli {version}."),
    }
}

fn write_rows(
    report: &Report,
    table: &Table,
    shown: &[bool],
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let mut columns = table.cells();
    let mut left = table.height();
    while left > 0 {
        let count = left.min(ROWS_AT_ONCE);
        let rows = (0..count).map(|_| {
            let names = table.columns().iter().map(|(name, _)| *name);
            let cells = names.zip(next_row(&mut columns));
            let cells = cells.map(|(name, cell)| cell_of(report, name, cell));
            only(cells, shown).collect()
        });
        let rows = rows.collect();
        fill(ROWS, &Rows { rows }, out)?;
        left -= count;
    }
    Ok(())
}

fn cell_of(report: &Report, name: &str, cell: Cell<&str>) -> Shown {
    let text = displayed(name, cell, &report.zone);
    let class = match cell {
        Cell::Money(money) if money.is_negative() => "n r",
        Cell::Int(_) | Cell::Money(_) | Cell::Tenths(_) => "n",
        Cell::Date(_) | Cell::Time(_) => "w",
        Cell::Null | Cell::Text(_) | Cell::Bool(_) => "",
    };
    Shown { text, class }
}

/// Writes a template, in which every value is escaped for HTML.
fn fill(template: &str, values: &impl Serialize, out: &mut dyn Write) -> Result<(), ReportError> {
    let environment = Environment::new();
    let filled = environment
        .template_from_named_str("report.html", template)
        .and_then(|template| template.render(Serde(values)))
        .map_err(io::Error::other)?;
    Ok(out.write_all(filled.as_bytes())?)
}
