//! The last filter before a terminal. Text for people is escaped where it is made; text for
//! programs is written unchanged to pipes and files. On a terminal it could forge output, so there
//! such characters are written as JSON escapes, `\u202e`.

use std::io::{self, Write};

use crate::domain::displayed::can_forge;

/// Passes harmless characters on and escapes the others.
pub(super) struct TerminalGuard<W> {
    inner: W,
    /// Whether escape sequences are ours: tables for people may have colours.
    lets_colours_through: bool,
    /// The first bytes of an incomplete character.
    begun: Vec<u8>,
}

impl<W: Write> TerminalGuard<W> {
    pub(super) fn new(inner: W, lets_colours_through: bool) -> Self {
        TerminalGuard {
            inner,
            lets_colours_through,
            begun: Vec::new(),
        }
    }

    fn write_text(&mut self, text: &str) -> io::Result<()> {
        let mut plain_from = 0;
        for (at, c) in text.char_indices().filter(|(_, c)| can_forge(*c)) {
            if matches!(c, '\n' | '\t') || (c == '\u{1b}' && self.lets_colours_through) {
                continue;
            }
            self.inner.write_all(&text.as_bytes()[plain_from..at])?;
            self.inner.write_all(json_escape(c).as_bytes())?;
            plain_from = at + c.len_utf8();
        }
        self.inner.write_all(&text.as_bytes()[plain_from..])
    }
}

impl<W: Write> Write for TerminalGuard<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        let mut rest = &all[..];
        while !rest.is_empty() {
            let (valid, bad) = match std::str::from_utf8(rest) {
                Ok(text) => (text, 0),
                Err(error) => {
                    let valid =
                        std::str::from_utf8(&rest[..error.valid_up_to()]).unwrap_or_default();
                    (valid, error.error_len().unwrap_or(usize::MAX))
                }
            };
            self.write_text(valid)?;
            rest = &rest[valid.len()..];
            if bad == usize::MAX {
                self.begun = rest.to_vec();
                break;
            }
            if bad > 0 {
                self.inner.write_all("\u{fffd}".as_bytes())?;
            }
            rest = &rest[bad..];
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn json_escape(c: char) -> String {
    c.encode_utf16(&mut [0; 2])
        .iter()
        .map(|unit| format!("\\u{unit:04x}"))
        .collect()
}

/// JSON with the same value that is safe to show anywhere.
pub(super) fn harmless_json(json: &str) -> String {
    let is_structure = |c: char| c.is_ascii_whitespace();
    json.chars()
        .map(|c| {
            if can_forge(c) && !is_structure(c) {
                json_escape(c)
            } else {
                c.to_string()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8], piece: usize, lets_colours_through: bool) -> String {
        let mut out = Vec::new();
        let mut guard = TerminalGuard::new(&mut out, lets_colours_through);
        for piece in bytes.chunks(piece) {
            guard.write_all(piece).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn characters_that_could_repaint_a_terminal_are_escaped_wherever_the_text_is_cut() {
        let text = "Анна 🦜\t\u{9b}31m \u{202e}x \u{1b}[2J \u{7f} \u{e0041}\r\n";
        let wanted = "Анна 🦜\t\\u009b31m \\u202ex \\u001b[2J \\u007f \\udb40\\udc41\\u000d\n";
        for piece in 1..text.len() {
            assert_eq!(shown(text.as_bytes(), piece, false), wanted, "{piece}");
        }
    }

    #[test]
    fn colours_of_a_table_pass_and_bytes_that_are_no_text_do_not() {
        assert_eq!(
            shown(b"\x1b[1mbold\x1b[0m", 3, true),
            "\u{1b}[1mbold\u{1b}[0m"
        );
        assert_eq!(
            shown(b"a\xff\xfeb\xc3(", 2, false),
            "a\u{fffd}\u{fffd}b\u{fffd}("
        );
    }

    #[test]
    fn json_keeps_its_value() {
        let value =
            serde_json::json!({ "t": "\u{202e}x\u{1b}\u{85}🦜\u{e0041}", "u": "\\u{202e}" });
        for json in [value.to_string(), format!("{value:#}\n")] {
            let harmless = harmless_json(&json);
            assert!(
                harmless.chars().all(|c| !can_forge(c) || c == '\n'),
                "{harmless}"
            );
            assert_eq!(
                serde_json::from_str::<serde_json::Value>(&harmless).unwrap(),
                value
            );
        }
    }
}
