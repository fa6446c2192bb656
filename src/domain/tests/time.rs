//! The end of business dates, in every zone of the IANA database around every change of its clock.
//!
//! A close pays the earnings up to the end of a date, so a date must not end while users can still
//! earn on it, nor stay open after that.

use jiff::{Timestamp, ToSpan, tz};
use proptest::prelude::*;

use crate::domain::tests::facts::{at, on};
use crate::domain::time::{BusinessDate, EventTime, Zone};

fn micros_later(moment: EventTime, micros: i64) -> EventTime {
    EventTime::from_micros(moment.micros() + micros).unwrap()
}

fn all_zones() -> Vec<Zone> {
    let names: Vec<_> = tz::db()
        .available()
        .filter_map(|name| Zone::named(name.as_str()).ok())
        .collect();
    assert!(names.len() > 400, "the bundled database is there");
    names
}

/// The times from 1840 to 2040 at which a zone's clock changed.
fn clock_changes(zone: &Zone) -> Vec<Timestamp> {
    let zone = tz::TimeZone::get(zone.name()).unwrap();
    let (from, until) = (
        at("1840-01-01T00:00:00Z").timestamp(),
        at("2040-01-01T00:00:00Z").timestamp(),
    );
    zone.following(from)
        .map(|change| change.timestamp())
        .take_while(|change| *change < until)
        .collect()
}

/// `date` is over at `end_of(date)`, not a microsecond earlier, and never comes back.
fn assert_ends_once(zone: &Zone, date: BusinessDate, changes: &[Timestamp]) {
    let end = zone.end_of(date);
    let name = zone.name();
    assert!(zone.date_of(end) > date, "{name}: {date} goes on at {end}");
    assert!(
        zone.date_of(micros_later(end, -1)) <= date,
        "{name}: {date} was over before {end}"
    );
    // Local time only runs backwards when the clock changes.
    for change in changes
        .iter()
        .map(|change| EventTime::new(*change))
        .filter(|change| *change > end)
    {
        assert!(
            zone.date_of(change) > date,
            "{name}: {date} is back at {change}"
        );
    }
}

#[test]
fn every_date_around_every_clock_change_of_every_zone_ends_once() {
    for zone in all_zones() {
        let changes = clock_changes(&zone);
        for change in &changes {
            let date = zone.date_of(EventTime::new(*change));
            let nearby = changes
                .iter()
                .filter(|other| other.duration_since(*change).as_hours().abs() < 100);
            let nearby: Vec<_> = nearby.copied().collect();
            for date in date.plus_days(-3).through(date.plus_days(2)) {
                assert_ends_once(&zone, date, &nearby);
            }
        }
    }
}

#[test]
fn every_date_of_two_years_of_every_zone_ends_once_and_later_than_the_date_before() {
    for zone in all_zones() {
        let changes = clock_changes(&zone);
        let mut previous_end = zone.end_of(on("2024-12-31"));
        for date in on("2025-01-01").through(on("2026-12-31")) {
            let end = zone.end_of(date);
            assert!(
                end > previous_end,
                "{}: {date} is not skipped in these years",
                zone.name()
            );
            assert!(
                zone.date_of(end) > date && zone.date_of(micros_later(end, -1)) == date,
                "{} {date}",
                zone.name()
            );
            assert!(zone.has_date(date));
            previous_end = end;
        }
        assert_ends_once(&zone, on("2026-12-31"), &changes);
    }
}

#[test]
fn a_date_that_summer_time_begins_at_midnight_ends_when_its_first_hour_would_have_begun() {
    // Toronto, 1919-03-30: at 23:30 the clock went to 00:30 of the 31st.
    let toronto = Zone::named("America/Toronto").unwrap();
    assert_eq!(toronto.end_of(on("1919-03-30")), at("1919-03-31T04:30:00Z"));
    // Cuba, 2026-03-08: at 00:00 the clock goes to 01:00.
    let havana = Zone::named("America/Havana").unwrap();
    assert_eq!(havana.end_of(on("2026-03-07")), at("2026-03-08T05:00:00Z"));
}

#[test]
fn a_skipped_date_ends_together_with_the_date_before() {
    let apia = Zone::named("Pacific/Apia").unwrap();
    assert_eq!(apia.end_of(on("2011-12-30")), apia.end_of(on("2011-12-29")));
    assert_eq!(apia.end_of(on("2011-12-29")), at("2011-12-30T10:00:00Z"));
}

#[test]
fn the_last_dates_of_the_calendar_end_somewhere() {
    for name in ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"] {
        let zone = Zone::named(name).unwrap();
        for date in ["9999-12-29", "9999-12-30", "9999-12-31"] {
            assert!(
                zone.end_of(on(date)) > at("9999-12-29T00:00:00Z"),
                "{name} {date}"
            );
        }
    }
}

#[test]
fn the_zone_that_stands_for_no_zone_is_no_name() {
    assert!(Zone::named("Etc/Unknown").is_err());
}

#[test]
fn an_offset_is_less_than_a_day_and_agrees_with_the_zone_beside_it() {
    let ten = at("2026-11-22T10:00:00Z");
    for text in [
        "2026-11-22T13:00:00+03:00",
        "2026-11-23T09:59:00+23:59",
        "2026-11-21T10:01:00-23:59",
        "2026-11-22T13:00:00+03:00[Europe/Moscow]",
        "2026-11-22T10:00:00Z[Europe/Moscow]",
    ] {
        assert_eq!(text.parse(), Ok(ten), "{text}");
    }
    for text in [
        "2026-11-23T11:00:00+25:00",
        "2026-11-23T10:00:00+24:00",
        "2026-11-21T10:00:00-24:00",
        "2026-11-22T10:00:00+02:00[Europe/Moscow]",
        "2026-11-22T13:00:00+03:00[Mars/Olympus]",
        "2026-11-22T10:00:00[Europe/Moscow]",
        "2026-11-22T10:00:00",
    ] {
        assert!(text.parse::<EventTime>().is_err(), "{text}");
    }
}

#[test]
fn a_time_zone_that_does_not_agree_with_the_offset_is_named_as_the_cause() {
    for (text, cause) in [
        (
            "2026-11-22T10:00:00+02:00[Europe/Moscow]",
            "the offset of `TEXT` contradicts its time zone, which is at +03 at this time",
        ),
        (
            "2026-07-22T10:00:00+01:00[Europe/Berlin]",
            "the offset of `TEXT` contradicts its time zone, which is at +02 at this time",
        ),
        (
            "2026-11-22T13:00:00+03:00[Mars/Olympus]",
            "`TEXT` names a time zone that the IANA database does not have",
        ),
        ("2026-11-22T10:00:00", "`TEXT` is not a time"),
    ] {
        let error = text.parse::<EventTime>().unwrap_err();
        assert_eq!(error.to_string(), cause.replace("TEXT", text));
    }
}

#[test]
fn counting_days_beyond_the_calendar_stops_at_its_end() {
    assert_eq!(on("2026-11-22").plus_days(i64::MAX), on("9999-12-31"));
    assert_eq!(BusinessDate::from_epoch_days(i32::MAX), on("9999-12-31"));
    assert!(on("2026-11-22").plus_days(i64::MIN) < on("0000-01-01"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_time_is_read_back_as_it_was_written(micros in Timestamp::MIN.as_microsecond()..=Timestamp::MAX.as_microsecond()) {
        let time = EventTime::from_micros(micros).unwrap();
        let text = time.to_string();
        prop_assert_eq!(text.parse::<EventTime>().unwrap(), time);
        prop_assert_eq!(text.rsplit_once('.').map(|(_, fraction)| fraction.len()), Some("000000Z".len()));
    }

    #[test]
    fn a_date_is_read_back_as_it_was_written(days in -719_528..=2_932_896_i32) {
        let date = BusinessDate::from_epoch_days(days);
        prop_assert_eq!(date.to_string().parse::<BusinessDate>().unwrap(), date);
        prop_assert_eq!(date.epoch_days(), days);
        prop_assert_eq!(date.previous().next(), date);
    }

    #[test]
    fn whatever_is_read_as_a_date_is_written_the_same(text in "\\PC{0,12}|[0-9]{4}[-/ ][0-9]{2}-[0-9]{2}") {
        if let Ok(date) = text.parse::<BusinessDate>() {
            prop_assert_eq!(date.to_string(), text);
        }
    }

    #[test]
    fn no_text_makes_reading_a_time_panic(text in "\\PC{0,40}") {
        let _ = text.parse::<EventTime>();
    }

    #[test]
    fn later_moments_are_never_cut_to_earlier_ones(seconds in -4_000_000_000..=4_000_000_000_i64, nanos in 0..2_000_000_i64) {
        let start = Timestamp::from_second(seconds).unwrap();
        let cut = |nanos: i64| EventTime::new(start + nanos.nanoseconds());
        prop_assert!(cut(nanos) <= cut(nanos + 1));
        prop_assert!(cut(nanos).timestamp() <= start + nanos.nanoseconds(), "cut off, never rounded up");
    }
}
