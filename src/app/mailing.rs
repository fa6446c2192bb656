//! Pay mails for a caller. The routes come from settings that `cli` has read.

use crate::app::command::known_user;
use crate::app::identity::Caller;
use crate::app::{App, AppError};
use crate::consumers::notifier::{
    self, MailRoutes, MailRow, MailState, Outstanding, Resent, Retried,
};
use crate::consumers::{Consumed, WriterAccess};
use crate::credentials::MailSettings;
use crate::domain::role::Right;
use crate::domain::time::BusinessDate;
use crate::domain::user::User;
use crate::state::StateIndex;

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

    /// The settings of mails in the store, for a caller who may change them.
    ///
    /// # Errors
    /// The role; if the file cannot be read.
    pub fn mail_settings(
        &self,
        caller: &Caller,
        index: &StateIndex,
    ) -> Result<MailSettings, AppError> {
        caller.require(Right::Administer)?;
        Ok(self.auth(index)?.mail_settings()?)
    }

    /// Replaces the settings of mails in the store.
    ///
    /// # Errors
    /// The role; if the file cannot be written.
    pub fn set_mail_settings(
        &self,
        caller: &Caller,
        index: &StateIndex,
        settings: &MailSettings,
    ) -> Result<(), AppError> {
        caller.require(Right::Administer)?;
        Ok(self.auth(index)?.set_mail_settings(settings)?)
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
    /// Sends mails again that are in one of these states and of dates from `since` on.
    ///
    /// # Errors
    /// An error that stops the notifier; a failed mail is no error.
    pub fn resend(
        &self,
        routes: &MailRoutes,
        states: &[MailState],
        since: Option<BusinessDate>,
    ) -> Result<Resent, AppError> {
        let index = self.app.index()?;
        self.app.check_pins(&self.app.company(&index)?)?;
        let (around, mut access) = (self.app.around(), WriterAccess::PerBatch);
        Ok(notifier::resend(
            &around,
            &mut access,
            routes,
            (states, since),
        )?)
    }

    /// The user to whom a mail is to go, by login or id.
    ///
    /// # Errors
    /// If there is no such user.
    pub fn recipient(&self, name: &str) -> Result<User, AppError> {
        known_user(&self.app.index()?, name)
    }
}
