//! A CSV file as rows with named cells; each row knows its line.
//!
//! It may be as spreadsheets write it: UTF-16, separated by semicolons or tabs, with a first line
//! `sep=;`, with columns and rows that are empty. What is wrong with the file as a whole is
//! [`ImportError::BadCsv`]; what is wrong with one row is that row's fault and leaves the others as they
//! are.

use std::io::{self, Read, Write};

use csv::{ByteRecord, StringRecord};

use crate::app::AppError;
use crate::app::import::columns::{Column, Columns, Places, Reading};
use crate::app::import::encoding::{Decoder, Encoding};
use crate::app::import::fault::Fault;
use crate::app::import::records::{Record, RecordReader};
use crate::app::import::{BadRow, ImportError, ImportKind, cannot_keep, unreadable};
use crate::domain::text::unescape_formula;
use crate::files::spool::{Spool, SpoolReader};

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

/// The bytes that are read of a file at once.
const PIECE_BYTES: usize = 256 << 10;

/// The rows are not in memory: each pass over them reads the text again.
pub(super) struct CsvFile {
    /// In UTF-8.
    text: Spool,
    separator: u8,
    /// The place and the line in which the records begin.
    begin: (u64, u64),
    /// Without the columns of a rejects file, and without empty headers at its end.
    header: StringRecord,
    /// The number of cells in a row, including those of a rejects file.
    width: usize,
    places: Places,
    ignores_unknown: bool,
    encoding: Encoding,
    /// How the file was read, if its form is unusual.
    read_as: Option<String>,
    /// The number of rows, without malformed ones.
    pub count: u64,
    /// Rows that have no usable cells.
    pub malformed: Vec<BadRow>,
}

pub(super) struct CsvRow {
    /// The line in which the row begins, counted from 1.
    pub line: u64,
    pub record: StringRecord,
}

/// A row that is not blank.
enum Taken {
    Row(CsvRow),
    Malformed(BadRow),
}

impl CsvFile {
    /// Reads a file. Its text waits in `text`, which is empty.
    ///
    /// # Errors
    /// [`ImportError::BadCsv`]; [`AppError::Usage`] if `reading` does not fit the import.
    pub(super) fn read(
        kind: ImportKind,
        reading: &Reading,
        input: impl Read,
        mut text: Spool,
    ) -> Result<CsvFile, ImportError> {
        let columns = Columns::new(kind, reading)?;
        let encoding = keep_text(input, &mut text)?;
        let mut beginning = Vec::new();
        text.read_from(0)
            .take(PIECE_BYTES as u64)
            .read_to_end(&mut beginning)
            .map_err(unreadable)?;
        let named = named_separator(&beginning);
        let (separator, begin) = match named {
            Some((separator, end)) => (separator, (end as u64, 2)),
            None => {
                let likely = likely_separator(&text, &columns).map_err(unreadable)?;
                (likely, (0, 1))
            }
        };
        let has_bare_returns = has_bare_returns(&beginning[begin.0 as usize..]);
        let read_as = read_as(encoding, separator, named.is_some(), has_bare_returns);
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
        let mut records = RecordReader::new(text.read_from(begin.0), separator, begin.1);
        let header = header(&mut records).map_err(unreadable)?;
        let header = header_cells(header, encoding).map_err(|reason| bad(reason, &[]))?;
        let (header, width) = without_ends(header);
        let is_one_cell = header.len() == 1 && named.is_none();
        let hints = [MAPPING, ONE_CELL];
        let hints = &hints[..if is_one_cell { 2 } else { 1 }];
        let places = columns
            .places(&header)
            .map_err(|reason| bad(reason, hints))?;
        let mut csv_file = CsvFile {
            text,
            separator,
            begin,
            header,
            width,
            places,
            ignores_unknown: reading.ignore_unknown,
            encoding,
            read_as,
            count: 0,
            malformed: Vec::new(),
        };
        csv_file.look_through()?;
        Ok(csv_file)
    }

    /// The first pass: counts the rows and keeps the malformed ones.
    fn look_through(&mut self) -> Result<(), AppError> {
        let (mut count, mut malformed) = (0, Vec::new());
        for taken in self.taken()? {
            match taken? {
                Taken::Row(_) => count += 1,
                Taken::Malformed(row) => malformed.push(row),
            }
        }
        (self.count, self.malformed) = (count, malformed);
        Ok(())
    }

    /// The rows in order, without malformed ones.
    ///
    /// # Errors
    /// Also those of each row: the text can be read no further.
    pub(super) fn rows(
        &self,
    ) -> Result<impl Iterator<Item = Result<CsvRow, AppError>> + '_, AppError> {
        Ok(self.taken()?.filter_map(|taken| match taken {
            Ok(Taken::Row(row)) => Some(Ok(row)),
            Ok(Taken::Malformed(_)) => None,
            Err(error) => Some(Err(error)),
        }))
    }

    fn taken(&self) -> Result<impl Iterator<Item = Result<Taken, AppError>> + '_, AppError> {
        let (offset, line) = self.begin;
        let mut records = RecordReader::new(self.text.read_from(offset), self.separator, line);
        header(&mut records).map_err(unreadable)?;
        Ok(std::iter::from_fn(move || {
            loop {
                match records.next().map_err(unreadable) {
                    Ok(Some(record)) => match self.take(record, &records) {
                        Some(taken) => return Some(Ok(taken)),
                        None => continue,
                    },
                    Ok(None) => return None,
                    Err(error) => return Some(Err(error)),
                }
            }
        }))
    }

    /// A note on how the file was read; nothing if it is as expected.
    pub(super) fn remarks(&self) -> Vec<String> {
        let mut remarks: Vec<_> = self.read_as.iter().cloned().collect();
        if !self.places.ignored.is_empty() {
            remarks.push(format!("passed over: {}", self.places.ignored.join(", ")));
        }
        remarks
    }

    fn take(&self, record: Record, records: &RecordReader<SpoolReader<'_>>) -> Option<Taken> {
        let text = records.text(&record);
        let Record {
            line, cells, fault, ..
        } = record;
        if fault.is_none() && cells.iter().all(is_blank) {
            return None;
        }
        let malformed = |fault, record| {
            Taken::Malformed(BadRow {
                line,
                faults: vec![Fault::of_row(fault)],
                record,
            })
        };
        if let Some(fault) = fault.or_else(|| self.unreadable(&cells)) {
            return Some(malformed(fault, self.behind_empty_cells(text)));
        }
        let surplus = cells.len().saturating_sub(self.width);
        let fault = self.misplaced(&cells);
        let mut record = StringRecord::from_byte_record_lossy(cells);
        Some(match fault {
            None => {
                record.truncate(self.header.len());
                Taken::Row(CsvRow { line, record })
            }
            Some(fault) => {
                record.truncate(self.header.len() + surplus);
                malformed(fault, record)
            }
        })
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
    fn misplaced(&self, cells: &ByteRecord) -> Option<String> {
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
            .filter(|_| !self.ignores_unknown);
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

/// Copies a file to `text` in UTF-8.
fn keep_text(mut input: impl Read, text: &mut Spool) -> Result<Encoding, ImportError> {
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    let mut read_piece = |piece: &mut Vec<u8>| {
        piece.clear();
        let read = input.by_ref().take(PIECE_BYTES as u64).read_to_end(piece);
        read.map_err(|source| AppError::Stream {
            action: "read the file to import",
            source,
        })
    };
    read_piece(&mut piece)?;
    if let Some((_, what)) = OTHER_KINDS
        .iter()
        .find(|(beginning, _)| piece.starts_with(beginning))
    {
        return Err(ImportError::BadCsv {
            reason: format!("it is {what}"),
            hints: vec!["save it as CSV; in Excel as `CSV UTF-8`".to_owned()],
        });
    }
    let cannot_keep = cannot_keep(text);
    let (mut decoder, mark) = Decoder::of(&piece);
    let encoding = decoder.encoding;
    piece.drain(..mark);
    while !piece.is_empty() {
        text.write_all(&decoder.decode(&piece))
            .map_err(&cannot_keep)?;
        read_piece(&mut piece)?;
    }
    text.write_all(&decoder.end()).map_err(&cannot_keep)?;
    Ok(encoding)
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
fn likely_separator(text: &Spool, columns: &Columns<'_>) -> io::Result<u8> {
    let mut likely = (SEPARATORS[0], None);
    for separator in SEPARATORS {
        let header = header(&mut RecordReader::new(text.read_from(0), separator, 1))?;
        let header = header
            .map(|record| StringRecord::from_byte_record_lossy(record.cells))
            .unwrap_or_default();
        let fits = Some((columns.known_in(&header), header.len()));
        if fits > likely.1 {
            likely = (separator, fits);
        }
    }
    Ok(likely.0)
}

/// The first row that is not blank.
fn header(records: &mut RecordReader<SpoolReader<'_>>) -> io::Result<Option<Record>> {
    while let Some(record) = records.next()? {
        if record.fault.is_some() || !record.cells.iter().all(is_nothing) {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

fn header_cells(header: Option<Record>, encoding: Encoding) -> Result<StringRecord, String> {
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
