//! `task reshuffle`

use clap::Args;

use crate::app::command::Command;
use crate::app::doctor::counted;
use crate::cli::answer::Answer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::{Invocation, OpenStore};
use crate::domain::event::Event;
use crate::domain::money::Money;
use crate::reports::render::grouped;
use crate::reports::table::Table;

#[derive(Args, Debug)]
pub(crate) struct Reshuffle {}

impl Reshuffle {
    pub(crate) fn run(
        self,
        invocation: &Invocation<'_>,
        store: &OpenStore<'_>,
    ) -> Result<Exit, Failure> {
        let outcome = invocation.execute_if_agreed(store, &Command::Reshuffle)?;
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
            let fees = outcome.events.iter().map(|(_, event)| match event {
                Event::TaskAssigned(e) => store.company.price_of(e.task_id).fee,
                _ => Money::ZERO,
            });
            let (moved, fees) = (reshuffled.moved, fees.sum::<Money>());
            let (tasks, sum) = (
                counted(moved, "open task", "open tasks"),
                grouped(&fees.to_string()),
            );
            let told = format!("{tasks} handed out anew: fees {sum}\n");
            let answer = Answer::done(row, format!("{moved}\n")).for_people(told);
            invocation.answer(&answer.with_member("fees", &fees.to_string())?)
        })?;
        Ok(Exit::Done)
    }
}
