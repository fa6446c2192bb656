//! Mails of imported history and of a restored store reach the outbox only, unless asked for.

use std::fs;

use crate::consumers::fixture::*;
use crate::consumers::notifier::MailState;
use crate::domain::event::{Event, Transport};
use crate::domain::time::EventTime;
use crate::mail::mail_server::MailServer;

/// The 20th was closed by an imported row, the 21st by hand.
fn partly_imported() -> Store {
    let store = Store::founded();
    store.finished("2026-11-20T10:00:00Z", 1, "vera");
    store.close(
        "2026-11-21T00:05:00Z",
        Some("import/close/2026-11-21T00:05:00Z/anna//1"),
    );
    store.finished("2026-11-21T10:00:00Z", 2, "petr");
    store.closed("2026-11-22T00:05:00Z");
    store
}

fn transports(store: &Store) -> Vec<(String, Transport)> {
    let login = |to: &str| to.split('@').next().unwrap().to_owned();
    store
        .mails_sent()
        .iter()
        .map(|sent| (login(&sent.to), sent.transport))
        .collect()
}

fn expected(vera: Transport, petr: Transport) -> Vec<(String, Transport)> {
    vec![("vera".into(), vera), ("petr".into(), petr)]
}

#[test]
fn mails_of_imported_dates_go_to_the_outbox() {
    let (store, server) = (partly_imported(), MailServer::start(&[]));
    store
        .sending(&store.routes(smtp(&server.url()), false))
        .unwrap();
    assert_eq!(
        transports(&store),
        expected(Transport::File, Transport::Smtp)
    );
    assert!(store.eml("vera", "2026-11-20").exists() && !store.eml("petr", "2026-11-21").exists());
    assert_eq!(server.taken()[0].envelope.to, ["petr@popug.example"]);
}

#[test]
fn mails_of_imported_dates_are_sent_when_asked_for() {
    let (store, server) = (partly_imported(), MailServer::start(&[]));
    store.set_clock("2026-11-30T10:00:00Z");
    store
        .sending(&store.routes(smtp(&server.url()), true))
        .unwrap();
    assert_eq!(
        transports(&store),
        expected(Transport::Smtp, Transport::Smtp)
    );
    assert_eq!(server.taken().len(), 2);
    // A mail that was really sent is recorded at the time of sending.
    assert_eq!(
        times(&store),
        [at("2026-11-30T10:00:00Z"), at("2026-11-30T10:00:00Z")]
    );
}

fn times(store: &Store) -> Vec<EventTime> {
    let recorded = store.recorded().into_iter();
    recorded
        .filter(|recorded| matches!(*recorded.event, Event::MailSent(_)))
        .map(|recorded| recorded.time)
        .collect()
}

#[test]
fn a_mail_of_imported_history_takes_the_time_that_the_log_has_reached() {
    let store = partly_imported();
    let last = store.recorded().last().unwrap().time;
    store.set_clock("2026-11-30T10:00:00Z");
    assert_eq!(store.sent(), 2);
    assert_eq!(
        transports(&store),
        expected(Transport::File, Transport::File)
    );
    assert_eq!(times(&store), [last, at("2026-11-30T10:00:00Z")]);
}

#[test]
fn mails_of_a_restored_store_go_to_the_outbox_unless_asked_for() {
    for (send_imported, by) in [(false, Transport::File), (true, Transport::Smtp)] {
        let (store, server) = (partly_imported(), MailServer::start(&[]));
        fs::write(store.directory.restored_marker(), "").unwrap();
        store
            .sending(&store.routes(smtp(&server.url()), send_imported))
            .unwrap();
        assert_eq!(transports(&store), expected(by, by));
    }
}

#[test]
fn a_servers_refusal_waits_and_its_delay_is_tried_again() {
    let server = MailServer::start(&[
        "--refuse",
        "vera@popug.example",
        "--try-later",
        "petr@popug.example",
    ]);
    let store = Store::with_two_payouts();
    let routes = store.routes(smtp(&server.url()), false);
    assert_eq!(store.sending(&routes).unwrap().appended, 2);
    assert_eq!(
        (store.row("vera").state, store.row("petr").state),
        (MailState::Failed, MailState::Pending)
    );
    store.set_clock("2026-11-21T00:06:00Z");
    assert_eq!(store.sending(&routes).unwrap().appended, 1);
    assert_eq!(
        (store.row("vera").attempts, store.row("petr").attempts),
        (1, 2)
    );
    assert!(store.row("petr").last_error.unwrap().contains("451"));
}
