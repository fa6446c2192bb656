//! `task reshuffle`

use clap::Args;

use crate::app::command::Command;
use crate::cli::answer::Answer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::{Invocation, OpenStore};
use crate::domain::event::Event;
use crate::reports::table::Table;

#[derive(Args, Debug)]
pub(crate) struct Reshuffle {}

impl Reshuffle {
    pub(crate) fn run(
        self,
        invocation: &Invocation<'_>,
        store: &OpenStore<'_>,
    ) -> Result<Exit, Failure> {
        let outcome = invocation.execute(store, &Command::Reshuffle)?;
        let Some((sequence, Event::TasksReshuffled(reshuffled))) = outcome.events.first() else {
            unreachable!("a reshuffle is headed by its own event")
        };
        invocation.emit_outcome(store, || {
            let row = Table::builder()
                .int("open_tasks", [Some(reshuffled.open_tasks)])
                .int("eligible_users", [Some(reshuffled.eligible_users)])
                .int("moved", [Some(reshuffled.moved)])
                .int("sequence", [Some(sequence.0)])
                .bool("replayed", [Some(outcome.replayed)]);
            invocation.answer(&Answer::done(row, format!("{}\n", reshuffled.moved)))
        })?;
        Ok(Exit::Done)
    }
}
