//! Brings consumers to the head, and rebuilds their tables.

use crate::app::{App, AppError};
use crate::consumers::notifier::{self, MailRoutes};
use crate::consumers::run::consume_analytics;
use crate::consumers::table_file::rebuild;
use crate::consumers::{Consumed, tracker};
use crate::domain::event::Consumer;
use crate::store::Tables;

/// The first round reads the log, the second the events that accounting and the notifier appended
/// in it, the third the events that follow from those. More rounds are needed only while other
/// processes keep appending.
const ROUNDS_MAX: usize = 3;

impl App<'_> {
    /// Runs consumers in the given order, again and again, until each is at the head, because the
    /// events of accounting are new to the others. If a consumer fails, the others continue; only
    /// the tracker ends the run, because commands decide from its index.
    ///
    /// # Errors
    /// A failure that names a damaged file, or the first one, after all others have run.
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
        // The failure that names a damaged file comes first, because that file is moved aside.
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

    /// Rebuilds the tables of a consumer from the first event, beside the live ones.
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
