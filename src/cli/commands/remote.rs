//! `remote schema`, `remote status`, `remote push`, `remote adopt`

use clap::{Args, Subcommand};

use crate::app::shared_log::RemoteStatus;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::Invocation;
use crate::cli::nature::Nature;
use crate::event_log::LogError;
use crate::postgres::SCHEMA;
use crate::reports::table::Table;

#[derive(Subcommand, Debug)]
pub(crate) enum Remote {
    /// Print the SQL that makes the tables of a shared log
    Schema(Schema),
    /// Compare this store with the log of which it is a copy
    Status(Status),
    /// Append the events of this store that a database lacks; the store stays as it is
    Push(Push),
    /// Append the rest of this store to a database, and make the store a copy of it
    Adopt(Adopt),
}

#[derive(Args, Debug)]
pub(crate) struct Schema {}

#[derive(Args, Debug)]
pub(crate) struct Status {}

#[derive(Args, Debug)]
pub(crate) struct Push {
    /// The database: postgres://USER@HOST/DATABASE
    url: String,
}

#[derive(Args, Debug)]
pub(crate) struct Adopt {
    /// The database: postgres://USER@HOST/DATABASE
    url: String,
}

impl Remote {
    pub(crate) const fn nature(&self) -> Nature {
        match self {
            Remote::Schema(_) => Nature::tells(&["sql", "txt"]),
            Remote::Status(_) => Nature::ASKS,
            Remote::Push(_) | Remote::Adopt(_) => Nature::DOES_AND_ANSWERS,
        }
    }

    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        match self {
            Remote::Schema(_) => {
                invocation.with_output(|out| Ok(out.write_all(SCHEMA.as_bytes())?))?;
                Ok(Exit::Done)
            }
            Remote::Status(_) => status(invocation),
            Remote::Push(Push { url }) => {
                invocation.refuse_dry_run()?;
                let store = invocation.store()?;
                let address = invocation.shared_log(&url)?;
                let name = address.names();
                let pushed = store
                    .app
                    .push_to(&store.caller, store.company.id, address)?;
                let table = Table::builder()
                    .text("remote", [Some(&name)])
                    .int("pushed", [Some(pushed.0)])
                    .int("sequence", [Some(pushed.1.0)])
                    .build();
                invocation.emit_done(&store, "remote push", table)?;
                Ok(Exit::Done)
            }
            Remote::Adopt(Adopt { url }) => {
                invocation.refuse_dry_run()?;
                let store = invocation.store()?;
                let address = invocation.shared_log(&url)?;
                let name = address.names();
                let sequence = store.app.adopt(&store.caller, store.company.id, address)?;
                let table = Table::builder()
                    .text("remote", [Some(&name)])
                    .int("sequence", [Some(sequence.0)])
                    .build();
                invocation.emit_done(&store, "remote adopt", table)?;
                invocation
                    .reporter
                    .note("this store is a copy from now on; other machines `join` the log");
                Ok(Exit::Done)
            }
        }
    }
}

fn status(invocation: &Invocation<'_>) -> Result<Exit, Failure> {
    let store = invocation.store()?;
    let Some(status) = store.app.remote_status()? else {
        return Err(Failure::new(
            Exit::NotFound,
            "no_remote",
            "this store is no copy of a shared log",
        )
        .hint("`popug-cli remote adopt URL` makes it one"));
    };
    let (state, exit) = state_of(&status);
    let there = status.there.as_ref().ok().map(|there| there.end.0.0);
    let table = Table::builder()
        .text("remote", [Some(&status.name)])
        .text("url", [Some(&status.role.url)])
        .text("company_id", [Some(status.role.company.to_string())])
        .text("state", [Some(&state)])
        .int("sequence_there", [there])
        .int("sequence", [Some(status.here.0)])
        .int(
            "behind",
            [there.map(|there| there.saturating_sub(status.here.0))],
        )
        .bool("sends_mails", [Some(status.role.sends_mails)])
        .build();
    invocation.emit_done(&store, "remote status", table)?;
    Ok(exit)
}

/// The state in one word, and the exit code.
fn state_of(status: &RemoteStatus) -> (&'static str, Exit) {
    match (&status.there, status.has_ours) {
        (Err(LogError::Refused { .. }), _) => ("refused", Exit::Elsewhere),
        (Err(_), _) | (_, None) => ("unreachable", Exit::Elsewhere),
        (_, Some(false)) => ("rolled_back", Exit::Damaged),
        (Ok(there), Some(true)) if there.end.0 > status.here => ("behind", Exit::Done),
        (Ok(_), Some(true)) => ("same", Exit::Done),
    }
}
