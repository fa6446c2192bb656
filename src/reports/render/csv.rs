//! RFC 4180 with a header and LF. Text that a spreadsheet would run as a formula gets one leading
//! apostrophe, which the imports remove.

use std::io::{self, Write};

use crate::domain::text::looks_like_formula;
use crate::domain::time::{BusinessDate, Zone};
use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::render::text::{for_machines, write_machine, write_rows};
use crate::reports::table::Cell;

/// The countries whose Excel opens a CSV in its own way: separator, decimal sign, dates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Excel {
    Russian,
    German,
    English,
}

impl Excel {
    pub const ALL: [Excel; 3] = [Excel::Russian, Excel::German, Excel::English];

    pub const fn name(self) -> &'static str {
        match self {
            Excel::Russian => "ru",
            Excel::German => "de",
            Excel::English => "en",
        }
    }

    const fn has_decimal_comma(self) -> bool {
        matches!(self, Excel::Russian | Excel::German)
    }

    /// A cell that is not text, with local times.
    fn write(self, cell: Cell<&str>, zone: &Zone, to: &mut Vec<u8>) -> io::Result<()> {
        let date = |date: BusinessDate| {
            let form = if self.has_decimal_comma() {
                "%d.%m.%Y"
            } else {
                "%Y-%m-%d"
            };
            date.civil().strftime(form).to_string()
        };
        match cell {
            Cell::Money(_) | Cell::Tenths(_) if self.has_decimal_comma() => {
                write!(to, "{}", for_machines(cell).replace('.', ","))
            }
            Cell::Date(on) => write!(to, "{}", date(on)),
            Cell::Time(time) => {
                let minutes = zone.micros_of_day(time) / 60_000_000;
                let (hours, minutes) = (minutes / 60, minutes % 60);
                write!(to, "{} {hours:02}:{minutes:02}", date(zone.date_of(time)))
            }
            other => write_machine(other, to),
        }
    }
}

/// The sign at the beginning of a file by which Excel knows UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

pub(super) fn write(
    report: &Report,
    excel: Option<Excel>,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let is_european = excel.is_some_and(Excel::has_decimal_comma);
    let separator = if is_european { b';' } else { b',' };
    if excel.is_some() {
        out.write_all(BYTE_ORDER_MARK)?;
    }
    for (place, (name, _)) in report.table.columns().iter().enumerate() {
        out.write_all(if place > 0 {
            std::slice::from_ref(&separator)
        } else {
            b""
        })?;
        out.write_all(name.as_bytes())?;
    }
    out.write_all(b"\n")?;
    write_rows(report, out, |cells, line| {
        for (column, cell) in cells.enumerate() {
            if column > 0 {
                line.push(separator);
            }
            match (cell, excel) {
                (Cell::Text(text), _) => write_text(text, separator, line),
                (other, Some(excel)) => excel.write(other, &report.zone, line)?,
                (other, None) => write_machine(other, line)?,
            }
        }
        line.push(b'\n');
        Ok(())
    })
}

/// Quotes text that needs it, and empty text, because nothing at all is an absent value.
fn write_text(text: &str, separator: u8, line: &mut Vec<u8>) {
    let apostrophe = if looks_like_formula(text) { "'" } else { "" };
    let is_special = |byte: u8| byte == separator || matches!(byte, b'"' | b'\n' | b'\r');
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
