//! `restore`: the contents of the backup come back, and nothing else.

mod earlier;

use std::path::Path;

use serde_json::Value;

use crate::helpers::chain;
use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::{World, copy, last_error};
use crate::helpers::stores::{
    NEW_PASSWORD, add_tasks, back_up, busy_world, lines_in, restore, segments,
};

/// A way to damage a backup, with its name.
type Edit<'e> = (&'static str, Box<dyn Fn() + 'e>);

/// Runs as the admin with the new password in the store `name`.
pub fn in_store(world: &World, name: &str, words: &[&str]) -> String {
    let call = world.anonymous(&[words, &["-C", name, "--as", "ada"]].concat());
    call.env("POPUG_PASSWORD", NEW_PASSWORD)
        .expect(0, Any, Any)
        .stdout
}

#[test]
fn a_restored_store_holds_the_same_log_and_gives_the_same_reports() {
    let world = busy_world();
    let row = back_up(&world, "backup");
    let head = world.json("ada", &["status"])["head"].clone();
    assert_eq!(
        (&row["sequence"], &row["hash"], &row["with_secrets"]),
        (&head["sequence"], &head["hash"], &Value::Bool(false))
    );
    restore(&world, &["backup", "-C", "new"]);
    assert!(lines_in(&world.home().join("new")) == world.log_lines());
    let names = |log: &Path| {
        segments(log)
            .iter()
            .map(|path| path.file_name().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(&world.home().join("new/log")),
        names(&world.store().join("log"))
    );
    assert!(names(&world.store().join("log")).len() > 5);
    in_store(&world, "new", &["consume"]);
    world.does("ada", &["consume"]);
    for report in [
        "balances",
        "earnings",
        "payouts",
        "entries",
        "trial-balance",
        "closes",
        "tasks",
        "negative",
    ] {
        let words = ["report", report, "-o", "csv"];
        let (old, new) = (world.answer("ada", &words), in_store(&world, "new", &words));
        // Only the states of mails differ, which are sent again into the outbox.
        assert!(old == new || report == "payouts", "{report}\n{old}\n{new}");
    }
    world
        .anonymous(&["verify", "--deep", "-C", "new"])
        .expect(0, Has("sound"), Nothing);
    assert!(world.home().join("new/restored").exists());
}

#[test]
fn without_secrets_the_old_token_is_refused_and_the_new_password_works() {
    let world = World::new();
    back_up(&world, "backup");
    assert!(!world.home().join("backup/auth").exists());
    restore(&world, &["backup", "-C", "new"]);
    let refused = world
        .call("ada", &["whoami", "-C", "new", "-o", "json"])
        .expect(5, Nothing, Any);
    assert_eq!(last_error(&refused)["code"], "token_refused");
    let as_ada = world
        .anonymous(&["whoami", "-C", "new", "--as", "ada"])
        .env("POPUG_PASSWORD", crate::helpers::harness::PASSWORD);
    as_ada.expect(5, Nothing, Has("wrong login or password"));
    assert!(in_store(&world, "new", &["whoami"]).contains("ada"));
}

#[test]
fn with_secrets_the_old_password_and_the_old_tokens_work() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let words = ["backup", "backup", "--with-secrets"];
    assert_eq!(world.rows("ada", &words)[0]["with_secrets"], true);
    // The former files of the directory are not needed any more.
    assert_eq!(world.rows("ada", &words)[0]["with_secrets"], true);
    let generations: Vec<_> = std::fs::read_dir(world.home().join("backup/auth"))
        .expect("secrets")
        .collect();
    assert_eq!(generations.len(), 1);
    let mode = |path: &str| {
        std::fs::metadata(world.home().join(path))
            .expect(path)
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!((mode("backup"), mode("backup/auth")), (0o700, 0o700));
    assert_eq!(
        (mode("backup/auth/2"), mode("backup/auth/2/passwords.json")),
        (0o700, 0o600)
    );
    world.anonymous(&["restore", "backup", "-C", "new"]).expect(
        0,
        Nothing,
        Has("those of the backup"),
    );
    assert_eq!(
        (mode("new/auth"), mode("new/auth/passwords.json")),
        (0o700, 0o600)
    );
    world
        .call("dora", &["whoami", "-C", "new"])
        .expect(0, Has("dora"), Nothing);
    let as_ada = world
        .anonymous(&["whoami", "-C", "new", "--as", "ada"])
        .env("POPUG_PASSWORD", crate::helpers::harness::PASSWORD);
    as_ada.expect(0, Has("ada"), Nothing);
    // The next backup without secrets removes them again.
    back_up(&world, "backup");
    assert_eq!(
        std::fs::read_dir(world.home().join("backup/auth"))
            .expect("it stays")
            .count(),
        0
    );
}

#[test]
fn a_tampered_backup_is_refused_and_leaves_nothing() {
    let world = busy_world();
    world.rows("ada", &["backup", "backup", "--with-secrets"]);
    let log = segments(&world.home().join("backup/log"));
    let flip = |path: &Path| {
        let mut bytes = std::fs::read(path).expect("a file");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).expect("written");
    };
    let cut = |path: &Path| {
        let bytes = std::fs::read(path).expect("a file");
        std::fs::write(path, &bytes[..bytes.len() - 1]).expect("written");
    };
    let manifest = world.home().join("backup/manifest.json");
    let text = std::fs::read_to_string(&manifest).expect("a manifest");
    let edits: Vec<Edit<'_>> = vec![
        ("a flipped bit", Box::new(|| flip(&log[1]))),
        (
            "a cut segment",
            Box::new(|| cut(log.last().expect("a segment"))),
        ),
        (
            "a missing segment",
            Box::new(|| std::fs::remove_file(&log[2]).expect("removed")),
        ),
        (
            "swapped segments",
            Box::new(|| {
                let (one, other) = (
                    std::fs::read(&log[1]).expect("a file"),
                    std::fs::read(&log[2]).expect("a file"),
                );
                std::fs::write(&log[1], other).expect("written");
                std::fs::write(&log[2], one).expect("written");
            }),
        ),
        (
            "a secret",
            Box::new(|| flip(&world.home().join("backup/auth/1/passwords.json"))),
        ),
        (
            "a manifest of another head",
            Box::new(|| {
                let head = text.find("\"sequence\": ").expect("a sequence") + 12;
                let other = format!("{}1{}", &text[..head], &text[head..]);
                std::fs::write(&manifest, other).expect("written");
            }),
        ),
        (
            "a path that leads out",
            Box::new(|| {
                std::fs::write(
                    &manifest,
                    text.replace("auth/1/passwords.json", "auth/1/../../../x"),
                )
                .expect("written");
            }),
        ),
        (
            "half a manifest",
            Box::new(|| std::fs::write(&manifest, &text[..text.len() / 2]).expect("written")),
        ),
    ];
    copy(&world.home().join("backup"), &world.home().join("good"));
    for (what, edit) in edits {
        edit();
        let refused = world
            .anonymous(&["restore", "backup", "-C", "new", "-o", "json"])
            .expect(12, Nothing, Any);
        assert_eq!(last_error(&refused)["code"], "backup_damaged", "{what}");
        let left: Vec<_> = std::fs::read_dir(world.home())
            .expect("a home")
            .map(|e| e.expect("an entry").file_name())
            .collect();
        assert!(
            !left
                .iter()
                .any(|name| name.to_string_lossy().contains("new")),
            "{what}: {left:?}"
        );
        std::fs::remove_dir_all(world.home().join("backup")).expect("removed");
        copy(&world.home().join("good"), &world.home().join("backup"));
    }
    world
        .anonymous(&["restore", "backup", "-C", "new"])
        .expect(0, Nothing, Any);
}

#[test]
fn a_rebuilt_chain_in_a_backup_is_found_by_its_head() {
    let world = World::new();
    back_up(&world, "backup");
    // A line is edited, the chain hashed again and the manifest's SHA-256 corrected, but not the
    // head.
    let (mut previous, mut text) = (chain::NO_HASH.to_owned(), String::new());
    for line in world.log_lines() {
        let body = chain::split(&line).0.replace("dora Popug", "Dora Popug");
        previous = chain::hash(&previous, &body);
        text.push_str(&format!(
            "{},\"hash\":\"{previous}\"}}\n",
            &body[..body.len() - 1]
        ));
    }
    let path = &segments(&world.home().join("backup/log"))[0];
    let sha = |bytes: &[u8]| {
        use sha2::{Digest, Sha256};
        Sha256::digest(bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let manifest = world.home().join("backup/manifest.json");
    let edited = std::fs::read_to_string(&manifest).expect("a manifest");
    let edited = edited.replace(
        &sha(&std::fs::read(path).expect("a segment")),
        &sha(text.as_bytes()),
    );
    std::fs::write(path, &text).expect("written");
    std::fs::write(&manifest, edited).expect("written");
    let refused = world
        .anonymous(&["restore", "backup", "-C", "new", "-o", "json"])
        .expect(12, Nothing, Any);
    assert_eq!(last_error(&refused)["code"], "backup_damaged");
}

#[test]
fn a_restore_never_touches_a_store_that_is_there() {
    let world = World::new();
    back_up(&world, "backup");
    let before = world.log_bytes();
    let refused = world
        .anonymous(&["restore", "backup", "-o", "json"])
        .stdin(NEW_PASSWORD)
        .expect(4, Nothing, Any);
    assert_eq!(last_error(&refused)["code"], "store_exists");
    assert!(before == world.log_bytes());
    let short = world
        .anonymous(&["restore", "backup", "-C", "new", "--password-stdin"])
        .stdin("short");
    short.expect(6, Nothing, Has("at least 8"));
    assert!(!world.home().join("new").exists());
    world
        .anonymous(&["restore", "nowhere", "-C", "new"])
        .expect(3, Nothing, Has("no backup"));
}

#[test]
fn mails_of_a_restored_store_stay_in_its_outbox() {
    let world = busy_world();
    back_up(&world, "backup");
    restore(&world, &["backup", "-C", "new"]);
    // No server listens there: a mail by SMTP would fail.
    let call = world
        .anonymous(&["consume", "-C", "new", "--as", "ada"])
        .env("POPUG_PASSWORD", NEW_PASSWORD);
    call.env("POPUG_SMTP_URL", "smtp://127.0.0.1:9")
        .expect(0, Any, Nothing);
    let mails = in_store(&world, "new", &["mail", "list"]);
    assert!(
        !mails.is_empty() && mails.lines().all(|line| line.contains("written")),
        "{mails}"
    );
    assert!(world.home().join("new/outbox").exists());
}

#[test]
fn a_backup_is_no_store_and_no_command_leaves_anything_in_it() {
    let world = busy_world();
    world.rows("ada", &["backup", "backup", "--with-secrets"]);
    let names = || {
        let entries = std::fs::read_dir(world.home().join("backup")).expect("a backup");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        names.sort();
        names
    };
    let commands: [&[&str]; 12] = [
        &["task", "list"],
        &["task", "add", "Here"],
        &["consume"],
        &["consume", "tracker", "--rebuild"],
        &["close"],
        &["report", "balances"],
        &["status"],
        &["log", "tail"],
        &["verify"],
        &["repair", "--yes"],
        &["doctor"],
        &["backup", "another"],
    ];
    // A copy of a backup without its lock is a backup too.
    for lock in [true, false] {
        if !lock {
            std::fs::remove_file(world.home().join("backup/backup.lock")).expect("removed");
        }
        let before = names();
        for words in commands {
            let error = world.refused("ada", &[words, &["-C", "backup"]].concat(), 10, "no_store");
            assert!(
                error["message"]
                    .as_str()
                    .expect("a message")
                    .contains("is a backup"),
                "{words:?}: {error}"
            );
            assert!(
                error["hints"][0]
                    .as_str()
                    .is_some_and(|hint| hint.contains("restore backup")),
                "{error}"
            );
            assert_eq!(names(), before, "{words:?}");
        }
    }
    world.rows("ada", &["backup", "backup"]);
}
