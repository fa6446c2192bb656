//! A table for people: light borders, numbers to the right, times in the company's zone.
//!
//! A table that is wider than the terminal is narrowed in steps: ids are shortened, empty columns
//! left out, long text cut; then ids and the less important columns are left out (and named under
//! the table). As the last step cells wrap: between words, but never within an amount, a number or
//! a time; if that is too wide too, the columns after the first are left out one by one.

use std::io::{self, Write};

use comfy_table::{Cell as Printed, CellAlignment, ContentArrangement, Table as Grid, presets};
use jiff::tz::TimeZone;
use textwrap::core::display_width;

use crate::domain::displayed::Displayed;
use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::render::Options;
use crate::reports::render::text::{footer, for_people, totals_row, zone_of};
use crate::reports::table::{Cell, ColumnKind, Table, Value};

/// A shortened id has an ellipsis and this many of its last characters.
const ID_CHARS: usize = 8;
const TEXT_CHARS: usize = 32;
/// Columns that a narrow terminal leaves out, in this order.
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

/// Columns that are left out next, if even wrapped text does not fit beside the figures.
const DISPENSABLE: [&str; 9] = [
    "completed_at",
    "completed_on",
    "closed",
    "payouts_count",
    "corrections",
    "opening",
    "mail_status",
    "popugs_negative",
    "entries",
];
/// A longer word may be broken.
const WORD_CHARS: usize = 16;

/// Every page becomes a grid of its own; the totals are in the last.
pub(super) fn write(
    report: &Report,
    options: Options,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let zone = zone_of(report);
    let (mut left_out, mut rows) = (Vec::new(), 0);
    report.each_page(|table| {
        rows += table.height();
        let totals = totals_row(report).filter(|_| rows >= report.height());
        let shown = printed_columns(table, totals, &zone);
        left_out = write_grid(shown, table.height(), options, out)?;
        Ok(())
    })?;
    for (name, value) in footer(report) {
        writeln!(out, "{name}: {}", displayed(value.cell(), &zone))?;
    }
    if !left_out.is_empty() {
        writeln!(out, "too narrow for: {} (see -o json)", left_out.join(", "))?;
    }
    Ok(())
}

/// Returns the names of the columns that do not fit.
fn write_grid(
    mut shown: Vec<Shown>,
    height: usize,
    options: Options,
    out: &mut dyn Write,
) -> io::Result<Vec<&'static str>> {
    let left_out = options
        .width
        .map_or(Vec::new(), |width| fit(&mut shown, usize::from(width)));
    if !shown.is_empty() {
        let widths = widths(&shown, options.width.map_or(usize::MAX, usize::from));
        shown
            .iter_mut()
            .zip(&widths)
            .for_each(|(column, width)| column.wrap(*width));
        writeln!(out, "{}", grid(&shown, &widths, height, options))?;
    }
    Ok(left_out)
}

/// One column as printed; the last cell is its total, if the report has totals.
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

    /// Whether all cells are empty.
    fn is_empty(&self) -> bool {
        self.cells.iter().all(String::is_empty) && self.total.as_deref().is_none_or(str::is_empty)
    }

    fn width(&self) -> usize {
        self.content()
            .map(display_width)
            .max()
            .unwrap_or(0)
            .max(self.name.len())
    }

    /// The least width: no word of a text or of the name is broken, and no other value.
    fn least_width(&self) -> usize {
        let name = self
            .name
            .split_inclusive('_')
            .map(str::len)
            .max()
            .unwrap_or(0);
        let content = match self.kind {
            ColumnKind::Text => {
                let words = self
                    .content()
                    .flat_map(str::split_whitespace)
                    .map(display_width);
                words.max().unwrap_or(0).min(WORD_CHARS)
            }
            _ => self.content().map(display_width).max().unwrap_or(0),
        };
        name.max(content)
    }

    fn content(&self) -> impl Iterator<Item = &str> {
        self.cells.iter().chain(&self.total).map(String::as_str)
    }

    fn heading(&self, width: usize) -> String {
        let mut heading = String::new();
        let mut line = 0;
        for word in self.name.split_inclusive('_') {
            if line > 0 && line + word.len() > width {
                heading.push('\n');
                line = 0;
            }
            heading.push_str(word);
            line += word.len();
        }
        heading
    }

    fn wrap(&mut self, width: usize) {
        if self.kind == ColumnKind::Text {
            self.each(|cell| {
                (display_width(cell) > width).then(|| textwrap::wrap(cell, width).join("\n"))
            });
        }
    }

    fn each(&mut self, change: impl Fn(&str) -> Option<String>) {
        for cell in &mut self.cells {
            if let Some(changed) = change(cell) {
                *cell = changed;
            }
        }
    }
}

fn printed_columns(
    table: &Table,
    totals: Option<Vec<Option<&Value>>>,
    zone: &TimeZone,
) -> Vec<Shown> {
    let columns = table.columns().iter().zip(table.cells()).enumerate();
    columns
        .map(|(number, ((name, kind), cells))| Shown {
            name,
            kind: *kind,
            cells: cells.map(|cell| displayed(cell, zone)).collect(),
            total: totals
                .as_ref()
                .map(|t| t[number].map_or(String::new(), |value| displayed(value.cell(), zone))),
        })
        .collect()
}

fn displayed(cell: Cell<&str>, zone: &TimeZone) -> String {
    Displayed(&for_people(cell, zone)).to_string()
}

/// Narrows the columns step by step until they fit; returns the names of those left out.
fn fit(shown: &mut Vec<Shown>, width: usize) -> Vec<&'static str> {
    let fits =
        |shown: &[Shown]| shown.iter().map(|column| column.width() + 3).sum::<usize>() < width;
    let mut left_out = Vec::new();
    if !fits(shown) {
        shown
            .iter_mut()
            .filter(|column| column.is_id())
            .for_each(|column| column.each(short_id));
    }
    if !fits(shown) {
        shown.retain(|column| column.cells.is_empty() || !column.is_empty());
    }
    if !fits(shown) {
        shown
            .iter_mut()
            .filter(|c| c.kind == ColumnKind::Text)
            .for_each(|column| column.each(cut));
    }
    if !fits(shown) {
        left_out.extend(
            shown
                .extract_if(.., |column| column.is_id())
                .map(|column| column.name),
        );
    }
    leave_out(shown, &EXPENDABLE, fits, &mut left_out);
    let fits_wrapped = |shown: &[Shown]| {
        shown
            .iter()
            .map(|column| column.least_width() + 3)
            .sum::<usize>()
            < width
    };
    leave_out(shown, &DISPENSABLE, fits_wrapped, &mut left_out);
    // The first column names the row, the last ones are the results.
    while shown.len() > 2 && !fits_wrapped(shown) {
        left_out.push(shown.remove(1).name);
    }
    left_out
}

/// Leaves out columns, the first of `names` first, until the others fit.
fn leave_out(
    shown: &mut Vec<Shown>,
    names: &[&str],
    fits: impl Fn(&[Shown]) -> bool,
    left_out: &mut Vec<&'static str>,
) {
    for name in names {
        if fits(shown) {
            break;
        }
        left_out.extend(
            shown
                .extract_if(.., |column| column.name == *name)
                .map(|column| column.name),
        );
    }
}

/// The width of each column: its full width, or for text a share of the width that the others
/// leave.
fn widths(shown: &[Shown], width: usize) -> Vec<usize> {
    let mut widths: Vec<usize> = shown.iter().map(Shown::width).collect();
    let frame = 3 * shown.len() + 1;
    if widths.iter().sum::<usize>() + frame <= width {
        return widths;
    }
    let mut places: Vec<usize> = (0..shown.len()).collect();
    places.sort_by_key(|place| (shown[*place].kind == ColumnKind::Text, widths[*place]));
    let least: Vec<usize> = shown.iter().map(Shown::least_width).collect();
    let mut left = width.saturating_sub(frame);
    for (done, place) in places.iter().enumerate() {
        let is_text = shown[*place].kind == ColumnKind::Text;
        let share = left / (places.len() - done);
        widths[*place] = if is_text {
            widths[*place].min(share.max(least[*place]))
        } else {
            least[*place]
        };
        left = left.saturating_sub(widths[*place]);
    }
    widths
}

fn short_id(id: &str) -> Option<String> {
    let start = id.len().checked_sub(ID_CHARS)?;
    id.is_char_boundary(start)
        .then(|| format!("…{}", &id[start..]))
}

fn cut(text: &str) -> Option<String> {
    let (at, _) = text.char_indices().nth(TEXT_CHARS - 1)?;
    (text.chars().count() > TEXT_CHARS).then(|| format!("{}…", &text[..at]))
}

fn grid(shown: &[Shown], widths: &[usize], height: usize, options: Options) -> Grid {
    let mut grid = Grid::new();
    let headings = shown
        .iter()
        .zip(widths)
        .map(|(column, width)| column.heading(*width));
    grid.load_style(presets::UTF8_FULL_CONDENSED)
        .set_header(headings);
    if let Some(width) = options.width {
        grid.set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width);
    }
    for row in 0..height {
        grid.add_row(
            shown
                .iter()
                .map(|column| printed(column.kind, &column.cells[row])),
        );
    }
    if shown
        .iter()
        .any(|column| column.total.as_ref().is_some_and(|total| !total.is_empty()))
    {
        let total =
            |column: &Shown| printed(column.kind, column.total.as_deref().unwrap_or_default());
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
        ColumnKind::Text | ColumnKind::Date | ColumnKind::Time | ColumnKind::Bool => {
            CellAlignment::Left
        }
    };
    Printed::new(text).set_alignment(alignment)
}
