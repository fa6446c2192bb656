//! Units of the calendar: days, ISO weeks, months, quarters, years.

use jiff::civil::{Date, Weekday};

use crate::domain::time::BusinessDate;

/// A unit of the calendar. Weeks are ISO weeks, which begin on Monday.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Unit {
    pub const ALL: [Unit; 5] = [
        Unit::Day,
        Unit::Week,
        Unit::Month,
        Unit::Quarter,
        Unit::Year,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Unit::Day => "day",
            Unit::Week => "week",
            Unit::Month => "month",
            Unit::Quarter => "quarter",
            Unit::Year => "year",
        }
    }

    /// The first and last date of the unit that `date` lies in.
    pub fn around(self, date: BusinessDate) -> (BusinessDate, BusinessDate) {
        let civil = date.civil();
        let months = |first: i8, count: i8| {
            let last = Date::constant(civil.year(), first + count - 1, 1);
            (
                BusinessDate::new(Date::constant(civil.year(), first, 1)),
                BusinessDate::new(last.last_of_month()),
            )
        };
        match self {
            Unit::Day => (date, date),
            Unit::Week => {
                let since_monday = civil.weekday().since(Weekday::Monday);
                let monday = date.plus_days(-i64::from(since_monday));
                (monday, monday.plus_days(6))
            }
            Unit::Month => months(civil.month(), 1),
            Unit::Quarter => months((civil.month() - 1) / 3 * 3 + 1, 3),
            Unit::Year => months(1, 12),
        }
    }

    /// Every unit that touches `from..=to`, in order, by first and last date.
    pub fn touching(
        self,
        from: BusinessDate,
        to: BusinessDate,
    ) -> Vec<(BusinessDate, BusinessDate)> {
        let mut units = Vec::new();
        let mut next = from;
        while next <= to {
            let (start, end) = self.around(next);
            units.push((start, end));
            next = end.next();
        }
        units
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(text: &str) -> BusinessDate {
        text.parse().unwrap()
    }

    #[test]
    fn weeks_begin_on_monday_and_longer_units_on_the_first() {
        for (unit, date, first, last) in [
            (Unit::Day, "2026-11-22", "2026-11-22", "2026-11-22"),
            (Unit::Week, "2026-11-22", "2026-11-16", "2026-11-22"),
            (Unit::Week, "2026-11-23", "2026-11-23", "2026-11-29"),
            (Unit::Month, "2024-02-10", "2024-02-01", "2024-02-29"),
            (Unit::Quarter, "2026-12-31", "2026-10-01", "2026-12-31"),
            (Unit::Quarter, "2026-03-31", "2026-01-01", "2026-03-31"),
            (Unit::Year, "2024-02-29", "2024-01-01", "2024-12-31"),
        ] {
            assert_eq!(
                unit.around(on(date)),
                (on(first), on(last)),
                "{unit:?} of {date}"
            );
        }
    }

    #[test]
    fn every_unit_that_touches_a_range_is_listed_once() {
        let starts = |unit: Unit, from, to| {
            let units = unit.touching(on(from), on(to));
            let starts = units.iter().map(|(start, _)| start.to_string());
            starts.collect::<Vec<_>>().join(" ")
        };
        let weeks = starts(Unit::Week, "2026-11-22", "2026-11-30");
        assert_eq!(weeks, "2026-11-16 2026-11-23 2026-11-30");
        let quarters = starts(Unit::Quarter, "2025-12-31", "2026-04-01");
        assert_eq!(quarters, "2025-10-01 2026-01-01 2026-04-01");
        assert_eq!(starts(Unit::Day, "2026-11-22", "2026-11-21"), "");
    }
}
