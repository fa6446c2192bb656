//! Bringing consumers to the head, and making their tables anew.

use crate::app::{App, AppError};
use crate::consumers::notifier::{self, MailRoutes};
use crate::consumers::run::consume_analytics;
use crate::consumers::table_file::rebuild;
use crate::consumers::{Consumed, tracker};
use crate::domain::event::Consumer;
use crate::store::Tables;

/// The first round reads the log, the second what accounting and the notifier appended meanwhile, the third what
/// others made of that. More rounds are needed only while other processes append all the time.
const ROUNDS_MAX: usize = 3;

impl App<'_> {
    /// Runs consumers in the given order, again and again, until each is at the head: the events that accounting
    /// appends are news to the others. A consumer that fails does not keep the others from going on; only the tracker
    /// does, because everybody decides from its index.
    ///
    /// # Errors
    /// A failure that names a damaged file, or the first one, after all others have gone on.
    pub fn consume(
        &self,
        consumers: &[Consumer],
        routes: &MailRoutes,
    ) -> Result<Vec<Consumed>, AppError> {
        let mut total: Vec<Consumed> = Vec::new();
        let mut failures: Vec<(Consumer, AppError)> = Vec::new();
        for _ in 0..ROUNDS_MAX {
            let mut has_moved = false;
            for &consumer in consumers {
                if failures.iter().any(|(failed, _)| *failed == consumer) {
                    continue;
                }
                let consumed = match self.consume_one(consumer, routes) {
                    Ok(consumed) => consumed,
                    Err(error) if consumer == Consumer::Tracker => return Err(error),
                    Err(error) => {
                        failures.push((consumer, error));
                        continue;
                    }
                };
                has_moved |= consumed.applied + consumed.appended > 0;
                match total.iter_mut().find(|sum| sum.consumer == consumer) {
                    None => total.push(consumed),
                    Some(sum) => add(sum, &consumed),
                }
            }
            let head = self.log.head()?.sequence;
            if !has_moved || total.iter().all(|consumed| consumed.to == head) {
                break;
            }
        }
        // A damaged file is moved aside with the failure that names it, so that one goes first.
        let is_of_damage = |(_, error): &(Consumer, AppError)| error.damaged_file().is_some();
        let first = failures.iter().position(is_of_damage).unwrap_or(0);
        match failures.into_iter().nth(first) {
            Some((_, error)) => Err(error),
            None => Ok(total),
        }
    }

    fn consume_one(&self, consumer: Consumer, routes: &MailRoutes) -> Result<Consumed, AppError> {
        match consumer {
            Consumer::Tracker => Ok(tracker::consume(&self.around(), false)?),
            Consumer::Accounting => self.consume_accounting(),
            Consumer::Analytics => Ok(consume_analytics(&self.around())?),
            Consumer::Notifier => self.consume_notifier(routes),
        }
    }

    /// Makes the tables of a consumer anew from the first event, beside the live ones.
    ///
    /// # Errors
    /// If the log or the file of the consumer cannot be read.
    pub fn rebuild(&self, consumer: Consumer) -> Result<(), AppError> {
        match consumer {
            Consumer::Tracker => drop(tracker::consume(&self.around(), true)?),
            Consumer::Accounting => rebuild(&self.around(), Tables::Accounting)?,
            Consumer::Analytics => rebuild(&self.around(), Tables::Analytics)?,
            Consumer::Notifier => notifier::rebuild(&self.around())?,
        }
        Ok(())
    }
}

fn add(sum: &mut Consumed, more: &Consumed) {
    sum.to = more.to;
    sum.applied += more.applied;
    sum.appended += more.appended;
}
