//! Pay mails, as a caller: the routes come from settings that the edge has read.

use crate::app::{App, AppError};
use crate::consumers::notifier::{self, MailRoutes, MailRow, Outstanding, Retried};
use crate::consumers::{Consumed, Pen};
use crate::domain::dead_letter::Stop;
use crate::domain::event::Consumer;
use crate::state::{Checkpoint, StateIndex};

impl App<'_> {
    /// Sends every mail that is due and records how each ended.
    ///
    /// # Errors
    /// Whatever stops the notifier; a mail that fails does not.
    pub fn consume_notifier(&self, routes: &MailRoutes) -> Result<Consumed, AppError> {
        let index = self.index()?;
        self.check_pins(&self.company(&index)?)?;
        Ok(notifier::consume(&self.around(), &mut Pen::ByLock, routes)?)
    }

    /// Reads the log anew without sending anything.
    ///
    /// # Errors
    /// If the log or the notifier's file cannot be read.
    pub fn rebuild_notifier(&self) -> Result<(), AppError> {
        Ok(notifier::rebuild(&self.around())?)
    }

    /// The mails that are not sent, as far as the notifier has read.
    ///
    /// # Errors
    /// If its file cannot be read.
    pub fn outstanding_mails(&self) -> Result<Outstanding, AppError> {
        Ok(notifier::outstanding(&self.around())?)
    }

    /// Every pay mail as of the head.
    ///
    /// # Errors
    /// As [`App::rebuild_notifier`].
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
            &mut Pen::ByLock,
            routes,
            payout,
        )?)
    }

    /// The event that the notifier cannot apply, if it stands right before one.
    ///
    /// # Errors
    /// If its file or the index cannot be read.
    pub fn notifier_stop(&self, index: &StateIndex) -> Result<Option<Stop>, AppError> {
        let resolutions = index.resolutions()?;
        let decided = |sequence| {
            resolutions
                .iter()
                .any(|about| (about.consumer, about.target) == (Consumer::Notifier, sequence))
        };
        Ok(notifier::stop(&self.around(), decided)?)
    }

    /// How far the notifier has read.
    ///
    /// # Errors
    /// If its file cannot be read.
    pub fn notifier_checkpoint(&self) -> Result<Checkpoint, AppError> {
        Ok(notifier::checkpoint(&self.around())?)
    }
}
