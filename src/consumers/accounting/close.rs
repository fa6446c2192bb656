//! Closes dates: catch up, decide, append payouts and `day.closed` as one batch.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::consumers::accounting::{Accounting, Proposal};
use crate::consumers::common_tables::{money, user_id};
use crate::consumers::run::SLICE;
use crate::consumers::{ConsumeError, WriterAccess};
use crate::domain::event::{Actor, DayClosed, Event, Fact};
use crate::domain::id::{Sequence, UserId};
use crate::domain::ledger::close::Closing;
use crate::domain::money::Money;
use crate::domain::rejection::Rejection;
use crate::domain::time::BusinessDate;
use crate::store::{Database, StoreError};
use crate::turn::{Surroundings, Turn};

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
    /// The first date that is open after the run.
    pub first_open: Option<BusinessDate>,
}

impl Closes {
    pub fn is_nothing(&self) -> bool {
        self.closed.is_empty() && self.blocked.is_none()
    }

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
    /// Closes the requested finished open dates, oldest first. Each date is closed with nothing owed.
    ///
    /// # Errors
    /// If `through` is not over or lies before the founding; nothing is closed then.
    pub fn close<'l>(
        &mut self,
        around: &Surroundings<'l>,
        access: &mut WriterAccess<'_, 'l>,
        request: &CloseRequest,
    ) -> Result<Closes, ConsumeError> {
        // The request is refused before anything is appended. Each slice is stored, so that a long
        // backlog does not have to fit into memory.
        while !self.catch_up(around, Some(Instant::now() + SLICE))? {
            self.commit()?;
        }
        if let Some(date) = request.through {
            self.projection
                .common
                .books()
                .closable(date, around.clock.now())?;
        }
        while !self.advance(around, access, Some(Instant::now() + SLICE))? {}
        let mut closes = Closes::default();
        while self.next_to_close(around, request).is_some() {
            access.in_turn(around, |turn| {
                self.close_next(around, turn, request, &mut closes)
            })?;
            if closes.blocked.is_some() {
                break;
            }
        }
        if !closes.closed.is_empty() {
            self.commit()?;
        }
        if let Some(date) = request.through.filter(|_| closes.closed.is_empty()) {
            closes.already_closed = self.earlier_close(around, date)?;
        }
        closes.first_open = Some(self.projection.common.books().first_open_date());
        Ok(closes)
    }

    fn next_to_close(
        &self,
        around: &Surroundings<'_>,
        request: &CloseRequest,
    ) -> Option<BusinessDate> {
        let books = self.projection.common.books();
        books.next_to_close(around.clock.now(), request.through)
    }

    /// Posts what is owed and closes the next date, all under the writer lock: others who append all
    /// the time cannot delay it.
    fn close_next<'l>(
        &mut self,
        around: &Surroundings<'l>,
        turn: &mut Turn<'l>,
        request: &CloseRequest,
        closes: &mut Closes,
    ) -> Result<(), ConsumeError> {
        self.advance(around, &mut WriterAccess::Held(turn), None)?;
        let Some(date) = self.next_to_close(around, request) else {
            return Ok(());
        };
        let zone = self.projection.common.books().company.zone.clone();
        let withheld = &self.projection.withheld;
        if let Some(sequence) = withheld.blocks(date, &zone) {
            closes.blocked = Some((date, sequence));
            return Ok(());
        }
        let closing = Closing {
            at: turn.stamp()?,
            through_sequence: self.position().sequence,
            skipped_events: withheld.skipped_on(date, &zone),
        };
        let due = due_by_entries(self.projection.database, date)?;
        let (facts, day) = self.projection.common.books_mut().decide_close(&closing);
        check_payouts(date, &facts, &due)?;
        let proposal = Proposal {
            actor: Actor::User(request.by),
            command_id: request.key(date),
            command_hash: None,
            facts,
        };
        let sequence = self.append(turn, closing.at, proposal)?.sequence;
        failpoint!("close.after_append");
        closes.closed.push(Closed { day, sequence });
        Ok(())
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
