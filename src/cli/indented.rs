//! JSON for people: each member on a line of its own, in their order; no text can forge a
//! terminal's output.

use std::fmt::Write as _;

use crate::domain::displayed::Displayed;

/// Spreads out `json`, which must be compact and valid, like the lines of the log.
pub(super) fn indented(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let (mut depth, mut is_quoted, mut is_escaped) = (0, false, false);
    for (at, c) in json.char_indices() {
        let is_structure = !is_quoted;
        if is_structure && matches!(c, '}' | ']') {
            depth -= 1;
            if !json[..at].ends_with(['{', '[']) {
                new_line(&mut text, depth);
            }
        }
        let _ = write!(text, "{}", Displayed(c.encode_utf8(&mut [0; 4])));
        match c {
            '"' if !is_escaped => is_quoted = !is_quoted,
            ',' if is_structure => new_line(&mut text, depth),
            ':' if is_structure => text.push(' '),
            '{' | '[' if is_structure => {
                depth += 1;
                if !json[at + 1..].starts_with(['}', ']']) {
                    new_line(&mut text, depth);
                }
            }
            _ => {}
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    text.push('\n');
    text
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_texts_stay_whole() {
        let text = indented(r#"{"z":{"b":1,"a":[]},"c":"{,:\\\"}","l":[1,2]}"#);
        let lines = [
            "{",
            r#"  "z": {"#,
            r#"    "b": 1,"#,
            r#"    "a": []"#,
            "  },",
            r#"  "c": "{,:\\\"}","#,
            r#"  "l": ["#,
            "    1,",
            "    2",
            "  ]",
            "}",
            "",
        ];
        assert_eq!(text, lines.join("\n"));
    }

    #[test]
    fn a_text_cannot_turn_the_line_around() {
        assert_eq!(
            indented("{\"a\":\"x\u{202e}y\"}"),
            "{\n  \"a\": \"x\\u{202e}y\"\n}\n"
        );
    }
}
