//! `status`

use clap::Args;
use serde::Serialize;

use crate::cli::answer::Answer;
use crate::cli::commands::report::{open_to_read, withheld};
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::{Desk, Invocation};
use crate::cli::unsent_mails;
use crate::consumers::accounting::{first_owed, settled_through, stop};
use crate::consumers::notifier::Outstanding;
use crate::consumers::withheld::Withheld;
use crate::domain::dead_letter::Stop;
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::domain::text::Displayed;
use crate::domain::time::{BusinessDate, EventTime};
use crate::reports::table::{Table, TableBuilder};
use crate::store::Database;

#[derive(Args, Debug)]
pub struct Status {}

/// The whole answer, its members in the order of the contract.
#[derive(Serialize)]
struct Shown {
    head: HeadShown,
    consumers: Vec<Standing>,
    last_closed_date: Option<BusinessDate>,
    clock_behind_seconds: i64,
    /// `None` if the notifier's tables cannot be read now.
    mails: Option<MailsShown>,
}

/// Pay mails that are not sent, as far as the notifier has read.
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
            unsent_mails::standing(mails),
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

#[derive(Serialize)]
struct HeadShown {
    sequence: Sequence,
    hash: String,
    time: EventTime,
}

/// How far one consumer has come.
#[derive(Serialize)]
struct Standing {
    name: &'static str,
    /// `None` if its tables cannot be read now.
    sequence: Option<Sequence>,
    lag_events: Option<u64>,
    lag_seconds: i64,
    set_aside: u64,
    last_error: Option<String>,
}

impl Status {
    pub fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let desk = invocation.desk()?;
        let head = desk.app.log.head()?;
        let head_time = time_of(&desk, head.sequence)?;
        let now = desk.app.environment.now();
        let mut standings = Vec::new();
        let mut last_closed = None;
        for consumer in Consumer::ALL {
            let read = checkpoint(&desk, consumer, &mut last_closed);
            standings.push(standing(&desk, consumer, read, head.sequence, now)?);
        }
        let shown = Shown {
            head: HeadShown {
                sequence: head.sequence,
                hash: head.hash.to_string(),
                time: head_time,
            },
            consumers: standings,
            last_closed_date: last_closed,
            clock_behind_seconds: (head_time.micros() - now.micros()).max(0) / 1_000_000,
            // Tables that cannot be read are told of with the notifier.
            mails: desk
                .app
                .outstanding_mails()
                .ok()
                .as_ref()
                .map(MailsShown::from),
        };
        let answer = Answer::shown(shown.table(), shown.lines())?
            .in_zone(&desk.company.zone)
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

fn time_of(desk: &Desk<'_>, sequence: Sequence) -> Result<EventTime, Failure> {
    Ok(desk.app.log.line(sequence)?.line().event_time()?)
}

/// How far a consumer has come, and the event that it may have stopped at. Accounting has come as far as
/// it has charged and credited, not as far as it has read.
fn checkpoint(
    desk: &Desk<'_>,
    consumer: Consumer,
    last_closed: &mut Option<BusinessDate>,
) -> Result<(Sequence, Option<String>), Failure> {
    let sequence = match consumer {
        Consumer::Tracker => desk.index.checkpoint()?.sequence,
        Consumer::Notifier => {
            let stop = desk.app.notifier_stop(&desk.index)?;
            return Ok((
                desk.app.notifier_checkpoint()?.sequence,
                stop.map(|stop| stopped(consumer, &stop)),
            ));
        }
        Consumer::Analytics => open_to_read(&desk.app, consumer)?.checkpoint()?.sequence,
        Consumer::Accounting => {
            let database = open_to_read(&desk.app, consumer)?;
            *last_closed = last_closed_date(&database)?;
            let withheld = withheld(desk, consumer)?;
            return Ok((
                settled_through(&database, &withheld)?,
                unsettled(desk, &database, &withheld)?,
            ));
        }
    };
    Ok((sequence, None))
}

/// What keeps accounting from charging and crediting on: an event it cannot read, one of the books that is set aside,
/// one it cannot apply, or only that it has not come to it.
fn unsettled(
    desk: &Desk<'_>,
    database: &Database,
    withheld: &Withheld,
) -> Result<Option<String>, Failure> {
    let next = database.checkpoint()?.sequence.next();
    if next <= desk.app.log.head()?.sequence
        && let Some(unreadable) = unreadable(desk, Consumer::Accounting, next)?
    {
        return Ok(Some(unreadable));
    }
    if let Some(missing) = withheld.missing_from_the_books() {
        return Ok(Some(format!(
            "nothing is charged, credited or paid until event {missing} of the books is retried"
        )));
    }
    if let Some(stop) = stop(database, withheld)? {
        return Ok(Some(stopped(Consumer::Accounting, &stop)));
    }
    let owed = |first| format!("event {first} is neither charged nor credited yet");
    Ok(first_owed(database, withheld)?.map(owed))
}

fn stopped(consumer: Consumer, stop: &Stop) -> String {
    format!(
        "{} stops at event {}: {}",
        consumer.name(),
        stop.sequence,
        stop.reason
    )
}

/// Why the event right behind a checkpoint cannot be read, if the consumer has to read it.
fn unreadable(
    desk: &Desk<'_>,
    consumer: Consumer,
    sequence: Sequence,
) -> Result<Option<String>, Failure> {
    let line = desk.app.log.line(sequence)?;
    let read = Withheld::nothing(consumer).read(&line.line());
    Ok(read.err().map(|error| error.to_string()))
}

fn last_closed_date(database: &Database) -> Result<Option<BusinessDate>, Failure> {
    let sql = "SELECT date_diff('day', DATE '1970-01-01', max(business_date))::INTEGER FROM closes";
    let days: Option<i32> = database
        .connection()
        .query_row(sql, [], |row| row.get(0))
        .map_err(database.failed("read"))?;
    Ok(days.map(BusinessDate::from_epoch_days))
}

fn standing(
    desk: &Desk<'_>,
    consumer: Consumer,
    read: Result<(Sequence, Option<String>), Failure>,
    head: Sequence,
    now: EventTime,
) -> Result<Standing, Failure> {
    let mut standing = Standing {
        name: consumer.name(),
        sequence: None,
        lag_events: None,
        lag_seconds: 0,
        set_aside: desk
            .ask(|index| Ok(index.set_aside()?))?
            .iter()
            .filter(|letter| letter.consumer == consumer)
            .count() as u64,
        last_error: None,
    };
    match read {
        Ok((sequence, last_error)) => {
            standing.last_error = last_error;
            standing.sequence = Some(sequence);
            standing.lag_events = Some(head.0.saturating_sub(sequence.0));
            if sequence < head {
                let waiting_since = time_of(desk, sequence.next())?;
                standing.lag_seconds = (now.micros() - waiting_since.micros()).max(0) / 1_000_000;
                if standing.last_error.is_none() {
                    standing.last_error = unreadable(desk, consumer, sequence.next())?;
                }
            }
        }
        Err(failure) => standing.last_error = Some(failure.message),
    }
    Ok(standing)
}

impl Shown {
    /// A row for each consumer, the head beside it.
    fn table(&self) -> TableBuilder {
        let rows = &self.consumers;
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
                rows.iter().map(|_| Some(self.head.sequence.0)),
            )
            .time("head_time", rows.iter().map(|_| Some(self.head.time)))
            .date(
                "last_closed_date",
                rows.iter().map(|_| self.last_closed_date),
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

    fn lines(&self) -> String {
        use std::fmt::Write as _;
        let mut text = format!("head        {}  ({})\n", self.head.sequence, self.head.time);
        for standing in &self.consumers {
            let name = standing.name;
            let _ = match (standing.sequence, standing.lag_events.unwrap_or_default()) {
                (Some(sequence), 0) => write!(text, "{name:<11} {sequence}  at the head"),
                (Some(sequence), lag) => {
                    write!(
                        text,
                        "{name:<11} {sequence}  {lag} events behind, {} s",
                        standing.lag_seconds
                    )
                }
                (None, _) => write!(text, "{name:<11} -"),
            };
            if standing.set_aside > 0 {
                let _ = write!(text, "; {} set aside", standing.set_aside);
            }
            let _ = match &standing.last_error {
                Some(error) => writeln!(text, "; {}", Displayed(error)),
                None => writeln!(text),
            };
        }
        if let Some(mails) = self.mails.as_ref().and_then(|mails| mails.line.as_deref()) {
            let _ = writeln!(text, "mails       {}", Displayed(mails));
        }
        let closed = self
            .last_closed_date
            .map_or_else(|| "none".to_owned(), |date| date.to_string());
        let _ = writeln!(text, "last close  {closed}");
        text
    }
}
