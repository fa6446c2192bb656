//! The command line: it turns words into an exit code. No other layer reads the terminal, the clock, random numbers
//! or environment variables.

mod answer;
mod command_line;
mod commands;
mod completion;
mod destination;
mod emit;
mod environment;
mod failure;
mod file_modes;
mod free_text;
mod global;
mod help;
mod indented;
mod invocation;
mod leftovers;
mod line;
mod mail_settings;
mod man_page;
mod metrics;
mod nature;
mod output;
mod own_files;
mod pager;
mod plan;
mod program;
mod prompt;
mod reporter;
mod restriction;
mod rights;
mod rows;
mod shell;
mod signals;
mod terminal_guard;
#[cfg(test)]
mod tests;
mod tips;
mod unsent_mails;
mod version;

use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use command_line::CommandLine;
use environment::SystemEnvironment;
use failure::{Exit, Failure};
use global::STORE;
use invocation::Invocation;
use output::Output;
pub use output::stdout_was_closed;
use program::{Ended, Program, tell};
use reporter::Reporter;
use shell::host::Host;
pub use version::built_from;

use crate::credentials::secret::without_tokens;
use crate::turn::Notices;

/// Runs one command line; its first word is the name of the program. All output is written when it returns the exit
/// code. It can be called many times in one process.
pub fn run<I, T>(words: I) -> u8
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    file_modes::keep_to_owner();
    if let Err(error) = signals::outlive_file_size_limit() {
        return tell(&error.into(), false).exit as u8;
    }
    run_words(words.into_iter().map(Into::into).collect(), None).exit as u8
}

/// Runs one command line, in the shell `host` if there is one.
fn run_words(words: Vec<OsString>, host: Option<&Rc<Host>>) -> Ended {
    let line = match CommandLine::read_within(host, words.iter().cloned()) {
        Ok(line) => line,
        Err(error) if is_full_version(&error, &words) => return tell_version(&error),
        Err(error) => return answer_clap(&error, asks_for_json(&words)),
    };
    let (wants_json, store) = (line.global.wants_json(), line.global.store.clone());
    let outcome = catch_unwind(AssertUnwindSafe(|| carry_out(line)));
    match outcome {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(failure)) if failure.is_closed_pipe => Ended {
            exit: Exit::Done,
            is_closed_pipe: true,
        },
        Ok(Err(failure)) => tell(&failure.explained(&store), wants_json),
        Err(_) => {
            let failure = Failure::new(Exit::Bug, "bug", "this is a bug in popug-cli")
                .hint("nothing that was acknowledged is lost; please report what is printed above");
            tell(&failure, wants_json)
        }
    }
}

const PROGRAM: Program = Program {
    run_line: |words, host| run_words(words, Some(host)),
    definition: CommandLine::definition,
};

fn carry_out(line: CommandLine) -> Result<Exit, Failure> {
    if line.command.is_restricted_shell() {
        environment::close();
    }
    restriction::check(&line.command, &line.global)?;
    if !line.global.has_store {
        return Err(environment::empty(STORE));
    }
    let environment = SystemEnvironment::read()?;
    let reporter = Reporter::new(&line.global);
    let output = Output::open(&line.global, line.command.nature())?;
    let appends = line.command.appends();
    let outcome = line.command.run(&Invocation {
        global: &line.global,
        environment: &environment,
        reporter: &reporter,
        output: &output,
        program: PROGRAM,
    });
    reporter.finish();
    reporter.detail(format_args!("the command has ended"));
    let outcome = outcome.map_err(|failure| {
        if appends {
            failure
        } else {
            failure.without_recovery()
        }
    });
    output.finish(outcome.map_err(Failure::with_damage_moved_aside))
}

/// Whether the command line asks for the version in full, as `--version` does and `-V` does not.
fn is_full_version(error: &clap::Error, words: &[OsString]) -> bool {
    error.kind() == clap::error::ErrorKind::DisplayVersion
        && words.iter().any(|word| word == "--version")
}

fn tell_version(error: &clap::Error) -> Ended {
    let text = format!("{}{}", error.render(), version::details());
    let printed = output::check_stdout().and_then(|()| {
        std::io::stdout().write_all(text.as_bytes())?;
        std::io::stdout().flush()
    });
    match printed {
        Err(broken) if broken.kind() != ErrorKind::BrokenPipe => tell(&broken.into(), false),
        _ => Exit::Done.into(),
    }
}

/// Help and version are answers; everything else is a usage error.
fn answer_clap(error: &clap::Error, as_json: bool) -> Ended {
    if error.use_stderr() && as_json {
        let failure = tips::of(error)
            .into_iter()
            .fold(Failure::usage(first_paragraph(error)), Failure::hint);
        return tell(&failure, true);
    }
    if let (false, Err(closed)) = (error.use_stderr(), output::check_stdout()) {
        return tell(&closed.into(), false);
    }
    let text = error.render().to_string();
    let printed = match without_tokens(&text) {
        // A token was typed in the place of another word.
        hidden if hidden != text => std::io::stderr().write_all(hidden.as_bytes()),
        _ => error.print(),
    };
    match printed {
        _ if error.use_stderr() => Exit::Usage.into(),
        Err(broken) if broken.kind() != ErrorKind::BrokenPipe => tell(&broken.into(), false),
        _ => Exit::Done.into(),
    }
}

/// The first paragraph of an error of clap, without the usage below it.
fn first_paragraph(error: &clap::Error) -> String {
    if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "the command is not complete; `--help` shows how it goes on".to_owned();
    }
    let text = error.render().to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    first.trim_start_matches("error: ").to_owned()
}

/// Guesses whether a command line that cannot be parsed asks for JSON.
fn asks_for_json(words: &[OsString]) -> bool {
    let is_json = |word: &str| word == "json" || word == "ndjson";
    let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    let apart = words
        .windows(2)
        .any(|pair| ["-o", "--output"].contains(&pair[0]) && is_json(pair[1]));
    apart
        || words.iter().any(|word| {
            ["-o=", "--output=", "-o"]
                .iter()
                .any(|o| word.strip_prefix(o).is_some_and(is_json))
        })
}
