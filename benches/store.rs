//! What the consumers and commands take on a store of a given size, against their budgets.
//!
//! `cargo bench --profile release --bench store -- 1000000` makes a log of about so many task
//! events in a temporary directory, runs everything on it and prints a table.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::too_many_lines,
    clippy::unwrap_used,
    reason = "a benchmark reads the clock, starts programs and prints"
)]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use popug_cli::app::founding::Founding;
use popug_cli::app::{App, Environment, Opening};
use popug_cli::consumers::run::{consume_accounting, consume_analytics};
use popug_cli::consumers::table_file::rebuild;
use popug_cli::consumers::{WriterAccess, tracker};
use popug_cli::credentials::Password;
use popug_cli::domain::clock::Clock;
use popug_cli::domain::company::FoundCompany;
use popug_cli::domain::dice::Dice;
use popug_cli::domain::event::{
    Actor, AssignmentReason, Consumer, Event, Fact, TaskAssigned, TaskCompleted, TaskCreated,
    UserRegistered,
};
use popug_cli::domain::id::{EventId, Sequence, TaskId, UserId};
use popug_cli::domain::role::Role;
use popug_cli::domain::time::EventTime;
use popug_cli::event_log::file_log::SEGMENT_BYTES_MAX;
use popug_cli::event_log::{Batch, Patience};
use popug_cli::store::{StoreDirectory, Tables};
use popug_cli::turn::Notices;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use uuid::{Builder, Uuid};

const USERS: usize = 200;
const PASSWORD: &str = "a password of the benchmark";

struct Bench;

impl Clock for Bench {
    fn now(&self) -> EventTime {
        EventTime::new(jiff::Timestamp::now())
    }
}

struct Rolled(ChaCha12Rng);

impl Dice for Rolled {
    fn below(&mut self, bound: usize) -> usize {
        self.0.random_range(0..bound)
    }

    fn uuid_v7(&mut self, at: EventTime) -> Uuid {
        let mut random = [0; 10];
        self.0.fill_bytes(&mut random);
        Builder::from_unix_timestamp_millis(u64::try_from(at.micros() / 1000).unwrap_or(0), &random)
            .into_uuid()
    }
}

impl Environment for Bench {
    fn dice(&self, _: &str) -> Box<dyn Dice> {
        Box::new(Rolled(ChaCha12Rng::from_rng(&mut rand::rng())))
    }

    fn pinned_by(&self) -> Option<&'static str> {
        None
    }

    fn system_now(&self) -> EventTime {
        self.now()
    }
}

impl Notices for Bench {
    fn warn(&self, message: &str) {
        eprintln!("warning: {message}");
    }

    fn advanced(&self, _: Consumer, _: Sequence, _: Sequence) {}
}

fn main() {
    let asked = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let task_events: u64 = asked.unwrap_or(1_000_000);
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let large = scratch.path().join("large");
    let made = fill(&large, task_events);
    println!("{made} task events of {USERS} popugs\n");
    println!("{:<44} {:>14} {:>14}", "what", "measured", "budget");

    let app = open(&large);
    let around = app.around();
    // Commands keep the index at the head; what was written without them has to be followed first.
    tracker::consume(&around, false).expect("the index follows");
    let began = Instant::now();
    let consumed =
        consume_accounting(&around, &mut WriterAccess::PerBatch).expect("accounting runs");
    rate(
        "accounting, first run, task events",
        made,
        began.elapsed(),
        150_000,
    );
    let head = consumed.to.0;
    rate(
        "  of these appended by itself, events",
        consumed.appended,
        began.elapsed(),
        0,
    );

    let began = Instant::now();
    consume_analytics(&around).expect("analytics runs");
    rate(
        "analytics, first run, events",
        head,
        began.elapsed(),
        400_000,
    );
    for tables in [Tables::Accounting, Tables::Analytics] {
        let began = Instant::now();
        rebuild(&around, tables).expect("a rebuild runs");
        rate(
            &format!("rebuild of {}, events", tables.file_name()),
            head,
            began.elapsed(),
            400_000,
        );
    }
    let began = Instant::now();
    tracker::consume(&around, true).expect("the index is rebuilt");
    rate(
        "rebuild of the state index, events",
        head,
        began.elapsed(),
        200_000,
    );
    println!(
        "{:<44} {:>11} MiB {:>11} MiB",
        "peak memory of all this",
        peak_mebibytes(),
        600
    );

    let small = scratch.path().join("small");
    fill(&small, 1_000);
    consume_accounting(&open(&small).around(), &mut WriterAccess::PerBatch)
        .expect("accounting runs");
    let small_write = write_command(&small);
    let large_write = write_command(&large);
    duration(
        "one write command, 1,000 task events",
        small_write,
        Some(12),
    );
    duration(
        &format!("one write command, {made} task events"),
        large_write,
        Some(12),
    );
    println!(
        "{:<44} {:>14.2} {:>14}",
        "  ratio",
        large_write.as_secs_f64() / small_write.as_secs_f64(),
        1.2
    );
    duration(
        "report balances",
        command(&large, &["report", "balances"]),
        Some(100),
    );
    duration(
        "report earnings, all dates",
        command(&large, &["report", "earnings", "--from", "2020-01-01"]),
        Some(100),
    );
    duration(
        "report trial-balance",
        command(&large, &["report", "trial-balance"]),
        Some(100),
    );
    duration("--version", command(&large, &["--version"]), Some(8));

    let listing = scratch.path().join("entries.csv");
    let listing_words = [
        "report",
        "entries",
        "--out",
        listing.to_str().expect("a UTF-8 path"),
    ];
    let took = command(&large, &listing_words);
    let rows = std::fs::read_to_string(&listing)
        .expect("the listing")
        .lines()
        .count() as u64
        - 1;
    rate("report entries, all rows to CSV, rows", rows, took, 300_000);
    let (rows, took) = import(scratch.path());
    rate(
        "import activity without close rows, rows",
        rows,
        took,
        30_000,
    );
    let verified = command(&large, &["verify"]);
    let hashed = sha256sum(&large.join("log"));
    duration("verify", verified, None);
    duration("sha256sum of the same bytes", hashed, None);
    println!(
        "{:<44} {:>14.2} {:>14}",
        "  ratio",
        verified.as_secs_f64() / hashed.as_secs_f64(),
        0.6
    );
}

/// Imports a made-up history into a new store, as a process of its own.
fn import(scratch: &Path) -> (u64, Duration) {
    const TASKS: u64 = 50_000;
    let store = scratch.join("imported");
    fill(&store, 0);
    let mut csv =
        String::from("at,action,key,actor,login,name,email,role,title,jira_id,description\n");
    for n in 0..TASKS {
        let at =
            EventTime::from_micros(1_768_000_000_000_000 + n as i64 * 60_000_000).expect("a time");
        csv.push_str(&format!(
            "{at},create,K{n},,,,,,\"Проверить, что клетка {n} закрыта\",,\n"
        ));
        csv.push_str(&format!("{at},complete,K{n},,,,,,,,\n"));
    }
    let file = scratch.join("activity.csv");
    std::fs::write(&file, csv).expect("the CSV is written");
    let token = token(&store);
    let words = ["import", "activity", file.to_str().expect("a UTF-8 path")];
    let began = Instant::now();
    run(&store, &words, &[("POPUG_TOKEN", &token)]);
    (2 * TASKS, began.elapsed())
}

fn sha256sum(log: &Path) -> Duration {
    median(5, || {
        let script = format!("sha256sum {}/*.ndjson", log.display());
        let output = Command::new("sh")
            .args(["-c", &script])
            .output()
            .expect("sha256sum runs");
        assert!(output.status.success());
    })
}

fn rate(what: &str, events: u64, took: Duration, budget: u64) {
    let per_second = events as f64 / took.as_secs_f64();
    let budget = if budget == 0 {
        String::new()
    } else {
        format!("{budget}/s")
    };
    println!("{what:<44} {:>12.0}/s {budget:>14}", per_second);
}

fn duration(what: &str, took: Duration, budget_millis: Option<u64>) {
    let budget = budget_millis.map_or_else(String::new, |millis| format!("{millis} ms"));
    println!(
        "{what:<44} {:>11.2} ms {budget:>14}",
        took.as_secs_f64() * 1000.0
    );
}

fn peak_mebibytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kibibytes.unwrap_or(0) / 1024
}

fn open(root: &Path) -> App<'static> {
    App::open(Opening {
        directory: StoreDirectory::new(root),
        environment: &Bench,
        notices: &Bench,
        lock_wait: Duration::from_secs(10),
        holder: "benchmark".into(),
        segment_bytes_max: SEGMENT_BYTES_MAX,
    })
    .expect("the store opens")
}

/// Founds a company long ago and writes tasks that are created, reshuffled and completed over a
/// hundred days.
fn fill(root: &Path, task_events: u64) -> u64 {
    let founded_at: EventTime = "2026-01-05T06:00:00Z".parse().expect("a time");
    let founding = Founding {
        company: FoundCompany {
            name: "Benchmark".into(),
            time_zone: "Europe/Moscow".into(),
            currency: "EUR".into(),
            admin_login: "root".into(),
            admin_name: "Root".into(),
            admin_email: "root@popug.example".into(),
            test_clock: false,
        },
        admin_password: Password::new(PASSWORD),
        founded_at: Some(founded_at),
    };
    let patience = Patience {
        wait: Duration::from_secs(10),
        holder: "benchmark".into(),
    };
    founding
        .carry_out(&StoreDirectory::new(root), &Bench, &patience)
        .expect("the company is founded");
    let app = open(root);
    let mut script = Script {
        dice: Rolled(ChaCha12Rng::seed_from_u64(1)),
        users: Vec::new(),
        now: founded_at,
    };
    let mut writer = app.log.writer(&patience).expect("the log opens");
    let mut append = |batches: Vec<Batch>| {
        let head = *writer.head();
        writer
            .append_group(&head, &batches)
            .expect("a group is appended");
    };
    append(script.people());
    let step = 100 * 86_400 * 1_000_000 / (task_events / 3).max(1);
    let mut made = 0;
    let mut number = 0;
    while made < task_events {
        let mut group = Vec::new();
        for _ in 0..2_000.min(task_events / 3 + 1) {
            number += 1;
            script.now = EventTime::from_micros(script.now.micros() + step as i64).expect("a time");
            let batches = script.task(number);
            made += batches
                .iter()
                .map(|batch| batch.facts.len() as u64)
                .sum::<u64>();
            group.extend(batches);
        }
        append(group);
    }
    made
}

struct Script {
    dice: Rolled,
    users: Vec<UserId>,
    now: EventTime,
}

impl Script {
    fn people(&mut self) -> Vec<Batch> {
        let register = |script: &mut Script, n: usize| {
            let user_id = UserId::from_uuid(script.dice.uuid_v7(script.now));
            script.users.push(user_id);
            let (login, full_name) = (format!("popug{n}"), format!("Попуг {n}"));
            let email = format!("{login}@popug.example");
            script.batch(
                user_id,
                vec![
                    UserRegistered {
                        user_id,
                        login,
                        full_name,
                        email,
                        role: Role::Developer,
                    }
                    .into(),
                ],
            )
        };
        (0..USERS).map(|n| register(self, n)).collect()
    }

    fn batch(&mut self, actor: UserId, events: Vec<Event>) -> Batch {
        let mut fact = |event| Fact {
            id: EventId::from_uuid(self.dice.uuid_v7(self.now)),
            causation: None,
            event,
        };
        let facts = events.into_iter().map(&mut fact).collect();
        let command_id = self.dice.uuid_v7(self.now).to_string();
        Batch {
            time: self.now,
            actor: Actor::User(actor),
            command_id,
            command_hash: None,
            facts,
        }
    }

    /// A task that is created and, mostly, completed by whoever got it.
    fn task(&mut self, number: u64) -> Vec<Batch> {
        let assignee_id = self.users[self.dice.below(USERS)];
        let created_by = self.users[self.dice.below(USERS)];
        let task_id = TaskId::from_uuid(self.dice.uuid_v7(self.now));
        let title = format!("Починить отчёт о выплатах номер {number}");
        let jira_id = number.is_multiple_of(3).then(|| format!("UP-{number}"));
        let created = TaskCreated {
            task_id,
            number,
            title,
            jira_id,
            description: None,
            created_by,
        };
        let reason = AssignmentReason::Created;
        let assigned = TaskAssigned {
            task_id,
            assignee_id,
            previous_assignee_id: None,
            reason,
            assignment_no: 1,
        };
        let mut batches = vec![self.batch(created_by, vec![created.into(), assigned.into()])];
        if self.dice.below(10) > 0 {
            let completed = TaskCompleted {
                task_id,
                completed_by: assignee_id,
                assignment_no: 1,
            };
            batches.push(self.batch(assignee_id, vec![completed.into()]));
        }
        batches
    }
}

/// The median of several runs of `task add`, each a process of its own.
fn write_command(store: &Path) -> Duration {
    let token = token(store);
    median(21, || {
        run(
            store,
            &["task", "add", "Ещё одна"],
            &[("POPUG_TOKEN", &token)],
        );
    })
}

fn command(store: &Path, words: &[&str]) -> Duration {
    let token = token(store);
    median(15, || {
        run(store, words, &[("POPUG_TOKEN", &token)]);
    })
}

fn token(store: &Path) -> String {
    let words = ["token", "issue", "root", "--as", "root"];
    run(store, &words, &[("POPUG_PASSWORD", PASSWORD)])
        .trim()
        .to_owned()
}

fn run(store: &Path, words: &[&str], variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_popug-cli"));
    command
        .args(words)
        .env("POPUG_STORE", store)
        .envs(variables.iter().copied());
    let output = command.output().expect("popug-cli starts");
    assert!(
        output.status.success(),
        "{words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("output is UTF-8")
}

fn median(runs: usize, mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..runs)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[runs / 2]
}
