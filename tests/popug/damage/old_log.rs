//! Lines that an older popug-cli wrote are read through the whole program.

use serde_json::{Value, json};

use crate::helpers::chain;
use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::World;
use crate::model::books::Books;

const GOLDEN: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/golden/v1/log/00000000000000000001.ndjson"
);

/// Turns every `task.created.v2` into the `task.created.v1` that it would have been, with its jira
/// id in the title. The chain is hashed again; the head is lost.
fn rewrite_as_v1(world: &World) {
    let mut previous = chain::NO_HASH.to_owned();
    let mut text = String::new();
    for line in world.log_lines() {
        let (body, _) = chain::split(&line);
        let body = as_v1(&body);
        previous = chain::hash(&previous, &body);
        text.push_str(&format!(
            "{},\"hash\":\"{previous}\"}}\n",
            &body[..body.len() - 1]
        ));
    }
    std::fs::write(world.store().join("log/00000000000000000001.ndjson"), text).expect("written");
    std::fs::remove_file(world.store().join("log/head")).expect("removed");
    for file in [
        "state.sqlite",
        "accounting.duckdb",
        "analytics.duckdb",
        "notifier.sqlite",
    ] {
        let _ = std::fs::remove_file(world.store().join(file));
    }
}

fn as_v1(body: &str) -> String {
    let event: Value = serde_json::from_str(body).expect("JSON");
    let Some(jira_id) = event["data"]["jira_id"].as_str() else {
        return body.replace("task.created.v2", "task.created.v1");
    };
    let (title, id) = (
        event["data"]["title"].to_string(),
        json!(jira_id).to_string(),
    );
    body.replace("task.created.v2", "task.created.v1").replace(
        &format!("\"title\":{title},\"jira_id\":{id}"),
        &format!("\"title\":\"[{jira_id}] {}", &title[1..]),
    )
}

#[test]
fn tasks_of_the_first_format_are_listed_completed_paid_and_reported() {
    let mut world = World::new();
    world.does("mara", &["task", "add", "Old one", "--jira-id", "UP-7"]);
    world.does("mara", &["task", "add", "Plain old one"]);
    rewrite_as_v1(&world);
    chain::check(&world.log_lines());
    assert_eq!(
        world
            .events()
            .iter()
            .filter(|event| event["type"] == "task.created.v1")
            .count(),
        2
    );

    let listed = world.rows("mara", &["task", "list"]);
    assert_eq!(
        (&listed[0]["title"], &listed[0]["jira_id"]),
        (&json!("Old one"), &json!("UP-7"))
    );
    assert_eq!(
        (&listed[1]["title"], &listed[1]["jira_id"]),
        (&json!("Plain old one"), &Value::Null)
    );
    let assignee = listed[0]["assignee"].as_str().expect("a login").to_owned();
    let complete = world.call(&assignee, &["task", "complete", "UP-7"]);
    complete.expect(0, Nothing, Has("12 whole events were kept"));
    world.at("2026-03-03T08:00:00Z").does("ada", &["close"]);
    let tasks = world.rows("ada", &["report", "tasks"]);
    assert_eq!(
        (&tasks[0]["title"], &tasks[0]["jira_id"]),
        (&json!("Old one"), &json!("UP-7"))
    );
    let top = world.rows("ada", &["report", "top-task", "--date", "2026-03-02"]);
    assert_eq!(
        (&top[0]["jira_id"], &top[0]["title"]),
        (&json!("UP-7"), &json!("Old one"))
    );
    Books::of_log(&world.events());
    let added = world.json("mara", &["task", "add", "[UP-8] New one", "-q"]);
    assert_eq!(added["number"], 3);
    assert!(
        world
            .log_lines()
            .last()
            .is_some_and(|line| line.contains("task.assigned.v2"))
    );
}

#[test]
fn the_golden_log_conforms_to_its_schemas_and_its_chain() {
    let world = World::empty();
    world
        .anonymous(&["schema", "check", GOLDEN])
        .expect(0, Nothing, Nothing);
    let text = std::fs::read_to_string(GOLDEN).expect("a golden log");
    let mut previous = chain::NO_HASH.to_owned();
    for line in text.lines() {
        let (body, stated) = chain::split(line);
        previous = chain::hash(&previous, &body);
        assert_eq!(previous, stated);
    }
}

#[test]
fn an_event_of_a_version_that_is_not_known_yet_stops_whoever_needs_it() {
    let world = World::new();
    world.does("mara", &["task", "add", "From tomorrow"]);
    let lines = world.log_lines();
    let mut previous = chain::NO_HASH.to_owned();
    let mut text = String::new();
    for line in &lines {
        let body = chain::split(line)
            .0
            .replace("task.assigned.v2", "task.assigned.v9");
        previous = chain::hash(&previous, &body);
        text.push_str(&format!(
            "{},\"hash\":\"{previous}\"}}\n",
            &body[..body.len() - 1]
        ));
    }
    std::fs::write(world.store().join("log/00000000000000000001.ndjson"), text).expect("written");
    for file in ["log/head", "state.sqlite"] {
        std::fs::remove_file(world.store().join(file)).expect("removed");
    }
    let error = world.refused("mara", &["task", "list"], 12, "unknown_version");
    assert!(
        error["hints"][0]
            .as_str()
            .expect("a hint")
            .contains("update"),
        "{error}"
    );
}

#[test]
fn an_event_of_a_type_that_nobody_listens_to_is_passed_over() {
    let world = World::new();
    let lines = world.log_lines();
    let (_, previous) = chain::split(lines.last().expect("a line"));
    let last: Value = serde_json::from_str(lines.last().expect("a line")).expect("JSON");
    let body = format!(
        "{{\"specversion\":\"1.0\",\"id\":\"{}\",\"source\":\"/popug/cafeteria\",\"type\":\"lunch.served.v1\",\
         \"subject\":\"company\",\"time\":{},\"sequence\":\"{:020}\",\"more\":0,\"actor\":{},\
         \"commandid\":\"lunch/1\",\"data\":{{}}}}",
        uuid::Uuid::from_u128(1),
        last["time"],
        lines.len() + 1,
        last["actor"],
    );
    let line = format!(
        "{},\"hash\":\"{}\"}}\n",
        &body[..body.len() - 1],
        chain::hash(previous, &body)
    );
    let segment = world.store().join("log/00000000000000000001.ndjson");
    std::fs::write(segment, [world.log_bytes(), line.into_bytes()].concat()).expect("written");
    world.call("mara", &["task", "add", "After lunch"]).expect(
        0,
        Any,
        Has("1 whole events were kept"),
    );
    world.does("ada", &["consume"]);
    assert_eq!(world.rows("ada", &["report", "tasks"]).len(), 1);
    chain::check(&world.log_lines());
}
