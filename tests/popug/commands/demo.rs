//! The demo: the same company for the same seed, and no files left after it was stopped.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::helpers::deadline;
use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::World;

/// The reports of a demo, without its last lines, which contain the time that it took and its
/// place.
fn shown(world: &World, dir: &str, now: &str, seed: &str) -> String {
    let words = [
        "demo",
        "--dir",
        dir,
        "--days",
        "9",
        "--popugs",
        "5",
        "--tasks-per-day",
        "6",
        "--seed",
        seed,
    ];
    let demo = world
        .anonymous(&words)
        .without("POPUG_SEED")
        .env("POPUG_NOW", now);
    let shown = demo.expect(0, Any, Nothing).stdout;
    shown
        .split(" events in ")
        .next()
        .expect("reports")
        .trim_end_matches(|c: char| c.is_ascii_digit())
        .to_owned()
}

#[test]
fn one_seed_on_one_day_is_one_company() {
    let world = World::empty();
    let (morning, evening) = ("2026-03-20T05:00:00Z", "2026-03-20T20:00:00.123456Z");
    let first = shown(&world, "one", morning, "5");
    assert!(first.contains("── report payouts ──") && first.contains("── report tasks ──"));
    assert_eq!(first, shown(&world, "two", evening, "5"));
    assert_ne!(first, shown(&world, "three", morning, "6"));
    for name in crate::helpers::harness::REPORTS {
        let report = |dir: &str| {
            let words = ["report", name, "-o", "json", "--as", "root", "-C", dir];
            let password = format!("{:032x}", 5);
            let call = world
                .anonymous(&words)
                .env("POPUG_NOW", evening)
                .env("POPUG_PASSWORD", password);
            call.expect(0, Any, Any).stdout
        };
        assert_eq!(report("one"), report("two"), "{name}");
    }
}

/// The suite itself may have been started with interrupts ignored.
const HEARING: [&str; 2] = ["env", "--default-signal=INT,HUP"];

fn wait_for(what: impl Fn() -> bool) {
    let began = Instant::now();
    while !what() {
        assert!(began.elapsed() < Duration::from_secs(60), "it did not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory)
        .expect("a directory")
        .next()
        .is_none()
}

#[test]
fn a_demo_is_put_into_no_store_that_an_option_names() {
    let world = World::empty();
    for words in [["-C", "here", "demo"], ["demo", "--store", "here"]] {
        let demo = world.anonymous(&words);
        demo.expect(2, Nothing, Has("--dir DIR"));
        assert!(!world.home().join("here").exists());
    }
}

#[test]
fn a_demo_that_is_stopped_leaves_nothing_that_nobody_knows_of() {
    let world = World::empty();
    let temporary = world.home().join("tmp");
    std::fs::create_dir(&temporary).expect("created");
    for (signal, number) in [("INT", 2), ("TERM", 15), ("HUP", 15)] {
        let demo = world
            .anonymous(&["demo", "--days", "3000"])
            .env("TMPDIR", &temporary);
        let demo = demo.through(&HEARING).spawn();
        wait_for(|| !is_empty(&temporary));
        demo.signal(signal);
        let ended = demo.output();
        let ended_by = std::os::unix::process::ExitStatusExt::signal(&ended.status);
        assert_eq!(
            (ended_by, String::from_utf8_lossy(&ended.stderr).as_ref()),
            (Some(number), "")
        );
        assert!(is_empty(&temporary), "{signal}");
    }
    // The background jobs of a script ignore an interrupt that is typed at its terminal, and those
    // of `nohup` that it was closed.
    let ignoring = ["/bin/sh", "-c", "trap '' INT HUP && exec \"$0\" \"$@\""];
    for signal in ["INT", "HUP"] {
        let demo = world
            .anonymous(&["demo", "--days", "2"])
            .env("TMPDIR", &temporary)
            .through(&ignoring)
            .spawn();
        wait_for(|| !is_empty(&temporary));
        demo.signal(signal);
        assert!(demo.output().status.success() && !is_empty(&temporary));
        std::fs::remove_dir_all(&temporary).expect("removed");
        std::fs::create_dir(&temporary).expect("created");
    }
    let demo = world
        .anonymous(&["demo", "--days", "3000", "--dir", "named"])
        .through(&HEARING)
        .spawn();
    wait_for(|| world.home().join("named").exists());
    demo.signal("INT");
    let told = demo.output().stderr;
    assert_eq!(
        String::from_utf8_lossy(&told),
        "named is not finished and stays as it is\n"
    );
    let failed = world
        .anonymous(&["demo", "--days", "2"])
        .env("TMPDIR", &temporary);
    let full = failed.through(&["/bin/sh", "-c", "exec \"$0\" \"$@\" >/dev/full"]);
    full.expect(1, Nothing, Has("No space left"));
    assert!(is_empty(&temporary));
}

#[test]
fn a_file_that_is_followed_into_is_there_when_the_command_is_stopped() {
    let world = World::new();
    let tail = world
        .call(
            "ada",
            &["log", "tail", "-f", "--from", "1", "--out", "log.ndjson"],
        )
        .spawn();
    let beside = world.home().join(format!(".log.ndjson.{}", tail.id()));
    wait_for(|| {
        std::fs::metadata(&beside).is_ok_and(|found| found.len() == world.log_bytes().len() as u64)
    });
    tail.signal("INT");
    assert_eq!(tail.output().status.code(), Some(130));
    assert!(std::fs::read(world.home().join("log.ndjson")).expect("a file") == world.log_bytes());
    // A command that is stopped before it answers leaves no file.
    let fifo = world.home().join("fifo");
    assert!(deadline::status(Command::new("mkfifo").arg(&fifo)).success());
    let import = ["import", "users", "fifo", "--out", "answer.json"];
    let waiting = world.call("ada", &import).spawn();
    let beside = world.home().join(format!(".answer.json.{}", waiting.id()));
    wait_for(|| beside.exists());
    waiting.signal("TERM");
    waiting.output();
    assert!(!beside.exists() && !world.home().join("answer.json").exists());
}
