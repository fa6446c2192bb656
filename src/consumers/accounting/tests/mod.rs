//! Accounting on real stores: an interrupted run leaves no trace, and nothing is done twice.

mod closing;
mod dead_letters;
mod parts;

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use crate::consumers::fixture::*;
use crate::consumers::{ConsumeError, WriterAccess, run, table_file};
use crate::domain::event::{Actor, AssignmentReason, Event, EventKind, TaskAssigned, TaskPriced};
use crate::domain::id::EventId;
use crate::domain::ledger::correct::Correct;
use crate::domain::rejection::Rejection;
use crate::domain::role::Role;
use crate::domain::user::User;
use crate::event_log::{Batch, FileLog, LogError};
use crate::store::{Database, Tables};
use crate::turn::Surroundings;

fn consume(store: &Store) -> Result<u64, ConsumeError> {
    run::consume_accounting(&store.around(), &mut WriterAccess::PerBatch)
        .map(|consumed| consumed.appended)
}

fn query(store: &Store, sql: &str) -> String {
    let path = store.directory.database(Tables::Accounting);
    let database =
        Database::open_to_read(&path, Tables::Accounting, Duration::from_secs(10)).unwrap();
    database
        .connection()
        .query_row(sql, [], |row| row.get(0))
        .unwrap()
}

/// The contents of all tables, sorted.
fn contents(store: &Store) -> Vec<String> {
    [
        "entries",
        "prices",
        "tasks",
        "user_days",
        "users",
        "payouts",
        "closes",
    ]
    .map(|table| {
        query(
            store,
            &format!("SELECT coalesce(string_agg(t::VARCHAR, ' ' ORDER BY t), '') FROM {table} t"),
        )
    })
    .to_vec()
}

fn reassigned(number: u64, login: &str) -> Event {
    TaskAssigned {
        task_id: task(number),
        assignee_id: user(login),
        previous_assignee_id: Some(user("vera")),
        reason: AssignmentReason::Reshuffle,
        assignment_no: 2,
    }
    .into()
}

/// No cause has more than one price or entry.
fn assert_nothing_is_decided_twice(store: &Store) {
    let recorded = store.recorded();
    let mut ids = HashMap::new();
    for recorded in &recorded {
        let before = ids.insert(recorded.id, recorded.sequence);
        assert_eq!(
            before,
            None,
            "{} again at {}",
            recorded.event.kind().name(),
            recorded.sequence
        );
    }
    let count = |kind| recorded.iter().filter(|r| r.event.kind() == kind).count();
    assert_eq!(count(EventKind::TaskPriced), count(EventKind::TaskCreated));
}

#[test]
fn a_failed_append_leaves_no_trace_in_the_tables() {
    const TASKS: u64 = 6_000;
    let store = Store::founded();
    store.happened(
        "2026-11-20T09:00:00Z",
        (1..=TASKS).flat_map(|number| handed_over(number, "vera")),
    );
    consume(&store).unwrap();
    // More tasks than one chunk has lines, so a new process has none of them in memory.
    store.happened(
        "2026-11-20T10:00:00Z",
        (1..=TASKS).map(|number| reassigned(number, "petr")),
    );
    let elsewhere = FileLog::open(&store.directory.log()).unwrap();
    let writing = elsewhere.writer(&store.around().patience()).unwrap();
    let around = Surroundings {
        lock_wait: Duration::ZERO,
        ..store.around()
    };
    let refused = run::consume_accounting(&around, &mut WriterAccess::PerBatch);
    assert!(matches!(
        refused,
        Err(ConsumeError::Log(LogError::Locked { .. }))
    ));
    drop(writing);
    assert_eq!(consume(&store).unwrap(), TASKS);
    let fees = "SELECT sum(fees)::VARCHAR FROM user_days";
    assert_eq!(
        query(&store, fees),
        query(&store, "SELECT (-sum(amount))::VARCHAR FROM entries")
    );
    assert_nothing_is_decided_twice(&store);
}

#[test]
fn killed_behind_a_batch_that_time_cut_short_no_task_is_priced_twice() {
    let store = Store::founded();
    // The first chunk of 4,096 lines ends with a creation, whose assignment is in the next.
    store.happened("2026-11-20T09:00:00Z", [joined("ivan", Role::Worker)]);
    store.happened(
        "2026-11-20T09:00:00Z",
        (1..=2_100).flat_map(|number| handed_over(number, "vera")),
    );
    assert_eq!(store.recorded()[4_095].event.kind(), EventKind::TaskCreated);
    let around = store.around();
    run::with_accounting(&around, |accounting| accounting.catch_up(&around, None)).unwrap();
    let path = store.directory.database(Tables::Accounting);
    let before = fs::read(&path).unwrap();
    let past = Some(Instant::now());
    let done = run::with_accounting(&around, |accounting| {
        accounting.advance(&around, &mut WriterAccess::PerBatch, past)
    });
    assert!(!done.unwrap());
    fs::write(&path, before).unwrap();
    consume(&store).unwrap();
    assert_nothing_is_decided_twice(&store);
    assert_eq!(
        query(&store, "SELECT count(*)::VARCHAR FROM entries"),
        "2100"
    );
    let tables = contents(&store);
    table_file::rebuild(&around, Tables::Accounting).unwrap();
    consume(&store).unwrap();
    assert_eq!(contents(&store), tables);
}

#[test]
fn a_rebuild_gives_what_consuming_step_by_step_gave() {
    let store = Store::with_two_payouts();
    store.sent();
    store.happened("2026-11-21T09:00:00Z", handed_over(3, "vera"));
    consume(&store).unwrap();
    store.finished("2026-11-21T10:00:00Z", 4, "petr");
    consume(&store).unwrap();
    correct(&store, 4);
    store.happened(
        "2026-11-22T00:01:00Z",
        [reassigned(3, "petr"), completed(3, "petr")],
    );
    store.closed("2026-11-22T00:05:00Z");
    store.sent();
    store.happened("2026-11-22T10:00:00Z", handed_over(5, "vera"));
    consume(&store).unwrap();
    assert_eq!(consume(&store).unwrap(), 0);
    let tables = contents(&store);
    assert!(tables.iter().all(|table| !table.is_empty()));
    table_file::rebuild(&store.around(), Tables::Accounting).unwrap();
    assert_eq!(consume(&store).unwrap(), 0);
    assert_eq!(contents(&store), tables);
    assert_nothing_is_decided_twice(&store);
    let paid = query(
        &store,
        "SELECT string_agg(amount::VARCHAR, ' ' ORDER BY sequence) FROM payouts",
    );
    // The fee of the fourth task was reversed before its date was closed; vera owes that of the
    // third.
    let last = price(4).reward.minor().to_string();
    assert_eq!(paid.split(' ').skip(2).collect::<Vec<_>>(), [last]);
}

#[test]
fn a_correction_whose_row_was_not_stored_counts_for_the_next_one() {
    let store = Store::founded();
    store.happened("2026-11-20T09:00:00Z", handed_over(1, "vera"));
    consume(&store).unwrap();
    let path = store.directory.database(Tables::Accounting);
    let before = fs::read(&path).unwrap();
    correct(&store, 1);
    // Killed between the append and the commit.
    fs::write(&path, before).unwrap();
    let refused = try_to_correct(&store, 1, "a second key");
    assert!(matches!(
        refused,
        Err(ConsumeError::Rejected(Rejection::CorrectedInFull))
    ));
}

#[test]
fn an_entry_that_was_not_stored_can_be_corrected() {
    let store = Store::founded();
    store.happened("2026-11-20T09:00:00Z", handed_over(1, "vera"));
    consume(&store).unwrap();
    let entry = fee_of(&store, 1);
    fs::remove_file(store.directory.database(Tables::Accounting)).unwrap();
    correct_entry(&store, &entry, "a key").unwrap();
}

#[test]
fn an_accountant_stops_where_another_posted_without_the_lock() {
    let store = Store::founded();
    store.happened("2026-11-20T09:00:00Z", handed_over(1, "vera"));
    let around = store.around();
    let absorbed = run::with_accounting(&around, |accounting| {
        accounting.catch_up(&around, None)?;
        let price = price(1);
        let priced = TaskPriced {
            task_id: task(1),
            fee: price.fee,
            reward: price.reward,
        };
        store.happened("2026-11-20T09:01:00Z", [priced.into()]);
        accounting.absorb(&around).map(drop)
    });
    assert!(
        matches!(absorbed, Err(ConsumeError::Stopped { sequence, .. }) if sequence.0 == last_sequence(&store))
    );
}

#[test]
fn a_task_that_is_completed_a_second_time_is_not_paid_again() {
    for in_one_run in [true, false] {
        let store = Store::founded();
        store.finished("2026-11-20T09:00:00Z", 1, "vera");
        if !in_one_run {
            consume(&store).unwrap();
        }
        // Only a person who writes into the log directly can cause this.
        store.happened("2026-11-20T10:00:00Z", [completed(1, "vera")]);
        let forged = last_sequence(&store);
        for _ in 0..2 {
            let stopped = consume(&store);
            assert!(
                matches!(stopped, Err(ConsumeError::Stopped { sequence, .. }) if sequence.0 == forged),
                "{stopped:?}"
            );
        }
        let rewards = "SELECT count(*)::VARCHAR FROM entries WHERE kind = 'reward'";
        assert_eq!(query(&store, rewards), "1");
    }
}

#[test]
fn a_task_that_nobody_was_handed_is_priced_once_whatever_became_of_the_tables() {
    let store = Store::founded();
    for number in [1, 2] {
        let [created, _] = handed_over(number, "vera");
        store.happened("2026-11-20T09:00:00Z", [created]);
    }
    let around = store.around();
    run::with_accounting(&around, |accounting| {
        accounting.catch_up(&around, None)?;
        accounting.commit()
    })
    .unwrap();
    let path = store.directory.database(Tables::Accounting);
    let killed_before_commit = fs::read(&path).unwrap();
    assert_eq!(consume(&store).unwrap(), 2);
    assert_eq!(consume(&store).unwrap(), 0);
    fs::write(&path, killed_before_commit).unwrap();
    assert_eq!(consume(&store).unwrap(), 0);
    fs::remove_file(&path).unwrap();
    assert_eq!(consume(&store).unwrap(), 0);
    assert_nothing_is_decided_twice(&store);
}

fn last_sequence(store: &Store) -> u64 {
    store.recorded().len() as u64
}

/// Anna reverses the fee of a task.
fn correct(store: &Store, number: u64) {
    try_to_correct(store, number, "a correction").unwrap();
}

fn try_to_correct(store: &Store, number: u64, key: &str) -> Result<(), ConsumeError> {
    correct_entry(store, &fee_of(store, number), key)
}

fn fee_of(store: &Store, number: u64) -> String {
    query(
        store,
        &format!(
            "SELECT entry_id::VARCHAR FROM entries WHERE task_id = '{}' AND kind = 'fee'",
            task(number)
        ),
    )
}

fn correct_entry(store: &Store, entry: &str, key: &str) -> Result<(), ConsumeError> {
    let around = store.around();
    let anna = User::registered(&match joined("anna", Role::Admin) {
        Event::UserRegistered(registered) => registered,
        _ => unreachable!("joined registers"),
    });
    let id = EventId::from_uuid(company().derive(key));
    let command = Correct {
        amount: None,
        reason: "by mistake".into(),
    };
    run::with_accounting(&around, |accounting| {
        let original = accounting.original(&around, (entry, entry.parse().unwrap()))?;
        let mut turn = around.take_turn()?;
        let time = around.clock.now();
        let fact = accounting.decide_correction(&around, &anna, (&original, &command), id, time)?;
        let batch = Batch {
            time,
            actor: Actor::User(anna.id),
            command_id: key.into(),
            command_hash: None,
            facts: vec![fact],
        };
        let head = turn.head();
        turn.append(&head, &batch)?;
        drop(turn);
        accounting.catch_up(&around, None)?;
        accounting.commit()
    })
}
