//! `status`: the head of the log, and the progress of each consumer.

use serde::Serialize;

use crate::app::error::in_full;
use crate::app::{App, AppError};
use crate::consumers::common_tables::last_closed_date;
use crate::consumers::notifier::{self, Outstanding};
use crate::consumers::standing::Standing;
use crate::consumers::table_file::open_to_read;
use crate::consumers::withheld::Withheld;
use crate::domain::company::Company;
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::domain::time::{BusinessDate, EventTime};
use crate::files::held::named;
use crate::state::StateIndex;
use crate::store::Tables;

/// The answer, its members in the order of the contract.
#[derive(Serialize)]
pub struct Status {
    pub head: HeadStatus,
    pub consumers: Vec<ConsumerStatus>,
    pub last_closed_date: Option<BusinessDate>,
    /// `None` if the tables of accounting cannot be read now.
    #[serde(skip)]
    pub open_dates: Option<OpenDates>,
    /// The time by which the clock is behind the last event.
    pub clock_behind_seconds: i64,
    /// `None` if the notifier's tables cannot be read now; its consumer status has the reason.
    #[serde(skip)]
    pub mails: Option<Outstanding>,
}

/// The dates that are over and not closed.
#[derive(Clone, Copy, Debug)]
pub struct OpenDates {
    pub count: u64,
    /// The time since the end of the first of them; zero if there is none.
    pub age_seconds: u64,
}

#[derive(Serialize)]
pub struct HeadStatus {
    pub sequence: Sequence,
    pub hash: String,
    pub time: EventTime,
}

/// The progress of one consumer.
#[derive(Serialize)]
pub struct ConsumerStatus {
    pub name: &'static str,
    /// The last event up to which its tables are complete; `None` if they cannot be read now.
    pub sequence: Option<Sequence>,
    /// The number of events after `sequence`.
    pub lag_events: Option<u64>,
    /// The age of the first of them.
    pub lag_seconds: i64,
    /// The number of events that are set aside.
    pub set_aside: u64,
    /// Why it stops, or cannot be read.
    pub last_error: Option<String>,
}

impl App<'_> {
    /// The status of the store. Unreadable tables are part of it.
    ///
    /// # Errors
    /// If the log or the state index cannot be read.
    pub fn status(&self, index: &StateIndex) -> Result<Status, AppError> {
        let head = self.log.head()?;
        let (time, now) = (self.time_of(head.sequence)?, self.environment.now());
        let mut last_closed_date = None;
        let mut consumers = Vec::new();
        for consumer in Consumer::ALL {
            let found = self.standing_of(index, consumer, &mut last_closed_date);
            let mut status = match found {
                Ok((standing, withheld)) => self.lag_of(standing, &withheld, head.sequence, now)?,
                Err(error) => ConsumerStatus::unreadable(consumer, &error),
            };
            let mut set_aside = index.set_aside()?;
            set_aside.retain(|made| made.consumer == consumer);
            status.set_aside = set_aside.len() as u64;
            consumers.push(status);
        }
        let is_accounting_read = consumers
            .iter()
            .any(|row| row.name == Consumer::Accounting.name() && row.sequence.is_some());
        let company = self.company(index)?;
        Ok(Status {
            head: HeadStatus {
                sequence: head.sequence,
                hash: head.hash.to_string(),
                time,
            },
            consumers,
            open_dates: is_accounting_read.then(|| OpenDates::at(&company, last_closed_date, now)),
            last_closed_date,
            clock_behind_seconds: seconds_between(now, time),
            mails: self.outstanding_mails().ok(),
        })
    }

    fn lag_of(
        &self,
        mut standing: Standing,
        withheld: &Withheld,
        head: Sequence,
        now: EventTime,
    ) -> Result<ConsumerStatus, AppError> {
        standing.look_ahead(&self.log, withheld, 1)?;
        let through = standing.through;
        let lag_seconds = if through < head {
            seconds_between(self.time_of(through.next())?, now)
        } else {
            0
        };
        Ok(ConsumerStatus {
            name: standing.consumer.name(),
            sequence: Some(through),
            lag_events: Some(head.0.saturating_sub(through.0)),
            lag_seconds,
            set_aside: 0,
            last_error: standing.reason(),
        })
    }

    fn standing_of(
        &self,
        index: &StateIndex,
        consumer: Consumer,
        last_closed: &mut Option<BusinessDate>,
    ) -> Result<(Standing, Withheld), AppError> {
        let withheld = self.withheld(index, consumer)?;
        let standing = match consumer {
            Consumer::Tracker => Standing::at(consumer, index.checkpoint()?),
            Consumer::Accounting => {
                let database = open_to_read(&self.around(), Tables::Accounting)?;
                let closed = last_closed_date(database.connection());
                *last_closed = closed.map_err(database.failed("read"))?;
                Standing::of_tables(&database, &withheld)?
            }
            Consumer::Analytics => {
                let database = open_to_read(&self.around(), Tables::Analytics)?;
                Standing::of_tables(&database, &withheld)?
            }
            Consumer::Notifier => notifier::standing(&self.around(), &withheld)?,
        };
        Ok((standing, withheld))
    }

    fn time_of(&self, sequence: Sequence) -> Result<EventTime, AppError> {
        Ok(self.log.line(sequence)?.line().event_time()?)
    }
}

impl OpenDates {
    pub fn at(company: &Company, last_closed: Option<BusinessDate>, now: EventTime) -> OpenDates {
        let first = company.first_open_date(last_closed);
        let today = company.zone.date_of(now);
        let age = seconds_between(company.zone.end_of(first), now);
        OpenDates {
            count: u64::try_from(today.epoch_days() - first.epoch_days()).unwrap_or(0),
            age_seconds: age.max(0).unsigned_abs(),
        }
    }
}

impl ConsumerStatus {
    fn unreadable(consumer: Consumer, error: &AppError) -> ConsumerStatus {
        ConsumerStatus {
            name: consumer.name(),
            sequence: None,
            lag_events: None,
            lag_seconds: 0,
            set_aside: 0,
            last_error: Some(named(&in_full(error)).into_owned()),
        }
    }
}

/// Zero if `later` is not later.
fn seconds_between(earlier: EventTime, later: EventTime) -> i64 {
    earlier.micros_until(later).max(0) / 1_000_000
}
