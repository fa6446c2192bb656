//! What people and scripts do at the edges: dates without data, odd paths, other spellings.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde_json::Value;

use crate::harness::Text::{Any, Has, Nothing};
use crate::harness::{World, copy, last_error};

#[test]
fn a_range_that_lies_outside_the_books_is_a_range_without_entries() {
    let world = World::new();
    world.does("ada", &["consume"]);
    for words in [
        &["report", "earnings", "--from", "2099-01-01"][..],
        &["report", "earnings", "--to", "1999-01-01"],
        &["report", "earnings", "--from", "2099-01-01", "--period", "month"],
        &["report", "top-task", "--from", "2099-01-01", "--period", "week"],
    ] {
        for row in world.rows("ada", words) {
            assert!(row["earned"] == "0.00" || row["task_id"] == Value::Null, "{words:?}: {row}");
        }
    }
}

#[test]
fn dates_at_the_ends_of_the_calendar_are_usage_errors() {
    let world = World::new();
    for words in [
        &["report", "earnings", "--date", "9999-12-31"][..],
        &["report", "earnings", "--from", "0001-01-01"],
        &["close", "--date", "9999-12-31"],
        &["simulate", "--days", "999999999", "--popugs", "1", "--tasks-per-day", "1", "--seed", "1"],
    ] {
        let _ = world.call("ada", words).expect(2, Nothing, Any);
    }
}

#[test]
fn a_store_may_have_a_name_that_is_no_text() {
    let world = World::new();
    let odd = world.home().join(OsStr::from_bytes(b"store \xff"));
    copy(&world.store(), &odd);
    let _ = world.call("ada", &["task", "list"]).without("POPUG_STORE").arg("-C").arg(&odd).expect(0, Any, Nothing);
}

#[test]
fn a_store_whose_log_is_gone_is_damaged_and_not_absent() {
    let world = World::new();
    let log = world.store().join("log");
    std::fs::rename(&log, world.home().join("elsewhere")).expect("moved");
    let refused = || {
        let output = world.call("ada", &["task", "list", "-o", "json"]).expect(12, Nothing, Any);
        assert_eq!(last_error(&output)["code"], "log_missing");
        assert!(output.stderr.contains(" restore "), "{}", output.stderr);
    };
    refused();
    std::fs::create_dir(&log).expect("made");
    refused();
    std::fs::remove_dir_all(world.store()).expect("removed");
    let _ = world.call("ada", &["task", "list"]).expect(10, Nothing, Any);
}

#[test]
fn a_file_that_cannot_be_read_is_a_failure_and_its_name_no_help_to_whoever_may_not_import() {
    let world = World::new();
    for file in ["missing.csv", "the store"] {
        let error = world.refused("ada", &["import", "tasks", file], 1, "io");
        assert!(error["message"].as_str().expect("text").starts_with(&format!("cannot read {file}: ")), "{error}");
        world.refused("mara", &["import", "tasks", file], 5, "role_may_not");
    }
}

#[test]
fn a_link_named_by_out_stays_and_what_it_names_is_written() {
    let world = World::new();
    world.does("ada", &["consume"]);
    let (target, link) = (world.home().join("target.csv"), world.home().join("link.csv"));
    std::fs::write(&target, "old").expect("written");
    std::os::unix::fs::symlink(&target, &link).expect("linked");
    let words = ["report", "closes", "--out", link.to_str().expect("UTF-8")];
    let _ = world.call("ada", &words).expect(2, Nothing, Has("--force"));
    assert_eq!(std::fs::read_to_string(&target).expect("text"), "old");
    let _ = world.call("ada", &words).arg("--force").expect(0, Nothing, Nothing);
    assert!(std::fs::symlink_metadata(&link).expect("there").is_symlink());
    assert!(std::fs::read_to_string(&target).expect("text").starts_with("business_date,"));
}

#[test]
fn a_clock_that_is_behind_is_heard_after_what_does_not_exist_and_what_is_not_allowed() {
    let mut world = World::new();
    world.does("ada", &["task", "add", "one"]);
    let _ = world.at("2026-03-02T07:00:00Z");
    world.refused("dora", &["task", "complete", "99"], 3, "unknown_task");
    world.refused("dora", &["task", "reshuffle"], 5, "role_may_not");
    let add = world.refused("ada", &["task", "add", "two"], 4, "clock_behind");
    let consume = world.refused("ada", &["consume", "accounting"], 4, "clock_behind");
    assert_eq!(add["hints"], consume["hints"]);
}

#[test]
fn a_key_knows_a_command_in_any_spelling() {
    let world = World::new();
    let add = |words: &[&str]| -> Value {
        // How the title was read is told on stderr.
        let output = world.call("ada", words).expect(0, Any, Any);
        serde_json::from_str(&output.stdout).expect("one object")
    };
    let first = add(&["task", "add", "[UP-7] Fix it", "--key", "k", "-o", "json"]);
    let again = add(&["task", "add", " Fix it ", "--jira-id", "UP-7", "--key", "k", "-o", "json"]);
    assert_eq!((first["number"].clone(), again["replayed"].clone()), (again["number"].clone(), Value::Bool(true)));
}

#[test]
fn reports_before_the_first_consume_are_empty_and_say_so() {
    let world = World::new();
    let words = ["report", "balances", "-o", "json"];
    let output = world.call("ada", &words).expect(0, Any, Any);
    let report: Value = serde_json::from_str(&output.stdout).expect("one object");
    assert_eq!(report["totals"]["balance"], "0.00");
    assert!(output.stderr.contains("popug-cli consume accounting"), "{}", output.stderr);
}

#[test]
fn whoever_is_ready_to_wait_for_ages_is_served_like_anybody() {
    let world = World::new();
    for wait in ["9999999s", "18446744073709551615m"] {
        let _ = world.does("ada", &["consume", "--lock-wait", wait]);
        let _ = world.does("mara", &["task", "add", "Patience", "--lock-wait", wait]);
    }
}

#[test]
fn a_clock_is_pinned_only_where_what_it_stamps_can_be_read_again() {
    let world = World::new();
    for now in ["9999-01-01T00:00:00Z", "9999-12-30T22:00:00Z", "1969-12-31T23:59:59Z", "-009999-01-02T02:00:00Z"] {
        let before = world.log_bytes();
        let _ = world.call("mara", &["task", "add", "Far"]).env("POPUG_NOW", now).expect(2, Nothing, Has("POPUG_NOW"));
        assert!(before == world.log_bytes(), "{now}");
    }
    let last = "9998-12-31T23:59:59.999999Z";
    let _ = world.call("mara", &["task", "add", "Far"]).env("POPUG_NOW", last).expect(0, Any, Nothing);
    let _ = world.call("ada", &["consume"]).env("POPUG_NOW", last).expect(0, Any, Nothing);
    let _ = world.does("ada", &["verify", "--deep"]);
}
