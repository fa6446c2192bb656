//! The product in a store of its own: real files, a clock that is set, dice with a seed, and ways
//! to leave the files as a killed process does.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use popug_cli::app::founding::Founding;
use popug_cli::app::import::{ImportError, ImportOptions, OnError};
use popug_cli::app::{App, AppError, Environment, Opening};
use popug_cli::consumers::notifier::{MailRoutes, Outgoing};
use popug_cli::consumers::run::with_accounting;
use popug_cli::consumers::{ConsumeError, WriterAccess};
use popug_cli::credentials::Password;
use popug_cli::domain::clock::Clock;
use popug_cli::domain::company::FoundCompany;
use popug_cli::domain::dice::Dice;
use popug_cli::domain::event::Consumer;
use popug_cli::domain::id::Sequence;
use popug_cli::domain::rejection::{Rejection, RejectionClass};
use popug_cli::domain::time::EventTime;
use popug_cli::event_log::Patience;
use popug_cli::mail::{Letterhead, Sender};
use popug_cli::store::StoreDirectory;
use popug_cli::turn::Notices;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use uuid::{Builder, Uuid};

use super::mails::letters_in;
use super::play::caller;
use super::recount::bare;
use super::rules::Refusal;
use super::sheets::File;
use super::steps::{Crash, Derived, Stop};

const LOCK_WAIT: Duration = Duration::from_secs(10);
/// Small, so that histories cross several segments.
const SEGMENT_BYTES_MAX: u64 = 32 << 10;

pub struct World {
    now: Cell<i64>,
    seed: u64,
    warnings: RefCell<Vec<String>>,
}

pub struct Store {
    _home: TempDir,
    directory: StoreDirectory,
    pub world: World,
}

/// The files of a store before a step, except the log's segments, which only grow.
pub struct Before {
    files: BTreeMap<PathBuf, Vec<u8>>,
    segments: BTreeMap<PathBuf, u64>,
}

impl Store {
    pub fn found(zone: &str, at: i64, seed: u64) -> Store {
        let home = tempfile::tempdir().expect("a temporary directory");
        let directory = StoreDirectory::new(home.path().join("store"));
        let world = World {
            now: Cell::new(at),
            seed,
            warnings: RefCell::default(),
        };
        let company = FoundCompany {
            name: "UberPopug Inc.".to_owned(),
            time_zone: zone.to_owned(),
            currency: "EUR".to_owned(),
            admin_login: "ada".to_owned(),
            admin_name: "Ada".to_owned(),
            admin_email: "ada@popug.example".to_owned(),
            test_clock: true,
        };
        let founding = Founding {
            company,
            admin_password: Password::new("a long enough password"),
            founded_at: None,
            shared_log: None,
        };
        let patience = Patience {
            wait: LOCK_WAIT,
            holder: "the model test".to_owned(),
        };
        founding
            .carry_out(&directory, &world, &patience)
            .expect("a new store");
        Store {
            _home: home,
            directory,
            world,
        }
    }

    /// The store in a newly started process.
    pub fn app(&self) -> App<'_> {
        let opening = Opening {
            directory: self.directory.clone(),
            environment: &self.world,
            notices: &self.world,
            lock_wait: LOCK_WAIT,
            holder: "the model test".to_owned(),
            segment_bytes_max: SEGMENT_BYTES_MAX,
        };
        App::open(opening).expect("a store")
    }

    pub fn now(&self) -> i64 {
        self.world.now.get()
    }

    pub fn set_clock(&self, micros: i64) {
        self.world.now.set(micros);
    }

    /// The warnings since the last call.
    pub fn take_warnings(&self) -> Vec<String> {
        self.world.warnings.take()
    }

    /// The lines after `sequence`, without hashes; a command's hash is only marked as present.
    pub fn lines_after(&self, sequence: u64) -> Vec<Value> {
        let mut lines = Vec::new();
        let read = self
            .app()
            .log
            .for_each(Sequence(sequence + 1), &mut |line| {
                lines.push(bare(serde_json::from_str(line.text).expect("JSON")));
                Ok(())
            });
        read.expect("a sound log");
        lines
    }

    /// Runs accounting up to `stop`.
    pub fn consume(&self, stop: Stop) -> Result<(), AppError> {
        let app = self.app();
        let around = app.around();
        let head = app.log.head()?.sequence;
        match stop {
            Stop::AtHead => app.consume_accounting().map(drop),
            Stop::OutOfTime => Ok(with_accounting(&around, |a| {
                a.advance(&around, &mut WriterAccess::PerBatch, Some(Instant::now()))
                    .map(drop)
            })?),
            Stop::Projected(part) => Ok(with_accounting(&around, |accounting| {
                let from = accounting.position().sequence;
                let last = from.plus((head.0 - from.0) * u64::from(part) / 256);
                accounting.project_through(&around, Some(last), None)?;
                accounting.commit()
            })?),
            Stop::Unstored => Ok(with_accounting(&around, |a| {
                a.catch_up(&around, None).map(drop)
            })?),
        }
    }

    /// Sends the due mails into the outbox.
    pub fn notify(&self) -> Result<(), AppError> {
        let sender = Sender::parse(None).expect("a sender");
        let routes = MailRoutes::new(
            &self.directory,
            Letterhead::of(sender),
            Outgoing::Files,
            false,
        );
        self.app().consume_notifier(&routes).map(drop)
    }

    /// The mails in the outbox, by payout.
    pub fn letters(&self) -> BTreeMap<String, PathBuf> {
        letters_in(&self.directory.outbox())
    }

    /// Imports a file. Returns the number of appended events.
    pub fn import(&self, file: &File) -> Result<u64, ImportError> {
        let app = self.app();
        let caller = caller(&app, &file.by)?;
        let options = ImportOptions::new(OnError::Refuse);
        let importer = app.importer(&caller)?;
        let summary = importer.import(file.kind, file.text().as_bytes(), options, &|_| ())?;
        Ok(summary.appended_events)
    }

    pub fn lose(&self, derived: Derived) {
        let name = match derived {
            Derived::Index => "state.sqlite",
            Derived::Accounting => "accounting.duckdb",
            Derived::Analytics => "analytics.duckdb",
            Derived::Notifier => "notifier.sqlite",
        };
        for file in self.files(|found| found.starts_with(name)) {
            std::fs::remove_file(file).expect("a file to remove");
        }
    }

    pub fn before(&self) -> Before {
        let read = |path: PathBuf| (path.clone(), std::fs::read(path).expect("a file to read"));
        let length = |path: PathBuf| {
            (
                path.clone(),
                std::fs::metadata(path).expect("a segment").len(),
            )
        };
        Before {
            files: self.files(is_overwritten).into_iter().map(read).collect(),
            segments: self.files(is_segment).into_iter().map(length).collect(),
        }
    }

    /// Leaves the files of a process that was killed at `crash`, and lets the next writer find
    /// them.
    pub fn crash(&self, crash: Crash, before: &Before) {
        let keeps_head = matches!(crash, Crash::BeforeCommit);
        let is_undone = |path: &Path| !(keeps_head && path.ends_with("head"));
        self.files(is_overwritten)
            .iter()
            .filter(|path| is_undone(path))
            .for_each(remove);
        for (path, bytes) in before.files.iter().filter(|(path, _)| is_undone(path)) {
            std::fs::write(path, bytes).expect("a file to write");
        }
        if let Crash::Torn(part) = crash {
            self.tear(part, &before.segments);
        }
        let app = self.app();
        app.log
            .writer(&app.around().patience())
            .expect("a log that recovers");
    }

    fn tear(&self, part: u8, segments: &BTreeMap<PathBuf, u64>) {
        let grown: Vec<(PathBuf, u64, u64)> = self
            .files(is_segment)
            .into_iter()
            .map(|path| {
                let (old, new) = (
                    segments.get(&path).copied(),
                    std::fs::metadata(&path).expect("a segment").len(),
                );
                (path, old.unwrap_or(0), new)
            })
            .collect();
        let mut kept =
            grown.iter().map(|(_, old, new)| new - old).sum::<u64>() * u64::from(part) / 256;
        for (path, old, new) in grown {
            let length = old + kept.min(new - old);
            kept -= length - old;
            let file = std::fs::File::options()
                .write(true)
                .open(path)
                .expect("a segment");
            file.set_len(length).expect("a file to cut");
        }
    }

    /// Files of the store whose name `wanted` picks, in order.
    fn files(&self, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for directory in [self.directory.root().to_owned(), self.directory.log()] {
            for entry in std::fs::read_dir(directory).expect("a directory") {
                let entry = entry.expect("an entry");
                if entry.file_name().to_str().is_some_and(&wanted) {
                    found.push(entry.path());
                }
            }
        }
        found.sort();
        found
    }
}

fn is_segment(name: &str) -> bool {
    name.ends_with(".ndjson")
}

fn is_overwritten(name: &str) -> bool {
    name == "head" || name.contains(".sqlite") || name.contains(".duckdb")
}

fn remove(path: &PathBuf) {
    std::fs::remove_file(path).expect("a file to remove");
}

/// The refusal that a caller gets.
///
/// # Panics
/// On an error that is no refusal.
pub fn refusal(error: &AppError) -> (u8, String) {
    match error {
        AppError::Rejected(rejection) | AppError::Consume(ConsumeError::Rejected(rejection)) => {
            (exit(rejection), rejection.code())
        }
        AppError::Ambiguous { .. } => (2, "ambiguous".to_owned()),
        AppError::SeveralConsumers { .. } => (2, "several_consumers".to_owned()),
        other => panic!("{other:?}"),
    }
}

fn exit(rejection: &Rejection) -> u8 {
    match rejection.class() {
        RejectionClass::NotFound => 3,
        RejectionClass::Conflict => 4,
        RejectionClass::NotAllowed => 5,
        RejectionClass::Invalid => 6,
    }
}

/// Whether both gave the same refusal.
pub fn agrees(product: &(u8, String), model: Refusal) -> bool {
    product.0 == model.0 && product.1 == model.1
}

impl Clock for World {
    fn now(&self) -> EventTime {
        EventTime::from_micros(self.now.get()).expect("a time in range")
    }
}

impl Environment for World {
    fn dice(&self, salt: &str) -> Box<dyn Dice> {
        let digest = Sha256::digest(format!("{}/{salt}", self.seed));
        Box::new(Seeded(ChaCha20Rng::from_seed(digest.into())))
    }

    fn pinned_by(&self) -> Option<&'static str> {
        Some("the test's clock")
    }

    fn system_now(&self) -> EventTime {
        self.now()
    }
}

impl Notices for World {
    fn warn(&self, message: &str) {
        self.warnings.borrow_mut().push(message.to_owned());
    }

    fn advanced(&self, _: Consumer, _: Sequence, _: Sequence) {}
}

struct Seeded(ChaCha20Rng);

impl Dice for Seeded {
    fn below(&mut self, bound: usize) -> usize {
        self.0.random_range(0..bound)
    }

    fn uuid_v7(&mut self, at: EventTime) -> Uuid {
        let mut random = [0; 10];
        self.0.fill_bytes(&mut random);
        Builder::from_unix_timestamp_millis(at.micros().unsigned_abs() / 1_000, &random).into_uuid()
    }
}
