//! `task cancel` (rule T7), from the command to the books.

use serde_json::{Value, json};

use crate::helpers::harness::Text::{Has, Nothing};
use crate::helpers::harness::World;
use crate::model::books::Books;

/// A world with two tasks that were assigned twice each and charged.
fn charged() -> World {
    let world = World::new();
    for title in ["Fix the perch", "Feed the popugs"] {
        world.does("mara", &["task", "add", title]);
    }
    world.does("mara", &["task", "reshuffle"]);
    world.does("ada", &["consume"]);
    world
}

fn entries(world: &World) -> Vec<Value> {
    world.rows("axel", &["report", "entries"])
}

fn is_sound(world: &World) {
    world
        .anonymous(&["verify", "--deep"])
        .expect(0, Has("sound: "), Nothing);
    Books::of_log(&world.events());
}

const CANCEL: [&str; 5] = ["task", "cancel", "1", "--reason", " Not needed "];

#[test]
fn every_fee_of_a_cancelled_task_is_given_back_with_a_correction_of_its_own() {
    let world = charged();
    let fees = entries(&world);
    let said = world.json("mara", &CANCEL);
    assert_eq!(
        (&said["number"], &said["keep_fees"], &said["replayed"]),
        (&json!(1), &json!(false), &json!(false))
    );
    world.does("ada", &["consume"]);
    let all = entries(&world);
    let back = &all[fees.len()..];
    let mine: Vec<&Value> = fees.iter().filter(|fee| fee["number"] == 1).collect();
    assert_eq!(back.len(), mine.len());
    for (back, fee) in back.iter().zip(mine) {
        assert_eq!(
            (
                &back["kind"],
                &back["corrects"],
                &back["login"],
                &back["reason"]
            ),
            (
                &json!("correction"),
                &fee["entry_id"],
                &fee["login"],
                &json!("Not needed")
            )
        );
        let amount = fee["amount"]
            .as_str()
            .expect("money")
            .trim_start_matches('-');
        assert_eq!(back["amount"], amount);
    }
    // Once is enough.
    world.does("ada", &["consume"]);
    assert_eq!(entries(&world).len(), all.len());
    let status = |words: &[&str]| {
        let rows = world.rows("dora", words);
        rows.iter()
            .map(|row| row["status"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(status(&["task", "list"]), ["open"]);
    assert_eq!(status(&["task", "list", "--all"]), ["cancelled", "open"]);
    assert_eq!(
        status(&["task", "list", "--status", "cancelled"]),
        ["cancelled"]
    );
    let tasks = world.json("dora", &["report", "tasks"]);
    assert_eq!(
        (&tasks["totals"]["open"], &tasks["totals"]["cancelled"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(tasks["rows"][0]["status"], "cancelled");
    let shown = world.json("dora", &["task", "show", "1"]);
    let last = shown["history"]
        .as_array()
        .and_then(|all| all.last())
        .cloned();
    let last = last.expect("a history");
    assert_eq!(
        (&last["event"], &last["by"], &last["reason"]),
        (&json!("cancelled"), &json!("mara"), &json!("Not needed"))
    );
    is_sound(&world);
}

#[test]
fn fees_may_stay_and_a_corrected_one_is_given_back_only_for_the_rest() {
    let mut world = charged();
    let fees = entries(&world);
    let fee = fees
        .iter()
        .find(|fee| fee["number"] == 1 && fee["login"] != "axel");
    let fee = fee.expect("a fee of somebody else")["entry_id"]
        .as_str()
        .expect("an id");
    let correct = [
        "account", "correct", fee, "--amount", "1.00", "--reason", "slip",
    ];
    world.does("axel", &correct);
    world.does("mara", &CANCEL);
    let keep = ["task", "cancel", "2", "--reason", "Twice", "--keep-fees"];
    world.does("mara", &keep);
    // The dates of the fees are closed, and so is that of the cancellation before accounting hears of it.
    world.at("2026-03-03T08:00:00Z").does("ada", &["close"]);
    let all = entries(&world);
    let back: Vec<&Value> = all
        .iter()
        .filter(|entry| entry["kind"] == "correction")
        .collect();
    assert_eq!(back.len(), 3);
    let rest = back
        .iter()
        .find(|entry| entry["corrects"] == fee && entry["reason"] != "slip");
    let whole = fees
        .iter()
        .find(|entry| entry["entry_id"] == fee)
        .expect("it");
    let minor = |entry: &Value| -> i64 {
        let text = entry["amount"].as_str().expect("money").replace('.', "");
        text.parse().expect("digits")
    };
    assert_eq!(minor(rest.expect("the rest")), -minor(whole) - 100);
    assert!(back.iter().all(|entry| entry["number"] == 1));
    is_sound(&world);
}

#[test]
fn a_task_that_is_cancelled_after_a_close_gives_back_on_the_open_date() {
    let mut world = charged();
    world.at("2026-03-03T08:00:00Z").does("ada", &["close"]);
    world.does("mara", &CANCEL);
    world.at("2026-03-04T08:00:00Z").does("ada", &["close"]);
    let all = entries(&world);
    let back: Vec<&Value> = all
        .iter()
        .filter(|entry| entry["kind"] == "correction")
        .collect();
    assert_eq!(back.len(), 2);
    for entry in back {
        assert_eq!(
            (&entry["business_date"], &entry["late"]),
            (&json!("2026-03-03"), &json!(false))
        );
    }
    world.does("ada", &["consume", "accounting", "analytics", "--rebuild"]);
    assert_eq!(entries(&world), all);
    is_sound(&world);
}

#[test]
fn a_cancellation_has_rules_keys_and_dry_runs_as_every_command() {
    let world = World::new();
    let own = world.json("dora", &["task", "add", "Mine"]);
    let number = own["number"].to_string();
    let cancel = [
        "task", "cancel", &number, "--reason", "Twice", "--key", "once",
    ];
    world.refused("dan", &cancel, 5, "role_may_not");
    let before = world.log_bytes();
    let drafted = world.answer("dora", &[&cancel[..], &["-n"]].concat());
    assert!(
        drafted.contains("task.cancelled.v1") && world.log_bytes() == before,
        "{drafted}"
    );
    // Nobody is charged yet.
    world.does("dora", &cancel);
    assert_eq!(world.json("dora", &cancel)["replayed"], true);
    world.refused(
        "mara",
        &["task", "cancel", &number, "--reason", "x"],
        4,
        "already_cancelled",
    );
    let assignee = own["assignee"].as_str().expect("a login");
    world.refused(
        assignee,
        &["task", "complete", &number],
        4,
        "already_cancelled",
    );
    let other = world.json("dora", &["task", "add", "Mine too"])["number"].to_string();
    world.does("ada", &["consume"]);
    let late = ["task", "cancel", &other, "--reason", "Twice"];
    world.refused("dora", &late, 5, "already_charged");
    world.refused(
        "mara",
        &["task", "cancel", "9", "--reason", "x"],
        3,
        "unknown_task",
    );
    world.refused(
        "mara",
        &["task", "cancel", &other, "--reason", " "],
        6,
        "empty",
    );
    world.refused("mara", &["task", "cancel", &other], 2, "usage");
    // A fee that was charged after the cancellation was given back at once.
    assert_eq!(
        entries(&world)
            .iter()
            .filter(|entry| entry["kind"] == "correction")
            .count(),
        1
    );
    is_sound(&world);
}
