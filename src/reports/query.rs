//! The question that a report answers: dates, periods, a user.

use jiff::civil::Weekday;

use crate::domain::id::{Sequence, UserId};
use crate::domain::time::BusinessDate;
use crate::reports::Period;
use crate::reports::error::ReportError;

/// The dates of a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Dates {
    /// The report's default: now, today or everything.
    #[default]
    Default,
    /// One date; balances are those at its end.
    On(BusinessDate),
    /// Both ends included; an absent one is open.
    Range {
        from: Option<BusinessDate>,
        to: Option<BusinessDate>,
    },
}

impl Dates {
    /// # Errors
    /// [`ReportError::EndBeforeStart`]
    pub fn check(self) -> Result<(), ReportError> {
        match self {
            Dates::Range {
                from: Some(from),
                to: Some(to),
            } if to < from => Err(ReportError::EndBeforeStart { from, to }),
            _ => Ok(()),
        }
    }

    pub fn period(self) -> Period {
        match self {
            Dates::Default => Period::default(),
            Dates::On(date) => Period {
                from: Some(date),
                to: Some(date),
            },
            Dates::Range { from, to } => Period { from, to },
        }
    }
}

/// Whole days, ISO weeks or calendar months.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Granularity {
    Day,
    Week,
    Month,
}

impl Granularity {
    pub const ALL: [Granularity; 3] = [Granularity::Day, Granularity::Week, Granularity::Month];

    pub const fn name(self) -> &'static str {
        match self {
            Granularity::Day => "day",
            Granularity::Week => "week",
            Granularity::Month => "month",
        }
    }

    /// The first and last date of the period that `date` lies in.
    pub fn around(self, date: BusinessDate) -> (BusinessDate, BusinessDate) {
        match self {
            Granularity::Day => (date, date),
            Granularity::Week => {
                let since_monday = date.civil().weekday().since(Weekday::Monday);
                let monday = date.plus_days(-i64::from(since_monday));
                (monday, monday.plus_days(6))
            }
            Granularity::Month => (
                BusinessDate::new(date.civil().first_of_month()),
                BusinessDate::new(date.civil().last_of_month()),
            ),
        }
    }

    /// Every period that touches `from..=to`, in order.
    pub fn touching(
        self,
        from: BusinessDate,
        to: BusinessDate,
    ) -> Vec<(BusinessDate, BusinessDate)> {
        let mut periods = Vec::new();
        let mut next = from;
        while next <= to {
            let (start, end) = self.around(next);
            periods.push((start, end));
            next = end.next();
        }
        periods
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Query {
    pub dates: Dates,
    /// Rows by whole periods; only for earnings and top-task.
    pub granularity: Option<Granularity>,
    /// Only the rows of this user: balances, negative, payouts, statement (required), entries, tasks.
    pub user: Option<UserId>,
    /// The local date of the company now.
    pub today: BusinessDate,
    /// The last event up to which the tables are complete.
    pub as_of_sequence: Sequence,
    /// The head of the log.
    pub head_sequence: Sequence,
}

impl Query {
    /// The requested dates with open ends closed: from `first`, the company's first date, to today;
    /// by default today alone.
    pub fn closed_range(&self, first: BusinessDate) -> (BusinessDate, BusinessDate) {
        match self.dates {
            Dates::Default => (self.today, self.today),
            Dates::On(date) => (date, date),
            Dates::Range {
                from: Some(from),
                to: Some(to),
            } => (from, to),
            // An open end is never placed on the wrong side of the given one.
            Dates::Range {
                from: Some(from),
                to: None,
            } => (from, self.today.max(from)),
            Dates::Range { from: None, to } => {
                let to = to.unwrap_or(self.today);
                (first.min(to), to)
            }
        }
    }
}

/// SQL conditions. Dates and ids are typed values, so they can safely be written into the text, and
/// DuckDB can skip data by them.
pub fn dated(column: &str, period: Period) -> String {
    let from = period.from.map(|from| format!("{column} >= DATE '{from}'"));
    let to = period.to.map(|to| format!("{column} <= DATE '{to}'"));
    let conditions: Vec<String> = from.into_iter().chain(to).collect();
    if conditions.is_empty() {
        "true".to_owned()
    } else {
        conditions.join(" AND ")
    }
}

/// See [`dated`].
pub fn of_user(column: &str, user: Option<UserId>) -> String {
    user.map_or_else(
        || "true".to_owned(),
        |user| format!("{column} = '{user}'::UUID"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(text: &str) -> BusinessDate {
        text.parse().unwrap()
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        assert_eq!(
            Granularity::Week.around(on("2026-11-22")),
            (on("2026-11-16"), on("2026-11-22"))
        );
        assert_eq!(
            Granularity::Week.around(on("2026-11-23")),
            (on("2026-11-23"), on("2026-11-29"))
        );
        assert_eq!(
            Granularity::Month.around(on("2024-02-10")),
            (on("2024-02-01"), on("2024-02-29"))
        );
    }

    #[test]
    fn every_period_that_touches_a_range_is_listed_once() {
        let weeks = Granularity::Week.touching(on("2026-11-22"), on("2026-11-30"));
        let starts: Vec<String> = weeks.iter().map(|(start, _)| start.to_string()).collect();
        assert_eq!(starts, ["2026-11-16", "2026-11-23", "2026-11-30"]);
        assert_eq!(
            Granularity::Day.touching(on("2026-11-22"), on("2026-11-21")),
            []
        );
    }

    #[test]
    fn an_absent_bound_is_no_condition() {
        assert_eq!(dated("d", Period::default()), "true");
        let period = Period {
            from: Some(on("2026-11-22")),
            to: None,
        };
        assert_eq!(dated("d", period), "d >= DATE '2026-11-22'");
    }
}
