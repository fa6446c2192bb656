//! Files of tables with damage at any place: moved aside with a warning, rebuilt from the log, and
//! reported by commands that change nothing.

mod duckdb;
mod in_the_way;

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::helpers::deadline;
use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::{Output, PASSWORD, World, last_error};
use crate::helpers::played::played;
use crate::helpers::stores::open;

const SQLITE_PAGE_BYTES: u64 = 4096;

fn pages_of(path: &Path) -> u64 {
    std::fs::metadata(path).expect("a file").len() / SQLITE_PAGE_BYTES
}

/// A store whose file has no write-ahead file beside it.
fn with_merged(file: &str) -> (World, PathBuf) {
    let world = played();
    world.does("ada", &["consume"]);
    let path = world.store().join(file);
    let db = open(&path);
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .expect("merged");
    drop(db);
    remove_companions(&path);
    (world, path)
}

fn remove_companions(path: &Path) {
    for companion in ["sqlite-wal", "sqlite-shm"] {
        let _ = std::fs::remove_file(path.with_extension(companion));
    }
}

fn spoil(path: &Path, from: u64, bytes: u64) {
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(path)
        .expect("a file");
    file.write_all_at(&vec![0xa5; usize::try_from(bytes).expect("few")], from)
        .expect("written");
}

fn kept(world: &World, file: &str) -> usize {
    let entries = std::fs::read_dir(world.store()).expect("a store");
    let names = entries.map(|entry| {
        entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned()
    });
    names
        .filter(|name| name.starts_with(&format!("{file}.damaged-")))
        .count()
}

/// A command that met damage says what to do.
fn assert_ended_by_damage(output: &Output) {
    assert_eq!(output.status, 1, "{}{}", output.stdout, output.stderr);
    let error = last_error(output);
    let hints = error["hints"].as_array().expect("hints");
    let is_told = |text: &str| {
        hints
            .iter()
            .any(|hint| hint.as_str().is_some_and(|hint| hint.contains(text)))
    };
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|message| message.contains("is damaged")),
        "{error}"
    );
    assert!(
        is_told("repeat the command") && is_told("is kept as"),
        "{error}"
    );
}

#[test]
fn a_list_that_meets_damage_in_the_state_index_ends_and_the_next_one_is_whole() {
    let (world, path) = with_merged("state.sqlite");
    let list = ["task", "list", "--all", "-o", "json"];
    let before = world.call("mara", &list).run().json();
    let mut moved = 0;
    for page in 1..pages_of(&path) {
        let world = world.copied();
        spoil(
            &world.store().join("state.sqlite"),
            page * SQLITE_PAGE_BYTES + 100,
            1,
        );
        let mut listed = world.call("mara", &list).run();
        if listed.status != 0 {
            assert_ended_by_damage(&listed);
            listed = world.call("mara", &list).expect(0, Any, Any);
        }
        assert_eq!(listed.json(), before, "page {page}");
        moved += kept(&world, "state.sqlite");
    }
    assert!(moved > 2, "{moved} pages were read");
}

#[test]
fn a_state_index_that_is_damaged_behind_its_header_is_made_anew_by_every_command_that_opens_it() {
    for words in [
        &["consume"][..],
        &["consume", "tracker", "--rebuild"],
        &["task", "add", "One"],
        &["close"],
    ] {
        let (world, path) = with_merged("state.sqlite");
        let users = world.json("ada", &["user", "list"]);
        spoil(
            &path,
            3 * SQLITE_PAGE_BYTES,
            (pages_of(&path) - 3) * SQLITE_PAGE_BYTES,
        );
        let log = world.log_bytes();
        if words.contains(&"--rebuild") {
            world.call("ada", words).expect(0, Any, Has("was damaged"));
        } else {
            assert_ended_by_damage(&world.call("ada", &[words, &["-o", "json"]].concat()).run());
            assert!(world.log_bytes() == log, "{words:?}");
            world.call("ada", words).expect(0, Any, Any);
        }
        assert_eq!(kept(&world, "state.sqlite"), 1, "{words:?}");
        assert_eq!(world.json("ada", &["user", "list"])["rows"], users["rows"]);
        world
            .anonymous(&["verify", "--deep"])
            .expect(0, Has("sound"), Nothing);
    }
}

#[test]
fn a_damaged_page_of_the_state_index_never_stops_more_than_one_command() {
    let (world, path) = with_merged("state.sqlite");
    for page in 1..pages_of(&path) {
        let world = world.twin();
        spoil(
            &world.store().join("state.sqlite"),
            page * SQLITE_PAGE_BYTES,
            SQLITE_PAGE_BYTES,
        );
        let found = world.anonymous(&["verify", "--deep", "-o", "json"]).run();
        assert_eq!(
            found.status, 7,
            "page {page}: {}{}",
            found.stdout, found.stderr
        );
        assert!(
            found.stdout.contains("consume tracker --rebuild"),
            "{}",
            found.stdout
        );
        let mut stopped = 0;
        for words in [
            &["status"][..],
            &["task", "list", "--all"],
            &["task", "add", "One"],
            &["consume"],
        ] {
            let output = world.call("ada", &[words, &["-o", "json"]].concat()).run();
            if output.status != 0 {
                assert_ended_by_damage(&output);
                stopped += 1;
            }
        }
        assert!(stopped <= 1, "page {page} stopped {stopped} commands");
        world
            .call("ada", &["consume", "tracker", "--rebuild"])
            .expect(0, Any, Any);
        world
            .anonymous(&["verify", "--deep"])
            .expect(0, Has("sound"), Nothing);
    }
}

#[test]
fn damaged_tables_of_the_notifier_are_made_anew_by_whoever_reads_them() {
    for words in [&["mail", "list"][..], &["consume", "notifier", "--rebuild"]] {
        let (world, path) = with_merged("notifier.sqlite");
        let mails = world.json("ada", &["mail", "list"])["rows"].clone();
        spoil(
            &path,
            3 * SQLITE_PAGE_BYTES,
            (pages_of(&path) - 3) * SQLITE_PAGE_BYTES,
        );
        world
            .call("ada", &["consume", "tracker", "--rebuild"])
            .expect(0, Any, Nothing);
        if words.contains(&"--rebuild") {
            world
                .call("ada", words)
                .expect(0, Any, Has("notifier.sqlite was damaged"));
        } else {
            assert_ended_by_damage(&world.call("ada", &[words, &["-o", "json"]].concat()).run());
        }
        assert_eq!(kept(&world, "notifier.sqlite"), 1);
        assert_eq!(world.json("ada", &["mail", "list"])["rows"], mails);
    }
}

#[test]
fn a_checkpoint_whose_hash_is_none_is_damage() {
    let (world, path) = with_merged("state.sqlite");
    let db = open(&path);
    db.execute("UPDATE checkpoint SET hash = 'zz'", [])
        .expect("written");
    drop(db);
    let found = world.anonymous(&["verify"]).expect(7, Any, Nothing).stdout;
    assert!(
        found.contains("consume tracker --rebuild") && !found.contains("Query is not"),
        "{found}"
    );
    world
        .call("ada", &["status"])
        .expect(0, Any, Has("was damaged"));
    assert_eq!(kept(&world, "state.sqlite"), 1);
    world
        .anonymous(&["verify"])
        .expect(0, Has("sound"), Nothing);
}

/// Ways for a database to lose our tables: emptied, replaced by another one, and hidden by the
/// write-ahead file of another one.
fn without_our_tables() -> [fn(&Path); 5] {
    [
        |path| std::fs::write(path, "").expect("written"),
        |path| {
            std::fs::remove_file(path).expect("removed");
            rusqlite::Connection::open(path)
                .expect("a database")
                .execute_batch("CREATE TABLE t (x)")
                .expect("written");
        },
        |path| in_sqlite(path, "DELETE FROM checkpoint"),
        |path| in_sqlite(path, "DROP TABLE checkpoint"),
        |path| {
            let other = path.with_file_name("notifier.sqlite");
            in_sqlite(&other, "VACUUM");
            std::fs::copy(other.with_file_name("notifier.sqlite-wal"), wal_of(path))
                .expect("copied");
        },
    ]
}

fn wal_of(path: &Path) -> PathBuf {
    path.with_extension("sqlite-wal")
}

/// Leaves the changes in the write-ahead file.
fn in_sqlite(path: &Path, sql: &str) {
    let db = open(path);
    db.set_db_config(
        rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
        true,
    )
    .expect("set");
    db.execute_batch(sql).expect("written");
}

#[test]
fn a_state_index_without_our_tables_is_damaged_and_not_of_another_version() {
    for (n, spoil) in without_our_tables().into_iter().enumerate() {
        let (world, path) = with_merged("state.sqlite");
        let users = world.json("ada", &["user", "list"])["rows"].clone();
        remove_companions(&path);
        spoil(&path);
        let found = world.anonymous(&["verify", "-o", "json"]).expect(
            7,
            Has("consume tracker --rebuild"),
            Nothing,
        );
        assert!(
            !found.stdout.contains("of another version"),
            "{n}: {}",
            found.stdout
        );
        world
            .call("ada", &["user", "list"])
            .expect(0, Any, Has("was damaged"));
        assert_eq!(kept(&world, "state.sqlite"), 1, "{n}");
        assert_eq!(world.json("ada", &["user", "list"])["rows"], users);
        world
            .anonymous(&["verify", "--deep"])
            .expect(0, Has("sound"), Nothing);
    }
}

#[test]
fn garbage_in_a_write_ahead_file_is_damage_at_once() {
    for (file, words) in [
        ("state.sqlite", &["user", "list"]),
        ("notifier.sqlite", &["mail", "list"]),
    ] {
        let (world, path) = with_merged(file);
        let rows = world.json("ada", words)["rows"].clone();
        std::fs::write(wal_of(&path), b"garbage ".repeat(5_000)).expect("written");
        world.anonymous(&["verify", "--deep"]).expect(
            7,
            Has("its write-ahead file is not valid"),
            Nothing,
        );
        world.call("ada", words).expect(0, Any, Has("was damaged"));
        assert_eq!(world.json("ada", words)["rows"], rows);
        world
            .anonymous(&["verify", "--deep"])
            .expect(0, Has("sound"), Nothing);
    }
}

#[test]
fn doctor_names_a_damaged_file_and_the_command_that_makes_it_anew() {
    for (file, consumer) in [("state.sqlite", "tracker"), ("notifier.sqlite", "notifier")] {
        let (world, path) = with_merged(file);
        spoil(
            &path,
            3 * SQLITE_PAGE_BYTES,
            (pages_of(&path) - 3) * SQLITE_PAGE_BYTES,
        );
        assert_named(&world, consumer);
        world
            .call("ada", &["consume", consumer, "--rebuild"])
            .expect(0, Any, Any);
        world.anonymous(&["doctor"]).expect(0, Any, Nothing);
    }
}

fn assert_named(world: &World, consumer: &str) {
    let report = world
        .anonymous(&["doctor", "-o", "json"])
        .expect(7, Any, Nothing)
        .json();
    let row = report["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .find(|row| row["check"] == consumer);
    let row: &Value = row.unwrap_or_else(|| panic!("no {consumer} in {report}"));
    assert_eq!(row["result"], "problem", "{row}");
    let hint = row["hint"].as_str().expect("a hint");
    assert!(
        hint.contains(&format!("popug-cli consume {consumer} --rebuild")),
        "{row}"
    );
}
