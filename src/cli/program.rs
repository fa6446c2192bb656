//! The result of a command line, and how a shell runs one.

use std::ffi::OsString;
use std::io::Write;
use std::rc::Rc;

use clap::Command;

use crate::cli::failure::{Exit, Failure};
use crate::cli::leftovers;
use crate::cli::shell::host::Host;

/// The parts of the program that its shell uses. They are passed in, because the program contains the shell.
#[derive(Clone, Copy)]
pub(super) struct Program {
    /// Runs one line; its first word is the name of the program.
    pub run_line: fn(Vec<OsString>, &Rc<Host>) -> Ended,
    /// The command tree, for completion.
    pub definition: fn() -> Command,
}

/// The result of a command line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ended {
    pub exit: Exit,
    /// The reader of the output has ended.
    pub is_closed_pipe: bool,
}

impl From<Exit> for Ended {
    fn from(exit: Exit) -> Ended {
        Ended {
            exit,
            is_closed_pipe: false,
        }
    }
}

/// Writes a failure to stderr.
pub(super) fn tell(failure: &Failure, as_json: bool) -> Ended {
    leftovers::give_way_to_a_signal();
    let text = if as_json {
        failure.json()
    } else {
        failure.text()
    };
    let _ = std::io::stderr().write_all(text.as_bytes());
    failure.exit.into()
}
