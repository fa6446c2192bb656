//! A table for people: light borders, numbers to the right, times in the company's zone.
//!
//! When it is wider than the terminal it is made to fit in steps: ids are shortened, empty columns
//! go, long text is cut, ids and then the columns that matter least are left out (and named under
//! the table), and only then do cells wrap.

use std::io::{self, Write};

use comfy_table::{Cell as Printed, CellAlignment, ContentArrangement, Table as Grid, presets};
use jiff::tz::TimeZone;

use crate::domain::text::Displayed;
use crate::reports::render::Options;
use crate::reports::render::text::{footer, for_people, totals_row, zone_of};
use crate::reports::table::{Cell, ColumnKind, Report};

/// A shortened id: an ellipsis and this many of its last characters.
const ID_CHARS: usize = 8;
const TEXT_CHARS: usize = 32;
/// What a narrow terminal does without, the first of these first.
const EXPENDABLE: [&str; 18] = [
    "posted_at",
    "through_sequence",
    "skipped_events",
    "description",
    "sequence",
    "late_entries",
    "mail_to",
    "paid_at",
    "closed_at",
    "created_at",
    "created_by",
    "assigned_at",
    "time",
    "role",
    "active",
    "late",
    "jira_id",
    "closed_by",
];

pub fn write(report: &Report, options: Options, out: &mut dyn Write) -> io::Result<()> {
    let zone = zone_of(report);
    let mut shown = printed_columns(report, &zone);
    let left_out = options.width.map_or(Vec::new(), |width| fit(&mut shown, usize::from(width)));
    if !shown.is_empty() {
        writeln!(out, "{}", grid(&shown, report.table.height(), options))?;
    }
    for (name, value) in footer(report) {
        writeln!(out, "{name}: {}", displayed(value.cell(), &zone))?;
    }
    if !left_out.is_empty() {
        writeln!(out, "too narrow for: {} (see -o json)", left_out.join(", "))?;
    }
    Ok(())
}

/// One column as printed, its total included as the last cell when the report has any.
struct Shown {
    name: &'static str,
    kind: ColumnKind,
    cells: Vec<String>,
    total: Option<String>,
}

impl Shown {
    fn is_id(&self) -> bool {
        self.kind == ColumnKind::Text
            && (self.name == "corrects" || self.name == "id" || self.name.ends_with("_id"))
            && self.name != "jira_id"
    }

    /// Without a word in any cell.
    fn is_empty(&self) -> bool {
        self.cells.iter().all(String::is_empty) && self.total.as_deref().is_none_or(str::is_empty)
    }

    fn width(&self) -> usize {
        let texts = self.cells.iter().chain(&self.total).map(|cell| cell.chars().count());
        texts.max().unwrap_or(0).max(self.name.len())
    }

    fn each(&mut self, change: impl Fn(&str) -> Option<String>) {
        for cell in &mut self.cells {
            if let Some(changed) = change(cell) {
                *cell = changed;
            }
        }
    }
}

fn printed_columns(report: &Report, zone: &TimeZone) -> Vec<Shown> {
    let totals = totals_row(report);
    let readers = report.table.readers();
    let columns = report.table.columns().iter().zip(readers).enumerate();
    columns
        .map(|(number, ((name, kind), reader))| Shown {
            name,
            kind: *kind,
            cells: (0..report.table.height()).map(|row| displayed(reader(row), zone)).collect(),
            total: totals.as_ref().map(|t| t[number].map_or(String::new(), |value| displayed(value.cell(), zone))),
        })
        .collect()
}

fn displayed(cell: Cell<'_>, zone: &TimeZone) -> String {
    Displayed(&for_people(cell, zone)).to_string()
}

/// Narrows the columns step by step until they fit; returns the names of those left out.
fn fit(shown: &mut Vec<Shown>, width: usize) -> Vec<&'static str> {
    let fits = |shown: &[Shown]| shown.iter().map(|column| column.width() + 3).sum::<usize>() < width;
    let mut left_out = Vec::new();
    if !fits(shown) {
        shown.iter_mut().filter(|column| column.is_id()).for_each(|column| column.each(short_id));
    }
    if !fits(shown) {
        shown.retain(|column| column.cells.is_empty() || !column.is_empty());
    }
    if !fits(shown) {
        shown.iter_mut().filter(|c| c.kind == ColumnKind::Text).for_each(|column| column.each(cut));
    }
    if !fits(shown) {
        left_out.extend(shown.extract_if(.., |column| column.is_id()).map(|column| column.name));
    }
    for name in EXPENDABLE {
        if fits(shown) {
            break;
        }
        left_out.extend(shown.extract_if(.., |column| column.name == name).map(|column| column.name));
    }
    left_out
}

fn short_id(id: &str) -> Option<String> {
    let start = id.len().checked_sub(ID_CHARS)?;
    id.is_char_boundary(start).then(|| format!("…{}", &id[start..]))
}

fn cut(text: &str) -> Option<String> {
    let (at, _) = text.char_indices().nth(TEXT_CHARS - 1)?;
    (text.chars().count() > TEXT_CHARS).then(|| format!("{}…", &text[..at]))
}

fn grid(shown: &[Shown], height: usize, options: Options) -> Grid {
    let mut grid = Grid::new();
    grid.load_style(presets::UTF8_FULL_CONDENSED).set_header(shown.iter().map(|column| column.name));
    if let Some(width) = options.width {
        grid.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    for row in 0..height {
        grid.add_row(shown.iter().map(|column| printed(column.kind, &column.cells[row])));
    }
    if shown.iter().any(|column| column.total.as_ref().is_some_and(|total| !total.is_empty())) {
        let total = |column: &Shown| printed(column.kind, column.total.as_deref().unwrap_or_default());
        let mut totals: Vec<Printed> = shown.iter().map(total).collect();
        if shown[0].total.as_ref().is_some_and(String::is_empty) {
            totals[0] = Printed::new("total");
        }
        grid.add_row(totals);
    }
    grid
}

fn printed(kind: ColumnKind, text: &str) -> Printed {
    let alignment = match kind {
        ColumnKind::Int | ColumnKind::Money => CellAlignment::Right,
        ColumnKind::Text | ColumnKind::Date | ColumnKind::Time | ColumnKind::Bool => CellAlignment::Left,
    };
    Printed::new(text).set_alignment(alignment)
}
