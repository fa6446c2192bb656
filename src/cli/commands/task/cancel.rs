//! `task cancel`

use clap::Args;

use crate::app::command::{CancelTask, known_task};
use crate::cli::answer::Answer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::{Invocation, OpenStore};
use crate::domain::event::Event;
use crate::domain::task;
use crate::reports::table::Table;

#[derive(Args, Debug)]
#[command(
    after_help = "The fees that were charged for the task are given back by the next `consume` or `close`, each with a\n\
        correction of its own. A manager or an admin cancels any task; its creator as long as nobody was charged."
)]
pub(crate) struct Cancel {
    /// Number (12, T-12), jira id or id; the first characters of the id are enough, at least 4
    task: String,
    /// The reason
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    reason: String,
    /// Give no fees back
    #[arg(long)]
    keep_fees: bool,
}

impl Cancel {
    pub(crate) fn run(
        self,
        invocation: &Invocation<'_>,
        store: &OpenStore<'_>,
    ) -> Result<Exit, Failure> {
        let Cancel {
            task,
            reason,
            keep_fees,
        } = self;
        let request = CancelTask {
            task,
            cancel: task::cancel::Cancel { reason, keep_fees },
        };
        let outcome =
            store
                .app
                .cancel_task(&store.index, &store.caller, &request, &invocation.manner())?;
        let Some((sequence, Event::TaskCancelled(cancelled))) = outcome.events.first() else {
            unreachable!("a cancellation is one event")
        };
        invocation.emit_outcome(store, || {
            // The task is cancelled, so an index that cannot be read is no failure any more.
            let id = cancelled.task_id.to_string();
            let number = known_task(&store.index, &id).ok().map(|task| task.number);
            let name = number.map_or(id.clone(), |number| format!("T-{number}"));
            let fees = if cancelled.keep_fees {
                "its fees stay"
            } else {
                "its fees are given back"
            };
            invocation
                .reporter
                .note(&format!("{name} is cancelled; {fees}"));
            let row = Table::builder()
                .text("task_id", [Some(id)])
                .int("number", [number])
                .bool("keep_fees", [Some(cancelled.keep_fees)])
                .int("sequence", [Some(sequence.0)])
                .bool("replayed", [Some(outcome.replayed)]);
            let deed = format!("task {name} was cancelled, event {sequence}");
            invocation.answer(&Answer::done(row, "").deed(deed))
        })?;
        Ok(Exit::Done)
    }
}
