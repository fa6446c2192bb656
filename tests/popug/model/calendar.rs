//! Dates of a time zone, found by reading the clock minute by minute, without offsets, rules or
//! transitions.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

pub const MINUTE: i64 = 60_000_000;
pub const DAY: i64 = 1_440 * MINUTE;

#[derive(Clone)]
pub struct Calendar {
    zone: TimeZone,
}

impl Calendar {
    pub fn named(name: &str) -> Calendar {
        Calendar {
            zone: TimeZone::get(name).expect("a zone of the database"),
        }
    }

    /// The date that a clock on the wall shows.
    pub fn date_of(&self, micros: i64) -> Date {
        self.zone.to_datetime(timestamp(micros)).date()
    }

    /// Whether a clock never again shows `date` or an earlier one. No clock is turned back by more
    /// than two days.
    pub fn is_over(&self, date: Date, now: i64) -> bool {
        (0..=2 * 1_440).all(|minute| self.date_of(now + minute * MINUTE) > date)
    }

    /// The first minute at which `date` is over.
    pub fn end_of(&self, date: Date) -> i64 {
        let (mut before, mut over) = (utc_midnight(date) - DAY, utc_midnight(date) + 4 * DAY);
        while over - before > MINUTE {
            let between = (over - before) / MINUTE / 2 * MINUTE;
            if self.is_over(date, before + between) {
                over = before + between;
            } else {
                before += between;
            }
        }
        over
    }

    /// Whether a clock shows `date` in any quarter of an hour.
    pub fn exists(&self, date: Date) -> bool {
        let midnight = utc_midnight(date);
        (-2 * 96..3 * 96).any(|quarter| self.date_of(midnight + quarter * 15 * MINUTE) == date)
    }

    /// The next date that exists.
    pub fn after(&self, date: Date) -> Date {
        let mut next = tomorrow(date);
        while !self.exists(next) {
            next = tomorrow(next);
        }
        next
    }

    /// The next whole minute at which the clock shows another date than now.
    pub fn next_change_of_date(&self, now: i64) -> i64 {
        let (today, minute) = (self.date_of(now), now - now.rem_euclid(MINUTE));
        (1..)
            .map(|n| minute + n * MINUTE)
            .find(|at| self.date_of(*at) != today)
            .expect("every date ends")
    }
}

pub fn tomorrow(date: Date) -> Date {
    date.tomorrow().expect("far from the end of the calendar")
}

/// Both ends included.
pub fn dates(from: Date, to: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(from), |date| Some(tomorrow(*date)))
        .take_while(move |date| *date <= to)
}

fn utc_midnight(date: Date) -> i64 {
    let midnight = TimeZone::UTC
        .to_timestamp(date.at(0, 0, 0, 0))
        .expect("in range");
    midnight.as_microsecond()
}

fn timestamp(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).expect("in range")
}

pub fn micros(text: &str) -> i64 {
    text.parse::<Timestamp>().expect("a time").as_microsecond()
}

/// RFC 3339 with six fraction digits.
pub fn written(micros: i64) -> String {
    format!("{:.6}", timestamp(micros))
}

#[test]
fn a_date_is_over_when_its_last_pass_is() {
    // Newfoundland, 2010-11-07: a minute after midnight the clock goes back to 23:01 of the 6th.
    let newfoundland = Calendar::named("America/St_Johns");
    let (sixth, midnight) = (Date::constant(2010, 11, 6), micros("2010-11-07T02:30:00Z"));
    assert_eq!(newfoundland.date_of(midnight), tomorrow(sixth));
    assert!(!newfoundland.is_over(sixth, midnight));
    assert!(newfoundland.is_over(sixth, midnight + 60 * MINUTE));
    assert!(!newfoundland.is_over(sixth, midnight + 60 * MINUTE - 1));
}

#[test]
fn a_date_that_a_zone_leaves_out_does_not_exist() {
    let samoa = Calendar::named("Pacific/Apia");
    assert_eq!(
        samoa.after(Date::constant(2011, 12, 29)),
        Date::constant(2011, 12, 31)
    );
}
