//! Stores with a past, and helpers that back them up, restore them, and write into their files.

use std::path::{Path, PathBuf};

use popug_cli::state::checked_pages;
use serde_json::Value;

use super::chain;
use super::harness::Text::{Any, Has, Nothing};
use super::harness::World;

/// Segments of one or two batches.
pub const SMALL_SEGMENTS: &str = "3000";

pub const NEW_PASSWORD: &str = "a password of after the fire";

pub const UNKNOWN_TASK: &str = "01a1b2c3-0000-7000-8000-000000000001";

/// A world with a few days of tasks, entries and payouts, in many segments.
pub fn busy_world() -> World {
    let mut world = World::new();
    for (day, now) in [
        "2026-03-02T09:00:00Z",
        "2026-03-03T09:00:00Z",
        "2026-03-04T09:00:00Z",
    ]
    .into_iter()
    .enumerate()
    {
        world.at(now);
        add_tasks(&world, 3, &format!("Day {day}"));
        small(&world, "cron", &["close"]);
    }
    world
}

/// Runs it with small segments.
pub fn small(world: &World, login: &str, words: &[&str]) {
    world
        .call(login, words)
        .env("POPUG_SEGMENT_BYTES", SMALL_SEGMENTS)
        .expect(0, Any, Nothing);
}

pub fn add_tasks(world: &World, count: usize, title: &str) {
    for n in 0..count {
        small(
            world,
            "mara",
            &["task", "add", &format!("{title}, task {n}")],
        );
        let last = world.rows("mara", &["task", "list"]).pop().expect("a task");
        let assignee = last["assignee"].as_str().expect("a login").to_owned();
        small(
            world,
            &assignee,
            &["task", "complete", &last["number"].to_string()],
        );
    }
}

pub fn back_up(world: &World, name: &str) -> Value {
    world.rows("cron", &["backup", name]).remove(0)
}

pub fn segments(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "ndjson")
    });
    paths.sort();
    paths
}

pub fn bytes_in(log: &Path) -> Vec<u8> {
    segments(log)
        .iter()
        .flat_map(|path| std::fs::read(path).expect("a segment"))
        .collect()
}

pub fn restore(world: &World, words: &[&str]) {
    let call = world
        .anonymous(&[&["restore"], words].concat())
        .arg("--password-stdin")
        .stdin(NEW_PASSWORD);
    call.expect(0, Nothing, Has("restored up to event"));
}

/// The world's lines in a store.
pub fn lines_in(store: &Path) -> Vec<String> {
    String::from_utf8(bytes_in(&store.join("log")))
        .expect("UTF-8")
        .lines()
        .map(str::to_owned)
        .collect()
}

pub fn log(world: &World) -> Vec<PathBuf> {
    segments(&world.store().join("log"))
}

pub fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).expect("a file");
    change(&mut bytes);
    std::fs::write(path, bytes).expect("written");
}

/// Opens a file so that its pages get right checksums.
pub fn open(path: &Path) -> rusqlite::Connection {
    checked_pages::open(path).expect("a database")
}

/// Appends an event about this task as another program would. Returns its sequence.
pub fn written_from_outside(
    world: &World,
    source: &str,
    type_name: &str,
    task: &str,
    data: &str,
) -> String {
    let lines = world.log_lines();
    let last_line = lines.last().expect("a line");
    let last: Value = serde_json::from_str(last_line).expect("JSON");
    let sequence = lines.len() as u64 + 1;
    let body = format!(
        "{{\"specversion\":\"1.0\",\"id\":\"01a1b2c3-0000-7000-8000-000000000002\",\"source\":\"/popug/{source}\",\
         \"type\":\"{type_name}\",\"subject\":\"task/{task}\",\"time\":{},\
         \"sequence\":\"{sequence:020}\",\"more\":0,\"actor\":{},\"commandid\":\"from outside\",\"data\":{data}}}",
        last["time"], last["actor"],
    );
    let hash = chain::hash(chain::split(last_line).1, &body);
    let line = format!("{},\"hash\":\"{hash}\"}}\n", &body[..body.len() - 1]);
    let segment = world.store().join("log/00000000000000000001.ndjson");
    let text = std::fs::read_to_string(&segment).expect("read") + &line;
    std::fs::write(&segment, text).expect("written");
    sequence.to_string()
}
