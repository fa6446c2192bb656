//! A failed mail is retried when its time comes, or by `mail retry`.

use std::fs;

use crate::consumers::ConsumeError;
use crate::consumers::fixture::*;
use crate::consumers::notifier::{MailState, Retried};
use crate::domain::event::{Event, UserChanged};
use crate::domain::time::EventTime;
use crate::mail::schedule::ATTEMPTS_MAX;

/// Vera changes her address.
fn address_becomes(store: &Store, time: &str, email: &str) {
    let changed = UserChanged {
        user_id: user("vera"),
        full_name: None,
        email: Some(email.into()),
    };
    store.happened(time, [Event::from(changed)]);
}

/// The mails of this date cannot be written, because a file is in the way; those of other dates
/// can.
fn block(store: &Store, date: &str) {
    fs::create_dir_all(store.directory.outbox()).unwrap();
    fs::write(store.directory.outbox().join(date), "in the way").unwrap();
}

fn unblock(store: &Store, date: &str) {
    fs::remove_file(store.directory.outbox().join(date)).unwrap();
}

#[test]
fn a_transient_failure_is_tried_again_only_when_it_is_due() {
    let store = Store::with_two_payouts();
    block(&store, "2026-11-20");
    assert_eq!(store.sent(), 2);
    assert_eq!(store.sent(), 0, "not yet due");
    let row = store.row("vera");
    assert_eq!(
        (row.state, row.attempts, row.next_try),
        (MailState::Pending, 1, Some(at("2026-11-21T00:06:00Z")))
    );
    assert!(row.last_error.unwrap().contains("2026-11-20"));
    store.set_clock("2026-11-21T00:05:59.999999Z");
    assert_eq!(store.sent(), 0);
    store.set_clock("2026-11-21T00:06:00Z");
    assert_eq!(store.sent(), 2);
    assert_eq!(store.row("vera").next_try, Some(at("2026-11-21T00:08:00Z")));
    unblock(&store, "2026-11-20");
    store.set_clock("2026-11-21T00:08:00Z");
    assert_eq!(store.sent(), 2);
    let row = store.row("vera");
    assert_eq!(
        (row.state, row.attempts, row.next_try, row.last_error),
        (MailState::Written, 3, None, None)
    );
    assert_eq!(
        store
            .mails_sent()
            .iter()
            .map(|sent| sent.attempt)
            .collect::<Vec<_>>(),
        [3, 3]
    );
    assert!(store.eml("vera", "2026-11-20").exists());
}

#[test]
fn a_failing_mail_holds_no_other_and_never_pays_again() {
    let store = Store::with_two_payouts();
    block(&store, "2026-11-20");
    store.finished("2026-11-21T10:00:00Z", 3, "petr");
    store.closed("2026-11-22T00:05:00Z");
    assert_eq!(store.sent(), 3);
    assert_eq!(
        (store.mails_sent().len(), store.mails_failed().len()),
        (1, 2)
    );
    assert!(store.eml("petr", "2026-11-21").exists());
    let payouts = store
        .recorded()
        .iter()
        .filter(|r| matches!(*r.event, Event::PayoutMade(_)))
        .count();
    assert_eq!(payouts, 3);
}

#[test]
fn each_attempt_follows_from_the_failure_before_it() {
    let store = Store::with_two_payouts();
    address_becomes(&store, "2026-11-21T00:05:01Z", "not an address");
    store.sent();
    address_becomes(&store, "2026-11-21T00:05:02Z", "vera@popug.example");
    store.retry("").unwrap_err();
    store
        .retry(&payout("vera", "2026-11-20").to_string())
        .unwrap();
    let recorded = store.recorded();
    let failed = recorded
        .iter()
        .find(|r| matches!(*r.event, Event::MailFailed(_)))
        .unwrap();
    assert_eq!(
        failed.id.uuid(),
        company().derive(&format!("mail/{}/1", payout("vera", "2026-11-20")))
    );
    let sent = recorded.last().unwrap();
    assert_eq!(sent.command_id, format!("notifier/{}", failed.id));
    let line = store.log.line(sent.sequence).unwrap();
    assert_eq!(
        line.line().causation_id,
        Some(failed.id.to_string().as_str())
    );
}

#[test]
fn a_permanent_failure_waits_until_somebody_asks() {
    let store = Store::with_two_payouts();
    address_becomes(&store, "2026-11-21T00:05:01Z", "not an address");
    assert_eq!(store.sent(), 2);
    assert_eq!(
        (store.row("vera").state, store.row("petr").state),
        (MailState::Failed, MailState::Written)
    );
    address_becomes(&store, "2026-12-24T00:00:00Z", "vera@popug.example");
    assert_eq!(store.sent(), 0);
    let id = payout("vera", "2026-11-20").to_string();
    let Ok(Retried::Attempted(row)) = store.retry(&id) else {
        panic!("an attempt was made")
    };
    assert_eq!(
        (row.state, row.attempts, row.to.as_str()),
        (MailState::Written, 2, "vera@popug.example")
    );
    let head = store.recorded().len();
    assert_eq!(store.retry(&id).unwrap(), Retried::AlreadySent(row));
    assert_eq!((store.sent(), store.recorded().len()), (0, head));
}

#[test]
fn a_retry_that_fails_again_says_how() {
    let store = Store::with_two_payouts();
    address_becomes(&store, "2026-11-21T00:05:01Z", "not an address");
    store.sent();
    let Ok(Retried::Attempted(row)) = store.retry(&payout("vera", "2026-11-20").to_string()) else {
        panic!("an attempt was made")
    };
    assert_eq!((row.state, row.attempts), (MailState::Failed, 2));
    assert!(row.last_error.unwrap().contains("not an address"));
}

#[test]
fn after_the_tenth_attempt_a_mail_waits_until_somebody_asks() {
    let store = Store::with_two_payouts();
    block(&store, "2026-11-20");
    let mut clock = at("2026-11-21T00:05:00Z");
    for attempt in 1..=ATTEMPTS_MAX {
        assert_eq!((store.sent(), store.row("vera").attempts), (2, attempt));
        clock = EventTime::from_micros(clock.micros() + 6 * 3_600_000_000).unwrap();
        store.set_clock(&clock.to_string());
    }
    assert_eq!(
        (store.sent(), store.row("vera").state),
        (0, MailState::Failed)
    );
    unblock(&store, "2026-11-20");
    let Ok(Retried::Attempted(row)) = store.retry(&payout("vera", "2026-11-20").to_string()) else {
        panic!("an attempt was made")
    };
    assert_eq!((row.state, row.attempts), (MailState::Written, 11));
    assert_eq!(store.row("petr").state, MailState::Failed);
}

#[test]
fn a_mail_is_named_by_how_its_payouts_id_begins() {
    let store = Store::with_two_payouts();
    let id = payout("vera", "2026-11-20").to_string();
    for name in [
        &id,
        &id[..9],
        &id.to_uppercase()[..14],
        &id.replace('-', ""),
    ] {
        assert!(store.retry(name).is_ok(), "{name}");
    }
    assert_eq!(store.mails_sent().len(), 1);
    let longer = format!("{id}0");
    for name in ["", "-", "vera", "%", "00000000", "né", longer.as_str()] {
        let refused = store.retry(name);
        assert!(
            matches!(&refused, Err(ConsumeError::UnknownMail { .. })),
            "{name}: {refused:?}"
        );
    }
}

#[test]
fn a_name_that_may_mean_several_mails_lists_them() {
    let store = Store::founded();
    for number in 1..=17 {
        let login = format!("popug{number}");
        store.happened(
            "2026-11-20T09:00:00Z",
            [joined(&login, crate::domain::role::Role::Worker)],
        );
        store.finished("2026-11-20T09:00:00Z", number, &login);
    }
    store.closed("2026-11-21T00:05:00Z");
    // Two of seventeen ids begin with the same digit.
    let rows = store.rows();
    let begin = |digit: char| {
        rows.iter()
            .filter(move |row| row.payout_id.to_string().starts_with(digit))
    };
    let digit = "0123456789abcdef"
        .chars()
        .find(|digit| begin(*digit).count() > 1)
        .unwrap();
    let Err(ConsumeError::Ambiguous { candidates, .. }) = store.retry(&digit.to_string()) else {
        panic!("several mails are meant")
    };
    assert_eq!(candidates.len(), begin(digit).count());
    assert!(candidates.iter().all(|id| id.starts_with(digit)));
    assert!(store.mails_sent().is_empty());
}
