//! Stores that are moved, replaced or linked elsewhere while a command runs: it goes on in the store that it was
//! begun in, and never writes a byte into another one.

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

/// What happens to the name of a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Change {
    /// The store is moved away, and a restored one of the same company put in its place.
    Replaced,
    /// The name is a link, which leads to the other one from then on.
    Relinked,
    /// The store is moved away, and nothing stands in its place.
    Gone,
}

/// A command that takes its time.
struct Long {
    words: &'static [&'static str],
    stdin: &'static str,
    world: fn() -> World,
    /// Whether it appends events.
    appends: bool,
    /// Whether it can be given once more after it was stopped.
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

/// Changes the name while the command runs; whether the command was not through by then.
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
    // DuckDB opens its files by name: where that leads elsewhere at that very moment, the command stops and says so.
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
fn what_reads_stays_in_the_store_that_it_was_begun_in() {
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

#[test]
fn a_shell_carries_no_line_out_in_another_store_than_the_one_that_it_was_begun_in() {
    for change in CHANGES {
        let mut stores = Stores::of(World::new(), change);
        let call = stores
            .world
            .call("ada", &["shell", "-o", "ndjson", "--keep-going"])
            .env("POPUG_STORE", &stores.name);
        let mut shell = call.talk();
        let mut to = shell.stdin.take().expect("a pipe");
        let mut answers = BufReader::new(shell.stdout.take().expect("a pipe")).lines();
        to.write_all(b"task add One\n").expect("written");
        answers.next().expect("an answer").expect("UTF-8");
        let began = Instant::now();
        while has_open(&shell, &stores.first) {
            assert!(began.elapsed() < PATIENCE, "it lets go");
        }
        stores.change(change);
        let before = snapshot(&stores.second);
        to.write_all(b"task add Two\nconsume\n").expect("written");
        drop(to);
        let output = shell.output();
        let told = String::from_utf8(output.stderr).expect("UTF-8");
        let (code, exit) = if change == Change::Gone {
            ("no_store", 10)
        } else {
            ("store_replaced", 4)
        };
        assert_eq!(
            told.matches(&format!("\"code\":\"{code}\"")).count(),
            2,
            "{told}"
        );
        assert_eq!(output.status.code(), Some(exit));
        assert_eq!(snapshot(&stores.second), before, "{change:?}");
    }
}

#[test]
fn whoever_follows_follows_the_store_that_he_began_with() {
    for change in CHANGES {
        let mut stores = Stores::of(World::new(), change);
        let follow = |words: &[&str]| {
            stores
                .world
                .call("ada", words)
                .env("POPUG_STORE", &stores.name)
                .talk()
        };
        let mut tail = follow(&["log", "tail", "-f", "-n", "1", "-o", "ndjson"]);
        let consume = follow(&["consume", "--follow"]);
        let mut lines = BufReader::new(tail.stdout.take().expect("a pipe")).lines();
        let mut next = || lines.next().expect("a line").expect("UTF-8");
        next();
        let began = Instant::now();
        // Made by the last consumer. From then on it only looks whether there is more, twice a second.
        while !stores.first.join("notifier.sqlite").exists() {
            assert!(began.elapsed() < PATIENCE, "nothing is consumed");
        }
        std::thread::sleep(Duration::from_millis(200));
        let events_before = stores.events_of(&stores.first);
        stores.change(change);
        if change != Change::Gone {
            stores.does("mara", &["task", "add", "Of the other store"]);
        }
        let before = snapshot(&stores.second);
        let add = ["task", "add", "Of the first store"];
        stores
            .world
            .call("mara", &add)
            .env("POPUG_STORE", &stores.first)
            .expect(0, Any, Nothing);
        let created = next();
        assert!(created.contains("Of the first store"), "{created}");
        let began = Instant::now();
        // The fee is what the consumer appends.
        while stores.events_of(&stores.first) < events_before + 3 {
            assert!(began.elapsed() < PATIENCE, "nothing is consumed");
        }
        for child in [&tail, &consume] {
            child.signal("TERM");
        }
        // The signal ends whoever only looks.
        for (child, code) in [(tail, None), (consume, Some(143))] {
            let output = child.output();
            assert_eq!(
                output.status.code(),
                code,
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        assert_eq!(snapshot(&stores.second), before, "{change:?}");
    }
}

#[test]
fn a_backup_goes_whole_into_the_directory_that_it_was_begun_in() {
    let world = busy();
    let (link, one, two) = (
        world.home().join("link"),
        world.home().join("one"),
        world.home().join("two"),
    );
    for directory in [&one, &two] {
        std::fs::create_dir(directory).expect("a directory");
    }
    std::os::unix::fs::symlink(&one, &link).expect("linked");
    let child = world.call("ada", &["backup", "link"]).spawn();
    let began = Instant::now();
    while !has_open(&child, &one) && child.is_running() {
        assert!(began.elapsed() < PATIENCE);
    }
    child.signal("STOP");
    std::fs::remove_file(&link).expect("removed");
    std::os::unix::fs::symlink(&two, &link).expect("linked");
    child.signal("CONT");
    let output = child.output();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(one.join("manifest.json").exists());
    assert_eq!(std::fs::read_dir(&two).expect("a directory").count(), 0);
    world
        .anonymous(&["restore", "one", "-C", "new", "--password-stdin"])
        .stdin("a long enough password")
        .expect(0, Any, Has("restored"));
}

#[test]
fn where_proc_is_missing_a_store_is_not_opened_and_nothing_is_done_by_name() {
    const SCRIPT: &str = r#"mount -t tmpfs none /proc && exec "$@""#;
    let inside = [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        SCRIPT,
        "sh",
    ];
    let world = World::new();
    let before = snapshot(world.home());
    let wanted = "the directory cannot be held, as /proc/self/fd does not lead to it: mount /proc";
    let init = [&INIT[..], &["--password-stdin", "-C", "new"]].concat();
    for words in [
        &["task", "add", "One"][..],
        &["consume"],
        &["verify"],
        &init,
    ] {
        let call = world.call("ada", words).stdin(PASSWORD).through(&inside);
        call.expect(1, Nothing, Has(wanted));
    }
    assert_eq!(snapshot(world.home()), before);
}
