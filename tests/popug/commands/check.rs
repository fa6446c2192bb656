//! `check` and `status -o prometheus`: their exit codes, and their texts as monitoring systems read
//! them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::World;
use crate::helpers::python::python;

/// Prints every sample of a file as `name{label} value`.
const READ: &str = "
import sys
from prometheus_client.parser import text_string_to_metric_families
for family in text_string_to_metric_families(open(sys.argv[1]).read()):
    assert family.type == 'gauge' and family.documentation, family
    for sample in family.samples:
        print(sample.name + ''.join(sample.labels.values()), int(sample.value))
";

/// The samples in a file, as Prometheus' own parser reads it.
fn samples(world: &World, name: &str) -> BTreeMap<String, i64> {
    let file = world.home().join(name);
    let text = python("prometheus-client", READ, &[file.as_os_str()]);
    let pairs = text.lines().map(|line| {
        let (name, value) = line.split_once(' ').expect("a pair");
        (name.to_owned(), value.parse().expect("a number"))
    });
    pairs.collect()
}

fn checked(world: &World, words: &[&str], exit: i32) -> String {
    world
        .call("ada", &[&["check"], words].concat())
        .expect(exit, Any, Nothing)
        .stdout
}

#[test]
fn a_store_that_is_well_is_ok() {
    let world = World::new();
    world.does("ada", &["consume"]);
    let line = checked(&world, &[], 0);
    assert!(line.starts_with("OK - no date is overdue"), "{line}");
    let values = line.split_once(" | ").expect("values").1;
    assert!(
        values.contains("open_dates=0 close_age=0s;;93600 lag=0s;;3600"),
        "{line}"
    );
    assert!(
        values.ends_with("mails_failed=0;;0 clock_behind=0s\n"),
        "{line}"
    );
}

#[test]
fn dates_that_nobody_closes_and_events_that_nobody_consumes_are_critical() {
    let mut world = World::new();
    world.does("ada", &["consume"]);
    world.does("mara", &["task", "add", "Fix"]);
    world.at("2026-03-03T23:30:00Z");
    // The limit is counted from the end of the date.
    let line = checked(&world, &["--lag", "40h"], 0);
    assert!(
        line.contains("open_dates=2 close_age=88200s;;93600"),
        "{line}"
    );
    world.at("2026-03-05T09:00:00Z");
    let line = checked(&world, &[], 2);
    assert!(
        line.starts_with("CRITICAL - 3 dates are over and not closed (last close: none); "),
        "{line}"
    );
    assert!(line.contains(" is 3 days behind |"), "{line}");
    world.does("ada", &["consume"]);
    world.does("ada", &["close"]);
    let line = checked(&world, &[], 0);
    assert!(line.contains("open_dates=0"), "{line}");
}

#[test]
fn a_backup_must_be_there_be_of_this_company_and_be_young() {
    let mut world = World::new();
    world.does("ada", &["consume"]);
    let line = checked(&world, &["--backup", "bk"], 2);
    assert!(line.contains("there is no backup in bk"), "{line}");
    world.does("ada", &["backup", "bk"]);
    let line = checked(&world, &["--backup", "bk"], 0);
    assert!(line.contains("backup_age=0s;;93600"), "{line}");
    world.at("2026-03-02T20:00:00Z");
    let line = checked(&world, &["--backup", "bk", "--backup-age", "2h"], 2);
    assert!(
        line.starts_with("CRITICAL - the last backup is 12 hours old"),
        "{line}"
    );
    let other = World::founded("UTC", world.now());
    other.does("ada", &["consume"]);
    let backup = world.home().join("bk");
    let line = checked(&other, &["--backup", backup.to_str().expect("UTF-8")], 2);
    assert!(line.contains("is a backup of UberPopug Inc."), "{line}");
}

#[test]
fn a_store_that_cannot_be_judged_is_unknown_and_a_damaged_one_critical() {
    let world = World::new();
    let nobody = world
        .anonymous(&["check"])
        .expect(3, Has("UNKNOWN - "), Nothing);
    assert!(
        nobody.stdout.contains("you are not logged in"),
        "{}",
        nobody.stdout
    );
    let nowhere = world.call("ada", &["check", "-C", "nowhere"]);
    nowhere.expect(3, Has("UNKNOWN - "), Nothing);
    world.refused("ada", &["check"], 2, "usage");
    std::fs::remove_dir_all(world.store().join("log")).expect("removed");
    checked(&world, &[], 2);
}

#[test]
fn the_numbers_are_there_as_json() {
    let world = World::new();
    world.does("ada", &["consume"]);
    let answer = checked(&world, &["--format", "json"], 0);
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!(answer["state"], "ok");
    let measures = answer["measures"].as_array().expect("a list");
    let lag = measures.iter().find(|measure| measure["name"] == "lag");
    let wanted = serde_json::json!({
        "name": "lag", "value": 0, "unit": "seconds", "limit": 3600, "health": "ok", "finding": null
    });
    assert_eq!(lag, Some(&wanted));
}

#[test]
fn prometheus_reads_the_metrics() {
    let mut world = World::new();
    world.does("ada", &["consume"]);
    world.does("mara", &["task", "add", "Fix"]);
    world.at("2026-03-05T08:00:00Z");
    world.does("ada", &["status", "--out", "popug.prom"]);
    let told = samples(&world, "popug.prom");
    let status = world.json("ada", &["status"]);
    assert_eq!(told["popug_log_sequence"], status["head"]["sequence"]);
    for row in status["consumers"].as_array().expect("a list") {
        let name = row["name"].as_str().expect("a name");
        for (metric, member) in [
            ("sequence", "sequence"),
            ("lag_events", "lag_events"),
            ("lag_seconds", "lag_seconds"),
            ("set_aside", "set_aside"),
        ] {
            let told = told[&format!("popug_consumer_{metric}{name}")];
            assert_eq!(
                told,
                row[member].as_i64().expect("a number"),
                "{metric} of {name}"
            );
        }
    }
    assert_eq!(told["popug_open_dates"], 3);
    assert_eq!(told["popug_mails_failed"], 0);

    world.does("ada", &["backup", "bk"]);
    let words = [
        "--format",
        "prometheus",
        "--backup",
        "bk",
        "--out",
        "check.prom",
    ];
    checked(&world, &words, 2);
    let told = samples(&world, "check.prom");
    assert_eq!(
        (told["popug_check_state"], told["popug_backup_age_seconds"]),
        (2, 0)
    );
    world.refused("ada", &["task", "list", "-o", "prometheus"], 2, "usage");
}
