//! `task hand-over`, and who got which task when somebody left.

use clap::Args;
use serde::Serialize;

use crate::app::command::{Command, known_task, known_user};
use crate::app::write::Outcome;
use crate::cli::answer::Answer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::{Invocation, OpenStore};
use crate::domain::event::{AssignmentReason, Event, TaskAssigned};
use crate::reports::table::{Table, TableBuilder};

#[derive(Args, Debug)]
#[command(
    after_help = "Each open task is drawn anew, as a new task is; the new assignee is charged its fee. `user deactivate`\n\
        does the same at once."
)]
pub(crate) struct HandOver {
    /// Login or id of a user who cannot be drawn any more: who left, or became a manager or an admin
    login: String,
}

/// A task that was handed over.
#[derive(Serialize)]
pub(crate) struct Moved {
    task_id: String,
    /// Absent if the state index cannot be read.
    number: Option<u64>,
    assignee: String,
    fee: String,
}

impl Moved {
    /// The tasks that a command handed over. Its events are in the log, so an index that cannot be read is no failure
    /// any more.
    pub(crate) fn by(store: &OpenStore<'_>, outcome: &Outcome) -> Vec<Moved> {
        let moved = |assigned: &TaskAssigned| {
            let (task_id, assignee) = (
                assigned.task_id.to_string(),
                assigned.assignee_id.to_string(),
            );
            Moved {
                number: known_task(&store.index, &task_id)
                    .ok()
                    .map(|task| task.number),
                assignee: known_user(&store.index, &assignee).map_or(assignee, |user| user.login),
                fee: store.company.price_of(assigned.task_id).fee.to_string(),
                task_id,
            }
        };
        let assigned = outcome.events.iter().filter_map(|(_, event)| match event {
            Event::TaskAssigned(e) if e.reason == AssignmentReason::Left => Some(e),
            _ => None,
        });
        assigned.map(moved).collect()
    }

    /// A change with its hand-overs, one task a line: `T-1`, a tab, and the new assignee.
    pub(crate) fn told(moved: &[Moved], row: TableBuilder) -> Result<Answer, Failure> {
        let name = |moved: &Moved| {
            let number = moved.number.map(|number| format!("T-{number}"));
            number.unwrap_or_else(|| moved.task_id.clone())
        };
        let line = |moved: &Moved| format!("{}\t{}\n", name(moved), moved.assignee);
        let in_words = |moved: &Moved| {
            let (name, assignee, fee) = (name(moved), &moved.assignee, &moved.fee);
            format!("{name} to {assignee}: fee {fee}\n")
        };
        Answer::done(row, moved.iter().map(line).collect::<String>())
            .for_people(moved.iter().map(in_words).collect::<String>())
            .with_member("handed_over", &moved)
    }
}

impl HandOver {
    pub(crate) fn run(
        self,
        invocation: &Invocation<'_>,
        store: &OpenStore<'_>,
    ) -> Result<Exit, Failure> {
        let command = Command::HandOver { user: self.login };
        let outcome = invocation.execute(store, &command)?;
        invocation.emit_outcome(store, || {
            let moved = Moved::by(store, &outcome);
            if moved.is_empty() {
                invocation.reporter.note("no open task to hand over");
            }
            let sequence = outcome.events.first().map(|(sequence, _)| sequence.0);
            let row = Table::builder()
                .int("moved", [Some(moved.len() as u64)])
                .int("sequence", [sequence])
                .bool("replayed", [Some(outcome.replayed)]);
            invocation.answer(&Moved::told(&moved, row)?)
        })?;
        Ok(Exit::Done)
    }
}
