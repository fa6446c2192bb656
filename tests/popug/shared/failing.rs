//! A server that is gone, killed, frozen or rolled back, and machines that are killed.

use std::time::{Duration, Instant};

use super::{assert_alike, two_machines};
use crate::helpers::deadline;
use crate::helpers::harness::{FOUNDED, Text, World};
use crate::helpers::postgres::Server;
use crate::helpers::sources::root;

#[test]
fn without_the_server_machines_read_and_write_nothing() {
    let mut server = Server::start();
    let machines = two_machines(&server);
    let [first, second] = &machines;
    first.does("mara", &["task", "add", "Before"]);
    second.does("ada", &["consume", "accounting"]);
    server.kill();
    let listed = second.call("mara", &["task", "list"]).expect(
        0,
        Text::Has("Before"),
        Text::Has("was not reached (connection refused); this is as of event"),
    );
    assert!(
        listed.stderr.starts_with("warning: the log at 127.0.0.1:"),
        "{}",
        listed.stderr
    );
    let report = ["report", "balances"];
    second
        .call("ada", &report)
        .expect(0, Text::Has("dora"), Text::Any);
    for machine in &machines {
        let refused = machine.refused("mara", &["task", "add", "Lost"], 13, "unreachable");
        let told = refused["message"].as_str().expect("a text");
        assert!(
            told.ends_with("(connection refused); nothing was written"),
            "{told}"
        );
        machine.refused("axel", &["close"], 13, "unreachable");
        machine.call("mara", &["-n", "task", "add", "Lost"]).expect(
            13,
            Text::Nothing,
            Text::Has("nothing was written"),
        );
    }
    server.start_again();
    second.does("mara", &["task", "add", "After"]);
    let titles = first.rows("mara", &["task", "list"]);
    let titles: Vec<_> = titles.iter().map(|task| task["title"].clone()).collect();
    assert_eq!(titles, ["Before", "After"]);
    assert_alike(&machines);
}

#[test]
fn a_killed_server_loses_no_acknowledged_command() {
    let mut server = Server::start();
    let machines = two_machines(&server);
    let acknowledged: Vec<String> = std::thread::scope(|threads| {
        let writing: Vec<_> = machines
            .iter()
            .zip(["first", "second"])
            .map(|(machine, name)| threads.spawn(move || added(machine, name, 30)))
            .collect();
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(1_200));
            server.kill();
            server.start_again();
        }
        writing
            .into_iter()
            .flat_map(|one| one.join().expect("no panic"))
            .collect()
    });
    assert_eq!(acknowledged.len(), 60);
    let tasks = machines[0].rows("mara", &["task", "list", "--all"]);
    let mut titles: Vec<_> = tasks
        .iter()
        .map(|task| task["title"].as_str().expect("a title").to_owned())
        .collect();
    titles.sort();
    let mut expected = acknowledged;
    expected.sort();
    assert_eq!(titles, expected, "none is lost and none is there twice");
    assert_alike(&machines);
}

/// Adds tasks, each with a key that is repeated until it is acknowledged.
fn added(machine: &World, name: &str, count: usize) -> Vec<String> {
    let titles = (0..count).map(|number| format!("{name} {number}"));
    titles
        .inspect(|title| {
            let begin = Instant::now();
            loop {
                let words = ["task", "add", title, "--key", title];
                let output = machine.call("mara", &words).run();
                match output.status {
                    0 => break,
                    11 | 13 => {}
                    other => panic!("{other}: {}", output.stderr),
                }
                assert!(
                    begin.elapsed() < Duration::from_secs(120),
                    "{}",
                    output.stderr
                );
                std::thread::sleep(Duration::from_millis(100));
            }
        })
        .collect()
}

#[test]
fn a_killed_machine_holds_nobody_up_and_loses_nothing() {
    let server = Server::start();
    let machines = two_machines(&server);
    let [first, second] = &machines;
    for round in 0..8_u64 {
        let (title, key) = (format!("Task {round}"), format!("key-{round}"));
        let words = ["task", "add", &title, "--key", &key];
        let mut child = first.call("mara", &words).spawn();
        std::thread::sleep(Duration::from_millis(8 * round));
        child.kill();
        child.wait();
        // The other machine goes on, and the first finds out.
        second.does("mara", &["task", "add", &format!("Other {round}")]);
        let done = first.json("mara", &words);
        assert!(done["sequence"].is_u64(), "{done}");
    }
    let tasks = second.rows("mara", &["task", "list", "--all"]);
    assert_eq!(tasks.len(), 16, "each key once");
    assert_alike(&machines);
}

#[test]
fn a_frozen_server_ends_every_command_in_time() {
    let server = Server::start();
    let [first, second] = two_machines(&server);
    first.does("mara", &["task", "add", "Before"]);
    server.process().signal("STOP");
    let begin = Instant::now();
    let words = ["task", "add", "Frozen", "--lock-wait", "2s"];
    first.refused("mara", &words, 13, "unreachable");
    assert!(
        begin.elapsed() < Duration::from_secs(4),
        "{:?}",
        begin.elapsed()
    );
    let begin = Instant::now();
    let words = ["task", "list", "--lock-wait", "2s"];
    first
        .call("mara", &words)
        .expect(0, Text::Has("Before"), Text::Has("no answer in 2 s"));
    assert!(
        begin.elapsed() < Duration::from_secs(4),
        "{:?}",
        begin.elapsed()
    );
    server.process().signal("CONT");
    second.does("mara", &["task", "add", "After"]);
    assert_eq!(first.rows("mara", &["task", "list"]).len(), 2);
}

#[test]
fn a_cluster_that_fails_over_loses_and_doubles_nothing() {
    let mut cluster = std::process::Command::new(root().join("scripts/cluster"));
    cluster
        .args(["--program", env!("CARGO_BIN_EXE_popug-cli")])
        .args(["--commands", "20", "--failovers", "1", "--pause", "1"]);
    let output = deadline::output(&mut cluster);
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}{errors}");
    println!("{told}");
}

/// Takes the log of the database back to an earlier end, as an asynchronous failover does.
fn forget(server: &Server, sequence: &str, hash: &str) {
    server.sql(&format!(
        "BEGIN; SET LOCAL session_replication_role = replica; \
         DELETE FROM popug.event WHERE sequence > {sequence}; \
         UPDATE popug.head SET sequence = {sequence}, hash = '{hash}'; COMMIT"
    ));
}

#[test]
fn a_server_that_lost_acknowledged_events_is_told_apart() {
    let server = Server::start();
    let machines = two_machines(&server);
    let [first, second] = &machines;
    first.does("mara", &["task", "add", "Kept"]);
    let kept = server.sql("SELECT sequence || ' ' || hash FROM popug.head");
    let (sequence, hash) = kept.split_once(' ').expect("two words");
    second.does("mara", &["task", "add", "Forgotten"]);
    forget(&server, sequence, hash);
    second.refused("mara", &["task", "add", "More"], 12, "rolled_back");
    second.call("mara", &["task", "list"]).expect(
        0,
        Text::Has("Forgotten"),
        Text::Has("rolled back or replaced; this is as of event"),
    );
    let status = ["remote", "status", "-o", "json"];
    second
        .call("ada", &status)
        .expect(12, Text::Has("rolled_back"), Text::Any);
    let doctor =
        second
            .call("ada", &["doctor"])
            .expect(7, Text::Has("rolled back or replaced"), Text::Any);
    assert!(
        doctor.stdout.contains("remote\tproblem"),
        "{}",
        doctor.stdout
    );
    // A copy gives back what nobody has overwritten.
    let given = second
        .call("ada", &["remote", "push", &server.url(), "-o", "json"])
        .expect(0, Text::Any, Text::Has("rolled back"));
    assert_eq!(given.json()["rows"][0]["pushed"], 2);
    assert_alike(&machines);
    let kept = server.sql("SELECT sequence || ' ' || hash FROM popug.head");
    let (sequence, hash) = kept.split_once(' ').expect("two words");
    second.does("mara", &["task", "add", "Forgotten too"]);
    forget(&server, sequence, hash);
    // The first machine did not see the event and goes on; the second one never mixes the two.
    first.does("mara", &["task", "add", "Another"]);
    second.refused("mara", &["task", "add", "More"], 12, "rolled_back");
    second
        .call("ada", &["remote", "push", &server.url()])
        .expect(12, Text::Nothing, Text::Has("has another event"));
    let fresh = World::joined(&server.url(), FOUNDED);
    fresh.does("ada", &["verify", "--deep"]);
    assert_eq!(fresh.log_bytes(), first.log_bytes());
}
