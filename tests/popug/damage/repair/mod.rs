//! Logs that are damaged in ways that a user could cause: the findings of `verify`, and the result
//! of `repair`.

mod from_backup;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::{World, copy, last_error};
use crate::helpers::stores::{add_tasks, back_up, busy_world, edit, log};

/// A way to damage something, with its name.
type Spoil<F> = (&'static str, F);
type SpoilLog = fn(&[PathBuf]);
type SpoilLines = fn(&mut Vec<&str>);

fn name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .expect("a name")
}

/// The findings of `verify`, which must end with this exit code.
fn verified(world: &World, exit: i32) -> Value {
    world
        .anonymous(&["verify", "-o", "json"])
        .expect(exit, Any, Nothing)
        .json()
}

fn is_sound(world: &World) {
    let found = verified(world, 0);
    assert!(
        found["sound"] == true && !found["notes"].to_string().contains("after the head"),
        "{found}"
    );
    world.does("mara", &["task", "add", "Life goes on"]);
}

/// `repair` refuses and changes nothing.
fn refused(world: &World, words: &[&str], code: &str) -> Value {
    let before = contents(world);
    let words = [&["repair", "--yes", "-o", "json"], words].concat();
    let error = last_error(&world.anonymous(&words).expect(12, Nothing, Any));
    assert_eq!(error["code"], code, "{error}");
    assert!(before == contents(world), "{words:?} changed something");
    error
}

/// Every file of the log, and the names of the other files of the store.
fn contents(world: &World) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = ["log", "."]
        .into_iter()
        .flat_map(|directory| {
            std::fs::read_dir(world.store().join(directory)).expect("a directory")
        })
        .map(|entry| entry.expect("an entry").path())
        .map(|path| {
            if path.starts_with(world.store().join("log")) {
                (path.clone(), std::fs::read(path).unwrap_or_default())
            } else {
                (path, Vec::new())
            }
        })
        .collect();
    files.sort();
    files
}

fn repaired(world: &World, words: &[&str]) -> Value {
    let words = [&["repair", "--yes", "-o", "json"], words].concat();
    let done = world.anonymous(&words).expect(0, Any, Nothing).json();
    assert_eq!(done["repaired"], true, "{done}");
    let report =
        std::fs::read_to_string(done["report"].as_str().expect("a path")).expect("a report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["plan"]["cut"], done["cut"]);
    assert!(
        report["repaired_at"].as_str() >= report["begun_at"].as_str()
            && report["begun_at"].is_string()
    );
    done
}

#[test]
fn a_whole_log_needs_no_repair() {
    let world = World::new();
    let before = contents(&world);
    world
        .anonymous(&["repair"])
        .expect(0, Has("nothing to repair"), Nothing);
    assert!(before == contents(&world));
    world
        .anonymous(&["repair", "-C", "nowhere"])
        .expect(10, Nothing, Any);
}

#[test]
fn a_torn_tail_is_shown_and_cut_only_when_told_to() {
    let world = busy_world();
    let (whole, last) = (world.log_bytes(), log(&world).pop().expect("a segment"));
    let length = std::fs::metadata(&last).expect("a segment").len();
    let torn = br#"{"specversion":"1.0","id":"torn"#;
    edit(&last, |bytes| bytes.extend_from_slice(torn));
    let expected = format!(
        "cut: log/{} from byte {length}: {} bytes, no whole event",
        name(&last),
        torn.len()
    );
    let before = contents(&world);
    for words in [
        &["repair"][..],
        &["repair", "--no-input"],
        &["repair", "-n", "--yes"],
    ] {
        world
            .anonymous(words)
            .expect(7, Has(&expected), Has("nothing was changed"));
        assert!(before == contents(&world), "{words:?}");
    }
    let done = repaired(&world, &[]);
    assert_eq!(
        (&done["cut"][0]["byte"], &done["cut"][0]["bytes"]),
        (&length.into(), &torn.len().into())
    );
    assert!(world.log_bytes() == whole);
    let kept = PathBuf::from(done["kept_in"].as_str().expect("a path"));
    let kept = std::fs::read(
        world
            .home()
            .join(kept)
            .join(format!("{}.from-byte-{length}", name(&last))),
    );
    assert_eq!(kept.expect("it was kept"), torn);
    is_sound(&world);
}

#[test]
fn half_a_batch_behind_the_head_is_cut_and_named_by_its_events() {
    let world = World::new();
    let past = world.copied();
    world.does("mara", &["task", "add", "Half of it"]);
    let lines = world.log_lines();
    let half = lines[lines.len() - 2].clone() + "\n";
    let last = log(&past).pop().expect("a segment");
    edit(&last, |bytes| bytes.extend_from_slice(half.as_bytes()));
    let event = format!("event {}, never acknowledged", lines.len() - 1);
    past.anonymous(&["repair"]).expect(7, Has(&event), Any);
    let done = repaired(&past, &[]);
    assert_eq!(
        (&done["published_events"], &done["cut"][0]["first_sequence"]),
        (&0.into(), &(lines.len() - 1).into())
    );
    is_sound(&past);
}

#[test]
fn a_segment_beyond_the_head_is_removed_and_kept() {
    let world = busy_world();
    let whole = world.log_bytes();
    let stray = world.store().join("log/00000000000000009999.ndjson");
    std::fs::copy(&log(&world)[1], &stray).expect("copied");
    let done = repaired(&world, &[]);
    assert_eq!(done["cut"][0]["segment"], "00000000000000009999.ndjson");
    assert!(
        world.log_bytes() == whole
            && world
                .store()
                .join("damaged-1/00000000000000009999.ndjson")
                .exists()
    );
    is_sound(&world);
}

#[test]
fn a_lost_or_spoiled_head_is_written_anew_from_the_segments() {
    let head = |world: &World| world.store().join("log/head");
    let spoil: [Spoil<fn(&Path)>; 5] = [
        ("gone", |head| std::fs::remove_file(head).expect("removed")),
        ("empty", |head| std::fs::write(head, "").expect("written")),
        ("one slot", |head| edit(head, |bytes| bytes[20] ^= 1)),
        ("the other slot", |head| {
            edit(head, |bytes| bytes[4096 + 20] ^= 1)
        }),
        ("both slots", |head| {
            edit(head, |bytes| {
                bytes.iter_mut().step_by(4096).for_each(|byte| *byte ^= 1)
            })
        }),
    ];
    let sound = busy_world();
    for (what, spoil) in spoil {
        let world = sound.copied();
        let published = world.json("ada", &["status"])["head"]["hash"].clone();
        spoil(&head(&world));
        let found = verified(&world, 7);
        assert_eq!(
            found["violations"][0]["invariant"], "head",
            "{what}: {found}"
        );
        assert!(
            found["violations"][0]["remedy"]
                .as_str()
                .expect("text")
                .contains("popug-cli repair"),
            "{what}"
        );
        let done = repaired(&world, &[]);
        assert_eq!(done["head"]["hash"], published, "{what}");
        assert!(
            what == "gone" || world.store().join("damaged-1/head").exists(),
            "{what}"
        );
        is_sound(&world);
    }
}

/// Without a head a bad or missing end of the segments looks like one that was never acknowledged.
#[test]
fn the_end_that_a_lost_head_does_not_tell_is_taken_from_the_backup() {
    let spoil: [Spoil<SpoilLog>; 3] = [
        ("a bad end", |log| {
            edit(log.last().expect("a segment"), |bytes| {
                *bytes.last_mut().expect("a byte") = 0
            })
        }),
        ("a missing end", |log| {
            std::fs::remove_file(log.last().expect("a segment")).expect("removed")
        }),
        ("nothing", |_| {}),
    ];
    let sound = busy_world();
    back_up(&sound, "backup");
    for (what, spoil) in spoil {
        for slots in [&[0, 4096][..], &[0], &[4096]] {
            let world = sound.copied();
            copy(&sound.home().join("backup"), &world.home().join("backup"));
            edit(&world.store().join("log/head"), |bytes| {
                slots.iter().for_each(|slot| bytes[slot + 20] ^= 1)
            });
            spoil(&log(&world));
            let done = repaired(&world, &["--from", "backup"]);
            assert_eq!(done["cut"], Value::Array(Vec::new()), "{what}, {slots:?}");
            assert!(world.log_bytes() == sound.log_bytes(), "{what}, {slots:?}");
            is_sound(&world);
        }
    }
}

#[test]
fn reordered_repeated_and_missing_lines_are_found_at_their_place() {
    let sound = busy_world();
    let spoil: [Spoil<SpoilLines>; 4] = [
        ("swapped", |lines| lines.swap(1, 2)),
        ("reversed", |lines| lines[1..].reverse()),
        ("repeated", |lines| lines.insert(1, lines[0])),
        ("missing", |lines| {
            lines.retain(|line| !line.contains(r#""sequence":"00000000000000000002""#))
        }),
    ];
    for (what, spoil) in spoil {
        let world = sound.copied();
        let path = log(&world)[0].clone();
        let text = std::fs::read_to_string(&path).expect("a segment");
        let mut lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() > 4);
        let byte = lines[0].len() + 1;
        spoil(&mut lines);
        std::fs::write(&path, lines.join("\n") + "\n").expect("written");
        let found = verified(&world, 12);
        let first = &found["damage"][0];
        assert_eq!(
            (&first["segment"], &first["byte"], &first["sequence"]),
            (&name(&path).into(), &byte.into(), &2.into()),
            "{what}"
        );
        refused(&world, &[], "log_damaged");
    }
}

#[test]
fn a_log_that_ends_below_a_checkpoint_is_named_by_every_consumer() {
    let world = busy_world();
    world.does("ada", &["consume"]);
    let text = std::fs::read_to_string(log(&world).pop().expect("a segment")).expect("text");
    // The last batch is removed, whole, and the head with it: the chain of the rest is right.
    let batch = text
        .lines()
        .rev()
        .skip(1)
        .take_while(|line| !line.contains(r#""more":0,"#))
        .count()
        + 1;
    let left: Vec<&str> = text.lines().take(text.lines().count() - batch).collect();
    let path = log(&world).pop().expect("a segment");
    if left.is_empty() {
        std::fs::remove_file(path).expect("removed");
    } else {
        std::fs::write(path, left.join("\n") + "\n").expect("written");
    }
    std::fs::remove_file(world.store().join("log/head")).expect("removed");
    let found = verified(&world, 7);
    let violations = found["violations"].as_array().expect("violations");
    let behind = |place: &str| {
        violations.iter().any(|violation| {
            violation["place"] == place
                && violation["what"]
                    .as_str()
                    .expect("text")
                    .contains("but the log ends with")
        })
    };
    assert!(
        ["state.sqlite", "accounting.duckdb", "analytics.duckdb"]
            .into_iter()
            .all(behind),
        "{found}"
    );
}
