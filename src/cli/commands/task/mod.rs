//! `task add`, `list`, `show`, `edit`, `complete`, `cancel`, `reshuffle`, `hand-over`, `board`

mod add;
mod board;
mod cancel;
mod complete;
mod edit;
pub(super) mod hand_over;
mod history;
mod list;
mod reshuffle;
mod show;

use clap::Subcommand;

use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::Invocation;
use crate::cli::nature::Nature;

#[derive(Subcommand, Debug)]
pub(crate) enum Task {
    /// Create a task and assign it to a random user
    Add(add::Add),
    /// List tasks; by default all open ones
    List(list::List),
    /// Show who holds how many open tasks
    Board(board::Board),
    /// Show one task with its history
    Show(show::Show),
    /// Change the title, description or jira id of a task
    Edit(edit::Edit),
    /// Complete tasks that are assigned to you, all of them or none
    Complete(complete::Complete),
    /// Cancel an open task; its fees are given back
    Cancel(cancel::Cancel),
    /// Draw a new assignee for every open task
    Reshuffle(reshuffle::Reshuffle),
    /// Draw a new assignee for the open tasks of a user who left
    HandOver(hand_over::HandOver),
}

impl Task {
    pub(crate) const fn nature(&self) -> Nature {
        match self {
            Task::Add(_) | Task::Reshuffle(_) => Nature::DOES_AND_ANSWERS,
            Task::Edit(_) | Task::Complete(_) | Task::Cancel(_) | Task::HandOver(_) => Nature::DOES,
            Task::List(_) | Task::Board(_) | Task::Show(_) => Nature::ASKS,
        }
    }

    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let store = invocation.store()?;
        match self {
            Task::Add(command) => command.run(invocation, &store),
            Task::List(command) => command.run(invocation, &store),
            Task::Board(command) => command.run(invocation, &store),
            Task::Show(command) => command.run(invocation, &store),
            Task::Edit(command) => command.run(invocation, &store),
            Task::Complete(command) => command.run(invocation, &store),
            Task::Cancel(command) => command.run(invocation, &store),
            Task::Reshuffle(command) => command.run(invocation, &store),
            Task::HandOver(command) => command.run(invocation, &store),
        }
    }
}
