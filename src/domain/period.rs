//! Periods as people say them: `today`, `2026-11`, `Q4`, `last week`, `-7d`, `3 days ago`, `2026-04..2026-06`.
//!
//! A text is read without knowing the present date ([`Period::from_str`]), and becomes dates once the company's date
//! is known ([`Period::dates`]). A name without a year is its latest occurrence that has begun.

mod unit;

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, ISOWeekDate, Weekday};

use crate::domain::time::BusinessDate;
pub use unit::Unit;

/// Books can be kept in these years.
const YEARS: std::ops::RangeInclusive<i16> = 1900..=2999;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A period that was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Period {
    asked: String,
    said: Said,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Said {
    One(Part),
    /// Both ends included; an absent one is open.
    Range(Option<Part>, Option<Part>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    /// The unit that this date lies in.
    Of(Unit, BusinessDate),
    /// A month (1 to 12), quarter (1 to 4) or ISO week (1 to 53) without its year.
    Numbered(Unit, i8),
    /// The unit that today lies in, or the one that ended so many before it.
    Ago(Unit, i64),
    /// So many days up to and including today.
    LastDays(i64),
}

/// The dates of a period, both ends included; an absent one is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DateRange {
    pub from: Option<BusinessDate>,
    pub to: Option<BusinessDate>,
}

impl DateRange {
    /// From the first to the second date.
    pub fn of((from, to): (BusinessDate, BusinessDate)) -> DateRange {
        DateRange {
            from: Some(from),
            to: Some(to),
        }
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PeriodError {
    #[error("`{0}` is no date or period")]
    Unknown(String),
    #[error("{month} {year} has {days} days")]
    DaysOfMonth {
        month: &'static str,
        year: i16,
        days: i8,
    },
    #[error("{year} has {weeks} weeks")]
    WeeksOfYear { year: i16, weeks: i8 },
    #[error("`{0}`: a year has months 1 to 12 and quarters 1 to 4")]
    NoSuchPart(String),
    #[error("{0} is outside the years 1900 to 2999")]
    Year(i16),
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.asked)
    }
}

impl From<BusinessDate> for Period {
    fn from(date: BusinessDate) -> Period {
        Period {
            asked: date.to_string(),
            said: Said::One(Part::Of(Unit::Day, date)),
        }
    }
}

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Period, PeriodError> {
        let words = text.to_lowercase();
        let words = words.split([' ', '_']).filter(|word| !word.is_empty());
        let words = words.collect::<Vec<_>>().join(" ");
        let unknown = || PeriodError::Unknown(text.to_owned());
        let said = match words.split_once("..") {
            Some(("", "")) => return Err(unknown()),
            Some((from, to)) => {
                let end = |words: &str| {
                    let words = words.trim();
                    (!words.is_empty()).then(|| part(words, text)).transpose()
                };
                Said::Range(end(from)?, end(to)?)
            }
            None => Said::One(part(&words, text)?),
        };
        let asked = text.to_owned();
        Ok(Period { asked, said })
    }
}

impl Period {
    /// The dates that the period means when it is `today`. The end may lie before the start.
    pub fn dates(&self, today: BusinessDate) -> DateRange {
        match self.said {
            Said::One(part) => {
                let (from, to) = part.dates(today);
                DateRange {
                    from: Some(from),
                    to: Some(to),
                }
            }
            Said::Range(from, to) => DateRange {
                from: from.map(|part| part.dates(today).0),
                to: to.map(|part| part.dates(today).1),
            },
        }
    }
}

impl Part {
    /// First and last date.
    fn dates(self, today: BusinessDate) -> (BusinessDate, BusinessDate) {
        match self {
            Part::Of(unit, date) => unit.around(date),
            Part::Numbered(unit, number) => latest(unit, number, today),
            Part::Ago(unit, count) => {
                let mut dates = unit.around(today);
                if unit == Unit::Day {
                    return unit.around(today.plus_days(-count));
                }
                for _ in 0..count {
                    dates = unit.around(dates.0.previous());
                }
                dates
            }
            Part::LastDays(days) => (today.plus_days(1 - days), today),
        }
    }
}

/// The latest unit with this number that has begun by `today`.
fn latest(unit: Unit, number: i8, today: BusinessDate) -> (BusinessDate, BusinessDate) {
    let this_year = today.civil().year();
    // In December the ISO year may be the next one; not every year has a week 53.
    let years = (this_year - 8..=this_year + 1).rev();
    let first_dates = years.filter_map(|year| first_of(unit, year, number));
    let begun = first_dates
        .map(BusinessDate::new)
        .find(|first| *first <= today);
    unit.around(begun.expect("every unit occurs within eight years"))
}

/// The first date of a month, quarter or ISO week of a year, if there is one.
fn first_of(unit: Unit, year: i16, number: i8) -> Option<Date> {
    match unit {
        Unit::Month => Date::new(year, number, 1).ok(),
        Unit::Quarter => Date::new(year, 3 * number - 2, 1).ok(),
        Unit::Week => ISOWeekDate::new(year, number, Weekday::Monday)
            .ok()
            .map(ISOWeekDate::date),
        Unit::Day | Unit::Year => None,
    }
}

/// A part in small letters with single spaces; `text` is all that was typed.
fn part(words: &str, text: &str) -> Result<Part, PeriodError> {
    let unknown = || PeriodError::Unknown(text.to_owned());
    match words {
        "today" => return Ok(Part::Ago(Unit::Day, 0)),
        "yesterday" => return Ok(Part::Ago(Unit::Day, 1)),
        _ => {}
    }
    let (head, rest) = words.split_once(' ').unwrap_or((words, ""));
    if let Some(unit) = named_unit(rest) {
        match head {
            "this" => return Ok(Part::Ago(unit, 0)),
            "last" => return Ok(Part::Ago(unit, 1)),
            _ => {}
        }
    }
    if let Some((count, unit)) = rest.strip_suffix(" ago").map(|unit| (head, unit)) {
        let unit = named_unit(unit.strip_suffix('s').unwrap_or(unit)).ok_or_else(unknown)?;
        return Ok(Part::Ago(unit, count_of(count).ok_or_else(unknown)?));
    }
    if let Some(days) = words
        .strip_prefix('-')
        .and_then(|word| word.strip_suffix('d'))
    {
        let days = count_of(days).filter(|days| *days > 0);
        return Ok(Part::LastDays(days.ok_or_else(unknown)?));
    }
    if let Some(month) = month_named(head) {
        return match rest {
            "" => Ok(Part::Numbered(Unit::Month, month)),
            year => of_year(
                Unit::Month,
                year_of(year).ok_or_else(unknown)??,
                month,
                text,
            ),
        };
    }
    in_digits(words, text).unwrap_or_else(|| Err(unknown()))
}

/// `2026-11-21`, `21.11.2026`, `2026-11`, `2026-Q4`, `2026Q4`, `Q4 2026`, `Q4`, `2026-W47`, `W47`, `2026`.
fn in_digits(words: &str, text: &str) -> Option<Result<Part, PeriodError>> {
    for (letter, unit) in [('q', Unit::Quarter), ('w', Unit::Week)] {
        if let Some((before, number)) = words.split_once(letter) {
            let (number, behind) = number.split_once(' ').unwrap_or((number, ""));
            let number = digits(number, 1..=2)?;
            return Some(match (before.trim_end_matches(['-', ' ']), behind) {
                ("", "") => numbered(unit, number, text),
                (year, "") | ("", year) => {
                    year_of(year)?.and_then(|year| of_year(unit, year, number, text))
                }
                _ => return None,
            });
        }
    }
    let found: Vec<&str> = words.split(['-', '.']).collect();
    let (year, month, day) = match (found.as_slice(), words.contains('.')) {
        ([year], false) => (year, None, None),
        ([year, month], false) => (year, Some(month), None),
        ([year, month, day], false) => (year, Some(month), Some(day)),
        ([day, month, year], true) => (year, Some(month), Some(day)),
        _ => return None,
    };
    let is_german = words.contains('.');
    let two = if is_german { 1..=2 } else { 2..=2 };
    let month = match month {
        Some(month) => Some(digits(month, two.clone())?),
        None => None,
    };
    let day = match day {
        Some(day) => Some(digits(day, two)?),
        None => None,
    };
    let year = match year_of(year)? {
        Ok(year) => year,
        Err(error) => return Some(Err(error)),
    };
    Some(match (month, day) {
        (Some(month), Some(day)) => on(year, month, day, text),
        (Some(month), None) => of_year(Unit::Month, year, month, text),
        (None, _) => Ok(Part::Of(
            Unit::Year,
            BusinessDate::new(Date::constant(year, 1, 1)),
        )),
    })
}

fn on(year: i16, month: i8, day: i8, text: &str) -> Result<Part, PeriodError> {
    let no_month = || PeriodError::NoSuchPart(text.to_owned());
    let first = Date::new(year, month, 1).map_err(|_| no_month())?;
    match Date::new(year, month, day) {
        Ok(date) => Ok(Part::Of(Unit::Day, BusinessDate::new(date))),
        Err(_) => Err(PeriodError::DaysOfMonth {
            month: month_name(month),
            year,
            days: first.days_in_month(),
        }),
    }
}

fn of_year(unit: Unit, year: i16, number: i8, text: &str) -> Result<Part, PeriodError> {
    match first_of(unit, year, number) {
        Some(first) => Ok(Part::Of(unit, BusinessDate::new(first))),
        None if unit == Unit::Week => Err(PeriodError::WeeksOfYear {
            year,
            weeks: Date::constant(year, 12, 28).iso_week_date().week(),
        }),
        None => Err(PeriodError::NoSuchPart(text.to_owned())),
    }
}

fn numbered(unit: Unit, number: i8, text: &str) -> Result<Part, PeriodError> {
    let most = if unit == Unit::Week { 53 } else { 4 };
    if (1..=most).contains(&number) {
        Ok(Part::Numbered(unit, number))
    } else if unit == Unit::Week {
        Err(PeriodError::Unknown(text.to_owned()))
    } else {
        Err(PeriodError::NoSuchPart(text.to_owned()))
    }
}

/// The name of a month, 1 to 12.
fn month_name(month: i8) -> &'static str {
    let index = usize::try_from(month - 1).expect("months begin with 1");
    MONTHS[index]
}

/// A month by its name or at least its first three letters.
fn month_named(word: &str) -> Option<i8> {
    let begins = |name: &&str| {
        let start = name.get(..word.len());
        word.len() >= 3 && start.is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    let index = MONTHS.iter().position(begins)?;
    i8::try_from(index + 1).ok()
}

fn named_unit(word: &str) -> Option<Unit> {
    Unit::ALL.into_iter().find(|unit| unit.name() == word)
}

/// A count of at most four digits: it leads no unit out of the calendar.
fn count_of(word: &str) -> Option<i64> {
    let is_count = (1..=4).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_digit());
    is_count.then(|| word.parse().ok()).flatten()
}

/// A number of so many digits.
fn digits(word: &str, lengths: std::ops::RangeInclusive<usize>) -> Option<i8> {
    let is_number = lengths.contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| word.parse().ok()).flatten()
}

/// A year of four digits, if it is one of the calendar of books.
fn year_of(word: &str) -> Option<Result<i16, PeriodError>> {
    let is_year = word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit());
    let year = is_year.then(|| word.parse().ok()).flatten()?;
    Some(if YEARS.contains(&year) {
        Ok(year)
    } else {
        Err(PeriodError::Year(year))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(text: &str) -> BusinessDate {
        text.parse().unwrap()
    }

    /// The dates of a period on Monday 30 November 2026, as `from..to`.
    fn said(text: &str) -> String {
        let period: Period = match text.parse() {
            Ok(period) => period,
            Err(error) => return PeriodError::to_string(&error),
        };
        let end = |date: Option<BusinessDate>| date.map_or(String::new(), |date| date.to_string());
        let DateRange { from, to } = period.dates(on("2026-11-30"));
        format!("{}..{}", end(from), end(to))
    }

    #[test]
    fn a_period_is_read_as_people_say_it() {
        for (text, dates) in [
            ("today", "2026-11-30..2026-11-30"),
            ("Yesterday", "2026-11-29..2026-11-29"),
            ("2026-11-21", "2026-11-21..2026-11-21"),
            ("21.11.2026", "2026-11-21..2026-11-21"),
            ("1.2.2026", "2026-02-01..2026-02-01"),
            ("2026-02", "2026-02-01..2026-02-28"),
            ("november", "2026-11-01..2026-11-30"),
            ("December", "2025-12-01..2025-12-31"),
            ("nov 2024", "2024-11-01..2024-11-30"),
            ("february 2024", "2024-02-01..2024-02-29"),
            ("2026-Q4", "2026-10-01..2026-12-31"),
            ("2026q1", "2026-01-01..2026-03-31"),
            ("Q4", "2026-10-01..2026-12-31"),
            ("q4 2025", "2025-10-01..2025-12-31"),
            ("2026", "2026-01-01..2026-12-31"),
            ("2026-W47", "2026-11-16..2026-11-22"),
            ("W49", "2026-11-30..2026-12-06"),
            ("w50", "2025-12-08..2025-12-14"),
            ("W53", "2020-12-28..2021-01-03"),
            ("this week", "2026-11-30..2026-12-06"),
            ("last week", "2026-11-23..2026-11-29"),
            ("last_month", "2026-10-01..2026-10-31"),
            ("this quarter", "2026-10-01..2026-12-31"),
            ("last year", "2025-01-01..2025-12-31"),
            ("-7d", "2026-11-24..2026-11-30"),
            ("-1d", "2026-11-30..2026-11-30"),
            ("3 days ago", "2026-11-27..2026-11-27"),
            ("1 month ago", "2026-10-01..2026-10-31"),
            ("2026-04..2026-06", "2026-04-01..2026-06-30"),
            ("last month..yesterday", "2026-10-01..2026-11-29"),
            ("2026-04 ..", "2026-04-01.."),
            ("..21.11.2026", "..2026-11-21"),
            ("2026-06..2026-04", "2026-06-01..2026-04-30"),
        ] {
            assert_eq!(said(text), dates, "{text}");
        }
    }

    #[test]
    fn a_period_that_is_none_says_why() {
        for (text, why) in [
            ("2026-04-31", "April 2026 has 30 days"),
            ("29.02.2026", "February 2026 has 28 days"),
            (
                "2026-13",
                "`2026-13`: a year has months 1 to 12 and quarters 1 to 4",
            ),
            ("Q5", "`Q5`: a year has months 1 to 12 and quarters 1 to 4"),
            ("2026-W54", "2026 has 53 weeks"),
            ("2025-W53", "2025 has 52 weeks"),
            ("0026-01-01", "26 is outside the years 1900 to 2999"),
            ("2026-11-2", "`2026-11-2` is no date or period"),
            ("21.11", "`21.11` is no date or period"),
            ("next week", "`next week` is no date or period"),
            ("ma", "`ma` is no date or period"),
            ("..", "`..` is no date or period"),
            ("", "`` is no date or period"),
            ("-0d", "`-0d` is no date or period"),
            ("99999 days ago", "`99999 days ago` is no date or period"),
            ("ноябрь", "`ноябрь` is no date or period"),
        ] {
            assert_eq!(said(text), why, "{text}");
        }
    }

    #[test]
    fn a_name_without_a_year_is_its_latest_occurrence_that_has_begun() {
        let in_a_new_year = on("2027-01-01");
        let dates = |text: &str| text.parse::<Period>().unwrap().dates(in_a_new_year);
        // That Friday still belongs to the last ISO week of 2026.
        assert_eq!(dates("W53").from, Some(on("2026-12-28")));
        assert_eq!(dates("W1").from, Some(on("2025-12-29")));
        assert_eq!(dates("january").from, Some(in_a_new_year));
        assert_eq!(dates("february").from, Some(on("2026-02-01")));
    }

    #[test]
    fn no_count_leads_out_of_the_calendar() {
        for text in ["9999 years ago", "9999 weeks ago", "-9999d"] {
            for today in ["1900-01-01", "2999-12-31"] {
                text.parse::<Period>().unwrap().dates(on(today));
            }
        }
    }
}
