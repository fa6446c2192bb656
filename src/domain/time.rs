//! Times and business dates. No function here reads a clock.

mod log_form;

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::fmt::temporal::Pieces;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan, Zoned};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const SECONDS_PER_DAY: i64 = 86_400;
/// From -9999-01-01 to 9999-12-31, the largest distance of two dates.
const CALENDAR_DAYS: i64 = 7_304_483;

/// A time with microsecond precision, written as RFC 3339 UTC with six fraction digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EventTime(Timestamp);

impl EventTime {
    /// Fractions of a microsecond are cut off, before 1970 too.
    pub fn new(moment: Timestamp) -> Self {
        let nanos = moment.as_nanosecond().div_euclid(1_000);
        let micros = i64::try_from(nanos).expect("microseconds of a timestamp fit");
        Self::from_micros(micros).expect("a timestamp cut to microseconds stays in range")
    }

    /// Microseconds since 1970-01-01T00:00:00Z; `None` outside the years -9999..9999.
    pub fn from_micros(micros: i64) -> Option<Self> {
        // jiff's own conversion from microseconds does not reach the last second of the calendar.
        Timestamp::from_nanosecond(i128::from(micros) * 1_000)
            .ok()
            .map(Self)
    }

    pub fn micros(self) -> i64 {
        self.0.as_microsecond()
    }

    pub fn timestamp(self) -> Timestamp {
        self.0
    }

    /// The microseconds from `self` to `later`; negative if `self` is the later one.
    pub fn micros_until(self, later: EventTime) -> i64 {
        later.micros() - self.micros()
    }
}

impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match log_form::written(self.micros()) {
            Some(text) => f.write_str(std::str::from_utf8(&text).expect("digits are ASCII")),
            None => write!(f, "{:.6}", self.0),
        }
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseTimeError {
    #[error("`{text}` is not a time")]
    NotATime { text: String },
    #[error("`{text}` names a time zone that the IANA database does not have")]
    UnknownZone { text: String },
    #[error("the offset of `{text}` contradicts its time zone, which is at {offset} at this time")]
    Contradiction { text: String, offset: Offset },
}

/// Accepts any RFC 3339 time with an offset, and one with a time zone in brackets that agrees with it.
impl FromStr for EventTime {
    type Err = ParseTimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match log_form::read(text.as_bytes()).and_then(Self::from_micros) {
            Some(time) => Ok(time),
            None => read_with_offset(text).map(Self::new),
        }
    }
}

/// RFC 3339 allows no offset of a day or more, though ISO 8601 does.
fn read_with_offset(text: &str) -> Result<Timestamp, ParseTimeError> {
    let not_a_time = || ParseTimeError::NotATime {
        text: text.to_owned(),
    };
    let pieces = Pieces::parse(text).map_err(|_| not_a_time())?;
    let offset = pieces.to_numeric_offset().ok_or_else(not_a_time)?;
    if i64::from(offset.seconds()).abs() >= SECONDS_PER_DAY {
        return Err(not_a_time());
    }
    let moment: Timestamp = text.parse().map_err(|_| not_a_time())?;
    if pieces.time_zone_annotation().is_none() {
        return Ok(moment);
    }
    if let Ok(zoned) = text.parse::<Zoned>() {
        return Ok(zoned.timestamp());
    }
    let text = text.to_owned();
    Err(match pieces.to_time_zone() {
        Ok(Some(zone)) => ParseTimeError::Contradiction {
            text,
            offset: zone.to_offset(moment),
        },
        Ok(None) | Err(_) => ParseTimeError::UnknownZone { text },
    })
}

/// The date of an entry in the company's time zone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BusinessDate(Date);

impl BusinessDate {
    pub const fn new(date: Date) -> Self {
        Self(date)
    }

    pub const fn civil(self) -> Date {
        self.0
    }

    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.tomorrow().expect("dates end in the year 9999"))
    }

    #[must_use]
    pub fn previous(self) -> Self {
        Self(self.0.yesterday().expect("dates begin in the year -9999"))
    }

    /// Stops at the ends of the calendar.
    #[must_use]
    pub fn plus_days(self, days: i64) -> Self {
        let days = days.clamp(-CALENDAR_DAYS, CALENDAR_DAYS);
        Self(self.0.saturating_add(days.days()))
    }

    /// Days since 1970-01-01, the physical form of a date in DuckDB and Polars.
    pub fn epoch_days(self) -> i32 {
        let span = self
            .0
            .since(Date::constant(1970, 1, 1))
            .expect("both are in range");
        span.get_days()
    }

    pub fn from_epoch_days(days: i32) -> Self {
        Self(Date::constant(1970, 1, 1)).plus_days(days.into())
    }

    /// `self`, `self + 1`, … up to and including `last`.
    pub fn through(self, last: BusinessDate) -> impl Iterator<Item = BusinessDate> {
        let mut next = (self <= last).then_some(self);
        std::iter::from_fn(move || {
            let date = next?;
            next = (date < last).then(|| date.next());
            Some(date)
        })
    }
}

impl fmt::Display for BusinessDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not a date; write it like 2026-11-22")]
pub struct ParseDateError {
    text: String,
}

/// Exactly `YYYY-MM-DD`.
impl FromStr for BusinessDate {
    type Err = ParseDateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shaped = text.len() == 10 && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-';
        let date = shaped.then(|| text.parse::<Date>().ok()).flatten();
        date.map(Self).ok_or_else(|| ParseDateError {
            text: text.to_owned(),
        })
    }
}

/// The company's time zone: the business date of a time, and the end of a date.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{name}` is not a time zone of the IANA database; write it like Europe/Moscow or UTC")]
pub struct UnknownZone {
    name: String,
}

impl Zone {
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// An IANA name such as `Europe/Moscow`. POSIX rules and fixed offsets are not names.
    pub fn named(name: &str) -> Result<Self, UnknownZone> {
        let unknown = || UnknownZone {
            name: name.to_owned(),
        };
        let zone = TimeZone::get(name).map_err(|_| unknown())?;
        match zone.iana_name() {
            Some(_) => Ok(Self(zone)),
            None => Err(unknown()),
        }
    }

    /// The name of the zone whose city is written like this, such as `Europe/Moscow` for `moscow`.
    pub fn of_city(city: &str) -> Option<String> {
        let city = city.trim().replace(' ', "_");
        let is_city = |name: &str| {
            let last = name.rsplit('/').next();
            name.contains('/') && last.is_some_and(|last| last.eq_ignore_ascii_case(&city))
        };
        jiff::tz::db()
            .available()
            .map(|name| name.to_string())
            .find(|name| is_city(name) || name.contains('/') && name.eq_ignore_ascii_case(&city))
    }

    /// Whether the zone is `Etc/Unknown`, which stands for a missing setting.
    pub fn is_unset(&self) -> bool {
        self.name() == "Factory"
    }

    /// Date and time of day in this zone, such as `2026-11-30 12:36:23`.
    pub fn local(&self, moment: EventTime) -> String {
        let local = self.0.to_datetime(moment.0);
        local.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// The microseconds since midnight on the clock of this zone.
    pub fn micros_of_day(&self, moment: EventTime) -> i64 {
        let clock = self.0.to_datetime(moment.0).time();
        let seconds = i64::from(clock.hour()) * 3600
            + i64::from(clock.minute()) * 60
            + i64::from(clock.second());
        seconds * 1_000_000 + i64::from(clock.subsec_nanosecond()) / 1_000
    }

    pub fn date_of(&self, moment: EventTime) -> BusinessDate {
        BusinessDate(self.0.to_datetime(moment.0).date())
    }

    /// The first time at which no local time of `date` or earlier is left; from then on `date` can
    /// be closed. If summer time repeats the hour before midnight, it is the end of the second
    /// pass; if it leaves midnight out, the time of the jump. At the end of the calendar it is the
    /// last time there is.
    pub fn end_of(&self, date: BusinessDate) -> EventTime {
        let midnight = (i64::from(date.epoch_days()) + 1) * SECONDS_PER_DAY;
        let mut end = midnight;
        for period in self.periods_around(midnight) {
            // A period that begins on a later date contains nothing of `date`, unless the clock
            // goes back.
            let local_midnight = midnight - period.offset_seconds;
            if period.from < local_midnight {
                end = local_midnight.min(period.until);
            }
        }
        EventTime::new(nearest_timestamp(end))
    }

    /// The periods of constant offset in the two days before and after `second`: no zone is, and no
    /// clock was ever turned, further from UTC than that.
    fn periods_around(&self, second: i64) -> impl Iterator<Item = OffsetPeriod> {
        let (opening, closing) = (second - 2 * SECONDS_PER_DAY, second + 2 * SECONDS_PER_DAY);
        let start = nearest_timestamp(opening);
        let changes = self
            .0
            .following(start)
            .map(|change| (change.timestamp().as_second(), change.offset()));
        let mut changes = changes.take_while(move |(at, _)| *at < closing);
        let mut next = Some((opening, self.0.to_offset(start)));
        std::iter::from_fn(move || {
            let (from, offset) = next?;
            next = changes.next();
            let until = next.map_or(closing, |(at, _)| at);
            Some(OffsetPeriod {
                from,
                until,
                offset_seconds: offset.seconds().into(),
            })
        })
    }

    /// Whether the zone has any time on `date`; Samoa had none on 2011-12-30.
    pub fn has_date(&self, date: BusinessDate) -> bool {
        let start = self.end_of(date.previous());
        self.date_of(start) == date
    }

    pub fn name(&self) -> &str {
        self.0
            .iana_name()
            .expect("only named zones are constructed")
    }
}

/// A time during which a zone's offset stays the same, in seconds since 1970 UTC.
struct OffsetPeriod {
    from: i64,
    until: i64,
    /// East of UTC is positive.
    offset_seconds: i64,
}

fn nearest_timestamp(second: i64) -> Timestamp {
    let second = second.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(second).expect("clamped into range")
}

macro_rules! serde_as_text {
    ($name:ident, $expecting:literal) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl Visitor<'_> for Text {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expecting)
                    }

                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse()
                            .map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    };
}

serde_as_text!(EventTime, "an RFC 3339 time");
serde_as_text!(BusinessDate, "a date YYYY-MM-DD");

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> EventTime {
        text.parse().unwrap()
    }

    fn on(text: &str) -> BusinessDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_always_has_six_fraction_digits() {
        assert_eq!(
            at("2026-11-22T10:00:00Z").to_string(),
            "2026-11-22T10:00:00.000000Z"
        );
        assert_eq!(
            at("2026-11-22T13:00:00.1234567+03:00").to_string(),
            "2026-11-22T10:00:00.123456Z"
        );
    }

    #[test]
    fn the_business_date_is_the_local_one() {
        let moscow = Zone::named("Europe/Moscow").unwrap();
        assert_eq!(
            moscow.date_of(at("2026-11-22T20:59:59.999999Z")),
            on("2026-11-22")
        );
        assert_eq!(moscow.date_of(at("2026-11-22T21:00:00Z")), on("2026-11-23"));
        assert_eq!(moscow.end_of(on("2026-11-22")), at("2026-11-22T21:00:00Z"));
    }

    #[test]
    fn a_date_whose_last_hour_repeats_ends_after_the_second_pass() {
        // Azores, 2026-10-25: at 01:00 the clock goes back to 00:00; the date itself is not repeated.
        let azores = Zone::named("Atlantic/Azores").unwrap();
        assert_eq!(azores.end_of(on("2026-10-24")), at("2026-10-25T00:00:00Z"));
        // Paraguay, 2024-03-24: at 00:00 the clock went back to 23:00 of the 23rd.
        let asuncion = Zone::named("America/Asuncion").unwrap();
        let end = asuncion.end_of(on("2024-03-23"));
        assert_eq!(asuncion.date_of(end), on("2024-03-24"));
        let last = EventTime::from_micros(end.micros() - 1).unwrap();
        assert_eq!(asuncion.date_of(last), on("2024-03-23"));
        assert_eq!(end, at("2024-03-24T04:00:00Z"));
    }

    #[test]
    fn a_date_that_the_zone_skips_has_no_moment() {
        let apia = Zone::named("Pacific/Apia").unwrap();
        assert!(!apia.has_date(on("2011-12-30")));
        assert!(apia.has_date(on("2011-12-29")));
        assert!(apia.has_date(on("2011-12-31")));
    }

    #[test]
    fn dates_round_trip_through_epoch_days() {
        for text in ["1970-01-01", "2026-11-22", "1969-12-31", "2024-02-29"] {
            assert_eq!(
                BusinessDate::from_epoch_days(on(text).epoch_days()),
                on(text)
            );
        }
        assert_eq!(on("1970-01-02").epoch_days(), 1);
    }

    #[test]
    fn only_plain_dates_and_named_zones_are_read() {
        for text in ["2026-1-2", "20261122", "2026-11-22T00:00", "2026-02-30", ""] {
            assert!(text.parse::<BusinessDate>().is_err(), "{text}");
        }
        for name in ["Mars/Olympus", "", "+03:00", "EST5EDT,M3.2.0,M11.1.0"] {
            assert!(Zone::named(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_range_of_dates_has_both_ends() {
        let dates: Vec<_> = on("2026-02-27")
            .through(on("2026-03-01"))
            .map(|d| d.to_string())
            .collect();
        assert_eq!(dates, ["2026-02-27", "2026-02-28", "2026-03-01"]);
        assert_eq!(on("2026-03-01").through(on("2026-02-27")).count(), 0);
    }
}
