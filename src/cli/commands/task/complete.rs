//! `task complete`

use clap::Args;

use crate::app::command::Command;
use crate::cli::answer::Answer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::{Invocation, OpenStore};
use crate::reports::table::Table;

#[derive(Args, Debug)]
pub(crate) struct Complete {
    /// Numbers (12, T-12), jira ids or ids
    #[arg(required = true)]
    tasks: Vec<String>,
}

impl Complete {
    pub(crate) fn run(
        self,
        invocation: &Invocation<'_>,
        store: &OpenStore<'_>,
    ) -> Result<Exit, Failure> {
        let command = Command::CompleteTasks { tasks: self.tasks };
        let outcome = invocation.execute(store, &command)?;
        invocation.emit_outcome(store, || {
            let row = Table::builder()
                .int("completed", [Some(outcome.events.len() as u64)])
                .int(
                    "sequence",
                    [outcome.events.first().map(|(sequence, _)| sequence.0)],
                )
                .bool("replayed", [Some(outcome.replayed)]);
            invocation.answer(&Answer::done(row, ""))
        })?;
        Ok(Exit::Done)
    }
}
