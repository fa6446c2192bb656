//! A store in a temporary directory, and events in it.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use uuid::Uuid;

use crate::consumers::accounting::{CloseRequest, Closes};
use crate::consumers::notifier::{self, MailRoutes, MailRow, Outgoing, Retried};
use crate::consumers::{ConsumeError, Consumed, WriterAccess, run};
use crate::domain::clock::Clock;
use crate::domain::event::{
    Actor, AssignmentReason, CompanyFounded, Consumer, Event, Fact, MailFailed, MailSent,
    TaskAssigned, TaskCompleted, TaskCreated, UserRegistered,
};
use crate::domain::id::{CompanyId, EventId, PayoutId, Sequence, TaskId, UserId};
use crate::domain::money::Money;
use crate::domain::pricing::{self, Price, PriceRange};
use crate::domain::role::Role;
use crate::domain::time::EventTime;
use crate::event_log::{Batch, FileLog};
use crate::mail::{Letterhead, Sender, SmtpServer, SmtpTransport};
use crate::state::Recorded;
use crate::store::StoreDirectory;
use crate::turn::{Notices, Surroundings};

const LOCK_WAIT: Duration = Duration::from_secs(20);

pub(super) fn at(text: &str) -> EventTime {
    text.parse().unwrap()
}

pub(super) fn company() -> CompanyId {
    CompanyId::from_uuid(Uuid::from_u128(0xc0))
}

pub(super) fn user(login: &str) -> UserId {
    UserId::from_uuid(company().derive(login))
}

pub(super) fn task(number: u64) -> TaskId {
    TaskId::from_uuid(company().derive(&number.to_string()))
}

pub(super) fn price(number: u64) -> Price {
    pricing::price(company(), task(number), &PriceRange::STANDARD)
}

pub(super) fn payout(login: &str, date: &str) -> PayoutId {
    PayoutId::from_uuid(company().derive(&format!("payout/{}/{date}", user(login))))
}

/// Reward less fee: what whoever is handed and finishes a task earns.
pub(super) fn gain(number: u64) -> Money {
    price(number).reward - price(number).fee
}

pub(super) fn joined(login: &str, role: Role) -> Event {
    let (full_name, email) = (format!("{login} Popug"), format!("{login}@popug.example"));
    UserRegistered {
        user_id: user(login),
        login: login.into(),
        full_name,
        email,
        role,
    }
    .into()
}

pub(super) fn handed_over(number: u64, login: &str) -> [Event; 2] {
    let created = TaskCreated {
        task_id: task(number),
        number,
        title: format!("Task {number}"),
        jira_id: Some(format!("UP-{number}")),
        description: None,
        created_by: user("anna"),
    };
    let assigned = TaskAssigned {
        task_id: task(number),
        assignee_id: user(login),
        previous_assignee_id: None,
        reason: AssignmentReason::Created,
        assignment_no: 1,
    };
    [created.into(), assigned.into()]
}

pub(super) fn completed(number: u64, login: &str) -> Event {
    TaskCompleted {
        task_id: task(number),
        completed_by: user(login),
        assignment_no: 1,
    }
    .into()
}

/// A clock that stands until it is set.
pub(super) struct SetClock(Cell<EventTime>);

impl SetClock {
    pub(super) fn at(time: &str) -> SetClock {
        SetClock(Cell::new(at(time)))
    }
}

impl Clock for SetClock {
    fn now(&self) -> EventTime {
        self.0.get()
    }
}

#[derive(Default)]
pub(super) struct Heard(RefCell<Vec<String>>);

impl Notices for Heard {
    fn warn(&self, message: &str) {
        self.0.borrow_mut().push(message.to_owned());
    }

    fn advanced(&self, _: Consumer, done: Sequence, total: Sequence) {
        assert!(done <= total);
    }
}

pub(super) struct Store {
    _home: TempDir,
    pub directory: StoreDirectory,
    pub log: FileLog,
    clock: SetClock,
    heard: Heard,
}

/// `anna` closes every finished date.
pub(super) fn close(
    around: &Surroundings<'_>,
    imported: Option<&str>,
) -> Result<Closes, ConsumeError> {
    let request = CloseRequest {
        by: user("anna"),
        through: None,
        imported: imported.map(str::to_owned),
    };
    run::with_accounting(around, |accounting| {
        accounting.close(around, &mut WriterAccess::PerBatch, &request)
    })
}

impl Store {
    /// UberPopug in UTC, founded on the 20th at eight: anna, an admin, and vera and petr who work.
    pub(super) fn founded() -> Store {
        let home = tempfile::tempdir().unwrap();
        let directory = StoreDirectory::new(home.path());
        let log = FileLog::create(&directory.log()).unwrap();
        let clock = SetClock::at("2026-11-20T08:00:00Z");
        let store = Store {
            _home: home,
            directory,
            log,
            clock,
            heard: Heard::default(),
        };
        let founded = CompanyFounded {
            company_id: company(),
            name: "UberPopug Inc.".into(),
            time_zone: "UTC".into(),
            currency: "EUR".into(),
            pricing: PriceRange::STANDARD,
            test_clock: true,
        };
        let people = [
            ("anna", Role::Admin),
            ("vera", Role::Worker),
            ("petr", Role::Developer),
        ];
        let people = people.map(|(login, role)| joined(login, role));
        store.happened(
            "2026-11-20T08:00:00Z",
            [founded.into()].into_iter().chain(people),
        );
        store
    }

    /// Founded; on the 20th vera and petr finished a task each, and the date was closed.
    pub(super) fn with_two_payouts() -> Store {
        let store = Store::founded();
        store.finished("2026-11-20T10:00:00Z", 1, "vera");
        store.finished("2026-11-20T11:00:00Z", 2, "petr");
        store.closed("2026-11-21T00:05:00Z");
        store
    }

    pub(super) fn set_clock(&self, time: &str) {
        self.clock.0.set(at(time));
    }

    pub(super) fn happened(&self, time: &str, events: impl IntoIterator<Item = Event>) {
        self.set_clock(time);
        let mut writer = self.log.writer(&self.around().patience()).unwrap();
        let head = *writer.head();
        let fact = |(event, number)| {
            let id = EventId::from_uuid(company().derive(&format!("event {number}")));
            Fact {
                id,
                causation: None,
                event,
            }
        };
        let facts: Vec<_> = events
            .into_iter()
            .zip(head.sequence.0 + 1..)
            .map(fact)
            .collect();
        let (actor, command_id) = (
            Actor::User(user("anna")),
            format!("command after {}", head.sequence),
        );
        writer
            .append(
                &head,
                &Batch {
                    time: at(time),
                    actor,
                    command_id,
                    command_hash: None,
                    facts,
                },
            )
            .unwrap();
    }

    /// A task was created, handed over and finished.
    pub(super) fn finished(&self, time: &str, number: u64, login: &str) {
        self.happened(
            time,
            handed_over(number, login)
                .into_iter()
                .chain([completed(number, login)]),
        );
    }

    /// Every finished date was closed.
    pub(super) fn closed(&self, time: &str) {
        self.close(time, None);
    }

    pub(super) fn close(&self, time: &str, imported: Option<&str>) {
        self.set_clock(time);
        let closes = close(&self.around(), imported).unwrap();
        assert!(!closes.closed.is_empty());
    }

    pub(super) fn around(&self) -> Surroundings<'_> {
        Surroundings {
            directory: &self.directory,
            log: &self.log,
            clock: &self.clock,
            lock_wait: LOCK_WAIT,
            holder: "a test",
            notices: &self.heard,
        }
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        self.heard.0.borrow().clone()
    }

    pub(super) fn routes(&self, outgoing: Outgoing, send_imported: bool) -> MailRoutes {
        MailRoutes::new(
            &self.directory,
            Letterhead::of(Sender::parse(None).unwrap()),
            outgoing,
            send_imported,
        )
    }

    pub(super) fn files(&self) -> MailRoutes {
        self.routes(Outgoing::Files, false)
    }

    /// Runs the notifier with these routes.
    pub(super) fn sending(&self, routes: &MailRoutes) -> Result<Consumed, ConsumeError> {
        notifier::consume(&self.around(), &mut WriterAccess::PerBatch, routes)
    }

    /// Runs the notifier with files; the number of events it appended.
    pub(super) fn sent(&self) -> u64 {
        self.sending(&self.files()).unwrap().appended
    }

    pub(super) fn retry(&self, name: &str) -> Result<Retried, ConsumeError> {
        notifier::retry(
            &self.around(),
            &mut WriterAccess::PerBatch,
            &self.files(),
            name,
        )
    }

    pub(super) fn rows(&self) -> Vec<MailRow> {
        notifier::list(&self.around()).unwrap()
    }

    pub(super) fn row(&self, login: &str) -> MailRow {
        self.rows()
            .into_iter()
            .find(|row| row.login == login)
            .unwrap()
    }

    pub(super) fn recorded(&self) -> Vec<Recorded<'static>> {
        let mut events = Vec::new();
        let mut collect = |line: &crate::event_log::Line<'_>| {
            events.push(Recorded::from_line(line)?);
            Ok(())
        };
        self.log.for_each(Sequence::FIRST, &mut collect).unwrap();
        events
    }

    pub(super) fn mails_sent(&self) -> Vec<MailSent> {
        let sent = |recorded: Recorded<'_>| match recorded.event.into_owned() {
            Event::MailSent(sent) => Some(sent),
            _ => None,
        };
        self.recorded().into_iter().filter_map(sent).collect()
    }

    pub(super) fn mails_failed(&self) -> Vec<MailFailed> {
        let failed = |recorded: Recorded<'_>| match recorded.event.into_owned() {
            Event::MailFailed(failed) => Some(failed),
            _ => None,
        };
        self.recorded().into_iter().filter_map(failed).collect()
    }

    /// Where a mail is as a file.
    pub(super) fn eml(&self, login: &str, date: &str) -> PathBuf {
        self.directory
            .outbox()
            .join(date)
            .join(format!("{}.eml", payout(login, date)))
    }

    /// The log as it lies on the disk now.
    pub(super) fn snapshot_of_log(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let names = fs::read_dir(self.directory.log())
            .unwrap()
            .map(|entry| entry.unwrap().path());
        names
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect()
    }

    /// The process was killed before it appended anything since: the log is what it was, and
    /// the notifier's tables are lost.
    pub(super) fn was_killed_at(&self, log: &[(PathBuf, Vec<u8>)]) {
        log.iter()
            .for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
        remove_sqlite(&self.directory.notifier());
    }
}

pub(super) fn remove_sqlite(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", path.display()));
    }
}

pub(super) fn smtp(url: &str) -> Outgoing {
    let server = SmtpServer::parse(url).unwrap();
    Outgoing::Smtp(Box::new(SmtpTransport::new(server).unwrap()))
}
