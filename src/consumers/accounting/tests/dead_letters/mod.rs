//! An event that is set aside holds up its own task or user and nothing else, and every table
//! equals a rebuild, whichever decisions were made and when.

mod released;

use super::*;
use crate::consumers::accounting::Closes;
use crate::consumers::fixture;
use crate::consumers::standing::Standing;
use crate::consumers::withheld::Withheld;
use crate::domain::dead_letter::LetterState;
use crate::domain::event::{
    Consumer, DayClosed, EventRetried, EventSetAside, EventSkipped, UserChanged,
};
use crate::domain::id::Sequence;
use crate::domain::rejection::Rejection;

/// An operator's decision.
fn decided(store: &Store, time: &str, state: LetterState, target: u64) {
    let target_id = store.recorded()[target as usize - 1].id;
    let (consumer, target_sequence, reason) =
        (Consumer::Accounting, Sequence(target), "a test".to_owned());
    store.happened(
        time,
        [match state {
            LetterState::SetAside => EventSetAside {
                consumer,
                target_sequence,
                target_id,
                reason,
            }
            .into(),
            LetterState::Retried => EventRetried {
                consumer,
                target_sequence,
                target_id,
                reason,
            }
            .into(),
            LetterState::Skipped => EventSkipped {
                consumer,
                target_sequence,
                target_id,
                reason,
            }
            .into(),
        }],
    );
}

fn stopped_at(store: &Store) -> Option<u64> {
    consume(store)
        .err()
        .and_then(|error| error.stop())
        .map(|stop| stop.sequence.0)
}

fn ledger(store: &Store) -> (Database, Withheld) {
    let database = Database::open(
        &store.directory.database(Tables::Accounting),
        Tables::Accounting,
        Duration::ZERO,
    );
    (
        database.unwrap(),
        Withheld::load(&store.around(), Consumer::Accounting).unwrap(),
    )
}

fn known_stop(store: &Store) -> Option<u64> {
    let (database, withheld) = ledger(store);
    crate::consumers::accounting::stop(&database, &withheld)
        .unwrap()
        .map(|stop| stop.sequence.0)
}

fn settled(store: &Store) -> u64 {
    let (database, withheld) = ledger(store);
    Standing::of_tables(&database, &withheld).unwrap().through.0
}

fn close(store: &Store, time: &str) -> Closes {
    store.set_clock(time);
    fixture::close(&store.around(), None).unwrap()
}

fn entries(store: &Store) -> String {
    query(
        store,
        "SELECT coalesce(string_agg(kind || ' ' || (cause_sequence::VARCHAR) || if(late, ' late', ''), ', '
         ORDER BY sequence), '') FROM entries WHERE kind IN ('fee', 'reward')",
    )
}

/// The tables equal a rebuild.
fn assert_rebuilds_alike(store: &Store) {
    let tables = contents(store);
    table_file::rebuild(&store.around(), Tables::Accounting).unwrap();
    assert_eq!(contents(store), tables);
    assert_eq!(consume(store).unwrap(), 0, "nothing is owed");
    assert_eq!(contents(store), tables);
    std::fs::remove_file(store.directory.database(Tables::Accounting)).unwrap();
    assert_eq!(consume(store).unwrap(), 0, "nor to tables that were lost");
    assert_eq!(contents(store), tables);
    assert_nothing_is_decided_twice(store);
}

#[test]
fn an_event_that_is_read_and_not_charged_yet_is_not_in_the_books() {
    let store = Store::founded();
    store.finished("2026-11-20T10:00:00Z", 1, "vera");
    consume(&store).unwrap();
    let head = last_sequence(&store);
    assert_eq!(settled(&store), head);
    store.finished("2026-11-20T11:00:00Z", 2, "petr");
    let path = store.directory.database(Tables::Accounting);
    let database = Database::open(&path, Tables::Accounting, Duration::ZERO).unwrap();
    let (withheld, last) = (
        Withheld::nothing(Consumer::Accounting),
        Sequence(last_sequence(&store)),
    );
    table_file::project_through(
        &store.around(),
        &database,
        Tables::Accounting,
        withheld,
        last,
    )
    .unwrap();
    assert_eq!(database.checkpoint().unwrap().sequence, last);
    drop(database);
    assert_eq!(settled(&store), head);
    consume(&store).unwrap();
    assert_eq!(settled(&store), last_sequence(&store));
}

#[test]
fn an_event_that_stops_accounting_is_set_aside_and_its_date_waits_until_it_is_skipped() {
    let store = Store::founded();
    store.happened("2026-11-20T09:00:00Z", [completed(99, "vera")]);
    let bad = last_sequence(&store);
    store.finished("2026-11-20T10:00:00Z", 1, "petr");
    assert_eq!(stopped_at(&store), Some(bad));
    assert_eq!(stopped_at(&store), Some(bad), "it stops there again");
    assert_eq!(
        known_stop(&store),
        Some(bad),
        "its tables tell so without another try"
    );
    assert_eq!(settled(&store), bad - 1, "nothing behind it is charged");
    decided(&store, "2026-11-20T11:00:00Z", LetterState::SetAside, bad);
    consume(&store).unwrap();
    assert_eq!(known_stop(&store), None);
    assert_eq!(
        query(&store, "SELECT count(*)::VARCHAR FROM entries"),
        "2",
        "petr has a fee and a reward"
    );
    let blocked = close(&store, "2026-11-22T00:05:00Z");
    assert_eq!(
        blocked,
        Closes {
            blocked: Some(("2026-11-20".parse().unwrap(), Sequence(bad))),
            first_open: Some("2026-11-20".parse().unwrap()),
            ..Closes::default()
        }
    );
    assert!(matches!(
        blocked.unblocked(),
        Err(Rejection::DateBlocked { .. })
    ));
    decided(&store, "2026-11-22T01:00:00Z", LetterState::Skipped, bad);
    let closes = close(&store, "2026-11-22T01:05:00Z");
    let skipped = |(date, count): (&DayClosed, u64)| (date.business_date.to_string(), count);
    let counted: Vec<_> = closes
        .closed
        .iter()
        .map(|closed| skipped((&closed.day, closed.day.skipped_events)))
        .collect();
    assert_eq!(
        counted,
        [("2026-11-20".to_owned(), 1), ("2026-11-21".to_owned(), 0)]
    );
    assert_rebuilds_alike(&store);
}

#[test]
fn the_money_of_a_user_waits_with_an_event_of_their_own() {
    let store = Store::founded();
    let changed = UserChanged {
        user_id: user("vera"),
        full_name: Some("Vera".into()),
        email: None,
    };
    store.happened("2026-11-20T08:30:00Z", [changed.into()]);
    let change = last_sequence(&store);
    decided(
        &store,
        "2026-11-20T08:40:00Z",
        LetterState::SetAside,
        change,
    );
    store.finished("2026-11-20T09:00:00Z", 1, "vera");
    store.finished("2026-11-20T10:00:00Z", 2, "petr");
    consume(&store).unwrap();
    assert_eq!(
        query(
            &store,
            "SELECT count(DISTINCT user_id)::VARCHAR FROM entries"
        ),
        "1"
    );
    assert_rebuilds_alike(&store);
    decided(&store, "2026-11-20T11:00:00Z", LetterState::Retried, change);
    consume(&store).unwrap();
    assert_eq!(
        query(
            &store,
            "SELECT count(DISTINCT user_id)::VARCHAR FROM entries"
        ),
        "2"
    );
    assert_rebuilds_alike(&store);
}

#[test]
fn nothing_is_decided_on_books_that_lack_an_entry() {
    let store = Store::founded();
    store.finished("2026-11-20T09:00:00Z", 1, "vera");
    // Its entries would have a later date than the event, and yet it blocks the date to be closed.
    store.set_clock("2026-11-21T09:00:00Z");
    consume(&store).unwrap();
    let of_the_books = |r: &crate::state::Recorded<'_>| r.event.kind() == EventKind::BalanceChanged;
    let entry = store
        .recorded()
        .iter()
        .find(|recorded| of_the_books(recorded))
        .unwrap()
        .sequence
        .0;
    decided(&store, "2026-11-21T10:00:00Z", LetterState::SetAside, entry);
    store.finished("2026-11-21T11:00:00Z", 2, "petr");
    assert_eq!(consume(&store).unwrap(), 0);
    assert!(
        store
            .warnings()
            .iter()
            .any(|warning| warning.contains("nothing is charged")),
        "{:?}",
        store.warnings()
    );
    assert_eq!(
        close(&store, "2026-11-21T12:00:00Z")
            .blocked
            .map(|(_, at)| at),
        Some(Sequence(entry))
    );
    decided(&store, "2026-11-21T13:00:00Z", LetterState::Retried, entry);
    assert_eq!(close(&store, "2026-11-21T14:00:00Z").closed.len(), 1);
    assert_rebuilds_alike(&store);
}

#[test]
fn nothing_is_corrected_on_books_that_lack_an_entry() {
    let store = Store::founded();
    store.finished("2026-11-20T09:00:00Z", 1, "vera");
    consume(&store).unwrap();
    let is_entry = |r: &&crate::state::Recorded<'_>| r.event.kind() == EventKind::BalanceChanged;
    let reward = store.recorded().iter().rfind(is_entry).unwrap().sequence;
    decided(
        &store,
        "2026-11-20T11:00:00Z",
        LetterState::SetAside,
        reward.0,
    );
    let fee = fee_of(&store, 1);
    let refused = correct_entry(&store, &fee, "a correction").err();
    let Some(ConsumeError::Rejected(Rejection::BooksIncomplete { sequence })) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(sequence, reward);
    decided(
        &store,
        "2026-11-20T12:00:00Z",
        LetterState::Retried,
        reward.0,
    );
    correct(&store, 1);
    assert_rebuilds_alike(&store);
}

#[test]
fn a_second_bad_event_in_front_of_the_decision_about_the_first_is_set_aside_as_well() {
    let store = Store::founded();
    store.happened("2026-11-20T09:00:00Z", [completed(98, "vera")]);
    let first = last_sequence(&store);
    store.happened("2026-11-20T09:10:00Z", [completed(99, "vera")]);
    let second = last_sequence(&store);
    store.finished("2026-11-20T10:00:00Z", 1, "petr");
    for bad in [first, second] {
        assert_eq!(stopped_at(&store), Some(bad));
        decided(&store, "2026-11-20T11:00:00Z", LetterState::SetAside, bad);
    }
    consume(&store).unwrap();
    assert_eq!(query(&store, "SELECT count(*)::VARCHAR FROM entries"), "2");
    assert_rebuilds_alike(&store);
}

#[test]
fn an_earlier_date_is_closed_and_paid_while_an_event_of_the_same_user_waits() {
    let store = Store::founded();
    store.finished("2026-11-20T09:00:00Z", 1, "vera");
    let changed = UserChanged {
        user_id: user("vera"),
        full_name: Some("Vera".into()),
        email: None,
    };
    store.happened("2026-11-21T08:30:00Z", [changed.into()]);
    let change = last_sequence(&store);
    decided(
        &store,
        "2026-11-21T08:40:00Z",
        LetterState::SetAside,
        change,
    );
    store.finished("2026-11-21T09:00:00Z", 2, "vera");
    let closes = close(&store, "2026-11-22T00:05:00Z");
    assert_eq!(closes.closed.len(), 1);
    assert_eq!(closes.closed[0].day.payouts_total, gain(1));
    assert_eq!(
        closes.blocked,
        Some(("2026-11-21".parse().unwrap(), Sequence(change)))
    );
    assert_rebuilds_alike(&store);
    decided(&store, "2026-11-22T01:00:00Z", LetterState::Retried, change);
    assert_eq!(
        close(&store, "2026-11-22T01:05:00Z").closed[0]
            .day
            .payouts_total,
        gain(2)
    );
    assert_rebuilds_alike(&store);
}

#[test]
fn the_stop_is_told_and_not_what_waits_before_it() {
    let store = Store::founded();
    store.finished("2026-11-20T10:00:00Z", 1, "petr");
    store.happened("2026-11-20T11:00:00Z", [completed(1, "petr")]);
    let twice = last_sequence(&store);
    store.finished("2026-11-20T12:00:00Z", 2, "petr");
    assert_eq!(stopped_at(&store), Some(twice));
    assert_eq!(known_stop(&store), Some(twice));
}

#[test]
fn waiting_and_skipped_events_are_owed_to_nobody() {
    let store = Store::founded();
    store.happened("2026-11-20T09:00:00Z", handed_over(1, "vera"));
    let assigned = last_sequence(&store);
    store.happened("2026-11-20T09:30:00Z", [completed(1, "vera")]);
    store.finished("2026-11-20T10:00:00Z", 2, "petr");
    for state in [LetterState::SetAside, LetterState::Skipped] {
        decided(&store, "2026-11-20T10:30:00Z", state, assigned);
        consume(&store).unwrap();
        assert_eq!(
            (known_stop(&store), settled(&store)),
            (None, last_sequence(&store)),
            "{state:?}"
        );
    }
}

#[test]
fn books_that_lack_an_entry_are_settled_up_to_its_cause() {
    let store = Store::founded();
    store.finished("2026-11-20T09:00:00Z", 1, "vera");
    let done = last_sequence(&store);
    consume(&store).unwrap();
    store.finished("2026-11-20T10:00:00Z", 2, "petr");
    consume(&store).unwrap();
    let is_its_reward = |recorded: &&crate::state::Recorded<'_>| matches!(recorded.event.as_ref(), Event::BalanceChanged(entry) if entry.cause_sequence == Some(Sequence(done)));
    let entry = store
        .recorded()
        .iter()
        .find(is_its_reward)
        .unwrap()
        .sequence
        .0;
    decided(&store, "2026-11-20T11:00:00Z", LetterState::SetAside, entry);
    consume(&store).unwrap();
    assert_eq!(settled(&store), done - 1);
    decided(&store, "2026-11-20T12:00:00Z", LetterState::Retried, entry);
    consume(&store).unwrap();
    assert_eq!(settled(&store), last_sequence(&store));
}
