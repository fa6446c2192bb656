//! RFC 4180 with a header and LF. Text that a spreadsheet would run as a formula gets one leading
//! apostrophe, which the imports remove.

use std::io::Write;

use crate::domain::text::looks_like_formula;
use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::render::text::{write_machine, write_rows};
use crate::reports::table::Cell;

pub(super) fn write(report: &Report, out: &mut dyn Write) -> Result<(), ReportError> {
    let names: Vec<&str> = report
        .table
        .columns()
        .iter()
        .map(|(name, _)| *name)
        .collect();
    writeln!(out, "{}", names.join(","))?;
    write_rows(report, out, |cells, line| {
        for (column, cell) in cells.enumerate() {
            if column > 0 {
                line.push(b',');
            }
            match cell {
                Cell::Text(text) => write_text(text, line),
                other => write_machine(other, line)?,
            }
        }
        line.push(b'\n');
        Ok(())
    })
}

/// Quotes text that needs it, and empty text, because nothing at all is an absent value.
fn write_text(text: &str, line: &mut Vec<u8>) {
    let apostrophe = if looks_like_formula(text) { "'" } else { "" };
    let is_special = |byte: u8| matches!(byte, b',' | b'"' | b'\n' | b'\r');
    let quoted = text.is_empty() || text.bytes().any(is_special);
    if !quoted {
        line.extend_from_slice(apostrophe.as_bytes());
        return line.extend_from_slice(text.as_bytes());
    }
    line.push(b'"');
    line.extend_from_slice(apostrophe.as_bytes());
    line.extend_from_slice(text.replace('"', "\"\"").as_bytes());
    line.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::text::unescape_formula;

    #[test]
    fn escaping_a_formula_and_unescaping_it_gives_the_text_back() {
        for text in [
            "=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "＝1", "'＠x", "'=1", "''=1",
            "'quoted'", "plain", "", "'", "a=1",
        ] {
            let escaped = if looks_like_formula(text) {
                format!("'{text}")
            } else {
                text.to_owned()
            };
            assert_eq!(unescape_formula(&escaped), text, "{text:?}");
            let safe = !escaped.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＠']);
            assert!(safe, "{escaped:?}");
        }
    }
}
