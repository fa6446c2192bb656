//! `task board`

use clap::Args;

use crate::app::lists::board_table;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::{Invocation, OpenStore};
use crate::cli::rows::RowArgs;
use crate::domain::displayed::Displayed;

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
        invocation.emit_list(store, self.rows, "board", board_table(&held))?;
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
