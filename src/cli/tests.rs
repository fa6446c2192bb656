//! Fuzzed dates, times, periods and durations: none makes the program panic, and written values are
//! parsed back.

use proptest::prelude::*;
use proptest::sample::select;

use crate::cli::global::parse_wait;
use crate::credentials::ttl::Ttl;
use crate::domain::period::Unit;
use crate::domain::tests::mutation::mutated;
use crate::domain::time::{BusinessDate, EventTime, Zone};

const WORDS: &[&str] = &[
    "-",
    "+",
    ":",
    "T",
    "Z",
    "z",
    " ",
    ".",
    "W",
    "0",
    "9",
    "99999",
    "-00",
    "+24:00",
    "[UTC]",
    "[Europe/Berlin]",
    "\u{2212}",
    "٣",
    "\0",
    "ms",
    "s",
    "m",
    "h",
    "d",
    "w",
    "18446744073709551615",
    "1e9",
    "-009999",
    "+009999",
    "02-29",
    "23:59:60",
];

fn text() -> impl Strategy<Value = String> {
    let good = vec![
        "2026-11-22",
        "1970-01-01",
        "2999-12-31",
        "9999-12-31",
        "2024-02-29",
        "2026-11-22T10:00:00Z",
        "2026-10-25T02:30:00.123456789+03:00",
        "9999-12-30T22:00:00.999999999Z",
        "-009999-01-02T01:59:59Z",
        "10s",
        "500ms",
        "90d",
        "3650d",
    ];
    let bytes = select(good).prop_map(|text| text.as_bytes().to_vec());
    mutated(bytes, WORDS).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

proptest! {
    #[test]
    fn a_date_is_read_as_it_is_written_or_not_at_all(text in text()) {
        if let Ok(date) = text.parse::<BusinessDate>() {
            prop_assert_eq!(date.to_string(), &*text);
            prop_assert_eq!(BusinessDate::from_epoch_days(date.epoch_days()), date);
        }
        if let Ok(date) = text.parse::<BusinessDate>() {
            for period in Unit::ALL {
                let (first, last) = period.around(date);
                prop_assert!(first <= date && date <= last);
                prop_assert_eq!(period.around(first), (first, last));
                prop_assert_eq!(period.around(last), (first, last));
            }
        }
    }

    #[test]
    fn a_time_reads_back_and_belongs_to_a_date(text in text()) {
        let Ok(time) = text.parse::<EventTime>() else { return Ok(()) };
        let written = time.to_string();
        prop_assert_eq!(written.parse::<EventTime>().unwrap(), time);
        prop_assert!(written.ends_with('Z') && written.len() >= 27, "{}", written);
        for zone in ["UTC", "Europe/Berlin", "Pacific/Apia"] {
            let zone = Zone::named(zone).unwrap();
            let _ = zone.end_of(zone.date_of(time));
        }
    }

    #[test]
    fn a_duration_is_a_whole_number_with_a_unit_or_nothing(text in text()) {
        if let Ok(ttl) = text.parse::<Ttl>() {
            prop_assert_eq!(ttl.to_string().parse::<Ttl>().unwrap(), ttl);
        }
        if parse_wait(&text).is_ok() {
            prop_assert!(text.starts_with(|c: char| c.is_ascii_digit()) && text.ends_with(['s', 'm', 'h']));
        }
    }
}
