//! Rows that are refused: each fault is reported, and no row is half imported.

use super::*;

#[test]
fn all_bad_rows_are_reported_and_nothing_is_appended() {
    let store = populated();
    let file = format!(
        "{HEADER}\
2026-10-02T07:00:00Z,fly,,,,,,,,,
tomorrow,reshuffle,,,,,,,,,
2026-10-02T07:00:00Z,create,X,bob,,,,,fine,,
short
2026-10-02T07:00:00Z,register,,,zoe,Zoe,zoe@popug.example,plumber,,,
"
    );
    let bad = refused(&store, ImportKind::Activity, &file);
    let places: Vec<_> = bad
        .iter()
        .map(|(line, column, _)| (*line, *column))
        .collect();
    assert_eq!(places, [(2, "action"), (3, "at"), (5, ""), (6, "role")]);
    assert_eq!(
        bad[0].2,
        "`fly` is not an action; the actions are register, set_role, deactivate, create, reshuffle, complete, close"
    );
    assert!(
        bad[3]
            .2
            .starts_with("`plumber` is not a role; did you mean `worker`?"),
        "{}",
        bad[3].2
    );
}

#[test]
fn each_row_is_checked_against_its_actors_role_at_that_moment() {
    for (row, column, reason) in [
        (
            "2026-10-02T07:00:00Z,reshuffle,,bob,,,,,,,",
            "actor",
            "a developer like `bob` may not reshuffle tasks",
        ),
        (
            "2026-10-02T07:00:00Z,close,,max,,,,,,,",
            "actor",
            "a manager like `max` may not close dates",
        ),
        (
            "2026-10-02T07:00:00Z,create,X,ghost,,,,,Boo,,",
            "actor",
            "there is no user `ghost`",
        ),
        (
            "2026-10-02T07:00:00Z,set_role,,bob,vera,,,admin,,,",
            "actor",
            "a developer like `bob` may not administer the company",
        ),
        (
            "2026-10-02T07:00:00Z,set_role,,,ghost,,,admin,,,",
            "login",
            "there is no user `ghost`",
        ),
        (
            "2026-10-02T07:00:00Z,deactivate,,,anna,,,,,,",
            "login",
            "`anna` is the last active admin and can be neither demoted nor deactivated",
        ),
        (
            "2026-10-02T07:00:00Z,register,,,bob,Bob,b@popug.example,worker,,,",
            "login",
            "the login `bob` is taken",
        ),
        (
            "2026-10-02T07:00:00Z,complete,Z,,,,,,,,",
            "key",
            "there is no task `Z`",
        ),
        (
            "2026-10-02T07:00:00Z,complete,A,anna,,,,,,,",
            "actor",
            "T-1 is assigned to",
        ),
        (
            "2026-10-02T07:00:00Z,complete,,,,,,,,,",
            "key",
            "the key is empty; it tells which task is completed",
        ),
        (
            "2026-10-02T07:00:00Z,create,X,,,,,,,,",
            "title",
            "the title is empty",
        ),
        (
            "2026-09-30T07:00:00Z,reshuffle,,,,,,,,,",
            "at",
            "2026-09-30T07:00:00.000000Z is earlier than the founding of the company (2026-10-01T06:00:00.000000Z); ",
        ),
        (
            "2026-11-22T10:00:01Z,reshuffle,,,,,,,,,",
            "at",
            "2026-11-22T10:00:01.000000Z is later than now (2026-11-22T10:00:00.000000Z)",
        ),
        (
            "2026-10-02T07:00:00Z,create,A,bob,,,,,Another title,,",
            "key",
            "event 7 was imported from a row with this key and other content",
        ),
    ] {
        let (found_column, found_reason) = refused_row(row);
        assert_eq!(found_column, column, "{row}");
        assert!(found_reason.starts_with(reason), "{row}: {found_reason}");
    }
}

#[test]
fn roles_and_deactivations_count_from_their_row_on() {
    let store = populated();
    let rows = "\
2026-10-02T07:00:00Z,set_role,,,bob,,,manager,,,
2026-10-02T07:01:00Z,reshuffle,,bob,,,,,,,
2026-10-02T07:02:00Z,deactivate,,,bob,,,,,,
2026-10-02T07:03:00Z,reshuffle,,bob,,,,,,,
";
    let bad = refused(&store, ImportKind::Activity, &format!("{HEADER}{rows}"));
    assert_eq!(
        bad,
        [(
            5,
            "actor",
            "`bob` is deactivated and may do nothing".to_owned()
        )]
    );
}

#[test]
fn times_that_go_backwards_are_bad() {
    let store = populated();
    let rows = "\
2026-10-02T07:00:00Z,create,X,bob,,,,,one,,
2026-10-02T06:59:59Z,create,Y,bob,,,,,two,,
2026-10-02T06:59:59Z,close,,,,,,,,,
";
    let bad = refused(&store, ImportKind::Activity, &format!("{HEADER}{rows}"));
    let reason =
        "2026-10-02T06:59:59.000000Z is earlier than a row before it (2026-10-02T07:00:00.000000Z)";
    assert_eq!(
        bad,
        [(3, "at", reason.to_owned()), (4, "at", reason.to_owned())]
    );
}

#[test]
fn skipping_leaves_out_bad_rows_and_what_depends_on_them() {
    let store = populated();
    let rows = "\
2026-10-02T07:00:00Z,create,X,bob,,,,,[bad] title,,
2026-10-02T07:00:00Z,create,Y,bob,,,,,good title,,
2026-10-02T07:01:00Z,complete,X,,,,,,,,
2026-10-02T07:01:00Z,complete,Y,,,,,,,,
";
    let (summary, rejects) = skipping(&store, rows);
    assert_eq!(
        (summary.rows, summary.imported, summary.rejected.len()),
        (4, 2, 2)
    );
    let columns: Vec<_> = summary
        .rejected
        .iter()
        .map(|row| row.faults[0].column)
        .collect();
    assert_eq!(columns, ["title", "key"]);
    assert_eq!(
        rejects,
        "at,action,key,actor,login,name,email,role,title,jira_id,description,line,column,reason\n\
         2026-10-02T07:00:00Z,create,X,bob,,,,,[bad] title,,,2,title,\"the title `[bad] title` contains a bracket; \
         put a jira id at the start, like `[UP-7] Fix it`; use round brackets elsewhere\"\n\
         2026-10-02T07:01:00Z,complete,X,,,,,,,,,4,key,there is no task `X`\n"
    );
}

#[test]
fn rejected_rows_stand_under_the_headers_however_many_cells_they_have() {
    let store = populated();
    let rows = "2026-10-02T07:00:00Z,create,X,bob,,,,,one,,,more,,most\n2026-10-02T07:00:00Z,create,Y,bob\n";
    let (_, rejects) = skipping(&store, rows);
    let records = csv::Reader::from_reader(rejects.as_bytes())
        .records()
        .collect::<Result<Vec<_>, _>>();
    let (width, lines) = (11, records.expect("as many cells as headers"));
    let cells = |row: usize, place: usize| lines[row].get(place).unwrap_or_default();
    assert_eq!((cells(0, width), cells(0, width + 2)), ("more", "most"));
    assert_eq!(cells(1, width), "2026-10-02T07:00:00Z,create,Y,bob");
    assert_eq!((cells(0, width + 3), cells(1, width + 3)), ("2", "3"));
}

#[test]
fn all_faults_of_a_row_are_told_in_the_order_of_its_columns() {
    let store = Store::new();
    let rows = "login,name,email,role\nNOT A LOGIN,,none,king\n";
    let Err(ImportError::BadRows { bad, .. }) = import(&store, ImportKind::Users, rows) else {
        panic!("imported")
    };
    let columns: Vec<_> = bad[0].faults.iter().map(|fault| fault.column).collect();
    assert_eq!(columns, ["login", "name", "email", "role"]);
}

#[test]
fn only_an_active_admin_imports() {
    let store = populated();
    for login in ["bob", "max"] {
        let (app, caller) = (store.app(), store.caller(login));
        let refused = app.importer(&caller).map(drop);
        assert!(matches!(refused, Err(AppError::Rejected(_))), "{login}");
    }
}
