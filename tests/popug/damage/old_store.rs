//! A store that an older popug-cli made is opened, verified and used.
//!
//! `tests/golden/store.tar.gz` was written by the program of 2026-11: seven people, nine tasks,
//! three days (two of them closed), pay mails, a correction, all tables, an API token of `cron` in
//! the file `token`, and the answer of `report balances` in `balances.json`. It is never made
//! again.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::helpers::chain;
use crate::helpers::deadline;
use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::{Call, PASSWORD, World, last_error};
use crate::helpers::sources::{read, root};

/// The day after the last one in the store.
const NOW: &str = "2026-03-05T09:00:00Z";

fn old_store() -> World {
    let mut world = World::empty();
    world.at(NOW);
    std::fs::create_dir(world.store()).expect("a directory");
    let mut tar = Command::new("tar");
    tar.arg("-xzf")
        .arg(root().join("tests/golden/store.tar.gz"))
        .arg("-C")
        .arg(world.store());
    assert!(deadline::status(&mut tar).success());
    world
}

fn by_ada<'w>(world: &'w World, words: &[&str]) -> Call<'w> {
    let words = [words, &["--as", "ada"]].concat();
    world.anonymous(&words).env("POPUG_PASSWORD", PASSWORD)
}

fn kept(world: &World, name: &str) -> String {
    read(&world.store().join(name))
}

fn is_sound(world: &World) {
    for words in [&["verify"][..], &["verify", "--deep"]] {
        let said = by_ada(world, words).expect(0, Has("sound: "), Nothing);
        assert!(!said.stdout.contains("rebuilt"), "{}", said.stdout);
    }
}

/// Files of the store that are tables of the log.
fn remove_tables(store: &Path) {
    for entry in std::fs::read_dir(store).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("UTF-8");
        if name.contains(".sqlite") || name.contains(".duckdb") {
            std::fs::remove_file(&path).expect("removed");
        }
    }
}

#[test]
fn a_store_of_an_older_program_is_proved_and_closes_its_next_day() {
    let world = old_store();
    let log = world.log_bytes();
    is_sound(&world);
    // Its tables are of another version.
    let balances = ["report", "balances", "-o", "json"];
    let error = last_error(&by_ada(&world, &balances).expect(1, Nothing, Any));
    assert_eq!(error["code"], "tables_of_another_version", "{error}");
    let status = by_ada(&world, &["status", "-o", "json"]).expect(0, Any, Any);
    assert!(
        status
            .stdout
            .contains("accounting.duckdb was made by another version")
    );
    assert!(!status.stdout.contains("/proc/"), "{}", status.stdout);
    by_ada(&world, &["consume", "accounting"]).expect(0, Any, Any);
    let balances = by_ada(&world, &["report", "balances", "-o", "json"])
        .expect(0, Any, Any)
        .json();
    let before: Value = serde_json::from_str(&kept(&world, "balances.json")).expect("JSON");
    assert_eq!(balances["rows"], before["rows"]);
    assert!(world.log_bytes() == log, "looking changed the log");
    // Tokens are random now; the old one was signed.
    let signed = kept(&world, "token");
    let refused = world
        .anonymous(&["close", "-o", "json"])
        .env("POPUG_TOKEN", signed.trim())
        .expect(5, Nothing, Any);
    let error = last_error(&refused);
    assert!(
        error["hints"].to_string().contains("token issue"),
        "{error}"
    );
    let token = by_ada(&world, &["token", "issue", "cron", "--ttl", "1d"])
        .expect(0, Any, Nothing)
        .stdout;
    let closed = world
        .anonymous(&["close", "-o", "json"])
        .env("POPUG_TOKEN", token.trim())
        .expect(0, Any, Any)
        .json();
    assert_eq!(closed["rows"][0]["date"], "2026-03-04", "{closed}");
    by_ada(&world, &["task", "add", "Of the new program"]).expect(0, Any, Nothing);
    // Features that the older program did not have.
    for words in [
        &["task", "edit", "1", "--title", "Of two programs"][..],
        &["task", "cancel", "10", "--reason", "Not needed"],
        &["task", "reshuffle"],
    ] {
        by_ada(&world, words).expect(0, Any, Nothing);
    }
    let listed = by_ada(&world, &["task", "list", "-o", "json"]).expect(0, Any, Nothing);
    let holder = listed.json()["rows"][0]["assignee"].clone();
    let holder = holder.as_str().expect("an open task");
    by_ada(&world, &["user", "deactivate", holder]).expect(0, Any, Nothing);
    by_ada(&world, &["consume"]).expect(0, Any, Any);
    assert!(world.log_bytes().starts_with(&log) && world.log_bytes().len() > log.len());
    chain::check(&world.log_lines());
    is_sound(&world);
}

#[test]
fn tables_of_an_older_store_that_are_lost_come_back_the_same() {
    let world = old_store();
    remove_tables(&world.store());
    by_ada(&world, &["consume"]).expect(0, Any, Any);
    let balances = by_ada(&world, &["report", "balances", "-o", "json"])
        .expect(0, Any, Nothing)
        .json();
    let before: Value = serde_json::from_str(&kept(&world, "balances.json")).expect("JSON");
    assert_eq!(balances["rows"], before["rows"]);
    is_sound(&world);
}
