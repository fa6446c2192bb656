//! A CSV file as rows with named cells, each knowing its line.
//!
//! What is wrong with the file as a whole is [`AppError::BadCsv`]; what is wrong with one row is
//! that row's fault and leaves the others as they are.

use std::io::{Read, Write};

use csv::{ByteRecord, ReaderBuilder, StringRecord};

use crate::app::AppError;
use crate::app::import::{BadRow, ImportKind};
use crate::domain::text::unescape_formula;

/// The columns that imports know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Column {
    At,
    Action,
    Key,
    Actor,
    Login,
    Name,
    Email,
    Role,
    Title,
    JiraId,
    Description,
}

impl Column {
    pub const fn name(self) -> &'static str {
        match self {
            Column::At => "at",
            Column::Action => "action",
            Column::Key => "key",
            Column::Actor => "actor",
            Column::Login => "login",
            Column::Name => "name",
            Column::Email => "email",
            Column::Role => "role",
            Column::Title => "title",
            Column::JiraId => "jira_id",
            Column::Description => "description",
        }
    }
}

impl ImportKind {
    const fn columns(self) -> &'static [Column] {
        use Column::{Action, Actor, At, Description, Email, JiraId, Key, Login, Name, Role, Title};
        match self {
            ImportKind::Users => &[Login, Name, Email, Role],
            ImportKind::Tasks => &[Key, Title, JiraId, Description],
            ImportKind::Activity => &[At, Action, Key, Actor, Login, Name, Email, Role, Title, JiraId, Description],
        }
    }

    /// Without these a file says nothing.
    const fn required(self) -> &'static [Column] {
        match self {
            ImportKind::Users => self.columns(),
            ImportKind::Tasks => &[Column::Key, Column::Title],
            ImportKind::Activity => &[Column::At, Column::Action],
        }
    }

    fn hint(self) -> String {
        let names: Vec<_> = self.columns().iter().map(|column| column.name()).collect();
        format!("the columns are {}", names.join(","))
    }
}

/// What a rejects file has behind the columns of its import.
const REJECT_COLUMNS: [&str; 3] = ["line", "column", "reason"];

pub(super) struct Sheet {
    /// Without the columns of a rejects file.
    header: StringRecord,
    /// Cells of a row, those of a rejects file included.
    width: usize,
    /// Where each known column stands, by `Column as usize`.
    places: [Option<usize>; 11],
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
    /// [`AppError::BadCsv`]
    pub fn read(kind: ImportKind, mut input: impl Read) -> Result<Sheet, AppError> {
        let mut bytes = Vec::new();
        input
            .read_to_end(&mut bytes)
            .map_err(|source| AppError::Stream { action: "read the file to import", source })?;
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
        let mut lines = Lines { text, at: 0, line: 1 };
        let mut record = ByteRecord::new();
        if !read(kind, &mut reader, &mut record)? {
            return Err(bad_csv(kind, "the file is empty; a header row is required".into()));
        }
        let mut header = StringRecord::from_byte_record(record.clone())
            .map_err(|_| bad_csv(kind, "the header row is not UTF-8".into()))?;
        let width = header.len();
        // Our own rejects file, mended, is imported as it is.
        if let Some(own) = width.checked_sub(REJECT_COLUMNS.len())
            && header.iter().skip(own).eq(REJECT_COLUMNS)
        {
            header.truncate(own);
        }
        let places = places(kind, &header)?;
        let mut sheet = Sheet { header, width, places, rows: Vec::new(), malformed: Vec::new() };
        let mut last = 0;
        while read(kind, &mut reader, &mut record)? {
            last = record.position().map_or(0, csv::Position::byte);
            sheet.take(lines.line_of(last), &record);
        }
        // The reader takes everything up to the end of the file for the cell.
        if last > 0 && memchr::memchr_iter(b'"', &text[as_index(last)..]).count() % 2 == 1 {
            sheet.take_back(lines.line_of(last));
        }
        Ok(sheet)
    }

    /// The row in `line`, the last one, is none.
    fn take_back(&mut self, line: u64) {
        let read = self.rows.pop_if(|row| row.line == line).map(|row| row.record);
        let record = read.or_else(|| self.malformed.pop_if(|row| row.line == line).map(|row| row.record));
        let reason = "a quoted cell has no end and takes all that follows; a quote inside of one is written twice";
        let record = record.unwrap_or_default();
        self.malformed.push(BadRow { line, column: "", reason: reason.to_owned(), record });
    }

    fn take(&mut self, line: u64, record: &ByteRecord) {
        let (cells, columns) = (record.len(), self.header.len());
        let without_rejects = |mut record: StringRecord| {
            record.truncate(columns + cells.saturating_sub(self.width));
            record
        };
        let fault = match StringRecord::from_byte_record(record.clone()) {
            Ok(record) if cells == self.width => {
                return self.rows.push(SheetRow { line, record: without_rejects(record) });
            }
            Ok(_) => format!("the row has {cells} cells, the header {}", self.width),
            Err(_) => "the row is not UTF-8".to_owned(),
        };
        let record = without_rejects(StringRecord::from_byte_record_lossy(record.clone()));
        self.malformed.push(BadRow { line, column: "", reason: fault, record });
    }

    /// A cell, empty if the file has no such column; the guard against formulas is taken off.
    pub fn cell<'r>(&self, record: &'r StringRecord, column: Column) -> &'r str {
        let place = self.places[column as usize];
        unescape_formula(place.and_then(|place| record.get(place)).unwrap_or_default())
    }

    #[cfg(test)]
    pub fn has(&self, column: Column) -> bool {
        self.places[column as usize].is_some()
    }

    /// Writes the bad rows as they were, each with its fault in three more columns.
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
                writer.write_record(cells.chain([row.line.to_string().as_str(), row.column, &row.reason]))?;
            }
            writer.flush().map_err(csv::Error::from)
        };
        write()
            .map_err(|error: csv::Error| AppError::Stream { action: "write the rejected rows", source: error.into() })
    }
}

fn read(kind: ImportKind, reader: &mut csv::Reader<&[u8]>, record: &mut ByteRecord) -> Result<bool, AppError> {
    reader.read_byte_record(record).map_err(|error| bad_csv(kind, error.to_string()))
}

fn places(kind: ImportKind, header: &StringRecord) -> Result<[Option<usize>; 11], AppError> {
    let mut places = [None; 11];
    for (place, name) in header.iter().enumerate() {
        let Some(column) = kind.columns().iter().find(|column| column.name() == name.trim()) else {
            return Err(bad_csv(kind, format!("there is no column `{name}`")));
        };
        if places[*column as usize].replace(place).is_some() {
            return Err(bad_csv(kind, format!("the column `{name}` appears twice")));
        }
    }
    match kind.required().iter().find(|column| places[**column as usize].is_none()) {
        Some(column) => Err(bad_csv(kind, format!("the column `{}` is missing", column.name()))),
        None => Ok(places),
    }
}

fn bad_csv(kind: ImportKind, reason: String) -> AppError {
    AppError::BadCsv { reason, hint: kind.hint() }
}

/// Line numbers of ascending places. A position that the reader reports may still stand before
/// the line feed of the row before.
struct Lines<'t> {
    text: &'t [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    fn line_of(&mut self, byte: u64) -> u64 {
        let mut to = as_index(byte);
        to += self.text[to..].iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        if to > self.at {
            self.line += memchr::memchr_iter(b'\n', &self.text[self.at..to]).count() as u64;
            self.at = to;
        }
        self.line
    }
}

fn as_index(byte: u64) -> usize {
    usize::try_from(byte).expect("the file is in memory")
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for file in [file.to_owned(), file.replace('\r', ""), format!("\u{feff}{file}")] {
            let sheet = Sheet::read(ImportKind::Tasks, file.as_bytes()).unwrap();
            let lines: Vec<_> = sheet.rows.iter().map(|row| row.line).collect();
            assert_eq!(lines, [2, 5, 6], "{file:?}");
            assert_eq!(sheet.cell(&sheet.rows[1].record, Column::Title), "three");
        }
    }

    #[test]
    fn rows_of_another_width_or_encoding_are_bad_and_the_others_are_read() {
        let file = b"key,title\nA\nB,two\nC,\xff\nD,four,more\n";
        let sheet = Sheet::read(ImportKind::Tasks, &file[..]).unwrap();
        assert_eq!(sheet.rows.len(), 1);
        let bad: Vec<_> = sheet.malformed.iter().map(|row| (row.line, row.reason.as_str())).collect();
        assert_eq!(
            bad,
            [
                (2, "the row has 1 cells, the header 2"),
                (4, "the row is not UTF-8"),
                (5, "the row has 3 cells, the header 2")
            ]
        );
    }

    #[test]
    fn a_cell_without_an_end_makes_its_row_bad_and_no_other() {
        for (file, cells) in
            [("B,\"two\nC,three\n", ["B", "two\nC,three\n"]), ("\"B,two\nC,three", ["B,two\nC,three", ""])]
        {
            let file = format!("key,title\nA,one\nX\n{file}");
            let sheet = Sheet::read(ImportKind::Tasks, file.as_bytes()).unwrap();
            assert_eq!(sheet.rows.len(), 1);
            let [short, open] = &sheet.malformed[..] else { panic!("{} bad rows", sheet.malformed.len()) };
            assert_eq!((short.line, open.line), (3, 4));
            assert!(open.reason.starts_with("a quoted cell has no end"), "{}", open.reason);
            assert!(open.record.iter().eq(cells.into_iter().filter(|cell| !cell.is_empty())), "{:?}", open.record);
        }
    }

    #[test]
    fn the_columns_of_a_rejects_file_are_no_cells_and_are_not_written_twice() {
        let file = b"key,title,line,column,reason\nA,one,7,key,wrong\nB,two\n";
        let sheet = Sheet::read(ImportKind::Tasks, &file[..]).unwrap();
        let cells: Vec<Vec<_>> = sheet.rows.iter().map(|row| row.record.iter().collect()).collect();
        assert_eq!(cells, [["A", "one"]]);
        let mut rejects = Vec::new();
        sheet.write_rejects(&sheet.malformed, &mut rejects).unwrap();
        let wanted = "key,title,line,column,reason\nB,two,3,,\"the row has 2 cells, the header 5\"\n";
        assert_eq!(String::from_utf8(rejects).unwrap(), wanted);
    }

    fn refused(kind: ImportKind, file: &str) -> (String, String) {
        match Sheet::read(kind, file.as_bytes()) {
            Err(AppError::BadCsv { reason, hint }) => (reason, hint),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("read: {file}"),
        }
    }

    #[test]
    fn a_file_that_cannot_be_understood_is_refused_naming_the_columns() {
        let columns = "the columns are key,title,jira_id,description";
        for (file, reason) in [
            ("", "the file is empty; a header row is required"),
            ("key,title,colour\n", "there is no column `colour`"),
            ("key,title,reason\n", "there is no column `reason`"),
            ("line,column,reason,key,title\n", "there is no column `line`"),
            ("key,title,key\n", "the column `key` appears twice"),
            ("title\nx\n", "the column `key` is missing"),
        ] {
            assert_eq!(refused(ImportKind::Tasks, file), (reason.to_owned(), columns.to_owned()));
        }
        assert_eq!(refused(ImportKind::Users, "login,name,email\n").0, "the column `role` is missing");
        assert_eq!(refused(ImportKind::Activity, "at,key\n").0, "the column `action` is missing");
    }
}
