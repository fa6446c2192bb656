//! Rule A9: every payout has exactly one mail, wherever the notifier was stopped.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use mail_parser::MessageParser;

use crate::consumers::fixture::*;
use crate::consumers::notifier::{self, MailRoutes, MailState, Outgoing};
use crate::consumers::process_lock::ProcessLock;
use crate::consumers::{ConsumeError, WriterAccess, table_file};
use crate::domain::event::{Actor, Consumer, Event, EventKind, Transport};
use crate::domain::rejection::Rejection;
use crate::domain::role::Role;
use crate::event_log::{FileLog, LogError};
use crate::mail::mail_server::MailServer;
use crate::mail::{Letterhead, Sender, message_id};
use crate::store::{Database, Tables};
use crate::turn::Surroundings;

fn text_of(bytes: &[u8]) -> String {
    MessageParser::default()
        .parse(bytes)
        .unwrap()
        .body_text(0)
        .unwrap()
        .replace("\r\n", "\n")
}

#[test]
fn each_payout_has_one_mail_and_a_second_run_appends_nothing() {
    let store = Store::with_two_payouts();
    let head = store.recorded().len() as u64;
    let consumed = store.sending(&store.files()).unwrap();
    assert_eq!(
        (consumed.from.0, consumed.to.0, consumed.appended),
        (0, head + 2, 2)
    );
    assert_eq!(store.sent(), 0);
    assert_eq!(store.recorded().len() as u64, head + 2);
    let mut sent = store.mails_sent();
    sent.sort_by(|a, b| b.to.cmp(&a.to));
    for (sent, login) in sent.iter().zip(["vera", "petr"]) {
        let payout_id = payout(login, "2026-11-20");
        assert_eq!(
            (sent.payout_id, sent.user_id, sent.attempt),
            (payout_id, user(login), 1)
        );
        assert_eq!(
            (sent.to.clone(), sent.transport),
            (format!("{login}@popug.example"), Transport::File)
        );
        assert_eq!(sent.message_id, message_id(payout_id));
        assert_eq!(
            (store.row(login).state, store.row(login).attempts),
            (MailState::Written, 1)
        );
    }
    assert_eq!(sent.len(), 2);
}

#[test]
fn a_mail_lists_the_charges_and_credits_of_its_date_alone() {
    let store = Store::founded();
    store.happened("2026-11-20T10:00:00Z", handed_over(1, "vera"));
    store.happened("2026-11-21T09:00:00Z", [completed(1, "vera")]);
    store.finished("2026-11-21T10:00:00Z", 2, "vera");
    store.finished("2026-11-21T10:00:00Z", 3, "petr");
    store.closed("2026-11-22T00:00:01Z");
    assert_eq!(store.sent(), 2);
    let text = text_of(&fs::read(store.eml("vera", "2026-11-21")).unwrap());
    let amount = price(1).reward - price(1).fee + gain(2);
    assert!(
        text.contains(&format!(
            "UberPopug Inc. pays you {amount} EUR for 2026-11-21."
        )),
        "{text}"
    );
    assert!(
        text.contains(&format!("{} EUR\n  You get", -price(1).fee)),
        "{text}"
    );
    let listed: Vec<_> = text
        .lines()
        .filter(|line| line.contains(" T-"))
        .map(str::trim)
        .collect();
    let line = |amount, kind: &str, number| {
        format!("{amount}  {kind:<12}T-{number} UP-{number} Task {number}")
    };
    assert_eq!(
        listed,
        [
            line(format!("+{}", price(1).reward), "reward", 1),
            line((-price(2).fee).to_string(), "fee", 2),
            line(format!("+{}", price(2).reward), "reward", 2),
        ]
    );
}

#[test]
fn results_are_one_batch_whose_ids_follow_from_the_payouts() {
    let store = Store::with_two_payouts();
    store.sent();
    let recorded = store.recorded();
    let paid: Vec<_> = recorded
        .iter()
        .filter(|r| r.event.kind() == EventKind::PayoutMade)
        .collect();
    let mails: Vec<_> = recorded
        .iter()
        .filter(|r| r.event.kind() == EventKind::MailSent)
        .collect();
    let command_id = format!("notifier/{}", paid[0].id);
    for (more, (paid, mail)) in [1, 0].into_iter().zip(paid.iter().zip(&mails)) {
        let (Event::PayoutMade(payout), Event::MailSent(sent)) =
            (paid.event.as_ref(), mail.event.as_ref())
        else {
            unreachable!("filtered by kind")
        };
        assert_eq!(sent.payout_id, payout.payout_id);
        assert_eq!(
            mail.id.uuid(),
            company().derive(&format!("mail/{}", payout.payout_id))
        );
        assert_eq!(
            (mail.more, mail.actor),
            (more, Actor::System(Consumer::Notifier))
        );
        assert_eq!(mail.command_id, command_id);
        let line = store.log.line(mail.sequence).unwrap();
        assert_eq!(line.line().causation_id, Some(paid.id.to_string().as_str()));
    }
}

#[test]
fn killed_between_sending_and_appending_the_same_bytes_are_sent_again() {
    let store = Store::with_two_payouts();
    let before = store.snapshot_of_log();
    assert_eq!(store.sent(), 2);
    let path = store.eml("vera", "2026-11-20");
    let look = || {
        (
            fs::read(&path).unwrap(),
            fs::metadata(&path).unwrap().modified().unwrap(),
        )
    };
    let first = look();
    store.was_killed_at(&before);
    store.set_clock("2026-11-21T08:00:00Z");
    assert_eq!(store.sent(), 2);
    assert_eq!(
        look(),
        first,
        "the file was found to be the same and left alone"
    );
    fs::remove_file(&path).unwrap();
    store.was_killed_at(&before);
    assert_eq!(store.sent(), 2);
    assert_eq!(look().0, first.0);
    assert_eq!(store.mails_sent().len(), 2);
}

#[test]
fn killed_after_a_server_took_it_a_mail_is_sent_again_with_the_same_bytes() {
    let server = MailServer::start(&[]);
    let store = Store::with_two_payouts();
    let before = store.snapshot_of_log();
    for _ in 0..2 {
        store.was_killed_at(&before);
        assert_eq!(
            store
                .sending(&store.routes(smtp(&server.url()), false))
                .unwrap()
                .appended,
            2
        );
    }
    let taken = server.taken();
    let bytes: HashSet<_> = taken.iter().map(|mail| mail.bytes.clone()).collect();
    assert_eq!((taken.len(), bytes.len()), (4, 2));
    assert_eq!(store.mails_sent().len(), 2);
    assert!(
        store
            .mails_sent()
            .iter()
            .all(|sent| sent.transport == Transport::Smtp)
    );
}

#[test]
fn mails_that_were_recorded_are_not_sent_again_when_the_tables_are_lost() {
    let store = Store::with_two_payouts();
    store.sent();
    fs::remove_dir_all(store.directory.outbox()).unwrap();
    remove_sqlite(&store.directory.notifier());
    assert_eq!(store.sent(), 0);
    assert!(!store.directory.outbox().exists());
}

#[test]
fn more_than_a_group_is_recorded_in_batches_of_a_thousand() {
    let store = Store::founded();
    let logins: Vec<_> = (0..1_100).map(|n| format!("popug{n}")).collect();
    store.happened(
        "2026-11-20T09:00:00Z",
        logins.iter().map(|login| joined(login, Role::Worker)),
    );
    let tasks = logins.iter().zip(1..).flat_map(|(login, number)| {
        handed_over(number, login)
            .into_iter()
            .chain([completed(number, login)])
    });
    store.happened("2026-11-20T10:00:00Z", tasks);
    store.closed("2026-11-21T00:05:00Z");
    // A user whose fee equals their reward gets no payout.
    let paid = (1..=1_100)
        .filter(|number| gain(*number).is_positive())
        .count() as u64;
    // No files, because syncing a thousand of them would take seconds.
    assert_eq!(
        store
            .sending(&store.routes(Outgoing::Nowhere, false))
            .unwrap()
            .appended,
        paid
    );
    let recorded = store.recorded();
    let batches: Vec<_> = recorded
        .iter()
        .enumerate()
        .filter(|(at, r)| {
            r.event.kind() == EventKind::MailSent && (*at == 0 || recorded[at - 1].more == 0)
        })
        .map(|(_, r)| r.more + 1)
        .collect();
    assert_eq!(batches, [1_000, paid - 1_000]);
}

#[test]
fn two_notifiers_at_once_send_each_mail_once() {
    let store = Store::with_two_payouts();
    let directory = &store.directory;
    let run_beside = || {
        let log = FileLog::open(&directory.log()).unwrap();
        let (clock, heard) = (SetClock::at("2026-11-21T00:06:00Z"), Heard::default());
        let around = Surroundings {
            directory,
            log: &log,
            clock: &clock,
            lock_wait: Duration::from_secs(20),
            holder: "another",
            notices: &heard,
        };
        let routes = MailRoutes::new(
            directory,
            Letterhead::of(Sender::parse(None).unwrap()),
            Outgoing::Files,
            false,
        );
        notifier::consume(&around, &mut WriterAccess::PerBatch, &routes)
            .unwrap()
            .appended
    };
    let appended: u64 = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(run_beside)).collect();
        runs.into_iter().map(|run| run.join().unwrap()).sum()
    });
    assert_eq!((appended, store.mails_sent().len()), (2, 2));
}

#[test]
fn the_holder_of_the_lock_is_named() {
    let store = Store::with_two_payouts();
    let path = store.directory.lock("notifier");
    let _held = ProcessLock::take(&path, "pid 7: consume notifier", Duration::ZERO).unwrap();
    let around = Surroundings {
        lock_wait: Duration::ZERO,
        ..store.around()
    };
    let refused = notifier::consume(&around, &mut WriterAccess::PerBatch, &store.files());
    assert!(
        matches!(refused, Err(ConsumeError::Locked { holder, .. }) if holder == "pid 7: consume notifier")
    );
}

#[test]
fn mails_are_sent_under_a_writer_lock_that_the_caller_holds() {
    let store = Store::with_two_payouts();
    fs::remove_file(store.directory.database(Tables::Accounting)).unwrap();
    let around = store.around();
    let mut turn = around.take_turn().unwrap();
    let consumed =
        notifier::consume(&around, &mut WriterAccess::Held(&mut turn), &store.files()).unwrap();
    assert_eq!((consumed.appended, store.mails_sent().len()), (2, 2));
}

#[test]
fn nothing_is_sent_that_could_not_be_recorded() {
    let store = Store::with_two_payouts();
    store.set_clock("2026-11-20T23:00:00Z");
    let payout = notifier::list(&store.around()).unwrap()[0]
        .payout_id
        .to_string();
    let retried = notifier::retry(
        &store.around(),
        &mut WriterAccess::PerBatch,
        &store.files(),
        &payout,
    )
    .map(drop);
    for refused in [store.sending(&store.files()).map(drop), retried] {
        let Err(ConsumeError::Rejected(Rejection::ClockBehind {
            before_jump, now, ..
        })) = refused
        else {
            panic!("{refused:?}");
        };
        let time_of = |sequence| {
            store
                .log
                .line(sequence)
                .unwrap()
                .line()
                .event_time()
                .unwrap()
        };
        // The end of a restore: the last event that is not later than the clock.
        assert!(time_of(before_jump) <= now && time_of(before_jump.next()) > now);
    }
    let around = Surroundings {
        lock_wait: Duration::ZERO,
        ..store.around()
    };
    let elsewhere = FileLog::open(&store.directory.log()).unwrap();
    let _writing = elsewhere.writer(&around.patience()).unwrap();
    let refused = notifier::consume(&around, &mut WriterAccess::PerBatch, &store.files());
    assert!(matches!(
        refused,
        Err(ConsumeError::Log(LogError::Locked { .. }))
    ));
    assert!(!store.directory.outbox().exists());
}

#[test]
fn accounting_is_brought_up_to_the_payouts_whatever_became_of_its_file() {
    for ruin in [
        |path: &Path| fs::remove_file(path).unwrap(),
        |path: &Path| fs::write(path, "no database").unwrap(),
        |path: &Path| {
            let database = Database::open(path, Tables::Accounting, Duration::ZERO).unwrap();
            database
                .run(
                    "write",
                    "UPDATE checkpoint SET code_version = 0; DELETE FROM entries",
                )
                .unwrap();
        },
    ] {
        let store = Store::with_two_payouts();
        ruin(&store.directory.database(Tables::Accounting));
        assert_eq!((store.sent(), store.mails_sent().len()), (2, 2));
    }
}

#[test]
fn a_ledger_that_contradicts_the_payout_sends_nothing_until_it_is_rebuilt() {
    let store = Store::with_two_payouts();
    let path = store.directory.database(Tables::Accounting);
    let database = Database::open(&path, Tables::Accounting, Duration::ZERO).unwrap();
    database
        .run(
            "write",
            &format!(
                "DELETE FROM entries WHERE task_id = '{}' AND kind = 'fee'",
                task(1)
            ),
        )
        .unwrap();
    drop(database);
    assert_eq!(store.sent(), 2);
    let failed = store.mails_failed();
    assert!(
        failed.len() == 1 && failed[0].error.contains("rebuild accounting"),
        "{failed:?}"
    );
    table_file::rebuild(&store.around(), Tables::Accounting).unwrap();
    store.set_clock("2026-11-21T00:06:05Z");
    assert_eq!((store.sent(), store.mails_sent().len()), (1, 2));
}

#[test]
fn a_ledger_of_another_log_sends_nothing() {
    let store = Store::with_two_payouts();
    let other = Store::founded();
    // The same payouts, with another event before them.
    other.happened("2026-11-20T09:00:00Z", [joined("ivan", Role::Worker)]);
    other.finished("2026-11-20T10:00:00Z", 1, "vera");
    other.finished("2026-11-20T11:00:00Z", 2, "petr");
    other.closed("2026-11-21T00:05:00Z");
    let [from, to] = [&other, &store].map(|store| store.directory.database(Tables::Accounting));
    fs::copy(from, to).unwrap();
    let refused = store.sending(&store.files());
    assert!(
        matches!(
            refused,
            Err(ConsumeError::ForeignTables {
                consumer: Consumer::Accounting,
                ..
            })
        ),
        "{refused:?}"
    );
    assert!(!store.directory.outbox().exists());
}

#[test]
fn played_history_is_recorded_and_written_nowhere() {
    let store = Store::with_two_payouts();
    fs::remove_file(store.directory.database(Tables::Accounting)).unwrap();
    assert_eq!(
        store
            .sending(&store.routes(Outgoing::Nowhere, false))
            .unwrap()
            .appended,
        2
    );
    assert!(
        store
            .mails_sent()
            .iter()
            .all(|sent| sent.transport == Transport::None)
    );
    assert!(!store.directory.outbox().exists());
    assert!(
        !store.directory.database(Tables::Accounting).exists(),
        "nothing is read for mails that nobody gets"
    );
}
