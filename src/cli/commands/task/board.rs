//! `task board`

use clap::Args;

use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::{Invocation, OpenStore};
use crate::cli::rows::RowArgs;
use crate::domain::displayed::Displayed;
use crate::reports::table::Table;

#[derive(Args, Debug)]
pub(crate) struct Board {
    #[command(flatten)]
    rows: RowArgs,
}

impl Board {
    pub(crate) fn run(
        self,
        invocation: &Invocation<'_>,
        store: &OpenStore<'_>,
    ) -> Result<Exit, Failure> {
        let held = store
            .caller
            .board(&store.index, &store.company, store.reports().today())?;
        let days = |days: i64| u64::try_from(days).unwrap_or_default();
        let table = Table::builder()
            .text("login", held.iter().map(|held| Some(&held.user.login)))
            .text("name", held.iter().map(|held| Some(&held.user.full_name)))
            .bool("active", held.iter().map(|held| Some(held.user.active)))
            .int("open", held.iter().map(|held| Some(held.open)))
            .money("at_stake", held.iter().map(|held| Some(held.at_stake)))
            .int(
                "oldest_days",
                held.iter().map(|held| Some(days(held.oldest_days))),
            );
        invocation.emit_list(store, self.rows, "board", table.build())?;
        for held in held.iter().filter(|held| !held.user.is_eligible()) {
            invocation.reporter.note(&format!(
                "{} cannot be drawn any more: `popug-cli task hand-over {}` hands their tasks over",
                Displayed(&held.user.full_name),
                held.user.login
            ));
        }
        Ok(Exit::Done)
    }
}
