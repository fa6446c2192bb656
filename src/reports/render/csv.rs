//! RFC 4180 with a header and LF. Text that a spreadsheet would run as a formula gets one
//! leading apostrophe, which [`unescape_formula`] takes off again.

use std::io::{self, Write};

use crate::reports::render::text::write_machine;
use crate::reports::table::{Cell, Report};

pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(out);
    csv.write_record(report.table.columns().iter().map(|(name, _)| name))?;
    let readers = report.table.readers();
    let mut field = Vec::new();
    for row in 0..report.table.height() {
        for reader in &readers {
            field.clear();
            let cell = reader(row);
            if matches!(cell, Cell::Text(text) if looks_like_formula(text)) {
                field.push(b'\'');
            }
            write_machine(cell, &mut field)?;
            csv.write_field(&field)?;
        }
        csv.write_record(None::<&[u8]>)?;
    }
    csv.flush()
}

/// Whether a spreadsheet would run `text`, or would after its leading apostrophes are gone.
fn looks_like_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// Takes off the apostrophe that stands before a formula in our CSV; any other text is as it was.
pub fn unescape_formula(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if looks_like_formula(rest) => rest,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaping_a_formula_and_unescaping_it_gives_the_text_back() {
        for text in ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "'=1", "''=1", "'quoted'", "plain", "", "'", "a=1"] {
            let escaped = if looks_like_formula(text) { format!("'{text}") } else { text.to_owned() };
            assert_eq!(unescape_formula(&escaped), text, "{text:?}");
            let safe = !escaped.starts_with(['=', '+', '-', '@', '\t', '\r']);
            assert!(safe, "{escaped:?}");
        }
    }
}
