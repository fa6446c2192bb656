//! The options that may stand anywhere on a command line, and the parsers of values that several commands share.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, Args, Command as ClapCommand, ValueEnum};

use crate::cli::failure::Failure;
use crate::cli::help::GLOBAL;
use crate::cli::shell::host::{Host, Restriction};
use crate::domain::period::{Period, PeriodError};
use crate::domain::time::{EventTime, ParseTimeError};
use crate::reports::render::Format;

/// The variable that names the store if no option does.
pub(super) const STORE: &str = "POPUG_STORE";

/// The option that names the store.
pub(super) const BY_OPTION: &str = "-C";

/// The command that shows help.
pub(super) const HELP: &str = "help";

/// The place of an option behind all others in the help.
pub(super) const LAST: usize = 900;

/// Options that may stand anywhere on the line.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = GLOBAL)]
pub(super) struct Global {
    /// The store
    #[arg(short = 'C', long, global = true, env = STORE, default_value = "./popug-store", value_name = "DIR")]
    pub store: PathBuf,
    /// table, plain, csv, json ... (`popug-cli help formats`)
    #[arg(short, long, global = true, value_name = "FMT", hide_possible_values = true, value_parser = one_of(&Asked::ALL, Asked::name))]
    pub output: Option<Asked>,
    /// Write the output to this file; the extension (csv, json, ndjson, parquet, md, html, txt) sets the format
    #[arg(long, global = true, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace files that popug-cli did not write (`--out`, `--rejects`, `export --dir`)
    #[arg(long, global = true)]
    pub force: bool,
    /// Act as this user, with POPUG_PASSWORD or a prompt; by default the user of POPUG_TOKEN or of the session
    #[arg(long = "as", global = true, value_name = "LOGIN")]
    pub act_as: Option<String>,
    /// Idempotency key of a write: the same key with the same content gives the first result again
    #[arg(long, global = true, allow_hyphen_values = true)]
    pub key: Option<String>,
    /// Longest wait for a lock
    #[arg(long, global = true, default_value = "10s", value_parser = parse_wait, value_name = "TIME")]
    pub lock_wait: Duration,
    /// Use of colours
    #[arg(long, global = true, value_enum, default_value_t = Choice::Auto, value_name = "WHEN")]
    pub color: Choice,
    /// Progress of long commands on stderr
    #[arg(long, global = true, value_enum, default_value_t = ProgressStyle::Auto, value_name = "STYLE")]
    pub progress: ProgressStyle,
    /// Print no notes, only warnings and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Print more notes
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Answer every question with yes
    #[arg(long, global = true)]
    pub yes: bool,
    /// Never ask a question
    #[arg(long, global = true)]
    pub no_input: bool,
    /// Show tables that are longer than the screen without a pager
    #[arg(long, global = true)]
    pub no_pager: bool,
    /// Show what would happen and change nothing
    #[arg(short = 'n', long, display_order = LAST)]
    pub dry_run: bool,
    /// False if the variable is empty and no option names a store
    #[arg(skip)]
    pub has_store: bool,
    /// Where the name of the store comes from
    #[arg(skip)]
    pub store_from: &'static str,
    /// The options and arguments of the line that a restricted shell refuses, such as `--out`
    #[arg(skip)]
    pub refused_if_restricted: Vec<String>,
    /// The command as it was read, without its options: `task add`
    #[arg(skip)]
    pub command_path: String,
    /// The global options of a shell as words; they precede every line of it
    #[arg(skip)]
    pub given: Vec<OsString>,
    /// The shell that the line was given to
    #[arg(skip)]
    pub host: Option<Rc<Host>>,
}

impl Global {
    /// Whether errors are JSON.
    pub(super) fn wants_json(&self) -> bool {
        matches!(
            self.output,
            Some(Asked::Rows(Format::Json | Format::Ndjson))
        )
    }

    /// The limits of the shell that the line was given to, if it is restricted.
    pub(super) fn restriction(&self) -> Option<&Restriction> {
        self.host.as_ref()?.restriction.as_ref()
    }

    /// Whether a command that found nothing worth telling prints nothing, as in cron: `-q` without a format or a file.
    pub(super) fn is_silent(&self) -> bool {
        self.quiet && self.output.is_none() && self.out.is_none()
    }

    /// Refuses a command that reads stdin, if the lines of the shell come from stdin.
    pub(super) fn refuse_stdin_of_script(&self, what: &str) -> Result<(), Failure> {
        if self.host.as_ref().is_some_and(|host| host.reads_script) {
            let message = format!("{what} reads stdin, which is the script of the shell");
            return Err(Failure::usage(message).hint("run it in a process of its own"));
        }
        Ok(())
    }
}

/// A format that users can ask for by name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    Rows(Format),
    /// The text format of Prometheus, which only `status` has.
    Metrics,
}

impl Asked {
    const ALL: [Asked; Format::SHOWN.len() + 1] = {
        let mut all = [Asked::Metrics; Format::SHOWN.len() + 1];
        let mut place = 0;
        while place < Format::SHOWN.len() {
            all[place] = Asked::Rows(Format::SHOWN[place]);
            place += 1;
        }
        all
    };

    const fn name(self) -> &'static str {
        match self {
            Asked::Rows(format) => format.name(),
            Asked::Metrics => "prometheus",
        }
    }
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Choice {
    Auto,
    Always,
    Never,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ProgressStyle {
    Auto,
    Plain,
    Json,
    None,
}

/// A parser for the names of some values, which help and errors list.
pub(super) fn one_of<T: Copy + Send + Sync + 'static>(
    values: &'static [T],
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    let names = values.iter().map(move |value| name(*value));
    PossibleValuesParser::new(names).map(move |chosen| {
        let found = values.iter().find(|value| name(**value) == chosen);
        *found.expect("clap passes on a possible value")
    })
}

/// A parser with its own errors, whose names completion knows.
#[derive(Clone)]
pub(super) struct Named<T> {
    parse: fn(&str) -> Result<T, String>,
    names: Vec<&'static str>,
}

impl<T> Named<T> {
    pub(super) fn new(
        parse: fn(&str) -> Result<T, String>,
        names: impl Into<Vec<&'static str>>,
    ) -> Named<T> {
        Named {
            parse,
            names: names.into(),
        }
    }
}

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Named<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &ClapCommand,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        self.parse.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.names.iter().map(PossibleValue::new)))
    }
}

const PERIODS: &str =
    "2026-11-22, 2026-11, november, 2026-Q4, W47, yesterday, 'last week', -7d, 2026-04..2026-06";

/// `10s`, `500ms`, `2m`, `26h`.
pub(super) fn parse_wait(text: &str) -> Result<Duration, String> {
    const LIKE: &str = "write it like 500ms, 10s, 2m or 26h";
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| LIKE.to_owned())?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        "h" => Ok(Duration::from_secs(number.saturating_mul(3600))),
        _ => Err(LIKE.to_owned()),
    }
}

/// A date or period, as people say it.
pub(super) fn parse_period(text: &str) -> Result<Period, String> {
    text.parse().map_err(|error: PeriodError| match error {
        PeriodError::Unknown(_) => format!("{error}; write it like {PERIODS}"),
        why => why.to_string(),
    })
}

/// # Errors
/// If it is not RFC 3339.
pub(super) fn parse_time(text: &str) -> Result<EventTime, Failure> {
    text.parse().map_err(|error: ParseTimeError| {
        Failure::usage(error.to_string()).hint("write it like 2026-11-22T09:00:00Z or …+03:00")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_have_units() {
        assert_eq!(parse_wait("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_wait("2m"), Ok(Duration::from_secs(120)));
        assert!(
            parse_wait("10").is_err() && parse_wait("s").is_err() && parse_wait("-1s").is_err()
        );
    }
}
