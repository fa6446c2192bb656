//! The time of the next batch: the clock, compared with the log's last event.

use crate::domain::clock::{self, Stamp};
use crate::domain::id::Sequence;
use crate::domain::rejection::Rejection;
use crate::domain::time::EventTime;
use crate::event_log::{FileLog, LogError};
use crate::turn::Surroundings;

/// Why the next batch gets no time.
#[derive(Debug, thiserror::Error)]
pub enum StampError {
    /// [`Rejection::ClockBehind`]
    #[error(transparent)]
    Rejected(#[from] Rejection),
    #[error(transparent)]
    Log(#[from] LogError),
}

/// The time of the next batch. Warns if the clock is behind.
///
/// # Errors
/// As [`check_clock`].
pub fn stamp(last: Option<EventTime>, around: &Surroundings<'_>) -> Result<EventTime, StampError> {
    let stamp = check_clock(last, around)?;
    if let Some(behind) = stamp.warn_behind_micros {
        around.notices.warn(&format!(
            "the clock is {} s behind the log's last event; the event takes that event's time",
            behind / 1_000_000
        ));
    }
    Ok(stamp.time)
}

/// Checks that a batch could get a time now.
///
/// # Errors
/// [`Rejection::ClockBehind`], with the last event before the clock ran ahead.
pub fn check_clock(
    last: Option<EventTime>,
    around: &Surroundings<'_>,
) -> Result<Stamp, StampError> {
    match clock::stamp(around.clock.now(), last) {
        Err(Rejection::ClockBehind { now, last, .. }) => {
            let before_jump = last_event_before(around.log, now)?;
            Err(Rejection::ClockBehind {
                now,
                last,
                before_jump,
            }
            .into())
        }
        other => Ok(other?),
    }
}

/// How far ahead of the remote's clock an event may be. A machine whose clock is further behind than
/// this cannot write after the event.
const AHEAD_MICROS: i64 = 600_000_000;

/// Checks the time of a batch against the clock of the remote: an event from the future would keep
/// all other machines from writing.
///
/// # Errors
/// [`LogError::ClockAhead`]
pub fn check_not_ahead(time: EventTime, there: EventTime, name: String) -> Result<(), LogError> {
    match there.micros_until(time) {
        ahead if ahead > AHEAD_MICROS => Err(LogError::ClockAhead {
            name,
            seconds: ahead / 1_000_000,
        }),
        _ => Ok(()),
    }
}

/// The last event that is not later than `now`.
fn last_event_before(log: &FileLog, now: EventTime) -> Result<Sequence, LogError> {
    let mut last = Sequence::ZERO;
    log.for_each(Sequence::FIRST, &mut |line| {
        if line.event_time()? <= now {
            last = line.sequence;
        }
        Ok(())
    })?;
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_far_ahead_of_the_remote_is_refused() {
        let at = |micros| EventTime::from_micros(1_700_000_000_000_000 + micros).unwrap();
        let check = |time| check_not_ahead(at(time), at(0), "db1".to_owned());
        for near in [-AHEAD_MICROS * 9, 0, AHEAD_MICROS] {
            check(near).unwrap();
        }
        let refused = check(AHEAD_MICROS + 1_000_000).unwrap_err();
        let told = "the clock of this machine is 601 s ahead of the clock of db1";
        assert_eq!(refused.to_string(), told);
    }
}
