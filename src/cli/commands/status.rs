//! `status`

use clap::Args;
use serde_json::{Value, json};

use crate::cli::commands::report::open_to_read;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::{Desk, Invocation};
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::domain::time::{BusinessDate, EventTime};
use crate::event_log::EventLog;
use crate::store::Database;

#[derive(Args, Debug)]
pub struct Status {}

/// How far one consumer has come.
struct Standing {
    name: &'static str,
    /// `None` if its tables cannot be read now.
    sequence: Option<Sequence>,
    lag_seconds: i64,
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
        let object = json!({
            "head": { "sequence": head.sequence, "hash": head.hash.to_string(), "time": head_time },
            "consumers": standings.iter().map(|s| s.object(head.sequence)).collect::<Vec<_>>(),
            "last_closed_date": last_closed,
            "clock_behind_seconds": (head_time.micros() - now.micros()).max(0) / 1_000_000,
        });
        invocation.emit_object(&object, &lines(&standings, head.sequence, head_time, last_closed))?;
        if head_time > now {
            invocation.reporter.remark(&format!("the log's last event ({head_time}) is ahead of the clock ({now})"));
        }
        Ok(Exit::Done)
    }
}

fn time_of(desk: &Desk<'_>, sequence: Sequence) -> Result<EventTime, Failure> {
    Ok(desk.app.log.line(sequence)?.line().event_time()?)
}

fn checkpoint(
    desk: &Desk<'_>,
    consumer: Consumer,
    last_closed: &mut Option<BusinessDate>,
) -> Result<Sequence, Failure> {
    match consumer {
        Consumer::Tracker => Ok(desk.index.checkpoint()?.sequence),
        Consumer::Notifier => Ok(desk.app.notifier_checkpoint()?.sequence),
        Consumer::Accounting | Consumer::Analytics => {
            let database = open_to_read(&desk.app, consumer)?;
            if consumer == Consumer::Accounting {
                *last_closed = last_closed_date(&database)?;
            }
            Ok(database.checkpoint()?.sequence)
        }
    }
}

fn last_closed_date(database: &Database) -> Result<Option<BusinessDate>, Failure> {
    let sql = "SELECT date_diff('day', DATE '1970-01-01', max(business_date))::INTEGER FROM closes";
    let days: Option<i32> =
        database.connection().query_row(sql, [], |row| row.get(0)).map_err(database.failed("read"))?;
    Ok(days.map(BusinessDate::from_epoch_days))
}

fn standing(
    desk: &Desk<'_>,
    consumer: Consumer,
    read: Result<Sequence, Failure>,
    head: Sequence,
    now: EventTime,
) -> Result<Standing, Failure> {
    let name = consumer.name();
    match read {
        Ok(sequence) if sequence < head => {
            let waiting_since = time_of(desk, sequence.next())?;
            let lag_seconds = (now.micros() - waiting_since.micros()).max(0) / 1_000_000;
            Ok(Standing { name, sequence: Some(sequence), lag_seconds, last_error: None })
        }
        Ok(sequence) => Ok(Standing { name, sequence: Some(sequence), lag_seconds: 0, last_error: None }),
        Err(failure) => Ok(Standing { name, sequence: None, lag_seconds: 0, last_error: Some(failure.message) }),
    }
}

impl Standing {
    fn lag(&self, head: Sequence) -> Option<u64> {
        self.sequence.map(|sequence| head.0.saturating_sub(sequence.0))
    }

    fn object(&self, head: Sequence) -> Value {
        json!({
            "name": self.name, "sequence": self.sequence, "lag_events": self.lag(head),
            "lag_seconds": self.lag_seconds, "set_aside": 0, "last_error": self.last_error,
        })
    }
}

fn lines(standings: &[Standing], head: Sequence, at: EventTime, last_closed: Option<BusinessDate>) -> String {
    use std::fmt::Write as _;
    let mut text = format!("head        {head}  ({at})\n");
    for standing in standings {
        let _ = match (standing.sequence, &standing.last_error) {
            (Some(sequence), _) if sequence == head => writeln!(text, "{:<11} {sequence}  at the head", standing.name),
            (Some(sequence), _) => {
                let lag = head.0.saturating_sub(sequence.0);
                writeln!(text, "{:<11} {sequence}  {lag} events behind, {} s", standing.name, standing.lag_seconds)
            }
            (None, error) => writeln!(text, "{:<11} -  {}", standing.name, error.as_deref().unwrap_or_default()),
        };
    }
    let closed = last_closed.map_or_else(|| "none".to_owned(), |date| date.to_string());
    let _ = writeln!(text, "last close  {closed}");
    text
}
