//! `completions`, and the hidden command that its scripts call

use clap::Args;

use crate::cli::completion::{Names, Script, answer};
use crate::cli::failure::{Exit, Failure};
use crate::cli::global::one_of;
use crate::cli::invocation::Invocation;

const MORE: &str = "\
The script completes commands, options and their values, and from the store the logins and open tasks that
you may list: those of the store that -C names on the line, else of POPUG_STORE.";

#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_parser = one_of(&Script::ALL, Script::name))]
    shell: Script,
}

#[derive(Args, Debug)]
pub(crate) struct CompleteLine {
    /// The line up to the cursor
    #[arg(allow_hyphen_values = true)]
    line: String,
}

impl Completions {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        invocation.with_output(|out| Ok(out.write_all(self.shell.text().as_bytes())?))?;
        Ok(Exit::Done)
    }
}

impl CompleteLine {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let mut definition = (invocation.program.definition)();
        definition.build();
        let names = Names::of(invocation, None);
        let found = answer(&definition, &names, &self.line);
        invocation.with_output(|out| Ok(out.write_all(found.as_bytes())?))?;
        Ok(Exit::Done)
    }
}
