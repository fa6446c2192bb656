//! Brings tables to the head before a report reads them.
//!
//! A report shows the log as it is now, so what its tables lack is consumed first, but only if that
//! takes no longer than about a second and no other process works on the tables. Otherwise, and if
//! it fails, the report shows the tables as they are and says which events they lack. No lock is
//! waited for and no mail is sent.

use std::fmt;
use std::time::Duration;

use crate::app::reports::Reports;
use crate::app::{App, AppError};
use crate::consumers::accounting::is_nothing_owed;
use crate::consumers::run::{consume_accounting, consume_analytics};
use crate::consumers::standing::Standing;
use crate::consumers::{ConsumeError, WriterAccess};
use crate::domain::IMPORT_KEY_PREFIX;
use crate::domain::company::Company;
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::reports::name::ReportName;
use crate::turn::{Notices, Surroundings};

/// The number of events that a consumer takes in within about a second. Accounting also appends the
/// entries that follow.
const fn events_a_second(consumer: Consumer) -> u64 {
    match consumer {
        Consumer::Analytics => 300_000,
        Consumer::Accounting | Consumer::Tracker | Consumer::Notifier => 50_000,
    }
}

/// An imported row that is older was dated by its file and not by the clock.
const HISTORY_MICROS: i64 = 10 * 60 * 1_000_000;

impl Reports<'_> {
    /// Brings the tables of all reports that the caller may see to the head, so that the reports
    /// show the same events.
    ///
    /// # Errors
    /// As [`Reports::load`].
    pub fn bring_to_head(&self) -> Result<(), AppError> {
        if !self.are_current {
            return Ok(());
        }
        let mut read: Vec<Consumer> = self.visible().map(ReportName::reads).collect();
        read.sort_unstable();
        read.dedup();
        read.into_iter()
            .try_for_each(|consumer| self.read(consumer).map(drop))
    }

    /// Returns true if the tables of `consumer` lack some of the events up to `head` and can have
    /// them within about a second. `standing` says how far the tables have come.
    pub(super) fn is_behind(
        &self,
        consumer: Consumer,
        head: Sequence,
        standing: &Standing,
    ) -> Result<bool, AppError> {
        if self.app.log.is_draft() || standing.obstacle.is_some() {
            return Ok(false);
        }
        let missing = self.missing(consumer, head, standing)?;
        if missing > events_a_second(consumer) {
            return Ok(false);
        }
        if consumer == Consumer::Analytics && !is_nothing_owed(&self.app.log, head)? {
            let accounting = self.open(Consumer::Accounting)?.1;
            let owed = self.missing(Consumer::Accounting, head, &accounting)?;
            let is_able = accounting.obstacle.is_none();
            let is_soon_done = is_able && owed <= events_a_second(Consumer::Accounting);
            return Ok(is_soon_done && missing.max(owed) > 0 && self.may_date_now(head)?);
        }
        Ok(missing > 0 && self.may_date_now(head)?)
    }

    /// Returns true if entries may be appended with the time now. They would keep an interrupted
    /// import of a history from going on, and a company with a test clock from going on at its
    /// pinned times.
    fn may_date_now(&self, head: Sequence) -> Result<bool, AppError> {
        let environment = self.app.environment;
        if self.company.test_clock && environment.pinned_by().is_none() {
            return Ok(false);
        }
        let last = self.app.log.line(head)?;
        let (line, now) = (last.line(), environment.now());
        let is_history = line.event_time()?.micros_until(now) > HISTORY_MICROS;
        Ok(!(is_history && line.command_id().starts_with(IMPORT_KEY_PREFIX)))
    }

    /// The number of events that the consumer has to read.
    fn missing(
        &self,
        consumer: Consumer,
        head: Sequence,
        standing: &Standing,
    ) -> Result<u64, AppError> {
        // Tables that were made without a decision about a dead letter are rebuilt.
        let withheld = self.app.withheld(self.index, consumer)?;
        let is_kept = withheld.may_rest_at(standing.checkpoint.sequence);
        let from = if is_kept {
            standing.through
        } else {
            Sequence::ZERO
        };
        Ok(head.0.saturating_sub(from.0))
    }
}

/// Passes warnings on and shows no progress of work that takes a second.
struct Warnings<'a>(&'a dyn Notices);

impl Notices for Warnings<'_> {
    fn warn(&self, message: &str) {
        self.0.warn(message);
    }

    fn advanced(&self, _: Consumer, _: Sequence, _: Sequence) {}

    fn detail(&self, said: fmt::Arguments<'_>) {
        self.0.detail(said);
    }
}

impl App<'_> {
    /// Brings the tables of `consumer`, and those that it follows, to the head. A failure is none
    /// of the caller's, unless a file was found to be damaged.
    pub(super) fn consume_at_once(
        &self,
        company: &Company,
        consumer: Consumer,
    ) -> Result<(), AppError> {
        if self.check_pins(company).is_err() {
            return Ok(());
        }
        let notices = Warnings(self.notices);
        let around = Surroundings {
            lock_wait: Duration::ZERO,
            notices: &notices,
            ..self.around()
        };
        let consume = || {
            self.tell_consumed(&consume_accounting(&around, &mut WriterAccess::PerBatch)?);
            if consumer == Consumer::Analytics {
                self.tell_consumed(&consume_analytics(&around)?);
            }
            Ok(())
        };
        match consume() {
            Err(error @ ConsumeError::MovedAside { .. }) => Err(error.into()),
            Err(_) | Ok(()) => Ok(()),
        }
    }
}
