//! Stores that are moved, replaced or linked elsewhere while a command runs: the command stays in
//! its store, and never writes a byte into another one.

mod long_lived;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::helpers::deadline::Child;
use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::{INIT, PASSWORD, World, copy};

const PATIENCE: Duration = Duration::from_secs(60);
const LATER: &str = "2026-03-20T08:00:00Z";
const HELD: &str = "/proc/self/fd";

/// A change of the name of a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Change {
    /// The store is moved away, and a restored one of the same company put in its place.
    Replaced,
    /// The name is a link, which leads to the other one from then on.
    Relinked,
    /// The store is moved away, and nothing takes its place.
    Gone,
}

/// A command that takes some time.
struct Long {
    words: &'static [&'static str],
    stdin: &'static str,
    world: fn() -> World,
    /// Whether it appends events.
    appends: bool,
    /// Whether it can be repeated after it was stopped.
    can_be_repeated: bool,
}

/// A company with five tasks of its first day, eighteen days later.
fn quiet() -> World {
    static TEMPLATE: OnceLock<World> = OnceLock::new();
    let template = TEMPLATE.get_or_init(|| {
        let mut world = World::new();
        for n in 0..5 {
            world.does("mara", &["task", "add", &format!("Task {n}")]);
        }
        world.at(LATER);
        std::fs::write(world.home().join("tasks.csv"), tasks(4_000)).expect("written");
        std::fs::write(world.home().join("activity.csv"), activity()).expect("written");
        world
    });
    let mut world = template.twin();
    world.at("2026-03-20T08:10:00Z");
    world
}

/// The same with many more tasks, which no consumer has read.
fn busy() -> World {
    static TEMPLATE: OnceLock<World> = OnceLock::new();
    let template = TEMPLATE.get_or_init(|| {
        let world = quiet();
        world.does("ada", &["import", "tasks", "tasks.csv"]);
        world
    });
    template.twin()
}

fn tasks(count: usize) -> String {
    (0..count).fold("key,title\n".to_owned(), |mut csv, n| {
        let _ = writeln!(csv, "J-{n},Imported task {n}");
        csv
    })
}

/// Ten days with tasks, each closed on the next morning.
fn activity() -> String {
    let mut csv = "at,action,key,title\n".to_owned();
    for day in 3..13 {
        let _ = writeln!(csv, "2026-03-{day:02}T02:00:00Z,close,,");
        for n in 0..100 {
            let _ = writeln!(
                csv,
                "2026-03-{day:02}T09:00:00Z,create,A-{day}-{n},Task of day {day}"
            );
        }
        let _ = writeln!(csv, "2026-03-{day:02}T10:00:00Z,complete,A-{day}-0,");
    }
    csv
}

/// Every file below a directory with its bytes.
fn snapshot(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(snapshot(&path));
            found.insert(path, Vec::new());
        } else {
            let bytes = std::fs::read(&path).expect("a file");
            found.insert(path, bytes);
        }
    }
    found
}

/// Whether the process has something of the directory open.
fn has_open(child: &Child, directory: &Path) -> bool {
    let Ok(open) = std::fs::read_dir(format!("/proc/{}/fd", child.id())) else {
        return false;
    };
    open.flatten()
        .any(|entry| std::fs::read_link(entry.path()).is_ok_and(|path| path.starts_with(directory)))
}

/// Two stores in a home, and a name that leads to the first.
struct Stores {
    world: World,
    name: PathBuf,
    first: PathBuf,
    second: PathBuf,
}

impl Stores {
    fn of(world: World, change: Change) -> Stores {
        let (first, second) = (world.store(), world.home().join("restored"));
        copy(&first, &second);
        let name = if change == Change::Relinked {
            world.home().join("current")
        } else {
            first.clone()
        };
        if change == Change::Relinked {
            std::os::unix::fs::symlink(&first, &name).expect("linked");
        }
        Stores {
            world,
            name,
            first,
            second,
        }
    }

    /// From now on the name leads elsewhere.
    fn change(&mut self, change: Change) {
        let old = self.world.home().join("the store.old");
        match change {
            Change::Relinked => {
                std::fs::remove_file(&self.name).expect("removed");
                std::os::unix::fs::symlink(&self.second, &self.name).expect("linked");
            }
            Change::Replaced | Change::Gone => {
                std::fs::rename(&self.first, &old).expect("moved");
                self.first = old;
            }
        }
        if change == Change::Replaced {
            std::fs::rename(&self.second, &self.name).expect("moved");
            self.second.clone_from(&self.name);
        }
    }

    /// Runs in the store that the name leads to now.
    fn does(&self, login: &str, words: &[&str]) {
        self.world
            .call(login, words)
            .env("POPUG_STORE", &self.name)
            .expect(0, Any, Any);
    }

    fn events_of(&self, store: &Path) -> usize {
        let stats = self
            .world
            .call("ada", &["log", "stats", "-o", "json"])
            .env("POPUG_STORE", store);
        stats.expect(0, Any, Any).json()["head_sequence"]
            .as_u64()
            .expect("a number") as usize
    }
}

/// Changes the name while the command runs. Returns whether the command was still running.
fn strikes(long: &Long, change: Change, pause: Duration) -> bool {
    let mut stores = Stores::of((long.world)(), change);
    let events_before = stores.events_of(&stores.first);
    let mut child = stores
        .world
        .call("ada", long.words)
        .env("POPUG_STORE", &stores.name)
        .talk();
    let _ = child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(long.stdin.as_bytes());
    let began = Instant::now();
    while !has_open(&child, &stores.first) && child.is_running() {
        assert!(began.elapsed() < PATIENCE, "{:?} opens nothing", long.words);
    }
    std::thread::sleep(pause);
    if !child.is_running() {
        return false;
    }
    child.signal("STOP");
    let is_open = has_open(&child, &stores.first);
    stores.change(change);
    if change != Change::Gone {
        (0..3).for_each(|n| stores.does("mara", &["task", "add", &format!("Acknowledged {n}")]));
        stores.does("ada", &["consume", "analytics"]);
    }
    let before = snapshot(&stores.second);
    child.signal("CONT");
    let output = child.output();
    let told = format!(
        "{:?} {change:?} {pause:?}\n{}",
        long.words,
        String::from_utf8_lossy(&output.stderr)
    );
    let after = snapshot(&stores.second);
    let differs = |path: &&PathBuf| before.get(*path) != after.get(*path);
    let changed: Vec<_> = before.keys().chain(after.keys()).filter(differs).collect();
    assert!(
        changed.is_empty(),
        "{changed:?} of another store were written by {told}"
    );
    assert!(
        change != Change::Gone || !stores.name.exists(),
        "something was made where the store was: {told}"
    );
    assert!(
        !told.contains(HELD) && !String::from_utf8_lossy(&output.stdout).contains(HELD),
        "{told}"
    );
    // DuckDB opens its files by name: if that leads elsewhere at that very moment, the command
    // stops and says so.
    let stops = ["error: cannot ", "was replaced while it was being opened"];
    assert!(
        output.status.success() || stops.iter().any(|stop| told.contains(stop)),
        "{told}"
    );
    let in_first = |words: &[&str], stdin: &str| {
        let call = stores
            .world
            .call("ada", words)
            .env("POPUG_STORE", &stores.first)
            .stdin(stdin);
        call.expect(0, Any, Any);
    };
    in_first(&["verify"], "");
    if !output.status.success() && long.can_be_repeated {
        in_first(long.words, long.stdin);
    }
    let has_appended = stores.events_of(&stores.first) > events_before;
    assert!(
        has_appended || !long.appends || !long.can_be_repeated,
        "what it has done is in the store that it was begun in: {told}"
    );
    is_open
}

const CHANGES: [Change; 3] = [Change::Replaced, Change::Relinked, Change::Gone];

fn assert_stays(long: &Long, pauses: &[u64]) {
    let mut struck = 0;
    for (n, pause) in pauses.iter().enumerate() {
        let change = CHANGES[n % CHANGES.len()];
        struck += usize::from(strikes(long, change, Duration::from_millis(*pause)));
    }
    assert!(struck > 0, "{:?} was always through", long.words);
}

#[test]
fn an_import_stays_in_the_store_that_it_was_begun_in() {
    let import = Long {
        words: &["import", "tasks", "tasks.csv"],
        stdin: "",
        world: quiet,
        appends: true,
        can_be_repeated: true,
    };
    assert_stays(&import, &[0, 0, 0, 60, 60, 60]);
    let import = Long {
        words: &["import", "activity", "activity.csv"],
        stdin: "",
        world: quiet,
        appends: true,
        can_be_repeated: true,
    };
    assert_stays(&import, &[0, 0, 0, 100, 300, 100]);
}

#[test]
fn a_simulation_stays_in_the_store_that_it_was_begun_in() {
    let words = &[
        "simulate",
        "--days",
        "5",
        "--popugs",
        "10",
        "--tasks-per-day",
        "50",
        "--seed",
        "1",
    ];
    assert_stays(
        &Long {
            words,
            stdin: "",
            world: quiet,
            appends: true,
            can_be_repeated: false,
        },
        &[0, 100, 300, 500, 700],
    );
}

#[test]
fn consumers_stay_in_the_store_that_they_were_begun_in() {
    let consume = Long {
        words: &["consume"],
        stdin: "",
        world: busy,
        appends: true,
        can_be_repeated: true,
    };
    assert_stays(&consume, &[0, 0, 0, 100, 200, 300]);
    let rebuild = Long {
        words: &["consume", "--rebuild"],
        stdin: "",
        world: busy,
        appends: true,
        can_be_repeated: true,
    };
    assert_stays(&rebuild, &[0, 0, 0, 100, 200, 300]);
}

#[test]
fn a_close_of_many_dates_stays_in_the_store_that_it_was_begun_in() {
    let close = Long {
        words: &["close"],
        stdin: "",
        world: quiet,
        appends: true,
        can_be_repeated: true,
    };
    assert_stays(&close, &[0, 0, 0, 50, 100, 150]);
}

#[test]
fn a_reading_command_stays_in_the_store_that_it_was_begun_in() {
    let backup = Long {
        words: &["backup", "copy"],
        stdin: "",
        world: busy,
        appends: false,
        can_be_repeated: true,
    };
    assert_stays(&backup, &[0, 0, 0]);
    let verify = Long {
        words: &["verify", "--deep"],
        stdin: "",
        world: busy,
        appends: false,
        can_be_repeated: true,
    };
    assert_stays(&verify, &[0, 50, 100]);
    let script = "import tasks tasks.csv\n";
    assert_stays(
        &Long {
            words: &["shell"],
            stdin: script,
            world: quiet,
            appends: true,
            can_be_repeated: true,
        },
        &[0, 0, 0],
    );
}
