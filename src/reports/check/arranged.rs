//! Reports whose columns, order and number of rows a reader chose.

use crate::domain::id::Sequence;
use crate::reports::Report;
use crate::reports::arrangement::{Arrangement, SortKey};
use crate::reports::check::pages::{queried, tables, total, written};
use crate::reports::error::ReportError;
use crate::reports::name::ReportName;
use crate::reports::pages::PAGE_ROWS;
use crate::reports::query::{Dates, Query};
use crate::reports::render::{Format, Options, render};
use crate::reports::table::Value;
use crate::store::Database;

const ROWS: usize = PAGE_ROWS * 2 + 100;

fn by(keys: &[&str]) -> Arrangement {
    let key = |key: &&str| {
        let column = key.trim_start_matches('-');
        SortKey {
            column: column.to_owned(),
            is_descending: column != *key,
        }
    };
    Arrangement {
        sort: keys.iter().map(key).collect(),
        ..Arrangement::default()
    }
}

fn arranged(
    database: &Database,
    name: ReportName,
    arrangement: &Arrangement,
) -> Result<Report, ReportError> {
    let query = Query {
        dates: Dates::Default,
        granularity: None,
        user: None,
        today: "2026-02-01".parse().unwrap(),
        as_of_sequence: Sequence(1),
        head_sequence: Sequence(1),
    };
    let connection = database.connection();
    arrangement.apply(name.load(connection, &query)?, Some(connection))
}

#[test]
fn a_report_of_several_pages_is_sorted_as_a_whole_and_equal_rows_keep_their_order() {
    let database = tables(ROWS);
    let expected = queried(
        database.connection(),
        "SELECT sequence::BIGINT FROM entries ORDER BY amount DESC, business_date, sequence",
    );
    let sum = queried(
        database.connection(),
        "SELECT sum(amount)::BIGINT FROM entries",
    )[0];
    let mut entries = arranged(&database, ReportName::Entries, &by(&["-amount"])).unwrap();
    assert_eq!(
        (entries.table.height(), entries.height()),
        (PAGE_ROWS, ROWS)
    );
    entries.pages.read_from(database);
    assert!(written(&entries, "sequence") == expected);
    assert_eq!(total(&entries, "amount"), Value::minor(sum));
}

#[test]
fn a_limit_cuts_the_rows_on_any_page_and_not_the_totals() {
    for limit in [0, 1, PAGE_ROWS, PAGE_ROWS + 1, ROWS - 1, ROWS, ROWS + 1] {
        for keys in [&[][..], &["-number"]] {
            let database = tables(ROWS);
            let arrangement = Arrangement {
                limit: Some(limit),
                ..by(keys)
            };
            let mut tasks = arranged(&database, ReportName::Tasks, &arrangement).unwrap();
            let kept = limit.min(ROWS);
            assert_eq!(tasks.height(), kept);
            assert_eq!(tasks.arranged.rows_left_out, ROWS - kept);
            assert_eq!(total(&tasks, "open"), Value::Int(ROWS as i64));
            tasks.pages.read_from(database);
            let expected: Vec<i64> = if keys.is_empty() {
                (1..=kept as i64).collect()
            } else {
                ((ROWS - kept + 1) as i64..=ROWS as i64).rev().collect()
            };
            assert!(written(&tasks, "number") == expected, "{limit} {keys:?}");
        }
    }
}

#[test]
fn the_chosen_columns_are_those_of_every_format_in_their_order() {
    let arrangement = Arrangement {
        columns: ["title", "number"].map(str::to_owned).to_vec(),
        ..by(&["-task_id"])
    };
    let last = PAGE_ROWS + 5;
    let rule = "─".repeat(20);
    for (format, begins) in [
        (Format::Csv, format!("title,number\ntitle {last},{last}\n")),
        (Format::Plain, format!("title {last}\t{last}\n")),
        (
            Format::Ndjson,
            format!("{{\"title\":\"title {last}\",\"number\":{last}}}\n"),
        ),
        (
            Format::Markdown,
            format!("| title | number |\n| --- | ---: |\n| title {last} | {last} |\n"),
        ),
        (
            Format::Table,
            format!(
                "TASKS            EUR\n\nTitle           Task\n{rule}\ntitle {last}  T-{last}\n"
            ),
        ),
    ] {
        let database = tables(last);
        let mut tasks = arranged(&database, ReportName::Tasks, &arrangement).unwrap();
        tasks.pages.read_from(database);
        let mut text = Vec::new();
        render(&tasks, format, Options::default(), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with(&begins), "{format:?} {text:.200}");
        assert!(!text.contains("fees_charged") && !text.contains("Fees charged"));
        assert_eq!(
            text.matches("title ").count() - text.matches("title |").count(),
            last
        );
    }
}

#[test]
fn absent_values_are_last_in_both_directions_in_memory_and_in_tables() {
    for rows in [10, PAGE_ROWS + 5] {
        for key in ["completed_by", "-completed_by"] {
            let database = tables(rows);
            database
                .connection()
                .execute_batch(
                    "INSERT INTO completions SELECT sequence + 1000000, task_id, created_by, created_at
                    FROM tasks WHERE number IN (3, 4)",
                )
                .unwrap();
            let mut tasks = arranged(&database, ReportName::Tasks, &by(&[key])).unwrap();
            tasks.pages.read_from(database);
            let written = written(&tasks, "number");
            assert_eq!(written[..4], [3, 4, 1, 2], "{key} {rows}");
        }
    }
}

#[test]
fn a_column_that_is_not_there_is_refused_with_those_that_are() {
    let database = tables(10);
    let of = |columns: &[&str], keys: &[&str]| {
        let columns = columns.iter().map(|name| (*name).to_owned()).collect();
        let arrangement = Arrangement {
            columns,
            ..by(keys)
        };
        arranged(&database, ReportName::Balances, &arrangement).unwrap_err()
    };
    for error in [of(&["login", "balnce"], &[]), of(&["login"], &["-balnce"])] {
        let ReportError::UnknownColumn { name, columns } = error else {
            panic!("{error}");
        };
        assert_eq!(name, "balnce");
        assert!(columns.contains(&"balance") && columns.len() == 13);
    }
    assert!(matches!(
        of(&["login", "name", "login"], &[]),
        ReportError::ColumnTwice("login")
    ));
}
