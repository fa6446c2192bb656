//! A table for people: a title, headings in words, figures to the right, times in the company's
//! zone.
//!
//! Ids are shortened to beginnings that commands take, and left out where a login or a number names
//! the same. Columns that say the same in every row are left out and said once under the table, and
//! columns without anything are left out. A table that is wider than the terminal is narrowed in
//! steps: the less important columns are left out and named, and long text is cut to the room that
//! the others leave. Where that room is short, text wraps between words, but never an amount, a
//! number or a time; if that is too wide too, the columns after the first are left out one by one.

mod fit;
mod heading;
mod lines;
mod short_ids;

use std::io::Write;

use textwrap::core::display_width;

use crate::domain::displayed::Displayed;
use crate::domain::money::Money;
use crate::domain::time::Zone;
use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::render::Options;
use crate::reports::render::text::{against, footer, for_people, totals_rows};
use crate::reports::table::{Cell, ColumnKind, Table, Value};
use fit::{cut, fit, fit_chosen, is_minor, widths};
pub use heading::heading;
pub(super) use heading::{in_words, title};
use lines::{Lines, Style, Text};
use short_ids::shorten;

/// A count or an amount that is zero.
const ZERO: &str = "·";
/// Ids, and the columns that name the same for people.
const NAMED_OTHERWISE: [(&str, &str); 2] = [("user_id", "login"), ("task_id", "number")];
/// A longer word may be broken.
const WORD_CHARS: usize = 16;

/// Every page becomes a grid of its own; the totals are in the last.
pub(super) fn write(
    report: &Report,
    options: Options,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let (mut left_out, mut rows) = (LeftOut::default(), 0);
    report.each_page(|table| {
        let is_first = rows == 0;
        rows += table.height();
        let mut totals = totals_rows(report);
        if rows < report.height() {
            totals.clear();
        }
        let mut shown = printed_columns(table, &totals, &report.zone);
        for column in shown.iter_mut().filter(|column| column.is_id()) {
            shorten(&mut column.cells, report.head_sequence);
        }
        left_out = narrow(&mut shown, report, table.height(), options);
        name_totals(&mut shown, &totals);
        let widths = widths(&shown, options.width.map_or(usize::MAX, usize::from));
        for (column, width) in shown.iter_mut().zip(&widths) {
            column.wrap(*width);
        }
        let columns = shown
            .iter()
            .zip(widths)
            .map(|(column, width)| (width, column.is_right()));
        let mut lines = Lines {
            columns: columns.collect(),
            colours: options.colours,
            out: &mut *out,
        };
        if is_first {
            write_title(report, options, &mut lines)?;
        }
        if report.height() == 0 && report.arranged.rows_left_out == 0 {
            left_out = LeftOut::default();
            return Ok(lines.line("nothing to show", Style::Plain)?);
        }
        Ok(write_grid(
            &shown,
            table.height(),
            totals.len(),
            &mut lines,
        )?)
    })?;
    let mut lines = Lines {
        columns: Vec::new(),
        colours: options.colours,
        out,
    };
    if report.arranged.rows_left_out > 0 {
        let rows = grouped(&report.arranged.rows_left_out.to_string());
        lines.line(&format!("and {rows} more rows"), Style::Dim)?;
    }
    for (name, value) in footer(report) {
        let value = for_people(value.cell(), &report.zone);
        let against = against(report, name).unwrap_or_default();
        let said = format!("{}: {}{against}", heading(name), Displayed(&value));
        lines.line(&said, Style::Plain)?;
    }
    let width = usize::from(options.width.unwrap_or(u16::MAX));
    for said in left_out.in_words(report.arranged.rows_left_out > 0) {
        for line in textwrap::wrap(&said, width) {
            lines.line(&line, Style::Dim)?;
        }
    }
    Ok(())
}

fn write_title(report: &Report, options: Options, lines: &mut Lines<'_>) -> std::io::Result<()> {
    let (left, right) = title(report);
    let (left, right) = (Displayed(&left).to_string(), Displayed(&right).to_string());
    if left.is_empty() {
        return Ok(());
    }
    let words = display_width(&left) + display_width(&right);
    let width = options.width.map_or(usize::MAX, usize::from);
    if words + 2 > width {
        for line in [&left, &right]
            .into_iter()
            .flat_map(|text| textwrap::wrap(text, width))
        {
            lines.line(&line, Style::Bold)?;
        }
    } else {
        let room = lines.width().saturating_sub(words).max(2);
        let line = format!("{left}{}{right}", " ".repeat(room));
        lines.line(line.trim_end(), Style::Bold)?;
    }
    lines.line("", Style::Plain)
}

fn write_grid(
    shown: &[Shown],
    height: usize,
    totals: usize,
    lines: &mut Lines<'_>,
) -> std::io::Result<()> {
    if shown.is_empty() {
        return Ok(());
    }
    let headings: Vec<String> = shown
        .iter()
        .zip(&lines.columns)
        .map(|(column, (width, _))| column.heading(*width))
        .collect();
    let headings: Vec<_> = headings
        .iter()
        .map(|text| Text {
            text,
            style: Style::Plain,
        })
        .collect();
    lines.row(&headings, true)?;
    lines.rule()?;
    for row in 0..height {
        let cells: Vec<_> = shown
            .iter()
            .map(|column| column.styled(&column.cells[row]))
            .collect();
        lines.row(&cells, false)?;
    }
    let has_totals = |row: &usize| shown.iter().any(|column| !column.totals[*row].is_empty());
    for (place, row) in (0..totals).filter(has_totals).enumerate() {
        if place == 0 {
            lines.rule()?;
        }
        let cells: Vec<_> = shown
            .iter()
            .map(|column| column.styled(&column.totals[row]))
            .collect();
        lines.row(&cells, false)?;
    }
    Ok(())
}

/// Puts the name of each row of totals into the first column, if that has no total.
fn name_totals(shown: &mut [Shown], totals: &[(String, Vec<Option<&Value>>)]) {
    for (row, (name, _)) in totals.iter().enumerate() {
        let has_totals = shown.iter().any(|column| !column.totals[row].is_empty());
        if let Some(first) = shown
            .first_mut()
            .filter(|first| has_totals && first.totals[row].is_empty())
        {
            first.totals[row].clone_from(name);
        }
    }
}

/// The columns that are not shown, and why.
#[derive(Default)]
struct LeftOut {
    /// A column that says the same in every row, with its value.
    constant: Vec<(&'static str, String)>,
    /// Ids of things that have a name in the table.
    ids: Vec<&'static str>,
    too_narrow: Vec<&'static str>,
}

impl LeftOut {
    /// The lines under the table; `is_cut` tells that rows are missing.
    fn in_words(&self, is_cut: bool) -> Vec<String> {
        let names = |names: &[&'static str]| {
            let names = names.iter().map(|name| heading(name).to_lowercase());
            names.collect::<Vec<_>>().join(", ")
        };
        let mut said = Vec::new();
        if !self.constant.is_empty() {
            let values = self.constant.iter();
            let values = values.map(|(name, value)| format!("{} {value}", names(&[*name])));
            let rows = if is_cut {
                "in every row shown"
            } else {
                "in every row"
            };
            said.push(format!("{rows}: {}", values.collect::<Vec<_>>().join(", ")));
        }
        let hidden = [
            ("not shown: ", &self.ids),
            ("no room for: ", &self.too_narrow),
        ];
        let hidden = hidden.iter().filter(|(_, columns)| !columns.is_empty());
        let hidden: Vec<_> = hidden
            .map(|(why, columns)| format!("{why}{}", names(columns)))
            .collect();
        if !hidden.is_empty() {
            said.push(format!("{} (--columns chooses)", hidden.join("; ")));
        }
        said
    }
}

/// Leaves out columns that tell nothing, then narrows the others until they fit. Columns that the reader named stay
/// as long as they fit.
fn narrow(shown: &mut Vec<Shown>, report: &Report, height: usize, options: Options) -> LeftOut {
    let mut left_out = LeftOut::default();
    if report.arranged.has_chosen {
        if let Some(width) = options.width {
            left_out.too_narrow = fit_chosen(shown, usize::from(width));
        }
        return left_out;
    }
    for (id, name) in NAMED_OTHERWISE {
        if shown.iter().any(|column| column.name == name) {
            let ids = shown.extract_if(.., |column| column.name == id);
            left_out.ids.extend(ids.map(|column| column.name));
        }
    }
    if height > 0 {
        shown.retain(|column| !column.is_empty());
    }
    if height > 2 {
        let constant = shown.extract_if(1.., |column| column.is_constant());
        left_out.constant = constant
            .map(|column| (column.name, column.cells[0].clone()))
            .collect();
    }
    if let Some(width) = options.width {
        left_out.too_narrow = fit(shown, usize::from(width));
    }
    left_out
}

/// One column as printed, with a cell for each row of totals.
struct Shown {
    name: &'static str,
    kind: ColumnKind,
    cells: Vec<String>,
    totals: Vec<String>,
}

impl Shown {
    fn is_id(&self) -> bool {
        is_id(self.name, self.kind)
    }

    fn width(&self) -> usize {
        self.content()
            .map(display_width)
            .max()
            .unwrap_or(0)
            .max(heading(self.name).len())
    }

    /// The least width: no word of a text or of the name is broken, and no other value.
    fn least_width(&self) -> usize {
        let heading = heading(self.name);
        let name = heading.split(' ').map(str::len).max().unwrap_or(0);
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
        self.cells.iter().chain(&self.totals).map(String::as_str)
    }

    fn heading(&self, width: usize) -> String {
        textwrap::wrap(&heading(self.name), width).join("\n")
    }

    fn is_right(&self) -> bool {
        self.kind.is_number()
    }

    /// Whether the column says nothing: no value, or only zeros where few reports have another value.
    fn is_empty(&self) -> bool {
        let is_minor = is_minor(self.name);
        let says_nothing = |text: &str| text.is_empty() || is_minor && text == ZERO;
        self.content().all(says_nothing)
    }

    fn is_constant(&self) -> bool {
        let first = self.cells.first();
        self.totals.iter().all(String::is_empty)
            && !self.is_right()
            && self.cells.iter().all(|cell| Some(cell) == first)
    }

    fn styled<'a>(&self, text: &'a str) -> Text<'a> {
        let style = match self.kind {
            _ if text == ZERO => Style::Dim,
            ColumnKind::Money if text.starts_with('-') => Style::Red,
            _ => Style::Plain,
        };
        Text { text, style }
    }

    fn wrap(&mut self, width: usize) {
        if self.kind == ColumnKind::Text {
            self.each(|cell| cut(cell, width));
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
    totals: &[(String, Vec<Option<&Value>>)],
    zone: &Zone,
) -> Vec<Shown> {
    let columns = table.columns().iter().zip(table.cells()).enumerate();
    columns
        .map(|(number, ((name, kind), cells))| {
            let total = |values: &[Option<&Value>]| {
                values[number].map_or(String::new(), |value| displayed(name, value.cell(), zone))
            };
            Shown {
                name,
                kind: *kind,
                cells: cells.map(|cell| displayed(name, cell, zone)).collect(),
                totals: totals.iter().map(|(_, values)| total(values)).collect(),
            }
        })
        .collect()
}

/// Whether a column has ids, which programs read.
pub(super) fn is_id(name: &str, kind: ColumnKind) -> bool {
    let is_named = name == "corrects" || name == "id" || name.ends_with("_id");
    kind == ColumnKind::Text && is_named && name != "jira_id"
}

pub(super) fn displayed(name: &str, cell: Cell<&str>, zone: &Zone) -> String {
    match cell {
        Cell::Int(number) if name == "number" => format!("T-{number}"),
        Cell::Int(0) => ZERO.to_owned(),
        Cell::Money(money) if money == Money::ZERO => ZERO.to_owned(),
        Cell::Int(_) | Cell::Money(_) | Cell::Tenths(_) => grouped(&for_people(cell, zone)),
        _ => Displayed(&for_people(cell, zone)).to_string(),
    }
}

/// A number with its thousands apart.
pub fn grouped(number: &str) -> String {
    let whole = number.find('.').unwrap_or(number.len());
    let mut text = String::new();
    for (place, letter) in number.char_indices() {
        let is_behind_digit = number[..place].ends_with(|before: char| before.is_ascii_digit());
        if place < whole && is_behind_digit && (whole - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(letter);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in [
            ("0.05", "0.05"),
            ("-12.00", "-12.00"),
            ("999.00", "999.00"),
            ("-1363.00", "-1 363.00"),
            ("1234567.89", "1 234 567.89"),
            ("100000", "100 000"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
