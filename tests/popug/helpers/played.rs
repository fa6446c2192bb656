//! A company of six days, played once and copied for each test that needs one, and the comparison
//! of its reports.

use std::sync::OnceLock;

use jiff::civil::Date;
use serde_json::Value;

use crate::helpers::chain;
use crate::helpers::harness::Text::{Any, Nothing};
use crate::helpers::harness::World;
use crate::model::books::Books;
use crate::model::calendar::micros;
use crate::model::reports::same_report;

/// Where clocks go forward on Sunday, 8 March 2026, at 07:00 UTC.
const SUMMER_ZONE: &str = "America/New_York";

/// Six days of a company with every kind of event; its last day is not closed.
pub fn played() -> World {
    static TEMPLATE: OnceLock<World> = OnceLock::new();
    TEMPLATE.get_or_init(play).copied()
}

fn play() -> World {
    let mut world = World::founded(SUMMER_ZONE, "2026-03-05T20:00:00Z");
    for (login, role) in [
        ("lena", "developer"),
        ("petr", "worker"),
        ("olga", "developer"),
    ] {
        world.register(login, role);
        world.issue_token(login);
    }
    // Just before and after midnight, in winter and in summer time.
    let evenings = [
        "06T04:59:59",
        "07T04:59:59.999999",
        "08T04:59:59",
        "09T03:59:59",
        "10T03:59:59",
        "11T02:00:00",
    ];
    let mornings = [
        "06T05:00:00",
        "07T05:00:00",
        "08T05:00:00",
        "09T04:00:00",
        "10T04:00:00",
        "11T12:00:00",
    ];
    for (day, (evening, morning)) in evenings.into_iter().zip(mornings).enumerate() {
        let evening = format!("2026-03-{evening}Z");
        add_tasks(world.at(&evening), day);
        if day.is_multiple_of(2) {
            world.does("mara", &["task", "reshuffle"]);
        }
        complete_some(&world, day, 2);
        happen(&world, day);
        world.at(&format!("2026-03-{morning}Z"));
        add_tasks(&world, day);
        complete_some(&world, day, 3);
        if day == 2 || day == 4 {
            world.does("cron", &["close"]);
        }
        correct_something(&world, day);
    }
    world.does("ada", &["consume"]);
    world
}

fn add_tasks(world: &World, day: usize) {
    for n in 0..5 {
        let title = format!("Задача {day}.{n}");
        match n {
            0 => world.call(
                "mara",
                &["task", "add", &title, "--jira-id", &format!("UP-{day}{n}")],
            ),
            1 => world.call(
                "dora",
                &[
                    "task",
                    "add",
                    &title,
                    "--description",
                    "=not a formula, \"quoted\"\nsecond line",
                ],
            ),
            _ => world.call("axel", &["task", "add", &title]),
        }
        .expect(0, Any, Nothing);
    }
}

/// Completes the open tasks whose number is a multiple of `each`, except those of deactivated
/// users.
fn complete_some(world: &World, day: usize, each: u64) {
    for row in world.rows("mara", &["task", "list"]) {
        let (login, number) = (
            row["assignee"].as_str().expect("a login"),
            row["number"].as_u64().expect("a number"),
        );
        if number.is_multiple_of(each) && !(day >= 3 && login == "petr") {
            world.does(login, &["task", "complete", &number.to_string()]);
        }
    }
}

/// Other events of a company.
fn happen(world: &World, day: usize) {
    match day {
        1 => world.answer("ada", &["user", "set-role", "olga", "manager"]),
        2 => world.answer(
            "ada",
            &["user", "update", "dora", "--name", "Дора \u{202e}Попуг"],
        ),
        3 => world.answer("ada", &["user", "deactivate", "petr", "--reason", "left"]),
        4 => world.answer("ada", &["user", "set-role", "walt", "accountant"]),
        5 => world.answer("ada", &["user", "set-role", "olga", "developer"]),
        _ => world.answer("ada", &["consume", "accounting"]),
    };
}

/// Reverses half of a user's latest fee and all of the latest reward.
fn correct_something(world: &World, day: usize) {
    world.does("ada", &["consume", "accounting"]);
    let entries = world.rows("ada", &["report", "entries"]);
    let kind = if day.is_multiple_of(2) {
        "fee"
    } else {
        "reward"
    };
    let Some(entry) = entries.iter().rev().find(|row| row["kind"] == kind) else {
        return;
    };
    let id = entry["entry_id"].as_str().expect("an id");
    let words = ["account", "correct", id, "--reason", "counted wrongly"];
    let amount = if day.is_multiple_of(2) {
        &["--amount", "5.55"][..]
    } else {
        &[]
    };
    world.does("ada", &[&words, amount].concat());
}

/// Rows and totals of the report are those of the model.
pub fn agree(world: &World, by: &str, words: &[&str], expected: &Value) {
    let shown = world.json(by, &[&["report"], words].concat());
    same_report(&words.join(" "), &shown, expected).unwrap_or_else(|what| panic!("{what}"));
}

/// The world, its books, and the local date of now, on which the last events fell.
pub fn opened() -> (World, Books, Date) {
    let world = played();
    chain::check(&world.log_lines());
    let books = Books::of_log(&world.events());
    let today = books.calendar.date_of(micros(world.now()));
    (world, books, today)
}
