//! Consumers with `--follow`: they follow the log and stop cleanly at a signal.

use std::time::{Duration, Instant};

use crate::helpers::chain;
use crate::helpers::harness::World;
use crate::model::books::Books;

const PATIENCE: Duration = Duration::from_secs(30);

/// Asks again until `is_so`.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn follows_until(signal: &str, code: i32) {
    let mut world = World::new();
    world.does("mara", &["task", "add", "Before"]);
    let mut child = world.call("ada", &["consume", "--follow"]).spawn();
    let entries = |world: &World| {
        world
            .events()
            .iter()
            .filter(|event| event["type"] == "balance.changed.v1")
            .count()
    };
    wait_until("the first fee", || entries(&world) == 1);
    world.does("mara", &["task", "add", "Meanwhile"]);
    wait_until("the second fee", || entries(&world) == 2);
    // Others work beside it.
    world.at("2026-03-03T08:00:00Z").does("cron", &["close"]);
    child.signal(signal);
    assert_eq!(child.wait().code(), Some(code), "{signal}");
    chain::check(&world.log_lines());
    world.does("ada", &["consume"]);
    let before = world.log_bytes();
    world.does("ada", &["consume"]);
    assert!(world.log_bytes() == before, "something was still owed");
    assert_eq!(Books::of_log(&world.events()).entries.len(), 2);
}

#[test]
fn an_interrupted_follower_ends_with_130_and_everything_in_place() {
    follows_until("INT", 130);
}

#[test]
fn a_terminated_follower_ends_with_143_and_everything_in_place() {
    follows_until("TERM", 143);
    follows_until("HUP", 143);
}

#[test]
fn a_killed_follower_leaves_nothing_that_the_next_run_cannot_finish() {
    let world = World::new();
    let mut child = world.call("ada", &["consume", "--follow"]).spawn();
    for n in 0..5 {
        world.does("mara", &["task", "add", &format!("Task {n}")]);
    }
    child.kill();
    child.wait();
    world.call("ada", &["consume"]).expect(
        0,
        crate::helpers::harness::Text::Any,
        crate::helpers::harness::Text::Any,
    );
    chain::check(&world.log_lines());
    assert_eq!(Books::of_log(&world.events()).entries.len(), 5);
}

#[test]
fn the_tail_of_the_log_follows_too() {
    let world = World::new();
    let next = (world.log_lines().len() + 1).to_string();
    let mut child = world
        .call("ada", &["log", "tail", "-f", "--from", &next])
        .spawn();
    let mut lines = std::io::BufReader::new(child.stdout.take().expect("a pipe"));
    world.does("mara", &["task", "add", "Seen at once"]);
    let mut first = String::new();
    std::io::BufRead::read_line(&mut lines, &mut first).expect("a line");
    assert!(first.contains("task.created.v2"), "{first}");
    drop(lines);
    world.does("mara", &["task", "add", "Nobody reads"]);
    assert_eq!(child.wait().code(), Some(0));
}
