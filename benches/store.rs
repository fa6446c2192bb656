//! The time and memory that consumers and commands take on a store of a given size, beside other programs on the same
//! data.
//!
//! `cargo bench --profile release --bench store -- 1000000` makes a log of about so many events in a temporary
//! directory, runs everything on it and prints a table. With `--write` the table goes into docs/PERFORMANCE.md too.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::too_many_lines,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a benchmark reads the clock, starts programs and prints"
)]

mod made;
mod measured;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use popug_cli::consumers::run::{consume_accounting, consume_analytics};
use popug_cli::consumers::{WriterAccess, tracker};
use popug_cli::domain::time::EventTime;

use made::{fill, open};
use measured::{Results, Spent, is_installed, popug, spent, token};

/// Entries of the books that plain-text accounting reads too.
const BOOKS_TASK_EVENTS: u64 = 80_000;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let asked = words.iter().find_map(|word| word.parse().ok());
    let events: u64 = asked.unwrap_or(1_000_000);
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let mut results = Results::begin();

    let large = scratch.path().join("large");
    // Accounting appends four events for three of a task.
    let head = first_runs(&large, events * 3 / 7, &mut results);
    let token = token(&large);
    let run = |runs, words: &[&str]| spent(runs, || popug(&large, &token, words));
    let log = large.join("log");

    rebuilds(&large, head, &run, &mut results);
    short(scratch.path(), &large, &run, &mut results);
    listings(scratch.path(), &run, &mut results);
    verifications(&log, head, &run, &mut results);
    imports(scratch.path(), &mut results);
    books(scratch.path(), &mut results);
    if words.iter().any(|word| word == "--write") {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        results.write(&root.join("docs/PERFORMANCE.md"), head);
    }
}

/// Fills a store and runs the consumers for the first time. Returns the number of its events.
fn first_runs(large: &Path, task_events: u64, results: &mut Results) -> u64 {
    let made = fill(large, task_events);
    let app = open(large);
    let around = app.around();
    // Commands keep the index at the head; it has to follow events that were appended without them.
    tracker::consume(&around, false).expect("the index follows");
    let began = Instant::now();
    let consumed =
        consume_accounting(&around, &mut WriterAccess::PerBatch).expect("accounting runs");
    let took = elapsed(began);
    results.row(
        "accounting, first run",
        took,
        &format!("{} task events", took.per_second(made)),
        "",
        "150,000/s",
    );
    let began = Instant::now();
    consume_analytics(&around).expect("analytics runs");
    let took = elapsed(began);
    results.row(
        "analytics, first run",
        took,
        &format!("{} events", took.per_second(consumed.to.0)),
        "",
        "400,000/s",
    );
    consumed.to.0
}

fn elapsed(began: Instant) -> Spent {
    Spent {
        took: began.elapsed(),
        mebibytes: 0,
    }
}

type Run<'a> = &'a dyn Fn(usize, &[&str]) -> Spent;

fn rebuilds(large: &Path, head: u64, run: Run<'_>, results: &mut Results) {
    let read_json = read_json(&large.join("log"));
    if read_json.is_none() {
        results.left_out("DuckDB's module for Python");
    }
    let peer = read_json.map(|peer| ("`read_json`", peer));
    for (consumer, peer, wanted) in [
        ("accounting", peer, "1.0 of `read_json`, 300 MiB"),
        ("analytics", peer, "400,000/s"),
        ("notifier", None, ""),
        ("tracker", None, "600,000/s"),
    ] {
        let took = run(1, &["consume", consumer, "--rebuild"]);
        let what = format!("`consume {consumer} --rebuild`");
        results.row(
            &what,
            took,
            &format!("{} events", took.per_second(head)),
            &took.beside(peer),
            wanted,
        );
    }
}

/// The segments into a table with typed columns, on two threads.
fn read_json(log: &Path) -> Option<Spent> {
    const SCRIPT: &str = "import duckdb, sys
duckdb.connect(config={'threads': 2}).execute('''CREATE TABLE t AS SELECT * FROM read_json(?,
format='newline_delimited', columns={id: 'UUID', source: 'VARCHAR', type: 'VARCHAR', subject: 'VARCHAR',
time: 'TIMESTAMP', sequence: 'VARCHAR', data: 'JSON'})''', [sys.argv[1] + '/*.ndjson'])";
    is_installed(&["python3", "-c", "import duckdb"]).then(|| {
        spent(1, || {
            let mut command = Command::new("python3");
            command.args(["-c", SCRIPT]).arg(log);
            command
        })
    })
}

/// Commands that take milliseconds.
fn short(scratch: &Path, large: &Path, run: Run<'_>, results: &mut Results) {
    let small = scratch.join("small");
    fill(&small, 1_000);
    consume_accounting(&open(&small).around(), &mut WriterAccess::PerBatch)
        .expect("accounting runs");
    let (one, other) = (token(&small), token(large));
    let add = ["task", "add", "One more"];
    let small = spent(21, || popug(&small, &one, &add));
    let many = spent(21, || popug(large, &other, &add));
    results.row(
        "`task add`",
        many,
        "",
        &many.beside(Some(("it on 1,000 task events", small))),
        "1.2",
    );
    match taskwarrior(scratch) {
        Some(peer) => results.row(
            "`task add`",
            many,
            "",
            &many.beside(Some(("Taskwarrior", peer))),
            "0.7",
        ),
        None => results.left_out("Taskwarrior"),
    }
    for (words, wanted) in [
        (&["-V"][..], "8 ms"),
        (&["status"], "20 ms"),
        (&["report", "balances"], "60 ms"),
        (&["report", "trial-balance"], "60 ms"),
        (
            &[
                "report",
                "earnings",
                "--from",
                "2020-01-01",
                "--period",
                "month",
            ],
            "60 ms",
        ),
    ] {
        results.row(
            &format!("`{}`", words.join(" ")),
            run(15, words),
            "",
            "",
            wanted,
        );
    }
}

/// Adds a task to a thousand.
fn taskwarrior(scratch: &Path) -> Option<Spent> {
    let task = || {
        let mut command = Command::new("task");
        command
            .env("TASKDATA", scratch.join("tasks"))
            .env("TASKRC", "/dev/null");
        command.args(["rc.confirmation=off", "rc.verbose=nothing"]);
        command
    };
    if !is_installed(&["task", "--version"]) {
        return None;
    }
    std::fs::create_dir(scratch.join("tasks")).expect("a directory");
    let tasks: Vec<_> = (0..1000)
        .map(|n| format!("{{\"description\":\"Mend fence {n}\"}}"))
        .collect();
    let file = scratch.join("tasks.json");
    std::fs::write(&file, format!("[{}]", tasks.join(","))).expect("the tasks are written");
    assert!(
        task()
            .arg("import")
            .arg(&file)
            .status()
            .expect("it starts")
            .success()
    );
    Some(spent(21, || {
        let mut command = task();
        command.args(["add", "One more"]);
        command
    }))
}

fn listings(scratch: &Path, run: Run<'_>, results: &mut Results) {
    let csv = scratch.join("entries.csv");
    let took = run(
        3,
        &[
            "report",
            "entries",
            "--out",
            csv.to_str().expect("a UTF-8 path"),
            "--force",
        ],
    );
    let rows = std::fs::read_to_string(&csv)
        .expect("the listing")
        .lines()
        .count() as u64
        - 1;
    std::fs::remove_file(&csv).expect("it is there");
    let measured = format!("{} rows", took.per_second(rows));
    results.row(
        "`report entries` to CSV",
        took,
        &measured,
        "",
        "600,000/s, 300 MiB",
    );
    let parquet = scratch.join("entries.parquet");
    let took = run(
        1,
        &[
            "report",
            "entries",
            "--out",
            parquet.to_str().expect("a UTF-8 path"),
        ],
    );
    let measured = format!("{} rows", took.per_second(rows));
    results.row(
        "`report entries` to Parquet",
        took,
        &measured,
        "",
        "600,000/s, 300 MiB",
    );
    results.row(
        "`report tasks -o json`",
        run(1, &["report", "tasks", "-o", "json"]),
        "",
        "",
        "300 MiB",
    );
    let journal = run(1, &["export", "journal", "--format", "hledger"]);
    results.row(
        "`export journal`",
        journal,
        &format!("{} rows", journal.per_second(rows)),
        "",
        "300 MiB",
    );
}

fn verifications(log: &Path, head: u64, run: Run<'_>, results: &mut Results) {
    let verify = run(3, &["verify"]);
    let measured = format!("{} events", verify.per_second(head));
    for (words, wanted) in [
        (&["sha256sum"][..], "0.35"),
        (&["openssl", "dgst", "-sha256"], ""),
    ] {
        if !is_installed(&[
            words[0],
            if words[0] == "openssl" {
                "version"
            } else {
                "--version"
            },
        ]) {
            results.left_out(words[0]);
            continue;
        }
        let script = format!("{} {}/*.ndjson", words.join(" "), log.display());
        let peer = spent(3, || {
            let mut command = Command::new("sh");
            command.args(["-c", &script]);
            command
        });
        let wanted = format!("{wanted}, 300 MiB");
        results.row(
            "`verify`",
            verify,
            &measured,
            &verify.beside(Some((words[0], peer))),
            wanted.trim_matches([',', ' ']),
        );
    }
    let deep = run(1, &["verify", "--deep"]);
    results.row(
        "`verify --deep`",
        deep,
        "",
        &deep.beside(Some(("`verify`", verify))),
        "4",
    );
}

/// Imports a made-up history into a new store.
fn imports(scratch: &Path, results: &mut Results) {
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
    let took = spent(1, || popug(&store, &token, &words));
    let measured = format!("{} rows", took.per_second(2 * TASKS));
    results.row(
        "`import activity` without close rows",
        took,
        &measured,
        "",
        "100,000/s, 300 MiB",
    );
}

/// A trial balance beside those of programs that read the same books as text.
fn books(scratch: &Path, results: &mut Results) {
    let store = scratch.join("books");
    fill(&store, BOOKS_TASK_EVENTS);
    consume_accounting(&open(&store).around(), &mut WriterAccess::PerBatch)
        .expect("accounting runs");
    let token = token(&store);
    let balance = spent(5, || popug(&store, &token, &["report", "trial-balance"]));
    let journal = scratch.join("books.journal");
    let file = journal.to_str().expect("a UTF-8 path");
    let words = ["export", "journal", "--format", "hledger", "--out", file];
    spent(1, || popug(&store, &token, &words));
    for program in ["hledger", "ledger"] {
        if !is_installed(&[program, "--version"]) {
            results.left_out(program);
            continue;
        }
        let peer = spent(1, || {
            let mut command = Command::new(program);
            command.arg("-f").arg(&journal).arg("balance");
            command
        });
        let times = peer.took.as_secs_f64() / balance.took.as_secs_f64();
        let peer = format!(
            "{times:.0} times as fast as {program} ({} MiB)",
            peer.mebibytes
        );
        results.row(
            "`report trial-balance` of the same books",
            balance,
            "",
            &peer,
            "100 times hledger",
        );
    }
}
