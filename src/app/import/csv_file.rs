//! A CSV file as rows with named cells; each row knows its line.
//!
//! It may be as spreadsheets write it: UTF-16, separated by semicolons or tabs, with a first line
//! `sep=;`, with columns and rows that are empty. What is wrong with the file as a whole is
//! [`ImportError::BadCsv`]; what is wrong with one row is that row's fault and leaves the others as they
//! are.

use std::io::{Read, Write};

use csv::{ByteRecord, StringRecord};

use crate::app::AppError;
use crate::app::import::columns::{Column, Columns, Places, Reading};
use crate::app::import::encoding::{Encoding, decoded};
use crate::app::import::fault::Fault;
use crate::app::import::records::{Record, Records};
use crate::app::import::{BadRow, ImportError, ImportKind};
use crate::domain::text::unescape_formula;

/// The columns of a rejects file after those of its import.
const REJECT_COLUMNS: [&str; 3] = ["line", "column", "reason"];

/// If several fit, the first is taken.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

/// Some exports name their separator in a line before the header.
const NAMES_SEPARATOR: &[u8] = b"sep=";

/// The beginnings of files that are given by mistake.
const OTHER_KINDS: [(&[u8], &str); 4] = [
    (b"PK\x03\x04", "an Excel workbook or another zip archive"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook"),
    (b"PAR1", "a Parquet file"),
    (b"\x1f\x8b", "a compressed file"),
];

pub(super) struct CsvFile {
    /// Without the columns of a rejects file, and without empty headers at its end.
    header: StringRecord,
    /// The number of cells in a row, including those of a rejects file.
    width: usize,
    places: Places,
    encoding: Encoding,
    /// How the file was read, if its form is unusual.
    read_as: Option<String>,
    pub rows: Vec<CsvRow>,
    /// Rows that have no usable cells.
    pub malformed: Vec<BadRow>,
}

pub(super) struct CsvRow {
    /// The line in which the row begins, counted from 1.
    pub line: u64,
    pub record: StringRecord,
}

impl CsvFile {
    /// # Errors
    /// [`ImportError::BadCsv`]; [`AppError::Usage`] if `reading` does not fit the import.
    pub(super) fn read(
        kind: ImportKind,
        reading: &Reading,
        mut input: impl Read,
    ) -> Result<CsvFile, ImportError> {
        let columns = Columns::new(kind, reading)?;
        let mut bytes = Vec::new();
        input
            .read_to_end(&mut bytes)
            .map_err(|source| AppError::Stream {
                action: "read the file to import",
                source,
            })?;
        if let Some((_, what)) = OTHER_KINDS
            .iter()
            .find(|(beginning, _)| bytes.starts_with(beginning))
        {
            return Err(ImportError::BadCsv {
                reason: format!("it is {what}"),
                hints: vec!["save it as CSV; in Excel as `CSV UTF-8`".to_owned()],
            });
        }
        let (text, encoding) = decoded(&bytes);
        drop(bytes);
        let named = named_separator(&text);
        let (separator, text, line) = match named {
            Some((separator, end)) => (separator, &text[end..], 2),
            None => (likely_separator(&text, &columns), &text[..], 1),
        };
        let mut records = Records::new(text, separator, line);
        let read_as = read_as(encoding, separator, named.is_some(), has_bare_returns(text));
        let bad = |reason, more: &[&str]| {
            let read_as = read_as
                .iter()
                .map(|read_as| format!("the file was {read_as}"));
            let hints = read_as
                .chain([kind.hint()])
                .chain(more.iter().map(|hint| (*hint).to_owned()));
            ImportError::BadCsv {
                reason,
                hints: hints.collect(),
            }
        };
        let header = header(&mut records, encoding).map_err(|reason| bad(reason, &[]))?;
        let (header, width) = without_ends(header);
        let is_one_cell = header.len() == 1 && named.is_none();
        let hints = [MAPPING, ONE_CELL];
        let hints = &hints[..if is_one_cell { 2 } else { 1 }];
        let places = columns
            .places(&header)
            .map_err(|reason| bad(reason, hints))?;
        let mut csv_file = CsvFile {
            header,
            width,
            places,
            encoding,
            read_as,
            rows: Vec::new(),
            malformed: Vec::new(),
        };
        records.for_each(|record| csv_file.take(record, reading.ignore_unknown));
        Ok(csv_file)
    }

    /// A note on how the file was read; nothing if it is as expected.
    pub(super) fn remarks(&self) -> Vec<String> {
        let mut remarks: Vec<_> = self.read_as.iter().cloned().collect();
        if !self.places.ignored.is_empty() {
            remarks.push(format!("passed over: {}", self.places.ignored.join(", ")));
        }
        remarks
    }

    fn take(&mut self, record: Record<'_>, ignores_unknown: bool) {
        let Record {
            line,
            text,
            cells,
            fault,
        } = record;
        if fault.is_none() && cells.iter().all(is_blank) {
            return;
        }
        let malformed = |fault, record| BadRow {
            line,
            faults: vec![Fault::of_row(fault)],
            record,
        };
        if let Some(fault) = fault.or_else(|| self.unreadable(&cells)) {
            let whole = self.behind_empty_cells(text);
            return self.malformed.push(malformed(fault, whole));
        }
        let surplus = cells.len().saturating_sub(self.width);
        let fault = self.misplaced(&cells, ignores_unknown);
        let mut record = StringRecord::from_byte_record_lossy(cells);
        match fault {
            None => {
                record.truncate(self.header.len());
                self.rows.push(CsvRow { line, record });
            }
            Some(fault) => {
                record.truncate(self.header.len() + surplus);
                self.malformed.push(malformed(fault, record));
            }
        }
    }

    /// Why it is unknown which cell belongs to which column.
    fn unreadable(&self, cells: &ByteRecord) -> Option<String> {
        if cells.iter().any(|cell| std::str::from_utf8(cell).is_err()) {
            return Some(not_text("row", self.encoding));
        }
        (cells.len() < self.width).then(|| self.of_another_width(cells.len()))
    }

    /// A row that is bad in a rejects file too, until its text is divided among the columns: the text
    /// stands in a cell without a heading, and the cells of all columns are empty.
    fn behind_empty_cells(&self, text: &[u8]) -> StringRecord {
        let text = String::from_utf8_lossy(text);
        std::iter::repeat_n("", self.header.len())
            .chain([&*text])
            .collect()
    }

    /// Why the cells do not fit the header. Extra empty cells are allowed.
    fn misplaced(&self, cells: &ByteRecord, ignores_unknown: bool) -> Option<String> {
        let filled = cells.len() - cells.iter().rev().take_while(|cell| is_blank(cell)).count();
        if filled > self.width {
            return Some(self.of_another_width(filled));
        }
        let is_filled = |place: &&usize| cells.get(**place).is_some_and(|cell| !is_blank(cell));
        let nameless = self
            .places
            .nameless
            .iter()
            .find(is_filled)
            .filter(|_| !ignores_unknown);
        nameless.map(|place| format!("cell {} stands under an empty header", place + 1))
    }

    fn of_another_width(&self, cells: usize) -> String {
        format!("the row has {cells} cells, the header {}", self.width)
    }

    /// A cell, empty if the file has no such column; the guard against formulas is taken off.
    pub(super) fn cell<'r>(&self, record: &'r StringRecord, column: Column) -> &'r str {
        let place = self.places.known[column as usize];
        let cell = place
            .and_then(|place| record.get(place))
            .unwrap_or_default();
        unescape_formula(if column.is_word() { cell.trim() } else { cell })
    }

    #[cfg(test)]
    pub(super) fn has(&self, column: Column) -> bool {
        self.places.known[column as usize].is_some()
    }

    /// Writes the bad rows, each with its faults in three more columns. Extra cells of a row get
    /// empty headers.
    ///
    /// # Errors
    /// [`AppError::Stream`] if they cannot be written.
    pub(super) fn write_rejects(&self, bad: &[BadRow], to: &mut dyn Write) -> Result<(), AppError> {
        let mut writer = csv::Writer::from_writer(to);
        let widths = bad.iter().map(|row| row.record.len());
        let width = widths.max().unwrap_or_default().max(self.header.len());
        let filled = |record| {
            let missing = width - StringRecord::len(record);
            StringRecord::iter(record).chain(std::iter::repeat_n("", missing))
        };
        let mut write = || {
            writer.write_record(filled(&self.header).chain(REJECT_COLUMNS))?;
            for row in bad {
                let cells = filled(&row.record);
                let (line, (columns, reasons)) = (row.line.to_string(), joined(&row.faults));
                writer.write_record(cells.chain([line.as_str(), &columns, &reasons]))?;
            }
            writer.flush().map_err(csv::Error::from)
        };
        write().map_err(|error: csv::Error| AppError::Stream {
            action: "write the rejected rows",
            source: error.into(),
        })
    }
}

/// The columns at fault, and the reasons in the same order.
fn joined(faults: &[Fault]) -> (String, String) {
    let columns: Vec<_> = faults.iter().map(|fault| fault.column).collect();
    let reasons: Vec<_> = faults.iter().map(|fault| fault.reason.as_str()).collect();
    (columns.join(", "), reasons.join("; "))
}

fn is_blank(cell: &[u8]) -> bool {
    std::str::from_utf8(cell).is_ok_and(|cell| cell.trim().is_empty())
}

/// Whether the cell is blank with any separator, because rows before the header come before the
/// separator is known.
fn is_nothing(cell: &[u8]) -> bool {
    is_blank(cell)
        || cell
            .iter()
            .all(|byte| SEPARATORS.contains(byte) || byte.is_ascii_whitespace())
}

/// The separator that the first line names, and the end of that line.
fn named_separator(text: &[u8]) -> Option<(u8, usize)> {
    let end = memchr::memchr2(b'\r', b'\n', text)?;
    let line = text[..end].trim_ascii_end();
    let line = line
        .strip_prefix(b"\"")
        .and_then(|line| line.strip_suffix(b"\""))
        .unwrap_or(&text[..end]);
    let (name, separator) = line.split_at_checked(NAMES_SEPARATOR.len())?;
    let is_named = name.eq_ignore_ascii_case(NAMES_SEPARATOR);
    let next = if text[end..].starts_with(b"\r\n") {
        end + 2
    } else {
        end + 1
    };
    match separator {
        [separator] if is_named && !separator.is_ascii_alphanumeric() && *separator != b'"' => {
            Some((*separator, next))
        }
        _ => None,
    }
}

/// The separator with which the header has the most known columns, or otherwise the most cells.
fn likely_separator(text: &[u8], columns: &Columns<'_>) -> u8 {
    let columns_by = |separator: &u8| {
        let header =
            Records::new(text, *separator, 1).find(|record| !record.cells.iter().all(is_nothing));
        let header = header
            .map(|record| StringRecord::from_byte_record_lossy(record.cells))
            .unwrap_or_default();
        (columns.known_in(&header), header.len())
    };
    SEPARATORS
        .into_iter()
        .rev()
        .max_by_key(columns_by)
        .expect("there are some")
}

/// The first row that is not blank.
fn header(records: &mut Records<'_>, encoding: Encoding) -> Result<StringRecord, String> {
    let header =
        records.find(|record| record.fault.is_some() || !record.cells.iter().all(is_nothing));
    let Some(Record { cells, fault, .. }) = header else {
        return Err("the file is empty; a header row is required".to_owned());
    };
    match fault {
        Some(fault) => Err(format!("the header row cannot be read: {fault}")),
        None => StringRecord::from_byte_record(cells).map_err(|_| not_text("header", encoding)),
    }
}

fn not_text(what: &str, encoding: Encoding) -> String {
    match encoding {
        Encoding::Utf8 => format!("the {what} is not UTF-8; in a spreadsheet, save as `CSV UTF-8`"),
        Encoding::Utf16 => format!("the {what} is not UTF-16"),
    }
}

/// The header without empty names at its end and without the columns of our own rejects file, which
/// is imported unchanged after its rows are corrected; and the number of cells in a row.
fn without_ends(mut header: StringRecord) -> (StringRecord, usize) {
    let empty = header
        .iter()
        .rev()
        .take_while(|name| name.trim().is_empty())
        .count();
    let width = header.len() - empty;
    header.truncate(width);
    if let Some(own) = width.checked_sub(REJECT_COLUMNS.len())
        && header.iter().skip(own).eq(REJECT_COLUMNS)
    {
        header.truncate(own);
    }
    (header, width)
}

/// Whether the first line ends in CR alone.
fn has_bare_returns(text: &[u8]) -> bool {
    let end = memchr::memchr2(b'\r', b'\n', text);
    end.is_some_and(|end| text[end] == b'\r' && text.get(end + 1) != Some(&b'\n'))
}

/// How the file was read, unless it is UTF-8 with commas, without a line `sep=,` and with lines that
/// end in LF or CR LF.
fn read_as(
    encoding: Encoding,
    separator: u8,
    is_named: bool,
    has_bare_returns: bool,
) -> Option<String> {
    if encoding == Encoding::Utf8 && separator == b',' && !is_named && !has_bare_returns {
        return None;
    }
    let separator = match separator {
        b'\t' => "tabs".to_owned(),
        other => format!("`{}`", char::from(other)),
    };
    let source = if is_named {
        " as its first line says"
    } else {
        ""
    };
    let ends = if has_bare_returns {
        ", with lines that end in CR"
    } else {
        ""
    };
    Some(format!(
        "read as {}, separated by {separator}{source}{ends}",
        encoding.name()
    ))
}

const ONE_CELL: &str = "the header was read as one cell, because `,`, `;` and tabs separate cells; \
     another separator stands in a line before the header, like sep=|";
const MAPPING: &str = "--map COLUMN=HEADER takes a column of another name, like --map title=Summary; \
     --ignore-unknown passes over columns that are not known";
