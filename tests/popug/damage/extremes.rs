//! Logs forged with right hashes: whatever values their events have, they are refused or applied,
//! and the program never panics.

use serde_json::Value;

use crate::helpers::chain;
use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::World;
use crate::helpers::stores::open;
use crate::helpers::stores::{add_tasks, segments};

/// A company with a closed date, a payout and its mail.
fn company() -> World {
    let mut world = World::new();
    add_tasks(&world, 3, "Done");
    world.at("2026-03-03T09:00:00Z");
    world.does("cron", &["close"]);
    world.does("ada", &["consume"]);
    world
}

/// Appends the last event of this type once more, with other values for these members of its data.
fn forge(world: &World, type_name: &str, members: &[(&str, &str)]) {
    let lines = world.log_lines();
    let is_wanted = |line: &&String| line.contains(&format!("\"type\":\"{type_name}\""));
    let template = lines
        .iter()
        .rev()
        .find(is_wanted)
        .unwrap_or_else(|| panic!("no {type_name}"));
    let last: Value = serde_json::from_str(lines.last().expect("a line")).expect("JSON");
    let event: Value = serde_json::from_str(template).expect("JSON");
    let (envelope, data) = template.split_once(",\"data\":").expect("data");
    let mut envelope = envelope.to_owned();
    let next = format!("{:020}", lines.len() + 1);
    for (member, value) in [
        ("sequence", next),
        ("id", uuid::Uuid::from_u128(0xf0).to_string()),
        ("time", last["time"].as_str().expect("a time").to_owned()),
        ("commandid", "forged".to_owned()),
    ] {
        let was = format!("\"{member}\":{}", event[member]);
        envelope = envelope.replacen(&was, &format!("\"{member}\":\"{value}\""), 1);
    }
    envelope = envelope.replacen(&format!("\"more\":{}", event["more"]), "\"more\":0", 1);
    let mut data = data.to_owned();
    for (member, value) in members {
        let was = format!("\"{member}\":{}", event["data"][member]);
        assert!(data.contains(&was), "{was} is not in {data}");
        data = data.replacen(&was, &format!("\"{member}\":{value}"), 1);
    }
    let body = chain::split(&format!("{envelope},\"data\":{data}")).0;
    let hash = chain::hash(chain::split(lines.last().expect("a line")).1, &body);
    let line = format!("{},\"hash\":\"{hash}\"}}\n", &body[..body.len() - 1]);
    let segments = segments(&world.store().join("log"));
    let segment = segments.last().expect("a segment");
    let text = std::fs::read_to_string(segment).expect("read") + &line;
    std::fs::write(segment, text).expect("written");
}

#[test]
fn an_event_that_no_program_wrote_is_refused_where_it_stands_and_told_by_verify() {
    let whole = company();
    let forged = [
        (
            "balance.changed.v1",
            "amount",
            "-9223372036854775808",
            "-92233720368547758.08 is no amount of money",
        ),
        (
            "day.closed.v1",
            "business_date",
            "\"9999-12-31\"",
            "9999-12-31 is not in the years 1970 to 9998",
        ),
        (
            "task.created.v2",
            "number",
            "9223372036854775807",
            "9223372036854775807 is too large",
        ),
        (
            "task.assigned.v2",
            "assignment_no",
            "4294967295",
            "4294967295 is too large",
        ),
    ];
    for (type_name, member, value, what) in forged {
        let world = whole.copied();
        forge(&world, type_name, &[(member, value)]);
        // The first writer publishes it: it is a whole batch that continues the chain.
        world.call("ada", &["task", "list"]).run();
        world.call("mara", &["task", "add", "Next"]).run();
        world.anonymous(&["repair", "--yes"]).run();
        world
            .call("ada", &["consume", "accounting"])
            .expect(12, Nothing, Has(what));
        let found = world.anonymous(&["verify"]).expect(7, Any, Nothing).stdout;
        assert!(found.contains(what), "{found}");
        if type_name.starts_with("task.") {
            world.refused("mara", &["task", "add", "Next"], 12, "undecodable");
        }
    }
}

const LARGE: &str = "1000000000000";
const DEEP: &str = "-1000000000000";
const LATE: &str = "\"9999-01-31\"";
const EARLY: &str = "\"1969-12-31\"";
const OFTEN: &str = "1000000000";

type Forged = (&'static str, &'static [(&'static str, &'static str)]);

/// The largest and smallest values that are read.
const AT_THE_BOUNDS: [Forged; 14] = [
    ("task.created.v2", &[("number", LARGE)]),
    ("task.assigned.v2", &[("assignment_no", OFTEN)]),
    ("task.priced.v1", &[("fee", DEEP), ("reward", DEEP)]),
    ("task.priced.v1", &[("fee", LARGE), ("reward", LARGE)]),
    (
        "balance.changed.v1",
        &[
            ("amount", LARGE),
            ("balance", LARGE),
            ("business_date", LATE),
        ],
    ),
    (
        "balance.changed.v1",
        &[
            ("amount", DEEP),
            ("balance", DEEP),
            ("business_date", EARLY),
        ],
    ),
    (
        "balance.changed.v1",
        &[("occurred_at", "\"1970-01-01T00:00:00.000000Z\"")],
    ),
    (
        "task.settled.v1",
        &[
            ("number", LARGE),
            ("fee", DEEP),
            ("reward", LARGE),
            ("fees_charged", DEEP),
        ],
    ),
    (
        "task.settled.v1",
        &[
            ("completed_on", LATE),
            ("completed_at", "\"9998-12-31T23:59:59.999999Z\""),
        ],
    ),
    (
        "payout.made.v1",
        &[
            ("amount", LARGE),
            ("opening", DEEP),
            ("earned", LARGE),
            ("business_date", LATE),
        ],
    ),
    (
        "payout.made.v1",
        &[
            ("amount", DEEP),
            ("opening", LARGE),
            ("earned", DEEP),
            ("business_date", EARLY),
        ],
    ),
    (
        "day.closed.v1",
        &[
            ("business_date", LATE),
            ("fees", LARGE),
            ("rewards", DEEP),
            ("corrections", DEEP),
        ],
    ),
    (
        "day.closed.v1",
        &[
            ("business_date", EARLY),
            ("entries", LARGE),
            ("through_sequence", "9223372036854775807"),
        ],
    ),
    ("mail.sent.v1", &[("attempt", OFTEN)]),
];

#[test]
fn values_at_the_bounds_make_no_command_panic() {
    let whole = company();
    let commands: [&[&str]; 14] = [
        &["repair", "--yes"],
        &["task", "add", "Next"],
        &["task", "reshuffle"],
        &["consume"],
        &["close"],
        &["consume"],
        &["export", "--dir", "reports"],
        &["export", "journal", "--format", "beancount"],
        &[
            "report",
            "balances",
            "--from",
            "2026-03-01",
            "--to",
            "2026-03-04",
        ],
        &[
            "report",
            "earnings",
            "--date",
            "9999-01-31",
            "--period",
            "month",
        ],
        &[
            "report",
            "top-task",
            "--date",
            "9999-01-31",
            "--period",
            "week",
        ],
        &["mail", "list"],
        &["status"],
        &["verify", "--deep"],
    ];
    for (type_name, members) in AT_THE_BOUNDS {
        let mut world = whole.copied();
        forge(&world, type_name, members);
        world.at("2026-03-05T09:00:00Z");
        for words in commands {
            let done = world.call("ada", words).run();
            assert!(
                done.status != 70,
                "{type_name} {members:?}: {words:?}: {}",
                done.stderr
            );
        }
        assert!(
            world
                .log_lines()
                .iter()
                .any(|line| line.contains("\"commandid\":\"forged\""))
        );
    }
}

#[test]
fn a_decision_from_a_tampered_index_is_not_written() {
    let whole = company();
    for (number, next) in [
        ("number + 1099511627776", "1099511627780"),
        ("9223372036854775807", "9223372036854775808"),
    ] {
        let world = whole.copied();
        let index = open(&world.store().join("state.sqlite"));
        index
            .execute_batch(&format!(
                "UPDATE tasks SET number = {number} WHERE number = 3"
            ))
            .expect("written");
        drop(index);
        let log = world.log_bytes();
        for words in [
            &["task", "add", "Next"][..],
            &["task", "add", "Next", "-n"],
            &["task", "add", "Next", "--key", "k"],
        ] {
            let refused = world.refused("mara", words, 1, "out_of_bounds");
            let message = refused["message"].as_str().expect("a text");
            assert!(
                message.contains(&format!("{next} is too large")),
                "{message}"
            );
            assert!(
                refused["hints"][0]
                    .as_str()
                    .is_some_and(|hint| hint.contains("consume tracker --rebuild"))
            );
        }
        assert!(world.log_bytes() == log);
        world.does("ada", &["consume", "tracker", "--rebuild"]);
        assert_eq!(world.json("mara", &["task", "add", "Next"])["number"], 4);
        world.does("ada", &["consume"]);
        world
            .anonymous(&["verify", "--deep"])
            .expect(0, Has("sound"), Nothing);
    }
}

#[test]
fn a_log_that_does_not_begin_with_its_founding_has_no_books() {
    let world = company();
    let mut lines = world.log_lines();
    let founded = lines.remove(0);
    lines.push(founded);
    let (mut previous, mut text) = (chain::NO_HASH.to_owned(), String::new());
    for (line, sequence) in lines.iter().zip(1..) {
        let event: Value = serde_json::from_str(line).expect("JSON");
        let last_time =
            &serde_json::from_str::<Value>(&lines[lines.len() - 2]).expect("JSON")["time"];
        let body = chain::split(line).0;
        let body = body.replacen(
            &event["sequence"].to_string(),
            &format!("\"{sequence:020}\""),
            1,
        );
        let body = body.replacen(&format!("\"more\":{}", event["more"]), "\"more\":0", 1);
        let body = body.replacen(&event["time"].to_string(), &last_time.to_string(), 1);
        previous = chain::hash(&previous, &body);
        text.push_str(&format!(
            "{},\"hash\":\"{previous}\"}}\n",
            &body[..body.len() - 1]
        ));
    }
    let segments = segments(&world.store().join("log"));
    segments
        .iter()
        .for_each(|segment| std::fs::remove_file(segment).expect("removed"));
    std::fs::write(&segments[0], text).expect("written");
    for name in [
        "log/head",
        "state.sqlite",
        "accounting.duckdb",
        "analytics.duckdb",
        "notifier.sqlite",
    ] {
        std::fs::remove_file(world.store().join(name)).expect("removed");
    }
    for words in [
        &["consume", "accounting"][..],
        &["consume", "analytics"],
        &["close"],
    ] {
        let error = world.refused("ada", words, 12, "undecodable");
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|text| text.contains("no company was founded")),
            "{error}"
        );
    }
    world
        .anonymous(&["verify", "--deep"])
        .expect(7, Has("NOT sound"), Any);
}
