//! Brings consumers to the head, and rebuilds their tables.

use crate::app::error::in_full;
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
    /// A failure that names a damaged file, or the first one, after all others have run. Further
    /// failures are warnings.
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
        if let Some(damaged) = failures.iter().position(is_of_damage) {
            failures.swap(0, damaged);
        }
        let mut failures = failures.into_iter();
        let Some((_, first)) = failures.next() else {
            return Ok(total);
        };
        for (consumer, error) in failures {
            let (consumer, error) = (consumer.name(), in_full(&error));
            self.notices
                .warn(&format!("{consumer} failed too: {error}"));
        }
        Err(first)
    }

    fn consume_one(&self, consumer: Consumer, routes: &MailRoutes) -> Result<Consumed, AppError> {
        let consumed = match consumer {
            Consumer::Tracker => tracker::consume(&self.around(), false)?,
            Consumer::Accounting => self.consume_accounting()?,
            Consumer::Analytics => consume_analytics(&self.around())?,
            Consumer::Notifier => self.consume_notifier(routes)?,
        };
        self.tell_consumed(&consumed);
        Ok(consumed)
    }

    /// Tells as a detail how far a consumer has come.
    pub(super) fn tell_consumed(&self, consumed: &Consumed) {
        let Consumed {
            consumer,
            to,
            applied,
            appended,
            ..
        } = consumed;
        let name = consumer.name();
        self.notices.detail(format_args!(
            "{name} is at event {to}: {applied} events read, {appended} appended"
        ));
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::app::fixture::Store;
    use crate::consumers::notifier::Outgoing;
    use crate::domain::id::Sequence;
    use crate::mail::{Letterhead, Sender};
    use crate::turn::Notices;

    struct Heard(RefCell<Vec<String>>);

    impl Notices for Heard {
        fn warn(&self, message: &str) {
            self.0.borrow_mut().push(message.to_owned());
        }

        fn advanced(&self, _: Consumer, _: Sequence, _: Sequence) {}
    }

    #[test]
    fn each_consumer_that_fails_is_named() {
        let (store, heard) = (Store::new(), Heard(RefCell::default()));
        let mut app = store.app();
        app.notices = &heard;
        let consumers = [Consumer::Accounting, Consumer::Analytics];
        for consumer in consumers {
            std::fs::create_dir(app.directory.lock(consumer.name())).unwrap();
        }
        let head = Letterhead::of(Sender::parse(None).unwrap());
        let routes = MailRoutes::new(&app.directory, head, Outgoing::Files, false);
        let failed = in_full(&app.consume(&consumers, &routes).unwrap_err());
        assert!(failed.contains("accounting.lock"), "{failed}");
        let heard = heard.0.borrow();
        let [warning] = &heard[..] else {
            panic!("{heard:?}")
        };
        assert!(warning.starts_with("analytics failed too: "), "{warning}");
        assert!(warning.contains("analytics.lock"), "{warning}");
    }
}
