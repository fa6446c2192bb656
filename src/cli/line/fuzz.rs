//! Any text as a line: nothing panics, and quoted words are parsed back.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Characters with a meaning, and others.
const PIECES: &[char] = &[
    ' ', '\t', '\'', '"', '\\', '#', '|', '>', '<', ';', '&', '$', '*', '~', '=', '-', 'a', 'ж',
    '🦜', '\0', '\n', '\u{1b}', '\u{9b}', '\u{202e}', '\u{a0}',
];

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::collection::vec(select(PIECES), 0..40)
            .prop_map(|pieces| pieces.into_iter().collect()),
        any::<String>(),
        proptest::collection::vec(any::<u8>(), 0..60)
            .prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    ]
}

fn sayable(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control() || *c == '\t')
        .collect()
}

proptest! {
    #[test]
    fn a_quoted_list_of_words_reads_back(words in proptest::collection::vec(line(), 0..8), double in any::<bool>()) {
        let words: Vec<String> = words.iter().map(|word| sayable(word)).collect();
        let quoting = if double { Quoting::Double } else { Quoting::Bare };
        let quoted: Vec<String> = words.iter().map(|word| quote_as(quoting, word)).collect();
        prop_assert_eq!(split(&quoted.join(" ")), Ok(words));
    }

    #[test]
    fn an_error_names_a_column_of_the_line(line in line()) {
        if let Err(error) = split(&line) {
            let (LineError::Unclosed { column, .. }
            | LineError::Dangling { column }
            | LineError::Control { column, .. }
            | LineError::Operator { column, .. }) = error;
            let named = line.chars().nth(column - 1);
            let wanted = match error {
                LineError::Unclosed { quote, .. } => quote,
                LineError::Dangling { .. } => '\\',
                LineError::Control { character, .. } => character,
                LineError::Operator { operator, .. } => operator,
            };
            prop_assert_eq!(named, Some(wanted), "{}", error);
            prop_assert!(!error.to_string().contains(char::is_control) && !error.hint().is_empty());
        }
    }

    #[test]
    fn the_text_before_any_place_can_be_replaced_by_the_same(line in line()) {
        for (at, _) in line.char_indices() {
            let before = &line[..at];
            let Some(typed) = typed(before) else { continue };
            prop_assert!(before.is_char_boundary(typed.start));
            let again = format!("{}{}", &before[..typed.start], quote_as(typed.quoting, &typed.word));
            let words: Vec<String> = typed.words.into_iter().chain([typed.word]).collect();
            prop_assert_eq!(split(&again), Ok(words), "{}", before);
        }
    }
}
