//! The checks of `doctor` for consumers that are behind, stopped, or of another log.

use super::*;

#[test]
fn tables_of_another_log_are_a_problem() {
    let (world, other) = (consumed(), World::founded("UTC", "2026-03-02T08:00:00Z"));
    other.does("ada", &["consume"]);
    std::fs::copy(
        other.store().join("analytics.duckdb"),
        world.store().join("analytics.duckdb"),
    )
    .expect("copied");
    let rows = examined(&world, 7);
    assert!(detail(&rows, "analytics", "problem").contains("of another log"));
    assert!(
        rows["analytics"]["hint"]
            .as_str()
            .expect("a hint")
            .contains("--rebuild")
    );
}

#[test]
fn consumers_that_were_forgotten_for_a_day_are_a_warning() {
    let mut world = consumed();
    world.does("mara", &["task", "add", "Waiting"]);
    detail(&examined(&world, 0), "accounting", "ok");
    world.at("2026-03-03T09:00:00Z");
    assert!(detail(&examined(&world, 0), "accounting", "warning").contains("events behind"));
}

#[test]
fn an_event_that_accounting_has_read_and_not_charged_is_told_as_behind() {
    let world = consumed();
    let fee = world.rows("ada", &["report", "entries"]).remove(0)["entry_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    world.does("mara", &["task", "add", "Read and not charged"]);
    // A correction reads the whole log and decides nothing else.
    world.does(
        "axel",
        &[
            "account",
            "correct",
            &fee,
            "--amount",
            "1",
            "--reason",
            "asked for",
            "-q",
        ],
    );
    let told = detail(&examined(&world, 0), "accounting", "ok");
    assert!(
        told.starts_with("3 events behind, the oldest of "),
        "{told}"
    );
}

#[test]
fn an_event_that_no_consumer_can_read_is_a_problem_of_those_who_need_it_and_status_says_how_far_they_are()
 {
    let world = consumed();
    world.does("mara", &["task", "add", "Before it"]);
    let bad = written_from_outside(&world, "notifier", "mail.sent.v9", UNKNOWN_TASK, "{}");
    world.call("mara", &["task", "add", "Behind it"]).expect(
        0,
        Any,
        Has("1 whole events were kept"),
    );
    for run in ["before a run", "after it"] {
        let rows = examined(&world, 7);
        for consumer in ["accounting", "notifier"] {
            let told = detail(&rows, consumer, "problem");
            assert!(
                told.contains(&format!(
                    "stops at event {bad}: it has the type mail.sent.v9"
                )),
                "{run}: {told}"
            );
            let hint = rows[consumer]["hint"].as_str().expect("a hint");
            assert!(
                hint.contains(&format!("dlq set-aside {bad} --consumer {consumer}")),
                "{run}: {hint}"
            );
        }
        detail(&rows, "tracker", "ok");
        detail(&rows, "analytics", "ok");
        world
            .call("ada", &["consume", "notifier"])
            .expect(12, Nothing, Any);
    }
    let notifier = &world.json("ada", &["status"])["consumers"][3];
    assert_eq!(
        notifier["sequence"].to_string(),
        (bad.parse::<u64>().expect("a number") - 1).to_string()
    );
    assert!(
        notifier["last_error"]
            .as_str()
            .expect("an error")
            .contains("mail.sent.v9"),
        "{notifier}"
    );
    world
        .anonymous(&["verify"])
        .expect(7, Has("mail.sent.v9"), Any);

    for consumer in ["accounting", "notifier"] {
        world.does(
            "ada",
            &["dlq", "set-aside", &bad, "--consumer", consumer, "-q"],
        );
    }
    let rows = examined(&world, 0);
    for consumer in ["accounting", "notifier"] {
        detail(&rows, consumer, "ok");
    }
    world.anonymous(&["verify", "--deep"]).expect(0, Any, Any);
}

#[test]
fn an_event_that_no_command_gets_past_is_a_problem_with_and_without_an_index() {
    let user = UNKNOWN_TASK;
    let assigned = format!(
        "{{\"task_id\":\"{UNKNOWN_TASK}\",\"assignee_id\":\"{user}\",\"reason\":\"created\",\"assignment_no\":1}}"
    );
    let created = format!(
        "{{\"task_id\":\"{UNKNOWN_TASK}\",\"number\":1,\"title\":\"Again\",\"created_by\":\"{user}\"}}"
    );
    for (type_name, data, exit, reason) in [
        (
            "task.created.v9",
            "{}",
            12,
            "it has the type task.created.v9",
        ),
        (
            "task.assigned.v1",
            assigned.as_str(),
            1,
            "was never created",
        ),
        ("task.created.v2", created.as_str(), 1, "tasks.number"),
    ] {
        let world = consumed();
        let bad = written_from_outside(&world, "tracker", type_name, UNKNOWN_TASK, data);
        for rebuild in [&[][..], &["--rebuild"]] {
            let words = [&["consume", "tracker"][..], rebuild, &["-o", "json"]].concat();
            world
                .call("mara", &["task", "add", "Refused"])
                .expect(exit, Nothing, Any);
            let refused = world.call("ada", &words).expect(exit, Nothing, Any);
            assert!(
                refused.stderr.contains(type_name) || refused.stderr.contains(reason),
                "{}",
                refused.stderr
            );
        }
        for index in ["as it was", "gone"] {
            let rows = examined(&world, 7);
            let told = detail(&rows, "tracker", "problem");
            assert!(
                told.contains(&format!("stops at event {bad}: ")) && told.contains(reason),
                "{index}: {told}"
            );
            assert!(
                rows["tracker"]["hint"]
                    .as_str()
                    .expect("a hint")
                    .contains("no command works"),
                "{rows:?}"
            );
            world.anonymous(&["verify", "--deep"]).expect(7, Any, Any);
            let _ = std::fs::remove_file(world.store().join("state.sqlite"));
        }
    }
}
