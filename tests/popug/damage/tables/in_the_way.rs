//! Directories, pipes and links in the place of a file: they are reported, and no command waits for
//! them.

use super::*;

/// Kills a command that waits.
const TIMEOUT: [&str; 2] = ["timeout", "30"];

#[test]
fn another_kind_of_file_in_the_place_of_tables_is_moved_aside_and_nobody_waits_for_it() {
    let whole = World::new();
    whole.does("ada", &["consume"]);
    for make in ["mkdir", "mkfifo"] {
        let world = whole.copied();
        for name in [
            "state.sqlite",
            "accounting.duckdb",
            "analytics.duckdb",
            "notifier.sqlite",
        ] {
            let path = world.store().join(name);
            std::fs::remove_file(&path).expect("removed");
            assert!(deadline::status(Command::new(make).arg(&path)).success());
            world
                .anonymous(&["verify"])
                .expect(7, Has("it is not a file"), Any);
            world.anonymous(&["doctor"]).run();
            world
                .call("ada", &["consume"])
                .expect(0, Any, Has("it is kept as"));
            assert!(path.is_file(), "{make} {name}");
        }
        world.does("ada", &["verify", "--deep"]);
    }
}

#[test]
fn another_kind_of_file_in_the_place_of_a_companion_of_tables_is_damage_and_nobody_waits_for_it() {
    let whole = World::new();
    whole.does("ada", &["consume"]);
    let of_sqlite = [
        "state.sqlite-wal",
        "state.sqlite-shm",
        "state.sqlite-journal",
        "notifier.sqlite-wal",
    ];
    for make in ["mkdir", "mkfifo"] {
        let world = whole.copied();
        for name in of_sqlite
            .into_iter()
            .chain(["accounting.duckdb.wal", "analytics.duckdb.wal"])
        {
            let path = world.store().join(name);
            let _ = std::fs::remove_file(&path);
            assert!(deadline::status(Command::new(make).arg(&path)).success());
            let said = if name.contains("sqlite") {
                format!("{name} is not a regular file")
            } else {
                ".wal".to_owned()
            };
            world
                .anonymous(&["verify"])
                .through(&TIMEOUT)
                .expect(7, Has(&said), Any);
            world
                .anonymous(&["doctor"])
                .through(&TIMEOUT)
                .expect(7, Any, Any);
            if name.contains("duckdb") {
                let asked = if name.starts_with("analytics") {
                    "negative"
                } else {
                    "balances"
                };
                world
                    .call("ada", &["report", asked])
                    .through(&TIMEOUT)
                    .expect(0, Any, Has("removed unread"));
            } else if name.starts_with("state") {
                world
                    .call("mara", &["task", "list"])
                    .through(&TIMEOUT)
                    .expect(0, Any, Has(".damaged-"));
            } else {
                world.call("ada", &["consume"]).through(&TIMEOUT).expect(
                    0,
                    Any,
                    Has("it is kept as"),
                );
            }
            world.call("ada", &["consume"]).expect(0, Any, Nothing);
            assert!(!path.exists() || path.is_file(), "{make} {name}");
            world.does("ada", &["verify", "--deep"]);
        }
    }
}

#[test]
fn another_kind_of_file_in_the_place_of_a_lock_or_of_credentials_is_named_and_nobody_waits_for_it()
{
    let whole = World::new();
    whole.does("ada", &["consume"]);
    for make in ["mkdir", "mkfifo"] {
        for name in [
            "auth/passwords.json",
            "auth/attempts.json",
            "auth/lock",
            "accounting.lock",
            "state.sqlite.lock",
        ] {
            let world = whole.copied();
            let path = world.store().join(name);
            let _ = std::fs::remove_file(&path);
            assert!(deadline::status(Command::new(make).arg(&path)).success());
            let call = if name.starts_with("auth/") {
                world
                    .anonymous(&["login", "ada", "-o", "json"])
                    .env("POPUG_PASSWORD", PASSWORD)
            } else {
                let _ = std::fs::remove_file(world.store().join("state.sqlite"));
                world.call("ada", &["consume", "-o", "json"])
            };
            let error = last_error(&call.through(&TIMEOUT).expect(
                1,
                Nothing,
                Has("is not a regular file"),
            ));
            assert!(
                error["message"]
                    .as_str()
                    .is_some_and(|message| message.contains(name)),
                "{error}"
            );
            assert!(
                error["hints"].to_string().contains("out of the way"),
                "{error}"
            );
            let found = world.anonymous(&["doctor"]).through(&TIMEOUT).run();
            let is_seen = ["auth/passwords.json", "accounting.lock"].contains(&name);
            assert!(
                !is_seen || found.stdout.contains("is not a regular file"),
                "{name}: {}",
                found.stdout
            );
            assert!(
                found.status == 0 || found.status == 7,
                "{make} {name}: {}",
                found.status
            );
        }
    }
}

#[test]
fn a_link_in_the_place_of_the_state_index_is_moved_aside_and_what_it_names_left_alone() {
    let (world, path) = with_merged("state.sqlite");
    let theirs = world.home().join("of another store.sqlite");
    std::fs::rename(&path, &theirs).expect("moved");
    std::os::unix::fs::symlink(&theirs, &path).expect("linked");
    let before = std::fs::read(&theirs).expect("a file");
    world
        .call("mara", &["task", "add", "One"])
        .expect(0, Any, Has("is kept as"));
    assert_eq!(std::fs::read(&theirs).expect("a file"), before);
    assert!(
        !theirs.with_extension("sqlite-wal").exists()
            && path.symlink_metadata().expect("there").is_file()
    );
    assert_eq!(kept(&world, "state.sqlite"), 1);
}
