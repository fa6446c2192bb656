//! A token's time to live, as users write it: `90d`, `12h`, `30m`, `45s`, `2w`.

use std::fmt;
use std::str::FromStr;

use crate::credentials::error::CredentialError;
use crate::domain::time::EventTime;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;
const DAYS_MAX: u64 = 3650;

/// A time to live: at least a second, at most 3650 days.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Ttl {
    seconds: u64,
}

impl Ttl {
    /// The time to live of a session: a working day with overtime.
    pub const SESSION: Ttl = Ttl { seconds: 12 * HOUR };
    /// The default time to live of a one-time code.
    pub const INVITE: Ttl = Ttl { seconds: 3 * DAY };
    /// The default time to live of an issued token.
    pub const TOKEN: Ttl = Ttl { seconds: 90 * DAY };

    pub const fn seconds(self) -> u64 {
        self.seconds
    }

    /// The end of something issued `at`; `None` after the year 9999.
    pub fn after(self, at: EventTime) -> Option<EventTime> {
        let micros = i64::try_from(self.seconds).ok()?.checked_mul(1_000_000)?;
        EventTime::from_micros(at.micros().checked_add(micros)?)
    }
}

/// Parses one whole number and one unit.
impl FromStr for Ttl {
    type Err = CredentialError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map_err(|reason| CredentialError::BadTtl {
            text: text.to_owned(),
            reason,
        })
    }
}

fn parse(text: &str) -> Result<Ttl, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err("it does not start with a whole number".to_owned());
    }
    let unit_seconds = match unit {
        "s" => 1,
        "m" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        "w" => WEEK,
        "" => return Err(format!("the unit is missing; did you mean {number}d?")),
        _ => return Err("after the number comes one of s, m, h, d, w".to_owned()),
    };
    let seconds = number
        .parse()
        .ok()
        .and_then(|number: u64| number.checked_mul(unit_seconds));
    match seconds {
        Some(0) => Err("it would have expired at once".to_owned()),
        Some(seconds) if seconds <= DAYS_MAX * DAY => Ok(Ttl { seconds }),
        _ => Err(format!("the longest is {DAYS_MAX}d")),
    }
}

/// Uses the largest unit that divides the time.
impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(WEEK, 'w'), (DAY, 'd'), (HOUR, 'h'), (MINUTE, 'm')];
        let (size, unit) = units
            .into_iter()
            .find(|(size, _)| self.seconds.is_multiple_of(*size))
            .unwrap_or((1, 's'));
        write!(f, "{}{unit}", self.seconds / size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit_are_a_time_to_live() {
        for (text, seconds) in [
            ("45s", 45),
            ("30m", 1_800),
            ("12h", 43_200),
            ("90d", 7_776_000),
            ("2w", 1_209_600),
            ("3650d", 315_360_000),
        ] {
            assert_eq!(text.parse::<Ttl>().unwrap().seconds(), seconds, "{text}");
            assert_eq!(text.parse::<Ttl>().unwrap().to_string(), text);
        }
        assert_eq!(Ttl::SESSION.to_string(), "12h");
        assert_eq!(Ttl::TOKEN.to_string(), "90d");
    }

    #[test]
    fn anything_else_says_what_is_wrong() {
        for (text, reason) in [
            ("", "does not start with a whole number"),
            ("d", "does not start with a whole number"),
            ("-1d", "does not start with a whole number"),
            (" 1d", "does not start with a whole number"),
            ("٣d", "does not start with a whole number"),
            ("90", "did you mean 90d?"),
            ("1y", "one of s, m, h, d, w"),
            ("1D", "one of s, m, h, d, w"),
            ("1.5h", "one of s, m, h, d, w"),
            ("1d12h", "one of s, m, h, d, w"),
            ("1д", "one of s, m, h, d, w"),
            ("0s", "expired at once"),
            ("3651d", "the longest is 3650d"),
            ("522w", "the longest is 3650d"),
            ("99999999999999999999s", "the longest is 3650d"),
            ("18446744073709551615w", "the longest is 3650d"),
        ] {
            let refused = text.parse::<Ttl>().unwrap_err();
            assert!(refused.to_string().contains(reason), "{text}: {refused}");
            assert!(refused.hint().unwrap().contains("90d"));
        }
    }

    #[test]
    fn beyond_the_calendar_there_is_no_expiry() {
        let last = "9999-12-30T00:00:00Z".parse().unwrap();
        assert_eq!(Ttl::TOKEN.after(last), None);
    }
}
