//! Secrets as types, so that printing one by accident shows only that there is one.
//!
//! ```compile_fail
//! use popug_cli::credentials::Password;
//! println!("{}", Password::new("correct horse"));
//! ```

use std::borrow::Cow;
use std::fmt;

/// A password as it was typed. Nothing is trimmed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    pub fn new(text: impl Into<String>) -> Password {
        Password(text.into())
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(hidden)")
    }
}

/// A token as text: a person who has it acts as its user.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenText(String);

impl TokenText {
    /// Cuts the line break that a shell or an editor left at the end.
    pub fn new(text: &str) -> TokenText {
        TokenText(text.trim().to_owned())
    }

    /// For the one place that gives the token to its user.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenText(hidden)")
    }
}

/// The prefix of every token of this program.
pub(super) const TOKEN_HEADER: &str = "popug_token_";
/// The prefix of the signed tokens of earlier versions.
pub(super) const SIGNED_HEADER: &str = "v4.public.";

/// The text without the secret part of any token in it, for messages that repeat typed words.
/// Signed tokens of earlier versions are hidden too, because a program of that version may accept
/// them.
pub fn without_tokens(text: &str) -> Cow<'_, str> {
    let mut hidden = Cow::Borrowed(text);
    for header in [TOKEN_HEADER, SIGNED_HEADER] {
        if hidden.contains(header) {
            hidden = Cow::Owned(without(header, &hidden));
        }
    }
    hidden
}

fn without(header: &str, text: &str) -> String {
    let mut pieces = text.split(header);
    let mut shown = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let is_of_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let rest = piece.trim_start_matches(is_of_token);
        let hidden = if rest.len() < piece.len() { "…" } else { "" };
        shown.push_str(&[header, hidden, rest].concat());
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let shown = format!(
            "{:?} {:?}",
            Password::new("hunter2222"),
            TokenText::new("popug_token_abc")
        );
        assert_eq!(shown, "Password(hidden) TokenText(hidden)");
    }

    #[test]
    fn a_token_that_was_typed_elsewhere_is_not_repeated() {
        let hide = |text| without_tokens(text).into_owned();
        assert_eq!(
            hide("there is no user `popug_token_ab_09`, is it?"),
            "there is no user `popug_token_…`, is it?"
        );
        assert_eq!(
            hide("popug_token_a.popug_token_b popug_token_"),
            "popug_token_….popug_token_… popug_token_"
        );
        assert_eq!(
            hide("v4.public.abc popug_token_b"),
            "v4.public.… popug_token_…"
        );
    }

    #[test]
    fn a_token_loses_the_line_break_of_the_file_it_came_from() {
        assert_eq!(
            TokenText::new("popug_token_abc\r\n").reveal(),
            "popug_token_abc"
        );
    }
}
