//! `task edit` (rule T6): what is shown where afterwards.

use serde_json::{Value, json};

use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::World;

/// A world, and who has task 1, `Fix teh perch`.
fn with_a_typo() -> (World, String) {
    let world = World::new();
    let added = world.json("mara", &["task", "add", "Fix teh perch"]);
    let assignee = added["assignee"].as_str().expect("a login").to_owned();
    (world, assignee)
}

#[test]
fn an_edit_is_shown_with_both_texts_and_changes_nothing_twice() {
    let (world, _) = with_a_typo();
    let edit = ["task", "edit", "T-1", "--title", "[UP-7] Fix the perch"];
    let said = world.call("mara", &edit).expect(0, Nothing, Any).stderr;
    assert_eq!(said, "read as jira id UP-7 and title `Fix the perch`\n");
    let again = world.json("mara", &[&edit[..], &["-q"]].concat());
    assert_eq!(
        again,
        json!({ "changed": false, "sequence": null, "replayed": false })
    );
    let words = [
        "task",
        "edit",
        "UP-7",
        "--description",
        "Before noon.\nPlease.",
    ];
    world.does("ada", &words);
    let shown = world.json("dora", &["task", "show", "UP-7"]);
    assert_eq!(
        (&shown["title"], &shown["jira_id"], &shown["description"]),
        (
            &json!("Fix the perch"),
            &json!("UP-7"),
            &json!("Before noon.\nPlease.")
        )
    );
    let history = shown["history"].as_array().expect("a history");
    let events: Vec<&Value> = history.iter().map(|happened| &happened["event"]).collect();
    assert_eq!(events, ["created", "assigned", "changed", "changed"]);
    assert_eq!(history[2]["by"], "mara");
    assert_eq!(
        history[2]["was"],
        json!({ "title": "Fix teh perch", "jira_id": "" })
    );
    assert_eq!(
        history[2]["is"],
        json!({ "title": "Fix the perch", "jira_id": "UP-7" })
    );
    assert_eq!(history[3]["was"], json!({ "description": "" }));
    let lines = world
        .call("dora", &["task", "show", "1", "-o", "table"])
        .expect(0, Any, Nothing)
        .stdout;
    let line = "changed by mara: title «Fix teh perch» to «Fix the perch», jira id none to «UP-7»";
    assert!(lines.contains(line), "{lines}");
    assert!(lines.contains("changed by ada: description\n"), "{lines}");
}

#[test]
fn an_entry_shows_the_texts_at_its_cause_wherever_it_is_shown() {
    let (mut world, assignee) = with_a_typo();
    world.does("mara", &["task", "edit", "1", "--title", "Fix the perch"]);
    world.does(&assignee, &["task", "complete", "1"]);
    // Accounting hears of the typo, the change and the completion at once, and of this one as well.
    let later = ["task", "edit", "1", "--title", "Done", "--jira-id", "UP-7"];
    world.does("mara", &later);
    world.does("ada", &["consume"]);
    world.does("mara", &["task", "edit", "1", "--jira-id", ""]);
    world.at("2026-03-03T08:00:00Z").does("ada", &["close"]);
    world.does("ada", &["consume"]);
    let shown = || {
        let entries = world.rows("axel", &["report", "entries"]);
        let mine = world.rows(&assignee, &["report", "statement"]);
        let titles = |rows: &[Value]| -> Vec<Value> {
            rows.iter()
                .map(|row| json!([row["title"], row["jira_id"]]))
                .collect()
        };
        (titles(&entries), titles(&mine))
    };
    let expected = vec![
        json!(["Fix teh perch", null]),
        json!(["Fix the perch", null]),
        json!([null, null]),
    ];
    assert_eq!(shown(), (expected.clone(), expected.clone()));
    let top = world.rows("ada", &["report", "top-task", "--date", "2026-03-02"]);
    assert_eq!(
        (&top[0]["title"], &top[0]["jira_id"]),
        (&json!("Fix the perch"), &Value::Null)
    );
    let tasks = world.rows("ada", &["report", "tasks"]);
    assert_eq!(
        (&tasks[0]["title"], &tasks[0]["jira_id"]),
        (&json!("Done"), &Value::Null)
    );
    let journal = world.answer("axel", &["export", "journal", "--format", "hledger"]);
    assert!(journal.contains("fee T-1 Fix teh perch"), "{journal}");
    assert!(journal.contains("reward T-1 Fix the perch"), "{journal}");
    let outbox = world.store().join("outbox/2026-03-02");
    let mail = std::fs::read_dir(outbox).expect("an outbox").next();
    let mail = std::fs::read_to_string(mail.expect("a mail").expect("an entry").path());
    let mail = mail.expect("UTF-8");
    assert!(
        mail.contains("Fix teh perch") && mail.contains("Fix the perch"),
        "{mail}"
    );
    world.does("ada", &["consume", "accounting", "analytics", "--rebuild"]);
    assert_eq!(shown(), (expected.clone(), expected));
    world
        .anonymous(&["verify", "--deep"])
        .expect(0, Has("sound: "), Nothing);
}

#[test]
fn an_edit_names_a_text_and_is_refused_by_its_rules() {
    let (world, assignee) = with_a_typo();
    world.refused("mara", &["task", "edit", "1"], 2, "usage");
    let edit = |words: &[&'static str]| [&["task", "edit"][..], words].concat();
    let title = ["1", "--title", "Other"];
    world.refused(&assignee, &edit(&title), 5, "role_may_not");
    world.refused("cron", &edit(&title), 5, "role_may_not");
    world.refused("mara", &edit(&["9", "--title", "Other"]), 3, "unknown_task");
    world.refused("mara", &edit(&["1", "--title", " "]), 6, "empty");
    world.refused("mara", &edit(&["1", "--jira-id", "7"]), 6, "bad_jira_id");
    let both = ["1", "--title", "UP-7 - Fix", "--jira-id", "UP-8"];
    world.refused("mara", &edit(&both), 6, "two_jira_ids");
    // A finished task as well, and by its creator in any role.
    world.does(&assignee, &["task", "complete", "1"]);
    world.does(
        "ada",
        &edit(&["1", "--title", "- was done", "--description=-"]),
    );
    let own = world.json("dora", &["task", "add", "Mine"]);
    let number = own["number"].to_string();
    world.does("dora", &["task", "edit", &number, "--title", "Still mine"]);
}
