//! The command line as clap sees it. What a command takes stands beside the command.

use std::path::PathBuf;
use std::time::Duration;

use clap::{
    Arg, ArgAction, ArgMatches, Args, Command as ClapCommand, CommandFactory, FromArgMatches, Parser, ValueEnum,
};

use crate::cli::commands::Command;

/// Runs a company's task exchange and its books on one append-only log.
#[derive(Parser, Debug)]
#[command(name = "popug-cli", version, max_term_width = 100, disable_help_subcommand = true)]
pub struct CommandLine {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options that may stand anywhere on the line.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The store
    #[arg(short = 'C', long, global = true, env = "POPUG_STORE", default_value = "./popug-store", value_name = "DIR")]
    pub store: PathBuf,
    /// How data is written; by default `table` on a terminal and `plain` elsewhere
    #[arg(short, long, global = true, value_name = "FMT")]
    pub output: Option<OutputFormat>,
    /// Write data into this file; its extension (csv, json, ndjson, parquet, md) tells the format
    #[arg(long, global = true, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Act as this user, with POPUG_PASSWORD or a prompt; else POPUG_TOKEN, else the session
    #[arg(long = "as", global = true, value_name = "LOGIN")]
    pub act_as: Option<String>,
    /// Idempotency key of a write: the same key and content again gives the first result
    #[arg(long, global = true)]
    pub key: Option<String>,
    /// How long to wait for a lock
    #[arg(long, global = true, default_value = "10s", value_parser = parse_wait, value_name = "TIME")]
    pub lock_wait: Duration,
    /// Colours
    #[arg(long, global = true, value_enum, default_value_t = Choice::Auto, value_name = "WHEN")]
    pub color: Choice,
    /// Progress of long commands, on stderr
    #[arg(long, global = true, value_enum, default_value_t = ProgressStyle::Auto, value_name = "STYLE")]
    pub progress: ProgressStyle,
    /// No notes; warnings and errors remain
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say what happens
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Answer every question with yes
    #[arg(long, global = true)]
    pub yes: bool,
    /// Never ask
    #[arg(long, global = true)]
    pub no_input: bool,
    /// A write prints the events it would append, as ndjson, and appends nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// The command as it was read, without its options: `task add`
    #[arg(skip)]
    pub command_path: String,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutputFormat {
    Table,
    Plain,
    Csv,
    Json,
    Ndjson,
    Md,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    Auto,
    Always,
    Never,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProgressStyle {
    Auto,
    Plain,
    Json,
    None,
}

impl CommandLine {
    /// Reads a command line; its first word is the program's name.
    ///
    /// # Errors
    /// What clap has to say, help and version included.
    pub fn read<I, T>(words: I) -> Result<CommandLine, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<std::ffi::OsString> + Clone,
    {
        let matches = CommandLine::definition().try_get_matches_from(words)?;
        let mut line = CommandLine::from_arg_matches(&matches)?;
        line.global.dry_run |= dry_run_below(&matches);
        line.global.command_path = command_path(&matches);
        Ok(line)
    }

    /// The whole command tree, for help and completions.
    pub fn definition() -> ClapCommand {
        let root = CommandLine::command();
        let names: Vec<String> = root.get_subcommands().map(|command| command.get_name().to_owned()).collect();
        names.into_iter().fold(root, |root, name| root.mut_subcommand(name, with_dry_run))
    }
}

const DRY_RUN: &str = "dry_run_here";

/// `-n` is `--dry-run` everywhere but in `log tail`, where it counts lines, so clap cannot make
/// it global.
fn with_dry_run(command: ClapCommand) -> ClapCommand {
    if command.get_arguments().any(|arg| arg.get_short() == Some('n')) {
        return command;
    }
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let command = names.into_iter().fold(command, |command, name| command.mut_subcommand(name, with_dry_run));
    let help = "A write prints the events it would append, as ndjson, and appends nothing";
    command.arg(
        Arg::new(DRY_RUN)
            .short('n')
            .long("dry-run")
            .action(ArgAction::SetTrue)
            .help(help)
            .help_heading("Global options"),
    )
}

fn dry_run_below(matches: &ArgMatches) -> bool {
    let here = matches.try_get_one::<bool>(DRY_RUN).ok().flatten().copied().unwrap_or(false);
    here || matches.subcommand().is_some_and(|(_, below)| dry_run_below(below))
}

fn command_path(matches: &ArgMatches) -> String {
    match matches.subcommand() {
        Some((name, below)) => format!("{name} {}", command_path(below)).trim_end().to_owned(),
        None => String::new(),
    }
}

/// `10s`, `500ms`, `2m`.
pub(super) fn parse_wait(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| "write it like 10s, 500ms or 2m".to_owned())?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        _ => Err("write it like 10s, 500ms or 2m".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let read = CommandLine::read(line).unwrap();
            assert!(read.global.dry_run && read.global.store == std::path::Path::new("x"), "{line:?}");
        }
    }

    #[test]
    fn in_log_tail_the_letter_n_counts_lines() {
        let read = CommandLine::read(["popug-cli", "log", "tail", "-n", "3"]).unwrap();
        assert!(!read.global.dry_run);
    }

    #[test]
    fn waits_have_units() {
        assert_eq!(parse_wait("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_wait("2m"), Ok(Duration::from_secs(120)));
        assert!(parse_wait("10").is_err() && parse_wait("s").is_err() && parse_wait("-1s").is_err());
    }
}
