//! One report in every format, with text that breaks careless writers.

use polars::prelude::{ParquetReader, SerReader};

use crate::domain::id::Sequence;
use crate::domain::money::Money;
use crate::domain::period::DateRange;
use crate::domain::time::{BusinessDate, EventTime, Zone};
use crate::reports::pages::Pages;
use crate::reports::render::{Format, Options, render};
use crate::reports::table::{Table, Value};
use crate::reports::{Arranged, Report};

fn sample() -> Report {
    let date: BusinessDate = "2026-11-22".parse().unwrap();
    let time: EventTime = "2026-11-22T10:00:00.5Z".parse().unwrap();
    let titles = [
        "Чинить 🦜, «сейчас»",
        "=1+1|*b*",
        "say \"hi\"\nthere\t\\ \u{202e}x",
    ];
    let table = Table::builder()
        .date("date", [Some(date), None, Some(date.next())])
        .text(
            "task_id",
            [
                Some("0190a0c8-1111-7000-8000-000000000001"),
                None,
                Some("'=x"),
            ],
        )
        .text("title", titles.map(Some))
        .int("number", [Some(1), None, Some(300)])
        .money(
            "amount",
            [Some(Money::units(-12)), Some(Money::from_minor(5)), None],
        )
        .time("time", [Some(time), None, None])
        .bool("late", [Some(true), Some(false), None])
        .build();
    Report {
        name: "statement",
        as_of_sequence: Sequence(7),
        head_sequence: Sequence(9),
        zone: Zone::named("Europe/Moscow").unwrap(),
        company: "Попуг и Ко".into(),
        currency: "EUR".into(),
        closed_through: Some(date),
        period: DateRange {
            from: None,
            to: Some(date),
        },
        asked: Some("november".to_owned()),
        totals: vec![
            ("amount", Value::Money(Money::from_minor(-1195))),
            ("entries", Value::Int(3)),
        ],
        versus: None,
        beside: vec![("login", Value::Text("anna".into()))],
        table,
        pages: Pages::default(),
        arranged: Arranged::default(),
        adds_up: true,
    }
}

fn rendered(format: Format, width: Option<u16>) -> String {
    let mut out = Vec::new();
    render(
        &sample(),
        format,
        Options {
            width,
            colours: false,
            ..Options::default()
        },
        &mut out,
    )
    .unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn json_is_one_line_with_rows_last() {
    insta::assert_snapshot!(rendered(Format::Json, None));
}

#[test]
fn json_parses_and_ndjson_has_the_same_rows() {
    let report: serde_json::Value = serde_json::from_str(&rendered(Format::Json, None)).unwrap();
    let rows: Vec<serde_json::Value> = rendered(Format::Ndjson, None)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(report["rows"], serde_json::Value::Array(rows));
    assert_eq!(report["rows"][0]["amount"], "-12.00");
    assert_eq!(report["totals"]["entries"], 3);
    assert_eq!(report["period"]["from"], serde_json::Value::Null);
}

#[test]
fn csv_quotes_and_disarms_formulas() {
    insta::assert_snapshot!(rendered(Format::Csv, None));
}

#[test]
fn a_csv_reader_gets_the_cells_back() {
    let text = rendered(Format::Csv, None);
    let mut csv = csv::Reader::from_reader(text.as_bytes());
    let titles: Vec<String> = csv
        .records()
        .map(|row| crate::domain::text::unescape_formula(&row.unwrap()[2]).to_owned())
        .collect();
    assert_eq!(
        titles,
        [
            "Чинить 🦜, «сейчас»",
            "=1+1|*b*",
            "say \"hi\"\nthere\t\\ \u{202e}x"
        ]
    );
}

#[test]
fn plain_keeps_a_row_on_one_line() {
    insta::assert_snapshot!(rendered(Format::Plain, None));
}

#[test]
fn markdown_shows_text_as_it_is() {
    insta::assert_snapshot!(rendered(Format::Markdown, None));
}

#[test]
fn a_wide_terminal_cuts_and_wraps_nothing() {
    insta::assert_snapshot!(rendered(Format::Table, Some(160)));
}

#[test]
fn a_narrow_terminal_shortens_and_wraps() {
    insta::assert_snapshot!(rendered(Format::Table, Some(80)));
    let widest = rendered(Format::Table, Some(60))
        .lines()
        .map(|line| line.chars().count())
        .max();
    assert!(widest.is_some_and(|widest| widest <= 60), "{widest:?}");
}

#[test]
fn parquet_has_real_types() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("statement.parquet");
    let mut file = std::fs::File::create(&path).unwrap();
    render(&sample(), Format::Parquet, Options::default(), &mut file).unwrap();
    let read = ParquetReader::new(std::fs::File::open(&path).unwrap())
        .finish()
        .unwrap();
    let types: Vec<String> = read.dtypes().iter().map(ToString::to_string).collect();
    // The file says that it is UTC; Polars without time zones has no name for that.
    let expected = [
        "date",
        "str",
        "str",
        "i64",
        "decimal[18,2]",
        "datetime[μs, +00:00]",
        "bool",
    ];
    assert_eq!(types, expected);
    assert_eq!(read.height(), sample().table.height());
}

#[test]
fn no_amount_is_broken_on_a_terminal_without_room() {
    for width in [24, 30, 40, 50, 60] {
        let shown = rendered(Format::Table, Some(width));
        let (grid, told) = shown.split_once("Login: ").unwrap();
        for line in grid.lines() {
            let line = textwrap::core::display_width(line);
            assert!(line <= usize::from(width), "{width}: {shown}");
        }
        assert!(
            grid.contains("2026-11-22") && grid.contains(" -11.95"),
            "{shown}"
        );
        let told = told.replace('\n', " ");
        assert!(told.contains("no room for: time"), "{shown}");
    }
}
