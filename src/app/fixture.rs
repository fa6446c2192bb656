//! Real stores in temporary directories, under a pinned clock and pinned dice.

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::app::founding::Founding;
use crate::app::identity::Caller;
use crate::app::{App, Environment, Opening};
use crate::credentials::Password;
use crate::domain::clock::Clock;
use crate::domain::company::FoundCompany;
use crate::domain::dice::Dice;
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::domain::tests::dice::PinnedDice;
use crate::domain::time::EventTime;
use crate::event_log::{FileLog, Hash, Patience};
use crate::store::StoreDirectory;
use crate::turn::Notices;

pub(super) const FOUNDED: &str = "2026-10-01T06:00:00Z";
pub(super) const NOW: &str = "2026-11-22T10:00:00Z";

pub(super) fn at(text: &str) -> EventTime {
    text.parse().unwrap()
}

/// Clock and dice that are the same in every run.
pub(super) struct Pinned {
    now: Cell<EventTime>,
}

impl Pinned {
    pub(super) fn at(now: &str) -> Pinned {
        Pinned {
            now: Cell::new(at(now)),
        }
    }

    pub(super) fn set(&self, now: &str) {
        self.now.set(at(now));
    }
}

impl Clock for Pinned {
    fn now(&self) -> EventTime {
        self.now.get()
    }
}

impl Environment for Pinned {
    fn dice(&self, salt: &str) -> Box<dyn Dice> {
        let hash = Hash::of_bytes(salt.as_bytes());
        let seed: [u8; 32] = hash.ascii()[..32].try_into().unwrap();
        Box::new(PinnedDice::from_seed(seed))
    }

    fn pinned_by(&self) -> Option<&'static str> {
        Some("POPUG_NOW")
    }

    fn system_now(&self) -> EventTime {
        self.now()
    }
}

struct Silence;

impl Notices for Silence {
    fn warn(&self, _message: &str) {}
    fn advanced(&self, _consumer: Consumer, _done: Sequence, _total: Sequence) {}
}

/// Founds a company in `root`, with `anna` as its admin.
pub(super) fn found(root: &Path, environment: &Pinned, founded_at: &str) {
    let company = FoundCompany {
        name: "УберПопуг Inc.".into(),
        time_zone: "Europe/Moscow".into(),
        currency: "RUB".into(),
        admin_login: "anna".into(),
        admin_name: "Анна Жако".into(),
        admin_email: "anna@popug.example".into(),
        test_clock: true,
    };
    let admin_password = Password::new("parrots like nuts");
    let founding = Founding {
        company,
        admin_password,
        founded_at: Some(at(founded_at)),
        shared_log: None,
    };
    let patience = Patience {
        wait: Duration::ZERO,
        holder: "test".into(),
    };
    founding
        .carry_out(&StoreDirectory::new(root), environment, &patience)
        .unwrap();
}

/// A founded store; it goes with the value.
pub(super) struct Store {
    pub directory: TempDir,
    pub environment: Pinned,
}

impl Store {
    pub(super) fn new() -> Store {
        Store::founded_at(FOUNDED)
    }

    pub(super) fn founded_at(founded: &str) -> Store {
        let (directory, environment) = (tempfile::tempdir().unwrap(), Pinned::at(NOW));
        found(directory.path(), &environment, founded);
        Store {
            directory,
            environment,
        }
    }

    /// A store whose log is what is whole of `bytes`, as recovery leaves it after a kill.
    pub(super) fn with_log(bytes: &[u8]) -> Store {
        let (directory, environment) = (tempfile::tempdir().unwrap(), Pinned::at(NOW));
        let log = directory.path().join("log");
        std::fs::create_dir(&log).unwrap();
        std::fs::write(log.join(format!("{:020}.ndjson", 1)), bytes).unwrap();
        // There is no head yet: whole batches become the log, and a torn end is cut.
        let patience = Patience {
            wait: Duration::ZERO,
            holder: "test".into(),
        };
        FileLog::open(&log)
            .unwrap()
            .lock_unsettled(&patience)
            .unwrap()
            .settle()
            .unwrap();
        Store {
            directory,
            environment,
        }
    }

    pub(super) fn app(&self) -> App<'_> {
        App::open(Opening {
            directory: StoreDirectory::new(self.directory.path()),
            environment: &self.environment,
            notices: &Silence,
            lock_wait: Duration::from_secs(1),
            holder: "test".into(),
            segment_bytes_max: 1 << 40,
        })
        .unwrap()
    }

    pub(super) fn caller(&self, login: &str) -> Caller {
        let index = self.app().index().unwrap();
        Caller {
            user: index
                .user_named(login)
                .unwrap()
                .expect("a user of the test"),
        }
    }

    /// The bytes of the log.
    pub(super) fn log_bytes(&self) -> Vec<u8> {
        std::fs::read(
            self.directory
                .path()
                .join("log")
                .join(format!("{:020}.ndjson", 1)),
        )
        .unwrap()
    }

    /// `type` and `time` of every line.
    pub(super) fn history(&self) -> Vec<(String, String)> {
        let log = FileLog::open(&self.directory.path().join("log")).unwrap();
        let mut lines = Vec::new();
        log.for_each(Sequence::FIRST, &mut |line| {
            lines.push((line.type_name.to_owned(), line.time.to_owned()));
            Ok(())
        })
        .unwrap();
        lines
    }
}
