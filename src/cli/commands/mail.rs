//! `mail list`, `mail retry`

use clap::{Args, Subcommand};

use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::Invocation;
use crate::cli::mail_settings;
use crate::cli::nature::Nature;
use crate::cli::rows::RowArgs;
use crate::consumers::notifier::{MailRow, Retried};
use crate::domain::displayed::Displayed;
use crate::reports::table::Table;

#[derive(Subcommand, Debug)]
pub(crate) enum Mail {
    /// List every pay mail with its state
    List(List),
    /// Try to send a mail again now
    Retry(Retry),
}

#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    rows: RowArgs,
}

#[derive(Args, Debug)]
#[command(
    after_help = "With -n the mail is looked up and not sent. Only sending it shows whether the server accepts it."
)]
pub(crate) struct Retry {
    /// The payout's id or its first characters
    id: String,
}

impl Mail {
    pub(crate) const fn nature(&self) -> Nature {
        match self {
            Mail::List(_) => Nature::ASKS,
            Mail::Retry(_) => Nature::DOES_AND_ANSWERS,
        }
    }

    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let store = invocation.store()?;
        let mails = store.app.mails(&store.caller)?;
        match self {
            Mail::List(List { rows }) => {
                invocation.emit_list(&store, rows, "mails", table(&mails.list()?))?;
                Ok(Exit::Done)
            }
            Mail::Retry(Retry { id }) => {
                let routes = mail_settings::routes(invocation.global, &store.app, false)?;
                let retried = mails.retry(&routes, &id)?;
                if invocation.only_says(|| would_do(&retried)) {
                    return Ok(Exit::Done);
                }
                if matches!(retried, Retried::AlreadySent(_)) {
                    invocation
                        .reporter
                        .note("it was sent already; nothing was done");
                }
                let (Retried::AlreadySent(row) | Retried::Attempted(row) | Retried::Owed(row)) =
                    retried;
                let failed = row
                    .last_error
                    .clone()
                    .filter(|_| row.state.name() != "sent");
                invocation.emit_list(&store, RowArgs::default(), "mails", table(&[row]))?;
                match failed {
                    Some(error) => Err(Failure::new(
                        Exit::Failure,
                        "mail_failed",
                        Displayed(&error).to_string(),
                    )),
                    None => Ok(Exit::Done),
                }
            }
        }
    }
}

/// The message of a dry run about a mail. Only sending shows whether a mail can be sent.
fn would_do(retried: &Retried) -> String {
    match retried {
        Retried::AlreadySent(_) => "it was sent already; nothing would be done".to_owned(),
        Retried::Attempted(row) | Retried::Owed(row) => {
            let attempt = row.attempts + 1;
            format!(
                "mail {} would be sent to {}, attempt {attempt}",
                row.payout_id,
                Displayed(&row.to)
            )
        }
    }
}

fn table(rows: &[MailRow]) -> Table {
    Table::builder()
        .date("date", rows.iter().map(|row| Some(row.business_date)))
        .text(
            "payout_id",
            rows.iter().map(|row| Some(row.payout_id.to_string())),
        )
        .text("login", rows.iter().map(|row| Some(&row.login)))
        .text("name", rows.iter().map(|row| Some(&row.name)))
        .money("amount", rows.iter().map(|row| Some(row.amount)))
        .text("to", rows.iter().map(|row| Some(&row.to)))
        .text("state", rows.iter().map(|row| Some(row.state.name())))
        .int(
            "attempts",
            rows.iter().map(|row| Some(u64::from(row.attempts))),
        )
        .time("next_try", rows.iter().map(|row| row.next_try))
        .text(
            "last_error",
            rows.iter().map(|row| row.last_error.as_deref()),
        )
        .int("sequence", rows.iter().map(|row| Some(row.sequence.0)))
        .build()
}
