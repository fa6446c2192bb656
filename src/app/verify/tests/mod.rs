//! A sound store has no finding; a store with one fault has exactly that one.

mod crafted;
mod damage;
mod origins;
mod rotten;
mod schemas;
mod store;
mod tables;
mod tasks;
mod versions;

use crate::app::verify::Findings;
use store::Store;

/// Rules that are broken, with their places.
fn broken(findings: &Findings) -> Vec<(&'static str, &str)> {
    let mut broken: Vec<_> = findings
        .violations
        .iter()
        .map(|v| (v.invariant, v.place.as_str()))
        .collect();
    broken.sort_unstable();
    broken.dedup();
    broken
}

#[test]
fn a_sound_store_has_no_finding() {
    let store = Store::sound();
    for deep in [false, true] {
        let findings = store.verify(deep);
        assert!(findings.is_sound(), "{findings:#?}");
        assert_eq!(findings.notes, [""; 0], "deep: {deep}");
        assert_eq!(
            Some(findings.checked_events),
            findings.head.map(|head| head.sequence.0)
        );
        assert_eq!(findings.checked_bytes, store.log_bytes());
    }
}

#[test]
fn verifying_writes_nothing() {
    let store = Store::sound();
    assert!(
        store.path("state.sqlite-wal").exists(),
        "the index was left as commands leave it"
    );
    let before = store.contents();
    store.verify(true);
    assert_eq!(store.contents(), before);
}

#[test]
fn a_store_without_tables_is_sound_and_says_so() {
    let store = Store::sound();
    for file in [
        "state.sqlite",
        "accounting.duckdb",
        "analytics.duckdb",
        "notifier.sqlite",
    ] {
        store.remove(file);
    }
    let findings = store.verify(true);
    assert!(findings.is_sound(), "{findings:#?}");
    assert_eq!(findings.notes.len(), 4, "{:?}", findings.notes);
}

#[test]
fn consumers_that_lag_are_no_finding() {
    let store = Store::sound();
    store.complete_somebodys_task();
    let findings = store.verify(true);
    assert!(findings.is_sound(), "{findings:#?}");
}
