//! `-v` and the version.

use std::process::Command;

use crate::helpers::deadline;
use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::World;

#[test]
fn verbose_says_which_store_who_and_why_and_what_was_done_when() {
    let world = World::new();
    let added = world
        .call("mara", &["task", "add", "Fix", "-v", "-o", "json"])
        .expect(0, Has("\"number\":1"), Any)
        .stderr;
    let store = world.store().display().to_string();
    for said in [
        &format!("opened {store}, as POPUG_STORE names it"),
        "UberPopug Inc. is at event 8; you are mara, manager, by POPUG_TOKEN",
        "appended events 9 to 10",
    ] {
        assert!(added.contains(said), "{said}: {added}");
    }
    let millis = |line: &str| {
        line.split(" ms  ")
            .next()
            .and_then(|n| n.trim().parse().ok())
    };
    let times: Vec<f64> = added.lines().filter_map(millis).collect();
    assert_eq!(times.len(), added.lines().count(), "{added}");
    assert!(times.is_sorted(), "{added}");

    let consumed = world.call("ada", &["consume", "-v", "-C"]).arg(&store);
    let consumed = consumed.expect(0, Any, Any).stderr;
    for said in [
        "as -C names it",
        "accounting is at event 12: 12 events read, 2 appended",
        "notifier is at event 12: 12 events read, 0 appended",
        "consume: 4 rows, as of event 12",
    ] {
        assert!(consumed.contains(said), "{said}: {consumed}");
    }
    let alone = world
        .anonymous(&["whoami", "-v", "--as", "dora"])
        .env("POPUG_PASSWORD", "wrong")
        .expect(5, Nothing, Has(" opened "));
    assert!(!alone.stderr.contains("you are"), "{}", alone.stderr);
}

#[test]
fn verbose_says_which_lock_it_waited_for() {
    let world = World::new();
    let head = std::fs::File::options()
        .read(true)
        .write(true)
        .open(world.store().join("log/head"))
        .expect("a head");
    head.lock().expect("nobody holds it");
    let adding = world.call("mara", &["task", "add", "Fix", "-v"]).spawn();
    std::thread::sleep(std::time::Duration::from_millis(700));
    drop(head);
    let said = String::from_utf8(adding.output().stderr).expect("UTF-8");
    assert!(said.contains(" ms for the writer lock"), "{said}");
}

#[test]
fn quiet_jobs_print_nothing_if_all_is_well() {
    let world = World::new();
    for words in [
        &["backup", "bk", "-q"][..],
        &["verify", "-q"],
        &["verify", "--deep", "-q"],
    ] {
        world.call("cron", words).expect(0, Nothing, Nothing);
    }
    world
        .call("cron", &["backup", "bk", "-q", "-o", "csv"])
        .expect(0, Has("sequence,"), Nothing);
    std::fs::write(world.store().join("log/head"), "").expect("written");
    world
        .call("cron", &["verify", "-q"])
        .expect(7, Has("head"), Any);
}

#[test]
fn the_short_version_is_one_line_and_the_long_one_names_commit_and_engines() {
    let world = World::empty();
    let first = format!("popug-cli {}\n", env!("CARGO_PKG_VERSION"));
    let short = world.anonymous(&["-V"]).expect(0, Any, Nothing).stdout;
    assert_eq!(short, first);
    let long = world
        .anonymous(&["--version"])
        .expect(0, Any, Nothing)
        .stdout;
    let rest = long.strip_prefix(&first).expect("the same first line");
    let lines: Vec<(&str, &str)> = rest
        .lines()
        .map(|line| line.split_once(' ').expect("a name and a version"))
        .collect();
    let names: Vec<_> = lines.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["commit", "DuckDB", "SQLite", "Polars"]);
    let is_version = |text: &str| text.split('.').all(|part| part.parse::<u32>().is_ok());
    assert!(
        lines[1..].iter().all(|(_, text)| is_version(text)),
        "{long}"
    );
    let is_commit = |text: &str| text.len() >= 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let is_built_with_git = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(".git")
        .exists();
    assert!(is_commit(lines[0].1) || !is_built_with_git, "{long}");
}

/// What the build script prints for sources in `directory`.
fn built_in(script: &std::path::Path, directory: &std::path::Path) -> String {
    let mut run = Command::new(script);
    let output = deadline::output(run.env_clear().env("CARGO_MANIFEST_DIR", directory));
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn the_build_script_finds_the_commit_and_works_without_git() {
    let home = tempfile::tempdir().expect("a directory");
    let script = home.path().join("build");
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs");
    let mut compiler = Command::new("rustc");
    compiler
        .args(["--edition", "2024", "-o"])
        .arg(&script)
        .arg(source);
    assert!(deadline::output(&mut compiler).status.success());

    let tarball = home.path().join("tarball");
    std::fs::create_dir(&tarball).expect("created");
    let said = built_in(&script, &tarball);
    assert!(
        !said.contains("rustc-cfg=") && !said.contains("rustc-env="),
        "{said}"
    );
    // A file that is missing would make cargo run the script, and compile everything, each time.
    assert_eq!(said.matches("rerun-if-changed").count(), 1, "{said}");

    let clone = home.path().join("clone");
    std::fs::create_dir_all(clone.join(".git/logs")).expect("created");
    std::fs::write(clone.join(".git/logs/HEAD"), "a b c\n").expect("written");
    std::fs::write(clone.join(".git/config"), "").expect("written");
    let reflog = format!("rustc-env=POPUG_REFLOG={}/.git/logs/HEAD", clone.display());
    let said = built_in(&script, &clone);
    assert!(said.contains(&reflog), "{said}");
    // The reflog changes with every commit; only the file that includes it is compiled again.
    let watched: Vec<_> = said
        .lines()
        .filter(|line| line.contains("rerun-if"))
        .collect();
    assert_eq!(watched.len(), 2, "{said}");
    assert!(watched[1].ends_with(".git/config"), "{said}");

    let worktree = home.path().join("worktree");
    std::fs::create_dir(&worktree).expect("created");
    let text = format!("gitdir: {}\n", clone.join(".git").display());
    std::fs::write(worktree.join(".git"), text).expect("written");
    assert!(built_in(&script, &worktree).contains(&reflog));
}
