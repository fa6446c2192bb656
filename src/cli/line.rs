//! Splits a line into words, quoted as in a POSIX shell, without other features of such a shell.
//!
//! Blanks separate words. Text in `'…'` is taken unchanged; in `"…"` a backslash escapes `"` and
//! itself, outside of quotes any character. `#` at the beginning of a word begins a comment.
//! Nothing is expanded. Invariant: the output of [`quote`] is parsed to the same word, no line
//! panics, and a pipe or a redirection is refused instead of becoming a word.

use std::mem;

/// The fault of a line. Columns count characters, from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum LineError {
    #[error("column {column}: the quote {quote} is never closed")]
    Unclosed { column: usize, quote: char },
    #[error("column {column}: nothing follows the backslash")]
    Dangling { column: usize },
    #[error("column {column}: {} cannot stand in a line", name_of(*character))]
    Control { column: usize, character: char },
    #[error("column {column}: `{operator}` is not supported: this shell has no {}", sense_of(*operator))]
    Operator { column: usize, operator: char },
}

impl LineError {
    /// The next step.
    pub(crate) fn hint(&self) -> String {
        match self {
            LineError::Unclosed { quote, .. } => {
                format!("close it on the same line; \\{quote} is the character itself")
            }
            LineError::Dangling { .. } => "a command is one line; \\\\ is a backslash".to_owned(),
            LineError::Control { .. } => {
                "only visible characters, spaces and tabs are read".to_owned()
            }
            LineError::Operator {
                operator: '|' | '>',
                ..
            } => "`--out FILE` writes a file; quote it if it is a word".to_owned(),
            LineError::Operator { operator: '<', .. } => {
                "commands that read take a FILE; quote it if it is a word".to_owned()
            }
            LineError::Operator { .. } => {
                "give each command a line of its own; quote it if it is a word".to_owned()
            }
        }
    }
}

const fn sense_of(operator: char) -> &'static str {
    match operator {
        '|' => "pipes",
        '>' | '<' => "redirection",
        ';' => "lists of commands",
        _ => "jobs",
    }
}

/// Names of the characters below the space.
const C0: [&str; 32] = [
    "NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "HT", "LF", "VT", "FF", "CR",
    "SO", "SI", "DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC",
    "FS", "GS", "RS", "US",
];

fn name_of(character: char) -> String {
    let code = u32::from(character);
    let name = match C0.get(code as usize) {
        Some(name) => name,
        None if code == 0x7f => "DEL",
        None => "a control character",
    };
    format!("U+{code:04X} ({name})")
}

/// The quotes of the last word of a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Quoting {
    #[default]
    Bare,
    Single,
    Double,
}

/// The text before the cursor.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Typed {
    /// The words that are finished.
    pub words: Vec<String>,
    /// The unfinished word, without its quotes; empty after a blank.
    pub word: String,
    /// The byte at which it begins.
    pub start: usize,
    pub quoting: Quoting,
}

/// The words of a whole line.
///
/// # Errors
/// [`LineError`]
pub(crate) fn split(line: &str) -> Result<Vec<String>, LineError> {
    let mut scanner = Scanner::read(line)?;
    match scanner.state {
        State::Single { column } => {
            return Err(LineError::Unclosed {
                column,
                quote: '\'',
            });
        }
        State::Double { column } | State::EscapedInDouble { column } => {
            return Err(LineError::Unclosed { column, quote: '"' });
        }
        State::Escaped { column } => return Err(LineError::Dangling { column }),
        State::Between | State::Bare | State::Comment => {}
    }
    scanner.finish_word();
    Ok(scanner.words)
}

/// The text before the cursor, for completion; `None` if there is nothing to complete.
pub(crate) fn typed(before_cursor: &str) -> Option<Typed> {
    let scanner = Scanner::read(before_cursor).ok()?;
    let quoting = match scanner.state {
        State::Comment => return None,
        State::Between | State::Bare | State::Escaped { .. } => Quoting::Bare,
        State::Single { .. } => Quoting::Single,
        State::Double { .. } | State::EscapedInDouble { .. } => Quoting::Double,
    };
    let start = if scanner.state == State::Between {
        before_cursor.len()
    } else {
        scanner.start
    };
    Some(Typed {
        words: scanner.words,
        word: scanner.word,
        start,
        quoting,
    })
}

/// The word as part of a line, with quotes if it needs some.
///
/// A word with a control character other than a tab cannot be part of a line, however it is quoted.
pub(crate) fn quote(word: &str) -> String {
    let is_special = |c: char| is_blank(c) || matches!(c, '\'' | '"' | '\\');
    let is_plain =
        !word.is_empty() && !word.contains(is_special) && !word.starts_with(is_refused_first);
    if is_plain {
        word.to_owned()
    } else {
        quote_as(Quoting::Single, word)
    }
}

/// The word in the given kind of quotes; a bare word gets quotes only if it needs them.
pub(crate) fn quote_as(quoting: Quoting, word: &str) -> String {
    match quoting {
        Quoting::Bare => quote(word),
        Quoting::Single => format!("'{}'", word.replace('\'', r"'\''")),
        Quoting::Double => format!("\"{}\"", word.replace('\\', r"\\").replace('"', "\\\"")),
    }
}

const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

const fn is_operator(c: char) -> bool {
    matches!(c, '|' | '>' | '<' | ';' | '&')
}

const fn is_refused_first(c: char) -> bool {
    is_operator(c) || c == '#'
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Between,
    Bare,
    /// The column of the quote, here and below.
    Single {
        column: usize,
    },
    Double {
        column: usize,
    },
    /// After a backslash at this column.
    Escaped {
        column: usize,
    },
    EscapedInDouble {
        column: usize,
    },
    Comment,
}

struct Scanner {
    words: Vec<String>,
    word: String,
    /// The byte at which the word begins.
    start: usize,
    state: State,
}

impl Scanner {
    fn read(text: &str) -> Result<Scanner, LineError> {
        let mut scanner = Scanner {
            words: Vec::new(),
            word: String::new(),
            start: 0,
            state: State::Between,
        };
        for (column, (at, c)) in (1..).zip(text.char_indices()) {
            if c.is_control() && c != '\t' {
                return Err(LineError::Control {
                    column,
                    character: c,
                });
            }
            if scanner.state == State::Between {
                scanner.start = at;
            }
            scanner.state = scanner.after(c, column)?;
        }
        Ok(scanner)
    }

    /// Adds one character.
    fn after(&mut self, c: char, column: usize) -> Result<State, LineError> {
        Ok(match self.state {
            State::Between | State::Comment if is_blank(c) => self.state,
            State::Between if c == '#' => State::Comment,
            State::Between if is_operator(c) => {
                return Err(LineError::Operator {
                    column,
                    operator: c,
                });
            }
            State::Between | State::Bare => self.bare(c, column),
            State::Single { .. } if c == '\'' => State::Bare,
            State::Double { .. } if c == '"' => State::Bare,
            State::Double { column } if c == '\\' => State::EscapedInDouble { column },
            State::Single { .. } | State::Double { .. } => self.keep(c, self.state),
            State::Escaped { .. } => self.keep(c, State::Bare),
            State::EscapedInDouble { column } => {
                if !matches!(c, '"' | '\\') {
                    self.word.push('\\');
                }
                self.keep(c, State::Double { column })
            }
            State::Comment => State::Comment,
        })
    }

    fn bare(&mut self, c: char, column: usize) -> State {
        match c {
            '\'' => State::Single { column },
            '"' => State::Double { column },
            '\\' => State::Escaped { column },
            _ if is_blank(c) => {
                self.finish_word();
                State::Between
            }
            _ => self.keep(c, State::Bare),
        }
    }

    fn keep(&mut self, c: char, next: State) -> State {
        self.word.push(c);
        next
    }

    fn finish_word(&mut self) {
        if self.state == State::Bare {
            self.words.push(mem::take(&mut self.word));
        }
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod fuzz;
