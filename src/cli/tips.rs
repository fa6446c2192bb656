//! Suggestions for unknown words.
//!
//! What must hold: no tip leads to something with another meaning. A name that differs by one
//! typing error may be meant; `complete` for `delete` or `--as` for `--assignee` is not, however
//! many letters they share.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Error};

/// Words that users type because other programs have them: the group of commands, the words, the
/// tip.
const OTHER_WORDS: &[(&str, &[&str], &str)] = &[
    (
        "task",
        &["delete", "remove", "rm", "drop"],
        "a task is never deleted; `popug-cli task cancel TASK --reason TEXT` cancels it and gives its fees back",
    ),
    (
        "task",
        &["create", "new", "register"],
        "`popug-cli task add TITLE` creates a task",
    ),
    (
        "task",
        &["update", "change", "rename"],
        "`popug-cli task edit TASK --title TEXT` changes its texts",
    ),
    (
        "task",
        &["assign", "reassign", "give"],
        "assignees are drawn at random: `popug-cli task reshuffle` draws a new one for every open task",
    ),
    (
        "task",
        &["done", "finish", "close", "resolve"],
        "`popug-cli task complete TASK` completes a task that is assigned to you",
    ),
    ("task", &["ls"], "`popug-cli task list` lists them"),
    (
        "task",
        &["get", "view", "info"],
        "`popug-cli task show TASK` shows one",
    ),
    (
        "user",
        &["create", "add", "new", "invite"],
        "`popug-cli user register` registers a user",
    ),
    (
        "user",
        &["delete", "remove", "rm", "disable", "fire", "block"],
        "a user is never deleted; `popug-cli user deactivate LOGIN` deactivates them and keeps their entries",
    ),
    (
        "user",
        &["activate", "enable", "restore", "unblock"],
        "`popug-cli user reactivate LOGIN` reactivates a user",
    ),
    (
        "user",
        &["edit", "change", "rename", "modify"],
        "`popug-cli user update LOGIN` changes a name or an address",
    ),
    (
        "user",
        &["passwd", "password"],
        "`popug-cli user set-password [LOGIN]` sets a password",
    ),
    (
        "user",
        &["role", "promote", "demote"],
        "`popug-cli user set-role LOGIN ROLE` changes the role of a user",
    ),
    ("user", &["ls"], "`popug-cli user list` lists them"),
    (
        "user",
        &["get", "view", "info"],
        "`popug-cli user show LOGIN` shows one",
    ),
    (
        "token",
        &["create", "add", "new", "generate"],
        "`popug-cli token issue LOGIN` issues a token",
    ),
    (
        "token",
        &["delete", "remove", "rm"],
        "`popug-cli token revoke ID` revokes a token",
    ),
    ("token", &["ls"], "`popug-cli token list` lists them"),
    (
        "mail",
        &["send", "resend"],
        "`popug-cli consume notifier` sends the mails that are due, `popug-cli mail retry ID` tries one of them again",
    ),
    ("mail", &["ls"], "`popug-cli mail list` lists them"),
    (
        "mail",
        &["delete", "remove", "rm"],
        "a pay mail is owed and cannot be deleted",
    ),
    (
        "account",
        &["fix", "adjust", "reverse", "cancel", "delete", "remove"],
        "an entry is never changed; `popug-cli account correct ENTRY` reverses one by an entry of its own",
    ),
    (
        "dlq",
        &["delete", "remove", "rm", "purge"],
        "an event is never deleted; `popug-cli dlq --help` shows the decisions about it",
    ),
    (
        "log",
        &["delete", "remove", "rm", "edit", "truncate"],
        "the log is never changed",
    ),
];

/// An error of clap about these words, with correct tips.
pub(super) fn mended(mut error: Error, definition: fn() -> Command, words: &[OsString]) -> Error {
    for (typed, suggested) in [
        (
            ContextKind::InvalidSubcommand,
            ContextKind::SuggestedSubcommand,
        ),
        (ContextKind::InvalidArg, ContextKind::SuggestedArg),
        (ContextKind::InvalidValue, ContextKind::SuggestedValue),
    ] {
        let Some(word) = text_of(&error, typed) else {
            continue;
        };
        let Some(names) = error.remove(suggested) else {
            continue;
        };
        let names: Vec<String> = strings(&names)
            .into_iter()
            .filter(|name| is_a_slip(&word, name))
            .collect();
        if let [name] = &names[..] {
            error.insert(suggested, ContextValue::String(name.clone()));
        } else if !names.is_empty() {
            error.insert(suggested, ContextValue::Strings(names));
        } else if suggested == ContextKind::SuggestedArg {
            // The usage shows the command with the suggested option.
            show_whole_usage(&mut error, definition());
        }
    }
    // An option of another command means another command.
    if error.kind() == ErrorKind::UnknownArgument
        && let Some(ContextValue::StyledStrs(tips)) = error.remove(ContextKind::Suggested)
        && tips
            .iter()
            .any(|tip| tip.to_string().starts_with("to pass "))
        && let Some(tip) = behind_hyphens(&error, words)
    {
        error.insert(
            ContextKind::Suggested,
            ContextValue::StyledStrs(vec![tip.into()]),
        );
    }
    if error.kind() == ErrorKind::MissingRequiredArgument {
        // clap's own usage shows the given options, those of the environment too, as if they were
        // required.
        show_whole_usage(&mut error, definition());
    }
    if let Some(tip) = other_word(&error) {
        error.remove(ContextKind::SuggestedSubcommand);
        error.insert(
            ContextKind::Suggested,
            ContextValue::StyledStrs(vec![tip.into()]),
        );
    }
    error
}

/// How to give a word that clap took for an option. clap names only its first letter.
fn behind_hyphens(error: &Error, words: &[OsString]) -> Option<String> {
    let begins = text_of(error, ContextKind::InvalidArg)?;
    let word = words
        .iter()
        .filter_map(|word| word.to_str())
        .find(|word| word.starts_with(&begins))?;
    let command = path_of(error).join(" ");
    let word = word.replace('\'', r"'\''");
    Some(format!(
        "a word that begins with a hyphen stands behind `--`: popug-cli {command} -- '{word}'"
    ))
}

/// The tips of an error, as hints of ours.
pub(super) fn of(error: &Error) -> Vec<String> {
    let suggested = |kind| error.get(kind).map(strings).unwrap_or_default();
    let names = [
        ContextKind::SuggestedSubcommand,
        ContextKind::SuggestedArg,
        ContextKind::SuggestedValue,
    ];
    let names = names
        .into_iter()
        .flat_map(suggested)
        .map(|name| format!("there is `{name}`"));
    names.chain(suggested(ContextKind::Suggested)).collect()
}

/// The words of the command that an error is about: `Usage: popug-cli task [OPTIONS] <COMMAND>`
fn path_of(error: &Error) -> Vec<String> {
    let usage = error
        .get(ContextKind::Usage)
        .map(ToString::to_string)
        .unwrap_or_default();
    // The program may have been started by another name.
    let parts = usage.split_whitespace().skip(2);
    parts
        .take_while(|part| part.starts_with(|c: char| c.is_ascii_lowercase()))
        .map(str::to_owned)
        .collect()
}

fn show_whole_usage(error: &mut Error, mut command: Command) {
    command.build();
    let mut command = &mut command;
    for word in path_of(error) {
        let Some(below) = command.find_subcommand_mut(&word) else {
            return;
        };
        command = below;
    }
    let usage = command.render_usage();
    error.insert(ContextKind::Usage, ContextValue::StyledStr(usage));
}

fn other_word(error: &Error) -> Option<&'static str> {
    let word = text_of(error, ContextKind::InvalidSubcommand)?;
    let path = path_of(error);
    let group = path.first()?;
    let of_group = OTHER_WORDS.iter().filter(|(of, ..)| *of == group);
    of_group
        .filter(|(_, words, _)| words.contains(&&*word))
        .map(|(.., tip)| *tip)
        .next()
}

fn text_of(error: &Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        _ => None,
    }
}

fn strings(value: &ContextValue) -> Vec<String> {
    match value {
        ContextValue::String(text) => vec![text.clone()],
        ContextValue::Strings(texts) => texts.clone(),
        ContextValue::StyledStrs(texts) => texts.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    }
}

/// Whether the two differ by one letter more, one less, another one, or two that changed places.
fn is_a_slip(typed: &str, name: &str) -> bool {
    let (typed, name): (Vec<char>, Vec<char>) = (typed.chars().collect(), name.chars().collect());
    let same = typed
        .iter()
        .zip(&name)
        .take_while(|(one, other)| one == other)
        .count();
    let (typed, name) = (&typed[same..], &name[same..]);
    match (typed, name) {
        ([], []) | ([], [_]) | ([_], []) => true,
        ([a, b, rest @ ..], [c, d, others @ ..]) if a == d && b == c && rest == others => true,
        _ => {
            typed.get(1..) == Some(name) || Some(typed) == name.get(1..) || {
                let rests = typed.get(1..).zip(name.get(1..));
                rests.is_some_and(|(rest, other)| rest == other)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command_line::CommandLine;

    fn text(words: &[&str]) -> String {
        let words = std::iter::once(&"popug-cli").chain(words);
        CommandLine::read_within(None, words)
            .unwrap_err()
            .render()
            .to_string()
    }

    #[test]
    fn a_slip_of_the_fingers_is_known() {
        for (typed, name) in [
            ("lst", "list"),
            ("listt", "list"),
            ("lits", "list"),
            ("lisr", "list"),
            ("xlist", "list"),
            ("ist", "list"),
            ("complte", "complete"),
            ("list", "list"),
            ("l", ""),
        ] {
            assert!(
                is_a_slip(typed, name) && is_a_slip(name, typed),
                "{typed} {name}"
            );
        }
        for (typed, name) in [
            ("delete", "complete"),
            ("create", "deactivate"),
            ("--assignee", "--as"),
            ("remove", "revoke"),
            ("ab", "ba?"),
        ] {
            assert!(
                !is_a_slip(typed, name) && !is_a_slip(name, typed),
                "{typed} {name}"
            );
        }
    }

    #[test]
    fn a_slip_is_put_right() {
        assert!(
            text(&["task", "lst"]).contains("'list'"),
            "{}",
            text(&["task", "lst"])
        );
        assert!(text(&["taks", "list"]).contains("'task'"));
        assert!(text(&["task", "list", "--oen"]).contains("'--open'"));
        assert!(text(&["task", "list", "-o", "jsn"]).contains("'json'"));
    }

    #[test]
    fn a_word_that_was_taken_for_an_option_is_shown_whole_behind_the_hyphens() {
        for (words, word) in [
            (&["task", "add", "-yz it's"][..], r"'-yz it'\''s'"),
            (&["task", "complete", "- 7"], "'- 7'"),
            (&["task", "add", "--fix=it"], "'--fix=it'"),
        ] {
            let shown = text(words);
            let tip = format!(
                "tip: a word that begins with a hyphen stands behind `--`: popug-cli {} {} -- {word}\n",
                words[0], words[1]
            );
            assert!(
                shown.contains(&tip) && shown.matches("tip:").count() == 1,
                "{shown}"
            );
        }
    }

    #[test]
    fn no_tip_leads_to_something_else() {
        for words in [
            &["task", "delete", "7"][..],
            &["task", "list", "--assignee", "x"],
            &["task", "add", "x", "--assignee", "ada"],
            &["user", "create"],
            &["user", "activate", "ada"],
            &["token", "remove", "1"],
            &["report", "balances", "--assignee", "ada"],
            &["user", "--reason", "x"],
            &["task", "--all"],
        ] {
            let shown = text(words);
            assert!(
                !["similar", "--as ", "exists"]
                    .iter()
                    .any(|tip| shown.contains(tip)),
                "{shown}"
            );
        }
    }

    #[test]
    fn words_of_other_programs_are_answered_and_what_the_answers_name_is_there() {
        for (group, words, tip) in OTHER_WORDS {
            for word in *words {
                let shown = text(&[group, word]);
                assert!(
                    shown.contains(&format!("tip: {tip}\n")) && shown.matches("tip:").count() == 1,
                    "{shown}"
                );
            }
            for named in tip.split('`').skip(1).step_by(2) {
                let mut command = CommandLine::definition();
                for word in named
                    .split(' ')
                    .skip(1)
                    .take_while(|word| word.starts_with(|c: char| c.is_ascii_lowercase()))
                {
                    if let Some(below) = command.find_subcommand(word) {
                        command = below.clone();
                    } else {
                        assert!(!command.has_subcommands(), "{named}");
                    }
                }
            }
        }
    }
}
