//! Machines that work on one company, in turns and at once.

use serde_json::json;

use super::{assert_alike, two_machines};
use crate::helpers::harness::{Text, World};
use crate::helpers::postgres::Server;

/// Adds a task and completes it on the other machine. Returns its number.
fn played(machines: [&World; 2], title: &str) -> String {
    let [one, other] = machines;
    let task = one.json("mara", &["task", "add", title]);
    let (number, assignee) = (task["number"].to_string(), task["assignee"].clone());
    other.does(
        assignee.as_str().expect("a login"),
        &["task", "complete", &number],
    );
    number
}

#[test]
fn two_machines_in_turns_keep_one_log() {
    let server = Server::start();
    let machines = two_machines(&server);
    let [first, second] = &machines;
    for round in 0..3 {
        played([first, second], &format!("Even {round}"));
        played([second, first], &format!("Odd {round}"));
    }
    second.does("mara", &["task", "reshuffle"]);
    first.does(
        "ada",
        &["user", "update", "dora", "--name", "Dora the First"],
    );
    let users = second.rows("ada", &["user", "list"]);
    assert!(users.iter().any(|user| user["name"] == "Dora the First"));
    assert_alike(&machines);
    let rows = server.sql("SELECT string_agg(line, E'\\n' ORDER BY sequence) FROM popug.event");
    assert_eq!(rows, first.log_lines().join("\n"));
    let told = first.rows("ada", &["remote", "status"]);
    assert_eq!(told[0]["state"], "same");
    assert_eq!(told[0]["behind"], json!(0));
}

#[test]
fn machines_at_once_lose_and_double_nothing() {
    let server = Server::start();
    let machines = two_machines(&server);
    const EACH: usize = 12;
    std::thread::scope(|threads| {
        for (machine, name) in machines.iter().zip(["first", "second"]) {
            threads.spawn(move || {
                for number in 0..EACH {
                    let (title, key) = (format!("{name} {number}"), format!("{name}-{number}"));
                    let words = ["task", "add", &title, "--key", &key, "--lock-wait", "60s"];
                    machine.does("mara", &words);
                }
            });
        }
    });
    let [first, second] = &machines;
    let tasks = first.rows("mara", &["task", "list", "--all"]);
    assert_eq!(tasks.len(), 2 * EACH);
    // A key is known on every machine.
    let words = ["task", "add", "first 3", "--key", "first-3"];
    let again = second.json("mara", &words);
    assert_eq!(again["replayed"], true);
    let numbered = tasks.iter().find(|task| task["title"] == "first 3");
    assert_eq!(again["number"], numbered.expect("it is there")["number"]);
    let other = ["task", "add", "another", "--key", "first-3"];
    second.refused("mara", &other, 4, "key_reused");
    assert_alike(&machines);
}

#[test]
fn two_closes_at_once_pay_once() {
    let server = Server::start();
    let mut machines = two_machines(&server);
    for title in ["One", "Two", "Three", "Four"] {
        played([&machines[0], &machines[1]], title);
    }
    for machine in &mut machines {
        machine.at("2026-03-05T08:00:00Z");
    }
    std::thread::scope(|threads| {
        for machine in &machines {
            threads.spawn(|| {
                let words = ["close", "--lock-wait", "60s"];
                machine.call("axel", &words).expect(0, Text::Any, Text::Any);
            });
        }
    });
    let [first, second] = &machines;
    let closed = first.rows("ada", &["report", "closes"]);
    assert_eq!(closed.len(), 3, "each date once");
    let events = first.events();
    let of = |name: &str| {
        let typed = events.iter().filter(|event| {
            event["type"]
                .as_str()
                .is_some_and(|found| found.contains(name))
        });
        typed.count()
    };
    assert_eq!(of("day.closed"), 3);
    assert_eq!(
        of("payout.made"),
        second.rows("ada", &["report", "payouts"]).len()
    );
    assert_alike(&machines);
}

#[test]
fn a_dry_run_follows_and_appends_nothing() {
    let server = Server::start();
    let [first, second] = two_machines(&server);
    first.does("mara", &["task", "add", "New"]);
    let before = server.sql("SELECT sequence, hash FROM popug.head");
    let drafted = second.answer("mara", &["-n", "task", "add", "Drafted"]);
    let events: Vec<serde_json::Value> = drafted
        .lines()
        .map(|line| serde_json::from_str(line).expect("an event"))
        .collect();
    let next = first.log_lines().len() + 1;
    assert_eq!(events[0]["sequence"], format!("{next:020}"));
    assert_eq!(events[0]["data"]["number"], 2);
    assert_eq!(server.sql("SELECT sequence, hash FROM popug.head"), before);
    assert_eq!(second.log_bytes(), first.log_bytes());
}

#[test]
fn a_store_that_joined_sends_no_mails_unless_asked() {
    let server = Server::start();
    let mut machines = two_machines(&server);
    for title in ["One", "Two", "Three", "Four"] {
        played([&machines[0], &machines[1]], title);
    }
    for machine in &mut machines {
        machine.at("2026-03-03T08:00:00Z");
    }
    let [first, second] = &machines;
    second.does("axel", &["close"]);
    second.does("ada", &["consume"]);
    let sent = |machine: &World| {
        let events = machine.events();
        let sent = events.iter().filter(|event| {
            event["type"]
                .as_str()
                .is_some_and(|found| found.contains("mail.sent"))
        });
        sent.count()
    };
    assert_eq!(sent(second), 0);
    let payouts = second.rows("ada", &["report", "payouts"]);
    assert!(!payouts.is_empty());
    first
        .call("ada", &["consume"])
        .expect(0, Text::Any, Text::Any);
    assert_eq!(sent(first), payouts.len());
    second
        .call("ada", &["consume", "notifier"])
        .expect(0, Text::Any, Text::Any);
    assert_eq!(sent(second), payouts.len(), "each mail once");
    assert_alike(&machines);
}
