//! Tab-separated lines without a header, for pipes. Tabs, line breaks, backslashes and characters
//! that could forge a terminal's output are escaped, so that a row is always one line.

use std::io::{self, Write};

use crate::domain::displayed::Displayed;
use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::render::text::{write_machine, write_rows};
use crate::reports::table::Cell;

pub(super) fn write(report: &Report, out: &mut dyn Write) -> Result<(), ReportError> {
    write_rows(report, out, |cells, line| {
        for (column, cell) in cells.enumerate() {
            if column > 0 {
                line.push(b'\t');
            }
            match cell {
                Cell::Text(text) => write_text(text, line)?,
                other => write_machine(other, line)?,
            }
        }
        line.push(b'\n');
        Ok(())
    })
}

fn write_text(text: &str, line: &mut Vec<u8>) -> io::Result<()> {
    for piece in text.split_inclusive(['\t', '\n', '\r', '\\']) {
        let (plain, escaped) = match piece.as_bytes().last() {
            Some(b'\t') => (&piece[..piece.len() - 1], "\\t"),
            Some(b'\n') => (&piece[..piece.len() - 1], "\\n"),
            Some(b'\r') => (&piece[..piece.len() - 1], "\\r"),
            Some(b'\\') => (&piece[..piece.len() - 1], "\\\\"),
            _ => (piece, ""),
        };
        write!(line, "{}{escaped}", Displayed(plain))?;
    }
    Ok(())
}
