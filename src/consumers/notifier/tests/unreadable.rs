//! An event that this program cannot read stops the notifier; it is never skipped.

use std::fs;

use sha2::{Digest, Sha256};

use crate::consumers::fixture::*;
use crate::consumers::notifier::tests::{checkpoint, stops_at};
use crate::consumers::{ConsumeError, notifier, run, tracker};
use crate::domain::event::{
    AssignmentReason, Consumer, Event, EventSetAside, TaskAssigned, UserChanged,
};
use crate::domain::role::Role;
use crate::event_log::LogError;
use crate::state::{Recorded, StateError};
use crate::store::Tables;

const HASH_SUFFIX_BYTES: usize = 75;

/// Rewrites the log as a newer program would have written it: `old` becomes `new`, and the chain is
/// whole.
fn rewrite(store: &Store, old: &str, new: &str) {
    let path = store.directory.log().join(format!("{:020}.ndjson", 1));
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches(old).count(), 1);
    let (mut previous, mut rewritten) = ("0".repeat(64), String::new());
    for line in text.replace(old, new).lines() {
        let unhashed = format!("{}}}", &line[..line.len() - HASH_SUFFIX_BYTES]);
        let digest = Sha256::digest(format!("{previous}\n{unhashed}"));
        previous = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        rewritten += &format!(
            "{},\"hash\":\"{previous}\"}}\n",
            &unhashed[..unhashed.len() - 1]
        );
    }
    fs::write(path, rewritten).unwrap();
    fs::remove_file(store.directory.log().join("head")).unwrap();
}

fn is_stopped_at(result: Result<impl Sized, ConsumeError>, sequence: u64) -> bool {
    matches!(result, Err(ConsumeError::Log(LogError::UnknownVersion { sequence: at, .. })) if at.0 == sequence)
}

#[test]
fn nothing_is_sent_or_passed_over_behind_an_event_of_a_newer_version() {
    let store = Store::with_two_payouts();
    store.sent();
    let changed = UserChanged {
        user_id: user("vera"),
        full_name: None,
        email: Some("new@popug.example".into()),
    };
    store.happened("2026-11-21T10:00:00Z", [Event::from(changed)]);
    let bad = store.recorded().len() as u64;
    store.finished("2026-11-21T11:00:00Z", 3, "petr");
    rewrite(&store, "user.changed.v1", "user.changed.v9");
    remove_sqlite(&store.directory.notifier());
    fs::remove_file(store.directory.database(Tables::Accounting)).unwrap();
    for _ in 0..2 {
        assert!(is_stopped_at(store.sending(&store.files()), bad));
        assert!(is_stopped_at(notifier::list(&store.around()), bad));
        let around = store.around();
        assert!(is_stopped_at(
            run::with_accounting(&around, |a| a.catch_up(&around, None)),
            bad
        ));
        let position = run::with_accounting(&around, |a| Ok(a.position().sequence.0)).unwrap();
        assert_eq!(position, bad - 1);
        assert!(is_stopped_at(run::consume_analytics(&around), bad));
    }
}

#[test]
fn a_payout_that_the_log_has_twice_stops_the_notifier_there_until_it_is_set_aside() {
    let store = Store::with_two_payouts();
    let is_payout =
        |recorded: &Recorded<'_>| matches!(recorded.event.as_ref(), Event::PayoutMade(_));
    let payout = store.recorded().into_iter().find(is_payout).unwrap();
    store.happened("2026-11-21T10:00:00Z", [payout.event.into_owned()]);
    let bad = store.recorded().last().unwrap().sequence;
    for _ in 0..2 {
        let stop = store
            .sending(&store.files())
            .err()
            .and_then(|error| error.stop())
            .unwrap();
        assert_eq!(stop.sequence, bad);
        assert!(stop.reason.contains("was made before"), "{}", stop.reason);
        assert_eq!(checkpoint(&store).sequence.next(), bad);
        assert_eq!(stops_at(&store), Some(stop));
    }
    let (consumer, target_id) = (Consumer::Notifier, store.recorded().last().unwrap().id);
    let set_aside = EventSetAside {
        consumer,
        target_sequence: bad,
        target_id,
        reason: "twice".into(),
    };
    store.happened("2026-11-21T11:00:00Z", [Event::from(set_aside)]);
    assert_eq!(stops_at(&store), None);
    assert_eq!(
        store.sent(),
        2,
        "what is recorded of a mail does not wait, or it would be sent for ever"
    );
    assert_eq!((store.sent(), store.mails_sent().len()), (0, 2));
    assert_eq!(stops_at(&store), None);
}

#[test]
fn the_state_index_names_the_event_that_it_cannot_follow() {
    let of_no_task = TaskAssigned {
        task_id: task(77),
        assignee_id: user("vera"),
        previous_assignee_id: None,
        reason: AssignmentReason::Created,
        assignment_no: 1,
    };
    for (event, words) in [
        (joined("vera", Role::Worker), "UNIQUE"),
        (of_no_task.into(), "was never created"),
    ] {
        let store = Store::founded();
        store.happened("2026-11-21T10:00:00Z", [event]);
        let bad = store.recorded().last().unwrap().sequence;
        for rebuild in [false, true] {
            let refused = tracker::consume(&store.around(), rebuild).unwrap_err();
            let ConsumeError::State(StateError::Contradiction {
                sequence, reason, ..
            }) = refused
            else {
                panic!("{refused:?}")
            };
            assert_eq!(sequence, bad);
            assert!(reason.contains(words), "{reason}");
        }
    }
}
