//! A company of a few days, made with the use cases once and copied for each test.

mod days;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use crate::app::command::{CancelTask, Command};
use crate::app::founding::Founding;
use crate::app::identity::Caller;
use crate::app::verify::Findings;
use crate::app::write::Manner;
use crate::app::{App, Environment, Opening};
use crate::consumers::run::consume_analytics;
use crate::credentials::Password;
use crate::domain::clock::Clock;
use crate::domain::company::FoundCompany;
use crate::domain::dice::Dice;
use crate::domain::event::{Consumer, Event, EventSetAside, Fact};
use crate::domain::id::{EventId, Sequence, UserId};
use crate::domain::ledger::entry::EntryKind;
use crate::domain::task::Add;
use crate::domain::task::cancel::Cancel;
use crate::domain::task::edit::Edit;
use crate::domain::tests::dice::PinnedDice;
use crate::domain::time::EventTime;
use crate::domain::user::{Deactivate, Reactivate, Register};
use crate::event_log::{Batch, FileLog, Hash, Head, Patience};
use crate::store::StoreDirectory;
use crate::turn::Notices;
use days::Days;

pub(super) struct Pinned(AtomicI64);

impl Pinned {
    pub(super) fn at(text: &str) -> Pinned {
        Pinned(AtomicI64::new(text.parse::<EventTime>().unwrap().micros()))
    }

    fn pass(&self, hours: i64) {
        self.0.fetch_add(hours * 3_600_000_000, Ordering::Relaxed);
    }
}

impl Clock for Pinned {
    fn now(&self) -> EventTime {
        EventTime::from_micros(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

impl Environment for Pinned {
    fn dice(&self, salt: &str) -> Box<dyn Dice> {
        let seed = salt
            .bytes()
            .fold(7, |seed: u64, byte| seed.wrapping_mul(31) + u64::from(byte));
        Box::new(PinnedDice::new(seed))
    }

    fn pinned_by(&self) -> Option<&'static str> {
        Some("POPUG_NOW")
    }

    fn system_now(&self) -> EventTime {
        self.now()
    }
}

struct Silent;

impl Notices for Silent {
    fn warn(&self, _: &str) {}
    fn advanced(&self, _: Consumer, _: Sequence, _: Sequence) {}
}

const AT_ONCE: Patience = Patience {
    wait: Duration::ZERO,
    holder: String::new(),
};
/// So small that the log has several segments.
const SEGMENT_BYTES_MAX: u64 = 20_000;

pub(super) struct Store {
    directory: TempDir,
}

impl Store {
    /// A copy of the company.
    pub(super) fn sound() -> Store {
        static MADE: OnceLock<Store> = OnceLock::new();
        MADE.get_or_init(Store::make).copied()
    }

    pub(super) fn copied(&self) -> Store {
        let store = Store {
            directory: tempfile::tempdir().unwrap(),
        };
        copy(&self.root(), &store.root());
        store
    }

    pub(super) fn root(&self) -> PathBuf {
        self.directory.path().join("store")
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    fn make() -> Store {
        let store = Store {
            directory: tempfile::tempdir().unwrap(),
        };
        let clock = Pinned::at("2026-10-20T08:00:00Z");
        let company = FoundCompany {
            name: "UberPopug".into(),
            time_zone: "Europe/Moscow".into(),
            currency: "RUB".into(),
            admin_login: "boss".into(),
            admin_name: "Boss".into(),
            admin_email: "boss@popug.example".into(),
            test_clock: true,
        };
        let founding = Founding {
            company,
            admin_password: Password::new("correct horse battery"),
            founded_at: None,
            shared_log: None,
        };
        founding
            .carry_out(&StoreDirectory::new(store.root()), &clock, &AT_ONCE)
            .unwrap();
        let days = Days {
            app: store.app(&clock),
            clock: &clock,
        };
        days.live();
        store
    }

    pub(super) fn app<'e>(&self, clock: &'e Pinned) -> App<'e> {
        let opening = Opening {
            directory: StoreDirectory::new(self.root()),
            environment: clock,
            notices: &Silent,
            lock_wait: Duration::from_secs(5),
            holder: "a test".into(),
            segment_bytes_max: SEGMENT_BYTES_MAX,
        };
        App::open(opening).unwrap()
    }

    pub(super) fn verify(&self, deep: bool) -> Findings {
        self.app(&Pinned::at("2026-11-22T10:00:00Z"))
            .verify(deep, &|_, _, _| {})
            .unwrap()
    }

    /// A write that no consumer has followed.
    pub(super) fn complete_somebodys_task(&self) {
        let clock = Pinned::at("2026-11-22T10:00:00Z");
        Days {
            app: self.app(&clock),
            clock: &clock,
        }
        .complete(1);
    }

    /// Somebody works with a version whose analytics cannot read the last entry, and sets it aside.
    /// This version's accounting and analytics follow.
    pub(super) fn set_an_entry_aside_for_analytics(&self) {
        let clock = Pinned::at("2026-11-22T10:00:00Z");
        self.set_aside(&self.app(&clock), Consumer::Analytics, |event| {
            matches!(event, Event::BalanceChanged(_))
        });
        self.consume();
    }

    /// Accounting and analytics follow.
    pub(super) fn consume(&self) {
        let clock = Pinned::at("2026-11-22T10:00:00Z");
        let app = self.app(&clock);
        app.consume_accounting().unwrap();
        consume_analytics(&app.around()).unwrap();
    }

    /// A charge of wanda waits, and later charges of others do not. When hers does not wait any
    /// more, an entry is corrected before accounting runs.
    pub(super) fn correct_an_entry_while_a_released_charge_is_owed(&self) {
        let clock = Pinned::at("2026-11-22T10:00:00Z");
        let days = Days {
            app: self.app(&clock),
            clock: &clock,
        };
        let at = self.set_aside(&days.app, Consumer::Accounting, |event| match event {
            Event::UserRegistered(e) => e.login == "wanda",
            _ => false,
        });
        (0..12).for_each(|n| days.add(&format!("Plain {n}")));
        days.app.consume_accounting().unwrap();
        days.app
            .retry_event(
                &days.caller("boss"),
                None,
                at,
                "it can be read now",
                &Manner::default(),
            )
            .unwrap();
        days.correct(EntryKind::Fee);
    }

    /// Sets aside the last event that is meant, as a user of another version that cannot read it.
    /// Returns its sequence.
    fn set_aside(
        &self,
        app: &App<'_>,
        consumer: Consumer,
        is_meant: impl Fn(&Event) -> bool,
    ) -> Sequence {
        let batches = self.batches();
        let numbered = (1..)
            .map(Sequence)
            .zip(batches.iter().flat_map(|batch| &batch.facts));
        let (at, target_id) = numbered
            .filter(|(_, fact)| is_meant(&fact.event))
            .map(|(at, fact)| (at, fact.id))
            .last()
            .unwrap();
        let event = EventSetAside {
            consumer,
            target_sequence: at,
            target_id,
            reason: "unreadable".into(),
        };
        let fact = Fact {
            id: EventId::from_uuid(uuid::Uuid::max()),
            causation: None,
            event: event.into(),
        };
        let like = batches.into_iter().last().unwrap();
        let batch = Batch {
            command_id: "an old version".into(),
            command_hash: None,
            facts: vec![fact],
            ..like
        };
        let mut writer = app.log.writer(&AT_ONCE).unwrap();
        let head = *writer.head();
        writer.append(&head, &batch).unwrap();
        at
    }

    pub(super) fn append(&self, batch: &Batch) -> u64 {
        let log = self.log();
        let mut writer = log.writer(&AT_ONCE).unwrap();
        let head = *writer.head();
        writer.append(&head, batch).unwrap().sequence.0
    }

    /// Changes the last line of this type in a log of one segment, with right hashes, and drops the head file,
    /// which names the line that was the last. The line's sequence.
    pub(super) fn forge(&self, type_name: &str, from: &str, to: &str) -> usize {
        const HASH_SUFFIX_BYTES: usize = 75;
        let path = self.segments().pop().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let meant = text
            .lines()
            .enumerate()
            .filter(|(_, line)| line.contains(&format!("\"{type_name}\"")))
            .last();
        let (at, line) = meant.unwrap();
        assert!(line.contains(from), "{line}");
        let (mut hash, mut forged) = (Hash::ZERO, String::new());
        for (n, line) in text.lines().enumerate() {
            let open = &line[..line.len() - HASH_SUFFIX_BYTES];
            let open = if n == at {
                open.replace(from, to)
            } else {
                open.to_owned()
            };
            hash = Hash::of_line(&hash, open.as_bytes());
            forged += &format!("{open},\"hash\":\"{hash}\"}}\n");
        }
        std::fs::write(path, forged).unwrap();
        self.remove("log/head");
        at + 1
    }

    /// An event that this program cannot write, of the notifier. Its sequence.
    pub(super) fn append_of_type(&self, type_name: &str) -> u64 {
        let head = self.log().head().unwrap();
        let (sequence, log) = (head.sequence.next(), self.log());
        let (last, id) = (
            log.line(head.sequence).unwrap(),
            uuid::Uuid::from_u128(sequence.0.into()),
        );
        let body = format!(
            "{{\"specversion\":\"1.0\",\"id\":\"{id}\",\"source\":\"/popug/notifier\",\"type\":\"{type_name}\",\
             \"subject\":\"user/{id}\",\"time\":\"{}\",\"sequence\":\"{:020}\",\"more\":0,\
             \"actor\":\"system/notifier\",\"commandid\":\"foreign/{id}\",\"data\":{{}}",
            last.line().time,
            sequence.0,
        );
        let hash = Hash::of_line(&head.hash, body.as_bytes());
        let mut segment = std::fs::File::options()
            .append(true)
            .open(self.segments().pop().unwrap())
            .unwrap();
        segment
            .write_all(format!("{body},\"hash\":\"{hash}\"}}\n").as_bytes())
            .unwrap();
        // The next writer publishes whole batches that continue the log.
        assert_eq!(log.writer(&AT_ONCE).unwrap().head().sequence, sequence);
        sequence.0
    }

    pub(super) fn segments(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.path("log"))
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let mut segments: Vec<_> = files.filter(|path| path.extension().is_some()).collect();
        segments.sort();
        segments
    }

    pub(super) fn log_bytes(&self) -> u64 {
        self.segments()
            .iter()
            .map(|path| std::fs::metadata(path).unwrap().len())
            .sum()
    }

    pub(super) fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap();
    }

    /// Every file with its contents.
    pub(super) fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut contents = BTreeMap::new();
        let mut directories = vec![self.root()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    contents.insert(path.clone(), std::fs::read(path).unwrap());
                }
            }
        }
        contents
    }

    pub(super) fn log(&self) -> FileLog {
        FileLog::open(&self.path("log"))
            .unwrap()
            .with_segment_bytes_max(SEGMENT_BYTES_MAX)
    }

    pub(super) fn batches(&self) -> Vec<Batch> {
        let (mut batches, mut facts) = (Vec::new(), Vec::new());
        let mut first = None;
        let read = |line: &crate::event_log::Line<'_>| {
            first = first.or(line.command_hash.map(|hash| hash.parse().unwrap()));
            let causation = line.causation_id.map(|id| id.parse().unwrap());
            facts.push(Fact {
                id: line.event_id()?,
                causation,
                event: line.event()?,
            });
            if line.more == 0 {
                batches.push(Batch {
                    time: line.event_time()?,
                    actor: line.acting()?,
                    command_id: line.command_id().into_owned(),
                    command_hash: first.take(),
                    facts: std::mem::take(&mut facts),
                });
            }
            Ok(())
        };
        let mut read = read;
        self.log().for_each(Sequence::FIRST, &mut read).unwrap();
        batches
    }

    /// Replaces the log by one of these batches, with right hashes, and drops all tables.
    pub(super) fn craft(batches: &[Batch]) -> Store {
        let store = Store {
            directory: tempfile::tempdir().unwrap(),
        };
        let log = FileLog::create(&store.path("log")).unwrap();
        let mut writer = log.writer(&AT_ONCE).unwrap();
        batches.iter().fold(Head::EMPTY, |head, batch| {
            writer.append(&head, batch).unwrap()
        });
        store
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}
