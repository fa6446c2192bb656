//! Closing dates and correcting entries on behalf of a caller.

use std::str::FromStr;

use crate::app::command::{CorrectEntry, hash};
use crate::app::identity::Caller;
use crate::app::write::{Manner, Outcome, check_key};
use crate::app::{App, AppError};
use crate::consumers::accounting::{CloseRequest, Closes, Correction};
use crate::consumers::run::{consume_accounting, consume_analytics, with_accounting};
use crate::consumers::{ConsumeError, Consumed, WriterAccess, tracker};
use crate::domain::id::{EntryId, EventId, Sequence};
use crate::domain::ledger::correct::Correct;
use crate::domain::money::Money;
use crate::domain::rejection::Rejection;
use crate::domain::role::Right;
use crate::domain::time::{BusinessDate, EventTime};

impl App<'_> {
    /// Closes finished dates and leaves accounting and analytics at the head.
    ///
    /// # Errors
    /// The role, a date that is not over, or an error of accounting.
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
        let closes = with_accounting(&around, |accounting| {
            accounting.close(&around, &mut WriterAccess::PerBatch, &request)
        })?;
        if !self.log.is_draft() {
            consume_analytics(&around)?;
        }
        Ok(closes)
    }

    /// Brings accounting to the head with nothing owed.
    ///
    /// # Errors
    /// Whatever stops it.
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
    /// The rejection of rule A7 that holds first.
    pub fn correct(
        &self,
        caller: &Caller,
        entry: &str,
        amount: Option<&str>,
        reason: &str,
        manner: &Manner,
    ) -> Result<Outcome, AppError> {
        let index = self.index()?;
        let actor = self.actor(&index, caller.user.id)?;
        let (text, reason) = (amount.map(str::to_owned), reason.to_owned());
        let command = CorrectEntry {
            entry: entry.to_owned(),
            amount: text,
            reason: reason.clone(),
        };
        if let Some(replayed) = self.replay(&index, &actor, &command, manner)? {
            return Ok(replayed);
        }
        let entry = EntryId::from_str(entry).map_err(|_| Rejection::UnknownEntry {
            name: entry.to_owned(),
        })?;
        let command_hash = manner.key.as_ref().map(|_| hash(&command, actor.id));
        let (amount, malformed) = read_amount(amount);
        let mut mint = |at: EventTime, first: Sequence| {
            let mut dice = self.environment.dice(&first.to_string());
            (
                EventId::from_uuid(dice.uuid_v7(at)),
                dice.uuid_v7(at).to_string(),
            )
        };
        let is_key_taken = || -> Result<bool, ConsumeError> {
            let Some(key) = &manner.key else {
                return Ok(false);
            };
            tracker::catch_up(&self.around(), &index)?;
            Ok(index.given_command(key)?.is_some())
        };
        let correction = Correction {
            actor: &actor,
            entry,
            command: Correct { amount, reason },
            // An amount that cannot be read is heard of as late as a key.
            key: malformed
                .map_or_else(|| check_key(manner), Err)
                .map(|()| manner.key.clone()),
            command_hash,
            mint: &mut mint,
            is_key_taken: &is_key_taken,
        };
        let around = self.around();
        let corrected = with_accounting(&around, |accounting| {
            accounting.correct(&around, &mut WriterAccess::PerBatch, correction)
        })?;
        let Some(corrected) = corrected else {
            let replayed = self.replay(&index, &actor, &command, manner)?;
            return Ok(replayed.expect("a key that is taken is known"));
        };
        let events = vec![(corrected.sequence, corrected.entry.into())];
        Ok(Outcome {
            events,
            replayed: false,
        })
    }
}

/// The amount that was given, or what is wrong with it.
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
