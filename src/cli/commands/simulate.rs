//! `simulate`

use clap::Args;

use crate::app::simulate::{Simulated, Simulation};
use crate::cli::answer::Answer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::Invocation;
use crate::consumers::notifier::{MailRoutes, Outgoing};
use crate::mail::{Letterhead, Sender};
use crate::reports::table::Table;

#[derive(Args, Debug)]
pub(crate) struct Simulate {
    /// Number of finished days to play; the last one is yesterday
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
    /// Number of popugs to register
    #[arg(long, value_name = "N")]
    popugs: u32,
    /// Number of tasks created each day
    #[arg(long, value_name = "N")]
    tasks_per_day: u32,
    /// Seed of the random choices; the same seed on the same store plays the same history
    #[arg(long, value_name = "N")]
    seed: u64,
}

impl Simulate {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let store = invocation.store()?;
        let simulation = Simulation {
            days: self.days,
            popugs: self.popugs,
            tasks_per_day: self.tasks_per_day,
            seed: self.seed,
        };
        let routes = MailRoutes::new(
            &store.app.directory,
            Letterhead::of(Sender::parse(None)?),
            Outgoing::Nowhere,
            true,
        );
        let send = |app: &crate::app::App<'_>| app.consume_notifier(&routes).map(drop);
        let progress = |days: u32| {
            invocation
                .reporter
                .progress("days", days.into(), self.days.into())
        };
        let played = store
            .app
            .simulate(&store.caller, &simulation, &send, &progress)?;
        invocation.reporter.finish();
        invocation.emit_outcome(&store, || say(invocation, &played))?;
        Ok(Exit::Done)
    }
}

fn say(invocation: &Invocation<'_>, played: &Simulated) -> Result<(), Failure> {
    let row = Table::builder()
        .date("first_date", [Some(played.first_date)])
        .date("last_date", [Some(played.last_date)])
        .int("commands", [Some(played.commands)])
        .int("appended", [Some(played.appended_events)])
        .int("closed_dates", [Some(played.closed_dates.len() as u64)]);
    invocation.answer(&Answer::done(row, ""))?;
    invocation.reporter.note(&format!(
        "{} to {}: {} commands, {} events, {} dates closed",
        played.first_date,
        played.last_date,
        played.commands,
        played.appended_events,
        played.closed_dates.len()
    ));
    Ok(())
}
