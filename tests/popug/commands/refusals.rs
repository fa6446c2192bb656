//! Exit codes, the order of refusals, and the checks between a caller and the store.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::{World, last_error};
use crate::helpers::sources::files;

#[test]
fn a_store_that_is_not_there_is_exit_10() {
    let world = World::empty();
    let commands: [&[&str]; 6] = [
        &["whoami"],
        &["task", "add", "x"],
        &["consume"],
        &["close"],
        &["report", "balances"],
        &["log", "tail"],
    ];
    for words in commands {
        let output = world
            .anonymous(words)
            .arg("-o")
            .arg("json")
            .expect(10, Nothing, Any);
        assert_eq!(last_error(&output)["code"], "no_store");
    }
    assert_eq!(
        std::fs::read_dir(world.home()).expect("a home").count(),
        0,
        "something was made where nothing was"
    );
}

#[test]
fn a_damaged_log_is_exit_12_for_reader_and_writer_and_stays_as_it_is() {
    let world = World::new();
    let segment = world.store().join("log/00000000000000000001.ndjson");
    let mut bytes = std::fs::read(&segment).expect("a segment");
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&segment, &bytes).expect("written");
    std::fs::remove_file(world.store().join("state.sqlite")).expect("removed");
    let commands: [&[&str]; 3] = [
        &["task", "list"],
        &["task", "add", "x"],
        &["log", "tail", "--from", "1"],
    ];
    for words in commands {
        let error = world.refused("ada", words, 12, "log_damaged");
        assert!(
            error["hints"][0]
                .as_str()
                .expect("a hint")
                .contains("nothing was changed"),
            "{error}"
        );
    }
    assert!(std::fs::read(&segment).expect("a segment") == bytes);
}

#[test]
fn a_log_shorter_than_its_head_is_exit_12() {
    let world = World::new();
    let segment = world.store().join("log/00000000000000000001.ndjson");
    let bytes = std::fs::read(&segment).expect("a segment");
    std::fs::write(&segment, &bytes[..bytes.len() - 1]).expect("written");
    world
        .call("ada", &["task", "add", "x"])
        .expect(12, Nothing, Has("error: "));
    assert_eq!(
        std::fs::read(&segment).expect("a segment").len(),
        bytes.len() - 1
    );
}

#[test]
fn an_unfinished_end_is_cut_and_said_so() {
    let world = World::new();
    let segment = world.store().join("log/00000000000000000001.ndjson");
    let before = world.log_bytes();
    let torn = [&before[..], b"{\"specversion\":\"1.0\",\"id\":\""].concat();
    std::fs::write(&segment, torn).expect("written");
    world
        .call("mara", &["task", "list"])
        .expect(0, Nothing, Nothing);
    world
        .call("mara", &["task", "add", "x"])
        .expect(0, Any, Has("the log had an unfinished end"));
    assert!(world.log_bytes().starts_with(&before));
    crate::helpers::chain::check(&world.log_lines());
}

#[test]
fn refusals_come_in_their_order() {
    let world = World::new();
    let task = world.json("mara", &["task", "add", "First", "--key", "used"]);
    let assignee = task["assignee"].as_str().expect("a login").to_owned();
    let other = if assignee == "dora" { "walt" } else { "dora" };
    world.does(&assignee, &["task", "complete", "1"]);
    let bad = "bad [title]";
    // A known key comes before everything else.
    world.refused(
        other,
        &["user", "set-role", "nobody", "plumber", "--key", "used"],
        4,
        "key_reused",
    );
    // Unknown (3) before the role (5).
    world.refused(
        other,
        &["user", "set-role", "nobody", "plumber"],
        3,
        "unknown_user",
    );
    world.refused("cron", &["task", "complete", "99"], 3, "unknown_task");
    world.refused(other, &["task", "complete", "1", "99"], 3, "unknown_task");
    // The role (5) before state (4) and text (6).
    world.refused(
        other,
        &["user", "set-role", "ada", "plumber"],
        5,
        "role_may_not",
    );
    world.refused(other, &["task", "complete", "1"], 5, "not_the_assignee");
    world.refused("cron", &["task", "add", bad], 5, "role_may_not");
    // State (4) before text (6).
    world.refused(
        &assignee,
        &["task", "complete", "1"],
        4,
        "already_completed",
    );
    let register = [
        "user", "register", "--login", "dora", "--name", "", "--email", "x", "--role", "plumber",
    ];
    world.refused("ada", &register, 4, "login_taken");
    for login in ["axel", "dora", "dan", "walt"] {
        world.does("ada", &["user", "deactivate", login]);
    }
    world.refused("mara", &["task", "add", bad], 4, "nobody_eligible");
}

#[test]
fn several_tasks_are_completed_all_or_none() {
    let world = World::new();
    let mut held = std::collections::BTreeMap::<String, Vec<String>>::new();
    for _ in 0..6 {
        let task = world.json("mara", &["task", "add", "Many"]);
        let assignee = task["assignee"].as_str().expect("a login").to_owned();
        held.entry(assignee)
            .or_default()
            .push(task["number"].to_string());
    }
    let (login, own) = held
        .iter()
        .max_by_key(|(_, tasks)| tasks.len())
        .expect("somebody");
    let foreign = held
        .iter()
        .find(|(other, _)| *other != login)
        .map_or("99", |(_, tasks)| tasks[0].as_str());
    let words: Vec<&str> = ["task", "complete"]
        .into_iter()
        .chain(own.iter().map(String::as_str))
        .collect();
    let exit = if foreign == "99" { 3 } else { 5 };
    world
        .call(login, &words)
        .arg(foreign)
        .expect(exit, Nothing, Has("error: "));
    assert!(
        world
            .events()
            .iter()
            .all(|event| event["type"] != "task.completed.v1")
    );
    world.does(login, &words);
    let completed: Vec<_> = world
        .events()
        .into_iter()
        .filter(|event| event["type"] == "task.completed.v1")
        .collect();
    assert_eq!(completed.len(), own.len());
    assert!(
        completed
            .iter()
            .all(|event| event["commandid"] == completed[0]["commandid"])
    );
}

#[test]
fn with_nobody_to_draw_a_reshuffle_works_only_when_nothing_is_open() {
    let world = World::new();
    for login in ["axel", "dora", "dan", "walt"] {
        world.does("ada", &["user", "deactivate", login]);
    }
    let reshuffled = world.json("mara", &["task", "reshuffle"]);
    assert_eq!(
        (&reshuffled["open_tasks"], &reshuffled["moved"]),
        (&json!(0), &json!(0))
    );
    world.does("ada", &["user", "reactivate", "walt"]);
    world.does("mara", &["task", "add", "Stuck"]);
    world.does("ada", &["user", "deactivate", "walt"]);
    world.refused("mara", &["task", "reshuffle"], 4, "nobody_eligible");
}

#[test]
fn a_pinned_clock_is_refused_by_writes_of_a_real_store() {
    let world = World::empty();
    let init = world
        .anonymous(&crate::helpers::harness::INIT)
        .arg("--password-stdin")
        .stdin(crate::helpers::harness::PASSWORD);
    init.without("POPUG_NOW")
        .without("POPUG_SEED")
        .expect(0, Nothing, Nothing);
    let call = |words: &[&str]| {
        world
            .anonymous(words)
            .env("POPUG_PASSWORD", crate::helpers::harness::PASSWORD)
    };
    let before = world.log_bytes();
    for words in [
        &["task", "add", "x", "--as", "ada"][..],
        &["consume", "--as", "ada"],
        &["close", "--as", "ada"],
    ] {
        call(words).expect(5, Nothing, Has("POPUG_NOW is set, but this store"));
        call(words).without("POPUG_NOW").expect(
            5,
            Nothing,
            Has("POPUG_SEED is set, but this store"),
        );
    }
    call(&["task", "list", "--as", "ada"]).expect(0, Nothing, Nothing);
    assert!(world.log_bytes() == before);
}

#[test]
fn a_clock_that_is_a_little_behind_warns_and_one_far_behind_refuses() {
    let mut world = World::new();
    world
        .at("2026-03-02T10:00:00Z")
        .does("mara", &["task", "add", "Late"]);
    world
        .at("2026-03-02T09:59:59.500Z")
        .does("mara", &["task", "add", "Silently"]);
    world
        .at("2026-03-02T09:55:00Z")
        .call("mara", &["task", "add", "With a warning"])
        .expect(0, Any, Has("warning: the clock is 300 s behind"));
    let error = world.at("2026-03-02T09:49:59Z").refused(
        "mara",
        &["task", "add", "Never"],
        4,
        "clock_behind",
    );
    assert!(
        error["hints"][0]
            .as_str()
            .expect("a hint")
            .contains("--to-sequence 8"),
        "{error}"
    );
    let status = world
        .call("ada", &["status"])
        .expect(0, Any, Has("is ahead of the clock"));
    assert!(
        status.stdout.starts_with("tracker\t14\t0\t"),
        "{}",
        status.stdout
    );
    crate::helpers::chain::check(&world.log_lines());
}

#[test]
fn secrets_that_others_can_read_are_refused() {
    let world = World::new();
    let records = files(&world.store().join("auth/tokens"), "json");
    assert!(!records.is_empty());
    for record in records {
        let mode = std::fs::metadata(&record)
            .expect("a record")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::set_permissions(&record, std::fs::Permissions::from_mode(0o644)).expect("a mode");
    }
    let error = world.refused("dora", &["whoami"], 5, "open_to_others");
    assert!(
        error["hints"][0]
            .as_str()
            .expect("a hint")
            .starts_with("chmod 600 '"),
        "{error}"
    );
}

#[test]
fn a_token_of_another_store_is_refused() {
    let world = World::new();
    let other = World::empty();
    let init = other
        .anonymous(&crate::helpers::harness::INIT)
        .arg("--password-stdin")
        .stdin(crate::helpers::harness::PASSWORD);
    init.env("POPUG_SEED", "8").expect(0, Nothing, Nothing);
    let output = other
        .anonymous(&["whoami", "-o", "json"])
        .env("POPUG_TOKEN", world.token("ada"))
        .expect(5, Nothing, Any);
    assert_eq!(last_error(&output)["code"], "token_refused");
}

#[test]
fn no_secret_is_in_the_log() {
    let world = World::new();
    world
        .call("ada", &["user", "set-password", "dora", "--password-stdin"])
        .stdin("very secret words")
        .expect(0, Nothing, Nothing);
    let log = String::from_utf8(world.log_bytes()).expect("UTF-8");
    assert!(
        !log.contains(crate::helpers::harness::PASSWORD)
            && !log.contains("very secret")
            && !log.contains(world.token("dora"))
    );
}

#[test]
fn a_trial_balance_that_does_not_balance_is_never_seen() {
    let world = World::new();
    world.does("mara", &["task", "add", "Balance"]);
    world.does("ada", &["consume"]);
    let totals = world.json("ada", &["report", "trial-balance"])["totals"].clone();
    assert_eq!(totals["debit"], totals["credit"]);
}

#[test]
fn a_finding_is_exit_7() {
    let world = World::new();
    let file = world.home().join("lines.ndjson");
    std::fs::write(&file, "{\"type\":\"task.created.v2\"}\n").expect("written");
    world
        .anonymous(&["schema", "check"])
        .arg(&file)
        .expect(7, Has("line 1: "), Nothing);
    let lines = world.log_lines().join("\n");
    world
        .anonymous(&["schema", "check", "-"])
        .stdin(&lines)
        .expect(0, Nothing, Nothing);
}

#[test]
fn an_address_that_no_mail_can_bear_is_refused_wherever_it_is_given() {
    let world = World::new();
    for email in [
        "dora\u{202e}@popug.example",
        "do\u{200b}ra@popug.example",
        "dora@popug..example",
        "dora@xn--zzzzzzzz.example",
    ] {
        let register = [
            "user", "register", "--login", "new", "--name", "N", "--role", "worker", "--email",
            email,
        ];
        world.refused("ada", &register, 6, "bad_email");
        world.refused(
            "ada",
            &["user", "update", "dora", "--email", email],
            6,
            "bad_email",
        );
        let sheet = format!("login,name,email,role\nnew,N,{email},worker\n");
        let import = world.call("ada", &["import", "users", "-"]).stdin(&sheet);
        import.expect(6, Nothing, Has("line 2, column email"));
    }
}
