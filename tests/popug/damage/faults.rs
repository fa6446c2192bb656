//! Real faults: a disk without room, a file that may not grow, calls that the kernel is made to
//! fail. Nothing acknowledged is lost, reading goes on, and work resumes by itself.
//!
//! Needs `strace`, and `unshare` and `prlimit` of util-linux.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::helpers::chain;
use crate::helpers::deadline;
use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::{Call, Output, World};
use crate::helpers::recount::Recount;
use crate::helpers::stores::open;

const ROOM: &str = "hint: make room on its disk: nothing is lost, and work goes on by itself";

/// Keys of all batches, each as often as there is one.
fn keys(world: &World) -> Vec<String> {
    let commits = world
        .events()
        .into_iter()
        .filter(|event| event["more"] == 0);
    commits
        .map(|event| event["commandid"].as_str().expect("a key").to_owned())
        .collect()
}

fn assert_once(world: &World, key: &str) {
    assert_eq!(
        keys(world).iter().filter(|found| *found == key).count(),
        1,
        "{key}"
    );
}

/// Takes all room of a disk but so much.
struct Ballast(PathBuf);

impl Ballast {
    fn leave(directory: &Path, kib: u64) -> Ballast {
        let path = directory.join("ballast");
        let mut file = File::create(&path).expect("a file");
        while file.write_all(&[1; 4096]).is_ok() {}
        let length = file.metadata().expect("its length").len();
        file.set_len(length.saturating_sub(kib << 10))
            .expect("shorter");
        Ballast(path)
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).expect("removed");
    }
}

#[test]
fn on_a_full_disk_reading_goes_on_and_work_resumes_by_itself() {
    on_a_small_disk("damage::faults::a_small_disk_fills_up");
}

#[test]
fn an_import_that_fills_the_disk_tells_how_much_is_in_the_log_and_goes_on_behind_it() {
    on_a_small_disk("damage::faults::an_import_fills_a_small_disk");
}

/// Runs a test in a mount namespace of its own, whose temporary directory is a small disk.
fn on_a_small_disk(test: &str) {
    let directory = tempfile::tempdir().expect("a directory");
    let script = r#"mount -t tmpfs -o size=24m small "$TMPDIR" && exec "$0" --exact "$1" --ignored --nocapture"#;
    let mut inner = Command::new("unshare");
    inner.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
    inner
        .arg(std::env::current_exe().expect("this test"))
        .arg(test)
        .env("TMPDIR", directory.path());
    let output = deadline::output(&mut inner);
    let (said, told) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n--\n{told}"
    );
}

#[test]
#[ignore = "needs a small disk, which the test above makes"]
fn a_small_disk_fills_up() {
    for kib in [0, 40, 200, 1_500] {
        let mut world = World::new();
        for n in 0..4 {
            world.does("mara", &["task", "add", &format!("Before {n}")]);
        }
        world.does("ada", &["consume"]);
        world.at("2026-03-04T08:00:00Z");
        let ballast = Ballast::leave(world.home(), kib);
        let done = use_up(&world, kib);
        drop(ballast);
        resume(&world, &done);
    }
}

const ROWS: usize = 600;

/// So many tasks of more than a kilobyte each.
fn many_tasks(world: &World) {
    let long = "x".repeat(1_000);
    let rows: String = (0..ROWS)
        .map(|n| format!("K{n},Task {n},{long}\n"))
        .collect();
    std::fs::write(
        world.home().join("tasks.csv"),
        format!("key,title,description\n{rows}"),
    )
    .expect("written");
}

const IMPORT: [&str; 3] = ["import", "tasks", "tasks.csv"];

/// What a refused import says is in the log is there at once, and nothing of it comes later.
fn assert_settled(world: &World, refused: &Output) -> usize {
    assert_eq!(refused.status, 1, "{}", refused.stderr);
    let tasks = world.rows("ada", &["task", "list", "--all"]).len();
    let told = format!("; {tasks} of {ROWS} rows are in the log\n");
    assert!(
        refused.stderr.contains(&told),
        "{tasks} tasks\n{}",
        refused.stderr
    );
    assert!(
        refused
            .stderr
            .contains("hint: run the same command again to go on\n"),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains(ROOM), "{}", refused.stderr);
    tasks
}

/// The rest is imported, each row once.
fn assert_goes_on(world: &World, tasks: usize) {
    let unrelated = world.call("mara", &["task", "add", "Unrelated"]).run();
    assert!(
        unrelated.status == 0 && !unrelated.stderr.contains("unfinished end"),
        "{}",
        unrelated.stderr
    );
    assert_eq!(
        world.rows("ada", &["task", "list", "--all"]).len(),
        tasks + 1
    );
    let again = world.json("ada", &IMPORT);
    assert_eq!(
        (&again["replayed"], &again["imported"]),
        (&tasks.into(), &(ROWS - tasks).into())
    );
    (0..ROWS).for_each(|n| assert_once(world, &format!("import/create/K{n}")));
    chain::check(&world.log_lines());
}

#[test]
#[ignore = "needs a small disk, which a test above makes"]
fn an_import_fills_a_small_disk() {
    for kib in [0, 40, 600] {
        let world = World::new();
        many_tasks(&world);
        world.does("ada", &["task", "list"]);
        let ballast = Ballast::leave(world.home(), kib);
        let refused = world.call("ada", &IMPORT).run();
        let tasks = assert_settled(&world, &refused);
        assert!(
            tasks < ROWS && (tasks > 100 || kib < 100),
            "{tasks} tasks in {kib} KiB"
        );
        drop(ballast);
        assert_goes_on(&world, tasks);
    }
}

#[test]
fn an_import_into_a_log_that_may_not_grow_settles_what_it_wrote() {
    for bytes in [10, 300_000] {
        let world = World::new();
        many_tasks(&world);
        let limit = format!("--fsize={}", world.log_bytes().len() + bytes);
        let ignoring = ["env", "--ignore-signal=XFSZ", "prlimit", &limit];
        let refused = world.call("ada", &IMPORT).through(&ignoring).run();
        let tasks = assert_settled(&world, &refused);
        assert!(
            (tasks > 0) == (bytes > 100),
            "{tasks} tasks in {bytes} bytes"
        );
        assert_goes_on(&world, tasks);
    }
}

#[test]
fn a_simulation_in_a_log_that_may_not_grow_settles_what_it_wrote() {
    let mut world = World::new();
    world.at("2026-03-20T08:00:00Z");
    let limit = format!("--fsize={}", world.log_bytes().len() + 200_000);
    let ignoring = ["env", "--ignore-signal=XFSZ", "prlimit", &limit];
    let simulate = [
        "simulate",
        "--days",
        "10",
        "--popugs",
        "20",
        "--tasks-per-day",
        "100",
        "--seed",
        "1",
    ];
    let refused = world.call("ada", &simulate).through(&ignoring).run();
    assert_eq!(refused.status, 1, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("File too large"),
        "{}",
        refused.stderr
    );
    let tasks = world.rows("ada", &["task", "list", "--all"]).len();
    world
        .call("mara", &["task", "add", "Unrelated"])
        .expect(0, Any, Nothing);
    assert_eq!(
        world.rows("ada", &["task", "list", "--all"]).len(),
        tasks + 1
    );
    chain::check(&world.log_lines());
}

/// Has the store mounted so that nobody may write it, for one command.
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

/// Goes on writing; the keys that were acknowledged.
fn use_up(world: &World, kib: u64) -> Vec<String> {
    let long = "x".repeat(20_000);
    let mut done = Vec::new();
    let mut refused = 0;
    for n in 0..12 {
        let key = format!("full/{n}");
        let add = ["task", "add", "More", "--description", &long, "--key", &key];
        let others: [&[&str]; 5] = [
            &["consume"],
            &["close"],
            &["consume", "--rebuild"],
            &["task", "reshuffle", "--key", &key],
            &["consume", "accounting"],
        ];
        let (login, words) = if n % 2 == 0 {
            ("mara", &add[..])
        } else {
            ("ada", others[n / 2 % 5])
        };
        let output = world.call(login, words).run();
        match output.status {
            0 if words.contains(&"--key") => done.push(key),
            0 => {}
            1 => {
                refused += 1;
                assert_tells(&output, world, words);
            }
            other => panic!("{kib} KiB: {words:?} ended with {other}\n{}", output.stderr),
        }
        assert_readable(world);
    }
    assert!(
        refused > 0 || kib > 1_000,
        "{kib} KiB were enough for everything"
    );
    done
}

fn assert_tells(output: &Output, world: &World, words: &[&str]) {
    let store = world.store().display().to_string();
    assert!(
        output.stderr.contains(ROOM) && output.stderr.contains(&store),
        "{words:?}\n{}",
        output.stderr
    );
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

fn resume(world: &World, done: &[String]) {
    world
        .call("mara", &["task", "add", "After"])
        .expect(0, Any, Any);
    world.call("ada", &["consume"]).expect(0, Any, Any);
    world.call("cron", &["close"]).expect(0, Any, Any);
    world.call("ada", &["consume"]).expect(0, Any, Any);
    world.call("ada", &["verify", "--deep"]).expect(0, Any, Any);
    chain::check(&world.log_lines());
    Recount::of(&world.events());
    done.iter().for_each(|key| assert_once(world, key));
}

#[test]
fn a_log_that_may_not_grow_refuses_a_batch_and_goes_on_when_it_may() {
    let world = World::new();
    for n in 0..25 {
        world.does("mara", &["task", "add", &format!("Task {n}")]);
    }
    for _ in 0..5 {
        world.does("mara", &["task", "reshuffle"]);
    }
    let before = world.log_bytes();
    let limit = format!("--fsize={}", before.len() + 1_000);
    let press = ["task", "reshuffle", "--key", "too large"];
    for limited in [
        &["prlimit", &limit][..],
        &["env", "--ignore-signal=XFSZ", "prlimit", &limit],
    ] {
        let refused = world.call("mara", &press).through(limited).run();
        assert_eq!(refused.status, 1, "{}", refused.stderr);
        assert!(
            refused.stderr.contains(".ndjson: File too large"),
            "{}",
            refused.stderr
        );
        assert!(
            refused.stderr.contains(ROOM) && refused.stderr.contains("`ulimit -f`"),
            "{}",
            refused.stderr
        );
        assert_eq!(
            world.log_bytes().len(),
            before.len() + 1_000,
            "the write was cut short"
        );
    }
    world.call("mara", &["task", "list"]).expect(0, Any, Any);
    world.call("mara", &press).expect(0, Any, Has("bytes cut"));
    assert!(world.log_bytes().starts_with(&before));
    chain::check(&world.log_lines());
    assert_once(&world, "too large");
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

/// Makes the `nth` such call of a command fail. What it did from there on to the log; `None` if
/// there was no such call.
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
        let mut struck = 0;
        for nth in 1.. {
            let key = format!("{call}/{error}/{nth}");
            let add = ["task", "add", "Struck", "--key", &key, "-o", "json"];
            let before = world.log_bytes();
            let Some((output, calls)) = with_fault(&world, call, error, nth, &add) else {
                break;
            };
            let message_only = calls[0].contains("/log/head>") && calls[0].contains(", 8192)");
            if touches_log(&calls[0]) && !message_only {
                struck += 1;
                assert_eq!(output.status, 1, "{}\n{}", calls[0], output.stderr);
                assert!(output.stdout.is_empty());
                let told = &output.stderr;
                assert!(
                    told.contains("/log/")
                        && told.contains("nothing that was acknowledged is lost"),
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
            world.call("mara", &add).expect(0, Any, Any);
            assert_once(&world, &key);
        }
        assert!(
            struck >= 2,
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
