//! The command line as clap parses it. The arguments of a command are in the file of the command.

use std::ffi::OsString;
use std::rc::Rc;

use clap::builder::Resettable;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{
    Arg, ArgAction, ArgMatches, Command as ClapCommand, CommandFactory, FromArgMatches, Parser,
};

use crate::cli::commands::Command;
use crate::cli::environment;
use crate::cli::free_text;
use crate::cli::global::{BY_OPTION, Global, HELP, LAST, STORE};
use crate::cli::help;
use crate::cli::restriction;
use crate::cli::shell::host::Host;
use crate::cli::tips;

/// Hand out tasks, charge fees, pay rewards and keep the books of a company, in one directory.
#[derive(Parser, Debug)]
#[command(
    name = "popug-cli",
    version,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    after_help = "`popug-cli help COMMAND` shows the help of a command, and `popug-cli help TOPIC` tells about dates, formats, columns, exit-codes, environment, cron, roles or options."
)]
pub(super) struct CommandLine {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

impl CommandLine {
    /// Parses a command line, of a shell if there is a `host`; its first word is the program's
    /// name.
    ///
    /// # Errors
    /// The errors of clap, which include help and version.
    pub(super) fn read_within<I, T>(
        host: Option<&Rc<Host>>,
        words: I,
    ) -> Result<CommandLine, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString>,
    {
        // The options of a shell precede those of the line; the last one counts.
        let as_defined = || CommandLine::definition().args_override_self(host.is_some());
        let mut definition = as_defined();
        let words: Vec<OsString> = words.into_iter().map(Into::into).collect();
        let matches = definition
            .try_get_matches_from_mut(&words)
            .or_else(|error| {
                free_text::read(as_defined(), &words)
                    .ok_or_else(|| tips::mended(error, CommandLine::definition, &words))
            })?;
        if let Some(asked) = matches.subcommand_matches(HELP) {
            if asked.contains_id("out") {
                let message = "`help` has no data for --out; `popug-cli help > FILE` keeps it";
                return Err(definition.error(ErrorKind::ArgumentConflict, message));
            }
            let first = asked
                .get_many::<String>(HELP_PATH)
                .and_then(|mut words| words.next());
            if let Some(text) = first.and_then(|word| help::topic(word, &definition)) {
                return Err(help::shown(text));
            }
            return CommandLine::read_within(host, words_of_help(&definition, asked));
        }
        let mut line = CommandLine::from_arg_matches(&matches)?;
        line.global.dry_run |= dry_run_below(&matches);
        line.global.command_path = command_path(&matches);
        let source = matches.value_source("store");
        let is_named = source == Some(ValueSource::CommandLine);
        line.global.has_store = is_named || !environment::is_empty(STORE);
        line.global.store_from = match source {
            Some(ValueSource::CommandLine) => BY_OPTION,
            Some(ValueSource::EnvVariable) => STORE,
            _ => "the default",
        };
        line.global.refused_if_restricted = restriction::refused_arguments(&definition, &matches);
        line.global.host = host.cloned();
        if matches!(line.command, Command::Shell(_)) {
            line.global.given = given(&definition, &matches, line.global.dry_run);
        }
        Ok(line)
    }

    /// The whole command tree, for help and completions.
    pub(super) fn definition() -> ClapCommand {
        let root = CommandLine::command();
        let names: Vec<String> = root
            .get_subcommands()
            .map(|command| command.get_name().to_owned())
            .collect();
        let root = names
            .into_iter()
            .fold(root, |root, name| root.mut_subcommand(name, with_dry_run));
        // An empty variable names no store, but an option may.
        let root = if environment::is_empty(STORE) {
            root.mut_arg("store", |arg| arg.env(Resettable::Reset))
        } else {
            root
        };
        help::arranged(root.subcommand(help_command()))
    }
}

const HELP_PATH: &str = "command";

/// clap's own help command would appear in every group of commands too.
fn help_command() -> ClapCommand {
    let path = Arg::new(HELP_PATH)
        .value_name("COMMAND")
        .num_args(0..)
        .help("The words of a command, or a topic; none: all commands");
    ClapCommand::new(HELP)
        .about("Show the help of a command or of a topic")
        .after_help(format!(
            "Topics: {}",
            help::topics().collect::<Vec<_>>().join(", ")
        ))
        .arg(path)
}

/// The command line that shows the help for the words after `help`, or the error that there is no
/// such command. Words after the name of a command are ignored.
fn words_of_help(root: &ClapCommand, asked: &ArgMatches) -> Vec<String> {
    let mut words = vec![root.get_name().to_owned()];
    let mut command = root;
    for word in asked.get_many::<String>(HELP_PATH).into_iter().flatten() {
        match command.find_subcommand(word) {
            Some(below) => command = below,
            None if command.has_subcommands() => {
                words.push(word.clone());
                return words;
            }
            None => break,
        }
        words.push(command.get_name().to_owned());
    }
    words.push("--help".to_owned());
    words
}

const DRY_RUN: &str = "dry_run_here";

/// Adds `-n` to commands. It means `--dry-run` everywhere except in `log tail`, where it counts lines, so it cannot be
/// a global option of clap.
fn with_dry_run(command: ClapCommand) -> ClapCommand {
    if command
        .get_arguments()
        .any(|arg| arg.get_short() == Some('n'))
    {
        return command;
    }
    let names: Vec<String> = command
        .get_subcommands()
        .map(|sub| sub.get_name().to_owned())
        .collect();
    let command = names.into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, with_dry_run)
    });
    let help = "Show what would happen and change nothing";
    command.arg(
        Arg::new(DRY_RUN)
            .short('n')
            .long("dry-run")
            .action(ArgAction::SetTrue)
            .help(help)
            .help_heading(help::GLOBAL)
            .display_order(LAST),
    )
}

/// The global options that stood on the line, as words.
fn given(definition: &ClapCommand, matches: &ArgMatches, dry_run: bool) -> Vec<OsString> {
    let stood =
        |arg: &&Arg| matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    let mut words = Vec::new();
    for arg in definition
        .get_arguments()
        .filter(|arg| arg.is_global_set())
        .filter(stood)
    {
        let name = format!("--{}", arg.get_long().unwrap_or_default());
        if !arg.get_action().takes_values() {
            words.push(name.into());
            continue;
        }
        for value in matches.get_raw(arg.get_id().as_str()).into_iter().flatten() {
            let mut word = OsString::from(format!("{name}="));
            word.push(value);
            words.push(word);
        }
    }
    words.extend(dry_run.then(|| "--dry-run".into()));
    words
}

fn dry_run_below(matches: &ArgMatches) -> bool {
    let here = matches
        .try_get_one::<bool>(DRY_RUN)
        .ok()
        .flatten()
        .copied()
        .unwrap_or(false);
    here || matches
        .subcommand()
        .is_some_and(|(_, below)| dry_run_below(below))
}

fn command_path(matches: &ArgMatches) -> String {
    match matches.subcommand() {
        Some((name, below)) => format!("{name} {}", command_path(below))
            .trim_end()
            .to_owned(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreDirectory;

    #[test]
    fn the_command_tree_is_sound() {
        CommandLine::definition().debug_assert();
    }

    #[test]
    fn global_options_stand_anywhere() {
        for line in [
            &["popug-cli", "-n", "-C", "x", "task", "add", "Title"][..],
            &["popug-cli", "task", "add", "Title", "-n", "-C", "x"],
            &["popug-cli", "task", "-C", "x", "add", "--dry-run", "Title"],
        ] {
            let read = CommandLine::read_within(None, line).unwrap();
            assert!(
                read.global.dry_run && read.global.store == std::path::Path::new("x"),
                "{line:?}"
            );
        }
    }

    #[test]
    fn the_options_of_a_shell_are_kept_as_words_wherever_they_stood() {
        let words = [
            "popug-cli",
            "-Cx y",
            "-q",
            "shell",
            "--as",
            "ada",
            "--keep-going",
            "-o",
            "json",
            "-n",
        ];
        let read = CommandLine::read_within(None, words).unwrap();
        assert_eq!(
            read.global.given,
            [
                "--store=x y",
                "--output=json",
                "--as=ada",
                "--quiet",
                "--dry-run"
            ]
        );
    }

    #[test]
    fn every_global_option_is_kept_for_the_lines_of_a_shell() {
        let definition = CommandLine::definition();
        let globals: Vec<_> = definition
            .get_arguments()
            .filter(|arg| arg.is_global_set())
            .collect();
        assert!(globals.len() > 10);
        for arg in globals {
            let name = format!("--{}", arg.get_long().unwrap());
            let possible = arg.get_possible_values();
            let value = possible.first().map_or("1s", |value| value.get_name());
            let word = if arg.get_action().takes_values() {
                format!("{name}={value}")
            } else {
                name
            };
            let read = CommandLine::read_within(None, ["popug-cli", "shell", &word]).unwrap();
            assert_eq!(read.global.given, [word.as_str()]);
        }
    }

    #[test]
    fn in_a_shell_an_option_of_the_line_counts_and_not_that_of_the_shell() {
        let host = Rc::new(Host::new(true, &StoreDirectory::new("x")));
        let shell = ["popug-cli", "--store=x", "--quiet", "--as=ada"];
        for line in [
            &["-C", "y", "-q", "task", "list"][..],
            &["task", "list", "-C", "y"],
        ] {
            let read = CommandLine::read_within(Some(&host), shell.iter().chain(line)).unwrap();
            assert_eq!(read.global.store, std::path::Path::new("y"), "{line:?}");
            assert_eq!(read.global.act_as.as_deref(), Some("ada"));
        }
    }

    fn arguments(command: &ClapCommand, found: &mut Vec<(String, Arg)>) {
        let name = command.get_name();
        found.extend(
            command
                .get_arguments()
                .map(|arg| (name.to_owned(), arg.clone())),
        );
        for below in command.get_subcommands() {
            arguments(below, found);
        }
    }

    #[test]
    fn a_restricted_shell_refuses_every_argument_that_names_a_file_or_a_directory() {
        let mut all = Vec::new();
        arguments(&CommandLine::definition(), &mut all);
        let says_file = |(_, arg): &&(String, Arg)| {
            let mut names = arg.get_value_names().into_iter().flatten();
            arg.get_id() != "store"
                && names.any(|name| ["FILE", "DIR", "PATH"].contains(&name.as_str()))
        };
        let named: Vec<&(String, Arg)> = all.iter().filter(says_file).collect();
        assert!(named.len() > 8, "{named:?}");
        for (command, arg) in named {
            assert!(restriction::is_refused(command, arg), "{arg:?}");
        }
    }

    #[test]
    fn in_log_tail_the_letter_n_counts_lines() {
        let read = CommandLine::read_within(None, ["popug-cli", "log", "tail", "-n", "3"]).unwrap();
        assert!(!read.global.dry_run);
    }
}
