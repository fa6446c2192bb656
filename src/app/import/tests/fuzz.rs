//! Fuzzed files: none makes an import panic, and a file that is written by RFC 4180 from the parsed
//! rows is parsed to the same rows.

use proptest::prelude::*;
use proptest::sample::select;

use super::{HEADER, ROWS};
use crate::app::import::ImportKind;
use crate::app::import::Reading;
use crate::app::import::columns::Column;
use crate::app::import::csv_file::CsvFile;
use crate::app::import::row::Rows;
use crate::app::import::tests::{read_file, rows_of};
use crate::domain::tests::mutation::mutated;
use crate::domain::time::EventTime;

const WORDS: &[&str] = &[
    "\"",
    "\"\"",
    "'",
    "'=",
    ",",
    ",,",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "\u{feff}",
    "\0",
    ";",
    "sep=;\n",
    "\"\"\"",
    "at",
    "key",
    "title,",
    "close",
    "=1+1",
    "2026-13-40T25:61:61Z",
    "9999-12-31T23:59:59.9999999Z",
    "+99:99",
    "ж",
];

fn files() -> impl Strategy<Value = (ImportKind, Vec<u8>)> {
    let good = [
        (
            ImportKind::Users,
            "login,name,email,role\nbob,Боб,bob@p.example,developer\nvera,\"V, \"\"K\"\"\",v@p.example,worker\n"
                .to_owned(),
        ),
        (
            ImportKind::Tasks,
            "\u{feff}key,title,jira_id,description\r\nA,Feed,UP-1,\"two\r\nlines\"\r\nB,'=1+1,,\r\n".to_owned(),
        ),
        (ImportKind::Activity, format!("{HEADER}{ROWS}")),
    ];
    select(good.to_vec())
        .prop_flat_map(|(kind, text)| (Just(kind), mutated(Just(text.into_bytes()), WORDS)))
}

/// Header and good rows, quoted if necessary.
fn written(kind: ImportKind, csv_file: &CsvFile) -> Vec<u8> {
    let columns: Vec<_> = ALL
        .into_iter()
        .filter(|column| csv_file.has(*column))
        .collect();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer
        .write_record(columns.iter().map(|column| column.name()))
        .unwrap();
    for row in rows_of(csv_file) {
        // Guarded like exports: exactly one quote is removed again.
        let cells = columns
            .iter()
            .map(|column| guarded(csv_file.cell(&row.record, *column)));
        writer
            .write_record(cells)
            .unwrap_or_else(|error| panic!("{kind:?}: {error}"));
    }
    writer.into_inner().unwrap()
}

fn guarded(cell: &str) -> String {
    let is_formula = cell
        .trim_start_matches('\'')
        .starts_with(['=', '+', '-', '@', '\t', '\r']);
    if is_formula {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

const ALL: [Column; 11] = [
    Column::At,
    Column::Action,
    Column::Key,
    Column::Actor,
    Column::Login,
    Column::Name,
    Column::Email,
    Column::Role,
    Column::Title,
    Column::JiraId,
    Column::Description,
];

fn cells(csv_file: &CsvFile) -> Vec<Vec<String>> {
    let of_row = |record| {
        ALL.into_iter()
            .map(|column| csv_file.cell(record, column).to_owned())
            .collect()
    };
    rows_of(csv_file)
        .iter()
        .map(|row| of_row(&row.record))
        .collect()
}

proptest! {
    #[test]
    fn a_file_reads_the_same_once_it_is_written_again((kind, bytes) in files()) {
        let Ok(csv_file) = read_file(kind, &Reading::default(), &bytes[..]) else { return Ok(()) };
        let again = written(kind, &csv_file);
        let read = read_file(kind, &Reading::default(), &again[..]).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert!(read.malformed.is_empty());
        prop_assert_eq!(cells(&read), cells(&csv_file));
    }

    #[test]
    fn the_rows_of_any_file_ask_for_something_or_are_bad((kind, bytes) in files()) {
        let Ok(csv_file) = read_file(kind, &Reading::default(), &bytes[..]) else { return Ok(()) };
        let mut rows = Rows::default();
        let mut keys = std::collections::BTreeSet::new();
        for row in rows_of(&csv_file) {
            let Ok(request) = rows.request(kind, &csv_file, &row) else { continue };
            if let Some(at) = request.at {
                prop_assert_eq!(at.to_string().parse::<EventTime>().unwrap(), at);
            }
            // Rows without a key of their own are distinguished by their count.
            let is_counted = kind == ImportKind::Activity && csv_file.cell(&row.record, Column::Key).is_empty();
            prop_assert!(!is_counted || keys.insert(request.row_key.clone()), "{}", request.row_key);
        }
        let mut rejects = Vec::new();
        csv_file.write_rejects(&csv_file.malformed, &mut rejects).unwrap();
        let read = read_file(kind, &Reading::default(), &rejects[..]).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!((rows_of(&read).len(), read.malformed.len()), (0, csv_file.malformed.len()));
    }
}
