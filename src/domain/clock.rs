//! Gives batches their time, so that event times never decrease, even if the machine's clock goes
//! back.

use crate::domain::id::Sequence;
use crate::domain::rejection::Rejection;
use crate::domain::time::EventTime;

/// The current time, as an input of the rules.
pub trait Clock {
    fn now(&self) -> EventTime;

    /// Whether the time was chosen for a test, so that no real clock need agree with it.
    fn is_pinned(&self) -> bool {
        false
    }
}

const SILENT_MICROS: i64 = 1_000_000;
const TOLERATED_MICROS: i64 = 600_000_000;

/// The time of the next batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    pub time: EventTime,
    /// The time by which the clock was behind, if a warning is due.
    pub warn_behind_micros: Option<i64>,
}

/// The time of a batch after an event of time `last`. A clock that is behind by less than a second
/// is clamped silently, up to ten minutes with a warning; beyond that the write is refused.
///
/// # Errors
/// [`Rejection::ClockBehind`]
pub fn stamp(now: EventTime, last: Option<EventTime>) -> Result<Stamp, Rejection> {
    let Some(last) = last.filter(|last| *last > now) else {
        return Ok(Stamp {
            time: now,
            warn_behind_micros: None,
        });
    };
    match now.micros_until(last) {
        behind if behind < SILENT_MICROS => Ok(Stamp {
            time: last,
            warn_behind_micros: None,
        }),
        behind if behind <= TOLERATED_MICROS => Ok(Stamp {
            time: last,
            warn_behind_micros: Some(behind),
        }),
        // A caller that has the log fills in the last sequence before the clock ran ahead.
        _ => Err(Rejection::ClockBehind {
            now,
            last,
            before_jump: Sequence::ZERO,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> EventTime {
        EventTime::from_micros(micros).unwrap()
    }

    #[test]
    fn a_clock_ahead_of_the_log_is_taken_as_it_is() {
        assert_eq!(
            stamp(at(5), Some(at(4))).unwrap(),
            Stamp {
                time: at(5),
                warn_behind_micros: None
            }
        );
        assert_eq!(stamp(at(5), None).unwrap().time, at(5));
    }

    #[test]
    fn a_clock_behind_is_clamped_warned_about_or_refused() {
        let last = at(1_000_000_000);
        let behind = |micros: i64| stamp(at(last.micros() - micros), Some(last));
        assert_eq!(
            behind(999_999).unwrap(),
            Stamp {
                time: last,
                warn_behind_micros: None
            }
        );
        assert_eq!(
            behind(1_000_000).unwrap(),
            Stamp {
                time: last,
                warn_behind_micros: Some(1_000_000)
            }
        );
        assert_eq!(behind(600_000_000).unwrap().time, last);
        assert!(matches!(
            behind(600_000_001),
            Err(Rejection::ClockBehind { .. })
        ));
    }
}
