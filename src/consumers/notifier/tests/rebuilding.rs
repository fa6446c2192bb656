//! The notifier's file is disposable.

use std::fs;

use crate::consumers::ConsumeError;
use crate::consumers::fixture::*;
use crate::consumers::notifier;
use crate::consumers::notifier::tests::checkpoint;
use crate::domain::event::{Event, UserChanged, UserDeactivated};
use crate::state::{Checkpoint, checked_pages, move_aside};
use crate::turn::Surroundings;

/// A sent mail, one that waits for its time, and one that waits for `mail retry`.
fn with_mails_of_every_kind() -> Store {
    let store = Store::with_two_payouts();
    let changed = UserChanged {
        user_id: user("vera"),
        full_name: Some("Вера".into()),
        email: Some("no".into()),
    };
    store.happened("2026-11-21T00:06:00Z", [Event::from(changed)]);
    store.sent();
    store.happened(
        "2026-11-21T00:07:00Z",
        [UserDeactivated {
            user_id: user("petr"),
            reason: None,
        }
        .into()],
    );
    store.finished("2026-11-21T10:00:00Z", 3, "petr");
    store.closed("2026-11-22T00:05:00Z");
    fs::write(store.directory.outbox().join("2026-11-21"), "in the way").unwrap();
    store.sent();
    let states: Vec<_> = store.rows().iter().map(|row| row.state.name()).collect();
    assert_eq!(states, ["written", "failed", "pending"]);
    store
}

#[test]
fn a_rebuild_gives_what_following_step_by_step_gave() {
    let store = with_mails_of_every_kind();
    let (rows, head) = (store.rows(), checkpoint(&store));
    notifier::rebuild(&store.around()).unwrap();
    assert_eq!((store.rows(), checkpoint(&store)), (rows.clone(), head));
    remove_sqlite(&store.directory.notifier());
    assert_eq!(checkpoint(&store), Checkpoint::START);
    assert_eq!(store.rows(), rows);
    assert_eq!(store.sent(), 0);
}

#[test]
fn a_list_shows_what_happened_since_the_last_run() {
    let store = Store::with_two_payouts();
    let rows = store.rows();
    let logins: Vec<_> = rows.iter().map(|row| row.login.as_str()).collect();
    assert_eq!(logins, ["petr", "vera"]);
    let row = &rows[1];
    assert_eq!(
        (row.amount, row.to.as_str(), row.name.as_str()),
        (gain(1), "vera@popug.example", "vera Popug")
    );
    assert_eq!(
        (row.state.name(), row.attempts, row.next_try),
        ("pending", 0, None)
    );
}

#[test]
fn a_damaged_file_is_moved_aside_and_made_anew() {
    let store = with_mails_of_every_kind();
    let rows = store.rows();
    remove_sqlite(&store.directory.notifier());
    fs::write(
        store.directory.notifier(),
        "this is no database, but it is long enough to be one",
    )
    .unwrap();
    assert_eq!(store.rows(), rows);
    assert!(
        store
            .directory
            .root()
            .join("notifier.sqlite.damaged-1")
            .exists()
    );
    assert!(
        store
            .warnings()
            .iter()
            .any(|warning| warning.contains("was damaged")),
        "{:?}",
        store.warnings()
    );
}

#[test]
fn tables_of_another_log_are_refused_until_they_are_rebuilt() {
    let store = with_mails_of_every_kind();
    let other = Store::founded();
    let around = Surroundings {
        log: &other.log,
        ..store.around()
    };
    let refused = notifier::list(&around);
    assert!(
        matches!(refused, Err(ConsumeError::ForeignTables { .. })),
        "{refused:?}"
    );
    notifier::rebuild(&around).unwrap();
    assert_eq!(notifier::list(&around).unwrap(), []);
}

#[test]
fn a_log_without_events_owes_no_mail() {
    let home = tempfile::tempdir().unwrap();
    let directory = crate::store::StoreDirectory::new(home.path());
    let log = crate::event_log::FileLog::create(&directory.log()).unwrap();
    let store = Store::founded();
    let around = Surroundings {
        directory: &directory,
        log: &log,
        ..store.around()
    };
    let consumed = notifier::consume(
        &around,
        &mut crate::consumers::WriterAccess::PerBatch,
        &store.files(),
    )
    .unwrap();
    assert_eq!((consumed.to.0, consumed.appended), (0, 0));
}

/// Another program changes the tables.
fn tamper(store: &Store, sql: &str) {
    checked_pages::open(&store.directory.notifier())
        .unwrap()
        .execute_batch(sql)
        .unwrap();
}

#[test]
fn a_mail_that_the_log_knows_as_sent_is_not_sent_again_whatever_the_tables_say() {
    for (sql, retried) in [
        (
            "UPDATE payouts SET state = 'pending', attempts = 0, sent_to = NULL",
            false,
        ),
        (
            "UPDATE payouts SET state = 'failed', attempts = 1, sent_to = NULL",
            true,
        ),
    ] {
        let store = Store::with_two_payouts();
        assert_eq!(store.sent(), 2);
        let rows = store.rows();
        tamper(&store, sql);
        fs::remove_dir_all(store.directory.outbox()).unwrap();
        if retried {
            let again = store
                .retry(&payout("vera", "2026-11-20").to_string())
                .unwrap();
            assert!(
                matches!(again, notifier::Retried::AlreadySent(_)),
                "{again:?}"
            );
        }
        assert_eq!(store.sent(), 0);
        assert_eq!((store.rows(), store.mails_sent().len()), (rows, 2));
        assert!(!store.eml("vera", "2026-11-20").exists());
        assert!(
            store
                .warnings()
                .iter()
                .any(|text| text.contains("contradicts the log")),
            "{:?}",
            store.warnings()
        );
    }
}

#[test]
fn no_attempt_is_counted_twice_whatever_the_tables_say() {
    let store = with_mails_of_every_kind();
    let failed: Vec<u32> = store
        .mails_failed()
        .iter()
        .map(|failed| failed.attempt)
        .collect();
    tamper(
        &store,
        "UPDATE payouts SET attempts = 0, next_try = NULL WHERE state = 'pending'",
    );
    store.sent();
    assert_eq!(
        store
            .mails_failed()
            .iter()
            .map(|failed| failed.attempt)
            .collect::<Vec<_>>(),
        failed
    );
}

/// A row of a payout to vera that was never made, with this sequence.
fn invented(sequence: i64, state: &str) -> String {
    format!(
        "INSERT INTO payouts SELECT {sequence}, x'0102030405060708090a0b0c0d0e0f10', user_id, 4200, business_date,
            opening, 4200, made_at, 0, 0, '{state}', NULL, cause, NULL, NULL FROM payouts LIMIT 1"
    )
}

#[test]
fn nothing_is_sent_or_recorded_of_a_payout_that_the_log_does_not_have() {
    let invented_id = "01020304-0506-0708-090a-0b0c0d0e0f10";
    for sequence in [1, 2, 9_999, 0] {
        let store = Store::with_two_payouts();
        assert_eq!(store.sent(), 2);
        let events = store.recorded().len();
        tamper(&store, &invented(sequence, "pending"));
        assert_eq!(store.sent(), 0, "{sequence}");
        assert_eq!((store.recorded().len(), store.rows().len()), (events, 2));
        assert!(
            store
                .warnings()
                .iter()
                .any(|text| text.contains("contradicts the log")),
            "{:?}",
            store.warnings()
        );
        tamper(&store, &invented(sequence, "failed"));
        let refused = store.retry(invented_id);
        assert!(
            matches!(refused, Err(ConsumeError::UnknownMail { .. })),
            "{refused:?}"
        );
        assert_eq!(store.recorded().len(), events);
    }
}

#[test]
fn a_mail_says_what_the_payout_in_the_log_says_whatever_the_tables_say() {
    for change in [
        "amount = amount + 100, opening = opening + 100",
        "made_at = made_at + 1",
        "imported = 1",
        "cause = zeroblob(16)",
        "user_id = (SELECT user_id FROM users WHERE login = 'anna')",
    ] {
        let (store, untouched) = (Store::with_two_payouts(), Store::with_two_payouts());
        assert_eq!((store.rows().len(), untouched.sent()), (2, 2));
        tamper(&store, &format!("UPDATE payouts SET {change}"));
        assert_eq!(store.sent(), 2, "{change}");
        let bytes = |store: &Store| fs::read(store.eml("vera", "2026-11-20")).unwrap();
        assert!(bytes(&store) == bytes(&untouched), "{change}");
        let last = |store: &Store| {
            store
                .recorded()
                .last()
                .map(|last| (last.id, last.command_id.clone()))
        };
        assert_eq!(last(&store), last(&untouched), "{change}");
    }
}

/// Sets the number of entries in the first page of an index to zero.
fn hide_entries(store: &Store, index: &str) {
    let path = store.directory.notifier();
    let db = checked_pages::open(&path).unwrap();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    let page_bytes: usize = db
        .query_row("PRAGMA page_size", [], |row| row.get(0))
        .unwrap();
    let named = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    let page: usize = db.query_row(named, [index], |row| row.get(0)).unwrap();
    drop(db);
    let mut bytes = fs::read(&path).unwrap();
    let count = (page - 1) * page_bytes + 3;
    bytes[count..count + 2].fill(0);
    fs::write(&path, bytes).unwrap();
}

#[test]
fn a_mail_that_an_index_hides_goes_out_and_only_once() {
    for index in ["sqlite_autoindex_payouts_1", "pending_mails"] {
        let store = Store::with_two_payouts();
        assert_eq!(store.rows().len(), 2);
        hide_entries(&store, index);
        let Err(ConsumeError::State(error)) = store.sending(&store.files()) else {
            panic!("{index}: no damage was met")
        };
        let _ = move_aside(error.damaged_file().unwrap()).unwrap();
        // The mails that were sent before the damage was met are recorded.
        let before = store.mails_sent().len();
        assert_eq!(store.sent() + before as u64, 2, "{index}");
        assert_eq!(store.sent(), 0, "{index}");
    }
}
