//! Damage that a backup repairs, and damage that none does.

use super::*;

fn swap(one: &Path, other: &Path) {
    let (first, second) = (
        std::fs::read(one).expect("a file"),
        std::fs::read(other).expect("a file"),
    );
    std::fs::write(one, second).expect("written");
    std::fs::write(other, first).expect("written");
}

#[test]
fn a_flipped_byte_in_an_old_segment_is_repaired_from_a_backup() {
    let world = busy_world();
    back_up(&world, "backup");
    add_tasks(&world, 2, "After the backup");
    let (whole, spoilt) = (world.log_bytes(), log(&world)[1].clone());
    edit(&spoilt, |bytes| bytes[400] ^= 0x20);
    let bad = std::fs::read(&spoilt).expect("a segment");
    let found = verified(&world, 12);
    assert_eq!(
        (&found["damage"][0]["segment"], &found["damage"][0]["byte"]),
        (&name(&spoilt).into(), &0.into())
    );
    assert!(
        found["damage"][0]["remedy"]
            .as_str()
            .expect("text")
            .contains("repair --from")
    );
    let error = refused(&world, &[], "log_damaged");
    assert!(
        error["hints"].to_string().contains("--from BACKUP_DIR"),
        "{error}"
    );
    world.anonymous(&["repair", "--from", "backup"]).expect(
        7,
        Has("replace: log/"),
        Has("nothing was changed"),
    );
    let done = repaired(&world, &["--from", "backup"]);
    assert_eq!(
        (&done["replaced"][0]["segment"], &done["replaced"][1]),
        (&name(&spoilt).into(), &Value::Null)
    );
    assert!(world.log_bytes() == whole);
    assert_eq!(
        std::fs::read(world.store().join("damaged-1").join(name(&spoilt))).expect("it was kept"),
        bad
    );
    is_sound(&world);
    world
        .anonymous(&["verify", "--deep"])
        .expect(0, Has("sound"), Nothing);
}

/// The segment in which the backup ends has grown since; the part in the backup is damaged, the
/// rest is not.
#[test]
fn the_beginning_of_a_segment_that_has_grown_since_is_repaired_from_a_backup() {
    let world = World::new();
    back_up(&world, "backup");
    for title in ["One", "Two"] {
        world.does("mara", &["task", "add", title]);
    }
    let (whole, only) = (world.log_bytes(), log(&world).pop().expect("a segment"));
    edit(&only, |bytes| bytes[1000..1100].fill(0));
    let done = repaired(&world, &["--from", "backup"]);
    assert!(
        done["replaced"][0]["bytes_kept"].as_u64() > Some(0),
        "{done}"
    );
    assert!(world.log_bytes() == whole);
    is_sound(&world);
}

#[test]
fn missing_cut_swapped_and_doubled_segments_are_found_and_repaired_from_a_backup() {
    let spoil: [Spoil<SpoilLog>; 8] = [
        ("longer", |log| {
            edit(&log[1], |bytes| bytes.extend_from_slice(b"more\n"))
        }),
        ("missing", |log| {
            std::fs::remove_file(&log[2]).expect("removed")
        }),
        ("the first is missing", |log| {
            std::fs::remove_file(&log[0]).expect("removed")
        }),
        ("empty", |log| std::fs::write(&log[2], "").expect("written")),
        ("cut", |log| {
            edit(&log[1], |bytes| bytes.truncate(bytes.len() / 2))
        }),
        ("swapped", |log| swap(&log[1], &log[3])),
        ("doubled", |log| {
            drop(std::fs::copy(
                &log[1],
                log[1].with_file_name("00000000000000000012.ndjson"),
            ))
        }),
        ("the end is missing", |log| {
            std::fs::remove_file(log.last().expect("a segment")).expect("removed")
        }),
    ];
    let sound = busy_world();
    back_up(&sound, "backup");
    for (what, spoil) in spoil {
        let world = sound.copied();
        copy(&sound.home().join("backup"), &world.home().join("backup"));
        let whole = world.log_bytes();
        assert!(
            log(&world)
                .iter()
                .all(|path| name(path) != "00000000000000000012.ndjson")
        );
        spoil(&log(&world));
        let found = verified(&world, 12);
        assert!(
            !found["damage"].as_array().expect("damage").is_empty(),
            "{what}: {found}"
        );
        repaired(&world, &["--from", "backup"]);
        assert!(world.log_bytes() == whole, "{what}");
        is_sound(&world);
    }
}

#[test]
fn events_that_only_the_damaged_log_held_are_never_given_up_silently() {
    let world = busy_world();
    back_up(&world, "backup");
    let backed_up = world.log_lines().len();
    add_tasks(&world, 2, "After the backup");
    let last = log(&world).pop().expect("a segment");
    edit(&last, |bytes| bytes[400] ^= 0x20);
    let error = refused(&world, &["--from", "backup"], "beyond_backup");
    let lost = format!(
        "events {} to {} are not in the backup",
        backed_up + 1,
        world.log_lines().len()
    );
    assert!(
        error["message"].as_str().expect("text").contains(&lost),
        "{error}"
    );
    assert!(error["hints"].to_string().contains("restore"), "{error}");
}

#[test]
fn a_backup_that_is_spoilt_or_of_another_log_repairs_nothing() {
    let world = busy_world();
    back_up(&world, "backup");
    let spoilt = log(&world)[1].clone();
    edit(&spoilt, |bytes| bytes[400] ^= 0x20);
    refused(&world, &["--from", "nowhere"][..0], "log_damaged");
    let none = world
        .anonymous(&["repair", "--yes", "--from", "nowhere", "-o", "json"])
        .expect(3, Nothing, Any);
    assert_eq!(last_error(&none)["code"], "no_backup");
    // Another company's.
    let other = World::founded("UTC", "2026-03-01T08:00:00Z");
    back_up(&other, "backup");
    copy(&other.home().join("backup"), &world.home().join("theirs"));
    refused(&world, &["--from", "theirs"], "beyond_backup");
    // A damaged one.
    edit(
        &world.home().join("backup/log").join(name(&spoilt)),
        |bytes| bytes[10] ^= 1,
    );
    refused(&world, &["--from", "backup"], "backup_damaged");
    // Without a head, too, a whole log of another company must not replace ours.
    std::fs::remove_file(world.store().join("log/head")).expect("removed");
    for path in log(&world).into_iter().skip(1) {
        std::fs::remove_file(path).expect("removed");
    }
    edit(&log(&world)[0], |bytes| bytes[200] ^= 1);
    refused(&world, &["--from", "theirs"], "foreign_backup");
}

#[test]
fn where_neither_head_nor_segments_are_left_only_a_restore_helps_and_that_is_said() {
    let world = busy_world();
    back_up(&world, "backup");
    let logs: [fn(&Path); 3] = [
        |_| (),
        |log| std::fs::write(log.join("notes.txt"), "where is it?").expect("written"),
        |log| std::fs::create_dir(log.join("head")).expect("created"),
    ];
    for leave in logs {
        let world = world.twin();
        let log = world.store().join("log");
        std::fs::remove_dir_all(&log).expect("removed");
        std::fs::create_dir(&log).expect("created");
        leave(&log);
        for words in [
            &["repair", "--from", "backup", "--yes"][..],
            &["verify"],
            &["task", "list"],
        ] {
            let error = world.refused("ada", words, 12, "log_missing");
            assert!(
                error["message"]
                    .as_str()
                    .is_some_and(|text| text.contains("neither head nor segments")),
                "{error}"
            );
            assert!(
                error["hints"][0]
                    .as_str()
                    .is_some_and(|hint| hint.contains("restore")),
                "{error}"
            );
        }
    }
}
