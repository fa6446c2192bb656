//! `account correct`

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::Invocation;
use crate::domain::event::Event;

#[derive(Subcommand, Debug)]
pub enum Account {
    /// Reverse a fee or reward entry, wholly or in part
    Correct(Correct),
}

#[derive(Args, Debug)]
pub struct Correct {
    /// The entry's id, as `report entries` shows it
    entry: String,
    /// How much of it to reverse; by default all that is left
    #[arg(long)]
    amount: Option<String>,
    /// Why
    #[arg(long)]
    reason: String,
}

impl Account {
    pub fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let Account::Correct(Correct { entry, amount, reason }) = self;
        let desk = invocation.desk()?;
        let outcome = desk.app.correct(&desk.caller, &entry, amount.as_deref(), &reason, &invocation.manner())?;
        invocation.emit_outcome(&outcome, || {
            let Some((sequence, Event::BalanceChanged(entry))) = outcome.events.first() else {
                unreachable!("a correction is one entry")
            };
            let object = json!({
                "entry_id": entry.entry_id, "corrects": entry.corrects, "amount": entry.amount.to_string(),
                "balance": entry.balance.to_string(), "business_date": entry.business_date, "sequence": sequence,
                "replayed": outcome.replayed,
            });
            invocation.emit_object(&object, &format!("{}\t{}\n", entry.entry_id, entry.amount))
        })?;
        Ok(Exit::Done)
    }
}
