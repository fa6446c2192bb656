//! Everything but the log and the secrets can be deleted and is rebuilt the same.

use std::path::Path;

use crate::helpers::chain;
use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::{World, copy};
use crate::helpers::played::played;

const REPORTS: [&[&str]; 19] = [
    &["balances"],
    &["balances", "--from", "2026-03-05", "--to", "2026-03-12"],
    &["earnings", "--from", "2026-03-05"],
    &["earnings", "--from", "2026-03-05", "--period", "week"],
    &["negative"],
    &["negative", "--date", "2026-03-08"],
    &["top-task", "--from", "2026-03-05", "--period", "day"],
    &["payouts"],
    &["statement", "--user", "dora"],
    &["entries"],
    &["trial-balance"],
    &["closes"],
    &["tasks"],
    &["tasks", "--user", "walt"],
    &["pay", "--from", "2026-03-05"],
    &["payslip", "--user", "dora", "--from", "2026-03-05"],
    &["people", "--from", "2026-03-05"],
    &["flow", "--from", "2026-03-05"],
    &["flow", "--from", "2026-03-05", "--period", "week"],
];

/// Every report as bytes, and the lists from the other files.
fn everything(world: &World) -> Vec<String> {
    let json = |words: &[&str]| world.answer("ada", &[words, &["-o", "json"]].concat());
    let reports = REPORTS
        .iter()
        .map(|words| json(&[&["report"], *words].concat()));
    let lists: [&[&str]; 4] = [
        &["task", "list", "--all"],
        &["user", "list"],
        &["mail", "list"],
        &["task", "show", "1"],
    ];
    reports.chain(lists.into_iter().map(json)).collect()
}

fn delete_all_but_log_and_auth(store: &Path) {
    for entry in std::fs::read_dir(store).expect("a store") {
        let path = entry.expect("an entry").path();
        match path.file_name().and_then(|name| name.to_str()) {
            Some("log" | "auth") => {}
            _ if path.is_dir() => std::fs::remove_dir_all(path).expect("removed"),
            _ => std::fs::remove_file(path).expect("removed"),
        }
    }
}

#[test]
fn a_rebuild_gives_every_report_byte_for_byte() {
    for words in [&["consume", "--rebuild"][..], &["consume"]] {
        let world = played();
        let before = (everything(&world), world.log_bytes());
        delete_all_but_log_and_auth(&world.store());
        world.does("ada", words);
        assert!(
            world.log_bytes() == before.1,
            "{words:?} appended to a log that was complete"
        );
        assert_eq!(everything(&world), before.0, "{words:?}");
        assert!(
            !world.store().join("outbox").exists(),
            "{words:?} sent mails again"
        );
    }
}

#[test]
fn a_rebuild_beside_the_live_tables_changes_nothing_either() {
    let world = played();
    let before = everything(&world);
    for consumer in ["tracker", "accounting", "analytics", "notifier"] {
        world.does("ada", &["consume", consumer, "--rebuild"]);
        assert_eq!(everything(&world), before, "{consumer}");
    }
    let left: Vec<_> = std::fs::read_dir(world.store())
        .expect("a store")
        .filter_map(Result::ok)
        .collect();
    assert!(
        left.iter()
            .all(|entry| !entry.file_name().to_string_lossy().ends_with(".new")),
        "{left:?}"
    );
}

#[test]
fn damaged_tables_are_kept_aside_with_a_warning_and_rebuilt() {
    for (file, begin) in [
        ("accounting.duckdb", "accounting.duckdb.damaged"),
        ("analytics.duckdb", "analytics.duckdb.damaged"),
    ] {
        let world = played();
        let before = everything(&world);
        std::fs::write(world.store().join(file), b"garbage ".repeat(5_000)).expect("written");
        world
            .call("ada", &["consume"])
            .expect(0, Any, Has("was damaged"));
        assert_eq!(everything(&world), before, "{file}");
        let kept = names(&world.store())
            .into_iter()
            .filter(|name| name.starts_with(begin))
            .count();
        assert_eq!(kept, 1, "{:?}", names(&world.store()));
        world.call("ada", &["consume"]).expect(0, Any, Nothing);
    }
}

#[test]
fn a_damaged_state_index_is_kept_aside_with_a_warning_and_rebuilt() {
    for file in ["state.sqlite", "notifier.sqlite"] {
        let world = played();
        let before = everything(&world);
        std::fs::write(world.store().join(file), b"garbage ".repeat(5_000)).expect("written");
        world
            .call("ada", &["mail", "list"])
            .expect(0, Any, Has("was damaged"));
        assert_eq!(everything(&world), before, "{file}");
        assert!(
            names(&world.store())
                .iter()
                .any(|name| name.starts_with(&format!("{file}.damaged"))),
            "{:?}",
            names(&world.store())
        );
    }
}

fn names(store: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(store).expect("a store");
    entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

#[test]
fn a_report_of_damaged_tables_says_what_to_do() {
    let world = played();
    std::fs::write(
        world.store().join("accounting.duckdb"),
        b"garbage ".repeat(5_000),
    )
    .expect("written");
    let error = world.refused("ada", &["report", "balances"], 1, "tables_damaged");
    assert!(
        error["hints"][0]
            .as_str()
            .expect("a hint")
            .contains("popug-cli consume"),
        "{error}"
    );
}

#[test]
fn tables_of_another_log_are_refused_with_the_way_out() {
    let world = World::new();
    world.does("ada", &["consume"]);
    let other = played();
    for file in ["accounting.duckdb", "analytics.duckdb"] {
        std::fs::copy(other.store().join(file), world.store().join(file)).expect("copied");
    }
    for (words, consumer) in [
        (&["report", "balances"][..], "accounting"),
        (&["consume", "accounting"], "accounting"),
        (&["close"], "accounting"),
        (&["report", "negative"], "analytics"),
        (&["consume", "analytics"], "analytics"),
    ] {
        let error = world.refused("ada", words, 12, "foreign_tables");
        let hints = error["hints"].as_array().expect("hints");
        let wanted = format!("popug-cli consume {consumer} --rebuild");
        assert!(
            hints
                .iter()
                .any(|hint| hint.as_str().is_some_and(|hint| hint.contains(&wanted))),
            "{error}"
        );
    }
    world.does("ada", &["consume", "--rebuild"]);
    assert_eq!(world.rows("ada", &["report", "balances"]).len(), 6);
}

#[test]
fn a_log_that_was_rolled_back_is_not_mixed_with_newer_tables() {
    let world = World::new();
    let earlier = world.copied();
    world.does("mara", &["task", "add", "Forgotten"]);
    world.does("ada", &["consume"]);
    std::fs::remove_dir_all(world.store().join("log")).expect("removed");
    copy(&earlier.store().join("log"), &world.store().join("log"));
    let error = world.refused("ada", &["task", "list"], 12, "not_on_chain");
    assert_eq!(
        error["hints"][0],
        "`popug-cli consume tracker --rebuild` rebuilds the index from this log"
    );
    world.does("ada", &["consume", "tracker", "--rebuild"]);
    assert!(world.rows("ada", &["task", "list"]).is_empty());
    world.refused("ada", &["report", "balances"], 12, "foreign_tables");
    world.does("ada", &["consume", "--rebuild"]);
    assert!(world.rows("ada", &["report", "entries"]).is_empty());
}

#[test]
fn a_log_in_many_segments_reads_the_same() {
    let world = World::new();
    for n in 0..12 {
        let add = world.call("mara", &["task", "add", &format!("Segment {n}")]);
        add.env("POPUG_SEGMENT_BYTES", "2000")
            .expect(0, Any, Nothing);
    }
    let segments = names(&world.store().join("log"))
        .into_iter()
        .filter(|name| name.ends_with(".ndjson"))
        .count();
    assert!(segments > 5, "{segments} segments");
    chain::check(&world.log_lines());
    world.does("ada", &["consume"]);
    let before = world.answer("ada", &["report", "entries", "-o", "json"]);
    delete_all_but_log_and_auth(&world.store());
    world.does("ada", &["consume"]);
    assert_eq!(
        world.answer("ada", &["report", "entries", "-o", "json"]),
        before
    );
    assert_eq!(
        world
            .answer("ada", &["log", "tail", "--from", "1"])
            .lines()
            .count(),
        world.log_lines().len()
    );
}

#[test]
fn the_leftover_of_a_killed_rebuild_is_removed_by_the_next_consume() {
    let world = World::new();
    for (consumer, name) in [
        ("accounting", "accounting.duckdb.new"),
        ("analytics", "analytics.duckdb.new"),
    ] {
        let leftovers = [
            world.store().join(name),
            world.store().join(format!("{name}.wal")),
        ];
        leftovers
            .iter()
            .for_each(|path| std::fs::write(path, "half").expect("written"));
        world.does("ada", &["consume", consumer]);
        assert!(leftovers.iter().all(|path| !path.exists()), "{consumer}");
    }
}

#[test]
fn a_rebuild_at_work_keeps_its_file() {
    let world = World::new();
    let lock =
        std::fs::File::create(world.store().join("accounting-rebuild.lock")).expect("created");
    lock.lock().expect("locked");
    let beside = world.store().join("accounting.duckdb.new");
    std::fs::write(&beside, "half").expect("written");
    world.does("ada", &["consume", "accounting"]);
    assert!(beside.exists());
    let words = ["consume", "accounting", "--rebuild", "--lock-wait", "10ms"];
    world
        .call("ada", &words)
        .expect(11, Nothing, Has("accounting-rebuild.lock"));
}

#[test]
fn an_unfinished_file_of_a_killed_process_is_removed_before_its_name_is_used() {
    let world = played();
    let before = everything(&world);
    let tables = world.store().join("accounting.duckdb");
    let leave = |suffix: &str| {
        let unfinished = world.store().join(format!("accounting.duckdb.{suffix}"));
        std::fs::write(&unfinished, "half a file").expect("written");
        unfinished
    };
    let beside = leave("new");
    world.does("ada", &["consume", "accounting", "--rebuild"]);
    assert!(!beside.exists());
    std::fs::remove_file(&tables).expect("removed");
    let making = leave("making");
    world.does("ada", &["consume", "accounting"]);
    assert!(!making.exists() && tables.exists());
    assert!(everything(&world) == before);
}
