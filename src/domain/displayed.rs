//! Text for display, in which no character can forge output.

use std::fmt;

/// Text that is safe for a terminal: control, bidirectional and invisible format characters are
/// escaped as `\u{202e}`.
pub struct Displayed<'a>(pub &'a str);

impl fmt::Display for Displayed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut plain_from = 0;
        for (at, c) in self.0.char_indices().filter(|(_, c)| can_forge(*c)) {
            f.write_str(&self.0[plain_from..at])?;
            write!(f, "{}", c.escape_unicode())?;
            plain_from = at + c.len_utf8();
        }
        f.write_str(&self.0[plain_from..])
    }
}

/// Whether a character can move the cursor, reorder its neighbours, or be invisible, so that two
/// different names could look the same. Joiners are allowed, because Persian and emoji need them.
pub fn can_forge(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_escapes_what_could_forge_output() {
        assert_eq!(
            Displayed("ok \u{1b}[31m \u{202e}x\n").to_string(),
            "ok \\u{1b}[31m \\u{202e}x\\u{a}"
        );
        assert_eq!(Displayed("Анна 🦜").to_string(), "Анна 🦜");
        assert_eq!(
            Displayed("ad\u{200b}a\u{9b}2J\u{e0041}").to_string(),
            "ad\\u{200b}a\\u{9b}2J\\u{e0041}"
        );
        let joined = "👩\u{200d}🔧 می\u{200c}خواهم";
        assert_eq!(Displayed(joined).to_string(), joined);
    }
}
