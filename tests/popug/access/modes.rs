//! The modes of the files that the program writes, with any umask.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::{INIT, PASSWORD, World};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path)
        .expect("it is there")
        .permissions()
        .mode()
        & 0o777
}

/// Every path below `directory` with its mode. Files that are removed meanwhile are left out.
fn note_modes(directory: &Path, found: &mut BTreeMap<String, u32>) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let Ok(metadata) = std::fs::symlink_metadata(&path) else {
            continue;
        };
        let others = metadata.permissions().mode() & 0o077;
        let name = path.display().to_string();
        *found.entry(name).or_default() |= others;
        if metadata.is_dir() {
            note_modes(&path, found);
        }
    }
}

fn founded_under(umask: &str) -> World {
    let world = World::empty();
    let init = world
        .anonymous(&INIT)
        .arg("--password-stdin")
        .stdin(PASSWORD)
        .env("POPUG_NOW", "2026-02-01T08:00:00Z");
    init.under_umask(umask).expect(0, Nothing, Nothing);
    world
}

#[test]
fn a_store_and_all_that_ever_stands_in_it_is_its_owners_alone() {
    for umask in ["000", "022"] {
        let world = founded_under(umask);
        assert_eq!(mode(&world.store()), 0o700);
        let words = [
            "simulate",
            "--days",
            "4",
            "--popugs",
            "5",
            "--tasks-per-day",
            "100",
            "--seed",
            "1",
            "--as",
            "ada",
        ];
        let simulate = world
            .anonymous(&words)
            .env("POPUG_PASSWORD", PASSWORD)
            .under_umask(umask);
        let mut running = simulate.spawn();
        let mut found = BTreeMap::new();
        while running.is_running() {
            note_modes(&world.store(), &mut found);
        }
        assert!(running.wait().success());
        let consume = world
            .anonymous(&["consume", "--as", "ada"])
            .env("POPUG_PASSWORD", PASSWORD);
        consume.under_umask(umask).expect(0, Any, Nothing);
        note_modes(&world.store(), &mut found);
        for part in [
            "/log/head",
            ".ndjson",
            "state.sqlite-wal",
            "state.sqlite-shm",
            "accounting.duckdb",
            ".lock",
        ] {
            assert!(
                found.keys().any(|path| path.ends_with(part)),
                "{part} was never seen in {:?}",
                found.keys()
            );
        }
        let open: Vec<_> = found.iter().filter(|(_, others)| **others != 0).collect();
        assert!(open.is_empty(), "{open:?}");
    }
}

#[test]
fn mails_and_the_session_are_their_owners_alone() {
    let world = World::founded("UTC", "2026-03-02T08:00:00Z");
    let task = world.json("mara", &["task", "add", "Paid"]);
    world.does(
        task["assignee"].as_str().expect("a login"),
        &["task", "complete", "1"],
    );
    let close = ["close", "--date", "2026-03-02"];
    world
        .call("ada", &close)
        .env("POPUG_NOW", "2026-03-03T01:00:00Z")
        .under_umask("000")
        .expect(0, Any, Any);
    let consume = world
        .call("ada", &["consume", "notifier"])
        .env("POPUG_NOW", "2026-03-03T01:00:00Z");
    consume.under_umask("000").expect(0, Any, Any);
    let login = world
        .anonymous(&["login", "ada"])
        .env("POPUG_PASSWORD", PASSWORD);
    login.under_umask("000").expect(0, Nothing, Nothing);
    let mut found = BTreeMap::new();
    note_modes(&world.store(), &mut found);
    note_modes(&world.home().join(".local/state/popug-cli"), &mut found);
    assert!(found.keys().any(|path| path.ends_with(".eml")), "{found:?}");
    assert!(
        found
            .keys()
            .any(|path| path.contains(".local/state/popug-cli/")),
        "{found:?}"
    );
    assert!(found.values().all(|others| *others == 0), "{found:?}");
}

#[test]
fn a_file_that_the_user_named_follows_the_umask_and_a_replaced_file_keeps_its_mode() {
    let world = World::new();
    world.does("ada", &["consume"]);
    let (file, dir) = (
        world.home().join("closes.csv"),
        world.home().join("some/reports"),
    );
    let out = |umask| {
        let call = world
            .call("ada", &["report", "closes", "--out"])
            .arg(&file)
            .under_umask(umask);
        call.expect(0, Nothing, Nothing);
        mode(&file)
    };
    assert_eq!(out("027"), 0o640);
    assert_eq!(out("022"), 0o640);
    std::fs::remove_file(&file).expect("removed");
    assert_eq!(out("022"), 0o644);
    world
        .call("ada", &["export", "--dir"])
        .arg(&dir)
        .under_umask("022")
        .expect(0, Nothing, Nothing);
    assert_eq!(
        (mode(&dir), mode(&dir.join("manifest.json"))),
        (0o755, 0o644)
    );
    assert_eq!(mode(dir.parent().expect("a parent")), 0o755);
}

#[test]
fn a_new_file_with_a_token_is_its_owners_alone_and_is_not_replaced_unasked() {
    let world = World::new();
    for name in ["token.json", "token.csv", "token.md"] {
        let file = world.home().join(name);
        let issue = || {
            let call = world.call("ada", &["token", "issue", "cron", "--out"]);
            call.arg(&file).under_umask("022")
        };
        issue().expect(0, Nothing, Nothing);
        assert_eq!(mode(&file), 0o600, "{name}");
        issue().expect(2, Nothing, Has("is there already and holds a token"));
        std::fs::set_permissions(&file, Permissions::from_mode(0o640)).expect("changed");
        issue().arg("--force").expect(0, Nothing, Nothing);
        assert_eq!(mode(&file), 0o640, "{name}");
    }
}

#[test]
fn a_link_among_exported_files_is_replaced_and_what_it_names_left_alone() {
    let world = World::new();
    world.does("ada", &["consume"]);
    let (dir, victim) = (world.home().join("reports"), world.home().join("victim"));
    std::fs::create_dir(&dir).expect("a directory");
    std::fs::write(&victim, "precious").expect("written");
    for name in ["balances.csv", "manifest.json"] {
        std::os::unix::fs::symlink(&victim, dir.join(name)).expect("linked");
    }
    world
        .call("ada", &["export", "--dir"])
        .arg(&dir)
        .expect(2, Nothing, Has("--force"));
    world
        .call("ada", &["export", "--force", "--dir"])
        .arg(&dir)
        .expect(0, Nothing, Nothing);
    assert_eq!(std::fs::read_to_string(&victim).expect("text"), "precious");
    for name in ["balances.csv", "manifest.json"] {
        assert!(
            std::fs::symlink_metadata(dir.join(name))
                .expect("there")
                .is_file(),
            "{name}"
        );
    }
}
