//! `status`

use clap::Args;
use serde::Serialize;

use crate::app;
use crate::app::check::in_words;
use crate::cli::answer::Answer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::Invocation;
use crate::cli::metrics::Metrics;
use crate::cli::unsent_mails;
use crate::consumers::notifier::Outstanding;
use crate::domain::displayed::Displayed;
use crate::domain::time::{EventTime, Zone};
use crate::reports::table::{Table, TableBuilder};

#[derive(Args, Debug)]
pub(crate) struct Status {}

/// The whole answer: the status with the mails in words.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    status: app::status::Status,
    /// `None` if the notifier's tables cannot be read now.
    mails: Option<MailsShown>,
}

/// The unsent pay mails in the notifier's tables.
#[derive(Serialize)]
struct MailsShown {
    untried: u64,
    retrying: u64,
    next_try: Option<EventTime>,
    failed: u64,
    last_error: Option<String>,
    #[serde(skip)]
    line: Option<String>,
}

impl From<&Outstanding> for MailsShown {
    fn from(mails: &Outstanding) -> MailsShown {
        let &Outstanding {
            untried,
            retrying,
            next_try,
            failed,
            ..
        } = mails;
        let (last_error, line) = (
            unsent_mails::last_error(mails),
            unsent_mails::summary(mails),
        );
        MailsShown {
            untried,
            retrying,
            next_try,
            failed,
            last_error,
            line,
        }
    }
}

impl Status {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let store = invocation.store()?;
        let status = store.app.status(&store.index)?;
        if invocation.output.is_metrics {
            let text = Metrics::of(&status).into_text();
            invocation.with_output(|out| Ok(out.write_all(text.as_bytes())?))?;
            return Ok(Exit::Done);
        }
        let (head_time, now) = (status.head.time, store.app.environment.now());
        let mails = status.mails.as_ref().map(MailsShown::from);
        let shown = Shown { status, mails };
        let answer = Answer::shown(shown.table(), shown.lines(&store.company.zone))
            .in_zone(&store.company.zone)
            .with_object(&shown)?;
        invocation.answer(&answer)?;
        if head_time > now {
            invocation.reporter.remark(&format!(
                "the log's last event ({head_time}) is ahead of the clock ({now})"
            ));
        }
        Ok(Exit::Done)
    }
}

impl Shown {
    /// A row for each consumer, the head beside it.
    fn table(&self) -> TableBuilder {
        let rows = &self.status.consumers;
        Table::builder()
            .text("name", rows.iter().map(|row| Some(row.name)))
            .int(
                "sequence",
                rows.iter()
                    .map(|row| row.sequence.map(|sequence| sequence.0)),
            )
            .int("lag_events", rows.iter().map(|row| row.lag_events))
            .int(
                "lag_seconds",
                rows.iter().map(|row| Some(row.lag_seconds.unsigned_abs())),
            )
            .int("set_aside", rows.iter().map(|row| Some(row.set_aside)))
            .text(
                "last_error",
                rows.iter().map(|row| row.last_error.as_deref()),
            )
            .int(
                "head_sequence",
                rows.iter().map(|_| Some(self.status.head.sequence.0)),
            )
            .time(
                "head_time",
                rows.iter().map(|_| Some(self.status.head.time)),
            )
            .date(
                "last_closed_date",
                rows.iter().map(|_| self.status.last_closed_date),
            )
            .int(
                "mails_to_send",
                rows.iter().map(|_| {
                    self.mails
                        .as_ref()
                        .map(|mails| mails.untried + mails.retrying)
                }),
            )
            .int(
                "mails_failed",
                rows.iter()
                    .map(|_| self.mails.as_ref().map(|mails| mails.failed)),
            )
    }

    fn lines(&self, zone: &Zone) -> String {
        use std::fmt::Write as _;
        let head = &self.status.head;
        let time = zone.local(head.time);
        let mut text = format!("head        {}  {time}\n", head.sequence);
        for row in &self.status.consumers {
            let name = row.name;
            let _ = match (row.sequence, row.lag_events.unwrap_or_default()) {
                (Some(sequence), 0) => write!(text, "{name:<11} {sequence}  at the head"),
                (Some(sequence), lag) => {
                    write!(
                        text,
                        "{name:<11} {sequence}  behind by {lag} events, {}: run `popug-cli consume {name}`",
                        in_words(row.lag_seconds.unsigned_abs())
                    )
                }
                (None, _) => write!(text, "{name:<11} -"),
            };
            if row.set_aside > 0 {
                let _ = write!(text, "; {} set aside", row.set_aside);
            }
            let _ = match &row.last_error {
                Some(error) => writeln!(text, "; {}", Displayed(error)),
                None => writeln!(text),
            };
        }
        if let Some(mails) = self.mails.as_ref().and_then(|mails| mails.line.as_deref()) {
            let _ = writeln!(text, "mails       {}", Displayed(mails));
        }
        let closed = self
            .status
            .last_closed_date
            .map_or_else(|| "none".to_owned(), |date| date.to_string());
        let _ = writeln!(text, "last close  {closed}");
        text
    }
}
