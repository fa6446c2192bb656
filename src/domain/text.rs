//! Texts that users type: logins, names, addresses, titles and jira ids.
//!
//! Control and bidirectional characters are kept; text is escaped when it is displayed.

use std::borrow::Cow;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

use crate::domain::displayed::can_forge;
use crate::domain::rejection::Rejection;

pub const TITLE_CHARS_MAX: usize = 500;
pub const NAME_CHARS_MAX: usize = 200;
pub const DESCRIPTION_BYTES_MAX: usize = 64 * 1024;
const EMAIL_BYTES_MAX: usize = 254;
const EMAIL_LOCAL_BYTES_MAX: usize = 64;

/// `^[a-z0-9][a-z0-9._-]{0,63}$`
pub fn check_login(text: &str) -> Result<(), Rejection> {
    let starts = text
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    if starts && text.len() <= 64 && text.bytes().all(allowed) {
        Ok(())
    } else {
        Err(Rejection::BadLogin {
            login: text.to_owned(),
        })
    }
}

/// 1..200 characters after trimming, on one line.
pub fn check_name(text: &str) -> Result<String, Rejection> {
    one_line("name", text, NAME_CHARS_MAX)
}

/// `local@domain` as a mail can carry it, in any script (RFC 6531). The notifier finds out whether
/// mail arrives.
pub fn check_email(text: &str) -> Result<String, Rejection> {
    let text = text.trim();
    let parts = text.split_once('@');
    let shaped =
        parts.is_some_and(|(local, domain)| is_local_part(local) && ascii_domain(domain).is_some());
    if shaped && text.len() <= EMAIL_BYTES_MAX {
        Ok(text.to_owned())
    } else {
        Err(Rejection::BadEmail {
            email: text.to_owned(),
        })
    }
}

/// Words of letters, digits and the signs that need no quotes, with single dots between them.
fn is_local_part(text: &str) -> bool {
    let allowed =
        |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_foreign(c);
    text.len() <= EMAIL_LOCAL_BYTES_MAX
        && text
            .split('.')
            .all(|word| !word.is_empty() && word.chars().all(allowed))
}

/// Scripts outside ASCII write letters with marks, so every character is allowed in an address
/// unless it hides or forges text.
fn is_foreign(c: char) -> bool {
    !c.is_ascii() && !c.is_whitespace() && !can_forge(c)
}

/// A domain in the form that every mail server knows: `почта.рф` is `xn--80a1acny.xn--p1ai`. `None`
/// if the text cannot be a domain.
pub fn ascii_domain(domain: &str) -> Option<Cow<'_, str>> {
    if !domain.chars().all(|c| c.is_ascii() || is_foreign(c)) {
        return None;
    }
    let name = domain.as_bytes();
    Uts46::new()
        .to_ascii(
            name,
            AsciiDenyList::STD3,
            Hyphens::CheckFirstLast,
            DnsLength::Verify,
        )
        .ok()
}

/// Up to 64 KiB of any text; empty is absent.
pub fn check_description(text: Option<&str>) -> Result<Option<String>, Rejection> {
    match text {
        Some(text) if text.len() > DESCRIPTION_BYTES_MAX => Err(Rejection::TooLong {
            what: "description",
            unit: "bytes",
            length: text.len(),
            max: DESCRIPTION_BYTES_MAX,
        }),
        Some("") | None => Ok(None),
        Some(text) => Ok(Some(text.to_owned())),
    }
}

/// A stated reason: one line of at most 500 characters.
pub fn check_reason(text: &str) -> Result<String, Rejection> {
    one_line("reason", text, TITLE_CHARS_MAX)
}

/// A program's error text as a reason: on one line, cut if it is too long.
pub fn as_reason(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(TITLE_CHARS_MAX).collect()
}

fn one_line(what: &'static str, text: &str, max: usize) -> Result<String, Rejection> {
    let text = text.trim();
    let length = text.chars().count();
    if length == 0 {
        return Err(Rejection::Empty { what });
    }
    if length > max {
        return Err(Rejection::TooLong {
            what,
            unit: "characters",
            length,
            max,
        });
    }
    if text.contains(is_line_break) {
        return Err(Rejection::LineBreak { what });
    }
    Ok(text.to_owned())
}

fn is_line_break(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// `^[A-Z][A-Z0-9]*-\d+$`
pub fn is_jira_id(text: &str) -> bool {
    text.split_once('-').is_some_and(|(project, number)| {
        project.starts_with(|c: char| c.is_ascii_uppercase())
            && project
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
            && !number.is_empty()
            && number.bytes().all(|b| b.is_ascii_digit())
    })
}

/// A jira id, trimmed; empty is absent.
pub fn check_jira_id(text: &str) -> Result<Option<String>, Rejection> {
    let text = text.trim();
    if text.is_empty() || is_jira_id(text) {
        Ok(Some(text.to_owned()).filter(|id| !id.is_empty()))
    } else {
        Err(Rejection::BadJiraId {
            jira_id: text.to_owned(),
        })
    }
}

/// A title and its jira id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Title {
    pub title: String,
    pub jira_id: Option<String>,
    /// Whether the id was split off the title; then the user is told.
    pub split: bool,
}

impl Title {
    /// Parses a typed title. `[ID] Title`, `[ID]: Title`, `[ID], Title`, `[ID] - Title`, `ID -
    /// Title`, `ID – Title` and `ID — Title` are split. Another bracket is refused, and so is a second id.
    pub fn from_input(title: &str, jira_id: Option<&str>) -> Result<Title, Rejection> {
        let trimmed = title.trim();
        let (in_title, rest) = match split_jira_id(trimmed) {
            Some((id, rest)) => (Some(id), after_point(rest)),
            None => (None, trimmed),
        };
        let given = jira_id.map(str::trim).filter(|id| !id.is_empty());
        if let (Some(given), Some(in_title)) = (given, in_title) {
            return Err(Rejection::TwoJiraIds {
                given: given.to_owned(),
                in_title: in_title.to_owned(),
            });
        }
        let given = jira_id.map(check_jira_id).transpose()?.flatten();
        let title = one_line("title", rest, TITLE_CHARS_MAX)?;
        if title.contains(['[', ']']) {
            return Err(Rejection::BracketInTitle { title });
        }
        Ok(Title {
            title,
            jira_id: in_title.map(str::to_owned).or(given),
            split: in_title.is_some(),
        })
    }

    /// Parses the title of a `task.created.v1` line: split if possible, otherwise kept whole. It
    /// must read a line as every version did, so it keeps the comma of `[ID], Title`.
    pub fn from_v1(title: String) -> Title {
        match split_jira_id(title.trim()) {
            Some((id, rest)) if !rest.is_empty() => Title {
                title: rest.to_owned(),
                jira_id: Some(id.to_owned()),
                split: true,
            },
            _ => Title {
                title,
                jira_id: None,
                split: false,
            },
        }
    }
}

/// Splits a text into the jira id at its start and the rest.
fn split_jira_id(text: &str) -> Option<(&str, &str)> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (id, rest) = bracketed.split_once(']')?;
        let id = id.trim();
        let rest = after_colon(rest).trim_start();
        return is_jira_id(id).then(|| (id, after_separator(rest).unwrap_or(rest)));
    }
    let (id, rest) = text.split_once(char::is_whitespace)?;
    let rest = after_separator(rest.trim_start())?;
    is_jira_id(id).then_some((id, rest))
}

/// The text after the colon that follows a jira id. A colon after a blank needs a blank after it:
/// `:smile:` belongs to the title.
fn after_colon(text: &str) -> &str {
    let apart = || {
        text.trim_start()
            .strip_prefix(':')
            .filter(|rest| rest.starts_with(char::is_whitespace))
    };
    text.strip_prefix(':').or_else(apart).unwrap_or(text)
}

/// The text after a comma, semicolon or full stop that follows a jira id and precedes a blank. The
/// full stop of `.NET` belongs to the title.
fn after_point(text: &str) -> &str {
    let rest = text.strip_prefix([',', ';', '.']);
    rest.filter(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
        .map_or(text, str::trim_start)
}

/// The text after a dash between blanks. The dash of `-5 degrees` belongs to the title.
fn after_separator(text: &str) -> Option<&str> {
    let rest = text.strip_prefix(DASHES)?;
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then(|| rest.trim_start())
}

const DASHES: [char; 3] = ['-', '–', '—'];

/// Whether a spreadsheet would run `text`, with or without its leading apostrophes. Some
/// also accept the wide forms of the signs.
pub fn looks_like_formula(text: &str) -> bool {
    let first = text.chars().find(|char| *char != '\'');
    let begins = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    first.is_some_and(|first| begins.contains(&first))
}

/// Removes the apostrophe before a formula in our CSV; other texts are returned unchanged.
pub fn unescape_formula(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if looks_like_formula(rest) => rest,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> (String, Option<String>) {
        let title = Title::from_input(text, None).unwrap();
        (title.title, title.jira_id)
    }

    #[test]
    fn a_jira_id_in_front_of_a_title_is_split_off() {
        for text in [
            "[UP-7] Fix it",
            "[UP-7]: Fix it",
            "[UP-7] : Fix it",
            "[UP-7] - Fix it",
            "[UP-7], Fix it",
            "[UP-7]. Fix it",
            "[UP-7]; Fix it",
            "[UP-7] ; Fix it",
            "UP-7 - Fix it",
            "UP-7 – Fix it",
            "UP-7 — Fix it",
            "  [UP-7]Fix it ",
        ] {
            assert_eq!(
                split(text),
                ("Fix it".to_owned(), Some("UP-7".to_owned())),
                "{text}"
            );
        }
    }

    #[test]
    fn a_point_that_belongs_to_the_title_is_kept() {
        for title in [".NET is slow", "... and more", ",x"] {
            let found = split(&format!("[UP-7] {title}"));
            assert_eq!(found, (title.to_owned(), Some("UP-7".to_owned())));
        }
    }

    #[test]
    fn a_title_that_only_looks_like_an_id_is_kept() {
        for text in [
            "UTF-8 support",
            "UP-7: Fix it",
            "up-7 - Fix it",
            "UP-7 -Fix it",
            "UP-7",
            "X - Y",
        ] {
            assert_eq!(split(text), (text.to_owned(), None), "{text}");
        }
    }

    #[test]
    fn brackets_that_are_left_over_are_refused() {
        for text in ["[urgent] Fix it", "Fix [it]", "[UP-7] [UP-8] Fix it"] {
            assert!(
                matches!(
                    Title::from_input(text, None),
                    Err(Rejection::BracketInTitle { .. })
                ),
                "{text}"
            );
        }
    }

    #[test]
    fn a_jira_id_beside_another_in_the_title_is_refused() {
        let refused = Title::from_input("UP-7 - Fix it", Some("UP-8"));
        assert_eq!(
            refused,
            Err(Rejection::TwoJiraIds {
                given: "UP-8".into(),
                in_title: "UP-7".into()
            })
        );
        assert!(matches!(
            Title::from_input("Fix it", Some("up-8")),
            Err(Rejection::BadJiraId { .. })
        ));
    }

    #[test]
    fn a_v1_title_that_does_not_parse_is_kept_whole() {
        assert_eq!(Title::from_v1("[x] odd".into()).title, "[x] odd");
        assert_eq!(Title::from_v1("[UP-7] ".into()).title, "[UP-7] ");
        assert_eq!(Title::from_v1("[UP-7], Fix it".into()).title, ", Fix it");
        let parsed = Title::from_v1("UP-7 - Fix it".into());
        assert_eq!(
            (parsed.title.as_str(), parsed.jira_id.as_deref()),
            ("Fix it", Some("UP-7"))
        );
    }

    #[test]
    fn titles_are_one_line_of_one_to_five_hundred_characters() {
        assert!(matches!(
            Title::from_input(" \t ", None),
            Err(Rejection::Empty { .. })
        ));
        assert!(matches!(
            Title::from_input("a\nb", None),
            Err(Rejection::LineBreak { .. })
        ));
        assert!(Title::from_input(&"ж".repeat(500), None).is_ok());
        assert!(matches!(
            Title::from_input(&"ж".repeat(501), None),
            Err(Rejection::TooLong { .. })
        ));
    }

    #[test]
    fn logins_follow_their_pattern() {
        for login in ["a", "0", "anna.k", "a-b_c", &"a".repeat(64)] {
            assert!(check_login(login).is_ok(), "{login}");
        }
        for login in ["", ".a", "-a", "Anna", "анна", "a b", &"a".repeat(65)] {
            assert!(check_login(login).is_err(), "{login}");
        }
    }

    #[test]
    fn addresses_cannot_smuggle_headers() {
        assert!(check_email("anna@popug.example").is_ok());
        for email in [
            "",
            "anna",
            "@x",
            "a@",
            "a@b@c",
            "a b@c",
            "a@b\r\nBcc: x@y",
            "A <a@b>",
        ] {
            assert!(check_email(email).is_err(), "{email}");
        }
    }

    #[test]
    fn an_address_is_one_that_a_mail_can_bear() {
        for email in [
            "o'hara+pay@a-b.popug.example",
            "иван@почта.рф",
            "a@डेटामेल.भारत",
            "मित्र@डाटा.भारत",
            "e\u{301}lodie@popug.example",
            "\u{e9}lodie@e\u{301}cole.example",
            "🦜@popug.example",
            "a@xn--80a1acny.xn--p1ai",
            "a@127.0.0.1",
        ] {
            assert!(check_email(email).is_ok(), "{email}");
        }
        let long = format!("{}@popug.example", "a".repeat(65));
        let long_name = format!("a@{}.example", "ж".repeat(60));
        let bidi = [
            "\u{202e}anna@popug.example",
            "anna@popug\u{200b}.example",
            "an\u{7}na@popug.example",
            "an\u{ad}na@p.e",
        ];
        let shapes = [
            "a..b@popug.example",
            ".a@popug.example",
            "a@b..c",
            "a@b.",
            "a@-b",
            "a@b_c",
            "a\u{a0}b@popug.example",
        ];
        let domains = [
            "a@xn--zzzzzzzz.example",
            "a@xn--a.example",
            "a@\u{301}b.example",
            long_name.as_str(),
        ];
        for email in bidi
            .into_iter()
            .chain(shapes)
            .chain(domains)
            .chain([long.as_str()])
        {
            assert!(check_email(email).is_err(), "{email:?}");
        }
    }
}
