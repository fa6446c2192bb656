//! A log whose head file lost a slot, or whose segments are not regular files, and how commands
//! treat it.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::helpers::deadline;
use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::World;
use crate::helpers::stores::{back_up, busy_world, edit, log};

const SLOT_BYTES: usize = 4096;

/// Loses the slot that was written last. Numbers of fixed width sort like their text.
fn lose_newer_slot(store: &Path) {
    edit(&store.join("log/head"), |head| {
        let slot = if head[..40] < head[SLOT_BYTES..SLOT_BYTES + 40] {
            SLOT_BYTES
        } else {
            0
        };
        head[slot..slot + SLOT_BYTES].fill(0);
    });
}

/// The checks that found something.
fn found(world: &World) -> Vec<Value> {
    let found = world
        .anonymous(&["verify", "--deep", "-o", "json"])
        .expect(7, Any, Any)
        .json();
    assert_eq!(found["damage"], serde_json::json!([]), "{found}");
    found["violations"]
        .as_array()
        .expect("violations")
        .iter()
        .map(|found| found["invariant"].clone())
        .collect()
}

#[test]
fn a_lost_slot_of_the_head_stops_nobody_and_hides_nothing() {
    let whole = busy_world();
    whole.does("ada", &["consume"]);
    for words in [
        &["task", "list"][..],
        &["consume"],
        &["report", "balances"],
        &["task", "add", "Life goes on"],
    ] {
        let world = whole.copied();
        lose_newer_slot(&world.store());
        assert_eq!(found(&world), ["head"], "nothing else is wrong");
        world.call("mara", words).expect(0, Any, Any);
        assert!(
            world.log_bytes().starts_with(&whole.log_bytes()),
            "{words:?}"
        );
        world
            .call("mara", &["task", "add", "Heals it"])
            .expect(0, Any, Any);
        world.does("ada", &["verify", "--deep"]);
    }
}

/// A crash alone does not do this: both the end of the log and the head that names it are damaged.
#[test]
fn nothing_is_read_over_or_cut_where_the_head_and_the_end_are_damaged() {
    type Lose = fn(&Path);
    type Spoil = fn(&mut Vec<u8>);
    let heads: [(&str, Lose); 3] = [
        ("the newer slot", lose_newer_slot),
        ("both slots", |store| {
            edit(&store.join("log/head"), |head| {
                head[..2 * SLOT_BYTES].fill(0)
            })
        }),
        ("the file", |store| {
            std::fs::remove_file(store.join("log/head")).expect("removed")
        }),
    ];
    let ends: [(&str, Spoil); 3] = [
        ("flipped", |bytes| {
            let end = bytes.len();
            bytes[end - 90] ^= 1;
        }),
        ("torn", |bytes| bytes.truncate(bytes.len() - 40)),
        ("shorter than any head", |bytes| bytes.truncate(200)),
    ];
    let whole = busy_world();
    whole.does("ada", &["consume"]);
    back_up(&whole, "backup");
    for (lost, lose) in heads {
        for (how, spoil) in ends {
            let world = whole.twin();
            lose(&world.store());
            edit(&log(&world).pop().expect("a segment"), spoil);
            let spoilt = world.log_bytes();
            for words in [
                &["task", "list"][..],
                &["consume"],
                &["consume", "--rebuild"],
                &["task", "add", "Not yet"],
            ] {
                world.call("ada", words).expect(12, Nothing, Any);
            }
            world.anonymous(&["verify"]).expect(12, Any, Any);
            assert!(world.log_bytes() == spoilt, "{lost} lost, the end {how}");
            world
                .anonymous(&["repair", "--yes", "--from", "backup"])
                .expect(0, Any, Any);
            assert!(
                world.log_bytes() == whole.log_bytes(),
                "{lost} lost, the end {how}"
            );
            world.does("ada", &["verify", "--deep"]);
        }
    }
}

#[test]
fn damage_behind_a_lost_slot_is_not_cut_and_comes_back_from_a_backup() {
    let world = busy_world();
    world.does("ada", &["consume"]);
    back_up(&world, "backup");
    let whole = world.log_bytes();
    lose_newer_slot(&world.store());
    // A byte of the last line of the last batch: no good line follows.
    let last = log(&world).pop().expect("a segment");
    edit(&last, |bytes| {
        let end = bytes.len();
        bytes[end - 90] ^= 1;
    });
    let spoilt = world.log_bytes();
    for words in [
        &["task", "list"][..],
        &["consume"],
        &["task", "add", "Not yet"],
    ] {
        world
            .call("mara", words)
            .expect(12, Nothing, Has("a slot of the head cannot be read"));
        assert!(world.log_bytes() == spoilt, "{words:?}");
    }
    world
        .anonymous(&["repair"])
        .expect(7, Has("perhaps acknowledged"), Any);
    world
        .anonymous(&["repair", "--yes", "--from", "backup"])
        .expect(0, Any, Any);
    assert!(world.log_bytes() == whole);
    world.does("ada", &["verify", "--deep"]);
}

#[test]
fn another_kind_of_file_is_a_missing_segment_and_nobody_waits_for_it() {
    let world = busy_world();
    back_up(&world, "backup");
    let whole = world.log_bytes();
    for make in [
        &["mkdir"][..],
        &["mkfifo"],
        &["ln", "-s", "../elsewhere.ndjson"],
    ] {
        let world = world.twin();
        let segment = log(&world)[1].clone();
        // The target of the link has the very bytes.
        std::fs::rename(&segment, world.store().join("elsewhere.ndjson")).expect("moved");
        let (program, words) = make.split_first().expect("a program");
        assert!(deadline::status(Command::new(program).args(words).arg(&segment)).success());
        let name = segment
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name")
            .to_owned();
        let found = world
            .anonymous(&["verify", "-o", "json"])
            .expect(12, Any, Nothing)
            .json();
        let damage = &found["damage"][0];
        assert!(
            damage["segment"] == *name && damage["byte"] == 0,
            "{make:?}: {found}"
        );
        world
            .call("cron", &["backup", "elsewhere"])
            .expect(12, Nothing, Has(&name));
        world.anonymous(&["repair"]).expect(12, Nothing, Has(&name));
        world
            .anonymous(&["repair", "--yes", "--from", "backup"])
            .expect(0, Any, Nothing);
        assert!(world.log_bytes() == whole, "{make:?}");
        assert!(
            std::fs::symlink_metadata(&segment)
                .expect("there")
                .is_file(),
            "{make:?}"
        );
        assert!(
            std::fs::symlink_metadata(world.store().join("damaged-1").join(&name)).is_ok(),
            "{make:?}"
        );
    }
}

/// An unknown file in the place of the head is not removed.
#[test]
fn a_head_is_not_written_where_something_else_stands() {
    for make in ["mkdir", "mkfifo"] {
        let world = busy_world();
        let whole = world.log_bytes();
        let head = world.store().join("log/head");
        std::fs::remove_file(&head).expect("removed");
        assert!(deadline::status(Command::new(make).arg(&head)).success());
        world
            .call("mara", &["task", "list"])
            .expect(0, Any, Nothing);
        world
            .anonymous(&["repair"])
            .expect(7, Has("write: log/head"), Any);
        for words in [&["repair", "--yes"][..], &["task", "add", "Next"]] {
            let error = world.refused("mara", words, 1, "io");
            let message = error["message"].as_str().expect("a message");
            assert!(
                message.contains("log/head") && message.contains("not a regular file"),
                "{make}: {message}"
            );
            assert!(
                error["hints"][0]
                    .as_str()
                    .is_some_and(|hint| hint.contains("out of the way")),
                "{error}"
            );
        }
        std::fs::rename(&head, world.store().join("what it was")).expect("moved");
        world
            .anonymous(&["repair", "--yes"])
            .expect(0, Any, Nothing);
        assert!(world.log_bytes() == whole);
        world.does("ada", &["verify", "--deep"]);
    }
}
