//! A small piece of a company's life, invented while it is played: later steps depend on the draws
//! of the store. Once played it can be played again, word by word.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use serde_json::Value;

use crate::helpers::harness::Text::{Any, Nothing};
use crate::helpers::harness::{Call, FOUNDED, World};

/// Small, so that new segments are begun often.
const SEGMENT_BYTES: &str = "9000";

/// A command that was carried out.
pub struct Step {
    pub now: String,
    pub login: String,
    pub words: Vec<String>,
    /// The answer of the command.
    pub stdout: String,
    pub took: Duration,
    /// The size of the log after the command.
    pub log_bytes: usize,
    /// The named places that it passed, as `NAME:N`; none without the feature `failpoints`.
    pub passed: Vec<String>,
}

impl Step {
    pub fn call<'w>(&self, world: &'w World) -> Call<'w> {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        world
            .call(&self.login, &words)
            .env("POPUG_NOW", &self.now)
            .env("POPUG_SEGMENT_BYTES", SEGMENT_BYTES)
    }

    pub fn has_key(&self) -> bool {
        self.words.iter().any(|word| word == "--key")
    }
}

pub struct Play<'d> {
    pub world: World,
    pub steps: Vec<Step>,
    rng: ChaCha20Rng,
    now: Timestamp,
    /// The directory of files to import.
    desk: &'d Path,
}

impl<'d> Play<'d> {
    pub fn begin(world: World, desk: &'d Path, seed: u64) -> Play<'d> {
        let now: Timestamp = FOUNDED.parse().expect("a time");
        Play {
            world,
            steps: Vec::new(),
            rng: ChaCha20Rng::seed_from_u64(seed),
            now,
            desk,
        }
    }

    /// Some commands, then a `consume`.
    pub fn go_on(&mut self, commands: usize) {
        for _ in 0..commands {
            self.wait(1, 90);
            self.step();
        }
        self.perform("ada", &["consume"]);
    }

    /// Two working days with every kind of command about tasks and money, and their closes.
    pub fn two_days(&mut self) {
        for day in 0..2 {
            for _ in 0..3 {
                self.wait(1, 60);
                self.write("mara", &["task", "add", "Clean the cage, чисто"]);
                self.complete();
            }
            self.perform("ada", &["consume"]);
            self.write("mara", &["task", "reshuffle"]);
            self.complete();
            self.correct();
            match day {
                0 => self.perform("ada", &["consume", "accounting", "--rebuild"]),
                _ => self.import_tasks(),
            }
            self.wait(1_440, 1_500);
            self.perform("cron", &["close"]);
            self.perform("cron", &["consume"]);
        }
    }

    fn wait(&mut self, least: i64, most: i64) {
        self.now += SignedDuration::from_mins(self.rng.random_range(least..=most));
    }

    fn step(&mut self) {
        match self.rng.random_range(0..100) {
            0..24 => self.write("mara", &["task", "add", "Clean the cage, чисто"]),
            24..42 => self.complete(),
            42..48 => self.write("mara", &["task", "reshuffle"]),
            48..52 => self.register(),
            52..56 => self.correct(),
            56..68 => self.perform("ada", &["consume"]),
            68..80 => {
                self.wait(1_440, 2_000);
                self.perform("cron", &["close"]);
            }
            80..84 => self.perform("ada", &["consume", "accounting", "--rebuild"]),
            84..87 => self.perform("ada", &["consume", "analytics", "--rebuild"]),
            87..89 => self.perform("ada", &["consume", "tracker", "notifier", "--rebuild"]),
            89..92 => self.import_tasks(),
            _ => self.import_activity(),
        }
    }

    /// Carries out a command that must succeed.
    fn perform(&mut self, login: &str, words: &[&str]) {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        let (now, login) = (self.now.to_string(), login.to_owned());
        let (stdout, took, passed) = (String::new(), Duration::ZERO, Vec::new());
        let mut step = Step {
            now,
            login,
            words,
            stdout,
            took,
            log_bytes: 0,
            passed,
        };
        let trace = self.desk.join("passed");
        let began = Instant::now();
        step.stdout = step
            .call(&self.world)
            .env("POPUG_FAILPOINT_TRACE", &trace)
            .expect(0, Any, Nothing)
            .stdout;
        step.took = began.elapsed();
        step.log_bytes = self.world.log_bytes().len();
        step.passed = numbered(&std::fs::read_to_string(&trace).unwrap_or_default());
        let _ = std::fs::remove_file(&trace);
        self.steps.push(step);
    }

    fn write(&mut self, login: &str, words: &[&str]) {
        let key = format!("play/{}", self.steps.len());
        self.perform(login, &[words, &["--key", &key, "-o", "json"]].concat());
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.rng.random_range(0..from.len())].clone())
    }

    fn complete(&mut self) {
        let open = open_tasks(&self.world.events());
        match self.pick(&open) {
            Some((number, holder)) => self.write(&holder, &["task", "complete", &number]),
            None => self.write("dan", &["task", "add", "Nothing was open"]),
        }
    }

    fn register(&mut self) {
        let login = format!("p{}", self.rng.next_u32());
        let email = format!("{login}@popug.example");
        let words = [
            "user", "register", "--login", &login, "--name", "New", "--email", &email, "--role",
            "worker",
        ];
        self.write("ada", &words);
    }

    fn correct(&mut self) {
        let entries = uncorrected_entries(&self.world.events());
        match self.pick(&entries) {
            Some(entry) => self.write("axel", &["account", "correct", &entry, "--reason", "slip"]),
            None => self.write("mara", &["task", "add", "Nothing was posted"]),
        }
    }

    fn import(&mut self, kind: &str, text: &str) {
        let file = self
            .desk
            .join(format!("{kind}-{}.csv", self.rng.next_u64()));
        std::fs::write(&file, text).expect("written");
        let file = file.to_str().expect("UTF-8").to_owned();
        self.perform("ada", &["import", kind, &file]);
    }

    fn import_tasks(&mut self) {
        let mark = self.rng.next_u32();
        let rows =
            (0..self.rng.random_range(1..6)).map(|n| format!("{mark}-{n},Imported,UP-{n},\n"));
        let text = rows.fold("key,title,jira_id,description\n".to_owned(), |text, row| {
            text + &row
        });
        self.import("tasks", &text);
    }

    /// Two days of another tracker, with closes in between.
    fn import_activity(&mut self) {
        let mark = self.rng.next_u32();
        let mut text = "at,action,key,actor,title\n".to_owned();
        for n in 0..6 {
            self.wait(60, 900);
            let at = self.now;
            text += &match self.rng.random_range(0..4) {
                0 => format!("{at},close,,,\n"),
                1 => format!("{at},reshuffle,,mara,\n"),
                _ => format!("{at},create,{mark}-{n},mara,Replayed\n{at},complete,{mark}-{n},,\n"),
            };
        }
        self.import("activity", &text);
    }
}

/// Each line with the number of its earlier occurrences.
pub fn numbered(lines: &str) -> Vec<String> {
    let mut counts = BTreeMap::new();
    let number = |line: &str| {
        let count: &mut u64 = counts.entry(line.to_owned()).or_default();
        *count += 1;
        format!("{line}:{count}")
    };
    lines.lines().map(number).collect()
}

/// Number and assignee.
fn open_tasks(events: &[Value]) -> Vec<(String, String)> {
    let text = |event: &Value, name: &str| event["data"][name].as_str().expect("a text").to_owned();
    let mut logins = BTreeMap::new();
    let mut open: Vec<(String, String, String)> = Vec::new();
    for event in events {
        match event["type"].as_str().expect("a type") {
            "user.registered.v1" => {
                drop(logins.insert(text(event, "user_id"), text(event, "login")))
            }
            "task.created.v2" => {
                open.push((
                    text(event, "task_id"),
                    event["data"]["number"].to_string(),
                    String::new(),
                ));
            }
            "task.assigned.v2" => {
                let task = text(event, "task_id");
                let holder = text(event, "assignee_id");
                open.iter_mut()
                    .filter(|(id, ..)| *id == task)
                    .for_each(|(.., held)| held.clone_from(&holder));
            }
            "task.completed.v1" => open.retain(|(id, ..)| *id != text(event, "task_id")),
            _ => {}
        }
    }
    // Users who were registered during the play have no token.
    let named = open
        .into_iter()
        .map(|(_, number, holder)| (number, logins[&holder].clone()));
    named
        .filter(|(_, login)| {
            ["ada", "mara", "axel", "dora", "dan", "walt"].contains(&login.as_str())
        })
        .collect()
}

fn uncorrected_entries(events: &[Value]) -> Vec<String> {
    let entries = || {
        events
            .iter()
            .filter(|event| event["type"] == "balance.changed.v1")
            .map(|event| &event["data"])
    };
    let corrected: Vec<_> = entries()
        .filter_map(|entry| entry["corrects"].as_str())
        .collect();
    // Nobody corrects their own account.
    let axel = events
        .iter()
        .find(|event| event["data"]["login"] == "axel")
        .expect("axel is registered");
    let others = entries().filter(|entry| entry["user_id"] != axel["data"]["user_id"]);
    let open = others.filter(|entry| ["fee", "reward"].iter().any(|kind| entry["kind"] == *kind));
    let ids = open.map(|entry| entry["entry_id"].as_str().expect("an id"));
    ids.filter(|id| !corrected.contains(id))
        .map(str::to_owned)
        .collect()
}

/// The answer of a repeated command differs from the first answer in one word.
pub fn assert_same_answer(step: &Step, stdout: &str) {
    if !step.has_key() {
        return;
    }
    let read = |text: &str| {
        let mut answer: Value =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        answer["replayed"] = Value::Null;
        answer
    };
    assert_eq!(read(stdout), read(&step.stdout), "{:?}", step.words);
}

/// The final output for people and programs, by name.
pub fn outcome(world: &World, steps: &[Step]) -> BTreeMap<String, Vec<u8>> {
    let last = steps.last().expect("it ends with consuming");
    let target = world.home().join("export");
    let export = world
        .call("ada", &["export", "--dir"])
        .env("POPUG_NOW", &last.now)
        .arg(&target);
    export.expect(0, Any, Any);
    let mut found = BTreeMap::new();
    for directory in [target, world.store().join("outbox")] {
        gather(world.home(), &directory, &mut found);
    }
    found
}

fn gather(home: &Path, directory: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            gather(home, &path, found);
        } else if path.extension().is_none_or(|extension| extension != "tmp") {
            let name = path
                .strip_prefix(home)
                .expect("inside")
                .display()
                .to_string();
            found.insert(name, std::fs::read(&path).expect("a file"));
        }
    }
}
