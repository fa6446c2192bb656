//! Pay mails on behalf of a caller. The routes come from settings that `cli` has read.

use crate::app::{App, AppError};
use crate::consumers::notifier::{self, MailRoutes, MailRow, Outstanding, Retried};
use crate::consumers::{Consumed, WriterAccess};

impl App<'_> {
    /// Sends every mail that is due and records how each ended.
    ///
    /// # Errors
    /// An error that stops the notifier; a failing mail is none.
    pub fn consume_notifier(&self, routes: &MailRoutes) -> Result<Consumed, AppError> {
        let index = self.index()?;
        self.check_pins(&self.company(&index)?)?;
        Ok(notifier::consume(
            &self.around(),
            &mut WriterAccess::PerBatch,
            routes,
        )?)
    }

    /// The mails that are not sent, as far as the notifier has read.
    pub fn outstanding_mails(&self) -> Result<Outstanding, AppError> {
        Ok(notifier::outstanding(&self.around())?)
    }

    /// Every pay mail as of the head.
    ///
    /// # Errors
    /// If the log or the file of the notifier cannot be read.
    pub fn mails(&self) -> Result<Vec<MailRow>, AppError> {
        Ok(notifier::list(&self.around())?)
    }

    /// Makes one more attempt at a mail, named by its payout or the beginning of it.
    ///
    /// # Errors
    /// If there is no such mail.
    pub fn retry_mail(&self, routes: &MailRoutes, payout: &str) -> Result<Retried, AppError> {
        let index = self.index()?;
        self.check_pins(&self.company(&index)?)?;
        Ok(notifier::retry(
            &self.around(),
            &mut WriterAccess::PerBatch,
            routes,
            payout,
        )?)
    }
}
