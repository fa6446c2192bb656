//! Many processes on one store: no event is lost or duplicated, and a process that waits in vain is
//! told who holds the lock.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::helpers::chain;
use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::World;
use crate::helpers::played::played;
use crate::helpers::stores::open;
use crate::model::books::Books;

const PROCESSES: usize = 8;
const TASKS_EACH: usize = 5;

fn in_parallel<T: Send>(work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let work = &work;
        let started: Vec<_> = (0..PROCESSES)
            .map(|place| scope.spawn(move || work(place)))
            .collect();
        started
            .into_iter()
            .map(|thread| thread.join().expect("it went well"))
            .collect()
    })
}

#[test]
fn eight_processes_lose_nothing_and_double_nothing() {
    let world = World::new();
    let numbers = in_parallel(|place| {
        let add = |n| world.json("mara", &["task", "add", &format!("Task {place}.{n}")]);
        (0..TASKS_EACH)
            .map(|n| add(n)["number"].as_u64().expect("a number"))
            .collect::<Vec<_>>()
    });
    let numbers: BTreeSet<u64> = numbers.into_iter().flatten().collect();
    let all: Vec<u64> = (1..=(PROCESSES * TASKS_EACH) as u64).collect();
    assert_eq!(numbers.into_iter().collect::<Vec<_>>(), all);
    chain::check(&world.log_lines());

    in_parallel(|place| {
        for number in all.iter().skip(place).step_by(PROCESSES) {
            complete(&world, *number);
        }
        if place % 3 == 0 {
            world.does("mara", &["task", "reshuffle"]);
        }
    });
    chain::check(&world.log_lines());
    world.does("ada", &["consume"]);
    let books = Books::of_log(&world.events());
    assert_eq!(books.tasks.len(), all.len());
    assert!(books.tasks.iter().all(|task| task.completion.is_some()));
    assert!(world.rows("mara", &["task", "list"]).is_empty());
}

/// The assignee completes the task, unless it is assigned to another user meanwhile.
fn complete(world: &World, number: u64) {
    let number = number.to_string();
    loop {
        let assignee = world.json("mara", &["task", "show", &number])["assignee"]
            .as_str()
            .expect("a login")
            .to_owned();
        let mut child = world
            .call(&assignee, &["task", "complete", &number])
            .spawn();
        match child.wait().code() {
            Some(0) => return,
            Some(5) => {}
            other => panic!("task {number}: {other:?}"),
        }
    }
}

#[test]
fn one_key_in_eight_processes_is_one_task() {
    let world = World::new();
    let answers =
        in_parallel(|_| world.json("mara", &["task", "add", "Once", "--key", "the same"]));
    assert_eq!(
        answers
            .iter()
            .filter(|answer| answer["replayed"] == false)
            .count(),
        1
    );
    assert!(
        answers
            .iter()
            .all(|answer| answer["task_id"] == answers[0]["task_id"])
    );
    assert_eq!(world.rows("mara", &["task", "list"]).len(), 1);
}

#[test]
fn consume_ends_though_others_write_all_the_time() {
    let world = World::new();
    let consumed = AtomicBool::new(false);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for place in 0..4 {
            let (world, consumed) = (&world, &consumed);
            scope.spawn(move || {
                for n in 0.. {
                    if consumed.load(Ordering::Relaxed) || began.elapsed() > Duration::from_secs(60)
                    {
                        return;
                    }
                    world.does("mara", &["task", "add", &format!("Task {place}.{n}")]);
                }
            });
        }
        world.does("ada", &["consume"]);
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "it waited for the others to end"
        );
        consumed.store(true, Ordering::Relaxed);
    });
    world.does("ada", &["consume"]);
    world
        .anonymous(&["verify", "--deep"])
        .expect(0, Has("sound"), Any);
}

fn outdate(path: &Path) {
    let db = open(path);
    db.execute("UPDATE checkpoint SET code_version = 1 - code_version", [])
        .expect("written");
}

fn garble_what_is_written_ahead(path: &Path) {
    std::fs::write(path.with_extension("sqlite-wal"), b"garbage ".repeat(5_000)).expect("written");
}

const ROUNDS: usize = 6;

#[test]
fn an_index_that_is_lost_to_eight_processes_at_once_fails_none_and_every_key_is_carried_out_once() {
    for lose in [outdate, garble_what_is_written_ahead] {
        let world = World::new();
        for round in 0..ROUNDS {
            lose(&world.store().join("state.sqlite"));
            let answers = in_parallel(|place| {
                let key = format!("{round}.{}", place % 4);
                let words = ["task", "add", &key, "--key", &key, "-o", "json"];
                world.call("mara", &words).expect(0, Any, Any).json()["replayed"] == false
            });
            assert_eq!(answers.into_iter().filter(|is_first| *is_first).count(), 4);
        }
        let titles = world
            .rows("mara", &["task", "list"])
            .into_iter()
            .map(|task| task["title"].to_string());
        let titles: Vec<String> = titles.collect();
        assert_eq!(titles.len(), 4 * ROUNDS);
        assert_eq!(titles.iter().collect::<BTreeSet<_>>().len(), titles.len());
        world
            .anonymous(&["verify", "--deep"])
            .expect(0, Has("sound"), Nothing);
    }
}

#[test]
fn tables_of_the_notifier_that_are_lost_to_eight_processes_at_once_fail_none() {
    let world = played();
    world.does("ada", &["consume"]);
    let mails = world.rows("ada", &["mail", "list"]);
    assert!(!mails.is_empty());
    for lose in [outdate, garble_what_is_written_ahead]
        .into_iter()
        .cycle()
        .take(ROUNDS)
    {
        lose(&world.store().join("notifier.sqlite"));
        let listed = in_parallel(|_| {
            let list = world
                .call("ada", &["mail", "list", "-o", "json"])
                .expect(0, Any, Any);
            list.json()["rows"].as_array().expect("rows").clone()
        });
        assert!(listed.iter().all(|listed| *listed == mails));
    }
    world
        .anonymous(&["verify", "--deep"])
        .expect(0, Has("sound"), Nothing);
}

#[test]
fn closes_at_once_pay_once() {
    let mut world = World::new();
    for n in 0..6 {
        let task = world.json("mara", &["task", "add", &format!("Paid {n}")]);
        let assignee = task["assignee"].as_str().expect("a login").to_owned();
        world.does(
            &assignee,
            &["task", "complete", &task["number"].to_string()],
        );
    }
    world.at("2026-03-05T08:00:00Z");
    let rows = in_parallel(|_| world.rows("cron", &["close"]).len());
    assert_eq!(
        rows.iter().sum::<usize>(),
        3,
        "each date is closed by one of them"
    );
    chain::check(&world.log_lines());
    let books = Books::of_log(&world.events());
    assert_eq!(books.closes.len(), 3);
    let payouts: Vec<_> = books
        .entries
        .iter()
        .filter(|entry| entry.kind == "payout")
        .map(|e| &e.user)
        .collect();
    assert_eq!(payouts.len(), payouts.iter().collect::<BTreeSet<_>>().len());
    assert!(!payouts.is_empty());
}

#[test]
fn reports_are_made_while_consumers_and_writers_run() {
    let world = World::new();
    world.does("ada", &["consume"]);
    in_parallel(|place| {
        for n in 0..3 {
            match place % 4 {
                0 => world
                    .call("mara", &["task", "add", &format!("Busy {place}.{n}")])
                    .expect(0, Any, Nothing),
                1 => world.call("ada", &["consume"]).expect(0, Any, Nothing),
                2 => {
                    let report =
                        world.call("axel", &["report", "trial-balance", "-q", "-o", "json"]);
                    let totals = report.expect(0, Any, Nothing).json()["totals"].clone();
                    assert_eq!(totals["debit"], totals["credit"]);
                    continue;
                }
                _ => world
                    .call("ada", &["report", "earnings", "-q"])
                    .expect(0, Any, Nothing),
            };
        }
    });
    world.does("ada", &["consume"]);
    chain::check(&world.log_lines());
    assert_eq!(Books::of_log(&world.events()).tasks.len(), 6);
}

#[test]
fn a_held_writer_lock_is_exit_11_and_names_the_holder() {
    let world = World::new();
    world.does("mara", &["task", "add", "Leaves its name in the lock"]);
    let lock = File::options()
        .read(true)
        .write(true)
        .open(world.store().join("log/head"))
        .expect("a head");
    lock.lock().expect("nobody holds it");
    let error = world.refused(
        "mara",
        &["task", "add", "x", "--lock-wait", "50ms"],
        11,
        "locked",
    );
    assert!(
        error["message"]
            .as_str()
            .expect("a message")
            .contains("popug-cli task add"),
        "{error}"
    );
    // Readers do not wait.
    world.does("mara", &["task", "list", "--lock-wait", "0s"]);
    drop(lock);
    world.does("mara", &["task", "add", "x"]);
}

#[test]
fn a_held_consumer_lock_is_exit_11_and_names_the_holder() {
    let world = World::new();
    world.does("mara", &["task", "add", "Consumed later"]);
    world.does("ada", &["consume"]);
    for consumer in ["accounting", "analytics", "notifier"] {
        let path = world.store().join(format!("{consumer}.lock"));
        let mut lock = File::options()
            .write(true)
            .truncate(true)
            .open(path)
            .expect("a lock file");
        lock.lock().expect("nobody holds it");
        lock.write_all(b"process 4711: popug-cli consume")
            .expect("written");
        let error = world.refused(
            "ada",
            &["consume", consumer, "--lock-wait", "50ms"],
            11,
            "locked",
        );
        assert!(
            error["message"]
                .as_str()
                .expect("a message")
                .contains("process 4711: popug-cli consume"),
            "{error}"
        );
        if consumer != "notifier" {
            // While new tables replace the live ones, no other process may have them open.
            let rebuild = ["consume", consumer, "--rebuild", "--lock-wait", "50ms"];
            world.refused("ada", &rebuild, 11, "locked");
        }
        if consumer == "accounting" {
            world.refused("cron", &["close", "--lock-wait", "50ms"], 11, "locked");
        }
        world
            .call("ada", &["report", "balances", "--lock-wait", "0s"])
            .expect(0, Has("ada"), Nothing);
    }
}

#[test]
fn a_process_that_waits_gets_its_turn() {
    let world = World::new();
    let lock = File::options()
        .read(true)
        .write(true)
        .open(world.store().join("log/head"))
        .expect("a head");
    lock.lock().expect("nobody holds it");
    let child = world
        .call("mara", &["task", "add", "Patient", "--lock-wait", "30s"])
        .spawn();
    std::thread::sleep(std::time::Duration::from_millis(100));
    drop(lock);
    let output = child.output();
    assert_eq!(output.status.code(), Some(0));
    let listed: Vec<Value> = world.rows("mara", &["task", "list"]);
    assert_eq!(listed.len(), 1);
}
