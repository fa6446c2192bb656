//! Disks without room and files that may not grow: nothing acknowledged is lost, and work resumes.

use super::*;

pub(super) const ROOM: &str = "hint: make room on its disk\n";

/// The keys of all batches, each as often as it occurs.
fn keys(world: &World) -> Vec<String> {
    let commits = world
        .events()
        .into_iter()
        .filter(|event| event["more"] == 0);
    commits
        .map(|event| event["commandid"].as_str().expect("a key").to_owned())
        .collect()
}

pub(super) fn assert_once(world: &World, key: &str) {
    assert_eq!(
        keys(world).iter().filter(|found| *found == key).count(),
        1,
        "{key}"
    );
}

/// Takes all room of a disk except this much.
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
    on_a_small_disk("damage::faults::room::a_small_disk_fills_up");
}

#[test]
fn an_import_that_fills_the_disk_tells_how_much_is_in_the_log_and_goes_on_behind_it() {
    on_a_small_disk("damage::faults::room::an_import_fills_a_small_disk");
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

/// This number of tasks of more than a kilobyte each.
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

/// The rows that a refused import reports are in the log at once, and no more of them come later.
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
            .contains("hint: run the same command again to continue\n"),
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

/// Continues to write. Returns the acknowledged keys.
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

pub(super) fn resume(world: &World, done: &[String]) {
    world
        .call("mara", &["task", "add", "After"])
        .expect(0, Any, Any);
    world.call("ada", &["consume"]).expect(0, Any, Any);
    world.call("cron", &["close"]).expect(0, Any, Any);
    world.call("ada", &["consume"]).expect(0, Any, Any);
    world.call("ada", &["verify", "--deep"]).expect(0, Any, Any);
    chain::check(&world.log_lines());
    Books::of_log(&world.events());
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
