//! Single objects, as answers or outcomes of commands: their members in the order of the contract,
//! in every list format.

use crate::helpers::harness::Text::{Any, Has, Is, Nothing};
use crate::helpers::harness::World;

/// The names of an object's members in their order, without those of inner objects.
fn members(object: &str) -> Vec<&str> {
    let (mut names, mut depth, mut from) = (Vec::new(), 0, None);
    for (at, byte) in object.bytes().enumerate() {
        match (byte, from) {
            (b'"', Some(start)) => {
                if depth == 1 && object[at + 1..].starts_with(':') {
                    names.push(&object[start..at]);
                }
                from = None;
            }
            (b'"', None) => from = Some(at + 1),
            (_, Some(_)) => {}
            (b'{' | b'[', None) => depth += 1,
            (b'}' | b']', None) => depth -= 1,
            _ => {}
        }
    }
    names
}

fn members_of(world: &World, login: &str, words: &[&str], wanted: &[&str]) {
    let shown = world.answer(login, &[words, &["-o", "json"]].concat());
    assert_eq!(members(shown.trim()), wanted, "{words:?}: {shown}");
}

#[test]
fn members_of_what_was_done_stand_in_the_order_of_the_contract() {
    let world = World::new();
    let task = [
        "task_id", "number", "assignee", "sequence", "replayed", "fee", "reward",
    ];
    members_of(&world, "mara", &["task", "add", "one"], &task);
    let moved = [
        "open_tasks",
        "eligible_users",
        "moved",
        "sequence",
        "replayed",
        "fees",
    ];
    members_of(&world, "mara", &["task", "reshuffle"], &moved);
    members_of(
        &world,
        "ada",
        &["user", "set-role", "walt", "developer"],
        &["changed", "sequence", "replayed"],
    );
    members_of(
        &world,
        "ada",
        &["token", "issue", "walt"],
        &["token", "token_id", "login", "expires_at"],
    );
    let output = world
        .call("ada", &["task", "show", "9", "-o", "json"])
        .expect(3, Nothing, Any);
    let error = output
        .stderr
        .trim()
        .strip_prefix("{\"error\":")
        .expect("one member");
    assert_eq!(
        members(error.strip_suffix('}').expect("one object")),
        ["code", "exit", "message", "hints"]
    );
}

#[test]
fn members_of_what_is_shown_stand_in_the_order_of_the_contract() {
    let world = World::new();
    world.does("mara", &["task", "add", "one"]);
    members_of(
        &world,
        "ada",
        &["whoami"],
        &["user_id", "login", "name", "role", "active"],
    );
    members_of(
        &world,
        "ada",
        &["user", "show", "dora"],
        &["user_id", "login", "name", "email", "role", "active"],
    );
    let status = [
        "head",
        "consumers",
        "last_closed_date",
        "clock_behind_seconds",
        "mails",
    ];
    members_of(&world, "ada", &["status"], &status);
    let head = world.answer("ada", &["status", "-o", "json"]);
    assert!(
        head.starts_with("{\"head\":{\"sequence\":10,\"hash\":\""),
        "{head}"
    );
    let listed = world.answer("ada", &["task", "list", "-o", "ndjson"]);
    let mut task = members(listed.trim());
    task.extend(["history", "fee", "reward"]);
    members_of(&world, "ada", &["task", "show", "1"], &task);
}

#[test]
fn a_single_object_has_the_formats_of_a_list() {
    let world = World::new();
    world.does("mara", &["task", "add", "one"]);
    for words in [
        &["whoami"][..],
        &["user", "show", "ada"],
        &["task", "show", "1"],
        &["log", "show", "1"],
        &["status"],
    ] {
        let rows = if words == ["status"] { 4 } else { 1 };
        let csv = world.answer("ada", &[words, &["-o", "csv"]].concat());
        let md = world.answer("ada", &[words, &["-o", "md"]].concat());
        assert_eq!(
            (csv.lines().count(), md.lines().count()),
            (rows + 1, rows + 2),
            "{words:?}: {csv}{md}"
        );
        let columns = csv.lines().next().expect("a header").split(',').count();
        assert_eq!(
            md.lines().next().expect("a header").matches('|').count(),
            columns + 1,
            "{words:?}: {md}"
        );
    }
    let plain = world.answer("ada", &["status", "-o", "plain"]);
    assert!(
        plain.lines().all(|line| line.split('\t').count() == 11),
        "{plain}"
    );
    assert_eq!(plain, world.answer("ada", &["status"]));
}

#[test]
fn the_extension_of_out_tells_the_format_of_a_single_object() {
    let world = World::new();
    for (name, wanted) in [
        ("who.csv", "user_id,login,"),
        ("who.json", "{\"user_id\":"),
        ("who.parquet", "PAR1"),
    ] {
        let path = world.home().join(name);
        world
            .call("ada", &["whoami", "--out"])
            .arg(&path)
            .expect(0, Nothing, Nothing);
        let bytes = std::fs::read(&path).expect("written");
        assert!(bytes.starts_with(wanted.as_bytes()), "{name}");
    }
}

#[test]
fn an_answer_is_a_row_in_a_format_and_a_line_without_one() {
    let world = World::new();
    world
        .call("mara", &["task", "add", "one", "-o", "csv"])
        .expect(
            0,
            Has("task_id,number,assignee,sequence,replayed\n"),
            Nothing,
        );
    world
        .call("mara", &["task", "add", "two"])
        .expect(0, Has("T-2\t"), Nothing);
    world
        .call("ada", &["user", "set-role", "walt", "developer"])
        .expect(0, Is(""), Nothing);
    let changed = world.answer(
        "ada",
        &["user", "set-role", "walt", "developer", "-o", "csv"],
    );
    assert_eq!(changed, "changed,sequence,replayed\nfalse,,false\n");
}

#[test]
fn an_event_is_shown_to_people_member_by_member_in_its_own_order() {
    let world = World::new();
    let shown = world.answer("ada", &["log", "show", "1", "-o", "table"]);
    let (type_at, data_at) = (
        shown.find("\n  \"type\": ").expect("type"),
        shown.find("\n  \"data\": {").expect("data"),
    );
    assert!(
        shown.starts_with("{\n  \"specversion\": \"1.0\",\n  \"id\": ") && type_at < data_at,
        "{shown}"
    );
}
