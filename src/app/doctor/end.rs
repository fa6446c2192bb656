//! Checks the log's end: readable, nothing after the head, clock and time zone consistent with it.

use crate::app::doctor::{Check, counted};
use crate::app::error::in_full;
use crate::app::{App, AppError};
use crate::domain::clock;
use crate::domain::company::Company;
use crate::domain::event::Event;
use crate::domain::id::Sequence;
use crate::domain::time::{EventTime, Zone};
use crate::event_log::{FileLog, Head, HeadFileState, LogError, OwnedLine};

const VERIFY: &str = "`popug-cli verify` checks every line and says what to do";

pub(super) struct End {
    pub company: Option<Company>,
    /// Why there is no readable founding.
    founding: Result<(), AppError>,
    ending: Result<Ending, LogError>,
}

impl End {
    pub(super) fn read(app: &App<'_>) -> End {
        let (company, founding) = match company(app) {
            Ok(company) => (Some(company), Ok(())),
            Err(error) => (None, Err(error)),
        };
        End {
            company,
            founding,
            ending: Ending::read(&app.log),
        }
    }

    /// `None` if the log does not tell.
    pub(super) fn head(&self) -> Option<Sequence> {
        self.ending.as_ref().ok().map(|ending| ending.head.sequence)
    }

    pub(super) fn checks(&self, app: &App<'_>) -> Vec<Check> {
        let mut checks = vec![self.zone()];
        match &self.ending {
            Ok(ending) => {
                checks.extend([
                    head(ending),
                    tail(ending, app),
                    self.clock(ending, app.environment.now()),
                ]);
            }
            Err(error) => checks.push(Check::problem("log", in_full(error), VERIFY)),
        }
        checks
    }

    fn zone(&self) -> Check {
        match (&self.company, &self.founding) {
            (Some(company), _) => {
                Check::ok("time-zone", format!("{} is known", company.zone.name()))
            }
            (None, Err(error)) => Check::problem("time-zone", in_full(error), VERIFY),
            (None, Ok(())) => Check::problem("time-zone", "the log does not tell", VERIFY),
        }
    }

    fn clock(&self, ending: &Ending, now: EventTime) -> Check {
        const NAME: &str = "clock";
        let utc = Zone::utc();
        let zone = self.company.as_ref().map_or(&utc, |company| &company.zone);
        let last = match ending
            .last
            .as_ref()
            .map(|last| last.line().event_time())
            .transpose()
        {
            Ok(last) => last,
            Err(error) => return Check::problem(NAME, in_full(&error), VERIFY),
        };
        let Some(at) = last else {
            return Check::ok(
                NAME,
                format!("it is {}; the log has no events", zone.local(now)),
            );
        };
        let detail = format!(
            "it is {}; the last event is of {}",
            zone.local(now),
            zone.local(at)
        );
        match clock::stamp(now, last) {
            Ok(stamp) if stamp.warn_behind_micros.is_none() => Check::ok(NAME, detail),
            Ok(_) => Check::warning(
                NAME,
                detail,
                "set the clock: new events take the time of the last one meanwhile",
            ),
            Err(_) => Check::problem(
                NAME,
                format!("{detail}: writes are refused"),
                "set the clock; if it ran ahead, a refused write names the event to go back to with `popug-cli restore`",
            ),
        }
    }
}

/// The acknowledged end of the log, and the bytes after it.
struct Ending {
    head: Head,
    head_file: HeadFileState,
    /// `None` in a log without events.
    last: Option<OwnedLine>,
    /// The number of events of whole batches that the next writer publishes.
    unpublished_events: u64,
    /// The number of bytes of a torn batch, which the next writer cuts.
    torn_bytes: u64,
}

impl Ending {
    fn read(log: &FileLog) -> Result<Ending, LogError> {
        let tail = log.tail()?;
        let head = tail.acknowledged()?;
        let last = (head.sequence > Sequence::ZERO).then(|| log.line(head.sequence));
        Ok(Ending {
            head,
            head_file: tail.head_file,
            last: last.transpose()?,
            unpublished_events: tail.end.sequence.0 - head.sequence.0,
            torn_bytes: tail.torn_bytes(),
        })
    }
}

/// The company of the first event of the log.
fn company(app: &App<'_>) -> Result<Company, AppError> {
    let first = app.log.line(Sequence::FIRST)?;
    let line = first.line();
    match line.event()? {
        Event::CompanyFounded(founded) => Ok(Company::from_founding(&founded, line.event_time()?)?),
        other => Err(line
            .undecodable(format!(
                "the log begins with {:?} and no founding",
                other.kind()
            ))
            .into()),
    }
}

fn head(ending: &Ending) -> Check {
    let detail = format!("the head is event {}", ending.head.sequence);
    match ending.head_file {
        HeadFileState::Sound => Check::ok("log", detail),
        HeadFileState::Lost => Check::problem(
            "log",
            format!("{detail}, but log/head is missing or cannot be read"),
            VERIFY,
        ),
        HeadFileState::OneSlot => Check::warning(
            "log",
            format!("{detail}; one of the two slots of log/head cannot be read"),
            VERIFY,
        ),
    }
}

/// Checks for a tail that no writer has settled yet. A working writer makes such a tail too.
fn tail(ending: &Ending, app: &App<'_>) -> Check {
    const NAME: &str = "tail";
    if ending.unpublished_events == 0 && ending.torn_bytes == 0 {
        return Check::ok(NAME, "there are no bytes after the head");
    }
    let events = counted(ending.unpublished_events, "whole event", "whole events");
    let detail = format!(
        "{events} and {} torn bytes are after the head",
        ending.torn_bytes
    );
    match app.log.writer_lock_holder() {
        Ok(Some(holder)) => Check::ok(NAME, format!("{detail}; {holder} is writing")),
        _ => Check::warning(
            NAME,
            detail,
            "the next write keeps whole batches, cuts the rest and says so",
        ),
    }
}
