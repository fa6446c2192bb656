//! A CSV file as rows with named cells, each knowing its line.
//!
//! It may be as spreadsheets write it: UTF-16, separated by semicolons or tabs, with a first line
//! `sep=;`, with columns and rows that are empty. What is wrong with the file as a whole is
//! [`AppError::BadCsv`]; what is wrong with one row is that row's fault and leaves the others as they
//! are.

use std::io::{Read, Write};

use csv::{ByteRecord, StringRecord};

use crate::app::AppError;
use crate::app::import::columns::{Column, Columns, Places, Reading};
use crate::app::import::encoding::{Encoding, decoded};
use crate::app::import::records::{Record, Records};
use crate::app::import::row::Fault;
use crate::app::import::{BadRow, ImportKind};
use crate::domain::text::unescape_formula;

/// What a rejects file has behind the columns of its import.
const REJECT_COLUMNS: [&str; 3] = ["line", "column", "reason"];

/// The one that is taken where several fit comes first.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

/// Some exports name their separator in a line before the header.
const NAMES_SEPARATOR: &[u8] = b"sep=";

pub(super) struct Sheet {
    /// Without the columns of a rejects file, and without empty headers at its end.
    header: StringRecord,
    /// Cells of a row, those of a rejects file included.
    width: usize,
    places: Places,
    encoding: Encoding,
    separator: u8,
    pub rows: Vec<SheetRow>,
    /// Rows that have no cells to look at.
    pub malformed: Vec<BadRow>,
}

pub(super) struct SheetRow {
    /// Counted from 1, where the row begins.
    pub line: u64,
    pub record: StringRecord,
}

impl Sheet {
    /// # Errors
    /// [`AppError::BadCsv`]; [`AppError::Usage`] if `reading` does not fit the import.
    pub fn read(kind: ImportKind, reading: &Reading, mut input: impl Read) -> Result<Sheet, AppError> {
        let columns = Columns::new(kind, reading)?;
        let mut bytes = Vec::new();
        input
            .read_to_end(&mut bytes)
            .map_err(|source| AppError::Stream { action: "read the file to import", source })?;
        let (text, encoding) = decoded(&bytes);
        drop(bytes);
        let (separator, text, line) = match named_separator(&text) {
            Some((separator, end)) => (separator, &text[end..], 2),
            None => (likely_separator(&text, &columns), &text[..], 1),
        };
        let mut records = Records::new(text, separator, line);
        let bad = |reason, hint: Option<&str>| {
            let read_as = read_as(encoding, separator).map(|read_as| format!("the file was {read_as}"));
            let hints = read_as.into_iter().chain([kind.hint()]).chain(hint.map(str::to_owned));
            AppError::BadCsv { reason, hints: hints.collect() }
        };
        let header = header(&mut records, encoding).map_err(|reason| bad(reason, None))?;
        let (header, width) = without_ends(header);
        let places = columns.places(&header).map_err(|reason| bad(reason, Some(MAPPING)))?;
        let mut sheet = Sheet { header, width, places, encoding, separator, rows: Vec::new(), malformed: Vec::new() };
        records.for_each(|record| sheet.take(record, reading.ignore_unknown));
        Ok(sheet)
    }

    /// What whoever gave the file is told about how it was read; nothing where it is as expected.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks: Vec<_> = read_as(self.encoding, self.separator).into_iter().collect();
        if !self.places.ignored.is_empty() {
            remarks.push(format!("passed over: {}", self.places.ignored.join(", ")));
        }
        remarks
    }

    fn take(&mut self, record: Record, ignores_unknown: bool) {
        let Record { line, cells, fault } = record;
        if fault.is_none() && cells.iter().all(is_blank) {
            return;
        }
        let surplus = cells.len().saturating_sub(self.width);
        let fault = fault.or_else(|| self.fault_of(&cells, ignores_unknown));
        let mut record = StringRecord::from_byte_record_lossy(cells);
        match fault {
            None => {
                record.truncate(self.header.len());
                self.rows.push(SheetRow { line, record });
            }
            Some(fault) => {
                record.truncate(self.header.len() + surplus);
                self.malformed.push(BadRow { line, faults: vec![Fault::of_row(fault)], record });
            }
        }
    }

    /// Why the cells are not those of a row. Empty ones may follow it.
    fn fault_of(&self, cells: &ByteRecord, ignores_unknown: bool) -> Option<String> {
        if cells.iter().any(|cell| std::str::from_utf8(cell).is_err()) {
            return Some(match self.encoding {
                Encoding::Utf8 => "the row is not UTF-8; in a spreadsheet, save as `CSV UTF-8`".to_owned(),
                Encoding::Utf16 => "the row is not UTF-16".to_owned(),
            });
        }
        let filled = cells.len() - cells.iter().rev().take_while(|cell| is_blank(cell)).count();
        if cells.len() < self.width || filled > self.width {
            return Some(format!(
                "the row has {} cells, the header {}",
                cells.len().min(filled.max(self.width)),
                self.width
            ));
        }
        let is_filled = |place: &&usize| cells.get(**place).is_some_and(|cell| !is_blank(cell));
        let nameless = self.places.nameless.iter().find(is_filled).filter(|_| !ignores_unknown);
        nameless.map(|place| format!("cell {} stands under an empty header", place + 1))
    }

    /// A cell, empty if the file has no such column; the guard against formulas is taken off.
    pub fn cell<'r>(&self, record: &'r StringRecord, column: Column) -> &'r str {
        let place = self.places.known[column as usize];
        let cell = place.and_then(|place| record.get(place)).unwrap_or_default();
        unescape_formula(if column.is_word() { cell.trim() } else { cell })
    }

    #[cfg(test)]
    pub fn has(&self, column: Column) -> bool {
        self.places.known[column as usize].is_some()
    }

    /// Writes the bad rows as they were, each with its faults in three more columns.
    ///
    /// # Errors
    /// [`AppError::Stream`] if they cannot be written.
    pub fn write_rejects(&self, bad: &[BadRow], to: &mut dyn Write) -> Result<(), AppError> {
        let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(to);
        let mut write = || {
            writer.write_record(self.header.iter().chain(REJECT_COLUMNS))?;
            for row in bad {
                let missing = self.header.len().saturating_sub(row.record.len());
                let cells = row.record.iter().chain(std::iter::repeat_n("", missing));
                let (line, (columns, reasons)) = (row.line.to_string(), joined(&row.faults));
                writer.write_record(cells.chain([line.as_str(), &columns, &reasons]))?;
            }
            writer.flush().map_err(csv::Error::from)
        };
        write()
            .map_err(|error: csv::Error| AppError::Stream { action: "write the rejected rows", source: error.into() })
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

/// The separator that the first line names, and where the line ends.
fn named_separator(text: &[u8]) -> Option<(u8, usize)> {
    let end = memchr::memchr2(b'\r', b'\n', text)?;
    let line = text[..end].trim_ascii_end();
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(&text[..end]);
    let (name, separator) = line.split_at_checked(NAMES_SEPARATOR.len())?;
    let is_named = name.eq_ignore_ascii_case(NAMES_SEPARATOR);
    let next = if text[end..].starts_with(b"\r\n") { end + 2 } else { end + 1 };
    match separator {
        [separator] if is_named && !separator.is_ascii_alphanumeric() && *separator != b'"' => Some((*separator, next)),
        _ => None,
    }
}

/// The separator by which the header has the most columns that are known, or else the most cells.
fn likely_separator(text: &[u8], columns: &Columns<'_>) -> u8 {
    let columns_by = |separator: &u8| {
        let header = Records::new(text, *separator, 1).find(|record| !record.cells.iter().all(is_blank));
        let header = header.map(|record| StringRecord::from_byte_record_lossy(record.cells)).unwrap_or_default();
        (columns.known_in(&header), header.len())
    };
    SEPARATORS.into_iter().rev().max_by_key(columns_by).expect("there are some")
}

/// The first row that is not blank.
fn header(records: &mut Records<'_>, encoding: Encoding) -> Result<StringRecord, String> {
    let header = records.find(|record| record.fault.is_some() || !record.cells.iter().all(is_blank));
    let Some(Record { cells, fault, .. }) = header else {
        return Err("the file is empty; a header row is required".to_owned());
    };
    match fault {
        Some(fault) => Err(format!("the header row cannot be read: {fault}")),
        None => StringRecord::from_byte_record(cells).map_err(|_| format!("the header row is not {}", encoding.name())),
    }
}

/// The header without empty names at its end and without the columns of our own rejects file, which
/// is imported as it is once it is mended; and how many cells a row has.
fn without_ends(mut header: StringRecord) -> (StringRecord, usize) {
    let empty = header.iter().rev().take_while(|name| name.trim().is_empty()).count();
    let width = header.len() - empty;
    header.truncate(width);
    if let Some(own) = width.checked_sub(REJECT_COLUMNS.len())
        && header.iter().skip(own).eq(REJECT_COLUMNS)
    {
        header.truncate(own);
    }
    (header, width)
}

/// How the file was read, if not as UTF-8 with commas.
fn read_as(encoding: Encoding, separator: u8) -> Option<String> {
    if encoding == Encoding::Utf8 && separator == b',' {
        return None;
    }
    let separator = match separator {
        b'\t' => "tabs".to_owned(),
        other => format!("`{}`", char::from(other)),
    };
    Some(format!("read as {}, separated by {separator}", encoding.name()))
}

const MAPPING: &str = "--map COLUMN=HEADER takes a column of another name, like --map title=Summary; \
     --ignore-unknown passes over columns that are not known";

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(file: &[u8]) -> Result<Sheet, AppError> {
        Sheet::read(ImportKind::Tasks, &Reading::default(), file)
    }

    /// Line and reason of what is malformed.
    fn malformed(sheet: &Sheet) -> Vec<(u64, &str)> {
        sheet.malformed.iter().map(|row| (row.line, row.faults[0].reason.as_str())).collect()
    }

    #[test]
    fn exactly_one_quote_is_taken_off_a_guarded_cell() {
        for (written, read) in [
            ("'=1+1", "=1+1"),
            ("'+7", "+7"),
            ("'-5 degrees", "-5 degrees"),
            ("'@home", "@home"),
            ("'\tx", "\tx"),
            ("''=x", "'=x"),
            ("'quoted'", "'quoted'"),
            ("''", "''"),
            ("=x", "=x"),
            ("", ""),
        ] {
            assert_eq!(unescape_formula(written), read, "{written:?}");
        }
    }

    #[test]
    fn rows_know_the_line_they_begin_in() {
        let file = "key,title\r\nA,\"one\r\ntwo\"\r\n\r\nB,three\r\nC,four\r\n";
        let mac = file.replace("\r\n", "\r");
        for file in [file.to_owned(), file.replace('\r', ""), mac, format!("\u{feff}{file}")] {
            let sheet = tasks(file.as_bytes()).unwrap();
            let lines: Vec<_> = sheet.rows.iter().map(|row| row.line).collect();
            assert_eq!(lines, [2, 5, 6], "{file:?}");
            assert_eq!(sheet.cell(&sheet.rows[1].record, Column::Title), "three");
        }
    }

    #[test]
    fn rows_of_another_width_or_encoding_are_bad_and_the_others_are_read() {
        let file = b"key,title\nA\nB,two\nC,\xff\nD,four,more\n";
        let sheet = tasks(&file[..]).unwrap();
        assert_eq!(sheet.rows.len(), 1);
        assert_eq!(
            malformed(&sheet),
            [
                (2, "the row has 1 cells, the header 2"),
                (4, "the row is not UTF-8; in a spreadsheet, save as `CSV UTF-8`"),
                (5, "the row has 3 cells, the header 2")
            ]
        );
    }

    #[test]
    fn a_cell_without_an_end_makes_its_row_bad_and_no_other() {
        for (file, cells) in
            [("B,\"two\nC,three\n", &["B", "\"two\nC,three\n"][..]), ("\"B,two\nC,three", &["\"B,two\nC,three"])]
        {
            let file = format!("key,title\nA,one\nX\n{file}");
            let sheet = tasks(file.as_bytes()).unwrap();
            assert_eq!(sheet.rows.len(), 1);
            let [short, open] = &sheet.malformed[..] else { panic!("{} bad rows", sheet.malformed.len()) };
            assert_eq!((short.line, open.line), (3, 4));
            let reason = &open.faults[0].reason;
            assert!(reason.starts_with("the cell that begins with a quote in line 4 has no closing quote"), "{reason}");
            assert!(open.record.iter().eq(cells.iter().copied()), "{:?}", open.record);
        }
    }

    #[test]
    fn the_columns_of_a_rejects_file_are_no_cells_and_are_not_written_twice() {
        let file = b"key,title,line,column,reason\nA,one,7,key,wrong\nB,two\n";
        let sheet = tasks(&file[..]).unwrap();
        let cells: Vec<Vec<_>> = sheet.rows.iter().map(|row| row.record.iter().collect()).collect();
        assert_eq!(cells, [["A", "one"]]);
        let mut rejects = Vec::new();
        sheet.write_rejects(&sheet.malformed, &mut rejects).unwrap();
        let wanted = "key,title,line,column,reason\nB,two,3,,\"the row has 2 cells, the header 5\"\n";
        assert_eq!(String::from_utf8(rejects).unwrap(), wanted);
    }

    /// Keys and titles.
    fn read(file: &[u8]) -> (Vec<(u64, String, String)>, Vec<String>) {
        let sheet = tasks(file).unwrap();
        assert_eq!(malformed(&sheet), []);
        let cell = |row: &SheetRow, column| sheet.cell(&row.record, column).to_owned();
        let rows = sheet.rows.iter().map(|row| (row.line, cell(row, Column::Key), cell(row, Column::Title)));
        (rows.collect(), sheet.remarks())
    }

    #[test]
    fn a_file_is_read_as_spreadsheets_write_it() {
        let rows = [(2, "A".to_owned(), "Накормить; всех".to_owned()), (3, "B".to_owned(), "6\" pipe".to_owned())];
        let written = |separator: &str| {
            format!("Key{separator}TITLE\r\nA{separator}\"Накормить; всех\"\r\nB{separator}\"6\"\" pipe\"\r\n")
        };
        let utf16 = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        for (bytes, remarks) in [
            (written(",").into_bytes(), vec![]),
            (format!("\u{feff}{}", written(";")).into_bytes(), vec!["read as UTF-8, separated by `;`"]),
            (utf16(&format!("\u{feff}{}", written("\t"))), vec!["read as UTF-16, separated by tabs"]),
            (utf16(&format!("\u{feff}{}", written(","))), vec!["read as UTF-16, separated by `,`"]),
        ] {
            assert_eq!(read(&bytes), (rows.to_vec(), remarks.into_iter().map(str::to_owned).collect()));
        }
    }

    #[test]
    fn a_first_line_may_name_the_separator() {
        for (first, separator) in [("sep=;", ";"), ("\"sep=;\"", ";"), ("SEP=|", "|"), ("sep=\t", "\t")] {
            let file = format!("{first}\r\nkey{separator}title\r\nA{separator}one\r\n");
            assert_eq!(read(file.as_bytes()).0, [(3, "A".to_owned(), "one".to_owned())], "{first}");
        }
    }

    #[test]
    fn empty_columns_and_rows_are_passed_over() {
        let file = "key,title,,\nA,one,,\n,,,\n , \nB,two, \nC,three,,,,,\n\n";
        let rows: Vec<_> = read(file.as_bytes()).0.into_iter().map(|(line, key, _)| (line, key)).collect();
        assert_eq!(rows, [(2, "A".to_owned()), (5, "B".to_owned()), (6, "C".to_owned())]);
        let filled = tasks("key,,title,\nA,,one,x\nB,x,two,\n".as_bytes()).unwrap();
        assert_eq!(
            malformed(&filled),
            [(2, "the row has 4 cells, the header 3"), (3, "cell 2 stands under an empty header")]
        );
    }

    #[test]
    fn blanks_around_words_are_no_part_of_them() {
        let file = "login,name,email,role\n bob ,Bob,b@p.example,\tworker\u{a0}\n";
        let sheet = Sheet::read(ImportKind::Users, &Reading::default(), file.as_bytes()).unwrap();
        let cell = |column| sheet.cell(&sheet.rows[0].record, column);
        assert_eq!((cell(Column::Login), cell(Column::Role)), ("bob", "worker"));
    }

    fn reading(map: &[(&str, &str)], ignore_unknown: bool) -> Reading {
        Reading { map: map.iter().map(|(ours, theirs)| ((*ours).into(), (*theirs).into())).collect(), ignore_unknown }
    }

    #[test]
    fn columns_are_taken_under_other_names_and_unknown_ones_passed_over_if_that_is_asked_for() {
        let file = "Summary,Issue key,Status,Labels,Labels,Description\nOne,UP-1,Done,a,b,text\n";
        let map = [("title", "summary"), ("key", "Issue key"), ("jira_id", "Issue key")];
        let sheet = Sheet::read(ImportKind::Tasks, &reading(&map, true), file.as_bytes()).unwrap();
        let cell = |column| sheet.cell(&sheet.rows[0].record, column);
        let cells = [Column::Title, Column::Key, Column::JiraId, Column::Description].map(cell);
        assert_eq!(cells, ["One", "UP-1", "UP-1", "text"]);
        assert_eq!(sheet.remarks(), ["passed over: Status, Labels"]);
        // A header that another one is taken for is no longer ours.
        let both = "title,Summary,key\nx,One,A\n";
        assert_eq!(refused(ImportKind::Tasks, &reading(&map[..1], false), both).0, "the column `title` is not known");
    }

    fn refused(kind: ImportKind, reading: &Reading, file: &str) -> (String, Vec<String>) {
        match Sheet::read(kind, reading, file.as_bytes()) {
            Err(AppError::BadCsv { reason, hints }) => (reason, hints),
            Err(AppError::Usage { message, hint }) => (message, hint.into_iter().collect()),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("read: {file}"),
        }
    }

    #[test]
    fn a_file_that_cannot_be_understood_is_refused_naming_all_columns_at_fault() {
        let columns = "the columns are key,title,jira_id,description";
        for (file, reason) in [
            ("", "the file is empty; a header row is required"),
            ("\n,,\n\n", "the file is empty; a header row is required"),
            ("key,title,colour\n", "the column `colour` is not known"),
            ("key,size,colour,size\n", "the columns `size`, `colour` are not known; the column `title` is missing"),
            ("key,title,reason\n", "the column `reason` is not known"),
            ("line,column,reason,key,title\n", "the columns `line`, `column`, `reason` are not known"),
            ("key,title,KEY\n", "the column `KEY` appears twice"),
            ("description\n", "the columns `key`, `title` are missing"),
            (
                "key,\"title\"s\n",
                "the header row cannot be read: `s` follows the closing quote of a cell; a quote inside a quoted cell is written twice",
            ),
        ] {
            let (found, hints) = refused(ImportKind::Tasks, &Reading::default(), file);
            assert_eq!((found.as_str(), hints[0].as_str()), (reason, columns), "{file}");
            assert_eq!(
                hints.get(1).is_some_and(|hint| hint.contains("--map") && hint.contains("--ignore-unknown")),
                reason.contains('`') && !reason.contains("quote")
            );
        }
        assert_eq!(
            refused(ImportKind::Users, &Reading::default(), "login,name,email\n").0,
            "the column `role` is missing"
        );
        assert_eq!(refused(ImportKind::Activity, &Reading::default(), "at,key\n").0, "the column `action` is missing");
        let hints = refused(ImportKind::Tasks, &Reading::default(), "sep=;\nkey;name\n").1;
        assert_eq!(hints[0], "the file was read as UTF-8, separated by `;`");
    }

    #[test]
    fn a_mapping_names_a_column_once_and_a_header_that_is_there() {
        for (map, reason) in [
            (&[("titel", "Summary")][..], "--map titel=Summary: there is no column `titel`"),
            (&[("title", "A"), ("title", "B")], "--map title=B: `title` was given a header before"),
            (&[("title", "Summery")], "no column is named `Summery`, which --map takes for title"),
        ] {
            assert_eq!(refused(ImportKind::Tasks, &reading(map, true), "key,Summary\n").0, reason);
        }
    }
}
