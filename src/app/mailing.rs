//! Pay mails for a caller. The routes come from settings that `cli` has read.

use crate::app::identity::Caller;
use crate::app::{App, AppError};
use crate::consumers::notifier::{self, MailRoutes, MailRow, Outstanding, Retried};
use crate::consumers::{Consumed, WriterAccess};
use crate::domain::role::Right;

/// Pay mails, open to a caller who may handle them.
pub struct Mails<'a> {
    app: &'a App<'a>,
}

impl App<'_> {
    /// Sends every due mail and records the results.
    ///
    /// # Errors
    /// An error that stops the notifier; a failed mail is no error.
    pub fn consume_notifier(&self, routes: &MailRoutes) -> Result<Consumed, AppError> {
        let index = self.index()?;
        self.check_pins(&self.company(&index)?)?;
        Ok(notifier::consume(
            &self.around(),
            &mut WriterAccess::PerBatch,
            routes,
        )?)
    }

    /// The unsent mails in the notifier's tables.
    pub fn outstanding_mails(&self) -> Result<Outstanding, AppError> {
        Ok(notifier::outstanding(&self.around())?)
    }

    /// The pay mails, if the caller may handle them.
    ///
    /// # Errors
    /// The role.
    pub fn mails(&self, caller: &Caller) -> Result<Mails<'_>, AppError> {
        caller.require(Right::Mail)?;
        Ok(Mails { app: self })
    }
}

impl Mails<'_> {
    /// Every pay mail as of the head.
    ///
    /// # Errors
    /// If the log or the file of the notifier cannot be read.
    pub fn list(&self) -> Result<Vec<MailRow>, AppError> {
        Ok(notifier::list(&self.app.around())?)
    }

    /// Makes one more attempt at a mail. `payout` is the payout's id or a prefix of it.
    ///
    /// # Errors
    /// If there is no such mail.
    pub fn retry(&self, routes: &MailRoutes, payout: &str) -> Result<Retried, AppError> {
        let index = self.app.index()?;
        self.app.check_pins(&self.app.company(&index)?)?;
        Ok(notifier::retry(
            &self.app.around(),
            &mut WriterAccess::PerBatch,
            routes,
            payout,
        )?)
    }
}
