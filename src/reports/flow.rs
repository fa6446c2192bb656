//! `flow`: the tasks that were created, completed and cancelled in each period, and those that are open at its end.
//!
//! The age of an open task is the number of dates since the one on which it was created. A period that is not over ends
//! today.

use duckdb::Connection;
use polars::prelude::{DataFrame, PolarsResult};

use crate::domain::period::{DateRange, Unit};
use crate::domain::time::{BusinessDate, EventTime, Zone};
use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::query::{Query, timed};
use crate::reports::source::{Source, count_totals};
use crate::reports::table::ColumnKind::{Date, Int, Tenths};
use crate::reports::table::{Cell, ColumnKind, Table, Value};

const COLUMNS: &[(&str, ColumnKind)] = &[
    ("period_start", Date),
    ("period_end", Date),
    ("created", Int),
    ("completed", Int),
    ("cancelled", Int),
    ("open_at_end", Int),
    ("median_age_days", Tenths),
];

/// Reads accounting's tables.
pub fn load(connection: &Connection, query: &Query) -> Result<Report, ReportError> {
    let source = Source::open(connection)?;
    let (from, to) = query.range_or_month(source.first_date);
    let periods = query.granularity.unwrap_or(Unit::Day).touching(from, to);
    let (first, last) = match (periods.first(), periods.last()) {
        (Some((first, _)), Some((_, last))) => (*first, *last),
        _ => (from, to),
    };
    let tasks = source.load(&sql(first, last, &source.zone))?;
    let lives = lives(&tasks, &source.zone)?;
    let frame = compute(&lives, &periods, query.today)?;
    let mut totals = count_totals(&frame, &["created", "completed", "cancelled"])?;
    let at_end = |name: &str| PolarsResult::Ok(frame.column(name)?.i64()?.last());
    totals.push((
        "open_at_end",
        Value::Int(at_end("open_at_end")?.unwrap_or(0)),
    ));
    let age = at_end("median_age_days")?;
    totals.push(("median_age_days", age.map_or(Cell::Null, Cell::Tenths)));
    let period = DateRange {
        from: Some(from),
        to: Some(to),
    };
    let table = Table::from_frame(COLUMNS, &frame)?;
    Ok(source.report("flow", query, period, totals, table))
}

/// The tasks that were open at some time between `from` and `to`, and a few more: a clock that goes back may show a date
/// again that had ended. The first completion counts; accounting stops at a second one.
fn sql(from: BusinessDate, to: BusinessDate, zone: &Zone) -> String {
    let until = DateRange {
        from: None,
        to: Some(to),
    };
    let since = DateRange {
        from: Some(from.previous().previous()),
        to: None,
    };
    format!(
        "WITH finished AS (SELECT task_id, min(completed_at) AS completed_at FROM completions GROUP BY task_id),
        dropped AS (SELECT task_id, min(cancelled_at) AS cancelled_at FROM cancellations GROUP BY task_id),
        lives AS (
            SELECT created_at, coalesce(completed_at, cancelled_at) AS ended_at, completed_at IS NULL AS is_cancelled
            FROM tasks LEFT JOIN finished USING (task_id) LEFT JOIN dropped USING (task_id) WHERE {})
        FROM lives WHERE ended_at IS NULL OR {}",
        timed("created_at", until, zone),
        timed("ended_at", since, zone),
    )
}

/// The dates of a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Life {
    created: BusinessDate,
    /// `None` while it is open.
    ended: Option<BusinessDate>,
    is_cancelled: bool,
}

fn lives(tasks: &DataFrame, zone: &Zone) -> PolarsResult<Vec<Life>> {
    let date = |micros: Option<i64>| {
        let moment = micros.and_then(EventTime::from_micros);
        moment.map(|moment| zone.date_of(moment))
    };
    let created = tasks.column("created_at")?.i64()?.iter().filter_map(date);
    let ended = tasks.column("ended_at")?.i64()?.iter().map(date);
    let is_cancelled = tasks.column("is_cancelled")?.bool()?.iter().flatten();
    let lives = created.zip(ended).zip(is_cancelled);
    Ok(lives
        .map(|((created, ended), is_cancelled)| Life {
            created,
            ended,
            is_cancelled,
        })
        .collect())
}

/// One row for each period, in their order.
fn compute(
    lives: &[Life],
    periods: &[(BusinessDate, BusinessDate)],
    today: BusinessDate,
) -> PolarsResult<DataFrame> {
    let mut by_creation: Vec<&Life> = lives.iter().collect();
    by_creation.sort_by_key(|life| life.created);
    let mut by_end: Vec<(BusinessDate, &Life)> = lives
        .iter()
        .filter_map(|life| Some((life.ended?, life)))
        .collect();
    by_end.sort_by_key(|(ended, _)| *ended);
    let (mut created, mut ended) = (by_creation.iter().peekable(), by_end.iter().peekable());
    let mut open = OpenTasks::default();
    let mut rows: [Vec<i64>; 4] = Default::default();
    let mut ages = Vec::new();
    for (start, end) in periods {
        let mut counts = [0; 3];
        while let Some(life) = created.next_if(|life| life.created <= *end) {
            open.change(life.created, 1);
            counts[0] += i64::from(life.created >= *start);
        }
        while let Some((on, life)) = ended.next_if(|(on, _)| on <= end) {
            open.change(life.created, -1);
            counts[1 + usize::from(life.is_cancelled)] += i64::from(on >= start);
        }
        let counts = counts.into_iter().chain([open.count]);
        rows.iter_mut()
            .zip(counts)
            .for_each(|(row, count)| row.push(count));
        ages.push(open.median_age((*end).min(today)));
    }
    let days = |of: fn(&(BusinessDate, BusinessDate)) -> BusinessDate| -> Vec<i32> {
        periods
            .iter()
            .map(|period| of(period).epoch_days())
            .collect()
    };
    let [created, completed, cancelled, open_at_end] = rows;
    polars::df!(
        "period_start" => days(|period| period.0), "period_end" => days(|period| period.1), "created" => created,
        "completed" => completed, "cancelled" => cancelled, "open_at_end" => open_at_end, "median_age_days" => ages,
    )
}

/// The number of open tasks by the date of their creation, and of all.
#[derive(Default)]
struct OpenTasks {
    by_date: std::collections::BTreeMap<BusinessDate, i64>,
    count: i64,
}

impl OpenTasks {
    fn change(&mut self, created: BusinessDate, by: i64) {
        *self.by_date.entry(created).or_default() += by;
        self.count += by;
    }

    /// In tenths of a day; the middle between the two middle ones if their number is even.
    fn median_age(&self, on: BusinessDate) -> Option<i64> {
        let age = |place: i64| {
            let mut before = 0;
            let holds = |(_, count): &(&BusinessDate, &i64)| {
                before += **count;
                before > place
            };
            let (created, _) = self.by_date.iter().find(holds)?;
            Some(i64::from(on.epoch_days() - created.epoch_days()).max(0))
        };
        let twice = age((self.count - 1).max(0) / 2)? + age(self.count / 2)?;
        Some(twice * 5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i32) -> BusinessDate {
        BusinessDate::from_epoch_days(day)
    }

    fn life(created: i32, ended: Option<i32>, is_cancelled: bool) -> Life {
        Life {
            created: day(created),
            ended: ended.map(day),
            is_cancelled,
        }
    }

    #[test]
    fn tasks_of_before_count_as_open_and_not_as_created() {
        let lives = [
            life(1, None, false),
            life(10, Some(10), false),
            life(10, Some(12), true),
            life(11, None, false),
            life(12, None, false),
        ];
        let periods = [(day(10), day(10)), (day(11), day(12)), (day(13), day(19))];
        let frame = compute(&lives, &periods, day(14)).unwrap();
        let of = |name: &str| -> Vec<Option<i64>> {
            frame.column(name).unwrap().i64().unwrap().iter().collect()
        };
        assert_eq!(of("created"), [Some(2), Some(2), Some(0)]);
        assert_eq!(of("completed"), [Some(1), Some(0), Some(0)]);
        assert_eq!(of("cancelled"), [Some(0), Some(1), Some(0)]);
        assert_eq!(of("open_at_end"), [Some(2), Some(3), Some(3)]);
        // Ages of 9 and 0 days, of 11, 1 and 0, and on day 14 of 13, 3 and 2.
        assert_eq!(of("median_age_days"), [Some(45), Some(10), Some(30)]);
    }

    #[test]
    fn a_period_without_open_tasks_has_no_age() {
        let frame = compute(&[life(1, Some(2), false)], &[(day(3), day(3))], day(9)).unwrap();
        let ages = frame.column("median_age_days").unwrap().i64().unwrap();
        assert_eq!((ages.len(), ages.get(0)), (1, None));
    }
}
