//! The question that a report answers: dates, periods, a user.

use crate::domain::id::{Sequence, UserId};
use crate::domain::period::{DateRange, Unit};
use crate::domain::time::{BusinessDate, Zone};
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

    pub fn period(self) -> DateRange {
        match self {
            Dates::Default => DateRange::default(),
            Dates::On(date) => DateRange {
                from: Some(date),
                to: Some(date),
            },
            Dates::Range { from, to } => DateRange { from, to },
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Query {
    pub dates: Dates,
    /// Rows by whole periods; only for earnings, top-task and flow.
    pub granularity: Option<Unit>,
    /// Only the rows of this user: balances, negative, payouts, statement (required), entries, tasks, people.
    pub user: Option<UserId>,
    /// The local date of the company now.
    pub today: BusinessDate,
    /// The last event up to which the tables are complete.
    pub as_of_sequence: Sequence,
    /// The head of the log.
    pub head_sequence: Sequence,
}

impl Query {
    /// As [`Query::closed_range`], but by default this month, from the company's first date to today.
    pub fn range_or_month(&self, first: BusinessDate) -> (BusinessDate, BusinessDate) {
        match self.dates {
            Dates::Default => {
                let (month, _) = Unit::Month.around(self.today);
                (month.max(first).min(self.today), self.today)
            }
            _ => self.closed_range(first),
        }
    }

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

/// The middle one of numbers in ascending order, or the middle between the two middle ones, twice:
/// whole, without rounding.
pub fn twice_median(sorted: &[i64]) -> Option<i64> {
    let upper = sorted.get(sorted.len() / 2)?;
    let lower = sorted.get(sorted.len().checked_sub(1)? / 2)?;
    Some(lower + upper)
}

/// SQL conditions. Dates and ids are typed values, so they can safely be written into the text, and
/// DuckDB can skip data by them.
pub fn dated(column: &str, period: DateRange) -> String {
    let from = period.from.map(|from| format!("{column} >= DATE '{from}'"));
    let to = period.to.map(|to| format!("{column} <= DATE '{to}'"));
    let conditions: Vec<String> = from.into_iter().chain(to).collect();
    if conditions.is_empty() {
        "true".to_owned()
    } else {
        conditions.join(" AND ")
    }
}

/// See [`dated`]. Times whose local date is in the period, where no clock goes back over midnight; a time that has its
/// date a second time counts to the period that ends last.
pub fn timed(column: &str, period: DateRange, zone: &Zone) -> String {
    let end = |date: BusinessDate| format!("make_timestamp({})", zone.end_of(date).micros());
    let from = period
        .from
        .map(|from| format!("{column} >= {}", end(from.previous())));
    let to = period.to.map(|to| format!("{column} < {}", end(to)));
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
    fn an_absent_bound_is_no_condition() {
        assert_eq!(dated("d", DateRange::default()), "true");
        let period = DateRange {
            from: Some(on("2026-11-22")),
            to: None,
        };
        assert_eq!(dated("d", period), "d >= DATE '2026-11-22'");
    }
}
