//! Periods as people say them, wherever a date is taken.

use serde_json::{Value, json};

use crate::helpers::harness::Text::{Has, Nothing};
use crate::helpers::harness::World;

/// A company that began on Monday 2 March 2026; it is the evening of the 6th.
fn company() -> World {
    let mut world = World::new();
    world.does("mara", &["task", "add", "One"]);
    world.at("2026-03-06T20:00:00Z");
    world.does("ada", &["consume"]);
    world
}

fn period(world: &World, words: &[&str]) -> Value {
    let output = world.call("ada", words).arg("-o").arg("json").run();
    assert_eq!(output.status, 0, "{words:?}\n{}", output.stderr);
    let report: Value = serde_json::from_str(&output.stdout).expect("JSON");
    report["period"].clone()
}

#[test]
fn a_report_takes_its_period_in_words_and_tells_what_it_understood() {
    let world = company();
    for (words, from, to, asked) in [
        (
            &["report", "earnings", "yesterday"][..],
            "2026-03-05",
            "2026-03-05",
            "yesterday",
        ),
        (
            &["report", "earnings", "-3d"],
            "2026-03-04",
            "2026-03-06",
            "-3d",
        ),
        (&["report", "earnings", "last", "2", "-q"], "", "", ""),
        (
            &["report", "earnings", "march"],
            "2026-03-02",
            "2026-03-06",
            "march",
        ),
        (
            &["report", "earnings", "--date", "2026-Q1"],
            "2026-03-02",
            "2026-03-06",
            "2026-Q1",
        ),
        (
            &["report", "earnings", "this", "week"],
            "2026-03-02",
            "2026-03-06",
            "this week",
        ),
        (
            &["report", "earnings", "--from", "4.3.2026"],
            "2026-03-04",
            "2026-03-06",
            "4.3.2026..",
        ),
        (
            &["report", "earnings", "--from", "-2d", "--to", "today"],
            "2026-03-05",
            "2026-03-06",
            "-2d..today",
        ),
        (
            &["report", "earnings", "--by", "quarter", "2026"],
            "2026-03-02",
            "2026-03-06",
            "2026",
        ),
        (
            &["report", "balances", "3 days ago"],
            "2026-03-03",
            "2026-03-03",
            "3 days ago",
        ),
    ] {
        if asked.is_empty() {
            world
                .call("ada", words)
                .expect(2, Nothing, Has("is no date or period; write it like"));
            continue;
        }
        let told = json!({ "from": from, "to": to, "asked": asked });
        assert_eq!(period(&world, words), told, "{words:?}");
    }
    assert_eq!(period(&world, &["report", "closes"])["asked"], Value::Null);
}

#[test]
fn a_date_that_there_is_not_says_why() {
    let world = company();
    for (words, why) in [
        (
            &["report", "earnings", "2026-04-31"][..],
            "April 2026 has 30 days",
        ),
        (
            &["report", "earnings", "--to", "2026-04-31"],
            "April 2026 has 30 days",
        ),
        (
            &["close", "--date", "31.02.2026"],
            "February 2026 has 28 days",
        ),
        (
            &["report", "earnings", "--date", "soon"],
            "`soon` is no date or period; write it like 2026-11-22",
        ),
        (&["report", "earnings", "--usr", "mara"], "--usr"),
    ] {
        world.call("ada", words).expect(2, Nothing, Has(why));
    }
}

#[test]
fn dates_are_closed_up_to_the_end_of_a_period() {
    let world = company();
    world
        .call("ada", &["close", "--date", "yesterday", "-o", "csv"])
        .expect(0, Has("2026-03-05"), Nothing);
    world.refused("ada", &["close", "--date", "this week"], 4, "date_not_over");
}
