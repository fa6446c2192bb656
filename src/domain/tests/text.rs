//! Parsing and writing text and money: nothing panics, and written values are read back.

use proptest::prelude::*;

use crate::domain::displayed::Displayed;
use crate::domain::money::Money;
use crate::domain::rejection::Rejection;
use crate::domain::role::Role;
use crate::domain::text::{self, TITLE_CHARS_MAX, Title};

/// The forms of a jira id before a title.
const FORMS: [fn(&str, &str) -> String; 6] = [
    |id, title| format!("[{id}] {title}"),
    |id, title| format!("[{id}]: {title}"),
    |id, title| format!("[{id}] - {title}"),
    |id, title| format!("{id} - {title}"),
    |id, title| format!("{id} – {title}"),
    |id, title| format!("{id} — {title}"),
];

/// Titles without brackets and without a separator at the beginning.
fn plain_title() -> impl Strategy<Value = String> {
    let starts_with_separator = |title: &str| {
        title
            .strip_prefix(['-', '–', '—', ':', ',', ';', '.'])
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
    };
    let text = "[^\\[\\]\\pC\\p{Zl}\\p{Zp}]{1,60}|-[0-9]{1,3} degrees|--verbose is broken";
    text.prop_map(|title: String| title.trim().to_owned())
        .prop_filter("nothing is left of it", move |title| {
            !title.is_empty() && !starts_with_separator(title)
        })
}

#[test]
fn the_dash_of_a_title_is_not_taken_for_a_separator() {
    for (text, title) in [
        ("[UP-7] -5 degrees", "-5 degrees"),
        ("[UP-7] --verbose is broken", "--verbose is broken"),
        ("UP-7 - -5 degrees", "-5 degrees"),
        ("[UP-7] - -5 degrees", "-5 degrees"),
        ("[UP-7]: -5 degrees", "-5 degrees"),
        ("[UP-7] :smile: is broken", ":smile: is broken"),
        ("[UP-7]: :smile: is broken", ":smile: is broken"),
        ("UP-7: Fix it", "UP-7: Fix it"),
    ] {
        assert_eq!(
            Title::from_input(text, None).unwrap().title,
            title,
            "{text}"
        );
    }
}

#[test]
fn titles_of_version_1_are_trimmed_before_they_are_split() {
    let title = Title::from_v1(" [UP-7] Fix it ".into());
    assert_eq!(
        (title.title.as_str(), title.jira_id.as_deref()),
        ("Fix it", Some("UP-7"))
    );
    assert_eq!(
        Title::from_v1(" Fix it ".into()).title,
        " Fix it ",
        "one that does not parse is kept"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_id_in_front_of_a_title_is_split_off_in_every_form(id in "[A-Z][A-Z0-9]{0,9}-[0-9]{1,6}", title in plain_title()) {
        for form in FORMS {
            let written = form(&id, &title);
            let split = Title::from_input(&written, None).unwrap();
            prop_assert_eq!((&split.title, split.jira_id.as_ref(), split.split), (&title, Some(&id), true), "{}", written);
            prop_assert_eq!(Title::from_v1(written), split);
        }
    }

    #[test]
    fn whatever_is_accepted_as_a_title_has_its_form(text in "\\PC{0,40}|[\\[\\]A-Z0-9 —–-]{0,20}|(?s).{0,600}", id in proptest::option::of("[A-Z]{0,2}-?[0-9]{0,2}")) {
        if let Ok(title) = Title::from_input(&text, id.as_deref()) {
            prop_assert!((1..=TITLE_CHARS_MAX).contains(&title.title.chars().count()));
            prop_assert_eq!(title.title.trim(), &title.title);
            prop_assert!(!title.title.contains(['\n', '\r', '[', ']']));
            prop_assert!(title.jira_id.as_deref().is_none_or(text::is_jira_id));
            prop_assert!(text.contains(&title.title), "nothing is made up");
        }
    }

    #[test]
    fn a_v1_title_never_loses_a_word(text in "\\PC{0,40}|[\\[\\]A-Z0-9 —–-]{0,20}") {
        let title = Title::from_v1(text.clone());
        prop_assert!(text.contains(&title.title) && title.jira_id.is_none_or(|id| text.contains(&id)));
    }

    #[test]
    fn no_text_makes_a_check_panic(text in "(?s).{0,80}") {
        let checks = [
            text::check_login(&text).err(),
            text::check_name(&text).err(),
            text::check_email(&text).err(),
            text::check_reason(&text).err(),
            text::check_description(Some(&text)).err(),
            text.parse::<Role>().err().map(|unknown| Rejection::UnknownRole { text: unknown.text, suggestion: unknown.suggestion }),
        ];
        for rejection in checks.into_iter().flatten() {
            prop_assert!(!rejection.to_string().chars().any(char::is_control), "a refusal is safe to print");
            prop_assert!(rejection.hint().is_some());
        }
    }

    #[test]
    fn displayed_text_cannot_steer_a_terminal(text in "(?s).{0,80}|[\u{1b}\u{9b}\u{200e}\u{202e}\u{2066}a-z]{0,20}") {
        let shown = Displayed(&text).to_string();
        let steers = |c: char| c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        prop_assert!(!shown.contains(steers));
        prop_assert_eq!(Displayed(&shown).to_string(), shown.clone(), "what is safe is left alone");
    }

    #[test]
    fn every_amount_is_read_back_as_it_was_written(minor in any::<i64>()) {
        let amount = Money::from_minor(minor);
        prop_assert_eq!(amount.to_string().parse(), Ok(amount));
    }

    #[test]
    fn an_amount_is_read_exactly_or_not_at_all(text in "-?[0-9]{0,22}([.,][0-9]{0,4})?|\\PC{0,12}") {
        if let Ok(amount) = text.parse::<Money>() {
            let fraction = text.split_once(['.', ',']).map_or("", |(_, fraction)| fraction);
            let digits = format!("{}{}", text.replace(['.', ','], ""), &"00"[fraction.len()..]);
            prop_assert_eq!(i128::from(amount.minor()), digits.parse::<i128>().unwrap());
        }
    }
}

#[test]
fn the_largest_and_the_smallest_amount_are_read_back() {
    for amount in [i64::MIN, i64::MAX, 0, -1].map(Money::from_minor) {
        assert_eq!(amount.to_string().parse(), Ok(amount));
    }
    for text in [
        "92233720368547758.08",
        "-92233720368547758.09",
        &"9".repeat(60),
    ] {
        assert!(text.parse::<Money>().is_err(), "{text}");
    }
}
