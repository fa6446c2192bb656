//! Operations on a consumer that is chosen by its name.

use crate::consumers::accounting::Accounting;
use crate::consumers::analytics::Analytics;
use crate::consumers::table_file::{TableFile, process_lock};
use crate::consumers::{ConsumeError, WriterAccess, notifier};
use crate::domain::dead_letter::Stop;
use crate::domain::event::Consumer;
use crate::store::Tables;
use crate::turn::{Overtaken, Surroundings, begin_again};

/// Runs `decide` under the lock of `consumer`, so that no decision about dead letters is made while
/// it runs.
///
/// # Errors
/// If the lock is held for too long, or the error of `decide`.
pub fn with_lock<T, E: From<ConsumeError>>(
    around: &Surroundings<'_>,
    consumer: Consumer,
    decide: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let _lock = process_lock(around, consumer)?;
    decide()
}

/// Brings `consumer` on as far as possible, without sending mails, and runs `decide` with the event
/// that stops it, if any. No other process of this consumer runs in between.
///
/// # Errors
/// A transient error of the consumer, or the error of `decide`.
pub fn while_stopped<T, E: From<ConsumeError>>(
    around: &Surroundings<'_>,
    consumer: Consumer,
    decide: impl FnOnce(Option<Stop>) -> Result<T, E>,
) -> Result<T, E> {
    let stop = |result: Result<(), ConsumeError>| match result {
        Ok(()) => Ok(None),
        Err(error) => error.stop().map_or(Err(error), |stop| Ok(Some(stop))),
    };
    let tables = match consumer {
        Consumer::Tracker => unreachable!("the state index cannot set aside"),
        Consumer::Notifier => {
            return notifier::while_caught_up(around, |caught_up| decide(stop(caught_up)?));
        }
        Consumer::Accounting => Tables::Accounting,
        Consumer::Analytics => Tables::Analytics,
    };
    let run = || {
        let file = TableFile::open(around, tables)?;
        let (lock, came) = file.run(|database, common, withheld| match tables {
            Tables::Accounting => Accounting::resume(database, common, withheld)?.advance(
                around,
                &mut WriterAccess::PerBatch,
                None,
            ),
            Tables::Analytics => {
                Analytics::resume(database, common, withheld)?.catch_up(around, None)
            }
        });
        match came {
            Err(error) if error.is_overtaken() => Err(error),
            came => Ok((lock, came.map(drop))),
        }
    };
    match begin_again(run) {
        Ok((_lock, came)) => decide(stop(came)?),
        Err(error) => with_lock(around, consumer, || decide(stop(Err(error))?)),
    }
}
