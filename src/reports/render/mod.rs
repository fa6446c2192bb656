//! Writes a report in one of the output formats.
//!
//! Every format reads the same [`Cell`](crate::reports::table::Cell)s, so all formats show the same
//! values. All read page by page, so that memory does not grow with the number of rows.

mod csv;
#[cfg(test)]
mod golden;
mod html;
mod json;
mod markdown;
pub mod page;
mod parquet;
mod plain;
mod terminal;
mod text;

use std::io::Write;

pub use csv::Excel;
pub use json::write_members;
pub use terminal::{grouped, heading};
pub use text::for_machines;

use crate::reports::Report;
use crate::reports::error::ReportError;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// For people, at a terminal.
    Table,
    /// Tab-separated, without a header.
    Plain,
    Csv,
    /// One object with the rows inside.
    Json,
    /// One object per row.
    Ndjson,
    Markdown,
    /// A document for browsers and printers.
    Html,
    Parquet,
}

impl Format {
    /// The formats that users can ask for by name.
    pub const SHOWN: [Format; 8] = [
        Format::Table,
        Format::Plain,
        Format::Csv,
        Format::Json,
        Format::Ndjson,
        Format::Markdown,
        Format::Parquet,
        Format::Html,
    ];
    /// The formats of the files of an export.
    pub const EXPORTED: [Format; 2] = [Format::Csv, Format::Parquet];

    /// The name of the format, which is also the extension of its files.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Table => "table",
            Format::Plain => "plain",
            Format::Csv => "csv",
            Format::Json => "json",
            Format::Ndjson => "ndjson",
            Format::Markdown => "md",
            Format::Html => "html",
            Format::Parquet => "parquet",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// The columns of the terminal; `None` for no limit. Only [`Format::Table`] uses it.
    pub width: Option<u16>,
    /// Whether a table has colours.
    pub colours: bool,
    /// The country for whose Excel a CSV is; `None` for programs.
    pub excel: Option<Excel>,
}

/// Writes all of `report` to `out`, which need not be buffered.
///
/// # Errors
/// [`ReportError::Write`] when `out` fails, [`ReportError::Frames`] from the Parquet writer.
pub fn render(
    report: &Report,
    format: Format,
    options: Options,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    match format {
        Format::Table => terminal::write(report, options, out),
        Format::Plain => plain::write(report, out),
        Format::Csv => csv::write(report, options.excel, out),
        Format::Json => json::write(report, out),
        Format::Ndjson => json::write_lines(report, out),
        Format::Markdown => markdown::write(report, out),
        Format::Html => html::write(report, out),
        Format::Parquet => parquet::write(report, out),
    }
}
