//! How files are read, and which are refused.

use crate::app::AppError;
use crate::app::import::columns::Column;
use crate::app::import::csv_file::{CsvFile, CsvRow};
use crate::app::import::tests::{read_file, rows_of};
use crate::app::import::{ImportError, ImportKind, Reading};
use crate::domain::text::unescape_formula;

fn tasks(file: &[u8]) -> Result<CsvFile, ImportError> {
    read_file(ImportKind::Tasks, &Reading::default(), file)
}

/// Lines and reasons of malformed rows.
fn malformed(csv_file: &CsvFile) -> Vec<(u64, &str)> {
    csv_file
        .malformed
        .iter()
        .map(|row| (row.line, row.faults[0].reason.as_str()))
        .collect()
}

#[test]
fn exactly_one_quote_is_taken_off_a_guarded_cell() {
    for (written, read) in [
        ("'=1+1", "=1+1"),
        ("'+7", "+7"),
        ("'-5 degrees", "-5 degrees"),
        ("'@home", "@home"),
        ("'\tx", "\tx"),
        ("''=x", "'=x"),
        ("'quoted'", "'quoted'"),
        ("''", "''"),
        ("=x", "=x"),
        ("", ""),
    ] {
        assert_eq!(unescape_formula(written), read, "{written:?}");
    }
}

#[test]
fn rows_know_the_line_they_begin_in() {
    let file = "key,title\r\nA,\"one\r\ntwo\"\r\n\r\nB,three\r\nC,four\r\n";
    let mac = file.replace("\r\n", "\r");
    for file in [
        file.to_owned(),
        file.replace('\r', ""),
        mac,
        format!("\u{feff}{file}"),
    ] {
        let csv_file = tasks(file.as_bytes()).unwrap();
        let lines: Vec<_> = rows_of(&csv_file).iter().map(|row| row.line).collect();
        assert_eq!(lines, [2, 5, 6], "{file:?}");
        assert_eq!(
            csv_file.cell(&rows_of(&csv_file)[1].record, Column::Title),
            "three"
        );
    }
}

#[test]
fn rows_of_another_width_or_encoding_are_bad_and_the_others_are_read() {
    let file = b"key,title\nA\nB,two\nC,\xff\nD,four,more\n";
    let csv_file = tasks(&file[..]).unwrap();
    assert_eq!(csv_file.count, 1);
    assert_eq!(
        malformed(&csv_file),
        [
            (2, "the row has 1 cells, the header 2"),
            (
                4,
                "the row is not UTF-8; in a spreadsheet, save as `CSV UTF-8`"
            ),
            (5, "the row has 3 cells, the header 2")
        ]
    );
}

#[test]
fn a_cell_without_an_end_makes_its_row_bad_and_no_other() {
    for (file, cells) in [
        ("B,\"two\nC,three\n", ["", "", "B,\"two\nC,three"]),
        ("\"B,two\nC,three", ["", "", "\"B,two\nC,three"]),
    ] {
        let file = format!("key,title\nA,one\nX\n{file}");
        let csv_file = tasks(file.as_bytes()).unwrap();
        assert_eq!(csv_file.count, 1);
        let [short, open] = &csv_file.malformed[..] else {
            panic!("{} bad rows", csv_file.malformed.len())
        };
        assert_eq!((short.line, open.line), (3, 4));
        let reason = &open.faults[0].reason;
        assert!(
            reason.starts_with("the cell that begins with a quote in line 4 has no closing quote"),
            "{reason}"
        );
        assert!(open.record.iter().eq(cells), "{:?}", open.record);
    }
}

#[test]
fn the_columns_of_a_rejects_file_are_no_cells_and_are_not_written_twice() {
    let file = b"key,title,line,column,reason\nA,one,7,key,wrong\nB,two\n";
    let csv_file = tasks(&file[..]).unwrap();
    let rows = rows_of(&csv_file);
    let cells: Vec<Vec<_>> = rows.iter().map(|row| row.record.iter().collect()).collect();
    assert_eq!(cells, [["A", "one"]]);
    let mut rejects = Vec::new();
    csv_file
        .write_rejects(&csv_file.malformed, &mut rejects)
        .unwrap();
    let wanted =
        "key,title,,line,column,reason\n,,\"B,two\",3,,\"the row has 2 cells, the header 5\"\n";
    assert_eq!(String::from_utf8(rejects).unwrap(), wanted);
}

/// Keys and titles.
fn read(file: &[u8]) -> (Vec<(u64, String, String)>, Vec<String>) {
    let csv_file = tasks(file).unwrap();
    assert_eq!(malformed(&csv_file), []);
    let cell = |row: &CsvRow, column| csv_file.cell(&row.record, column).to_owned();
    let rows = rows_of(&csv_file);
    let rows = rows
        .iter()
        .map(|row| (row.line, cell(row, Column::Key), cell(row, Column::Title)));
    (rows.collect(), csv_file.remarks())
}

#[test]
fn a_file_is_read_as_spreadsheets_write_it() {
    let rows = [
        (2, "A".to_owned(), "Накормить; всех".to_owned()),
        (3, "B".to_owned(), "6\" pipe".to_owned()),
    ];
    let written = |separator: &str| {
        format!(
            "Key{separator}TITLE\r\nA{separator}\"Накормить; всех\"\r\nB{separator}\"6\"\" pipe\"\r\n"
        )
    };
    let utf16 =
        |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    for (bytes, remarks) in [
        (written(",").into_bytes(), vec![]),
        (
            format!("\u{feff}{}", written(";")).into_bytes(),
            vec!["read as UTF-8, separated by `;`"],
        ),
        (
            utf16(&format!("\u{feff}{}", written("\t"))),
            vec!["read as UTF-16, separated by tabs"],
        ),
        (
            utf16(&format!("\u{feff}{}", written(","))),
            vec!["read as UTF-16, separated by `,`"],
        ),
        (
            written(",").replace("\r\n", "\r").into_bytes(),
            vec!["read as UTF-8, separated by `,`, with lines that end in CR"],
        ),
    ] {
        assert_eq!(
            read(&bytes),
            (
                rows.to_vec(),
                remarks.into_iter().map(str::to_owned).collect()
            )
        );
    }
}

#[test]
fn a_first_line_may_name_the_separator() {
    for (first, separator) in [
        ("sep=;", ";"),
        ("\"sep=;\"", ";"),
        ("SEP=|", "|"),
        ("sep=\t", "\t"),
        ("sep=,", ","),
    ] {
        let file = format!("{first}\r\nkey{separator}title\r\nA{separator}one\r\n");
        let shown = match separator {
            "\t" => "tabs".to_owned(),
            other => format!("`{other}`"),
        };
        let (rows, remarks) = read(file.as_bytes());
        assert_eq!(rows, [(3, "A".to_owned(), "one".to_owned())], "{first}");
        let remark = format!("read as UTF-8, separated by {shown} as its first line says");
        assert_eq!(remarks, [remark]);
    }
}

#[test]
fn empty_columns_and_rows_are_passed_over() {
    let file = "key,title,,\nA,one,,\n,,,\n , \nB,two, \nC,three,,,,,\n\n";
    let rows: Vec<_> = read(file.as_bytes())
        .0
        .into_iter()
        .map(|(line, key, _)| (line, key))
        .collect();
    assert_eq!(
        rows,
        [
            (2, "A".to_owned()),
            (5, "B".to_owned()),
            (6, "C".to_owned())
        ]
    );
    let filled = tasks("key,,title,\nA,,one,x\nB,x,two,\n".as_bytes()).unwrap();
    assert_eq!(
        malformed(&filled),
        [
            (2, "the row has 4 cells, the header 3"),
            (3, "cell 2 stands under an empty header")
        ]
    );
}

#[test]
fn blanks_around_words_are_no_part_of_them() {
    let file = "login,name,email,role\n bob ,Bob,b@p.example,\tworker\u{a0}\n";
    let csv_file = read_file(ImportKind::Users, &Reading::default(), file.as_bytes()).unwrap();
    let rows = rows_of(&csv_file);
    let cell = |column| csv_file.cell(&rows[0].record, column);
    assert_eq!((cell(Column::Login), cell(Column::Role)), ("bob", "worker"));
}

fn reading(map: &[(&str, &str)], ignore_unknown: bool) -> Reading {
    Reading {
        map: map
            .iter()
            .map(|(ours, theirs)| ((*ours).into(), (*theirs).into()))
            .collect(),
        ignore_unknown,
    }
}

#[test]
fn columns_are_taken_under_other_names_and_unknown_ones_passed_over_if_that_is_asked_for() {
    let file = "Summary,Issue key,Status,Labels,Labels,Description\nOne,UP-1,Done,a,b,text\n";
    let map = [
        ("title", "summary"),
        ("key", "Issue key"),
        ("jira_id", "Issue key"),
    ];
    let csv_file = read_file(ImportKind::Tasks, &reading(&map, true), file.as_bytes()).unwrap();
    let rows = rows_of(&csv_file);
    let cell = |column| csv_file.cell(&rows[0].record, column);
    let cells = [
        Column::Title,
        Column::Key,
        Column::JiraId,
        Column::Description,
    ]
    .map(cell);
    assert_eq!(cells, ["One", "UP-1", "UP-1", "text"]);
    assert_eq!(csv_file.remarks(), ["passed over: Status, Labels"]);
    // If our column is mapped to another header, its own header is unknown.
    let both = "title,Summary,key\nx,One,A\n";
    assert_eq!(
        refused(ImportKind::Tasks, &reading(&map[..1], false), both).0,
        "the columns `title` and `summary` are both there, and --map takes `summary` for title"
    );
}

fn refused(kind: ImportKind, reading: &Reading, file: &str) -> (String, Vec<String>) {
    match read_file(kind, reading, file.as_bytes()) {
        Err(ImportError::BadCsv { reason, hints }) => (reason, hints),
        Err(ImportError::App(AppError::Usage { message, hint })) => {
            (message, hint.into_iter().collect())
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("read: {file}"),
    }
}

#[test]
fn a_file_that_cannot_be_understood_is_refused_naming_all_columns_at_fault() {
    let columns = "the columns are key,title,jira_id,description";
    for (file, reason) in [
        ("", "the file is empty; a header row is required"),
        ("\n,,\n\n", "the file is empty; a header row is required"),
        ("key,title,colour\n", "the column `colour` is not known"),
        (
            "key,size,colour,size\n",
            "the columns `size`, `colour` are not known; the column `title` is missing",
        ),
        ("key,title,reason\n", "the column `reason` is not known"),
        (
            "line,column,reason,key,title\n",
            "the columns `line`, `column`, `reason` are not known",
        ),
        ("key,title,KEY\n", "the column `KEY` appears twice"),
        ("description\n", "the columns `key`, `title` are missing"),
        (
            "key,\"title\"s\n",
            "the header row cannot be read: `s` follows the closing quote of a cell; a quote inside a quoted cell is written twice",
        ),
    ] {
        let (found, hints) = refused(ImportKind::Tasks, &Reading::default(), file);
        assert_eq!(
            (found.as_str(), hints[0].as_str()),
            (reason, columns),
            "{file}"
        );
        assert_eq!(
            hints
                .get(1)
                .is_some_and(|hint| hint.contains("--map") && hint.contains("--ignore-unknown")),
            reason.contains('`') && !reason.contains("quote")
        );
    }
    assert_eq!(
        refused(ImportKind::Users, &Reading::default(), "login,name,email\n").0,
        "the column `role` is missing"
    );
    assert_eq!(
        refused(ImportKind::Activity, &Reading::default(), "at,key\n").0,
        "the column `action` is missing"
    );
    let Err(ImportError::BadCsv { reason, .. }) = tasks(b"key;\xcd\xe0\xe7\xe2\xe0\xed\xe8\xe5\n")
    else {
        panic!("read")
    };
    assert_eq!(
        reason,
        "the header is not UTF-8; in a spreadsheet, save as `CSV UTF-8`"
    );
    let hints = refused(ImportKind::Tasks, &Reading::default(), "sep=;\nkey;name\n").1;
    assert_eq!(
        hints[0],
        "the file was read as UTF-8, separated by `;` as its first line says"
    );
}

#[test]
fn a_file_of_another_kind_is_named() {
    for (beginning, what) in [
        (
            &b"PK\x03\x04\x14\0"[..],
            "it is an Excel workbook or another zip archive",
        ),
        (b"\xd0\xcf\x11\xe0\xa1", "it is an Excel workbook"),
        (b"PAR1\x15", "it is a Parquet file"),
        (b"\x1f\x8b\x08", "it is a compressed file"),
    ] {
        let Err(ImportError::BadCsv { reason, hints }) = tasks(beginning) else {
            panic!("read")
        };
        assert_eq!((reason.as_str(), hints.len()), (what, 1));
    }
}

#[test]
fn a_mapping_names_a_column_once_and_a_header_that_is_there() {
    for (map, reason) in [
        (
            &[("titel", "Summary")][..],
            "--map titel=Summary: there is no column `titel`",
        ),
        (
            &[("title", "A"), ("title", "B")],
            "--map title=B: `title` was given a header before",
        ),
        (
            &[("title", "Summery")],
            "no column is named `Summery`, which --map takes for title",
        ),
    ] {
        assert_eq!(
            refused(ImportKind::Tasks, &reading(map, true), "key,Summary\n").0,
            reason
        );
    }
}
