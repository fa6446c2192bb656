//! The one form of a time in the log, `2026-11-22T10:00:00.000000Z`, read and written without a
//! general parser, because every line has it. Other forms are left to jiff.

/// Length of the form in bytes.
const LENGTH: usize = 27;
const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
/// Days from 0000-03-01, where the years of the calculation begin, to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;
const DAYS_PER_400_YEARS: i64 = 146_097;

/// Microseconds since 1970 UTC; `None` for another form or an invalid time.
pub(super) fn read(text: &[u8]) -> Option<i64> {
    let text: &[u8; LENGTH] = text.try_into().ok()?;
    let separators = [
        (4, b'-'),
        (7, b'-'),
        (10, b'T'),
        (13, b':'),
        (16, b':'),
        (19, b'.'),
        (26, b'Z'),
    ];
    if separators
        .iter()
        .any(|(at, separator)| text[*at] != *separator)
    {
        return None;
    }
    let (year, month, day) = (
        number(&text[..4])?,
        number(&text[5..7])?,
        number(&text[8..10])?,
    );
    let (hour, minute, second) = (
        number(&text[11..13])?,
        number(&text[14..16])?,
        number(&text[17..19])?,
    );
    let is_time = (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    let micros = number(&text[20..26])?;
    is_time.then_some(seconds * MICROS_PER_SECOND + micros)
}

/// The form; `None` outside the years 0000 to 9999.
pub(super) fn written(micros: i64) -> Option<[u8; LENGTH]> {
    let (year, month, day) = civil(micros.div_euclid(MICROS_PER_DAY));
    if !(0..=9999).contains(&year) {
        return None;
    }
    let of_day = micros.rem_euclid(MICROS_PER_DAY);
    let seconds = of_day / MICROS_PER_SECOND;
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    put(&mut text[..4], year);
    put(&mut text[5..7], month);
    put(&mut text[8..10], day);
    put(&mut text[11..13], seconds / 3_600);
    put(&mut text[14..16], seconds / 60 % 60);
    put(&mut text[17..19], seconds % 60);
    put(&mut text[20..26], of_day % MICROS_PER_SECOND);
    Some(text)
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + i64::from(digit - b'0'))
    })
}

fn put(digits: &mut [u8], mut number: i64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).expect("a digit");
        number /= 10;
    }
}

const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Computes in years that begin in March, so that the leap day is the last day of its year.
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * DAYS_PER_400_YEARS + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - DAYS_TO_1970
}

/// Year, month and day of a day since 1970-01-01.
const fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_TO_1970;
    let (era, of_era) = (
        days.div_euclid(DAYS_PER_400_YEARS),
        days.rem_euclid(DAYS_PER_400_YEARS),
    );
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn of_jiff(micros: i64) -> String {
        let moment =
            Timestamp::from_nanosecond(i128::from(micros) * 1_000).expect("within the calendar");
        format!("{moment:.6}")
    }

    #[test]
    fn every_day_of_the_calendar_is_the_one_that_jiff_knows() {
        for day in days_since_1970(0, 1, 1)..=days_since_1970(9999, 12, 30) {
            let micros = day * MICROS_PER_DAY + day.rem_euclid(86_400) * MICROS_PER_SECOND + 1;
            let text = written(micros).expect("a year of four digits");
            assert_eq!(read(&text), Some(micros));
            if day % 97 == 0 || text[5..10] == *b"02-29" || text[5..10] == *b"03-01" {
                assert_eq!(String::from_utf8_lossy(&text), of_jiff(micros));
            }
        }
    }

    #[test]
    fn a_text_in_another_form_than_that_of_the_log_is_no_time() {
        for text in [
            "2026-02-29T10:00:00.000000Z",
            "2026-13-01T10:00:00.000000Z",
            "2026-00-01T10:00:00.000000Z",
            "2026-01-00T10:00:00.000000Z",
            "2026-01-01T24:00:00.000000Z",
            "2026-01-01T10:60:00.000000Z",
            "2026-01-01T10:00:60.000000Z",
            "2026-01-01T10:00:00.00000Z",
            "2026-01-01t10:00:00.000000Z",
            "2026-01-01T10:00:00.00000 Z",
        ] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_moment_is_written_as_jiff_writes_it(micros in -62_167_219_200_000_000_i64..253_402_207_200_000_000) {
            let text = written(micros).expect("a year of four digits");
            prop_assert_eq!(String::from_utf8_lossy(&text), of_jiff(micros));
            prop_assert_eq!(read(&text), Some(micros));
        }
    }
}
