//! An event that accounting cannot apply, from the stop to the close, as operators see it.

use serde_json::{Value, json};

use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::World;
use crate::helpers::stores::{UNKNOWN_TASK, written_from_outside};

fn with_an_event_that_stops_accounting(world: &World) -> String {
    let dora = world.json("ada", &["user", "show", "dora"])["user_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let data = format!(
        "{{\"task_id\":\"{UNKNOWN_TASK}\",\"completed_by\":\"{dora}\",\"assignment_no\":1}}"
    );
    written_from_outside(world, "tracker", "task.completed.v1", UNKNOWN_TASK, &data)
}

#[test]
fn an_event_is_set_aside_shown_skipped_and_its_date_closed() {
    let mut world = World::new();
    world.does("mara", &["task", "add", "One"]);
    world.does("ada", &["consume"]);
    let bad = with_an_event_that_stops_accounting(&world);
    world
        .call("mara", &["task", "add", "Two"])
        .expect(0, Any, Has("1 whole events were kept"));

    let stopped = world.call("ada", &["consume", "accounting"]).expect(
        1,
        Nothing,
        Has(&format!("stops at event {bad}")),
    );
    assert!(
        stopped.stderr.contains(&format!("dlq set-aside {bad}")),
        "{}",
        stopped.stderr
    );
    let status = world.json("ada", &["status"]);
    let accounting = &status["consumers"][1];
    assert_eq!(
        (&accounting["name"], &accounting["set_aside"]),
        (&json!("accounting"), &json!(0))
    );
    assert!(
        accounting["last_error"]
            .as_str()
            .is_some_and(|error| error.contains(&bad)),
        "{accounting}"
    );

    world.refused("mara", &["dlq", "list"], 5, "role_may_not");
    world.refused("mara", &["dlq", "set-aside", &bad], 5, "role_may_not");
    world.refused("mara", &["dlq", "set-aside", "999999"], 3, "unknown_event");
    world.refused("ada", &["dlq", "set-aside", "1"], 4, "not_stopped");
    world.refused("ada", &["dlq", "set-aside", "999999"], 3, "unknown_event");
    world.refused(
        "ada",
        &["dlq", "skip", &bad, "--reason", "x"],
        4,
        "not_set_aside",
    );
    let shown = world.answer("ada", &["dlq", "set-aside", &bad, "-n"]);
    assert!(shown.contains("event.set_aside.v1"), "{shown}");
    let set_aside = world.rows("ada", &["dlq", "set-aside", &bad, "--key", "k", "-q"]);
    assert_eq!(
        (&set_aside[0]["standing"], &set_aside[0]["consumer"]),
        (&json!("set_aside"), &json!("accounting"))
    );
    let again = world.rows("ada", &["dlq", "set-aside", &bad, "--key", "k", "-q"]);
    assert_eq!(
        again, set_aside,
        "the same key gives the first result again"
    );

    world.does("ada", &["consume"]);
    assert_eq!(
        world.json("ada", &["status"])["consumers"][1]["set_aside"],
        1
    );
    world.anonymous(&["doctor"]).expect(
        0,
        Has("dead-letters\twarning\t1 event is set aside"),
        Nothing,
    );
    assert_eq!(
        world.json("ada", &["dlq", "show", &bad])["event"]["type"],
        "task.completed.v1"
    );

    world.at("2026-03-03T08:00:00Z");
    let blocked =
        world
            .call("ada", &["close", "-o", "json"])
            .expect(4, Has("\"result\":\"blocked\""), Any);
    assert!(
        blocked
            .stderr
            .contains(&format!("event {bad} is set aside")),
        "{}",
        blocked.stderr
    );
    world.refused("ada", &["dlq", "skip", &bad], 6, "empty");
    world.refused("ada", &["dlq", "retry", &bad], 6, "empty");
    world.does(
        "ada",
        &["dlq", "skip", &bad, "--reason", "no such task", "-q"],
    );
    world.does("ada", &["close"]);
    let closes = world.rows("ada", &["report", "closes"]);
    assert_eq!(closes[0]["skipped_events"], 1);
    let before = world.answer("ada", &["report", "entries", "-o", "json"]);
    world.does("ada", &["consume", "--rebuild"]);
    assert_eq!(
        world.answer("ada", &["report", "entries", "-o", "json"]),
        before
    );
    let listed = world.rows("ada", &["dlq", "list"]);
    assert_eq!(
        (listed.len(), &listed[0]["standing"]),
        (1, &json!("skipped"))
    );
}

#[test]
fn an_event_of_the_books_that_analytics_cannot_read_is_set_aside_and_never_skipped() {
    let world = World::new();
    world.does("ada", &["consume"]);
    let bad = written_from_outside(&world, "accounting", "task.settled.v9", UNKNOWN_TASK, "{}");
    world
        .call("mara", &["task", "add", "One"])
        .expect(0, Any, Has("1 whole events were kept"));
    world.call("ada", &["consume"]).expect(12, Nothing, Any);
    let once = ["dlq", "set-aside", &bad, "--key", "k", "-q"];
    let set_aside = world.rows("ada", &once);
    assert_eq!(set_aside[0]["consumer"], "analytics");
    assert_eq!(
        world.rows("ada", &once),
        set_aside,
        "the key is known, whichever consumer it was"
    );
    world.does("ada", &["consume"]);
    world.refused(
        "ada",
        &[
            "dlq",
            "skip",
            &bad,
            "--consumer",
            "analytics",
            "--reason",
            "x",
        ],
        4,
        "books_are_not_skipped",
    );
    world.refused("ada", &["dlq", "retry", &bad], 4, "still_unreadable");
    assert_eq!(
        world.json("ada", &["status"])["consumers"][2]["set_aside"],
        1
    );
}

#[test]
fn a_second_completion_leaves_the_task_as_it_was_and_reports_say_how_far_they_go() {
    let mut world = World::new();
    let task = world.json("mara", &["task", "add", "One"]);
    let (id, assignee) = (
        task["task_id"].as_str().expect("an id"),
        task["assignee"].as_str().expect("a login"),
    );
    world.does(assignee, &["task", "complete", "1"]);
    world.does("ada", &["consume"]);
    let as_completed = world.json("mara", &["task", "show", "1"]);
    world.at("2026-03-02T11:00:00Z");
    world.does("mara", &["task", "add", "Two"]);
    let dora = world.json("ada", &["user", "show", "dora"])["user_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let data = format!("{{\"task_id\":\"{id}\",\"completed_by\":\"{dora}\",\"assignment_no\":1}}");
    let bad: u64 = written_from_outside(&world, "tracker", "task.completed.v1", id, &data)
        .parse()
        .expect("a number");
    world
        .call("mara", &["task", "add", "Three"])
        .expect(0, Any, Has("1 whole events were kept"));
    assert_eq!(world.json("mara", &["task", "show", "1"]), as_completed);

    world.at("2026-03-02T12:00:00Z");
    world
        .call("ada", &["consume"])
        .expect(1, Any, Has(&format!("stops at event {bad}")));
    let status = world.json("ada", &["status"]);
    let (head, accounting) = (
        status["head"]["sequence"].as_u64().expect("a number"),
        &status["consumers"][1],
    );
    let wanted = (json!(bad - 1), json!(head + 1 - bad), json!(3600));
    assert_eq!(
        (
            &accounting["sequence"],
            &accounting["lag_events"],
            &accounting["lag_seconds"]
        ),
        (&wanted.0, &wanted.1, &wanted.2)
    );
    assert!(
        accounting["last_error"]
            .as_str()
            .is_some_and(|error| error.contains(&bad.to_string())),
        "{accounting}"
    );
    let others = [
        &status["consumers"][2]["lag_events"],
        &status["consumers"][3]["lag_events"],
    ];
    assert_eq!(
        others,
        [&json!(0), &json!(0)],
        "they do not wait for accounting: {status}"
    );
    let behind = format!(
        "as of event {} of {head}; accounting stops at event {bad}: `popug-cli dlq show {bad}`",
        bad - 1
    );
    for words in [
        &["report", "balances"][..],
        &["report", "tasks"],
        &["report", "statement"],
    ] {
        let report = world
            .call("mara", &[words, &["-o", "json"]].concat())
            .expect(0, Any, Has(&behind))
            .json();
        assert_eq!(report["as_of_sequence"], bad - 1, "{words:?}");
        assert!(
            words[1] != "tasks"
                || report["rows"]
                    .as_array()
                    .is_some_and(|rows| rows.len() == 3),
            "{report}"
        );
    }
    let journal = ["export", "journal", "--format", "hledger"];
    world.call("ada", &journal).expect(
        0,
        Has(&format!("as of sequence {}", bad - 1)),
        Has(&behind),
    );

    world.does("ada", &["dlq", "set-aside", &bad.to_string(), "-q"]);
    world.does("ada", &["consume"]);
    let status = world.json("ada", &["status"]);
    assert_eq!(
        (
            &status["consumers"][1]["lag_events"],
            &status["consumers"][1]["last_error"]
        ),
        (&json!(0), &Value::Null)
    );
    let without =
        format!("without event {bad}, which is set aside, and the events that wait for it");
    for words in [&["report", "balances"][..], &["report", "earnings"]] {
        let expected = if words[1] == "balances" {
            Has(&without)
        } else {
            Nothing
        };
        world.call("ada", words).expect(0, Any, expected);
    }
    world
        .call("ada", &["export", "--dir", "exported"])
        .expect(0, Any, Has(&without));
    for decided in ["set aside", "skipped"] {
        world
            .anonymous(&["verify", "--deep"])
            .expect(0, Has("sound"), Any);
        if decided == "set aside" {
            world.does(
                "ada",
                &[
                    "dlq",
                    "skip",
                    &bad.to_string(),
                    "--reason",
                    "it came twice",
                    "-q",
                ],
            );
            world.does("ada", &["consume"]);
        }
    }
}

#[test]
fn a_retried_event_that_stops_accounting_again_is_told_wherever_the_ledger_is() {
    let world = World::new();
    let task = world.json("mara", &["task", "add", "One"]);
    let (id, assignee) = (
        task["task_id"].as_str().expect("an id"),
        task["assignee"].as_str().expect("a login"),
    );
    world.does(assignee, &["task", "complete", "1"]);
    world.does("ada", &["consume"]);
    let dora = world.json("ada", &["user", "show", "dora"])["user_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let data = format!("{{\"task_id\":\"{id}\",\"completed_by\":\"{dora}\",\"assignment_no\":1}}");
    let bad = written_from_outside(&world, "tracker", "task.completed.v1", id, &data);
    let stops = format!("accounting stops at event {bad}");
    world
        .call("mara", &["task", "add", "Two"])
        .expect(0, Any, Has("1 whole events were kept"));
    world.call("ada", &["consume"]).expect(1, Any, Has(&stops));
    world.does("ada", &["dlq", "set-aside", &bad, "-q"]);
    world.does("mara", &["task", "add", "Three"]);
    world.does("ada", &["consume"]);
    let before: u64 = bad.parse::<u64>().expect("a number") - 1;
    world.call("mara", &["report", "balances"]).expect(
        0,
        Any,
        Has(&format!("without event {bad}, ")),
    );
    world.does(
        "ada",
        &["dlq", "retry", &bad, "--reason", "once more", "-q"],
    );
    world.call("ada", &["consume"]).expect(1, Any, Has(&stops));

    let accounting = &world.json("ada", &["status"])["consumers"][1];
    assert_eq!(accounting["sequence"], before, "{accounting}");
    assert!(
        accounting["last_error"]
            .as_str()
            .is_some_and(|error| error.starts_with(&stops)),
        "{accounting}"
    );
    let head = world.json("ada", &["status"])["head"]["sequence"]
        .as_u64()
        .expect("a number");
    let behind = format!(
        "as of event {before} of {head} and some of what came later; accounting stops at event {bad}:"
    );
    let report = world
        .call("mara", &["report", "balances", "-o", "json"])
        .expect(0, Any, Has(&behind))
        .json();
    assert_eq!(report["as_of_sequence"], before);
    let journal = ["export", "journal", "--format", "hledger"];
    world
        .call("ada", &journal)
        .expect(0, Has(&format!("as of sequence {before}")), Has(&behind));
    world.anonymous(&["doctor"]).expect(
        7,
        Has(&format!("accounting\tproblem\tit stops at event {bad}")),
        Nothing,
    );
}

#[test]
fn while_an_event_of_the_books_is_set_aside_everything_names_what_lets_them_go_on() {
    let mut world = World::new();
    world.does("mara", &["task", "add", "One"]);
    world.does("ada", &["consume"]);
    let bad = written_from_outside(
        &world,
        "accounting",
        "balance.changed.v9",
        UNKNOWN_TASK,
        "{}",
    );
    world
        .call("mara", &["task", "add", "Two"])
        .expect(0, Any, Has("1 whole events were kept"));
    world
        .call("ada", &["consume", "accounting"])
        .expect(12, Nothing, Any);
    world.does(
        "ada",
        &["dlq", "set-aside", &bad, "--consumer", "accounting", "-q"],
    );
    world.at("2026-03-04T12:00:00Z");
    world
        .call("ada", &["consume", "accounting"])
        .expect(0, Any, Has("nothing is charged"));

    let before: u64 = bad.parse::<u64>().expect("a number") - 1;
    let retried = format!("event {bad} of the books is set aside: `popug-cli dlq show {bad}`");
    let told = world
        .call("mara", &["report", "balances"])
        .expect(0, Any, Has(&retried));
    assert!(
        told.stderr.contains(&format!("as of event {before} of ")),
        "{}",
        told.stderr
    );
    assert!(
        told.stderr
            .contains(&format!("`popug-cli dlq retry {bad} ")),
        "{}",
        told.stderr
    );
    assert!(
        !told.stderr.contains("popug-cli consume"),
        "{}",
        told.stderr
    );
    let accounting = &world.json("ada", &["status"])["consumers"][1];
    assert_eq!(accounting["sequence"], before, "{accounting}");
    assert!(
        accounting["last_error"]
            .as_str()
            .is_some_and(|error| error.contains(&format!("until event {bad} of")))
    );
    let doctor = world.anonymous(&["doctor"]).run();
    let line = doctor
        .stdout
        .lines()
        .find(|line| line.starts_with("accounting\t"))
        .expect("a line");
    assert!(
        line.contains(&format!("dlq retry {bad}")) && !line.contains("popug-cli consume"),
        "{line}"
    );
}
