//! Importing a file again: after a kill, extended, or by mistake.

use crate::app::fixture::Store;
use crate::app::import::tests::{
    HEADER, ROWS, activity, csv_rows, history, import, index, populated, refused, skipping,
    skipping_of,
};
use crate::app::import::{ImportKind, Reading};

#[test]
fn a_file_that_is_imported_again_changes_nothing() {
    let store = Store::new();
    import(&store, ImportKind::Activity, &activity()).unwrap();
    let before = store.log_bytes();
    let summary = import(&store, ImportKind::Activity, &activity()).unwrap();
    assert_eq!(store.log_bytes(), before);
    assert_eq!(
        (
            summary.imported,
            summary.replayed,
            summary.skipped,
            summary.appended_events
        ),
        (0, 18, 7, 0)
    );
}

#[test]
fn the_first_half_and_then_the_whole_file_give_the_same_log() {
    let whole = Store::new();
    import(&whole, ImportKind::Activity, &activity()).unwrap();
    let records: Vec<_> = csv_rows(ROWS);
    for rows in 1..records.len() {
        let store = Store::new();
        history(&store, &records[..rows].concat()).unwrap();
        import(&store, ImportKind::Activity, &activity()).unwrap();
        assert!(store.log_bytes() == whole.log_bytes(), "after {rows} rows");
    }
}

#[test]
fn an_import_that_was_killed_after_any_event_goes_on_to_the_same_log() {
    let whole = Store::new();
    let founding = whole.log_bytes().len();
    import(&whole, ImportKind::Activity, &activity()).unwrap();
    let bytes = whole.log_bytes();
    let ends: Vec<_> = bytes
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == b'\n')
        .map(|(at, _)| at + 1)
        .collect();
    assert!(ends.len() > 40);
    for end in ends.into_iter().filter(|end| *end >= founding) {
        let store = Store::with_log(&bytes[..end]);
        // Whole batches were kept and the rest was cut.
        import(&store, ImportKind::Activity, &activity()).unwrap();
        assert!(store.log_bytes() == bytes, "killed at byte {end}");
    }
}

#[test]
fn an_extended_file_appends_only_what_is_new() {
    let store = Store::new();
    import(&store, ImportKind::Activity, &activity()).unwrap();
    let file = format!(
        "{}2026-10-06T07:00:00Z,create,E,bob,,,,,One more,,\n",
        activity()
    );
    let summary = import(&store, ImportKind::Activity, &file).unwrap();
    assert_eq!((summary.imported, summary.appended_events), (1, 2));
}

#[test]
fn a_row_that_changed_nothing_changes_nothing_later_either() {
    let store = populated();
    let rows = "\
2026-10-02T07:00:00Z,set_role,,,bob,,,developer,,,
2026-10-02T07:00:00Z,set_role,,,bob,,,manager,,,
";
    let first = history(&store, rows).unwrap();
    assert_eq!((first.imported, first.skipped), (1, 1));
    let again = history(&store, rows).unwrap();
    assert_eq!((again.imported, again.replayed, again.skipped), (0, 1, 1));
    let inserted = "2026-10-01T12:00:00Z,set_role,,,vera,,,manager,,,\n";
    let bad = refused(&store, ImportKind::Activity, &format!("{HEADER}{inserted}"));
    assert_eq!((bad[0].0, bad[0].1), (2, "at"));
}

#[test]
fn a_row_inserted_between_rows_of_the_last_instant_is_appended() {
    let store = populated();
    let create = |key: &str| format!("2026-10-02T07:00:00Z,create,{key},bob,,,,,Task {key},,\n");
    history(&store, &[create("X"), create("Z")].concat()).unwrap();
    let again = history(&store, &[create("X"), create("Y"), create("Z")].concat()).unwrap();
    assert_eq!(
        (again.imported, again.replayed, again.appended_events),
        (1, 2, 2)
    );
}

#[test]
fn a_row_that_was_left_out_is_bad_for_the_same_reason_later() {
    let store = populated();
    let rows = "\
2026-10-02T07:00:00Z,create,X,bob,,,,,One [half,,
2026-10-02T07:00:00Z,complete,A,max,,,,,,,
2026-10-02T07:00:01Z,create,Y,bob,,,,,Another,,
";
    let (first, _) = skipping(&store, rows);
    let (again, _) = skipping(&store, rows);
    assert_eq!((first.imported, again.imported, again.replayed), (1, 0, 1));
    for (first, again) in first.rejected.iter().zip(&again.rejected) {
        let [own] = &first.faults[..] else {
            panic!("{first:?}")
        };
        let [late, same] = &again.faults[..] else {
            panic!("{again:?}")
        };
        assert_eq!((own, late.column), (same, "at"));
        assert!(
            late.reason
                .starts_with("2026-10-02T07:00:00.000000Z is earlier than event "),
            "{}",
            late.reason
        );
    }
}

#[test]
fn a_rejects_file_is_imported_once_its_rows_are_mended() {
    let store = populated();
    let rows = "\
2026-10-02T07:00:00Z,create,X,bob,,,,,=1+1 [half,,
2026-10-02T07:00:00Z,create,Y,nobody,,,,,\"Another, with a comma\",,
";
    let (summary, rejects) = skipping(&store, rows);
    assert_eq!((summary.imported, summary.rejected.len()), (0, 2));
    let mended = rejects
        .replace(" [half", " whole")
        .replace(",nobody,", ",bob,");
    let summary = import(&store, ImportKind::Activity, &mended).unwrap();
    assert_eq!(summary.imported, 2);
    let titles: Vec<_> = index(&store)
        .task_rows(&crate::state::WantedTasks::default())
        .unwrap()
        .into_iter()
        .map(|row| row.title)
        .collect();
    assert_eq!(titles[1..], ["=1+1 whole", "Another, with a comma"]);
}

#[test]
fn a_row_that_cannot_be_read_is_as_bad_in_the_rejects_file_until_it_is_mended() {
    let store = populated();
    for (rows, mended) in [
        (
            "A1,\"start,\nB1,two,\nC1,\"quoted\",\n",
            "A1,start,\nB1,two,\nC1,quoted,\n",
        ),
        ("D1,\"first\" part,\n", "D1,first part,\n"),
        ("E1,\"say \\\"hi\\\"\",\n", "E1,say hi,\n"),
        ("F1,\"never closed,\n", "F1,closed,\n"),
        ("G1,short\n", "G1,short,\n"),
    ] {
        let mut file = format!("key,title,description\n{rows}");
        // A rejects file of a rejects file is bad too, however unknown columns are treated.
        for ignore_unknown in [false, true, false] {
            let reading = Reading {
                ignore_unknown,
                ..Reading::default()
            };
            let (summary, rejects) = skipping_of(&store, ImportKind::Tasks, &file, reading);
            assert_eq!((summary.imported, summary.rejected.len()), (0, 1), "{file}");
            file = rejects;
        }
        let mended = format!("key,title,description\n{mended}");
        let summary = import(&store, ImportKind::Tasks, &mended).unwrap();
        assert_eq!(summary.imported, summary.rows);
    }
}

/// As `data/README.md` says, with several draws of the dice.
#[test]
fn the_sample_files_are_valid_and_may_be_imported_twice() {
    for founded in ["2026-10-26T00:00:00Z", "2026-10-25T21:30:00Z"] {
        let store = Store::founded_at(founded);
        for repeated in [false, true] {
            for (kind, file, rows) in [
                (
                    ImportKind::Activity,
                    include_str!("../../../../data/activity.csv"),
                    309,
                ),
                (
                    ImportKind::Users,
                    include_str!("../../../../data/users.csv"),
                    12,
                ),
                (
                    ImportKind::Tasks,
                    include_str!("../../../../data/tasks.csv"),
                    10,
                ),
            ] {
                let summary = import(&store, kind, file).unwrap();
                assert_eq!(summary.rows, rows, "{kind:?}");
                assert_eq!(summary.appended_events == 0, repeated, "{kind:?}");
            }
        }
    }
}
