//! The beginning of an id in place of the whole id, and the beginnings that tables show.

use serde_json::{Value, json};

use crate::helpers::harness::World;

fn text(row: &Value, name: &str) -> String {
    row[name].as_str().expect("a text").to_owned()
}

/// The shortest beginning of `id`, of at least `least` characters, that no other id has.
fn shortest<'a>(id: &'a str, ids: &[String], least: usize) -> &'a str {
    let is_unique = |length: &usize| {
        ids.iter()
            .filter(|other| other.starts_with(&id[..*length]))
            .count()
            == 1
    };
    let length = (least..id.len()).find(is_unique).expect("ids differ");
    &id[..length]
}

fn column(rows: &[Value], name: &str) -> Vec<String> {
    rows.iter().map(|row| text(row, name)).collect()
}

/// Entries, a payout with its mail, and a token for each user.
fn company() -> World {
    let mut world = World::new();
    for title in ["Починить жёрдочку 🪵", "Feed the popugs", "Count the nuts"] {
        world.does("mara", &["task", "add", title]);
    }
    for task in world.rows("mara", &["task", "list"]) {
        let number = task["number"].to_string();
        world.does(&text(&task, "assignee"), &["task", "complete", &number]);
    }
    world.at("2026-03-03T09:00:00Z").does("axel", &["close"]);
    world.does("axel", &["consume"]);
    world
}

#[test]
fn the_first_characters_of_an_id_name_a_user_a_task_an_entry_a_mail_and_a_token() {
    let world = company();
    let users = world.rows("ada", &["user", "list"]);
    let ids = column(&users, "user_id");
    for user in &users {
        let id = text(user, "user_id");
        for name in [shortest(&id, &ids, 4), &id.to_uppercase()[..34]] {
            assert_eq!(
                world.json("ada", &["user", "show", name])["login"],
                user["login"]
            );
        }
    }
    let tasks = world.rows("ada", &["task", "list", "--all"]);
    let ids = column(&tasks, "task_id");
    for task in &tasks {
        let id = text(task, "task_id");
        let shown = world.json("ada", &["task", "show", shortest(&id, &ids, 4)]);
        assert_eq!(shown["number"], task["number"]);
    }
    let entries = world.rows("ada", &["report", "entries"]);
    let ids = column(&entries, "entry_id");
    let fee = entries
        .iter()
        .find(|row| row["kind"] == "fee")
        .expect("a fee");
    let id = text(fee, "entry_id");
    let words = [
        "account",
        "correct",
        shortest(&id, &ids, 8),
        "--reason",
        "x",
    ];
    let hasty = ["account", "correct", &id[..7], "--reason", "x"];
    world.refused("axel", &hasty, 3, "unknown_entry");
    assert_eq!(world.json("axel", &words)["corrects"], json!(id));
    let mails = world.rows("axel", &["mail", "list"]);
    let id = text(&mails[0], "payout_id");
    let retried = world
        .call("axel", &["mail", "retry", &id[..4], "-o", "json"])
        .run();
    assert_eq!(retried.json()["rows"][0]["payout_id"], json!(id));
    let tokens = world.rows("ada", &["token", "list"]);
    let ids = column(&tokens, "token_id");
    let id = text(&tokens[3], "token_id");
    world
        .call("ada", &["token", "revoke", shortest(&id, &ids, 4)])
        .run();
    let states = world.rows("ada", &["token", "list", "--sort=-revoked_at", "--limit=1"]);
    assert_eq!(states[0]["token_id"], json!(id));
    assert_eq!(states[0]["state"], "revoked");
}

#[test]
fn a_beginning_of_several_ids_is_refused_with_the_candidates() {
    let world = company();
    let users = world.rows("ada", &["user", "list"]);
    let id = text(&users[0], "user_id");
    let failure = world.refused("ada", &["user", "show", &id[..4]], 2, "ambiguous");
    let hint = failure["hints"][0].as_str().expect("a hint");
    assert_eq!(
        hint.matches(", ").count() + 1,
        users.len().min(10),
        "{hint}"
    );
    assert!(
        hint.starts_with("name one of them: ") && hint.contains("ada"),
        "{hint}"
    );
    let tasks = world.rows("ada", &["task", "list", "--all"]);
    let id = text(&tasks[0], "task_id");
    let failure = world.refused("ada", &["task", "show", &id[..4]], 2, "ambiguous");
    assert_eq!(failure["hints"], json!(["name one of them: T-1, T-2, T-3"]));
    let tokens = world.rows("ada", &["token", "list"]);
    let id = text(&tokens[0], "token_id");
    world.refused("ada", &["token", "revoke", &id[..4]], 2, "ambiguous");
    // Tokens of others are no candidates of a worker.
    let own = world.rows("walt", &["token", "list"]);
    assert_eq!(own.len(), 1);
    world.call("walt", &["token", "revoke", &id[..4]]).run();
    assert!(world.call("walt", &["whoami"]).run().stdout.is_empty());
}

#[test]
fn fewer_than_four_characters_and_digits_alone_name_no_id() {
    let world = company();
    let users = world.rows("ada", &["user", "list"]);
    let id = text(&users[0], "user_id");
    world.refused("ada", &["user", "show", &id[..3]], 3, "unknown_user");
    world.refused("ada", &["task", "show", "1999"], 3, "unknown_task");
    world.refused("ada", &["user", "show", "ffff"], 3, "unknown_user");
    world.refused(
        "axel",
        &["account", "correct", "ghost", "--reason", "x"],
        3,
        "unknown_entry",
    );
    // A caller without the right does not learn which ids there are.
    let guess = ["account", "correct", "ffffffff", "--reason", "x"];
    world.refused("dora", &guess, 5, "role_may_not");
    world.refused("ada", &["token", "revoke", "0"], 3, "unknown_token");
    world.refused("ada", &["token", "revoke", "ffff"], 3, "unknown_token");
}

#[test]
fn tables_show_beginnings_that_commands_take() {
    let world = company();
    let entries = world.rows("ada", &["report", "entries"]);
    let words = [
        "report",
        "entries",
        "-o",
        "table",
        "--columns",
        "entry_id,kind",
    ];
    let table = world.answer("ada", &words);
    let shown: Vec<(&str, &str)> = table
        .lines()
        .skip(4)
        .filter_map(|line| line.split_once("  "))
        .take(entries.len())
        .collect();
    assert_eq!(shown.len(), entries.len());
    for ((id, kind), row) in shown.into_iter().zip(&entries) {
        assert!((8..36).contains(&id.len()), "{table}");
        assert!(
            text(row, "entry_id").starts_with(id) && row["kind"] == kind.trim(),
            "{table}"
        );
        if kind.trim() == "fee" {
            world.does("axel", &["account", "correct", id, "--reason", "x", "-n"]);
        }
    }
    let table = world.answer("ada", &["user", "list", "-o", "table"]);
    assert!(
        table.contains("not shown: user id (--columns chooses)"),
        "{table}"
    );
}
