//! The speed of the reports over a million entries. Run by hand, in a release build: `cargo test
//! --release --lib -- --ignored --nocapture reports::check::speed`.

use std::io::{self, Write};
use std::time::Instant;

use crate::domain::id::Sequence;
use crate::domain::period::Unit;
use crate::reports::check::history::{History, Size};
use crate::reports::check::tables;
use crate::reports::journal::{self, Dialect};
use crate::reports::name::ReportName;
use crate::reports::query::{Dates, Query};
use crate::reports::render::{Format, Options, render};

#[test]
#[ignore = "a measurement, not a check"]
fn reports_over_a_million_entries() {
    let history = History::of(
        1,
        Size {
            users: 200,
            dates: 120,
            deeds_per_date: 13_000,
        },
    );
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("books.duckdb");
    tables::fill(
        &duckdb::Connection::open(&path).unwrap(),
        &history,
        directory.path(),
    );
    println!(
        "{} entries, {} tasks",
        history.entries.len(),
        history.created.len()
    );
    let today = history.last_date;
    let user = Some(history.user("anna.k").id);
    let plain = Query {
        dates: Dates::Default,
        granularity: None,
        user: None,
        today,
        as_of_sequence: Sequence(1),
        head_sequence: Sequence(1),
    };
    let month = Dates::Range {
        from: Some(today.plus_days(-30)),
        to: None,
    };
    let all = Dates::Range {
        from: None,
        to: None,
    };
    let cases = [
        (ReportName::Balances, plain),
        (
            ReportName::Balances,
            Query {
                dates: Dates::On(today.previous()),
                ..plain
            },
        ),
        (ReportName::Earnings, plain),
        (
            ReportName::Earnings,
            Query {
                dates: all,
                ..plain
            },
        ),
        (
            ReportName::Earnings,
            Query {
                dates: all,
                granularity: Some(Unit::Week),
                ..plain
            },
        ),
        (ReportName::Negative, plain),
        (
            ReportName::TopTask,
            Query {
                dates: all,
                granularity: Some(Unit::Day),
                ..plain
            },
        ),
        (ReportName::Payouts, Query { user, ..plain }),
        (
            ReportName::Statement,
            Query {
                user,
                dates: Dates::On(today.previous()),
                ..plain
            },
        ),
        (
            ReportName::Statement,
            Query {
                user,
                dates: month,
                ..plain
            },
        ),
        (
            ReportName::Entries,
            Query {
                user,
                dates: month,
                ..plain
            },
        ),
        (ReportName::TrialBalance, plain),
        (ReportName::People, plain),
        (
            ReportName::People,
            Query {
                dates: all,
                ..plain
            },
        ),
        (
            ReportName::Flow,
            Query {
                dates: all,
                ..plain
            },
        ),
        (ReportName::Closes, plain),
        (
            ReportName::Tasks,
            Query {
                user,
                dates: Dates::On(today.previous()),
                ..plain
            },
        ),
        (
            ReportName::Balances,
            Query {
                dates: all,
                ..plain
            },
        ),
        (ReportName::Tasks, plain),
        (ReportName::Entries, plain),
    ];
    for (name, query) in cases {
        let start = Instant::now();
        let connection = duckdb::Connection::open(&path).unwrap();
        let opened = start.elapsed();
        let report = name.load(&connection, &query).unwrap();
        let loaded = start.elapsed();
        for format in [Format::Json, Format::Csv] {
            let begin = Instant::now();
            render(&report, format, Options::default(), &mut io::sink()).unwrap();
            let rendered = begin.elapsed();
            let rate = report.table.height() as f64 / (loaded + rendered).as_secs_f64();
            println!(
                "{:14} {:8} rows  open {opened:>10.1?}  load {loaded:>10.1?}  {format:?} {rendered:>10.1?}  {rate:>9.0} rows/s",
                name.name(),
                report.table.height(),
            );
        }
    }
    let connection = duckdb::Connection::open(&path).unwrap();
    for dialect in [Dialect::Hledger, Dialect::Beancount] {
        let begin = Instant::now();
        journal::write(
            &connection,
            dialect,
            Sequence(1),
            &mut io::BufWriter::new(io::sink()) as &mut dyn Write,
        )
        .unwrap();
        println!("{dialect:?} {:.1?}", begin.elapsed());
    }
}
