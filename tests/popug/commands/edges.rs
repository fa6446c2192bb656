//! People and scripts at the edges: dates without data, odd paths, other spellings.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde_json::{Value, json};

use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::{PASSWORD, REPORTS, World, copy, last_error};

#[test]
fn a_range_that_lies_outside_the_books_is_a_range_without_entries() {
    let world = World::new();
    world.does("ada", &["consume"]);
    for words in [
        &["report", "earnings", "--from", "2099-01-01"][..],
        &["report", "earnings", "--to", "1999-01-01"],
        &[
            "report",
            "earnings",
            "--from",
            "2099-01-01",
            "--period",
            "month",
        ],
        &[
            "report",
            "top-task",
            "--from",
            "2099-01-01",
            "--period",
            "week",
        ],
    ] {
        for row in world.rows("ada", words) {
            assert!(
                row["earned"] == "0.00" || row["task_id"] == Value::Null,
                "{words:?}: {row}"
            );
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
        &[
            "simulate",
            "--days",
            "999999999",
            "--popugs",
            "1",
            "--tasks-per-day",
            "1",
            "--seed",
            "1",
        ],
    ] {
        world.call("ada", words).expect(2, Nothing, Any);
    }
}

#[test]
fn a_usage_shows_no_option_that_the_environment_gave() {
    let world = World::new();
    let usage = "Usage: popug-cli export journal [OPTIONS] --format <FORMAT>\n";
    let journal = world.call("ada", &["export", "journal"]);
    journal.expect(2, Nothing, Has(usage));
}

#[test]
fn a_report_of_a_date_before_the_founding_says_when_the_company_began() {
    let world = World::new();
    let began = "the company began on 2026-03-02: nothing is there before that date\n";
    for (dates, told) in [
        (&["--date", "2026-03-01"][..], Has(began)),
        (&["--from", "2026-01-01", "--to", "2026-03-02"], Nothing),
    ] {
        let report = [&["report", "balances"], dates].concat();
        world.does("ada", &["consume"]);
        world.call("ada", &report).expect(0, Any, told);
    }
}

#[test]
fn a_store_may_have_a_name_that_is_no_text() {
    let world = World::new();
    let odd = world.home().join(OsStr::from_bytes(b"store \xff"));
    copy(&world.store(), &odd);
    world
        .call("ada", &["task", "list"])
        .without("POPUG_STORE")
        .arg("-C")
        .arg(&odd)
        .expect(0, Any, Nothing);
}

#[test]
fn a_store_whose_log_is_gone_is_damaged_and_not_absent() {
    let world = World::new();
    let log = world.store().join("log");
    std::fs::rename(&log, world.home().join("elsewhere")).expect("moved");
    let refused = || {
        let output = world
            .call("ada", &["task", "list", "-o", "json"])
            .expect(12, Nothing, Any);
        assert_eq!(last_error(&output)["code"], "log_missing");
        assert!(output.stderr.contains(" restore "), "{}", output.stderr);
    };
    refused();
    std::fs::create_dir(&log).expect("made");
    refused();
    std::fs::remove_dir_all(world.store()).expect("removed");
    world
        .call("ada", &["task", "list"])
        .expect(10, Nothing, Any);
}

#[test]
fn a_file_that_cannot_be_read_is_a_failure_and_its_name_no_help_to_whoever_may_not_import() {
    let world = World::new();
    for file in ["missing.csv", "the store"] {
        let error = world.refused("ada", &["import", "tasks", file], 1, "io");
        assert!(
            error["message"]
                .as_str()
                .expect("text")
                .starts_with(&format!("cannot read {file}: ")),
            "{error}"
        );
        world.refused("mara", &["import", "tasks", file], 5, "role_may_not");
    }
}

#[test]
fn a_link_named_by_out_stays_and_what_it_names_is_written() {
    let world = World::new();
    world.does("ada", &["consume"]);
    let (target, link) = (
        world.home().join("target.csv"),
        world.home().join("link.csv"),
    );
    std::fs::write(&target, "old").expect("written");
    std::os::unix::fs::symlink(&target, &link).expect("linked");
    let words = ["report", "closes", "--out", link.to_str().expect("UTF-8")];
    world.call("ada", &words).expect(2, Nothing, Has("--force"));
    assert_eq!(std::fs::read_to_string(&target).expect("text"), "old");
    world
        .call("ada", &words)
        .arg("--force")
        .expect(0, Nothing, Nothing);
    assert!(
        std::fs::symlink_metadata(&link)
            .expect("there")
            .is_symlink()
    );
    assert!(
        std::fs::read_to_string(&target)
            .expect("text")
            .starts_with("business_date,")
    );
    // Nothing is there yet, and the link leads over another one.
    std::fs::remove_file(&target).expect("removed");
    let (far, further) = (world.home().join("far.csv"), world.home().join("further"));
    std::fs::create_dir(&further).expect("made");
    std::os::unix::fs::symlink("further/../link.csv", &far).expect("linked");
    let words = ["report", "closes", "--out", far.to_str().expect("UTF-8")];
    world.call("ada", &words).expect(0, Nothing, Nothing);
    assert!(far.is_symlink() && link.is_symlink());
    let written = std::fs::read_to_string(&target).expect("text");
    assert!(written.starts_with("business_date,"), "{written}");
    // A link that leads to itself leads nowhere.
    let round = world.home().join("round.csv");
    std::os::unix::fs::symlink("round.csv", &round).expect("linked");
    let words = ["report", "closes", "--out", round.to_str().expect("UTF-8")];
    world
        .call("ada", &words)
        .expect(1, Nothing, Has("cannot write"));
    assert!(round.is_symlink());
}

#[test]
fn a_clock_that_is_behind_is_heard_after_what_does_not_exist_and_what_is_not_allowed() {
    let mut world = World::new();
    world.does("ada", &["task", "add", "one"]);
    world.at("2026-03-02T07:00:00Z");
    world.refused("dora", &["task", "complete", "99"], 3, "unknown_task");
    world.refused("dora", &["task", "reshuffle"], 5, "role_may_not");
    let add = world.refused("ada", &["task", "add", "two"], 4, "clock_behind");
    let consume = world.refused("ada", &["consume", "accounting"], 4, "clock_behind");
    assert_eq!(add["hints"], consume["hints"]);
}

/// The event that the hint of a refusal names for a restore.
fn told_to_go_back_to(error: &Value) -> Option<String> {
    let hint = error["hints"][0].as_str().expect("a hint");
    let (_, rest) = hint.split_once("--to-sequence ")?;
    Some(rest.chars().take_while(char::is_ascii_digit).collect())
}

#[test]
fn a_first_consume_that_is_refused_changes_nothing_for_reports_and_its_hint_works() {
    let mut world = World::new();
    world
        .at("2026-03-02T08:30:00Z")
        .does("ada", &["task", "add", "In time"]);
    world
        .at("2026-03-02T10:00:00Z")
        .does("ada", &["task", "add", "Ahead"]);
    world.at("2026-03-02T09:00:00Z");
    let refused = world.refused("ada", &["consume"], 4, "clock_behind");
    assert!(
        world.store().join("accounting.duckdb").exists(),
        "it has begun tables"
    );
    for report in REPORTS {
        let output = world
            .call("ada", &["report", report, "-o", "json", "--no-consume"])
            .expect(0, Any, Any);
        let reads_analytics = ["earnings", "negative", "top-task"].contains(&report);
        let as_of = if reads_analytics {
            world.events().len()
        } else {
            2
        };
        assert_eq!(output.json()["as_of_sequence"], as_of, "{report}");
    }
    let balances = world
        .call("ada", &["report", "balances", "-o", "json", "--no-consume"])
        .expect(0, Any, Has("as of event 2 of"));
    assert_eq!(balances.json()["totals"]["balance"], "0.00");
    for format in ["hledger", "beancount"] {
        world
            .call(
                "ada",
                &["export", "journal", "--format", format, "--no-consume"],
            )
            .expect(0, Any, Has("as of event 2 of"));
    }
    world
        .call("ada", &["export", "--dir", "reports", "--no-consume"])
        .expect(0, Nothing, Has("as of event 2 of"));
    let end = told_to_go_back_to(&refused).expect("an event");
    world.call("ada", &["backup", "copy"]).expect(0, Any, Any);
    let back = [
        "-C",
        "before",
        "restore",
        "copy",
        "--to-sequence",
        &end,
        "--password-stdin",
    ];
    world.anonymous(&back).stdin(PASSWORD).expect(0, Any, Any);
    let goes_on = |words: &[&str]| {
        let call = world.anonymous(&[words, &["-C", "before", "--as", "ada"]].concat());
        call.env("POPUG_PASSWORD", PASSWORD)
            .expect(0, Any, Nothing)
            .stdout
    };
    goes_on(&["task", "add", "On time again"]);
    let tasks = goes_on(&["task", "list"]);
    assert!(
        tasks.contains("In time") && tasks.contains("On time again") && !tasks.contains("Ahead"),
        "{tasks}"
    );
}

#[test]
fn a_clock_that_has_been_ahead_since_the_founding_names_a_way_out_that_there_is() {
    let mut world = World::founded("UTC", "2026-03-02T10:00:00Z");
    world.at("2026-03-02T09:00:00Z");
    let refused = world.refused("ada", &["task", "add", "Too early"], 4, "clock_behind");
    assert_eq!(told_to_go_back_to(&refused), None, "{refused}");
    let hint = refused["hints"][0].as_str().expect("a hint");
    assert!(hint.contains("wait until 2026-03-02T10:00:00"), "{hint}");
    world
        .at("2026-03-02T10:00:00Z")
        .does("ada", &["task", "add", "In time"]);
}

#[test]
fn a_dated_report_shows_people_as_they_were_at_the_end_of_its_date() {
    let mut world = World::founded("Europe/Berlin", "2026-03-02T08:00:00Z");
    let task = world.json("mara", &["task", "add", "One"]);
    let holder = task["assignee"].as_str().expect("a login").to_owned();
    // The 4th in Berlin, and still the 3rd in UTC.
    world
        .at("2026-03-03T23:30:00Z")
        .does("ada", &["user", "deactivate", &holder]);
    world.does(
        "ada",
        &["user", "update", &holder, "--name", "Somebody Else"],
    );
    world
        .at("2026-03-05T08:00:00Z")
        .does("ada", &["user", "set-role", &holder, "manager"]);
    let new = world.register("nina", "worker");
    world.does("ada", &["consume"]);
    let was = crate::helpers::harness::PEOPLE
        .iter()
        .find(|(login, _)| *login == holder)
        .expect("one of them")
        .1;
    let shown = |words: &[&str]| {
        let rows = world.rows("ada", words);
        let row = rows
            .iter()
            .find(|row| row["login"] == holder.as_str())
            .expect("a row");
        (
            row["name"].clone(),
            row["role"].clone(),
            row["active"].clone(),
        )
    };
    let name = format!("{holder} Popug");
    for report in ["balances", "negative"] {
        let on = |date| shown(&["report", report, "--date", date]);
        assert_eq!(
            on("2026-03-03"),
            (json!(name), json!(was), json!(true)),
            "{report}"
        );
        assert_eq!(
            on("2026-03-04"),
            (json!("Somebody Else"), json!(was), json!(false)),
            "{report}"
        );
        assert_eq!(
            on("2026-03-05"),
            (json!("Somebody Else"), json!("manager"), json!(false)),
            "{report}"
        );
        assert_eq!(shown(&["report", report]), on("2026-03-05"), "{report}");
    }
    let range = world.rows(
        "ada",
        &[
            "report",
            "balances",
            "--from",
            "2026-03-01",
            "--to",
            "2026-03-05",
        ],
    );
    let active = |id: &str| {
        let rows = range
            .iter()
            .filter(|row| row["login"] == id || row["user_id"] == id);
        rows.map(|row| row["active"] == true).collect::<Vec<_>>()
    };
    assert_eq!(active(&holder), [true, true, false, false]);
    assert_eq!(
        active(&new),
        [false, false, false, true],
        "not before the registration"
    );
    world
        .anonymous(&["verify", "--deep"])
        .expect(0, Any, Nothing);
}

#[test]
fn tables_of_another_version_are_no_damage_and_told_as_what_they_are() {
    let world = World::new();
    world.does("ada", &["consume"]);
    let path = world.store().join("accounting.duckdb");
    let tables = duckdb::Connection::open(path).expect("DuckDB opens it");
    tables
        .execute_batch("UPDATE checkpoint SET code_version = code_version - 1; CHECKPOINT")
        .expect("changed");
    drop(tables);
    let error = world.refused(
        "ada",
        &["report", "balances", "--date", "2026-03-02"],
        1,
        "tables_of_another_version",
    );
    assert_eq!(
        error["hints"],
        json!(["`popug-cli consume accounting` rebuilds the tables from the log"])
    );
    world.does("ada", &["consume", "accounting"]);
    world.rows("ada", &["report", "balances", "--date", "2026-03-02"]);
}

#[test]
fn a_key_knows_a_command_in_any_spelling() {
    let world = World::new();
    let add = |words: &[&str]| -> Value {
        // A note on stderr says how the title was read.
        let output = world.call("ada", words).expect(0, Any, Any);
        serde_json::from_str(&output.stdout).expect("one object")
    };
    let first = add(&["task", "add", "[UP-7] Fix it", "--key", "k", "-o", "json"]);
    let again = add(&[
        "task",
        "add",
        " Fix it ",
        "--jira-id",
        "UP-7",
        "--key",
        "k",
        "-o",
        "json",
    ]);
    assert_eq!(
        (first["number"].clone(), again["replayed"].clone()),
        (again["number"].clone(), Value::Bool(true))
    );
}

#[test]
fn reports_before_the_first_consume_are_empty_and_say_so() {
    let world = World::new();
    let words = ["report", "balances", "-o", "json", "--no-consume"];
    let output = world.call("ada", &words).expect(0, Any, Any);
    let report: Value = serde_json::from_str(&output.stdout).expect("one object");
    assert_eq!(report["totals"]["balance"], "0.00");
    assert!(
        output.stderr.contains("popug-cli consume accounting"),
        "{}",
        output.stderr
    );
}

#[test]
fn a_command_that_would_wait_for_ages_is_served_like_any_other() {
    let world = World::new();
    for wait in ["9999999s", "18446744073709551615m"] {
        world.does("ada", &["consume", "--lock-wait", wait]);
        world.does("mara", &["task", "add", "Patience", "--lock-wait", wait]);
    }
}

#[test]
fn a_clock_is_pinned_only_where_what_it_stamps_can_be_read_again() {
    let world = World::new();
    for now in [
        "9999-01-01T00:00:00Z",
        "9999-12-30T22:00:00Z",
        "1969-12-31T23:59:59Z",
        "-009999-01-02T02:00:00Z",
    ] {
        let before = world.log_bytes();
        world
            .call("mara", &["task", "add", "Far"])
            .env("POPUG_NOW", now)
            .expect(2, Nothing, Has("POPUG_NOW"));
        assert!(before == world.log_bytes(), "{now}");
    }
    let last = "9998-12-31T23:59:59.999999Z";
    world
        .call("mara", &["task", "add", "Far"])
        .env("POPUG_NOW", last)
        .expect(0, Any, Nothing);
    world
        .call("ada", &["consume"])
        .env("POPUG_NOW", last)
        .expect(0, Any, Nothing);
    world.does("ada", &["verify", "--deep"]);
}
