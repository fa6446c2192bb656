//! Events that were set aside and are released: retried too late, stopped again, or skipped.

use super::*;

#[test]
fn later_events_of_the_same_task_wait_and_come_in_their_own_place_when_it_is_retried() {
    let store = Store::founded();
    store.happened("2026-11-20T09:00:00Z", handed_over(1, "vera"));
    let assigned = last_sequence(&store);
    store.happened(
        "2026-11-20T09:30:00Z",
        [reassigned(1, "petr"), completed(1, "petr")],
    );
    store.finished("2026-11-20T10:00:00Z", 2, "vera");
    decided(
        &store,
        "2026-11-20T10:30:00Z",
        LetterState::SetAside,
        assigned,
    );
    consume(&store).unwrap();
    let others = format!("fee {}, reward {}", assigned + 4, assigned + 5);
    assert_eq!(
        entries(&store),
        others,
        "the first task waits as a whole, the second does not"
    );
    assert_rebuilds_alike(&store);
    decided(
        &store,
        "2026-11-20T11:00:00Z",
        LetterState::Retried,
        assigned,
    );
    consume(&store).unwrap();
    let released = format!(
        "fee {assigned}, fee {}, reward {}",
        assigned + 1,
        assigned + 2
    );
    assert_eq!(entries(&store), format!("{others}, {released}"));
    assert_rebuilds_alike(&store);
    assert_eq!(close(&store, "2026-11-21T00:05:00Z").closed.len(), 1);
}

#[test]
fn an_event_that_is_retried_after_its_date_was_closed_is_late() {
    let store = Store::founded();
    store.finished("2026-11-20T09:00:00Z", 1, "vera");
    let done = last_sequence(&store);
    decided(&store, "2026-11-20T10:00:00Z", LetterState::SetAside, done);
    consume(&store).unwrap();
    decided(&store, "2026-11-20T11:00:00Z", LetterState::Skipped, done);
    assert_eq!(
        close(&store, "2026-11-21T00:05:00Z").closed[0]
            .day
            .skipped_events,
        1
    );
    decided(&store, "2026-11-21T10:00:00Z", LetterState::Retried, done);
    consume(&store).unwrap();
    assert_eq!(
        entries(&store),
        format!("fee {}, reward {done} late", done - 1)
    );
    assert_rebuilds_alike(&store);
}

/// The event that stops accounting is set aside, later events get their entries, and the event is
/// retried unchanged.
fn released_too_soon(store: &Store, bad: u64) {
    assert_eq!(stopped_at(store), Some(bad));
    decided(store, "2026-11-20T12:10:00Z", LetterState::SetAside, bad);
    assert_eq!(
        known_stop(store),
        None,
        "it is decided, though the tables have not heard of it"
    );
    store.finished("2026-11-20T12:20:00Z", 3, "vera");
    consume(store).unwrap();
    assert_eq!(
        (known_stop(store), settled(store)),
        (None, last_sequence(store)),
        "others' money is not held up"
    );
    decided(store, "2026-11-20T12:30:00Z", LetterState::Retried, bad);
    assert_eq!(stopped_at(store), Some(bad));
}

#[test]
fn a_released_event_that_stops_accounting_again_is_told_though_later_ones_have_their_entries() {
    let store = Store::founded();
    store.finished("2026-11-20T10:00:00Z", 1, "petr");
    store.happened("2026-11-20T11:00:00Z", [completed(1, "petr")]);
    let twice = last_sequence(&store);
    store.finished("2026-11-20T12:00:00Z", 2, "petr");
    released_too_soon(&store, twice);
    assert_eq!(
        (known_stop(&store), settled(&store)),
        (Some(twice), twice - 1)
    );
    store.finished("2026-11-20T13:00:00Z", 4, "petr");
    assert_eq!(stopped_at(&store), Some(twice));
    assert_eq!(
        (known_stop(&store), settled(&store)),
        (Some(twice), twice - 1)
    );
    decided(&store, "2026-11-20T14:00:00Z", LetterState::SetAside, twice);
    decided(&store, "2026-11-20T14:10:00Z", LetterState::Skipped, twice);
    consume(&store).unwrap();
    assert_eq!(
        (known_stop(&store), settled(&store)),
        (None, last_sequence(&store))
    );
}

#[test]
fn a_released_completion_of_a_task_that_was_paid_for_meanwhile_is_told_as_the_stop() {
    let store = Store::founded();
    store.happened("2026-11-20T10:00:00Z", handed_over(1, "petr"));
    store.happened("2026-11-20T11:00:00Z", [completed(1, "petr")]);
    let first = last_sequence(&store);
    decided(&store, "2026-11-20T11:10:00Z", LetterState::SetAside, first);
    store.happened("2026-11-20T11:20:00Z", [completed(1, "petr")]);
    decided(&store, "2026-11-20T11:30:00Z", LetterState::Skipped, first);
    consume(&store).unwrap();
    assert_eq!(settled(&store), last_sequence(&store));
    decided(&store, "2026-11-20T11:40:00Z", LetterState::Retried, first);
    assert_eq!(stopped_at(&store), Some(first));
    assert_eq!(
        (known_stop(&store), settled(&store)),
        (Some(first), first - 1)
    );
}
