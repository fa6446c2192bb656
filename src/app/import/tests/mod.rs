//! Imports into real stores, under a pinned clock and pinned dice.

mod again;
mod bad_rows;
mod csv_files;
mod fuzz;
mod speed;

use std::cell::RefCell;
use std::path::Path;

use crate::app::AppError;
use crate::app::fixture::{NOW, Store};
use crate::app::import::csv_file::{CsvFile, CsvRow};
use crate::app::import::{
    BadRow, ImportError, ImportKind, ImportOptions, ImportSummary, OnError, Reading,
};
use crate::domain::event::Event;
use crate::event_log::LogError;
use crate::files::spool::Spool;
use crate::state::StateIndex;

/// Reads a file that is small enough to stay in memory.
fn read_file(kind: ImportKind, reading: &Reading, file: &[u8]) -> Result<CsvFile, ImportError> {
    let spool = Spool::in_directory(Path::new("none is needed"));
    CsvFile::read(kind, reading, file, spool)
}

fn rows_of(csv_file: &CsvFile) -> Vec<CsvRow> {
    csv_file.rows().unwrap().map(Result::unwrap).collect()
}

const HEADER: &str = "at,action,key,actor,login,name,email,role,title,jira_id,description\n";

/// Two working days with every kind of row.
const ROWS: &str = "\
2026-10-01T06:00:00Z,register,,,bob,Боб Ара,bob@popug.example,developer,,,
2026-10-01T06:00:00Z,register,,,vera,Вера Кеа,vera@popug.example,worker,,,
2026-10-01T06:00:00Z,register,,,max,Max Macaw,max@popug.example,manager,,,
2026-10-01T06:00:00Z,register,,,acc,\"Nora \"\"N\"\" Lory\",acc@popug.example,accountant,,,
2026-10-01T07:00:00Z,create,A,bob,,,,,Починить клетку 🦜,UP-1,\"две
строки, с запятой\"
2026-10-01T07:00:00Z,create,B,vera,,,,,[UP-2] Feed the parrots,,
2026-10-01T07:00:00Z,create,,vera,,,,,No foreign id,,
2026-10-01T07:00:00Z,create,,vera,,,,,No foreign id,,
2026-10-01T07:30:00Z,set_role,,,bob,,,developer,,,
2026-10-01T08:00:00+03:00,close,,,,,,,,,
2026-10-01T11:00:00.5+03:00,complete,A,,,,,,,,
2026-10-01T09:00:00Z,reshuffle,,max,,,,,,,
2026-10-01T22:00:05Z,close,,acc,,,,,,,
2026-10-02T06:00:00Z,set_role,,,bob,,,manager,,,
2026-10-02T06:00:00Z,set_role,,,bob,,,developer,,,
2026-10-02T06:30:00Z,complete,B,,,,,,,,
2026-10-02T06:30:00Z,deactivate,,,vera,,,,,,
2026-10-02T06:30:00Z,deactivate,,,vera,,,,,,
2026-10-02T07:00:00Z,create,C,,,,,,Ещё одна,,
2026-10-02T21:00:00Z,close,,,,,,,,,
2026-10-02T21:00:01Z,close,,,,,,,,,
2026-10-02T21:00:01Z,create,F,bob,,,,,At the time of a close,,
2026-10-02T21:00:01Z,set_role,,,bob,,,developer,,,
2026-10-02T21:00:01Z,set_role,,,bob,,,worker,,,
2026-10-05T07:00:00Z,create,D,bob,,,,,After the close,,
";

fn activity() -> String {
    format!("{HEADER}{ROWS}")
}

fn options() -> ImportOptions<'static, 'static> {
    ImportOptions::new(OnError::Refuse)
}

fn import(store: &Store, kind: ImportKind, file: &str) -> Result<ImportSummary, ImportError> {
    let (app, caller) = (store.app(), store.caller("anna"));
    app.importer(&caller)?
        .import(kind, file.as_bytes(), options(), &|_| ())
}

fn history(store: &Store, rows: &str) -> Result<ImportSummary, ImportError> {
    import(store, ImportKind::Activity, &format!("{HEADER}{rows}"))
}

fn skipping(store: &Store, rows: &str) -> (ImportSummary, String) {
    let file = format!("{HEADER}{rows}");
    skipping_of(store, ImportKind::Activity, &file, Reading::default())
}

/// The result, and the file of the rejected rows.
fn skipping_of(
    store: &Store,
    kind: ImportKind,
    file: &str,
    reading: Reading,
) -> (ImportSummary, String) {
    let mut rejects = Vec::new();
    let on_error = OnError::Skip {
        rejects: Some(&mut rejects),
    };
    let options = ImportOptions {
        reading,
        ..ImportOptions::new(on_error)
    };
    let (app, caller) = (store.app(), store.caller("anna"));
    let importer = app.importer(&caller).unwrap();
    let summary = importer.import(kind, file.as_bytes(), options, &|_| ());
    (summary.unwrap(), String::from_utf8(rejects).unwrap())
}

/// Line, column and reason of every fault of a refused file; nothing may have been appended.
fn refused(store: &Store, kind: ImportKind, file: &str) -> Vec<(u64, &'static str, String)> {
    let before = store.log_bytes();
    let Err(ImportError::BadRows { bad, .. }) = import(store, kind, file) else {
        panic!("imported: {file}")
    };
    assert_eq!(store.log_bytes(), before, "nothing is appended");
    let faults = |row: BadRow| {
        row.faults
            .into_iter()
            .map(move |fault| (row.line, fault.column, fault.reason))
    };
    bad.into_iter().flat_map(faults).collect()
}

fn refused_row(row: &str) -> (&'static str, String) {
    let store = populated();
    let (line, column, reason) =
        refused(&store, ImportKind::Activity, &format!("{HEADER}{row}\n")).remove(0);
    assert_eq!(line, 2);
    (column, reason)
}

/// Anna, Bob the developer, Vera the worker, Max the manager, and task A.
fn populated() -> Store {
    let store = Store::new();
    let rows: String = ROWS
        .lines()
        .take(6)
        .map(|line| format!("{line}\n"))
        .collect();
    history(&store, &rows).unwrap();
    store
}

fn index(store: &Store) -> StateIndex {
    store.app().index().unwrap()
}

#[test]
fn a_history_is_replayed_with_its_own_times() {
    let store = Store::new();
    let summary = import(&store, ImportKind::Activity, &activity()).unwrap();
    let lines = store.history();
    assert_eq!(summary.appended_events + 2, lines.len() as u64);
    assert_eq!(
        (
            summary.rows,
            summary.imported,
            summary.replayed,
            summary.skipped
        ),
        (25, 20, 0, 5)
    );
    let dates: Vec<_> = summary
        .closed_dates
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(dates, ["2026-10-01", "2026-10-02"]);
    let times = |kind: &str| -> Vec<&str> {
        lines
            .iter()
            .filter(|(name, _)| name == kind)
            .map(|(_, time)| time.as_str())
            .collect()
    };
    assert_eq!(
        times("task.completed.v1"),
        ["2026-10-01T08:00:00.500000Z", "2026-10-02T06:30:00.000000Z"]
    );
    assert_eq!(
        times("day.closed.v1"),
        ["2026-10-01T22:00:05.000000Z", "2026-10-02T21:00:00.000000Z"]
    );
    let posted: std::collections::BTreeSet<_> = times("balance.changed.v1").into_iter().collect();
    let closes = [
        "2026-10-01T05:00:00.000000Z",
        "2026-10-01T22:00:05.000000Z",
        "2026-10-02T21:00:00.000000Z",
    ];
    assert!(
        posted.iter().all(|time| closes.contains(time)),
        "accounting posts at the closes: {posted:?}"
    );
}

#[test]
fn texts_arrive_as_they_were_written() {
    let store = Store::new();
    import(&store, ImportKind::Activity, &activity()).unwrap();
    let tasks = index(&store)
        .task_rows(&crate::state::WantedTasks::default())
        .unwrap();
    let first = &tasks[0];
    assert_eq!(
        (first.title.as_str(), first.jira_id.as_deref()),
        ("Починить клетку 🦜", Some("UP-1"))
    );
    assert_eq!(first.description.as_deref(), Some("две\nстроки, с запятой"));
    assert_eq!(
        (tasks[1].title.as_str(), tasks[1].jira_id.as_deref()),
        ("Feed the parrots", Some("UP-2"))
    );
    assert_eq!(
        index(&store).user_named("acc").unwrap().unwrap().full_name,
        "Nora \"N\" Lory"
    );
}

/// Rows with their line breaks; one of them spans two lines.
fn csv_rows(rows: &str) -> Vec<String> {
    let mut records: Vec<String> = Vec::new();
    for line in rows.split_inclusive('\n') {
        match records.last_mut() {
            Some(last) if last.matches('"').count() % 2 == 1 => last.push_str(line),
            _ => records.push(line.to_owned()),
        }
    }
    records
}

#[test]
fn the_index_follows_an_import_with_and_without_closes() {
    for rows in [ROWS.to_owned(), csv_rows(ROWS)[..8].concat()] {
        let store = Store::new();
        history(&store, &rows).unwrap();
        let (index, head) = (index(&store), store.app().log.head().unwrap());
        assert_eq!(index.checkpoint().unwrap(), (&head).into());
        let rebuilt = StateIndex::in_memory().unwrap();
        rebuilt.catch_up(&store.app().log).unwrap();
        assert_eq!(
            index
                .task_rows(&crate::state::WantedTasks::default())
                .unwrap(),
            rebuilt
                .task_rows(&crate::state::WantedTasks::default())
                .unwrap()
        );
        assert_eq!(index.users().unwrap(), rebuilt.users().unwrap());
        for key in ["import/create/A", "import/create/B"] {
            assert_eq!(
                index.given_command(key).unwrap(),
                rebuilt.given_command(key).unwrap()
            );
        }
    }
}

#[test]
fn users_and_tasks_are_imported_now_and_once() {
    let store = Store::new();
    let users = "\u{feff}role,login,email,name\r\ndeveloper,bob,bob@popug.example,'=Боб\r\n";
    let tasks = "key,title,description\nT1,'@home,\"a\nb\"\nT2,[UP-3] Two,\n";
    assert_eq!(
        import(&store, ImportKind::Users, users).unwrap().imported,
        1
    );
    assert_eq!(
        import(&store, ImportKind::Tasks, tasks)
            .unwrap()
            .appended_events,
        4
    );
    assert_eq!(
        index(&store).user_named("bob").unwrap().unwrap().full_name,
        "=Боб"
    );
    let rows = index(&store)
        .task_rows(&crate::state::WantedTasks::default())
        .unwrap();
    assert_eq!(
        (rows[0].title.as_str(), rows[0].description.as_deref()),
        ("@home", Some("a\nb"))
    );
    assert_eq!(
        (rows[1].title.as_str(), rows[1].jira_id.as_deref()),
        ("Two", Some("UP-3"))
    );
    assert_eq!(
        rows[0].created_at.to_string(),
        "2026-11-22T10:00:00.000000Z"
    );
    let (bytes, later) = (store.log_bytes(), "2026-11-23T10:00:00Z");
    store.environment.set(later);
    assert_eq!(
        import(&store, ImportKind::Users, users).unwrap().replayed,
        1
    );
    assert_eq!(
        import(&store, ImportKind::Tasks, tasks).unwrap().replayed,
        2
    );
    assert_eq!(store.log_bytes(), bytes);
    store.environment.set(NOW);
    let bad = refused(&store, ImportKind::Tasks, "key,title\n,x\nT1,other\n");
    assert_eq!((bad[0].1, bad[1].1), ("key", "key"));
}

#[test]
fn a_task_that_was_imported_alone_is_completed_by_its_key() {
    let store = populated();
    store.environment.set("2026-10-03T07:00:00Z");
    import(&store, ImportKind::Tasks, "key,title\nT1,x\n").unwrap();
    let summary = history(&store, "2026-10-03T07:00:00Z,complete,T1,,,,,,,,\n").unwrap();
    assert_eq!(summary.appended_events, 1);
}

#[test]
fn a_dry_run_shows_the_lines_and_appends_nothing() {
    let (store, real) = (Store::new(), Store::new());
    let before = store.log_bytes();
    let app = store.app().draft();
    let caller = store.caller("anna");
    let planned = app.importer(&caller).unwrap().import(
        ImportKind::Activity,
        activity().as_bytes(),
        options(),
        &|_| (),
    );
    let mut lines = String::new();
    let read = app.log.for_each_drafted(|line| {
        lines.extend([line.text, "\n"]);
        Ok::<_, LogError>(())
    });
    read.unwrap();
    drop(app);
    assert_eq!(store.log_bytes(), before);
    assert_eq!(
        planned.unwrap(),
        import(&real, ImportKind::Activity, &activity()).unwrap()
    );
    assert!(lines.contains("day.closed.v1"));
    assert_eq!(lines.as_bytes(), &real.log_bytes()[before.len()..]);
    assert_eq!(index(&store).users().unwrap().len(), 1);
}

#[test]
fn progress_tells_the_rows_that_are_decided() {
    let store = populated();
    let rows: String = (0..2_500)
        .map(|n| format!("2026-10-02T07:00:00Z,create,N{n},bob,,,,,task {n},,\n"))
        .collect();
    let told = RefCell::new(Vec::new());
    let file = format!("{HEADER}{rows}");
    let progress = |rows| told.borrow_mut().push(rows);
    let (app, caller) = (store.app(), store.caller("anna"));
    app.importer(&caller)
        .unwrap()
        .import(ImportKind::Activity, file.as_bytes(), options(), &progress)
        .unwrap();
    assert_eq!(*told.borrow(), [1_000, 2_000, 2_500]);
}

#[test]
fn rows_without_a_foreign_id_are_told_apart_by_their_count() {
    let store = Store::new();
    import(&store, ImportKind::Activity, &activity()).unwrap();
    let index = index(&store);
    for nth in 1..=2 {
        let key = format!("import/create/2026-10-01T07:00:00.000000Z/vera//{nth}");
        assert!(index.given_command(&key).unwrap().is_some(), "{key}");
    }
}

#[test]
fn the_batch_of_a_close_row_carries_the_rows_key() {
    let store = Store::new();
    import(&store, ImportKind::Activity, &activity()).unwrap();
    let mut keys = Vec::new();
    let app = store.app();
    app.log
        .for_each(crate::domain::id::Sequence::FIRST, &mut |line| {
            if let Ok(Event::DayClosed(_)) = line.event() {
                keys.push(line.command_id().into_owned());
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(
        keys,
        [
            "import/close/2026-10-01T22:00:05.000000Z/acc//1/2026-10-01",
            "import/close/2026-10-02T21:00:00.000000Z///1/2026-10-02"
        ]
    );
}
