//! Kills the commands that rescue a store, `backup`, `backup prune`, `restore` and `repair`, at random
//! moments and at named places, several times in a row, and then repeats them.
//!
//! Invariant after every kill: the former backup, or the new one, can be restored; the place
//! of the restored store holds nothing, or the whole store; replaced bytes of a log are kept, and
//! the backup from which it is repaired is unchanged. After the repetition everything is as if
//! nothing had been killed. `scripts/torture` does this for any duration.

mod killed;
mod spoil;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use serde_json::Value;

use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::{Call, World, last_error};
use crate::helpers::kills::{self, Death, Ended, Tally};
use crate::helpers::kills::{Asked, Seeded};
use crate::helpers::play::numbered;
use crate::helpers::stores::{NEW_PASSWORD, add_tasks, busy_world, bytes_in, log, segments};
use spoil::{damaged, damaged_twice, spoil_head, torn};

/// Whether only these commands pass a place.
pub fn is_of_rescue(place: &str) -> bool {
    [
        "backup.",
        "copy.",
        "new_store.",
        "repair.",
        "restore.",
        "secrets.",
    ]
    .iter()
    .any(|name| place.starts_with(name))
}

/// The kind of a command, which decides what must hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Backup { with_secrets: bool },
    Restore { with_secrets: bool },
    Repair,
    Prune,
}

/// A command, and the world that it finds.
struct Job {
    name: &'static str,
    kind: Kind,
    words: &'static [&'static str],
    before: World,
    /// The log that the store has, or should have.
    whole: Vec<u8>,
    /// Damaged files, with their damaged bytes.
    spoilt: Vec<Vec<u8>>,
    took: Duration,
    /// Named places, as `NAME:N`.
    passed: Vec<String>,
}

impl Job {
    fn new(
        name: &'static str,
        kind: Kind,
        words: &'static [&'static str],
        before: World,
        whole: Vec<u8>,
    ) -> Job {
        let mut job = Job {
            name,
            kind,
            words,
            before,
            whole,
            spoilt: Vec::new(),
            took: Duration::ZERO,
            passed: Vec::new(),
        };
        let world = job.before.twin();
        let (trace, began) = (world.home().join("passed"), Instant::now());
        job.call(&world)
            .env("POPUG_FAILPOINT_TRACE", &trace)
            .expect(0, Any, Any);
        job.took = began.elapsed();
        job.passed = numbered(&std::fs::read_to_string(&trace).unwrap_or_default());
        job
    }

    /// A death at the first passing of each named place; none without the feature `failpoints`.
    fn first_passings(&self) -> Vec<Death> {
        let first = self.passed.iter().filter(|place| place.ends_with(":1"));
        first.cloned().map(Death::At).collect()
    }

    fn call<'w>(&self, world: &'w World) -> Call<'w> {
        let call = match self.kind {
            Kind::Backup { .. } | Kind::Prune => world.call("ada", self.words),
            Kind::Restore { .. } => world
                .anonymous(self.words)
                .env("POPUG_PASSWORD", NEW_PASSWORD),
            Kind::Repair => world.anonymous(self.words),
        };
        call.arg("-o").arg("json")
    }

    /// Checks what must hold after any kill.
    fn check(&self, world: &World) {
        match self.kind {
            Kind::Backup { .. } => self.check_restorable(world),
            Kind::Restore { .. } => drop(self.is_restored(world)),
            Kind::Repair => self.check_kept(world),
            Kind::Prune => self.check_newest(world),
        }
    }

    /// The newest backup is still whole.
    fn check_newest(&self, world: &World) {
        let newest = world.home().join("nights/new/log");
        assert!(bytes_in(&newest) == self.whole, "{}", self.name);
        let listed = world.rows("ada", &["backup", "list", "nights"]);
        assert!(!listed.is_empty(), "{}", self.name);
    }

    /// The former backup, if there was one, or the new one.
    fn check_restorable(&self, world: &World) {
        let tried = world.twin();
        let restore = tried.anonymous(&["restore", "backup", "-C", "new", "-o", "json"]);
        let output = restore.env("POPUG_PASSWORD", NEW_PASSWORD).run();
        let former = bytes_in_if_there(&self.before.home().join("backup/log"));
        if output.status == 0 {
            let restored = bytes_in(&tried.home().join("new/log"));
            assert!(
                restored == self.whole || restored == former,
                "{}: neither the former nor the new",
                self.name
            );
            tried
                .anonymous(&["verify", "-C", "new"])
                .expect(0, Has("sound"), Nothing);
        } else {
            let error = last_error(&output);
            assert!(
                former.is_empty() && error["code"] == "no_backup",
                "{}: {error}",
                self.name
            );
        }
    }

    /// Whether the new store is there; if so, it must be whole.
    fn is_restored(&self, world: &World) -> bool {
        let store = world.home().join("new");
        if !store.exists() {
            world
                .anonymous(&["verify", "-C", "new"])
                .expect(10, Nothing, Any);
            return false;
        }
        assert!(
            bytes_in(&store.join("log")) == self.whole && store.join("restored").exists(),
            "{}",
            self.name
        );
        world
            .anonymous(&["verify", "-C", "new"])
            .expect(0, Has("sound"), Nothing);
        let password = match self.kind {
            Kind::Restore { with_secrets: true } => crate::helpers::harness::PASSWORD,
            _ => NEW_PASSWORD,
        };
        let ada = world
            .anonymous(&["whoami", "-C", "new", "--as", "ada"])
            .env("POPUG_PASSWORD", password);
        ada.expect(0, Has("ada"), Nothing);
        true
    }

    /// Damaged bytes are still in the log, or were kept; the backup is unchanged.
    fn check_kept(&self, world: &World) {
        let mut found = files_below(&world.store().join("log"));
        for path in entries(&world.store())
            .iter()
            .filter(|path| name(path).starts_with("damaged-"))
        {
            found.extend(files_below(path));
        }
        for bytes in &self.spoilt {
            assert!(
                found.iter().any(|(_, kept)| kept == bytes),
                "{}: something replaced was not kept",
                self.name
            );
        }
        let backup = |world: &World| files_below(&world.home().join("backup"));
        assert!(
            backup(world) == backup(&self.before),
            "{}: the backup is another",
            self.name
        );
    }

    /// Repeats it and checks that everything is as if nothing had been killed.
    fn finish(&self, world: &World) {
        match self.kind {
            Kind::Backup { with_secrets } => {
                self.call(world).expect(0, Any, Nothing);
                self.check_backed_up(world, with_secrets);
            }
            Kind::Restore { .. } if self.is_restored(world) => {
                let before = files_below(&world.home().join("new"));
                let error = last_error(&self.call(world).expect(4, Nothing, Any));
                assert_eq!(error["code"], "store_exists", "{error}");
                assert!(before == files_below(&world.home().join("new")));
            }
            Kind::Restore { .. } => {
                self.call(world).expect(0, Any, Any);
                assert!(self.is_restored(world), "{}", self.name);
            }
            Kind::Repair => {
                self.call(world).expect(0, Any, Nothing);
                self.check_repaired(world);
            }
            Kind::Prune => {
                self.call(world).expect(0, Any, Any);
                let left = entries(&world.home().join("nights"));
                let left: Vec<_> = left.iter().map(|path| name(path)).collect();
                assert_eq!(left, ["new"], "{}", self.name);
                self.check_newest(world);
            }
        }
        if matches!(self.kind, Kind::Restore { .. }) {
            let left = entries(world.home())
                .into_iter()
                .find(|path| name(path).contains("restoring"));
            assert_eq!(left, None, "{}: an attempt is left", self.name);
        }
    }

    fn check_backed_up(&self, world: &World, with_secrets: bool) {
        let backup = world.home().join("backup");
        assert!(bytes_in(&backup.join("log")) == self.whole, "{}", self.name);
        self.check_restorable(world);
        let generations = if backup.join("auth").exists() {
            entries(&backup.join("auth")).len()
        } else {
            0
        };
        assert_eq!(
            generations,
            usize::from(with_secrets),
            "{}: secrets",
            self.name
        );
        let names: BTreeSet<_> = entries(&backup)
            .iter()
            .map(|path| name(path).to_owned())
            .collect();
        let expected = ["auth", "backup.lock", "log", "manifest.json"].map(str::to_owned);
        assert!(
            names.iter().all(|name| expected.contains(name)),
            "{}: {names:?}",
            self.name
        );
    }

    fn check_repaired(&self, world: &World) {
        self.check_kept(world);
        assert!(
            world.log_bytes() == self.whole,
            "{}: another log",
            self.name
        );
        let found = world
            .anonymous(&["verify", "-o", "json"])
            .expect(0, Any, Nothing)
            .json();
        assert!(
            found["sound"] == true && !found["notes"].to_string().contains("after the head"),
            "{found}"
        );
        world
            .anonymous(&["repair"])
            .expect(0, Has("nothing to repair"), Nothing);
        let reports: Vec<_> = entries(&world.store())
            .into_iter()
            .filter(|path| name(path).ends_with(".json"))
            .collect();
        assert!(!reports.is_empty(), "{}: no report", self.name);
        for path in reports {
            let report: Value =
                serde_json::from_slice(&std::fs::read(&path).expect("a report")).expect("JSON");
            let kept = world
                .home()
                .join(report["kept_in"].as_str().expect("a path"));
            assert!(kept.is_dir() && report["begun_at"].is_string(), "{report}");
        }
    }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let found = std::fs::read_dir(directory).expect("a directory");
    found.map(|entry| entry.expect("an entry").path()).collect()
}

fn name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .expect("a name")
}

fn bytes_in_if_there(log: &Path) -> Vec<u8> {
    if log.exists() {
        bytes_in(log)
    } else {
        Vec::new()
    }
}

/// Every file below a directory, if that is there.
fn files_below(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for path in if directory.exists() {
        entries(directory)
    } else {
        Vec::new()
    } {
        if path.is_dir() {
            found.extend(
                files_below(&path)
                    .into_iter()
                    .map(|(below, bytes)| (Path::new(name(&path)).join(below), bytes)),
            );
        } else {
            found.push((
                PathBuf::from(name(&path)),
                std::fs::read(&path).expect("a file"),
            ));
        }
    }
    found.sort();
    found
}

const BACK_UP: &[&str] = &["backup", "backup"];
const BACK_UP_ALL: &[&str] = &["backup", "backup", "--with-secrets"];
const PRUNE: &[&str] = &["backup", "prune", "nights", "--keep-daily=1", "--yes"];
const RESTORE: &[&str] = &["restore", "backup", "-C", "new"];
const REPAIR: &[&str] = &["repair", "--yes"];
const REPAIR_FROM: &[&str] = &["repair", "--yes", "--from", "backup"];

/// Every command in every situation that it handles.
fn jobs() -> Vec<Job> {
    let fresh = busy_world();
    let whole = fresh.log_bytes();
    let with_secrets = fresh.twin();
    with_secrets.does("ada", BACK_UP_ALL);
    let without = fresh.twin();
    without.does("ada", BACK_UP);
    let grown = with_secrets.twin();
    add_tasks(&grown, 3, "New");
    let newer = grown.log_bytes();
    let several = fresh.twin();
    several.does("ada", &["backup", "nights/old"]);
    add_tasks(&several, 1, "New");
    several.does("ada", &["backup", "nights/new"]);
    let pruned = several.log_bytes();
    let backup = |with_secrets| Kind::Backup { with_secrets };
    let restore = |with_secrets| Kind::Restore { with_secrets };
    let mut jobs = vec![
        Job::new(
            "the first backup",
            backup(true),
            BACK_UP_ALL,
            fresh,
            whole.clone(),
        ),
        Job::new(
            "the next backup",
            backup(true),
            BACK_UP_ALL,
            grown.twin(),
            newer.clone(),
        ),
        Job::new(
            "a backup without the secrets of the former",
            backup(false),
            BACK_UP,
            grown,
            newer,
        ),
        Job::new(
            "a restore with secrets",
            restore(true),
            RESTORE,
            with_secrets,
            whole.clone(),
        ),
        Job::new(
            "a restore with a new password",
            restore(false),
            RESTORE,
            without.twin(),
            whole.clone(),
        ),
    ];
    jobs.push(Job::new("a prune", Kind::Prune, PRUNE, several, pruned));
    jobs.extend(repairs(&without, &whole));
    jobs
}

type Spoil = fn(&World, &[PathBuf]);

fn repairs(sound: &World, whole: &[u8]) -> Vec<Job> {
    let spoilings: [(&'static str, &'static [&'static str], Spoil); 7] = [
        ("a torn tail", REPAIR, torn),
        ("a lost head", REPAIR, |world, _| {
            spoil_head(world, &[0, 4096])
        }),
        ("damage in many places", REPAIR_FROM, damaged),
        (
            "damage in many places and a lost head",
            REPAIR_FROM,
            |world, log| {
                spoil_head(world, &[0, 4096]);
                damaged(world, log);
            },
        ),
        (
            "a lost head, damage and a bad end",
            REPAIR_FROM,
            |world, log| {
                spoil_head(world, &[0, 4096]);
                damaged_twice(world, log);
            },
        ),
        (
            "a bad slot, damage and a bad end",
            REPAIR_FROM,
            |world, log| {
                spoil_head(world, &[0]);
                damaged_twice(world, log);
            },
        ),
        (
            "the other slot, damage and a bad end",
            REPAIR_FROM,
            |world, log| {
                spoil_head(world, &[4096]);
                damaged_twice(world, log);
            },
        ),
    ];
    let job = |(name, words, spoil): (&'static str, &'static [&'static str], Spoil)| {
        let world = sound.twin();
        spoil(&world, &log(&world));
        let sound: BTreeSet<Vec<u8>> = segments(&sound.store().join("log"))
            .iter()
            .map(read)
            .collect();
        let spoilt = log(&world)
            .iter()
            .map(read)
            .filter(|bytes| !sound.contains(bytes))
            .collect();
        let spoilt = if words == REPAIR { Vec::new() } else { spoilt };
        Job {
            spoilt,
            ..Job::new(name, Kind::Repair, words, world, whole.to_vec())
        }
    };
    spoilings.into_iter().map(job).collect()
}

fn read(path: &PathBuf) -> Vec<u8> {
    std::fs::read(path).expect("a file")
}
