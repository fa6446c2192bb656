//! The time of the next attempt after a mail failed. Pure.

use crate::domain::time::EventTime;

/// After this many failed attempts a mail waits for `mail retry`.
pub const ATTEMPTS_MAX: u32 = 10;
const FIRST_BACKOFF_MICROS: i64 = 60 * 1_000_000;
const BACKOFF_MICROS_MAX: i64 = 6 * 60 * 60 * 1_000_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NextTry {
    /// At this time or later, by the notifier.
    At(EventTime),
    /// Only by `mail retry`.
    OnRequest,
}

/// The next attempt after attempt `attempt`, counted from 1, failed at `failed_at`: a minute after
/// the first, twice as long after each further one, at most six hours. After a permanent failure,
/// the tenth attempt and every later one (a requested retry) there is no automatic attempt.
pub fn after_failure(attempt: u32, permanent: bool, failed_at: EventTime) -> NextTry {
    if permanent || attempt >= ATTEMPTS_MAX {
        return NextTry::OnRequest;
    }
    let doubled = FIRST_BACKOFF_MICROS << attempt.saturating_sub(1);
    let next = EventTime::from_micros(failed_at.micros() + doubled.min(BACKOFF_MICROS_MAX));
    next.map_or(NextTry::OnRequest, NextTry::At)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes_after(attempt: u32) -> Option<i64> {
        let failed_at: EventTime = "2026-11-22T10:00:00Z".parse().unwrap();
        match after_failure(attempt, false, failed_at) {
            NextTry::At(time) => Some(failed_at.micros_until(time) / 60_000_000),
            NextTry::OnRequest => None,
        }
    }

    #[test]
    fn waits_double_from_a_minute_and_end_with_the_tenth_attempt() {
        let waits: Vec<_> = (1..=9)
            .map(|attempt| minutes_after(attempt).unwrap())
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256]);
        assert_eq!([10, 11, u32::MAX].map(minutes_after), [None, None, None]);
    }

    #[test]
    fn no_wait_is_longer_than_six_hours() {
        assert!((1..ATTEMPTS_MAX).all(|attempt| minutes_after(attempt).unwrap() <= 360));
    }

    #[test]
    fn a_permanent_failure_waits_for_somebody_to_ask() {
        assert_eq!(
            after_failure(1, true, "2026-11-22T10:00:00Z".parse().unwrap()),
            NextTry::OnRequest
        );
    }
}
