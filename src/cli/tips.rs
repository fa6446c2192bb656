//! Suggestions for unknown words.
//!
//! Invariant: no tip leads to something with another meaning. A name that differs by one
//! typing error may be meant; `complete` for `delete` or `--as` for `--assignee` is not, however
//! many letters they share.

mod other_programs;

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Error};

use crate::cli::free_text;
use crate::cli::tips::other_programs::{OTHER_OPTIONS, OTHER_WORDS};
use crate::reports::render::heading;

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
    if let Some(ContextValue::Strings(names)) = error.remove(ContextKind::ValidSubcommand) {
        let names = names.into_iter().filter(|name| !name.starts_with("__"));
        error.insert(
            ContextKind::ValidSubcommand,
            ContextValue::Strings(names.collect()),
        );
    }
    // An option of another command means another command.
    if error.kind() == ErrorKind::UnknownArgument {
        error.remove(ContextKind::Suggested);
        if let Some(tip) = behind_hyphens(definition(), words)
            .or_else(|| other_option(&error, definition()))
            .or_else(|| in_quotes(&error, words))
        {
            error.insert(
                ContextKind::Suggested,
                ContextValue::StyledStrs(vec![tip.into()]),
            );
        }
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

/// How to give a title that clap took for options.
fn behind_hyphens(definition: Command, words: &[OsString]) -> Option<String> {
    let title = free_text::title_taken_for_options(definition, words)?;
    let title = title.replace('\'', r"'\''");
    Some(format!(
        "a title that begins with a hyphen stands behind `--`: popug-cli task add -- '{title}'"
    ))
}

/// How to give a title of several words.
fn in_quotes(error: &Error, words: &[OsString]) -> Option<String> {
    let next = text_of(error, ContextKind::InvalidArg)?;
    if path_of(error) != ["task", "add"] || next.starts_with('-') {
        return None;
    }
    let words: Vec<&str> = words
        .iter()
        .map(|word| word.to_str())
        .collect::<Option<_>>()?;
    let next = words.iter().position(|word| *word == next)?;
    let title = words[next.checked_sub(1)?..].iter();
    let title: Vec<&str> = title
        .copied()
        .take_while(|word| !word.starts_with('-'))
        .collect();
    let title = title.join(" ").replace('\'', r"'\''");
    Some(format!(
        "a title of several words stands in quotes: popug-cli task add '{title}'"
    ))
}

/// The option that is meant by one of another program, if the command has it.
fn other_option(error: &Error, definition: Command) -> Option<String> {
    let typed = text_of(error, ContextKind::InvalidArg)?;
    let typed = typed.split('=').next()?;
    let command = command_of(error, definition)?;
    let has = |name| {
        command
            .get_arguments()
            .any(|arg| arg.get_long() == Some(name))
    };
    let (.., option) = OTHER_OPTIONS
        .iter()
        .find(|(words, name, _)| words.contains(&typed) && has(name))?;
    Some(format!("use `{option}`"))
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

fn show_whole_usage(error: &mut Error, definition: Command) {
    if let Some(mut command) = command_of(error, definition) {
        let usage = command.render_usage();
        error.insert(ContextKind::Usage, ContextValue::StyledStr(usage));
    }
}

/// The command that an error is about, with the global options.
fn command_of(error: &Error, mut definition: Command) -> Option<Command> {
    definition.build();
    let path = path_of(error);
    let found = path
        .iter()
        .try_fold(&definition, |command, word| command.find_subcommand(word));
    found.cloned()
}

fn other_word(error: &Error) -> Option<&'static str> {
    let word = text_of(error, ContextKind::InvalidSubcommand)?;
    let path = path_of(error);
    // Empty for a word in the place of a command.
    let group = path.first().map_or("", String::as_str);
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

/// The column that is meant by a word that names none: a slip, or its heading.
pub(super) fn column_meant(word: &str, columns: &[&'static str]) -> Option<&'static str> {
    let word = word.to_lowercase();
    let mut columns = columns.iter().copied();
    columns.find(|name| is_a_slip(&word, name) || heading(name).to_lowercase() == word)
}

/// The name that is meant by a word that is none: one slip away, or the only one that begins with it.
pub(super) fn meant<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let word = word.to_lowercase();
    let names: Vec<&str> = names.into_iter().collect();
    let mut begun = names
        .iter()
        .filter(|name| word.len() > 1 && name.starts_with(&word));
    let only = begun.next().filter(|_| begun.next().is_none());
    let slip = names.iter().find(|name| is_a_slip(&word, name));
    slip.or(only).copied()
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
    fn a_title_that_was_taken_for_options_is_shown_whole_behind_the_hyphens() {
        for (words, title) in [
            (&["task", "add", "-yz it's"][..], r"'-yz it'\''s'"),
            (&["task", "add", "-nuts"], "'-nuts'"),
            (&["task", "add", "-x", "--key", "-k"], "'-x'"),
            (&["task", "add", "--fix it=now"], "'--fix it=now'"),
        ] {
            let shown = text(words);
            let tip = format!(
                "tip: a title that begins with a hyphen stands behind `--`: popug-cli task add -- {title}\n"
            );
            assert!(
                shown.contains(&tip) && shown.matches("tip:").count() == 1,
                "{shown}"
            );
        }
        assert!(
            text(&["task", "add", "it's", "a", "nut", "-n"])
                .contains(r"in quotes: popug-cli task add 'it'\''s a nut'")
        );
        for words in [
            &["task", "add", "--fix=it"][..],
            &["task", "add", "title", "-x"],
            &["task", "complete", "- 7"],
            &["user", "show", "--id", "3"],
            &["log", "show", "-1"],
        ] {
            let shown = text(words);
            assert!(!shown.contains("tip:"), "{shown}");
        }
    }

    #[test]
    fn options_of_other_programs_are_answered_where_the_command_has_what_is_meant() {
        for (words, tip) in [
            (&["report", "balances", "--json"][..], "-o json"),
            (&["report", "balances", "--login", "x"], "--user LOGIN"),
            (&["report", "entries", "--since=2026-01-01"], "--from DATE"),
            (
                &["account", "correct", "1", "--comment", "x"],
                "--reason TEXT",
            ),
            (&["user", "list", "--no-color"], "--color never"),
            (&["task", "list", "--assignee", "x"], "--of LOGIN"),
        ] {
            let shown = text(words);
            assert!(shown.contains(&format!("tip: use `{tip}`\n")), "{shown}");
        }
        for words in [
            &["user", "show", "--login", "x"][..],
            &["task", "complete", "7", "--comment", "x"],
        ] {
            let shown = text(words);
            assert!(!shown.contains("tip:"), "{shown}");
        }
        let mut definition = CommandLine::definition();
        definition.build();
        let commands: Vec<_> = definition.get_subcommands().collect();
        let below = commands
            .iter()
            .flat_map(|command| command.get_subcommands());
        let arguments = commands
            .iter()
            .copied()
            .chain(below)
            .flat_map(Command::get_arguments);
        let names: Vec<_> = arguments.filter_map(clap::Arg::get_long).collect();
        for (words, name, _) in OTHER_OPTIONS {
            assert!(names.contains(name), "{name}");
            for word in *words {
                assert!(word.starts_with("--"), "{word}");
            }
        }
    }

    #[test]
    fn a_value_of_text_or_a_key_may_begin_with_a_hyphen() {
        for words in [
            &["task", "add", "foo", "--key", "-k"][..],
            &["task", "add", "foo", "--jira-id", "-x"],
            &["task", "edit", "1", "--jira-id", "-x"],
            &["user", "update", "ada", "--email", "-a@popug.example"],
        ] {
            let words = std::iter::once(&"popug-cli").chain(words);
            assert!(CommandLine::read_within(None, words).is_ok());
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
                let words = [*group, word];
                let shown = text(if group.is_empty() {
                    &words[1..]
                } else {
                    &words
                });
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
