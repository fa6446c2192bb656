//! `tasks`: every task with its assignee and its cost so far.

use duckdb::Connection;
use polars::prelude::{IdxCa, IdxSize};

use crate::domain::id::UserId;
use crate::domain::period::DateRange;
use crate::domain::time::Zone;
use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::pages::{PAGE_ROWS, Pages};
use crate::reports::query::{Query, timed};
use crate::reports::source::Source;
use crate::reports::table::ColumnKind::{Int, Money, Text, Time};
use crate::reports::table::{ColumnKind, Table, Value};

const COLUMNS: &[(&str, ColumnKind)] = &[
    ("task_id", Text),
    ("number", Int),
    ("title", Text),
    ("jira_id", Text),
    ("description", Text),
    ("status", Text),
    ("created_by", Text),
    ("created_at", Time),
    ("assignee", Text),
    ("assigned_at", Time),
    ("assignments", Int),
    ("fee", Money),
    ("reward", Money),
    ("fees_charged", Money),
    ("completed_at", Time),
    ("completed_by", Text),
];

/// Reads accounting's tables. A range selects tasks by the local date of creation, a user by the
/// present or last assignee.
pub fn load(connection: &Connection, query: &Query) -> Result<Report, ReportError> {
    let source = Source::open(connection)?;
    let period = query.dates.period();
    let pages = pages(&source, &chosen(period, &source.zone, query.user))?;
    let sums = Sums::of(&source, &pages)?;
    let table = Pages::begin(connection, COLUMNS, pages, sums.rows, sql)?;
    let count = |rows: usize| Value::Int(i64::try_from(rows).expect("rows fit"));
    let totals = vec![
        ("fees_charged", Value::minor(sums.fees_charged)),
        ("open", count(sums.rows - sums.completed - sums.cancelled)),
        ("completed", count(sums.completed)),
        ("cancelled", count(sums.cancelled)),
    ];
    Ok(source.report("tasks", query, period, totals, table))
}

/// The rows of the tasks with these numbers, in this order.
pub fn numbered(source: &Source<'_>, numbers: &[i64]) -> Result<Table, ReportError> {
    // A list must not be empty; no task has the number 0.
    let list: Vec<String> = [&[0], numbers]
        .concat()
        .iter()
        .map(i64::to_string)
        .collect();
    let page = Page(format!("number IN ({})", list.join(", ")));
    let frame = source.load(&sql(&page))?;
    let found: Vec<i64> = frame.column("number")?.i64()?.iter().flatten().collect();
    let places = numbers.iter().filter_map(|number| {
        let place = found.iter().position(|found| found == number)?;
        IdxSize::try_from(place).ok()
    });
    let frame = frame.take(&IdxCa::from_vec("".into(), places.collect()))?;
    Ok(Table::from_frame(COLUMNS, &frame)?)
}

/// Sums over tasks.
#[derive(Default)]
struct Sums {
    rows: usize,
    completed: usize,
    cancelled: usize,
    /// In minor units.
    fees_charged: i64,
}

impl Sums {
    /// Counts page by page, so that memory does not grow with the number of tasks.
    fn of(source: &Source<'_>, pages: &[Page]) -> Result<Sums, ReportError> {
        let mut sums = Sums::default();
        for Page(condition) in pages {
            let sql = format!(
                "WITH chosen AS (SELECT task_id FROM tasks WHERE {condition})
                SELECT count(*), (SELECT count(*) FROM chosen SEMI JOIN completions USING (task_id)),
                    (SELECT count(*) FROM chosen ANTI JOIN completions USING (task_id)
                        SEMI JOIN cancellations USING (task_id)),
                    (SELECT coalesce(-sum(amount), 0)::BIGINT FROM entries SEMI JOIN chosen USING (task_id)
                    WHERE kind = 'fee')
                FROM chosen"
            );
            source.connection().query_row(&sql, [], |row| {
                sums.rows += row.get::<_, usize>(0)?;
                sums.completed += row.get::<_, usize>(1)?;
                sums.cancelled += row.get::<_, usize>(2)?;
                sums.fees_charged += row.get::<_, i64>(3)?;
                Ok(())
            })?;
        }
        Ok(sums)
    }
}

/// A condition for the tasks of one page.
struct Page(String);

/// The page of a report without tasks.
impl Default for Page {
    fn default() -> Page {
        Page("false".to_owned())
    }
}

/// Divides the tasks that a condition chooses by their numbers.
fn pages(source: &Source<'_>, chosen: &str) -> Result<Vec<Page>, ReportError> {
    let sql = format!(
        "WITH numbered AS (
            SELECT number, row_number() OVER (ORDER BY number) - 1 AS place FROM tasks WHERE {chosen})
        SELECT min(number), max(number) FROM numbered GROUP BY place // {PAGE_ROWS} ORDER BY min(place)"
    );
    let mut statement = source.connection().prepare(&sql)?;
    let found = statement.query_map([], |row| {
        let (first, last): (u64, u64) = (row.get(0)?, row.get(1)?);
        Ok(Page(format!(
            "number BETWEEN {first} AND {last} AND {chosen}"
        )))
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// A condition for the tasks that were created at a time whose local date is in `period`, and whose present or last
/// assignee is `user`.
fn chosen(period: DateRange, zone: &Zone, user: Option<UserId>) -> String {
    let created = timed("created_at", period, zone);
    let held = user.map(|user| {
        format!(
            "task_id IN (
                SELECT task_id FROM assignments
                WHERE task_id IN (SELECT task_id FROM assignments WHERE assignee_id = '{user}'::UUID)
                GROUP BY task_id HAVING arg_max(assignee_id, sequence) = '{user}'::UUID)"
        )
    });
    let conditions: Vec<String> = std::iter::once(created).chain(held).collect();
    conditions.join(" AND ")
}

/// The present assignment has the highest sequence. The first completion counts; accounting stops
/// at a second one. Every table is narrowed to the tasks of the page before it is joined:
/// DuckDB may keep either side of a join in memory.
fn sql(Page(condition): &Page) -> String {
    let narrowed = "task_id IN (SELECT task_id FROM chosen)";
    format!(
        "WITH chosen AS (SELECT * FROM tasks WHERE {condition}),
        latest AS (
            SELECT max(sequence) AS sequence, count(*) AS assignments
            FROM assignments WHERE {narrowed} GROUP BY task_id),
        held AS (
            SELECT a.task_id, a.assignee_id, a.assigned_at, l.assignments
            FROM latest l JOIN assignments a USING (sequence)),
        finished AS (
            SELECT task_id, arg_min(completed_by, sequence) AS completed_by, min(completed_at) AS completed_at
            FROM completions WHERE {narrowed} GROUP BY task_id),
        dropped AS (SELECT DISTINCT task_id FROM cancellations WHERE {narrowed}),
        changed AS (
            SELECT task_id, arg_max(title, sequence) AS title, arg_max(jira_id, sequence) AS jira_id,
                arg_max(description, sequence) AS description
            FROM task_changes WHERE {narrowed} GROUP BY task_id),
        priced AS (SELECT task_id, fee, reward FROM prices WHERE {narrowed}),
        charged AS (
            SELECT task_id, (-sum(amount))::BIGINT AS fees_charged
            FROM entries WHERE kind = 'fee' AND {narrowed} GROUP BY task_id)
        SELECT t.task_id, t.number, coalesce(x.title, t.title) AS title,
            nullif(coalesce(x.jira_id, t.jira_id), '') AS jira_id,
            nullif(coalesce(x.description, t.description), '') AS description,
            CASE WHEN c.task_id IS NOT NULL THEN 'completed' WHEN d.task_id IS NOT NULL THEN 'cancelled'
                ELSE 'open' END AS status,
            coalesce(creator.login, t.created_by::VARCHAR) AS created_by, t.created_at,
            coalesce(holder.login, h.assignee_id::VARCHAR) AS assignee, h.assigned_at,
            coalesce(h.assignments, 0) AS assignments, p.fee, p.reward,
            coalesce(f.fees_charged, 0)::BIGINT AS fees_charged,
            c.completed_at, coalesce(finisher.login, c.completed_by::VARCHAR) AS completed_by
        FROM chosen t
        LEFT JOIN priced p USING (task_id) LEFT JOIN held h USING (task_id)
        LEFT JOIN finished c USING (task_id) LEFT JOIN charged f USING (task_id)
        LEFT JOIN changed x USING (task_id) LEFT JOIN dropped d USING (task_id)
        LEFT JOIN users creator ON creator.user_id = t.created_by
        LEFT JOIN users holder ON holder.user_id = h.assignee_id
        LEFT JOIN users finisher ON finisher.user_id = c.completed_by
        ORDER BY t.number"
    )
}
