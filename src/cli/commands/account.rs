//! `account correct`

use clap::{Args, Subcommand};

use crate::cli::answer::Answer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::Invocation;
use crate::domain::event::Event;
use crate::reports::table::Table;

#[derive(Subcommand, Debug)]
pub(crate) enum Account {
    /// Reverse a fee or reward entry, wholly or in part
    Correct(Correct),
}

#[derive(Args, Debug)]
pub(crate) struct Correct {
    /// The entry's id or its first characters, as `report entries` shows them
    entry: String,
    /// The amount to reverse; by default all that is left of the entry
    #[arg(long, allow_hyphen_values = true)]
    amount: Option<String>,
    /// The reason
    #[arg(long, allow_hyphen_values = true)]
    reason: String,
}

impl Account {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let Account::Correct(Correct {
            entry,
            amount,
            reason,
        }) = self;
        let store = invocation.store()?;
        let outcome = store.app.correct(
            &store.caller,
            &entry,
            amount.as_deref(),
            &reason,
            &invocation.manner(),
        )?;
        invocation.emit_outcome(&store, || {
            let Some((sequence, Event::BalanceChanged(entry))) = outcome.events.first() else {
                unreachable!("a correction is one entry")
            };
            let row = Table::builder()
                .text("entry_id", [Some(entry.entry_id.to_string())])
                .text(
                    "corrects",
                    [entry.corrects.map(|corrected| corrected.to_string())],
                )
                .money("amount", [Some(entry.amount)])
                .money("balance", [Some(entry.balance)])
                .date("business_date", [Some(entry.business_date)])
                .int("sequence", [Some(sequence.0)])
                .bool("replayed", [Some(outcome.replayed)]);
            invocation.answer(&Answer::done(
                row,
                format!("{}\t{}\n", entry.entry_id, entry.amount),
            ))
        })?;
        Ok(Exit::Done)
    }
}
