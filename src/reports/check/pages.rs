//! Reports of more than one page against one query over the same tables.

use std::time::Duration;

use duckdb::Connection;

use crate::domain::id::Sequence;
use crate::reports::Report;
use crate::reports::error::ReportError;
use crate::reports::name::ReportName;
use crate::reports::pages::PAGE_ROWS;
use crate::reports::query::{Dates, Query};
use crate::reports::render::{Format, Options, render};
use crate::reports::table::Value;
use crate::store::{Database, StoreError, Tables};

const USERS: [&str; 2] = [
    "0190a0c8-0000-7000-8000-000000000001",
    "0190a0c8-0000-7000-8000-000000000002",
];

const TWO_PAGES: usize = PAGE_ROWS + 1000;

/// Entries and tasks of two users on thirty dates; two thirds belong to the second user. Every
/// 1,000th entry is dated late.
pub(super) fn tables(rows: usize) -> Database {
    filled(Database::in_memory(Tables::Accounting).unwrap(), rows)
}

fn filled(database: Database, rows: usize) -> Database {
    let user = format!(
        "(CASE WHEN i % 3 = 0 THEN '{}' ELSE '{}' END)::UUID",
        USERS[0], USERS[1]
    );
    let date = format!(
        "DATE '2026-01-01' + (CASE WHEN i % 1000 = 0 THEN 29 ELSE i * 29 // {rows} END)::INTEGER"
    );
    let id = "('0190a0c8-0000-7000-9000-' || lpad(i::VARCHAR, 12, '0'))::UUID";
    let series = format!("FROM (SELECT unnest(generate_series(1, {rows})) AS i)");
    let fill = format!(
        "INSERT INTO checkpoint VALUES (9999999, '0', 1, 0, 0, 0);
        INSERT INTO company VALUES ('{0}', 'C', 'Europe/Moscow', 'EUR', 1, 2, 3, 4, false,
            TIMESTAMP '2025-12-31 10:00:00');
        INSERT INTO users VALUES ('{0}', 'anna', 'Anna', 'a@b.c', 'worker', true),
            ('{1}', 'boris', 'Boris', 'b@b.c', 'worker', true);
        INSERT INTO tasks SELECT i, {id}, i, 'title ' || i, NULL, NULL, '{0}',
            TIMESTAMP '2026-01-01 10:00:00' {series};
        INSERT INTO assignments SELECT i, {id}, {user}, 1, TIMESTAMP '2026-01-01 10:00:00' {series};
        INSERT INTO entries SELECT 2 * i, {id}, {user}, 'fee', -1 - i % 7, -1, {date}, i % 1000 = 0,
            TIMESTAMP '2026-01-01 10:00:00', TIMESTAMP '2026-01-01 10:00:00', i, {id}, 1, NULL, NULL,
            NULL, 0 {series};",
        USERS[0], USERS[1]
    );
    database.connection().execute_batch(&fill).unwrap();
    database
}

fn load(database: &Database, name: ReportName, user: Option<&str>) -> Report {
    try_load(database, name, user).unwrap()
}

fn try_load(
    database: &Database,
    name: ReportName,
    user: Option<&str>,
) -> Result<Report, ReportError> {
    let query = Query {
        dates: Dates::Default,
        granularity: None,
        user: user.map(|user| user.parse().unwrap()),
        today: "2026-02-01".parse().unwrap(),
        as_of_sequence: Sequence(1),
        head_sequence: Sequence(1),
    };
    name.load(database.connection(), &query)
}

/// The values of one column of the written report.
pub(super) fn written(report: &Report, column: &str) -> Vec<i64> {
    let mut csv = Vec::new();
    render(report, Format::Csv, Options::default(), &mut csv).unwrap();
    let mut csv = csv::Reader::from_reader(&csv[..]);
    let headings = csv.headers().unwrap().clone();
    let place = headings.iter().position(|name| name == column).unwrap();
    csv.records()
        .map(|row| row.unwrap()[place].replace('.', "").parse().unwrap())
        .collect()
}

pub(super) fn queried(connection: &Connection, sql: &str) -> Vec<i64> {
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

pub(super) fn total(report: &Report, name: &str) -> Value {
    let found = report.totals.iter().find(|(total, _)| *total == name);
    found.unwrap().1.clone()
}

#[test]
fn a_long_report_has_every_row_once_and_in_order() {
    let rows = PAGE_ROWS * 2;
    let database = tables(rows);
    let connection = database.connection();
    let sequences = "SELECT sequence::BIGINT FROM entries ORDER BY business_date, sequence";
    let (sequences, sum) = (
        queried(connection, sequences),
        queried(connection, "SELECT sum(amount)::BIGINT FROM entries")[0],
    );
    let numbers = queried(
        connection,
        "SELECT number::BIGINT FROM tasks JOIN assignments USING (task_id)
        WHERE assignee_id <> (SELECT min(user_id) FROM users) ORDER BY number",
    );
    let mut entries = load(&database, ReportName::Entries, None);
    let mut tasks = load(&database, ReportName::Tasks, Some(USERS[1]));
    assert_eq!(
        (entries.table.height(), entries.height()),
        (PAGE_ROWS, rows)
    );
    assert_eq!(
        total(&entries, "entries"),
        Value::Int(sequences.len() as i64)
    );
    assert_eq!(total(&entries, "amount"), Value::minor(sum));
    entries.pages.read_from(database);
    assert!(written(&entries, "sequence") == sequences);
    tasks.pages.read_from(tables(rows));
    assert_eq!(tasks.height(), numbers.len());
    assert!(written(&tasks, "number") == numbers);
}

#[test]
fn the_balance_of_a_long_statement_runs_on_from_page_to_page() {
    let database = tables(PAGE_ROWS * 2);
    let running = queried(
        database.connection(),
        &format!(
            "SELECT (sum(amount) OVER (ORDER BY business_date, sequence))::BIGINT FROM entries
            WHERE user_id = '{}' ORDER BY business_date, sequence",
            USERS[1]
        ),
    );
    let mut statement = load(&database, ReportName::Statement, Some(USERS[1]));
    assert!(statement.height() > PAGE_ROWS);
    statement.pages.read_from(database);
    assert!(written(&statement, "balance") == running);
    let closing = statement
        .beside
        .iter()
        .find(|(n, _)| *n == "closing_balance");
    assert_eq!(closing.unwrap().1, Value::minor(*running.last().unwrap()));
}

#[test]
fn every_format_has_all_pages() {
    for format in [
        Format::Table,
        Format::Json,
        Format::Ndjson,
        Format::Markdown,
    ] {
        let mut tasks = load(&tables(TWO_PAGES), ReportName::Tasks, None);
        tasks.pages.read_from(tables(TWO_PAGES));
        let mut text = Vec::new();
        render(&tasks, format, Options::default(), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let is_number = |rest: &&str| rest.starts_with(|c: char| c.is_ascii_digit());
        let titles = text.split("title ").filter(is_number).count();
        assert_eq!(titles, TWO_PAGES, "{format:?}");
        if format == Format::Json {
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(json["rows"].as_array().unwrap().len(), TWO_PAGES);
        }
    }
}

#[test]
fn a_report_of_dates_without_rows_has_none() {
    let database = tables(10);
    database
        .connection()
        .execute_batch(
            "INSERT INTO payouts SELECT 99, entry_id, entry_id, user_id, 100, DATE '2026-01-02', 0, 100,
                TIMESTAMP '2026-01-03 00:00:00' FROM entries LIMIT 1",
        )
        .unwrap();
    for name in [
        ReportName::Payouts,
        ReportName::Entries,
        ReportName::Statement,
        ReportName::Tasks,
    ] {
        let rows_on = |date: &str| {
            let query = Query {
                dates: Dates::On(date.parse().unwrap()),
                granularity: None,
                user: (name == ReportName::Statement).then(|| USERS[1].parse().unwrap()),
                today: "2026-02-01".parse().unwrap(),
                as_of_sequence: Sequence(1),
                head_sequence: Sequence(1),
            };
            name.load(database.connection(), &query).unwrap().height()
        };
        assert_eq!(rows_on("2026-03-01"), 0, "{}", name.name());
    }
    assert_eq!(load(&database, ReportName::Payouts, None).height(), 1);
}

#[test]
fn damage_that_a_later_page_meets_names_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let [sound, spoilt] =
        ["sound", "accounting"].map(|name| directory.path().join(format!("{name}.duckdb")));
    drop(filled(
        Database::open(&sound, Tables::Accounting, Duration::ZERO).unwrap(),
        PAGE_ROWS * 3,
    ));
    let bytes = std::fs::read(&sound).unwrap();
    let blocks = (12_288 + 3000..bytes.len()).step_by(262_144);
    // The entries were written last.
    let met = blocks.rev().find_map(|block| {
        let mut bytes = bytes.clone();
        bytes[block..][..64].fill(0xa5);
        std::fs::write(&spoilt, bytes).unwrap();
        let opened = Database::open_to_read(&spoilt, Tables::Accounting, Duration::ZERO);
        let database = opened.ok()?;
        let mut entries = try_load(&database, ReportName::Entries, None).ok()?;
        entries.pages.read_from(database);
        render(&entries, Format::Csv, Options::default(), &mut Vec::new()).err()
    });
    let Some(ReportError::Damaged(StoreError::Damaged { path, .. })) = met else {
        panic!("{met:?}");
    };
    assert_eq!(path, spoilt);
}

#[test]
fn a_page_is_not_read_from_tables_that_are_closed() {
    let entries = load(&tables(TWO_PAGES), ReportName::Entries, None);
    let written = render(&entries, Format::Csv, Options::default(), &mut Vec::new());
    assert!(matches!(written, Err(ReportError::TablesClosed)));
}
