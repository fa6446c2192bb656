//! `backup`: a whole past of the log, whatever happens meanwhile.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::helpers::chain;
use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::{World, copy};
use crate::helpers::stores::{
    add_tasks, back_up, busy_world, bytes_in, lines_in, restore, segments, small,
};

#[test]
fn a_second_backup_copies_only_what_is_new() {
    let world = busy_world();
    let first = back_up(&world, "backup");
    assert_eq!(
        first["bytes_copied"].as_u64(),
        Some(world.log_bytes().len() as u64)
    );
    assert_eq!(
        first["files_copied"].as_u64(),
        Some(segments(&world.store().join("log")).len() as u64)
    );
    let again = back_up(&world, "backup");
    assert_eq!(
        (&again["bytes_copied"], &again["files_copied"]),
        (&0.into(), &0.into())
    );
    let before = world.log_bytes().len();
    let modified = |path: &PathBuf| {
        std::fs::metadata(path)
            .expect("a segment")
            .modified()
            .expect("a time")
    };
    let finished = &segments(&world.home().join("backup/log"))[0];
    let at_first = modified(finished);
    add_tasks(&world, 2, "Later");
    let third = back_up(&world, "backup");
    assert_eq!(
        third["bytes_copied"].as_u64(),
        Some((world.log_bytes().len() - before) as u64)
    );
    assert!(third["files_copied"].as_u64() < first["files_copied"].as_u64());
    assert_eq!(modified(finished), at_first);
    assert!(bytes_in(&world.home().join("backup/log")) == world.log_bytes());
}

#[test]
fn a_backup_while_others_write_is_a_whole_past_of_the_log() {
    let world = World::new();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|place| {
                let (world, stop) = (&world, &stop);
                scope.spawn(move || {
                    let mut count = 0;
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        small(
                            world,
                            "mara",
                            &["task", "add", &format!("Busy {place}.{count}")],
                        );
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        for round in 0..6 {
            let row = back_up(&world, "backup");
            let name = format!("new-{round}");
            restore(&world, &["backup", "-C", &name]);
            let lines = lines_in(&world.home().join(&name));
            chain::check(&lines);
            assert_eq!(row["sequence"].as_u64(), Some(lines.len() as u64));
            assert!(world.log_lines().starts_with(&lines));
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let written: usize = writers
            .into_iter()
            .map(|writer| writer.join().expect("it went well"))
            .sum();
        assert!(written > 6, "the writers wrote {written} tasks meanwhile");
    });
}

#[test]
fn a_backup_waits_for_no_writer() {
    let world = World::new();
    let lock = std::fs::File::options()
        .read(true)
        .write(true)
        .open(world.store().join("log/head"))
        .expect("a head");
    lock.lock().expect("nobody holds it");
    world
        .call("cron", &["backup", "backup", "--lock-wait", "0s"])
        .expect(0, Any, Nothing);
}

#[test]
fn a_directory_with_something_else_or_another_company_is_refused() {
    let world = World::new();
    std::fs::create_dir(world.home().join("letters")).expect("created");
    std::fs::write(world.home().join("letters/love.txt"), "dear popug").expect("written");
    world.refused("cron", &["backup", "letters"], 4, "not_empty");
    world.refused("cron", &["backup", "the store"], 4, "not_empty");
    let other = World::founded("UTC", "2026-03-01T08:00:00Z");
    back_up(&other, "backup");
    copy(&other.home().join("backup"), &world.home().join("theirs"));
    world.refused("cron", &["backup", "theirs"], 4, "other_company");
    assert_eq!(
        bytes_in(&world.home().join("theirs/log")),
        other.log_bytes()
    );
    assert!(!world.home().join("letters/log").exists());
}

/// Every path below a directory with what is in it, links as they are.
fn contents(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let kind = std::fs::symlink_metadata(&path)
            .expect("it is there")
            .file_type();
        if kind.is_dir() {
            found.extend(contents(&path));
        }
        found.push((
            path.clone(),
            if kind.is_file() {
                std::fs::read(&path).expect("a file")
            } else {
                Vec::new()
            },
        ));
    }
    found.sort();
    found
}

#[test]
fn a_store_is_no_place_for_a_backup() {
    let world = busy_world();
    back_up(&world, "backup");
    let (home, store) = (world.home(), world.store());
    std::fs::write(store.join("backup.lock"), "").expect("written");
    // A store in the place of a backup.
    copy(&home.join("backup"), &home.join("in place"));
    copy(&store.join("auth"), &home.join("in place/auth"));
    std::fs::copy(store.join("log/head"), home.join("in place/log/head")).expect("copied");
    copy(&home.join("backup"), &home.join("linked log"));
    std::fs::remove_dir_all(home.join("linked log/log")).expect("removed");
    std::os::unix::fs::symlink(store.join("log"), home.join("linked log/log")).expect("linked");
    copy(&home.join("backup"), &home.join("linked segment"));
    let segment = segments(&store.join("log")).pop().expect("a segment");
    let twin = home
        .join("linked segment/log")
        .join(segment.file_name().expect("a name"));
    std::fs::remove_file(&twin).expect("removed");
    std::fs::hard_link(&segment, &twin).expect("linked");
    std::os::unix::fs::symlink(&store, home.join("elsewhere")).expect("linked");
    let before = contents(home);
    let places = [
        "the store",
        "elsewhere",
        "the store/new",
        "the store/log/a/b",
        "elsewhere/new",
        "backup/../the store/x",
    ];
    for place in places
        .into_iter()
        .chain(["in place", "linked log", "linked segment"])
    {
        let refused = world.refused("cron", &["backup", place], 4, "not_empty");
        assert!(
            refused["message"]
                .as_str()
                .expect("text")
                .contains("is a store"),
            "{place}: {refused}"
        );
        assert!(contents(home) == before, "{place}");
    }
    world
        .call("cron", &["backup", "nowhere/../the store/x"])
        .expect(1, Nothing, Has("cannot create"));
    assert!(contents(home) == before);
    back_up(&world, "backup");
}

#[test]
fn a_directory_that_is_not_this_companys_backup_is_not_touched() {
    let world = busy_world();
    let home = world.home();
    let other = World::founded("UTC", "2026-03-01T08:00:00Z");
    back_up(&other, "backup");
    copy(&other.home().join("backup"), &home.join("theirs"));
    std::fs::remove_file(home.join("theirs/backup.lock")).expect("removed");
    let make = |name: &str, files: &[(&str, &str)]| {
        std::fs::create_dir_all(home.join(name).join("log")).expect("created");
        files.iter().for_each(|(file, text)| {
            std::fs::write(home.join(name).join(file), text).expect("written")
        });
    };
    make(
        "export",
        &[("manifest.json", r#"{"format": "csv", "files": []}"#)],
    );
    let half = ("manifest.json", "{\"format\": 1, \"comp");
    make("notes", &[half]);
    make("half", &[half, ("log/00000000000000000001.ndjson", "{}\n")]);
    make(
        "locked",
        &[("backup.lock", ""), ("letter.txt", "dear popug")],
    );
    make(
        "journal",
        &[("backup.lock", ""), ("log/today.txt", "dear diary")],
    );
    make("linked lock", &[("letter.txt", "dear popug")]);
    std::os::unix::fs::symlink(
        home.join("linked lock/letter.txt"),
        home.join("linked lock/backup.lock"),
    )
    .expect("linked");
    back_up(&world, "linked backup");
    std::fs::remove_file(home.join("linked backup/backup.lock")).expect("removed");
    std::os::unix::fs::symlink(
        home.join("export/manifest.json"),
        home.join("linked backup/backup.lock"),
    )
    .expect("linked");
    let before = contents(home);
    for name in [
        "export",
        "notes",
        "locked",
        "journal",
        "linked lock",
        "linked backup",
    ] {
        world.refused("cron", &["backup", name], 4, "not_empty");
        assert!(contents(home) == before, "{name}");
    }
    world.refused("cron", &["backup", "theirs"], 4, "other_company");
    world.refused("cron", &["backup", "half"], 12, "backup_damaged");
    assert!(contents(home) == before);
}

#[test]
fn a_first_backup_that_was_killed_early_is_completed_by_the_next() {
    let world = busy_world();
    world.rows("ada", &["backup", "backup", "--with-secrets"]);
    let backup = world.home().join("backup");
    std::fs::rename(
        backup.join("manifest.json"),
        backup.join(".manifest.json.new"),
    )
    .expect("renamed");
    std::fs::remove_file(segments(&backup.join("log")).pop().expect("a segment")).expect("removed");
    let row = back_up(&world, "backup");
    assert_eq!(
        row["bytes_copied"].as_u64(),
        Some(world.log_bytes().len() as u64)
    );
    restore(&world, &["backup", "-C", "new"]);
    // Only the lock was there yet.
    std::fs::create_dir(world.home().join("begun")).expect("created");
    std::fs::write(world.home().join("begun/backup.lock"), "").expect("written");
    back_up(&world, "begun");
}

#[test]
fn a_backup_that_is_not_the_past_of_the_log_is_refused_and_kept() {
    let world = busy_world();
    let (other, past) = (world.copied(), world.copied());
    add_tasks(&world, 1, "Here");
    back_up(&world, "backup");
    let kept = bytes_in(&world.home().join("backup/log"));
    // A log that continued in another way, and one that ends earlier.
    add_tasks(&other, 3, "There");
    for elsewhere in [&other, &past] {
        copy(
            &world.home().join("backup"),
            &elsewhere.home().join("backup"),
        );
        elsewhere.refused("cron", &["backup", "backup"], 12, "backup_diverged");
        assert!(bytes_in(&elsewhere.home().join("backup/log")) == kept);
        restore(elsewhere, &["backup", "-C", "new"]);
    }
}

#[test]
fn a_damaged_log_does_not_replace_a_good_backup() {
    let world = busy_world();
    back_up(&world, "backup");
    let good = bytes_in(&world.home().join("backup/log"));
    add_tasks(&world, 2, "New");
    let log = segments(&world.store().join("log"));
    let newest = &log[log.len() - 2];
    let whole = std::fs::read(newest).expect("a segment");
    let mut bytes = whole.clone();
    bytes[300] ^= 1;
    std::fs::write(newest, bytes).expect("written");
    world.refused("cron", &["backup", "backup"], 12, "log_damaged");
    assert!(bytes_in(&world.home().join("backup/log")).starts_with(&good));
    restore(&world, &["backup", "-C", "new"]);
    assert!(bytes_in(&world.home().join("new/log")) == good);
    std::fs::write(newest, whole).expect("written");
    back_up(&world, "backup");
    assert!(bytes_in(&world.home().join("backup/log")) == world.log_bytes());
}

#[test]
fn a_backup_that_rotted_is_made_good_from_the_log_with_a_warning() {
    let world = busy_world();
    back_up(&world, "backup");
    let log = segments(&world.home().join("backup/log"));
    for (place, path) in [
        (0, &log[0]),
        (1, &log[2]),
        (2, log.last().expect("a segment")),
    ] {
        if place == 1 {
            std::fs::remove_file(path).expect("removed");
        } else {
            let mut bytes = std::fs::read(path).expect("a segment");
            bytes[200] ^= 4;
            std::fs::write(path, bytes).expect("written");
        }
        let row = world
            .call("cron", &["backup", "backup", "-o", "json"])
            .expect(0, Any, Has("copied once more"))
            .json();
        assert_eq!(row["rows"][0]["files_copied"], 1);
        assert!(bytes_in(&world.home().join("backup/log")) == world.log_bytes());
    }
    restore(&world, &["backup", "-C", "new"]);
}

#[test]
fn killed_at_any_moment_a_backup_leaves_the_former_one_restorable() {
    let world = busy_world();
    world.rows("ada", &["backup", "backup", "--with-secrets"]);
    let former = world.log_lines();
    add_tasks(&world, 4, "New");
    copy(&world.home().join("backup"), &world.home().join("former"));
    let began = Instant::now();
    world.rows("ada", &["backup", "backup", "--with-secrets"]);
    let whole = began.elapsed();
    let newer = world.log_lines();
    let (mut old, mut new) = (0, 0);
    for round in 0..24_u32 {
        std::fs::remove_dir_all(world.home().join("backup")).expect("removed");
        copy(&world.home().join("former"), &world.home().join("backup"));
        let child = world
            .call("ada", &["backup", "backup", "--with-secrets"])
            .spawn();
        std::thread::sleep(whole * round / 20);
        child.kill();
        child.output();
        let name = format!("new-{round}");
        world
            .anonymous(&["restore", "backup", "-C", &name])
            .expect(0, Nothing, Any);
        let lines = lines_in(&world.home().join(&name));
        assert!(
            lines == former || lines == newer,
            "round {round}: {} lines",
            lines.len()
        );
        if lines == former {
            old += 1
        } else {
            new += 1
        }
        world
            .call("dora", &["whoami", "-C", &name])
            .expect(0, Has("dora"), Nothing);
        // The same command again completes it.
        world.rows("ada", &["backup", "backup", "--with-secrets"]);
        assert!(bytes_in(&world.home().join("backup/log")) == world.log_bytes());
    }
    assert!(
        old > 0,
        "{old} were killed before the manifest, {new} were not; one took {whole:?}"
    );
}

#[test]
fn two_backups_into_one_directory_take_turns() {
    let world = busy_world();
    let children: Vec<_> = (0..4)
        .map(|_| world.call("cron", &["backup", "backup"]).spawn())
        .collect();
    for child in children {
        assert_eq!(child.output().status.code(), Some(0));
    }
    assert!(bytes_in(&world.home().join("backup/log")) == world.log_bytes());
    let lock = std::fs::File::options()
        .write(true)
        .open(world.home().join("backup/backup.lock"))
        .expect("a lock");
    lock.lock().expect("nobody holds it");
    let began = Instant::now();
    world.refused(
        "cron",
        &["backup", "backup", "--lock-wait", "50ms"],
        11,
        "locked",
    );
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn only_admins_and_services_back_up() {
    let world = World::new();
    for login in ["mara", "axel", "dora", "walt"] {
        world.refused(login, &["backup", "backup"], 5, "role_may_not");
    }
    assert!(!world.home().join("backup").exists());
    world
        .call("ada", &["backup", "backup", "-n"])
        .expect(2, Nothing, Any);
    assert!(!world.home().join("backup").exists());
}
