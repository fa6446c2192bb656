//! DuckDB files that are damaged anywhere: made anew by the commands that work with them, named by the others.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::{assert_named, kept, spoil};
use crate::helpers::harness::Text::Any;
use crate::helpers::harness::{World, last_error};
use crate::helpers::played::played;

/// Where the blocks of a DuckDB file begin, and how long they are.
const DUCKDB_HEADER_BYTES: u64 = 12288;
const DUCKDB_BLOCK_BYTES: u64 = 262_144;

/// The store with one of its DuckDB files damaged in each way in turn: cut to a half, or one block spoilt.
fn with_damaged_tables(whole: &World, file: &str) -> Vec<World> {
    let bytes = std::fs::metadata(whole.store().join(file))
        .expect("a file")
        .len();
    let half = whole.twin();
    let cut = std::fs::OpenOptions::new()
        .write(true)
        .open(half.store().join(file))
        .expect("a file");
    cut.set_len(bytes / 2).expect("cut");
    let mut worlds = vec![half];
    for block in (DUCKDB_HEADER_BYTES + 3000..bytes)
        .step_by(usize::try_from(DUCKDB_BLOCK_BYTES).expect("small"))
    {
        let world = whole.twin();
        spoil(&world.store().join(file), block, 64);
        worlds.push(world);
    }
    worlds
}

#[test]
fn duckdb_files_that_are_damaged_anywhere_are_made_anew_by_consume_and_close() {
    let sound = played();
    sound.does("ada", &["consume"]);
    for (consumer, report) in [("accounting", "entries"), ("analytics", "top-task")] {
        let file = format!("{consumer}.duckdb");
        let asked = ["report", report, "--from", "2026-03-05"];
        let expected = sound.json("ada", &asked)["rows"]
            .as_array()
            .expect("rows")
            .clone();
        let mut met = 0;
        for world in with_damaged_tables(&sound, &file) {
            world.does("mara", &["task", "add", "Met by consume"]);
            for words in [&["consume", consumer][..], &["close"]] {
                let mut output = world.call("ada", words).run();
                met += usize::from(output.stderr.contains("was damaged"));
                if output.status != 0 {
                    assert_eq!(output.status, 1, "{}", output.stderr);
                    assert!(
                        output.stderr.contains("repeat the command"),
                        "{}",
                        output.stderr
                    );
                    output = world.call("ada", words).run();
                }
                assert_eq!(output.status, 0, "{}", output.stderr);
            }
            assert!(kept(&world, &file) <= 1);
            let output = world
                .call("ada", &[&asked[..], &["-o", "json"]].concat())
                .run();
            if output.status != 0 {
                assert_told(&world, consumer, &last_error(&output));
            }
            let rows = world.json("ada", &asked)["rows"]
                .as_array()
                .expect("rows")
                .clone();
            assert_eq!(rows[..expected.len()], expected);
        }
        assert!(met > 0, "no damage of {file} was met");
    }
}

#[test]
fn a_report_that_meets_damage_names_the_rebuild() {
    let sound = played();
    sound.does("ada", &["consume"]);
    for words in [
        &["report", "entries"][..],
        &["export", "journal", "--format", "hledger"],
    ] {
        let expected = sound.call("ada", words).expect(0, Any, Any).stdout;
        let mut met = 0;
        for world in with_damaged_tables(&sound, "accounting.duckdb") {
            let output = world.call("ada", &[&["-o", "json"], words].concat()).run();
            if output.status != 0 {
                assert_eq!(output.status, 1, "{}", output.stderr);
                let error = last_error(&output);
                assert_eq!(error["code"], "tables_damaged", "{error}");
                met += 1;
                if met > 1 {
                    continue;
                }
                assert_told(&world, "accounting", &error);
            }
            assert_eq!(
                world.call("ada", words).expect(0, Any, Any).stdout,
                expected
            );
        }
        assert!(met > 0, "no damage was met by {words:?}");
    }
}

#[test]
fn a_notifier_that_meets_damage_in_the_ledger_ends_and_the_next_one_sends_every_mail_once() {
    let mut sound = played();
    for task in sound.rows("mara", &["task", "list"]) {
        let assignee = task["assignee"].as_str().expect("a login");
        if assignee != "petr" {
            sound.does(assignee, &["task", "complete", &task["number"].to_string()]);
        }
    }
    sound
        .at("2026-03-12T08:00:00Z")
        .does("cron", &["close", "-q"]);
    let (before, notify) = (letters(&sound), ["consume", "notifier"]);
    let mut ended = 0;
    let worlds = with_damaged_tables(&sound, "accounting.duckdb");
    sound.does("ada", &notify);
    let expected = letters(&sound);
    assert!(expected.len() > before.len(), "no mail is owed");
    for world in worlds {
        let mut output = world
            .call("ada", &[&notify[..], &["-o", "json"]].concat())
            .run();
        if output.status != 0 {
            let told = &output.stderr;
            assert_eq!(output.status, 1, "{told}");
            assert!(told.contains("repeat the command") && told.contains("is kept as"));
            assert_eq!(kept(&world, "accounting.duckdb"), 1);
            assert_eq!(letters(&world), before, "a mail without its lines");
            output = world.call("ada", &notify).expect(0, Any, Any);
            ended += 1;
        }
        assert_eq!(output.status, 0, "{}", output.stderr);
        assert_eq!(letters(&world), expected);
        let sent = |world: &World| {
            let events = world.events();
            let sent = events
                .iter()
                .filter(|event| event["type"] == "mail.sent.v1");
            sent.count()
        };
        assert_eq!(sent(&world), sent(&sound));
        assert!(kept(&world, "accounting.duckdb") <= 1);
        world.does("ada", &notify);
    }
    assert!(ended > 0, "no damage was met by the notifier");
}

/// The letters of the outbox, by their path in it.
fn letters(world: &World) -> BTreeMap<PathBuf, String> {
    let days = std::fs::read_dir(world.store().join("outbox")).expect("an outbox");
    days.flat_map(|day| std::fs::read_dir(day.expect("an entry").path()).expect("a day"))
        .map(|letter| letter.expect("an entry").path())
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a letter");
            let name = path.strip_prefix(world.store()).expect("inside").to_owned();
            (name, text)
        })
        .collect()
}

/// A report, doctor and verify name the same remedy for damaged tables, and it helps.
fn assert_told(world: &World, consumer: &str, error: &Value) {
    let way_out = format!("popug-cli consume {consumer} --rebuild");
    assert!(
        error["hints"][0]
            .as_str()
            .is_some_and(|hint| hint.contains(&way_out)),
        "{error}"
    );
    assert_named(world, consumer);
    let found = world
        .anonymous(&["verify", "--deep", "-o", "json"])
        .expect(7, Any, Any)
        .stdout;
    assert!(found.contains(&way_out), "{found}");
    world
        .call("ada", &["consume", consumer, "--rebuild"])
        .expect(0, Any, Any);
}
