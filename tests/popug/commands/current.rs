//! Reports show the log as it is now: what their tables lack is consumed first, unless that is impossible, takes long or is
//! not wanted.

use std::fs::File;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::World;

/// A company at the head, then a new task.
fn behind() -> World {
    let world = World::new();
    world.does("ada", &["consume"]);
    world.does("mara", &["task", "add", "News"]);
    world
}

fn fees(report: &Value) -> String {
    report["totals"]["fees"].as_str().expect("a sum").to_owned()
}

/// The report as it is without the new task, with the remark that it lags.
fn shows_less(world: &World, words: &[&str]) {
    let log = world.log_bytes();
    let report = world
        .call(
            "ada",
            &[&["report", "balances", "-o", "json"], words].concat(),
        )
        .expect(0, Any, Has("`popug-cli consume accounting` catches up"))
        .json();
    assert_eq!(fees(&report), "0.00");
    assert!(report["as_of_sequence"].as_u64() < report["head_sequence"].as_u64());
    assert!(world.log_bytes() == log, "something was appended");
}

#[test]
fn a_report_consumes_what_its_tables_lack() {
    let world = behind();
    let added = world.json("mara", &["task", "show", "1"]);
    let report = world
        .call("ada", &["report", "balances", "-o", "json"])
        .expect(0, Any, Nothing)
        .json();
    assert_eq!(fees(&report), added["fee"].as_str().expect("a sum"));
    assert_eq!(report["as_of_sequence"], world.events().len());
    assert_eq!(report["as_of_sequence"], report["head_sequence"]);
    let log = world.log_bytes();
    world
        .call("ada", &["report", "balances"])
        .expect(0, Any, Nothing);
    assert!(world.log_bytes() == log, "nothing was missing any more");
    world.call("ada", &["verify", "--deep"]).expect(0, Any, Any);
}

#[test]
fn a_report_of_analytics_waits_for_the_entries_that_accounting_owes() {
    let world = behind();
    world.does("ada", &["consume", "analytics"]);
    let report = world
        .call("ada", &["report", "negative", "-o", "json"])
        .expect(0, Any, Nothing)
        .json();
    assert_eq!(report["rows"].as_array().expect("rows").len(), 1);
    assert_eq!(report["as_of_sequence"], world.events().len());
}

#[test]
fn exports_consume_once_and_show_the_same_events() {
    let world = behind();
    world
        .call("ada", &["export", "--dir", "reports"])
        .expect(0, Nothing, Nothing);
    let manifest = std::fs::read(world.home().join("reports/manifest.json")).expect("a manifest");
    let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
    let files = manifest["files"].as_array().expect("files");
    assert!(files.len() > 5);
    for file in files {
        assert_eq!(file["as_of_sequence"], world.events().len(), "{file}");
    }
    world.does("mara", &["task", "add", "More news"]);
    let journal = world
        .call("ada", &["export", "journal", "--format", "hledger"])
        .expect(0, Any, Nothing)
        .stdout;
    assert!(journal.contains("T-2"), "{journal}");
}

#[test]
fn a_report_never_waits_for_others() {
    let world = behind();
    for lock in ["accounting.lock", "log/head"] {
        let held = File::open(world.store().join(lock)).expect("a file");
        held.lock().expect("a lock");
        let began = Instant::now();
        shows_less(&world, &["--lock-wait", "60s"]);
        assert!(began.elapsed() < Duration::from_secs(30), "{lock}");
    }
}

#[test]
fn a_report_is_no_failure_where_nothing_can_be_consumed() {
    let world = behind();
    shows_less(&world, &["--no-consume"]);
    shows_less(&world, &["-n"]);
    let lock = world.store().join("accounting.lock");
    std::fs::remove_file(&lock).expect("a lock");
    std::fs::create_dir(&lock).expect("a directory");
    shows_less(&world, &[]);
    world
        .call(
            "ada",
            &["export", "journal", "--format", "hledger", "--no-consume"],
        )
        .expect(0, Any, Has("catches up"));
}

#[test]
fn a_user_who_may_not_see_a_report_consumes_nothing() {
    let world = behind();
    let log = world.log_bytes();
    world.refused("dora", &["report", "earnings"], 5, "role_may_not");
    assert!(world.log_bytes() == log);
}

#[test]
fn a_report_sends_no_mails() {
    let mut world = behind();
    let assignee = world.json("ada", &["task", "show", "1"])["assignee"].clone();
    world.does(
        assignee.as_str().expect("a login"),
        &["task", "complete", "1"],
    );
    world.at("2026-12-24T12:00:00Z");
    world.does("ada", &["close"]);
    let payouts = world.rows("ada", &["report", "payouts"]);
    assert_eq!(payouts.len(), 1);
    assert_eq!(payouts[0]["mail_status"], "pending");
    assert!(!world.store().join("outbox").exists());
}

#[test]
fn a_long_backlog_is_left_to_consume() {
    use std::fmt::Write as _;
    let world = World::new();
    world.does("ada", &["consume"]);
    let mut csv = "key,title,jira_id,description\n".to_owned();
    for number in 0..25_500 {
        writeln!(csv, "k{number},Task {number},,").expect("a text");
    }
    std::fs::write(world.home().join("tasks.csv"), csv).expect("a file");
    world.does("ada", &["import", "tasks", "tasks.csv"]);
    shows_less(&world, &[]);
    world.does("ada", &["consume", "accounting"]);
    // Analytics takes in more events a second than accounting.
    let report = world
        .call("ada", &["report", "negative", "-o", "json"])
        .expect(0, Any, Nothing)
        .json();
    assert_eq!(report["as_of_sequence"], report["head_sequence"]);
    assert!(!report["rows"].as_array().expect("rows").is_empty());
}

#[test]
fn a_report_without_the_pinned_clock_of_a_test_company_appends_nothing() {
    let world = behind();
    let log = world.log_bytes();
    let report = world
        .call("ada", &["report", "balances"])
        .without("POPUG_NOW")
        .without("POPUG_SEED");
    report.expect(0, Any, Any);
    assert!(world.log_bytes() == log, "something was appended");
}

#[test]
fn a_report_appends_nothing_behind_a_history_that_goes_on() {
    let mut world = World::new();
    world.does("ada", &["consume"]);
    world.at("2026-04-01T08:00:00Z");
    let import = |rows: usize| {
        let rows = (1..=rows).map(|n| format!("2026-03-03T08:0{n}:00Z,create,K-{n},Task {n}\n"));
        let text: String = std::iter::once("at,action,key,title\n".to_owned())
            .chain(rows)
            .collect();
        let call = world.call("ada", &["import", "activity", "-"]).stdin(&text);
        call.expect(0, Any, Any);
    };
    import(2);
    shows_less(&world, &[]);
    import(4);
}
