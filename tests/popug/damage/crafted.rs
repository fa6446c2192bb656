//! Edited or damaged backups: every fault is reported as damage, and nothing is restored from them.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::helpers::chain;
use crate::helpers::deadline;
use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::{World, copy, last_error};
use crate::helpers::stores::{back_up, busy_world, bytes_in, restore, segments};

/// The new text of the line with this number, without its hash.
type EditLine = dyn Fn(usize, &str) -> String;

fn sha(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn manifest(world: &World) -> Value {
    serde_json::from_slice(
        &std::fs::read(world.home().join("backup/manifest.json")).expect("a manifest"),
    )
    .expect("JSON")
}

fn put_manifest(world: &World, manifest: &Value) {
    std::fs::write(
        world.home().join("backup/manifest.json"),
        manifest.to_string(),
    )
    .expect("written");
}

fn is_refused(world: &World, words: &[&str], what: &str) {
    let refused = world
        .anonymous(&[words, &["-o", "json"]].concat())
        .expect(12, Nothing, Any);
    assert_eq!(
        last_error(&refused)["code"],
        "backup_damaged",
        "{what}: {}",
        refused.stderr
    );
    let entries = std::fs::read_dir(world.home()).expect("a home");
    let mut names = entries.map(|entry| {
        entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned()
    });
    assert!(
        !names.any(|name| name.contains("new")),
        "{what} left something"
    );
}

/// Edits the lines of a backup in one segment, hashes the chain again and corrects the manifest.
fn rewrite(world: &World, edit: &EditLine) {
    let path = &segments(&world.home().join("backup/log"))[0];
    let (mut previous, mut text) = (chain::NO_HASH.to_owned(), String::new());
    for (n, line) in std::fs::read_to_string(path)
        .expect("a segment")
        .lines()
        .enumerate()
    {
        let body = edit(n, &chain::split(line).0);
        previous = chain::hash(&previous, &body);
        text.push_str(&format!(
            "{},\"hash\":\"{previous}\"}}\n",
            &body[..body.len() - 1]
        ));
    }
    std::fs::write(path, &text).expect("written");
    let mut manifest = manifest(world);
    manifest["head"]["hash"] = previous.into();
    manifest["files"][0]["bytes"] = text.len().into();
    manifest["files"][0]["sha256"] = sha(text.as_bytes()).into();
    put_manifest(world, &manifest);
}

#[test]
fn bytes_that_the_manifest_does_not_count_are_neither_restored_nor_kept() {
    let world = busy_world();
    back_up(&world, "backup");
    let spoilt = &segments(&world.home().join("backup/log"))[1];
    let whole = std::fs::read(spoilt).expect("a segment");
    std::fs::write(spoilt, [&whole[..], b"{\"more\": 1}\n"].concat()).expect("written");
    restore(&world, &["backup", "-C", "new"]);
    assert!(bytes_in(&world.home().join("new/log")) == world.log_bytes());
    world
        .call("cron", &["backup", "backup"])
        .expect(0, Any, Has("was damaged"));
    assert!(std::fs::read(spoilt).expect("a segment") == whole);
    world
        .call("cron", &["backup", "backup"])
        .expect(0, Any, Nothing);
}

#[test]
fn numbers_that_no_backup_has_are_damage() {
    let world = World::new();
    back_up(&world, "backup");
    let whole = manifest(&world);
    let largest = json!(u64::MAX);
    let places = ["/files/0/bytes", "/head/sequence", "/files/1/bytes"];
    for (place, number) in places
        .into_iter()
        .flat_map(|place| [(place, &largest), (place, &Value::Null)])
    {
        let mut edited = whole.clone();
        let second =
            json!({"path": "log/00000000000000000009.ndjson", "bytes": 7, "sha256": sha(b"")});
        edited["files"].as_array_mut().expect("files").push(second);
        *edited.pointer_mut(place).expect("it is there") = if number.is_null() {
            0.into()
        } else {
            number.clone()
        };
        put_manifest(&world, &edited);
        let what = format!("{place} {number}");
        is_refused(&world, &["restore", "backup", "-C", "new"], &what);
        is_refused(
            &world,
            &["restore", "backup", "-C", "new", "--to-sequence", "3"],
            &what,
        );
        world.refused("cron", &["backup", "backup"], 12, "backup_damaged");
    }
    let large = std::fs::File::options()
        .write(true)
        .open(world.home().join("backup/manifest.json"));
    large
        .expect("a manifest")
        .set_len(1 << 32)
        .expect("a length");
    is_refused(&world, &["restore", "backup", "-C", "new"], "a large one");
}

#[test]
fn a_batch_without_end_and_a_time_that_is_none_are_damage() {
    let sound = World::new();
    back_up(&sound, "backup");
    let edits: [(&str, &EditLine); 2] = [
        ("more than there can be", &|n, body| match n {
            0 => body.replace("\"more\":1", "\"more\":18446744073709551615"),
            _ => body.to_owned(),
        }),
        ("the year 9999", &|n, body| match n {
            5 => body.replace(
                "\"time\":\"2026-03-02T08:00:00",
                "\"time\":\"9999-12-31T23:59:59",
            ),
            _ => body.to_owned(),
        }),
    ];
    for (what, edit) in edits {
        let world = sound.copied();
        copy(&sound.home().join("backup"), &world.home().join("backup"));
        let before = bytes_in(&world.home().join("backup/log"));
        rewrite(&world, edit);
        assert!(
            bytes_in(&world.home().join("backup/log")) != before,
            "{what}"
        );
        is_refused(&world, &["restore", "backup", "-C", "new"], what);
        is_refused(
            &world,
            &["restore", "backup", "-C", "new", "--to-sequence", "3"],
            what,
        );
    }
}

#[test]
fn secrets_that_let_nobody_in_are_damage() {
    let sound = World::new();
    sound.rows("ada", &["backup", "backup", "--with-secrets"]);
    let name = "auth/1/passwords.json";
    let world = sound.copied();
    copy(&sound.home().join("backup"), &world.home().join("backup"));
    let mut lacking = manifest(&world);
    lacking["files"]
        .as_array_mut()
        .expect("files")
        .retain(|file| file["path"] != name);
    put_manifest(&world, &lacking);
    is_refused(&world, &["restore", "backup", "-C", "new"], name);
    let mut spoilt = manifest(&sound);
    for file in spoilt["files"]
        .as_array_mut()
        .expect("files")
        .iter_mut()
        .filter(|file| file["path"] == name)
    {
        (file["bytes"], file["sha256"]) = (2.into(), sha(b"{}").into());
    }
    std::fs::write(world.home().join("backup").join(Path::new(name)), "{}").expect("written");
    put_manifest(&world, &spoilt);
    is_refused(&world, &["restore", "backup", "-C", "new"], name);
}

/// Replaces a file by another kind of file.
fn replace(path: &Path, make: &[&str]) {
    std::fs::rename(path, path.with_extension("moved")).expect("moved");
    let (program, words) = make.split_first().expect("a program");
    assert!(deadline::status(Command::new(program).args(words).arg(path)).success());
}

#[test]
fn a_segment_that_is_no_file_of_its_own_is_damage_and_nobody_waits_for_it_or_writes_through_it() {
    let sound = busy_world();
    sound.rows("ada", &["backup", "backup", "--with-secrets"]);
    let victim = "dear popug";
    for make in [
        &["mkdir"][..],
        &["mkfifo"],
        &["ln", "-s", "../../letter.txt"],
    ] {
        for name in [
            "manifest.json",
            "auth/1/passwords.json",
            "log/00000000000000000001.ndjson",
        ] {
            let world = sound.twin();
            std::fs::write(world.home().join("letter.txt"), victim).expect("written");
            replace(&world.home().join("backup").join(name), make);
            is_refused(&world, &["restore", "backup", "-C", "new"], name);
            if !name.starts_with("auth/") {
                let refused = world.call("ada", &["backup", "backup"]).run();
                assert!(
                    refused.status == 1 || refused.status == 4,
                    "{make:?} {name}: {}",
                    refused.stderr
                );
                assert!(refused.stderr.contains("hint:"), "{}", refused.stderr);
            }
            assert_eq!(
                std::fs::read_to_string(world.home().join("letter.txt")).expect("a letter"),
                victim
            );
        }
    }
}
