//! Rule U4: somebody leaves, and their open tasks go to others.

use serde_json::{Value, json};

use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::World;
use crate::model::books::Books;

/// A world with eight open tasks.
fn with_tasks() -> World {
    let world = World::new();
    for number in 1..=8 {
        world.does("mara", &["task", "add", &format!("Task {number}")]);
    }
    world.does("ada", &["consume"]);
    world
}

fn open_tasks(world: &World) -> Vec<Value> {
    world.rows("mara", &["task", "list"])
}

fn is_sound(world: &World) {
    world.does("ada", &["consume"]);
    world
        .anonymous(&["verify", "--deep"])
        .expect(0, Has("sound: "), Nothing);
    Books::of_log(&world.events());
}

#[test]
fn a_user_who_leaves_hands_their_open_tasks_over_in_the_same_batch() {
    let world = with_tasks();
    let before = open_tasks(&world);
    let leaver = before[0]["assignee"].as_str().expect("a login");
    let mine: Vec<&Value> = before
        .iter()
        .filter(|task| task["assignee"] == leaver)
        .collect();
    let leave = [
        "user",
        "deactivate",
        leaver,
        "--reason",
        "moult",
        "--key",
        "leave",
    ];
    let drafted = world.answer("ada", &[&leave[..], &["-n"]].concat());
    assert_eq!(drafted.lines().count(), 1 + mine.len(), "{drafted}");
    let said = world.json("ada", &leave);
    let moved = said["handed_over"].as_array().expect("a list").clone();
    assert_eq!((moved.len(), &said["changed"]), (mine.len(), &json!(true)));
    let events = world.events();
    let batch = &events[events.len() - 1 - moved.len()..];
    assert_eq!(batch[0]["type"], "user.deactivated.v1");
    for (place, assigned) in batch[1..].iter().enumerate() {
        assert_eq!(assigned["type"], "task.assigned.v2");
        assert_eq!(assigned["data"]["reason"], "left");
        assert_eq!(assigned["commandid"], batch[0]["commandid"]);
        assert_eq!(moved[place]["number"], mine[place]["number"]);
    }
    let after = open_tasks(&world);
    for moved in &moved {
        let row = after
            .iter()
            .find(|row| row["number"] == moved["number"])
            .expect("it");
        assert_eq!(row["assignee"], moved["assignee"]);
        assert_ne!(row["assignee"], leaver);
    }
    let again = world.json("ada", &leave);
    assert_eq!(
        (&again["replayed"], &again["handed_over"]),
        (&json!(true), &json!(moved))
    );
    is_sound(&world);
}

#[test]
fn tasks_that_were_kept_are_handed_over_later() {
    let world = with_tasks();
    let leaver = open_tasks(&world)[0]["assignee"]
        .as_str()
        .expect("a login")
        .to_owned();
    let hand_over = ["task", "hand-over", &leaver];
    world.refused("mara", &hand_over, 4, "can_be_drawn");
    world.refused("axel", &hand_over, 5, "role_may_not");
    world.refused("mara", &["task", "hand-over", "nobody"], 3, "unknown_user");
    let kept = world.json("ada", &["user", "deactivate", &leaver, "--keep-tasks"]);
    assert_eq!(kept.get("handed_over"), None);
    let held = || {
        open_tasks(&world)
            .iter()
            .filter(|row| row["assignee"] == leaver.as_str())
            .count()
    };
    let count = held();
    assert!(count > 0);
    let said = world.answer("mara", &[&hand_over[..], &["--key", "over"]].concat());
    assert_eq!((said.lines().count(), held()), (count, 0), "{said}");
    assert!(said.starts_with("T-1\t"), "{said}");
    let again = world.json("mara", &[&hand_over[..], &["--key", "over"]].concat());
    assert_eq!(
        (&again["moved"], &again["replayed"]),
        (&json!(count), &json!(true))
    );
    let none = world.json("mara", &hand_over);
    assert_eq!(
        (&none["moved"], &none["sequence"]),
        (&json!(0), &Value::Null)
    );
    is_sound(&world);
}

#[test]
fn where_nobody_else_can_be_drawn_tasks_stay_where_they_are() {
    let world = with_tasks();
    for login in ["axel", "dora", "dan", "walt"] {
        world
            .call("ada", &["user", "deactivate", login])
            .expect(0, Any, Nothing);
    }
    let holders = open_tasks(&world);
    assert!(
        holders.iter().all(|row| row["assignee"] == "walt"),
        "{holders:?}"
    );
    world.refused("mara", &["task", "hand-over", "walt"], 4, "nobody_eligible");
    is_sound(&world);
}
