//! Words of a command line that begin with a hyphen and are not options.

use std::ffi::OsString;

use clap::{ArgMatches, Command};

use crate::domain::period::Period;

/// Parses a line with an unknown option again: a title that begins with a hyphen and a blank is not
/// an option, and neither is a period such as `-7d`. Any other word that begins with a hyphen may be
/// a mistyped option; as a title it must follow `--`.
pub(super) fn read(definition: Command, words: &[OsString]) -> Option<ArgMatches> {
    let is_period = |word: &&OsString| {
        let word = word.to_str().filter(|word| word.starts_with('-'));
        word.is_some_and(|word| word.parse::<Period>().is_ok())
    };
    let (periods, others): (Vec<_>, Vec<_>) = words.iter().partition(is_period);
    if !periods.is_empty() {
        let behind = OsString::from("--");
        let words = others.into_iter().chain([&behind]).chain(periods);
        let matches = definition.try_get_matches_from(words).ok()?;
        return (matches.subcommand_name() == Some("report")).then_some(matches);
    }
    let (title, matches) = with_title(definition, words)?;
    title
        .strip_prefix('-')
        .is_some_and(|rest| rest.starts_with(char::is_whitespace))
        .then_some(matches)
}

/// A title that clap took for options, unless it has the form of a long option.
pub(super) fn title_taken_for_options(definition: Command, words: &[OsString]) -> Option<String> {
    let (title, _) = with_title(definition, words)?;
    let name = title.split('=').next().unwrap_or_default();
    let is_option = name.starts_with("--") && !name.contains(char::is_whitespace);
    (title.starts_with('-') && !is_option).then_some(title)
}

/// The line with any word as its title.
fn with_title(definition: Command, words: &[OsString]) -> Option<(String, ArgMatches)> {
    let with_hyphens = definition.mut_subcommand("task", |task| {
        task.mut_subcommand("add", |add| {
            add.mut_arg("title", |title| title.allow_hyphen_values(true))
        })
    });
    let matches = with_hyphens.try_get_matches_from(words).ok()?;
    let (_, below) = matches.subcommand()?;
    let (_, add) = below.subcommand()?;
    let title = add.try_get_one::<String>("title").ok()??.clone();
    Some((title, matches))
}

#[cfg(test)]
mod tests {
    use crate::cli::command_line::CommandLine;
    use crate::cli::commands::Command;

    #[test]
    fn a_title_may_begin_with_a_hyphen_and_a_blank_and_no_mistyped_option_is_one() {
        let read =
            |title| CommandLine::read_within(None, ["popug-cli", "task", "add", title, "-q"]);
        for title in ["- y", "-\ty", "- "] {
            let line = read(title).unwrap();
            let shown = format!("{:?}", line.command);
            assert!(
                matches!(line.command, Command::Task(_)) && shown.contains(&format!("{title:?}"))
            );
            assert!(line.global.quiet);
        }
        for title in ["-y", "--descripton", "--descripton=- y", "-y z"] {
            assert!(read(title).is_err(), "{title}");
        }
    }

    #[test]
    fn a_period_may_begin_with_a_hyphen_and_no_mistyped_option_is_one() {
        let read = |word| {
            CommandLine::read_within(None, ["popug-cli", "report", "tasks", word, "-o", "csv"])
        };
        for period in ["-7d", "-14d"] {
            let line = read(period).unwrap();
            assert!(format!("{:?}", line.command).contains(&format!("{period:?}")));
        }
        for word in ["-7", "--usr", "-d7", "--7d"] {
            assert!(read(word).is_err(), "{word}");
        }
    }
}
