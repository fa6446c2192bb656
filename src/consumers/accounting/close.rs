//! Closes dates: catch up, decide, append payouts and `day.closed` as one batch.

use std::collections::BTreeMap;

use crate::consumers::accounting::{Accounting, Proposal};
use crate::consumers::common_tables::{money, user_id};
use crate::consumers::{ConsumeError, WriterAccess};
use crate::domain::event::{Actor, DayClosed, Event, Fact};
use crate::domain::id::{Sequence, UserId};
use crate::domain::ledger::close::Closing;
use crate::domain::money::Money;
use crate::domain::rejection::Rejection;
use crate::domain::time::BusinessDate;
use crate::state::Recorded;
use crate::store::{Database, StoreError};
use crate::turn::Surroundings;
use crate::turn::clock::stamp;

/// The dates to close, and the closing user.
#[derive(Clone, Debug)]
pub struct CloseRequest {
    pub by: UserId,
    /// The last date to close; `None` for every finished one.
    pub through: Option<BusinessDate>,
    /// The key of the imported row that requests the close.
    pub imported: Option<String>,
}

/// A date that was closed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Closed {
    pub day: DayClosed,
    /// The sequence of its `day.closed`.
    pub sequence: Sequence,
}

/// The result of closing dates.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Closes {
    pub closed: Vec<Closed>,
    /// The former close of the requested date, if it was already closed.
    pub already_closed: Option<Closed>,
    /// The date at which the run ended early, and the event that is set aside.
    pub blocked: Option<(BusinessDate, Sequence)>,
}

impl Closes {
    /// The dates that were closed.
    ///
    /// # Errors
    /// [`Rejection::DateBlocked`]; dates that were closed before it stay closed.
    pub fn unblocked(self) -> Result<Vec<Closed>, Rejection> {
        match self.blocked {
            Some((date, sequence)) => Err(Rejection::DateBlocked { date, sequence }),
            None => Ok(self.closed),
        }
    }
}

impl Accounting<'_> {
    /// Closes the requested finished open dates, oldest first, and ends with nothing owed.
    ///
    /// # Errors
    /// If `through` is not over or lies before the founding; nothing is closed then.
    pub fn close<'l>(
        &mut self,
        around: &Surroundings<'l>,
        access: &mut WriterAccess<'_, 'l>,
        request: &CloseRequest,
    ) -> Result<Closes, ConsumeError> {
        // The request is refused before anything is appended.
        self.catch_up(around, None)?;
        if let Some(date) = request.through {
            self.projection
                .common
                .books()
                .closable(date, around.clock.now())?;
        }
        self.advance(around, access, None)?;
        let mut closes = Closes::default();
        while let Some(date) = self
            .projection
            .common
            .books()
            .next_to_close(around.clock.now(), request.through)
        {
            let zone = &self.projection.common.books().company.zone;
            if let Some(sequence) = self.projection.withheld.blocks(date, zone) {
                closes.blocked = Some((date, sequence));
                break;
            }
            let due = due_by_entries(self.projection.database, date)?;
            closes.closed.extend(access.with_writer(around, |writer| {
                let absorbed = self.absorb(around)?;
                if self.touches_open_date(&absorbed) {
                    return Ok(None);
                }
                let at = stamp(writer.last_time(), around)?;
                let through_sequence = self.position().sequence;
                let skipped_events = self
                    .projection
                    .withheld
                    .skipped_on(date, &self.projection.common.books().company.zone);
                let closing = Closing {
                    at,
                    through_sequence,
                    skipped_events,
                };
                let (facts, day) = self.projection.common.books_mut().decide_close(&closing);
                check_payouts(date, &facts, &due)?;
                let actor = Actor::User(request.by);
                let proposal = Proposal {
                    actor,
                    command_id: request.key(date),
                    command_hash: None,
                    facts,
                };
                let head = self.append(writer, at, proposal)?;
                failpoint!("close.after_append");
                Ok(Some(Closed {
                    day,
                    sequence: head.sequence,
                }))
            })?);
            self.advance(around, access, None)?;
        }
        if let Some(date) = request.through.filter(|_| closes.closed.is_empty()) {
            closes.already_closed = self.earlier_close(around, date)?;
        }
        Ok(closes)
    }

    fn earlier_close(
        &self,
        around: &Surroundings<'_>,
        date: BusinessDate,
    ) -> Result<Option<Closed>, ConsumeError> {
        let sql = format!(
            "SELECT coalesce(max(sequence), 0) FROM closes WHERE business_date = DATE '{date}'"
        );
        let sequence = super::last_sequence(self.projection.database, &sql)?;
        if sequence == Sequence::ZERO {
            return Ok(None);
        }
        match around.log.line(sequence)?.line().event()? {
            Event::DayClosed(day) => Ok(Some(Closed { day, sequence })),
            _ => Ok(None),
        }
    }

    /// Whether an absorbed event belongs to the date that is being closed.
    fn touches_open_date(&self, absorbed: &[Recorded<'_>]) -> bool {
        let books = self.projection.common.books();
        let date = books.first_open_date();
        let is_cause = |recorded: &&Recorded<'_>| super::owed::is_cause(recorded.event.kind());
        absorbed
            .iter()
            .filter(is_cause)
            .any(|recorded| books.company.zone.date_of(recorded.time) <= date)
    }
}

/// The positive balances at the end of `date`, in minor units, computed from the entries alone.
fn due_by_entries(
    database: &Database,
    date: BusinessDate,
) -> Result<BTreeMap<UserId, Money>, StoreError> {
    let sql = format!(
        "SELECT user_id::VARCHAR, sum(amount)::BIGINT FROM entries WHERE business_date <= DATE '{date}'
         GROUP BY user_id HAVING sum(amount) > 0"
    );
    let read = || -> Result<BTreeMap<UserId, Money>, duckdb::Error> {
        let mut statement = database.connection().prepare(&sql)?;
        statement
            .query_map([], |row| Ok((user_id(row, 0)?, money(row, 1)?)))?
            .collect()
    };
    read().map_err(database.failed("read"))
}

/// Compares the payouts with the sums of the entries first, because a payout cannot be taken back.
fn check_payouts(
    date: BusinessDate,
    facts: &[Fact],
    due: &BTreeMap<UserId, Money>,
) -> Result<(), ConsumeError> {
    let paid: BTreeMap<UserId, Money> = facts
        .iter()
        .filter_map(|fact| match &fact.event {
            Event::PayoutMade(payout) => Some((payout.user_id, payout.amount)),
            _ => None,
        })
        .collect();
    let Some(user) = paid
        .keys()
        .chain(due.keys())
        .find(|user| paid.get(user) != due.get(user))
    else {
        return Ok(());
    };
    let [paid, due] = [&paid, due].map(|sums| sums.get(user).copied().unwrap_or_default());
    let what = format!("{paid} would be paid to user {user}, whose entries give {due}");
    Err(ConsumeError::BooksDisagree { date, what })
}

impl CloseRequest {
    /// The key of the batch that closes `date`.
    fn key(&self, date: BusinessDate) -> String {
        match &self.imported {
            Some(row) => format!("{row}/{date}"),
            None => format!("close/{date}"),
        }
    }
}
