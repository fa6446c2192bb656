//! Dry runs: the printed events are those that the same command then appends, byte for byte, and
//! neither the log nor the tables change.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use crate::helpers::deadline;
use crate::helpers::harness::Text::{Any, Has, Is, Nothing};
use crate::helpers::harness::{INIT, PASSWORD, World};

/// Every file of the log, byte for byte.
fn log_files(world: &World) -> BTreeMap<std::path::PathBuf, Vec<u8>> {
    let directory = std::fs::read_dir(world.store().join("log")).expect("a log");
    let paths = directory.map(|entry| entry.expect("an entry").path());
    paths
        .map(|path| (path.clone(), std::fs::read(path).expect("a file")))
        .collect()
}

fn checkpoints(world: &World) -> Value {
    world.json("ada", &["status"])["consumers"].clone()
}

/// The output of `-n`, which changes no file of the log and brings no consumer beyond it.
fn shown(world: &World, login: &str, words: &[&str]) -> String {
    let before = log_files(world);
    let output = world
        .call(login, &[words, &["-n"]].concat())
        .expect(0, Any, Nothing);
    assert!(log_files(world) == before, "{words:?} -n changed the log");
    let head = world.log_lines().len();
    for consumer in checkpoints(world).as_array().expect("a list") {
        assert!(
            consumer["sequence"].as_u64().expect("a number") <= head as u64,
            "{words:?}: {consumer}"
        );
    }
    let lines = output
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("ndjson"));
    let _: Vec<Value> = lines.collect();
    output.stdout
}

/// Runs the command with `-n` and without. Returns the events, which must be equal.
fn shown_and_done(world: &World, login: &str, words: &[&str]) -> String {
    let shown = shown(world, login, words);
    let before = world.log_bytes().len();
    world.call(login, words).expect(0, Any, Nothing);
    let appended = String::from_utf8(world.log_bytes()[before..].to_vec()).expect("UTF-8");
    assert_eq!(shown, appended, "{words:?}");
    crate::helpers::chain::check(&world.log_lines());
    appended
}

fn types(lines: &str) -> Vec<String> {
    let events = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    events
        .map(|event| event["type"].as_str().expect("a type").to_owned())
        .collect()
}

/// The assignee of the first open task.
fn holder(world: &World) -> String {
    world.rows("mara", &["task", "list"])[0]["assignee"]
        .as_str()
        .expect("a login")
        .to_owned()
}

/// Three tasks of the first day, two of them finished, nothing consumed.
fn busy() -> World {
    let world = World::new();
    for title in ["Feed", "Clean", "Count"] {
        world.does("mara", &["task", "add", title]);
    }
    for task in ["1", "2"] {
        world.does(&holder(&world), &["task", "complete", task]);
    }
    world
}

#[test]
fn every_command_appends_what_its_dry_run_showed() {
    let world = busy();
    let assignee = holder(&world);
    let consumed = shown_and_done(&world, "ada", &["consume", "accounting"]);
    assert_eq!(
        types(&consumed).len(),
        3 + 3 + 4,
        "prices, fees, rewards and their settlements"
    );
    let fee = world.rows("ada", &["report", "entries"])[0]["entry_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let register = [
        "user",
        "register",
        "--login",
        "rita",
        "--name",
        "Rita",
        "--email",
        "rita@popug.example",
        "--role",
        "worker",
    ];
    let writes: [(&str, &[&str]); 10] = [
        ("ada", &register),
        ("ada", &["user", "update", "rita", "--name", "Rita Kea"]),
        ("ada", &["user", "set-role", "rita", "developer"]),
        ("ada", &["user", "deactivate", "rita"]),
        ("ada", &["user", "reactivate", "rita"]),
        ("mara", &["task", "add", "Fourth", "--key", "fourth"]),
        ("mara", &["task", "add", "Fifth"]),
        (&assignee, &["task", "complete", "3"]),
        ("mara", &["task", "reshuffle"]),
        (
            "axel",
            &[
                "account", "correct", &fee, "--amount", "1.00", "--reason", "slip",
            ],
        ),
    ];
    for (login, words) in writes {
        assert!(
            !shown_and_done(&world, login, words).is_empty(),
            "{words:?}"
        );
    }
    // A command that changes nothing, or is replayed, prints nothing.
    assert_eq!(
        shown_and_done(
            &world,
            "mara",
            &["task", "add", "Fourth", "--key", "fourth"]
        ),
        ""
    );
    assert_eq!(
        shown_and_done(&world, "ada", &["user", "set-role", "rita", "developer"]),
        ""
    );
}

#[test]
fn a_close_shows_the_entries_it_reacts_with_and_every_date_in_order() {
    let mut world = busy();
    world.at("2026-03-03T09:00:00Z");
    world.does(&holder(&world), &["task", "complete", "3"]);
    world.at("2026-03-05T09:00:00Z");
    let one = shown(&world, "axel", &["close", "--date", "2026-03-02"]);
    let all = shown(&world, "axel", &["close"]);
    assert!(all.starts_with(&one) && one.ends_with("\n"));
    let order: Vec<_> = types(&all)
        .into_iter()
        .filter(|name| name == "day.closed.v1")
        .collect();
    assert_eq!(
        (
            order.len(),
            types(&one)
                .iter()
                .filter(|name| **name == "day.closed.v1")
                .count()
        ),
        (3, 1)
    );
    let payouts = |lines: &str| {
        types(lines)
            .iter()
            .filter(|name| *name == "payout.made.v1")
            .count()
    };
    assert!(
        payouts(&one) > 0 && payouts(&all) > payouts(&one),
        "{} of {}",
        payouts(&one),
        payouts(&all)
    );
    assert_eq!(
        shown_and_done(&world, "axel", &["close", "--date", "2026-03-02"]),
        one
    );
    assert_eq!(
        shown_and_done(&world, "cron", &["close"]).lines().count(),
        all.lines().count() - one.lines().count()
    );
    assert_eq!(shown_and_done(&world, "axel", &["close"]), "");
    world.refused(
        "axel",
        &["close", "--date", "2026-03-05", "-n"],
        4,
        "date_not_over",
    );
    world.refused("dora", &["close", "-n"], 5, "role_may_not");
    world.call("ada", &["verify", "--deep"]).expect(0, Any, Any);
}

#[test]
fn an_import_shows_what_its_closes_append_in_the_order_of_its_rows() {
    let mut world = World::new();
    world.at("2026-03-09T09:00:00Z");
    let file = "at,action,key,actor,login,name,email,role,title,jira_id,description
2026-03-03T08:00:00Z,create,A,,,,,,Sweep,UP-1,
2026-03-03T09:00:00Z,create,B,,,,,,Polish,,
2026-03-03T10:00:00Z,complete,A,,,,,,,,
2026-03-04T08:00:00Z,close,,,,,,,,,
2026-03-04T09:00:00Z,complete,B,,,,,,,,
2026-03-04T10:00:00Z,create,C,,,,,,Refill,,
2026-03-05T08:00:00Z,close,,axel,,,,,,,
";
    std::fs::write(world.home().join("history.csv"), file).expect("written");
    let lines = types(&shown_and_done(
        &world,
        "ada",
        &["import", "activity", "history.csv"],
    ));
    assert_eq!(
        lines.iter().filter(|name| *name == "day.closed.v1").count(),
        3
    );
    let position = |name: &str| lines.iter().position(|found| found == name).expect("there");
    assert!(
        position("day.closed.v1")
            < lines
                .iter()
                .rposition(|name| name == "task.completed.v1")
                .expect("there")
    );
    assert_eq!(
        shown_and_done(&world, "ada", &["import", "activity", "history.csv"]),
        ""
    );
    for (kind, text) in [
        (
            "users",
            "login,name,email,role\npia,Pia,pia@popug.example,worker\n",
        ),
        (
            "tasks",
            "key,title,jira_id,description\nX,Dust,,\nY,Wipe,,\n",
        ),
    ] {
        std::fs::write(world.home().join("rows.csv"), text).expect("written");
        assert!(!shown_and_done(&world, "ada", &["import", kind, "rows.csv"]).is_empty());
    }
}

#[test]
fn a_simulation_shows_a_companys_whole_life() {
    let mut world = World::new();
    world.at("2026-03-20T09:00:00Z");
    let words = [
        "simulate",
        "--days",
        "9",
        "--popugs",
        "5",
        "--tasks-per-day",
        "6",
        "--seed",
        "3",
    ];
    let shown = shown(&world, "ada", &words);
    let before = world.log_bytes().len();
    world.does("ada", &words);
    let appended = String::from_utf8(world.log_bytes()[before..].to_vec()).expect("UTF-8");
    assert!(appended.starts_with(&shown), "what follows are the mails");
    let rest = types(&appended[shown.len()..]);
    assert!(
        !rest.is_empty() && rest.iter().all(|name| name == "mail.sent.v1"),
        "{rest:?}"
    );
    assert!(
        types(&shown)
            .iter()
            .filter(|name| *name == "day.closed.v1")
            .count()
            >= 9
    );
}

#[test]
fn a_founding_is_shown_without_making_anything() {
    let world = World::empty();
    let init = |words: &[&str]| {
        world
            .anonymous(&[&INIT[..], &["--password-stdin"], words].concat())
            .stdin(PASSWORD)
    };
    let shown = init(&["-n"]).expect(0, Any, Nothing).stdout;
    assert_eq!(types(&shown), ["company.founded.v1", "user.registered.v1"]);
    assert_eq!(std::fs::read_dir(world.home()).expect("a home").count(), 0);
    init(&[]).expect(0, Nothing, Nothing);
    assert_eq!(world.log_bytes(), shown.as_bytes());
    init(&["-n"]).expect(4, Nothing, Any);
    init(&["-n", "-C", "other", "--founded-at", "2030-01-01T00:00:00Z"]).expect(6, Nothing, Any);
    let short = world
        .anonymous(&[&INIT[..], &["--password-stdin", "-n", "-C", "other"]].concat())
        .stdin("short");
    short.expect(6, Nothing, Any);
}

#[test]
fn nothing_is_sent_and_the_notifier_shows_nothing() {
    let mut world = busy();
    world.at("2026-03-03T09:00:00Z");
    world.does("axel", &["close"]);
    assert_eq!(shown(&world, "ada", &["consume", "notifier"]), "");
    assert_eq!(
        shown(&world, "ada", &["consume"]),
        "",
        "a close leaves nothing that accounting owes"
    );
    assert!(!world.store().join("outbox").exists());
    let mail = world.rows("axel", &["mail", "list"])[0].clone();
    let payout = mail["payout_id"].as_str().expect("an id");
    let would = format!(
        "mail {payout} would be sent to {}, attempt 1\n",
        mail["to"].as_str().expect("an address")
    );
    world
        .call("axel", &["mail", "retry", payout, "-n"])
        .expect(0, Nothing, Is(&would));
    assert!(!world.store().join("outbox").exists());
    assert_eq!(world.rows("axel", &["mail", "list"])[0], mail);
    world.does("ada", &["consume"]);
    world
        .call("axel", &["mail", "retry", payout, "-n"])
        .expect(0, Nothing, Has("written already"));
    world
        .call("axel", &["mail", "retry", "ffffffff", "-n"])
        .expect(3, Nothing, Any);
    world
        .call("dora", &["mail", "retry", payout, "-n"])
        .expect(5, Nothing, Any);
}

#[test]
fn a_command_without_events_says_what_it_would_do_and_does_it_not() {
    let world = World::new();
    let passwords = || std::fs::read(world.store().join("auth/passwords.json")).expect("passwords");
    let before = (passwords(), world.rows("ada", &["token", "list"]));
    let token = before.1[0]["token_id"].as_str().expect("an id");
    let said = |login: &str, words: &[&str], exit: i32, stderr: &str| {
        let call = world
            .call(login, &[words, &["-n"]].concat())
            .env("POPUG_PASSWORD", PASSWORD);
        call.stdin("another long password\n")
            .expect(exit, Nothing, Has(stderr));
    };
    said("ada", &["login", "ada"], 0, "ada would be logged in");
    said("ada", &["login", "dora"], 5, "wrong login or password");
    said("ada", &["logout"], 0, "there is no session");
    said(
        "ada",
        &["token", "issue", "dora"],
        0,
        "a token for dora would be issued, good for 90d",
    );
    said("dora", &["token", "issue", "ada"], 5, "may not");
    said(
        "ada",
        &["token", "issue", "ada", "--ttl", "soon"],
        2,
        "soon",
    );
    said("ada", &["token", "revoke", token], 0, "would be revoked");
    said("ada", &["token", "revoke", "nonsense"], 3, "no token");
    said(
        "dora",
        &["user", "set-password", "ada", "--password-stdin"],
        5,
        "may not",
    );
    said(
        "ada",
        &["user", "set-password", "dora", "--password-stdin"],
        0,
        "the password of dora would be set",
    );
    assert!(before == (passwords(), world.rows("ada", &["token", "list"])));
    world
        .anonymous(&["login", "ada"])
        .env("POPUG_PASSWORD", PASSWORD)
        .expect(0, Nothing, Nothing);
    world
        .anonymous(&["logout", "-n"])
        .expect(0, Nothing, Has("the session would be ended"));
    world.anonymous(&["whoami"]).expect(0, Has("ada"), Nothing);
}

#[test]
fn a_command_that_cannot_be_shown_beforehand_refuses_a_dry_run_and_says_why() {
    let world = World::new();
    let before = log_files(&world);
    for (words, why) in [
        (
            &["consume", "--rebuild", "-n"][..],
            "a rebuild appends nothing",
        ),
        (&["consume", "--follow", "-n"], "nothing to follow"),
        (&["demo", "-n", "--dir", "nowhere"], "simulate -n"),
    ] {
        world.call("ada", words).expect(2, Nothing, Has(why));
    }
    assert!(log_files(&world) == before && !world.home().join("nowhere").exists());
}

#[test]
fn a_dry_run_lets_go_of_its_locks_before_it_prints() {
    let world = World::new();
    let fifo = world.home().join("slow.ndjson");
    let made = deadline::status(Command::new("mkfifo").arg(&fifo));
    assert!(made.success());
    let words = [
        "task",
        "add",
        "Dry",
        "-n",
        "--out",
        fifo.to_str().expect("UTF-8"),
    ];
    let mut waiting = world.call("mara", &words).spawn();
    // It waits for a reader of the pipe, and no other command waits for it.
    for title in ["One", "Two"] {
        world
            .call("mara", &["task", "add", title, "--lock-wait", "5s"])
            .expect(0, Any, Nothing);
    }
    assert!(
        std::fs::read_to_string(&fifo)
            .expect("text")
            .contains("task.created.v2")
    );
    assert!(waiting.wait().success());
}
