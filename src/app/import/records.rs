//! Splits a CSV text into records, by RFC 4180 and strict about quotes.
//!
//! A cell that begins with a quote ends at its closing quote; only a separator or a line end may
//! follow it. Anything else is a fault of the record, because the cell may have swallowed rows. A
//! quote inside an unquoted cell is a character like any other. Lines end in LF, CR LF or CR.

use std::io::{self, Read};
use std::ops::Range;

use csv::ByteRecord;

const TWICE: &str = "a quote inside a quoted cell is written twice";
/// The number of characters that are shown of a text after a closing quote.
const SHOWN_CHARS_MAX: usize = 20;

/// The first number of bytes that a [`RecordReader`] reads at once.
const WINDOW_BYTES: usize = 256 << 10;

/// Reads the records of a text that is not in memory.
pub(super) struct RecordReader<R> {
    source: R,
    separator: u8,
    /// The part of the text that is in memory.
    window: Vec<u8>,
    /// The end of the last record in it.
    at: usize,
    /// The line of the byte at `at`.
    line: u64,
    /// Whether the text ends with the window.
    is_end: bool,
}

impl<R: Read> RecordReader<R> {
    /// `source` begins in `line` of its file.
    pub(super) fn new(source: R, separator: u8, line: u64) -> RecordReader<R> {
        RecordReader {
            source,
            separator,
            window: Vec::new(),
            at: 0,
            line,
            is_end: false,
        }
    }

    /// The next record. The window grows until the record has an end in it.
    pub(super) fn next(&mut self) -> io::Result<Option<Record>> {
        loop {
            let mut records = Records {
                text: &self.window,
                separator: self.separator,
                at: self.at,
                line: self.line,
            };
            let record = records.next();
            let (at, line) = (records.at, records.line);
            // At the end of the window, the record or its line end may go on.
            if at < self.window.len() || self.is_end {
                (self.at, self.line) = (at, line);
                return Ok(record);
            }
            self.extend_window()?;
        }
    }

    /// The text of the last record, without its line end.
    pub(super) fn text(&self, record: &Record) -> &[u8] {
        &self.window[record.text.clone()]
    }

    fn extend_window(&mut self) -> io::Result<()> {
        self.window.drain(..self.at);
        self.at = 0;
        let length = self.window.len().max(WINDOW_BYTES);
        let read = self
            .source
            .by_ref()
            .take(length as u64)
            .read_to_end(&mut self.window)?;
        self.is_end = read < length;
        Ok(())
    }
}

/// Reads records one after the other, and skips empty lines.
struct Records<'t> {
    text: &'t [u8],
    separator: u8,
    at: usize,
    /// The line of the byte at `at`, counted from 1.
    line: u64,
}

pub(super) struct Record {
    /// The line in which it begins, counted from 1.
    pub line: u64,
    /// The place of all of it in the text, without its line end.
    pub text: Range<usize>,
    /// A cell with wrong quotes is kept as in the text, with its quotes.
    pub cells: ByteRecord,
    /// The first fault of its quotes.
    pub fault: Option<String>,
}

impl<'t> Records<'t> {
    /// Reads a cell and its end. Returns whether another cell follows.
    fn cell(&mut self, record: &mut Record) -> bool {
        if self.text.get(self.at) == Some(&b'"') {
            self.quoted(record);
        } else {
            let end = self.end_of_cell();
            record.cells.push_field(&self.text[self.at..end]);
            self.at = end;
        }
        if self.text.get(self.at) == Some(&self.separator) {
            self.at += 1;
            return true;
        }
        self.line_end();
        false
    }

    /// The next separator or line end, or the end of the text.
    fn end_of_cell(&self) -> usize {
        let rest = &self.text[self.at..];
        self.at + memchr::memchr3(self.separator, b'\r', b'\n', rest).unwrap_or(rest.len())
    }

    fn quoted(&mut self, record: &mut Record) {
        let (begin, opened) = (self.at, self.line);
        let mut content = Vec::new();
        self.at += 1;
        while let Some(length) = memchr::memchr(b'"', &self.text[self.at..]) {
            self.take(length, &mut content);
            self.at += 1;
            if self.text.get(self.at) != Some(&b'"') {
                return self.close(record, begin, opened, &content);
            }
            content.push(b'"');
            self.at += 1;
        }
        self.take(self.text.len() - self.at, &mut content);
        record.cells.push_field(&self.text[begin..]);
        record.fault.get_or_insert_with(|| {
            format!(
                "the cell that begins with a quote in line {opened} has no closing quote, so that it takes all \
                 lines behind it; {TWICE}"
            )
        });
    }

    fn take(&mut self, length: usize, content: &mut Vec<u8>) {
        let bytes = &self.text[self.at..self.at + length];
        content.extend_from_slice(bytes);
        self.line += line_ends(bytes);
        self.at += length;
    }

    /// Reads on after the closing quote.
    fn close(&mut self, record: &mut Record, begin: usize, opened: u64, content: &[u8]) {
        let end = self.end_of_cell();
        if end == self.at {
            return record.cells.push_field(content);
        }
        let rest = String::from_utf8_lossy(&self.text[self.at..end]);
        let rest: String = rest.chars().take(SHOWN_CHARS_MAX).collect();
        let cell = match self.line {
            line if line == opened => "a cell".to_owned(),
            line => format!("the cell that begins in line {opened} and ends in line {line}"),
        };
        record.fault.get_or_insert_with(|| {
            format!("`{rest}` follows the closing quote of {cell}; {TWICE}")
        });
        record.cells.push_field(&self.text[begin..end]);
        self.at = end;
    }

    /// Skips one line end, if there is one.
    fn line_end(&mut self) -> bool {
        let length = match self.text[self.at..] {
            [b'\r', b'\n', ..] => 2,
            [b'\r' | b'\n', ..] => 1,
            _ => return false,
        };
        self.at += length;
        self.line += 1;
        true
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        while self.line_end() {}
        if self.at == self.text.len() {
            return None;
        }
        let begin = self.at;
        let mut record = Record {
            line: self.line,
            text: 0..0,
            cells: ByteRecord::new(),
            fault: None,
        };
        while self.cell(&mut record) {}
        let text = &self.text[begin..self.at];
        let line = text.strip_suffix(b"\n").unwrap_or(text);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        record.text = begin..begin + line.len();
        Some(record)
    }
}

fn line_ends(bytes: &[u8]) -> u64 {
    let feeds = memchr::memchr_iter(b'\n', bytes).count();
    let returns = memchr::memchr_iter(b'\r', bytes)
        .filter(|at| bytes.get(at + 1) != Some(&b'\n'))
        .count();
    (feeds + returns) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<(u64, Vec<String>, Option<String>)> {
        read_all(RecordReader::new(text.as_bytes(), b',', 1))
    }

    fn read_all(mut records: RecordReader<impl Read>) -> Vec<(u64, Vec<String>, Option<String>)> {
        let cells = |cells: &ByteRecord| {
            cells
                .iter()
                .map(|cell| String::from_utf8_lossy(cell).into_owned())
                .collect()
        };
        std::iter::from_fn(|| records.next().unwrap())
            .map(|record| (record.line, cells(&record.cells), record.fault))
            .collect()
    }

    fn cells(text: &str) -> Vec<Vec<String>> {
        let read = read(text);
        assert!(
            read.iter().all(|(_, _, fault)| fault.is_none()),
            "{text:?}: {read:?}"
        );
        read.into_iter().map(|(_, cells, _)| cells).collect()
    }

    #[test]
    fn quotes_are_read_as_rfc_4180_says() {
        assert_eq!(
            cells("a,\"b,\"\"c\"\"\",\n\"\",d\r\n\r\n\n,\"e\""),
            [&["a", "b,\"c\"", ""][..], &["", "d"], &["", "e"]]
        );
        assert_eq!(cells("\"a\r\nb\",c\rd,e"), [["a\r\nb", "c"], ["d", "e"]]);
    }

    #[test]
    fn a_quote_inside_an_unquoted_cell_is_a_character_in_every_row() {
        let rows = cells("Buy a 6\" pipe,x\nsay \"hi\", \"there\"\nBuy a 6\" pipe");
        assert_eq!(
            rows,
            [
                &["Buy a 6\" pipe", "x"][..],
                &["say \"hi\"", " \"there\""],
                &["Buy a 6\" pipe"]
            ]
        );
    }

    #[test]
    fn a_text_behind_a_closing_quote_is_a_fault_and_the_row_ends_with_its_line() {
        for (row, cell, shown) in [
            (
                "\"first\" part",
                "\"first\" part",
                "` part` follows the closing quote of a cell; ",
            ),
            (
                r#""say \"hi\"""#,
                r#""say \"hi\"""#,
                r#"`hi\""` follows the closing quote of a cell; "#,
            ),
            (
                "\"a\" ",
                "\"a\" ",
                "` ` follows the closing quote of a cell; ",
            ),
        ] {
            let found = read(&format!("x\nA,{row},z\nB,b,c\n"));
            let [_, (line, cells, Some(fault)), (3, _, None)] = &found[..] else {
                panic!("{found:?}")
            };
            assert_eq!(
                (*line, &cells[..]),
                (2, &["A".to_owned(), cell.to_owned(), "z".to_owned()][..])
            );
            assert_eq!(*fault, format!("{shown}{TWICE}"));
        }
    }

    #[test]
    fn a_cell_that_swallows_rows_up_to_the_next_quote_is_a_fault_of_the_row_it_begins_in() {
        let found = read("A,\"start\nB,b\nC,\"quoted\"\nD,d\n");
        let [(1, cells, Some(fault)), (4, _, None)] = &found[..] else {
            panic!("{found:?}")
        };
        assert_eq!(cells[1], "\"start\nB,b\nC,\"quoted\"");
        let what = "`quoted\"` follows the closing quote of the cell that begins in line 1 and ends in line 3; ";
        assert_eq!(*fault, format!("{what}{TWICE}"));
    }

    #[test]
    fn a_cell_without_a_closing_quote_tells_the_line_it_begins_in() {
        let found = read("A,a\n\"B\nb\",\"two\nC,three\n");
        let [_, (2, cells, Some(fault))] = &found[..] else {
            panic!("{found:?}")
        };
        assert_eq!(cells[..], ["B\nb", "\"two\nC,three\n"]);
        assert_eq!(
            *fault,
            format!(
                "the cell that begins with a quote in line 3 has no closing quote, so that it takes all lines \
                 behind it; {TWICE}"
            )
        );
    }

    #[test]
    fn lines_are_counted_whichever_way_they_end() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["a", "\"b", "b\"", "", "c", "\"d", "", "d\",e", "f"].join(end);
            let lines: Vec<_> = read(&text).into_iter().map(|(line, ..)| line).collect();
            assert_eq!(lines, [1, 2, 5, 6, 9], "{end:?}");
        }
    }

    proptest! {
        #[test]
        fn records_of_another_csv_writer_are_read_back(rows in prop::collection::vec(prop::collection::vec("[a,;\"\r\n ]{0,6}", 2..4), 1..5)) {
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            rows.iter().for_each(|row| writer.write_record(row).expect("written"));
            let text = String::from_utf8(writer.into_inner().expect("flushed")).expect("UTF-8");
            prop_assert_eq!(cells(&text), rows);
        }
    }
}
