//! Runs accounting and analytics: in slices of a second, until they are at the head.

use std::time::{Duration, Instant};

use crate::consumers::accounting::Accounting;
use crate::consumers::analytics::Analytics;
use crate::consumers::table_file::TableFile;
use crate::consumers::{ConsumeError, Consumed, WriterAccess};
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::event_log::remote::TurnOf;
use crate::store::Tables;
use crate::turn::{Surroundings, begin_again};

/// After this much work the locks are released, so that others get their turn.
pub(super) const SLICE: Duration = Duration::from_secs(1);
/// The time for which the locks are free between two slices.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

/// Brings accounting to the head with nothing owed. If others keep appending, it stops at the head
/// that it found at first, with the entries that follow from it.
pub fn consume_accounting<'l>(
    around: &Surroundings<'l>,
    access: &mut WriterAccess<'_, 'l>,
) -> Result<Consumed, ConsumeError> {
    // A draft of the log holds the writer lock and does not wait for others again.
    let is_alone = matches!(access, WriterAccess::Held(_)) || around.log.is_draft();
    let until = around.log.head()?.sequence;
    let mut total: Option<Consumed> = None;
    loop {
        let deadline = (!is_alone).then(|| Instant::now() + SLICE);
        let sliced = begin_again(|| {
            with_accounting(around, |accounting| {
                let from = accounting.position().sequence;
                let done = accounting.advance(around, access, deadline)?;
                let (applied, appended) = accounting.counts();
                let to = accounting.position().sequence;
                let slice = Consumed {
                    consumer: Consumer::Accounting,
                    from,
                    to,
                    applied,
                    appended,
                };
                Ok((slice, done, accounting.has_reacted_to(until)))
            })
        });
        if matches!(sliced, Err(ConsumeError::Stopped { .. })) {
            keep_what_was_read(around)?;
        }
        let (slice, done, has_reacted) = sliced?;
        let sum = total.get_or_insert(Consumed {
            applied: 0,
            appended: 0,
            ..slice
        });
        sum.to = slice.to;
        sum.applied += slice.applied;
        sum.appended += slice.appended;
        if done || has_reacted {
            return Ok(*sum);
        }
        std::thread::sleep(PAUSE);
    }
}

/// Stores the tables, so that they show how much is owed and from which event on.
fn keep_what_was_read(around: &Surroundings<'_>) -> Result<(), ConsumeError> {
    with_accounting(around, |accounting| {
        accounting.catch_up(around, None)?;
        accounting.commit()
    })
}

/// Runs `work` as the only accounting process of the company, on the ledger's file.
///
/// # Errors
/// The error of `work`; [`ConsumeError::MovedAside`] if the file was found to be damaged.
pub fn with_accounting<T>(
    around: &Surroundings<'_>,
    work: impl FnOnce(&mut Accounting<'_>) -> Result<T, ConsumeError>,
) -> Result<T, ConsumeError> {
    let _turn = around.take_turn_there(TurnOf::Books)?;
    let (_lock, done) =
        TableFile::open(around, Tables::Accounting)?.run(|database, common, withheld| {
            work(&mut Accounting::resume(database, common, withheld)?)
        });
    done
}

/// Brings analytics at least to the present head.
pub fn consume_analytics(around: &Surroundings<'_>) -> Result<Consumed, ConsumeError> {
    let until = around.log.head()?.sequence;
    let mut start = None;
    loop {
        let (from, to, at_head) = analytics_slice(around)?;
        let from = *start.get_or_insert(from);
        if at_head || to >= until {
            let applied = to.0 - from.0;
            return Ok(Consumed {
                consumer: Consumer::Analytics,
                from,
                to,
                applied,
                appended: 0,
            });
        }
        std::thread::sleep(PAUSE);
    }
}

fn analytics_slice(around: &Surroundings<'_>) -> Result<(Sequence, Sequence, bool), ConsumeError> {
    let deadline = (!around.log.is_draft()).then(|| Instant::now() + SLICE);
    let (_lock, done) =
        TableFile::open(around, Tables::Analytics)?.run(|database, common, withheld| {
            let mut analytics = Analytics::resume(database, common, withheld)?;
            let from = analytics.position().sequence;
            let at_head = analytics.catch_up(around, deadline)?;
            Ok((from, analytics.position().sequence, at_head))
        });
    done
}
