//! The help: what stands in it, in which order, and its topics.
//!
//! Invariant: a help text has examples first, fits 80 columns, and shows only the global options that
//! most people need; a topic tells the others.

mod examples;

use clap::error::ErrorKind;
use clap::{Command, Error};

use examples::EXAMPLES;

/// The widest line of a help text.
pub(super) const WIDTH: usize = 80;

/// The heading above the options that may stand anywhere.
pub(super) const GLOBAL: &str = "Global options";

/// The global options that every help shows.
const SHOWN: [&str; 3] = ["store", "output", "dry_run"];

const TEMPLATE: &str = "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}
                      `popug-cli help options` tells the others{after-help}";

const OPTIONS: &str = "options";

/// The topics of the help, each with its text.
const TOPICS: [(&str, &str); 7] = [
    ("dates", include_str!("topics/dates.txt")),
    ("formats", include_str!("topics/formats.txt")),
    ("columns", include_str!("topics/columns.txt")),
    ("exit-codes", include_str!("topics/exit-codes.txt")),
    ("environment", include_str!("topics/environment.txt")),
    ("cron", include_str!("topics/cron.txt")),
    ("roles", include_str!("topics/roles.txt")),
];

/// The names of all topics.
pub(super) fn topics() -> impl Iterator<Item = &'static str> {
    let names = TOPICS.iter().map(|(name, _)| *name);
    names.chain([OPTIONS])
}

/// The text of a topic; `definition` is the command tree.
pub(super) fn topic(name: &str, definition: &Command) -> Option<String> {
    let (_, text) = TOPICS
        .iter()
        .find(|(topic, _)| *topic == name)
        .copied()
        .unzip();
    match text {
        Some(text) => Some(text.to_owned()),
        None => (name == OPTIONS).then(|| options(definition)),
    }
}

/// The command tree with its help in order.
pub(super) fn arranged(root: Command) -> Command {
    let root = root.max_term_width(WIDTH).mut_args(|arg| {
        let is_shown = SHOWN.contains(&arg.get_id().as_str());
        if arg.is_global_set() && !is_shown {
            arg.hide(true)
        } else {
            arg
        }
    });
    with_help(root, "")
}

/// `path` are the words of the command without that of the program.
fn with_help(command: Command, path: &str) -> Command {
    let below: Vec<String> = command
        .get_subcommands()
        .map(|below| below.get_name().to_owned())
        .collect();
    let command = below.into_iter().fold(command, |command, name| {
        let path = format!("{path} {name}");
        command.mut_subcommand(name, |below| with_help(below, path.trim_start()))
    });
    let more = command.get_after_help().map(ToString::to_string);
    let command = match more {
        Some(more) => command.after_help(filled(&more)),
        None => command,
    };
    let examples = EXAMPLES.iter().find(|(of, _)| *of == path);
    let command = command.help_template(TEMPLATE);
    match examples {
        Some((_, lines)) => command.before_help(format!("Examples:\n  {}", lines.join("\n  "))),
        None => command,
    }
}

/// Joins the lines of each paragraph, so that they can be broken anew; indented lines stay.
fn filled(text: &str) -> String {
    let mut filled = String::new();
    let mut joins = false;
    for line in text.lines() {
        let is_prose = !line.is_empty() && !line.starts_with(' ');
        if !filled.is_empty() {
            filled.push(if joins && is_prose { ' ' } else { '\n' });
        }
        filled.push_str(line);
        joins = is_prose;
    }
    filled
}

/// All global options.
fn options(definition: &Command) -> String {
    let global = definition
        .get_arguments()
        .filter(|arg| arg.get_help_heading() == Some(GLOBAL));
    let shown = global
        .cloned()
        .map(|arg| arg.hide(false).hide_possible_values(false));
    let list = Command::new(OPTIONS)
        .disable_help_flag(true)
        .max_term_width(WIDTH)
        .help_template("{all-args}")
        .args(shown)
        .render_help();
    format!("Options that may stand anywhere on a line, before or after the command\n\n{list}")
}

/// The answer of clap that shows `text`.
pub(super) fn shown(text: String) -> Error {
    let showing = Command::new(OPTIONS).override_help(text);
    let answer = showing.try_get_matches_from([OPTIONS, "--help"]);
    answer
        .err()
        .unwrap_or_else(|| Error::new(ErrorKind::DisplayHelp))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command_line::CommandLine;
    use crate::cli::line;
    use crate::domain::role::Role;
    use crate::reports::render::Format;

    fn paths(command: &Command, path: &str, found: &mut Vec<String>) {
        found.push(path.to_owned());
        for below in command
            .get_subcommands()
            .filter(|below| !below.is_hide_set())
        {
            let path = format!("{path} {}", below.get_name());
            paths(below, path.trim_start(), found);
        }
    }

    #[test]
    fn every_command_has_examples_and_all_of_them_can_be_read() {
        let mut found = Vec::new();
        paths(&CommandLine::definition(), "", &mut found);
        let lacking: Vec<_> = found
            .iter()
            .filter(|path| !EXAMPLES.iter().any(|(of, _)| of == path))
            .collect();
        assert!(lacking.is_empty(), "no examples: {lacking:?}");
        for (path, lines) in EXAMPLES {
            assert!(
                found.iter().any(|found| found == path),
                "no command `{path}`"
            );
            assert!(lines.concat().contains("popug-cli"), "{path}");
            let text = lines.join("\n").replace("\\\n", " ");
            for example in text.lines().filter(|line| line.starts_with("popug-cli")) {
                let alone = example
                    .split(['|', '>', '<', '&'])
                    .next()
                    .unwrap_or_default();
                let words = line::split(alone).unwrap();
                let read = CommandLine::read_within(None, &words);
                let is_sound = match &read {
                    Ok(_) => true,
                    Err(error) => error.kind() == ErrorKind::DisplayHelp,
                };
                assert!(is_sound, "{example}: {}", read.unwrap_err());
            }
        }
    }

    #[test]
    fn topics_fit_and_tell_everything() {
        let definition = CommandLine::definition();
        let text = |name: &str| topic(name, &definition).unwrap();
        for name in topics() {
            for line in text(name).lines() {
                assert!(line.chars().count() <= WIDTH, "{name}: {line}");
            }
        }
        for format in Format::SHOWN {
            assert!(text("formats").contains(&format!("  {} ", format.name())));
        }
        for role in Role::ALL {
            assert!(text("roles").contains(&format!("\n  {} ", role.name())));
        }
        for name in [
            "POPUG_STORE",
            "POPUG_TOKEN_FILE",
            "POPUG_PASSWORD",
            "POPUG_NOW",
        ] {
            assert!(text("environment").contains(name), "{name}");
        }
        for arg in definition.get_arguments().filter(|arg| arg.is_global_set()) {
            let option = format!("--{}", arg.get_long().unwrap());
            assert!(text(OPTIONS).contains(&option), "{option}");
        }
    }

    #[test]
    fn paragraphs_are_joined_and_indented_lines_stay() {
        assert_eq!(filled("a\nb\n\nc:\n  d\n  e\nf"), "a b\n\nc:\n  d\n  e\nf");
    }
}
