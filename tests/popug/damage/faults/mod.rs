//! Real faults: a disk without room, a file that may not grow, system calls that fail. Nothing
//! acknowledged is lost, reading continues, and work resumes by itself.
//!
//! Needs `strace`, and `unshare` and `prlimit` of util-linux.

mod room;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::helpers::chain;
use crate::helpers::deadline;
use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::{Call, Output, World};
use crate::helpers::stores::open;
use crate::model::books::Books;
use room::{ROOM, assert_once, resume};

/// Mounts the store read-only for one command.
fn on_a_read_only_disk<'w>(world: &'w World, login: &str, words: &[&str]) -> Call<'w> {
    const SCRIPT: &str =
        r#"cd / && mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@""#;
    let store = world.store().display().to_string();
    let inside = [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        SCRIPT,
        "sh",
        &store,
    ];
    world.call(login, words).through(&inside)
}

#[test]
fn on_a_read_only_disk_reading_goes_on_whatever_lies_beside_the_index() {
    let world = World::new();
    for n in 0..3 {
        world.does("mara", &["task", "add", &format!("Task {n}")]);
    }
    world.does("ada", &["consume"]);
    let index = world.store().join("state.sqlite");
    let merge =
        |_: &World| drop(open(&index).query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())));
    let remove = |companion: &str| drop(std::fs::remove_file(index.with_extension(companion)));
    let readings: [&[&str]; 4] = [
        &["task", "list"],
        &["report", "balances"],
        &["status"],
        &["mail", "list"],
    ];
    let before = readings.map(|words| world.answer("ada", words));
    for lose in [
        &|_: &World| {},
        &|_: &World| remove("sqlite-shm"),
        &|world: &World| {
            merge(world);
            remove("sqlite-shm");
            remove("sqlite-wal");
        },
    ] as [&dyn Fn(&World); 3]
    {
        lose(&world);
        for (words, before) in readings.iter().zip(&before) {
            assert_eq!(
                on_a_read_only_disk(&world, "ada", words)
                    .expect(0, Any, Any)
                    .stdout,
                *before,
                "{words:?}"
            );
        }
        on_a_read_only_disk(&world, "mara", &["task", "add", "No"]).expect(
            1,
            Nothing,
            Has("mount it for writing"),
        );
        let doctor =
            on_a_read_only_disk(&world, "ada", &["doctor"]).expect(7, Has("for writing"), Any);
        assert!(
            !doctor.stdout.contains("bring auth/ back"),
            "{}",
            doctor.stdout
        );
    }
    world
        .call("mara", &["task", "add", "Yes"])
        .expect(0, Any, Nothing);
}

#[test]
fn tables_that_the_system_does_not_open_are_not_taken_for_damaged() {
    let world = World::new();
    world.does("mara", &["task", "add", "One"]);
    world.does("ada", &["consume"]);
    for files in 8..18 {
        let limit = format!("--nofile={files}");
        for command in ["close", "consume"] {
            let output = world
                .call("ada", &[command])
                .through(&["prlimit", &limit])
                .run();
            assert!(
                !output.stderr.contains("damaged"),
                "{command} with {files} files: {}",
                output.stderr
            );
        }
    }
    world.call("ada", &["consume"]).expect(0, Any, Nothing);
}

fn assert_readable(world: &World) {
    let readings: [&[&str]; 4] = [
        &["task", "list", "-o", "json"],
        &["report", "balances"],
        &["verify"],
        &["log", "tail", "-n", "3"],
    ];
    for words in readings {
        let output = world.call("ada", words).run();
        assert_eq!(
            output.status, 0,
            "{words:?}\n{}\n{}",
            output.stdout, output.stderr
        );
    }
}

#[test]
fn a_limit_on_the_size_of_files_is_told_like_a_full_disk_and_nothing_half_written_is_kept() {
    let mut world = World::new();
    let long = "x".repeat(20_000);
    for n in 0..6 {
        world.does(
            "mara",
            &["task", "add", &format!("Task {n}"), "--description", &long],
        );
    }
    world.does("ada", &["consume"]);
    world.at("2026-03-04T08:00:00Z");
    let (mut done, mut refused) = (Vec::new(), 0);
    for kib in [1, 60, 100, 300, 1_000] {
        let key = format!("limited/{kib}");
        let add = ["task", "add", "More", "--description", &long, "--key", &key];
        let (dir, reports) = (format!("copy {kib}"), format!("reports {kib}"));
        let commands: [&[&str]; 6] = [
            &add,
            &["consume"],
            &["close"],
            &["backup", &dir],
            &["export", "--dir", &reports],
            &["report", "tasks", "--out", "tasks.json"],
        ];
        for words in commands {
            let script = format!("ulimit -f {kib} && exec \"$0\" \"$@\"");
            let output = world
                .call("ada", words)
                .through(&["bash", "-c", &script])
                .run();
            let warnings: Vec<_> = output
                .stderr
                .lines()
                .filter(|line| line.starts_with("warning: "))
                .collect();
            let different: BTreeSet<_> = warnings.iter().collect();
            assert_eq!(different.len(), warnings.len(), "{}", output.stderr);
            let in_memory = warnings.iter().filter(|line| line.contains("into memory"));
            assert!(in_memory.clone().all(|line| line.contains("`ulimit -f`")));
            let is_recovered = output.stderr.contains("the next command recovers the log");
            assert!(!is_recovered || words == add || words[0] == "consume" || words[0] == "close");
            match output.status {
                0 if words == add => done.push(key.clone()),
                0 => {}
                1 => {
                    refused += 1;
                    let is_told =
                        output.stderr.contains(ROOM) && output.stderr.contains("`ulimit -f`");
                    assert!(is_told, "{kib} KiB: {words:?}\n{}", output.stderr);
                }
                other => panic!("{kib} KiB: {words:?} ended with {other}\n{}", output.stderr),
            }
        }
        assert_readable(&world);
    }
    assert!(refused > 5, "only {refused} commands met the limit");
    let names = std::fs::read_dir(world.home())
        .expect("a home")
        .map(|entry| entry.expect("an entry").file_name());
    let hidden: Vec<_> = names
        .filter(|name| name.to_string_lossy().starts_with(".tasks"))
        .collect();
    assert!(hidden.is_empty(), "{hidden:?}");
    resume(&world, &done);
}

const NOT_ACKNOWLEDGED: &str = "; the request is written, but not acknowledged\"";

/// Makes the `nth` such call of a command fail. Returns the later calls on the log; `None` if there
/// was no such call.
fn with_fault(
    world: &World,
    call: &str,
    error: &str,
    nth: usize,
    words: &[&str],
) -> Option<(Output, Vec<String>)> {
    let trace = world.home().join("trace");
    let inject = format!("inject={call}:error={error}:when={nth}");
    let calls = "trace=pwrite64,fdatasync,fsync,ftruncate";
    let file = trace.to_str().expect("UTF-8");
    let strace = [
        "strace", "-f", "-y", "-s", "0", "-o", file, "-e", calls, "-e", &inject,
    ];
    let output = world.call("mara", words).through(&strace).run();
    let text = std::fs::read_to_string(&trace)
        .unwrap_or_else(|_| panic!("strace cannot trace here: {}", output.stderr));
    let from_there: Vec<_> = text
        .lines()
        .skip_while(|line| !line.ends_with("(INJECTED)"))
        .map(str::to_owned)
        .collect();
    (!from_there.is_empty()).then_some((output, from_there))
}

#[test]
fn a_failed_write_or_sync_poisons_the_writer_and_no_sync_is_tried_twice() {
    let touches_log = |line: &String| line.contains("/log/");
    for (call, error) in [
        ("fdatasync", "EIO"),
        ("fdatasync", "ENOSPC"),
        ("pwrite64", "EIO"),
        ("pwrite64", "ENOSPC"),
    ] {
        let world = World::new();
        let (mut struck, mut written) = (0, 0);
        for nth in 1.. {
            let key = format!("{call}/{error}/{nth}");
            let add = ["task", "add", "Struck", "--key", &key, "-o", "json"];
            let before = world.log_bytes();
            let Some((output, calls)) = with_fault(&world, call, error, nth, &add) else {
                break;
            };
            let is_written = output.stderr.contains(NOT_ACKNOWLEDGED);
            written += usize::from(is_written);
            let message_only = calls[0].contains("/log/head>") && calls[0].contains(", 8192)");
            if touches_log(&calls[0]) && !message_only {
                struck += 1;
                assert_eq!(output.status, 1, "{}\n{}", calls[0], output.stderr);
                assert!(output.stdout.is_empty());
                let told = &output.stderr;
                assert!(
                    told.contains("/log/")
                        && (is_written || told.contains("no acknowledged event is lost")),
                    "{told}"
                );
                let after: Vec<_> = calls
                    .iter()
                    .skip(1)
                    .filter(|line| touches_log(line))
                    .collect();
                assert!(after.is_empty(), "{call} {nth}: {after:?}");
            }
            assert!(world.log_bytes().starts_with(&before));
            world.call("mara", &["task", "list"]).expect(0, Any, Any);
            let is_known = is_written || output.status == 0;
            let replayed = format!("\"replayed\":{is_known}");
            world.call("mara", &add).expect(0, Has(&replayed), Any);
            assert_once(&world, &key);
        }
        assert!(
            struck >= 2 && written >= 1,
            "{call} {error}: the batch and the head were to be struck"
        );
        chain::check(&world.log_lines());
    }
}

#[test]
fn duckdb_starts_where_a_control_group_cannot_be_read() {
    let world = World::new();
    world.does("mara", &["task", "add", "Posted"]);
    for error in ["EMFILE", "EIO"] {
        let inject = format!("inject=openat:error={error}");
        let through = [
            "strace",
            "-f",
            "-o",
            "trace",
            "-P",
            "/proc/self/cgroup",
            "-e",
            "trace=openat",
            "-e",
            &inject,
        ];
        world
            .call("ada", &["consume", "accounting"])
            .through(&through)
            .expect(0, Any, Any);
    }
}
