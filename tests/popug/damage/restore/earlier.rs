//! Stores that are restored to an earlier moment.

use super::*;

#[test]
fn restoring_to_a_sequence_inside_a_batch_ends_with_the_batch_before() {
    let world = busy_world();
    back_up(&world, "backup");
    let events = world.events();
    let sequence = |event: &Value| {
        event["sequence"]
            .as_str()
            .expect("digits")
            .parse::<u64>()
            .expect("a number")
    };
    let inside: Vec<u64> = events
        .iter()
        .filter(|event| event["more"] != 0)
        .map(sequence)
        .filter(|n| *n > 2)
        .collect();
    for (round, wanted) in inside.iter().step_by(inside.len() / 4).enumerate() {
        let expected = events
            .iter()
            .filter(|event| event["more"] == 0)
            .map(sequence)
            .filter(|n| n <= wanted)
            .max();
        let name = format!("new-{round}");
        let words = [
            "restore",
            "backup",
            "-C",
            &name,
            "--to-sequence",
            &wanted.to_string(),
            "--password-stdin",
            "-o",
            "json",
        ];
        let row = world
            .anonymous(&words)
            .stdin(NEW_PASSWORD)
            .expect(0, Any, Any)
            .json();
        assert_eq!(row["sequence"].as_u64(), expected);
        let lines = lines_in(&world.home().join(&name));
        chain::check(&lines);
        assert_eq!(Some(lines.len() as u64), expected);
        world
            .anonymous(&["verify", "-C", &name])
            .expect(0, Has("sound"), Nothing);
        // The company continues from there, in the same segment.
        in_store(&world, &name, &["task", "add", "After the fire"]);
    }
}

#[test]
fn restoring_to_a_time_ends_with_the_last_batch_of_that_time() {
    let world = busy_world();
    back_up(&world, "backup");
    restore(
        &world,
        &[
            "backup",
            "-C",
            "new",
            "--to-time",
            "2026-03-03T23:00:00+01:00",
        ],
    );
    let expected: Vec<_> = world
        .log_lines()
        .into_iter()
        .filter(|line| !line.contains(r#""time":"2026-03-04"#))
        .collect();
    assert!(expected.len() < world.log_lines().len());
    assert!(lines_in(&world.home().join("new")) == expected);
    let early = world.anonymous(&[
        "restore",
        "backup",
        "-C",
        "old",
        "--to-time",
        "2026-03-01T00:00:00Z",
        "-o",
        "json",
    ]);
    let refused = early.expect(4, Nothing, Any);
    assert_eq!(last_error(&refused)["code"], "before_founding");
    assert!(!world.home().join("old").exists());
}

/// An old log is copied over a newer store.
#[test]
fn every_consumer_of_a_rolled_back_log_refuses_to_run_on_and_says_how_to_rebuild() {
    let mut world = World::new();
    add_tasks(&world, 3, "Old");
    world.at("2026-03-03T09:00:00Z").does("ada", &["close"]);
    world.does("ada", &["consume"]);
    copy(&world.store().join("log"), &world.home().join("old log"));
    world.at("2026-03-04T09:00:00Z");
    add_tasks(&world, 3, "Newer");
    world.does("ada", &["close"]);
    world.does("ada", &["consume"]);
    std::fs::remove_dir_all(world.store().join("log")).expect("removed");
    copy(&world.home().join("old log"), &world.store().join("log"));
    let refused = |words: &[&str], code: &str, rebuild: &str| {
        let error = world.refused("ada", words, 12, code);
        assert!(
            error["hints"].to_string().contains(rebuild),
            "{words:?}: {error}"
        );
    };
    refused(
        &["task", "list"],
        "not_on_chain",
        "consume tracker --rebuild",
    );
    refused(
        &["task", "add", "Not here"],
        "not_on_chain",
        "consume tracker --rebuild",
    );
    refused(&["consume"], "not_on_chain", "consume tracker --rebuild");
    let found = world
        .anonymous(&["verify", "-o", "json"])
        .expect(7, Any, Nothing)
        .json();
    let violations = found["violations"].as_array().expect("violations");
    let places: Vec<_> = violations
        .iter()
        .map(|violation| violation["place"].as_str().expect("a place"))
        .collect();
    assert_eq!(
        places,
        [
            "state.sqlite",
            "accounting.duckdb",
            "analytics.duckdb",
            "notifier.sqlite"
        ]
    );
    assert!(violations.iter().all(|v| {
        v["what"]
            .as_str()
            .expect("text")
            .contains("but the log ends with")
    }));
    // Only its own consumer is rebuilt, and each of the others reports for itself.
    world.does("ada", &["consume", "tracker", "--rebuild"]);
    for consumer in ["accounting", "analytics", "notifier"] {
        refused(
            &["consume", consumer],
            "foreign_tables",
            &format!("consume {consumer} --rebuild"),
        );
    }
    refused(&["close"], "foreign_tables", "consume accounting --rebuild");
    for consumer in ["accounting", "analytics", "notifier"] {
        world.does("ada", &["consume", consumer, "--rebuild"]);
    }
    world.does("ada", &["consume"]);
    world
        .anonymous(&["verify", "--deep"])
        .expect(0, Has("sound"), Nothing);
    world.does("ada", &["close"]);
}
