//! `tasks`: every task with its assignee and its cost so far.

use duckdb::Connection;

use crate::domain::id::UserId;
use crate::domain::period::DateRange;
use crate::domain::time::{BusinessDate, Zone};
use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::frame;
use crate::reports::pages::{PAGE_ROWS, Pages};
use crate::reports::query::{Query, of_user};
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
    let created = created(period, &source.zone);
    let (pages, sums) = pages(&source, &created, query.user)?;
    let user = query.user;
    let table = Pages::begin(connection, pages, sums.rows, move |connection, page| {
        let frame = frame::query(connection, &sql(page, user), [])?;
        Ok(Table::from_frame(COLUMNS, &frame)?)
    })?;
    let count = |rows: usize| Value::Int(i64::try_from(rows).expect("rows fit"));
    let totals = vec![
        ("fees_charged", Value::minor(sums.fees_charged)),
        ("open", count(sums.open)),
        ("completed", count(sums.rows - sums.open)),
    ];
    Ok(source.report("tasks", query, period, totals, table))
}

/// Sums over tasks.
#[derive(Default)]
struct Sums {
    rows: usize,
    open: usize,
    /// In minor units.
    fees_charged: i64,
}

/// A condition for the tasks of one page.
struct Page(String);

/// The page of a report without tasks.
impl Default for Page {
    fn default() -> Page {
        Page("false".to_owned())
    }
}

/// Divides the tasks by their numbers.
fn pages(
    source: &Source<'_>,
    created: &str,
    user: Option<UserId>,
) -> Result<(Vec<Page>, Sums), ReportError> {
    let all = Page(format!("true{created}"));
    let sql = format!(
        "WITH numbered AS (
            SELECT number, status, fees_charged, row_number() OVER (ORDER BY number) - 1 AS place
            FROM ({}))
        SELECT min(number), max(number), count(*), count(*) FILTER (status = 'open'),
            sum(fees_charged)::BIGINT
        FROM numbered GROUP BY place // {PAGE_ROWS} ORDER BY min(place)",
        sql(&all, user)
    );
    let mut statement = source.connection().prepare(&sql)?;
    let found = statement.query_map([], |row| {
        let (first, last): (u64, u64) = (row.get(0)?, row.get(1)?);
        let sums = Sums {
            rows: row.get(2)?,
            open: row.get(3)?,
            fees_charged: row.get(4)?,
        };
        Ok((first, last, sums))
    })?;
    let (mut pages, mut sums) = (Vec::new(), Sums::default());
    for page in found {
        let (first, last, found) = page?;
        pages.push(Page(format!("number BETWEEN {first} AND {last}{created}")));
        sums.rows += found.rows;
        sums.open += found.open;
        sums.fees_charged += found.fees_charged;
    }
    Ok((pages, sums))
}

/// The times whose local date is in `period`.
fn created(period: DateRange, zone: &Zone) -> String {
    let moment = |date: BusinessDate| format!("make_timestamp({})", zone.end_of(date).micros());
    let from = period
        .from
        .map(|from| format!(" AND created_at >= {}", moment(from.previous())));
    let to = period
        .to
        .map(|to| format!(" AND created_at < {}", moment(to)));
    from.into_iter().chain(to).collect()
}

/// The present assignment has the highest sequence. The first completion counts; accounting stops
/// at a second one.
fn sql(Page(condition): &Page, user: Option<UserId>) -> String {
    let narrowed = if condition == "true" {
        "true"
    } else {
        "task_id IN (SELECT task_id FROM chosen)"
    };
    format!(
        "WITH chosen AS (SELECT * FROM tasks WHERE {condition}),
        latest AS (
            SELECT max(sequence) AS sequence, count(*) AS assignments
            FROM assignments WHERE {narrowed} GROUP BY task_id),
        held AS (
            SELECT a.task_id, a.assignee_id, a.assigned_at, l.assignments
            FROM latest l JOIN assignments a USING (sequence) WHERE {}),
        finished AS (
            SELECT task_id, arg_min(completed_by, sequence) AS completed_by, min(completed_at) AS completed_at
            FROM completions WHERE {narrowed} GROUP BY task_id),
        changed AS (
            SELECT task_id, arg_max(title, sequence) AS title, arg_max(jira_id, sequence) AS jira_id,
                arg_max(description, sequence) AS description
            FROM task_changes WHERE {narrowed} GROUP BY task_id),
        charged AS (
            SELECT task_id, (-sum(amount))::BIGINT AS fees_charged
            FROM entries WHERE kind = 'fee' AND {narrowed} GROUP BY task_id)
        SELECT t.task_id, t.number, coalesce(x.title, t.title) AS title,
            nullif(coalesce(x.jira_id, t.jira_id), '') AS jira_id,
            nullif(coalesce(x.description, t.description), '') AS description,
            CASE WHEN c.task_id IS NULL THEN 'open' ELSE 'completed' END AS status,
            coalesce(creator.login, t.created_by::VARCHAR) AS created_by, t.created_at,
            coalesce(holder.login, h.assignee_id::VARCHAR) AS assignee, h.assigned_at,
            coalesce(h.assignments, 0) AS assignments, p.fee, p.reward,
            coalesce(f.fees_charged, 0)::BIGINT AS fees_charged,
            c.completed_at, coalesce(finisher.login, c.completed_by::VARCHAR) AS completed_by
        FROM chosen t
        LEFT JOIN prices p USING (task_id) LEFT JOIN held h USING (task_id)
        LEFT JOIN finished c USING (task_id) LEFT JOIN charged f USING (task_id)
        LEFT JOIN changed x USING (task_id)
        LEFT JOIN users creator ON creator.user_id = t.created_by
        LEFT JOIN users holder ON holder.user_id = h.assignee_id
        LEFT JOIN users finisher ON finisher.user_id = c.completed_by
        WHERE {} ORDER BY t.number",
        of_user("a.assignee_id", user),
        of_user("h.assignee_id", user),
    )
}
