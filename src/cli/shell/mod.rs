//! The shell: command lines one after the other, in one process.
//!
//! A line is run like every command line ([`crate::cli::run`]), with the global options of the
//! shell before its words, so exit codes, errors and rights are the same. Lines are typed at a
//! [`terminal`] or come from a [`script`]. Invariant: between two lines no file of the store
//! is open and no lock is held, and no fault of a prompt, the history or a completion ends the
//! shell.

mod history;
pub(super) mod host;
mod script;
mod terminal;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::rc::Rc;

use crate::app::identity::Proof;
use crate::cli::failure::{Exit, Failure};
use crate::cli::global::HELP;
use crate::cli::invocation::Invocation;
use crate::cli::line;
use crate::cli::program::{Ended, tell};
use crate::cli::prompt;

use host::{Host, Proven, Restriction};

/// The way in which a shell gets its lines, and their limits.
pub(super) struct Manner {
    /// The only line.
    pub line: Option<String>,
    /// A script goes on behind a line that fails.
    pub keep_going: bool,
    pub restriction: Option<Restriction>,
}

/// A shell that reads lines.
struct Shell<'a> {
    invocation: &'a Invocation<'a>,
    host: Rc<Host>,
}

/// The result of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum LineResult {
    /// It was empty or a comment.
    Nothing,
    Ended(Ended),
    /// `exit`
    Leave,
}

/// Runs the one line, or reads lines until they end.
///
/// # Errors
/// Options that make no sense for a shell, a wrong password, and the first failure of a script.
pub(super) fn run(invocation: &Invocation<'_>, manner: Manner) -> Result<Exit, Failure> {
    refuse_what_belongs_to_one_command(invocation)?;
    let is_terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let reads_lines = manner.line.is_none();
    let store = invocation.directory();
    // Before a user proves their identity, which counts in this store alone.
    let host = Host::new(reads_lines && !is_terminal, &store).within(manner.restriction);
    let proven = if reads_lines && is_terminal {
        prove(invocation, &host)?
    } else {
        None
    };
    let host = Rc::new(host.with(proven));
    let shell = Shell { invocation, host };
    match manner.line {
        Some(line) => Ok(match shell.carry_out(&line) {
            LineResult::Ended(ended) => ended.exit,
            LineResult::Nothing | LineResult::Leave => Exit::Done,
        }),
        None if is_terminal => terminal::run(&shell),
        None => script::run(&shell, manner.keep_going),
    }
}

fn refuse_what_belongs_to_one_command(invocation: &Invocation<'_>) -> Result<(), Failure> {
    let global = invocation.global;
    if global.host.is_some() {
        return Err(Failure::usage("this is the shell already").hint("`exit` leaves it"));
    }
    for (option, is_given) in [
        ("--key", global.key.is_some()),
        ("--out", global.out.is_some()),
    ] {
        if is_given {
            return Err(Failure::usage(format!("{option} belongs to one command"))
                .hint("give it on that line"));
        }
    }
    Ok(())
}

/// Asks for the password of `--as` once.
fn prove(invocation: &Invocation<'_>, host: &Host) -> Result<Option<Proven>, Failure> {
    let Some(login) = &invocation.global.act_as else {
        return Ok(None);
    };
    let app = invocation.app()?;
    host.check_same(&app.directory)?;
    let index = app.index()?;
    let company = app.company(&index)?.id;
    let password = prompt::password(invocation.global, &format!("Password of {login}: "))?;
    let user = app
        .identify(
            &index,
            &Proof::Password {
                login: login.clone(),
                password,
            },
        )?
        .user
        .id;
    Ok(Some(Proven {
        company,
        login: login.clone(),
        user,
    }))
}

impl Shell<'_> {
    /// Carries one line out and writes all of its output.
    fn carry_out(&self, line: &str) -> LineResult {
        let mut words = match line::split(line) {
            Ok(words) => words,
            Err(error) => {
                return LineResult::Ended(
                    self.refuse(&Failure::usage(error.to_string()).hint(error.hint())),
                );
            }
        };
        if words.first().is_some_and(|word| word == PROGRAM) {
            words.remove(0);
        }
        match words.first().map(String::as_str) {
            None => return LineResult::Nothing,
            Some("exit" | "quit" | "q") if words.len() == 1 => return LineResult::Leave,
            Some("?") => words[0] = HELP.to_owned(),
            Some(_) => {}
        }
        let given = self.invocation.global.given.iter().cloned();
        let all = std::iter::once(OsString::from(PROGRAM))
            .chain(given)
            .chain(words.into_iter().map(OsString::from));
        LineResult::Ended((self.invocation.program.run_line)(
            all.collect(),
            &self.host,
        ))
    }

    /// Reports why a line was not carried out, or its failure, in the requested format.
    fn refuse(&self, failure: &Failure) -> Ended {
        tell(failure, self.invocation.global.wants_json())
    }
}

const PROGRAM: &str = env!("CARGO_PKG_NAME");
