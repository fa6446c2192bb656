//! Tables and checkpoints, each damaged in one way.

use crate::app::verify::tests::broken;
use crate::app::verify::tests::store::Store;
use crate::domain::event::{Event, Fact};
use crate::domain::id::EventId;
use crate::event_log::Batch;
use crate::state::checked_pages;

const EVERY_FILE: [(&str, &str); 4] = [
    ("checkpoint", "accounting.duckdb"),
    ("checkpoint", "analytics.duckdb"),
    ("checkpoint", "notifier.sqlite"),
    ("checkpoint", "state.sqlite"),
];

fn duckdb(store: &Store, file: &str, sql: &str) {
    let connection = duckdb::Connection::open(store.path(file)).unwrap();
    connection.execute_batch(sql).unwrap();
}

fn sqlite(store: &Store, sql: &str) {
    in_sqlite(store, "state.sqlite", sql);
}

/// Opens a file so that its pages get right checksums.
fn open(store: &Store, file: &str) -> rusqlite::Connection {
    checked_pages::open(&store.path(file)).unwrap()
}

fn in_sqlite(store: &Store, file: &str, sql: &str) {
    open(store, file).execute_batch(sql).unwrap();
}

#[test]
fn a_changed_row_of_any_table_of_accounting_is_found() {
    for (table, change) in [
        (
            "entries",
            "UPDATE entries SET amount = amount + 1 WHERE sequence = (SELECT max(sequence) FROM entries)",
        ),
        (
            "user_days",
            "UPDATE user_days SET fees = fees + 100 WHERE fees = (SELECT max(fees) FROM user_days)",
        ),
        (
            "users",
            "UPDATE users SET role = 'admin' WHERE login = 'dima'",
        ),
        ("tasks", "DELETE FROM tasks WHERE number = 1"),
        ("task_changes", "DELETE FROM task_changes"),
        ("prices", "INSERT INTO prices FROM prices LIMIT 1"),
        ("closes", "UPDATE closes SET debt_carried = 1"),
        ("payouts", "UPDATE payouts SET amount = 1"),
        ("company", "UPDATE company SET name = 'x'"),
        ("assignments", "UPDATE assignments SET assignment_no = 9"),
        ("completions", "DELETE FROM completions"),
        ("cancellations", "UPDATE cancellations SET keep_fees = true"),
    ] {
        let store = Store::sound();
        duckdb(&store, "accounting.duckdb", change);
        let findings = store.verify(true);
        let place = format!("accounting.duckdb table {table}");
        let mut expected = vec![("I8", place.as_str())];
        if table == "entries" {
            expected.insert(0, ("I12", "accounting.duckdb"));
        }
        if ["entries", "user_days", "payouts"].contains(&table) {
            expected.insert(0, ("I1", "accounting.duckdb"));
        }
        assert_eq!(broken(&findings), expected, "{findings:#?}");
        let of_table = findings
            .violations
            .iter()
            .find(|v| v.invariant == "I8")
            .unwrap();
        assert_eq!(of_table.remedy, "popug-cli consume accounting --rebuild");
    }
}

#[test]
fn a_shallow_verification_adds_money_up_and_does_not_look_at_other_rows() {
    for (file, change) in [
        ("accounting.duckdb", "DELETE FROM entries"),
        (
            "accounting.duckdb",
            "INSERT INTO entries FROM entries LIMIT 1",
        ),
        (
            "accounting.duckdb",
            "UPDATE entries SET amount = amount + 1 WHERE sequence = (SELECT min(sequence) FROM entries)",
        ),
        (
            "accounting.duckdb",
            "UPDATE user_days SET fees = fees + 1, rewards = rewards + 1",
        ),
        (
            "analytics.duckdb",
            "UPDATE user_days SET rewards = rewards + 1",
        ),
        ("analytics.duckdb", "DELETE FROM payouts"),
    ] {
        let store = Store::sound();
        duckdb(&store, file, change);
        let findings = store.verify(false);
        assert_eq!(broken(&findings), [("I1", file)], "{change} {findings:#?}");
    }
    let store = Store::sound();
    duckdb(&store, "accounting.duckdb", "UPDATE tasks SET title = 'x'");
    assert!(store.verify(false).is_sound());
}

#[test]
fn tables_beside_a_file_that_a_killed_process_left_are_checked_like_others() {
    for deep in [false, true] {
        let store = Store::sound();
        let mark = store.path("accounting.duckdb.wal");
        std::fs::write(&mark, [0; 57]).unwrap();
        let findings = store.verify(deep);
        assert!(findings.is_sound(), "{findings:#?}");
        let note = "accounting.duckdb.wal is left from a process that was killed";
        assert!(
            findings.notes.iter().any(|found| found.starts_with(note)),
            "{findings:#?}"
        );
        duckdb_without(
            &store,
            &mark,
            "UPDATE user_days SET rewards = rewards + 5000",
        );
        let findings = store.verify(deep);
        assert_eq!(
            broken(&findings).first(),
            Some(&("I1", "accounting.duckdb")),
            "{findings:#?}"
        );
        assert!(mark.exists(), "a verification changes nothing");
    }
}

/// Changes the tables while the file beside them is away.
fn duckdb_without(store: &Store, beside: &std::path::Path, sql: &str) {
    let content = std::fs::read(beside).unwrap();
    std::fs::remove_file(beside).unwrap();
    duckdb(store, "accounting.duckdb", sql);
    std::fs::write(beside, content).unwrap();
}

#[test]
fn tables_that_agree_with_themselves_and_not_with_the_log_are_found_without_a_deep_verification() {
    let store = Store::sound();
    let change = "UPDATE entries SET amount = amount + 1 WHERE kind = 'reward';
        UPDATE checkpoint SET amount = amount + (SELECT count(*) FROM entries WHERE kind = 'reward');
        UPDATE user_days SET rewards = rewards + number FROM (SELECT user_id AS of_user, business_date AS of_date,
            count(*) AS number FROM entries WHERE kind = 'reward' GROUP BY ALL)
            WHERE user_id = of_user AND business_date = of_date;";
    let balances = "UPDATE entries SET balance = sums.balance FROM (SELECT sequence AS place,
        sum(amount) OVER (PARTITION BY user_id ORDER BY sequence) AS balance FROM entries) sums WHERE sequence = place";
    duckdb(&store, "accounting.duckdb", &format!("{change} {balances}"));
    let findings = store.verify(false);
    assert_eq!(
        broken(&findings),
        [("I1", "accounting.duckdb")],
        "{findings:#?}"
    );
    assert!(
        findings.violations[0].what.contains("the log has"),
        "{findings:#?}"
    );
}

#[test]
fn analytics_that_disagrees_with_accounting_is_found_twice() {
    for (table, change) in [
        (
            "user_days",
            "UPDATE user_days SET rewards = rewards + 100 WHERE rewards > 0",
        ),
        ("settled", "DELETE FROM settled WHERE number = 1"),
        (
            "payouts",
            "DELETE FROM payouts WHERE sequence = (SELECT min(sequence) FROM payouts)",
        ),
    ] {
        let store = Store::sound();
        duckdb(&store, "analytics.duckdb", change);
        let findings = store.verify(true);
        let place = format!("analytics.duckdb table {table}");
        let mut expected = vec![("I12", "analytics.duckdb"), ("I8", place.as_str())];
        if table != "settled" {
            expected.insert(0, ("I1", "analytics.duckdb"));
        }
        assert_eq!(broken(&findings), expected, "{findings:#?}");
    }
}

#[test]
fn an_event_that_waits_for_a_decision_is_no_disagreement() {
    let store = Store::sound();
    store.set_an_entry_aside_for_analytics();
    let findings = store.verify(true);
    assert!(findings.is_sound(), "{findings:#?}");
}

#[test]
fn an_event_that_was_released_after_others_went_on_is_owed_and_not_missing() {
    let store = Store::sound();
    store.correct_an_entry_while_a_released_charge_is_owed();
    let findings = store.verify(true);
    assert!(findings.is_sound(), "{findings:#?}");
}

#[test]
fn a_changed_row_of_the_state_index_is_found() {
    for (table, change) in [
        ("users", "UPDATE users SET active = 0 WHERE login = 'dima'"),
        ("tasks", "UPDATE tasks SET completed_at = NULL"),
        ("task_changes", "UPDATE task_changes SET title = 'x'"),
        ("assignments", "DELETE FROM assignments WHERE number = 1"),
        (
            "commands",
            "UPDATE commands SET events = 9 WHERE first_sequence = 3",
        ),
        ("company", "UPDATE company SET founded_at = 0"),
    ] {
        let store = Store::sound();
        sqlite(&store, change);
        let findings = store.verify(true);
        assert_eq!(
            broken(&findings),
            [("I8", format!("state.sqlite table {table}").as_str())],
            "{findings:#?}"
        );
        assert_eq!(
            findings.violations[0].remedy,
            "popug-cli consume tracker --rebuild"
        );
    }
}

#[test]
fn a_checkpoint_of_another_log_or_ahead_of_this_one_is_found() {
    for change in ["hash = repeat('a', 64)", "sequence = sequence + 1000"] {
        let store = Store::sound();
        duckdb(
            &store,
            "accounting.duckdb",
            &format!("UPDATE checkpoint SET {change}"),
        );
        duckdb(
            &store,
            "analytics.duckdb",
            &format!("UPDATE checkpoint SET {change}"),
        );
        let change = change.replace("repeat('a', 64)", &format!("'{}'", "a".repeat(64)));
        for file in ["state.sqlite", "notifier.sqlite"] {
            in_sqlite(&store, file, &format!("UPDATE checkpoint SET {change}"));
        }
        assert_eq!(broken(&store.verify(false)), EVERY_FILE, "{change}");
    }
}

#[test]
fn files_that_are_no_databases_are_found() {
    let store = Store::sound();
    for (_, file) in EVERY_FILE {
        std::fs::write(store.path(file), "no database").unwrap();
    }
    let findings = store.verify(true);
    assert_eq!(broken(&findings), EVERY_FILE);
}

#[test]
fn a_checkpoint_whose_hash_is_none_is_told_as_damage() {
    for (file, consumer) in [("state.sqlite", "tracker"), ("notifier.sqlite", "notifier")] {
        let store = Store::sound();
        in_sqlite(&store, file, "UPDATE checkpoint SET hash = 'zz'");
        let findings = store.verify(false);
        assert_eq!(broken(&findings), [("checkpoint", file)]);
        assert_eq!(findings.violations[0].what, "it holds an impossible value");
        assert_eq!(
            findings.violations[0].remedy,
            format!("popug-cli consume {consumer} --rebuild")
        );
    }
}

#[test]
fn a_changed_row_of_the_notifier_is_found() {
    for (table, change) in [
        (
            "users",
            "UPDATE users SET email = 'evil@evil.example' WHERE login = 'dima'",
        ),
        ("payouts", "DELETE FROM payouts"),
        (
            "payouts",
            "UPDATE payouts SET state = 'failed', attempts = 1",
        ),
        ("company", "UPDATE company SET name = 'x'"),
    ] {
        let store = Store::sound();
        in_sqlite(&store, "notifier.sqlite", change);
        assert!(store.verify(false).is_sound());
        let findings = store.verify(true);
        assert_eq!(
            broken(&findings),
            [("I8", format!("notifier.sqlite table {table}").as_str())],
            "{findings:#?}"
        );
        assert_eq!(
            findings.violations[0].remedy,
            "popug-cli consume notifier --rebuild"
        );
    }
}

#[test]
fn an_index_that_another_process_has_open_is_read_with_what_it_wrote() {
    let store = Store::sound();
    let connection = open(&store, "state.sqlite");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; UPDATE users SET active = 0 WHERE login = 'dima'",
        )
        .unwrap();
    assert!(store.path("state.sqlite-wal").exists());
    // The notifier's is open beside it.
    let mails = open(&store, "notifier.sqlite");
    mails
        .execute_batch(
            "PRAGMA journal_mode = WAL; UPDATE users SET email = 'x' WHERE login = 'dima'",
        )
        .unwrap();
    let findings = store.verify(true);
    let expected = [
        ("I8", "notifier.sqlite table users"),
        ("I8", "state.sqlite table users"),
    ];
    assert_eq!(broken(&findings), expected, "{findings:#?}");
}

#[test]
fn where_the_log_settles_a_task_twice_no_rebuild_is_said_to_help() {
    let store = Store::sound();
    let batches = store.batches();
    let mut settled = batches
        .iter()
        .flat_map(|batch| &batch.facts)
        .filter(|fact| matches!(fact.event, Event::TaskSettled(_)));
    let again = Fact {
        id: EventId::from_uuid(uuid::Uuid::max()),
        ..settled.next_back().unwrap().clone()
    };
    let like = batches.last().unwrap().clone();
    store.append(&Batch {
        command_id: "crafted".into(),
        command_hash: None,
        facts: vec![again],
        ..like
    });
    store.consume();
    let findings = store.verify(true);
    let totals = findings
        .violations
        .iter()
        .find(|v| v.invariant == "I12" && v.place == "log")
        .unwrap();
    assert!(
        totals.what.starts_with("rewards of finished tasks"),
        "{}",
        totals.what
    );
    assert!(
        findings
            .violations
            .iter()
            .all(|v| !v.remedy.contains("--rebuild")),
        "{findings:#?}"
    );
}
