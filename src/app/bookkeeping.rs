//! Closing dates and correcting entries for a caller.

use crate::app::command::CorrectEntry;
use crate::app::error::in_full;
use crate::app::identity::Caller;
use crate::app::write::{Manner, Outcome};
use crate::app::{App, AppError};
use crate::consumers::accounting::{Accounting, CloseRequest, Closes};
use crate::consumers::run::{consume_accounting, consume_analytics, with_accounting};
use crate::consumers::{Consumed, WriterAccess};
use crate::domain::id::{EventId, IdPrefix};
use crate::domain::ledger::correct::Correct;
use crate::domain::money::Money;
use crate::domain::rejection::Rejection;
use crate::domain::role::Right;
use crate::domain::time::BusinessDate;
use crate::turn::begin_again;

impl App<'_> {
    /// Closes finished dates and leaves accounting and analytics at the head.
    ///
    /// # Errors
    /// If the role forbids it, a date is not over, or accounting fails.
    pub fn close(
        &self,
        caller: &Caller,
        through: Option<BusinessDate>,
    ) -> Result<Closes, AppError> {
        let index = self.index()?;
        self.check_pins(&self.company(&index)?)?;
        caller.require(Right::Close)?;
        let request = CloseRequest {
            by: caller.user.id,
            through,
            imported: None,
        };
        let around = self.around();
        let closes = begin_again(|| {
            with_accounting(&around, |accounting| {
                accounting.close(&around, &mut WriterAccess::PerBatch, &request)
            })
        })?;
        if !self.log.is_draft() {
            consume_analytics(&around)?;
        }
        Ok(closes)
    }

    /// Brings accounting to the head with nothing owed.
    pub fn consume_accounting(&self) -> Result<Consumed, AppError> {
        let index = self.index()?;
        self.check_pins(&self.company(&index)?)?;
        Ok(consume_accounting(
            &self.around(),
            &mut WriterAccess::PerBatch,
        )?)
    }

    /// Reverses a fee or reward entry, wholly or in part.
    ///
    /// # Errors
    /// The first rejection by rule A7.
    pub fn correct(
        &self,
        caller: &Caller,
        entry: &str,
        amount: Option<&str>,
        reason: &str,
        manner: &Manner,
    ) -> Result<Outcome, AppError> {
        let request = CorrectEntry {
            entry: entry.to_owned(),
            amount: amount.map(str::to_owned),
            reason: reason.to_owned(),
        };
        // A known key waits for no lock of accounting.
        let (index, by) = (self.index()?, caller.user.id);
        let actor = self.actor(&index, by)?;
        if let Some(replayed) = self.earlier_outcome(&index, &actor, &request, manner)? {
            return Ok(replayed);
        }
        // Without the right nobody learns which ids there are.
        actor.require(Right::Correct)?;
        let prefix = IdPrefix::deliberate(entry).ok_or_else(|| Rejection::UnknownEntry {
            name: entry.to_owned(),
        })?;
        let (amount, malformed) = read_amount(amount);
        let command = Correct {
            amount,
            reason: reason.to_owned(),
        };
        let around = self.around();
        self.with_accounting(|accounting| {
            let original = accounting.original(&around, (entry, prefix))?;
            let outcome = self.carry_out(&index, by, &request, manner, |actor, at, dice| {
                let id = EventId::from_uuid(dice.uuid_v7(at));
                let correction = (&original, &command);
                let fact = accounting.decide_correction(&around, actor, correction, id, at)?;
                // An invalid amount is an ill-formed text, which is reported last.
                malformed
                    .clone()
                    .map_or(Ok(vec![fact]), |malformed| Err(malformed.into()))
            })?;
            failpoint!("correction.after_append");
            // The correction is in the log. If the tables cannot follow now, the next `consume`
            // brings them to the head.
            let followed = accounting
                .catch_up(&around, None)
                .and_then(|_| accounting.commit());
            if let Err(error) = followed {
                self.notices.warn(&format!(
                    "the correction is in the log, but not yet in the tables: {}; `popug-cli consume accounting` applies it",
                    in_full(&error)
                ));
            }
            Ok(outcome)
        })
    }

    /// Runs `work` as the only accounting process.
    ///
    /// # Errors
    /// The error of `work`. If it reports damaged tables, they are moved aside.
    pub(super) fn with_accounting<T>(
        &self,
        work: impl FnOnce(&mut Accounting<'_>) -> Result<T, AppError>,
    ) -> Result<T, AppError> {
        with_accounting(&self.around(), |accounting| match work(accounting) {
            Err(AppError::Consume(error)) => Err(error),
            done => Ok(done),
        })?
    }
}

/// The given amount, or its fault.
fn read_amount(text: Option<&str>) -> (Option<Money>, Option<Rejection>) {
    match text.map(|text| {
        text.parse::<Money>().map_err(|_| Rejection::BadAmount {
            text: text.to_owned(),
        })
    }) {
        None => (None, None),
        Some(Ok(amount)) => (Some(amount), None),
        Some(Err(malformed)) => (None, Some(malformed)),
    }
}
