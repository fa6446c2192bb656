//! Tables that do not belong together: no payout is made from them.

use std::path::{Path, PathBuf};

use super::*;
use crate::consumers::accounting::Closes;
use crate::consumers::fixture;
use crate::domain::money::Money;
use crate::store::StoreError;

/// Vera completes two tasks on the 20th; the tables contain only the first.
fn half_consumed() -> (Store, Money) {
    let store = Store::founded();
    store.finished("2026-11-20T10:00:00Z", 1, "vera");
    consume(&store).unwrap();
    store.finished("2026-11-20T11:00:00Z", 2, "vera");
    (store, gain(1) + gain(2))
}

fn path(store: &Store) -> PathBuf {
    store.directory.database(Tables::Accounting)
}

fn wal(path: &Path) -> PathBuf {
    path.with_extension("duckdb.wal")
}

/// Changes a file as another program would, so that the changes stay in a write-ahead file.
fn changed_beside(path: &Path, sql: &str) {
    let kept = wal(path).with_extension("kept");
    let connection = duckdb::Connection::open(path).unwrap();
    connection
        .execute_batch(&format!("PRAGMA wal_autocheckpoint = '1GB'; {sql}"))
        .unwrap();
    fs::copy(wal(path), &kept).unwrap();
    connection.execute_batch("CHECKPOINT").unwrap();
    drop(connection);
    fs::rename(kept, wal(path)).unwrap();
}

fn closed(store: &Store) -> Result<Closes, ConsumeError> {
    store.set_clock("2026-11-21T00:05:00Z");
    fixture::close(&store.around(), None)
}

fn paid(store: &Store) -> Money {
    closed(store)
        .unwrap()
        .closed
        .iter()
        .map(|closed| closed.day.payouts_total)
        .sum()
}

const REWARDED_AGAIN: &str = "INSERT INTO entries FROM entries WHERE kind = 'reward';
    UPDATE user_days SET rewards = rewards * 2, entries = entries + 1";

#[test]
fn a_write_ahead_file_beside_the_tables_is_never_read() {
    let (store, due) = half_consumed();
    let copy = store.directory.root().join("copy.duckdb");
    fs::copy(path(&store), &copy).unwrap();
    changed_beside(&copy, REWARDED_AGAIN);
    consume(&store).unwrap();
    fs::rename(wal(&copy), wal(&path(&store))).unwrap();
    assert_eq!(paid(&store), due);
    assert!(
        store
            .warnings()
            .iter()
            .any(|warning| warning.contains("accounting.duckdb.wal")),
        "{:?}",
        store.warnings()
    );
    assert!(!wal(&path(&store)).exists());
}

#[test]
fn no_report_reads_a_write_ahead_file() {
    let (store, _) = half_consumed();
    let sum = "SELECT sum(amount)::VARCHAR FROM entries";
    let before = query(&store, sum);
    let copy = store.directory.root().join("copy.duckdb");
    fs::copy(path(&store), &copy).unwrap();
    changed_beside(&copy, REWARDED_AGAIN);
    fs::rename(wal(&copy), wal(&path(&store))).unwrap();
    let refused = Database::open_to_read(&path(&store), Tables::Accounting, Duration::ZERO).err();
    assert!(
        matches!(refused, Some(StoreError::WriteAhead { .. })),
        "{refused:?}"
    );
    drop(table_file::open_to_read(&store.around(), Tables::Accounting).unwrap());
    assert!(!wal(&path(&store)).exists());
    assert_eq!(query(&store, sum), before);
}

#[test]
fn an_older_copy_of_the_tables_under_a_newer_write_ahead_file_is_brought_to_the_head() {
    let (store, due) = half_consumed();
    let older = fs::read(path(&store)).unwrap();
    consume(&store).unwrap();
    changed_beside(&path(&store), "INSERT INTO tasks FROM tasks LIMIT 1");
    fs::write(path(&store), older).unwrap();
    assert_eq!(paid(&store), due);
}

#[test]
fn tables_that_contradict_their_checkpoint_are_made_anew_before_anybody_is_paid() {
    for change in [
        REWARDED_AGAIN,
        "INSERT INTO entries FROM entries WHERE kind = 'reward'",
        "UPDATE user_days SET rewards = rewards * 2",
        "INSERT INTO user_days FROM user_days",
        "DELETE FROM user_days",
        "UPDATE user_days SET digest = digest + 1",
        "DELETE FROM entries WHERE kind = 'reward'",
        "UPDATE entries SET digest = digest + 1",
        "UPDATE checkpoint SET digest = digest + 1",
    ] {
        let (store, due) = half_consumed();
        duckdb::Connection::open(path(&store))
            .unwrap()
            .execute_batch(change)
            .unwrap();
        assert_eq!(paid(&store), due, "{change}");
        assert!(
            store
                .warnings()
                .iter()
                .any(|warning| warning.contains("was damaged")),
            "{change}"
        );
    }
}

#[test]
fn days_of_analytics_that_contradict_their_checkpoint_are_made_anew() {
    for change in [
        "INSERT INTO user_days FROM user_days",
        "DELETE FROM user_days WHERE user_id = (SELECT min(user_id) FROM user_days)",
        "UPDATE user_days SET rewards = rewards + 1",
        "UPDATE user_days SET digest = digest + 1",
        "UPDATE checkpoint SET digest = digest + 1",
    ] {
        let store = half_consumed().0;
        run::consume_analytics(&store.around()).unwrap();
        let path = store.directory.database(Tables::Analytics);
        let rows = || {
            let database = duckdb::Connection::open(&path).unwrap();
            let sql = "SELECT string_agg(d::VARCHAR, ' ' ORDER BY d::VARCHAR) FROM user_days d";
            let rows = database.query_row(sql, [], |row| row.get::<_, String>(0));
            rows.unwrap()
        };
        let before = rows();
        let changed = duckdb::Connection::open(&path).unwrap();
        changed.execute_batch(change).unwrap();
        drop(changed);
        run::consume_analytics(&store.around()).unwrap();
        assert_eq!(rows(), before, "{change}");
        let is_told = |warning: &String| warning.contains("was damaged");
        assert!(store.warnings().iter().any(is_told), "{change}");
    }
}

#[test]
fn a_close_whose_balances_are_not_the_sums_of_the_entries_pays_nobody() {
    let (store, due) = half_consumed();
    store.finished("2026-11-20T12:00:00Z", 3, "petr");
    consume(&store).unwrap();
    // The sums over all users stay the same.
    let moved =
        "UPDATE user_days SET rewards = rewards + CASE WHEN user_id = (SELECT user_id FROM users WHERE login = 'vera')
        THEN 100 ELSE -100 END";
    duckdb::Connection::open(path(&store))
        .unwrap()
        .execute_batch(moved)
        .unwrap();
    let before = store.log.head().unwrap();
    let refused = closed(&store);
    assert!(
        matches!(refused, Err(ConsumeError::BooksDisagree { .. })),
        "{:?}",
        refused.err()
    );
    assert_eq!(store.log.head().unwrap(), before);
    table_file::rebuild(&store.around(), Tables::Accounting).unwrap();
    assert_eq!(paid(&store), due + gain(3));
}
