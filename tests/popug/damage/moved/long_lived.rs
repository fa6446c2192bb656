//! Shells, followers and backups whose store gets another name meanwhile.

use super::*;

#[test]
fn a_shell_carries_no_line_out_in_another_store_than_the_one_that_it_was_begun_in() {
    for change in CHANGES {
        let mut stores = Stores::of(World::new(), change);
        let call = stores
            .world
            .call("ada", &["shell", "-o", "ndjson", "--keep-going"])
            .env("POPUG_STORE", &stores.name);
        let mut shell = call.talk();
        let mut to = shell.stdin.take().expect("a pipe");
        let mut answers = BufReader::new(shell.stdout.take().expect("a pipe")).lines();
        to.write_all(b"task add One\n").expect("written");
        answers.next().expect("an answer").expect("UTF-8");
        let began = Instant::now();
        while has_open(&shell, &stores.first) {
            assert!(began.elapsed() < PATIENCE, "it lets go");
        }
        stores.change(change);
        let before = snapshot(&stores.second);
        to.write_all(b"task add Two\nconsume\n").expect("written");
        drop(to);
        let output = shell.output();
        let told = String::from_utf8(output.stderr).expect("UTF-8");
        let (code, exit) = if change == Change::Gone {
            ("no_store", 10)
        } else {
            ("store_replaced", 4)
        };
        assert_eq!(
            told.matches(&format!("\"code\":\"{code}\"")).count(),
            2,
            "{told}"
        );
        assert_eq!(output.status.code(), Some(exit));
        assert_eq!(snapshot(&stores.second), before, "{change:?}");
    }
}

#[test]
fn a_follower_follows_the_store_that_it_began_with() {
    for change in CHANGES {
        let mut stores = Stores::of(World::new(), change);
        let follow = |words: &[&str]| {
            stores
                .world
                .call("ada", words)
                .env("POPUG_STORE", &stores.name)
                .talk()
        };
        let mut tail = follow(&["log", "tail", "-f", "-n", "1", "-o", "ndjson"]);
        let consume = follow(&["consume", "--follow"]);
        let mut lines = BufReader::new(tail.stdout.take().expect("a pipe")).lines();
        let mut next = || lines.next().expect("a line").expect("UTF-8");
        next();
        let began = Instant::now();
        // The last consumer makes this file. After that it only looks for new events, twice a
        // second.
        while !stores.first.join("notifier.sqlite").exists() {
            assert!(began.elapsed() < PATIENCE, "nothing is consumed");
        }
        std::thread::sleep(Duration::from_millis(200));
        let events_before = stores.events_of(&stores.first);
        stores.change(change);
        if change != Change::Gone {
            stores.does("mara", &["task", "add", "Of the other store"]);
        }
        let before = snapshot(&stores.second);
        let add = ["task", "add", "Of the first store"];
        stores
            .world
            .call("mara", &add)
            .env("POPUG_STORE", &stores.first)
            .expect(0, Any, Nothing);
        let created = next();
        assert!(created.contains("Of the first store"), "{created}");
        let began = Instant::now();
        // The fee is what the consumer appends.
        while stores.events_of(&stores.first) < events_before + 3 {
            assert!(began.elapsed() < PATIENCE, "nothing is consumed");
        }
        for child in [&tail, &consume] {
            child.signal("TERM");
        }
        // The signal ends whoever only looks.
        for (child, code) in [(tail, None), (consume, Some(143))] {
            let output = child.output();
            assert_eq!(
                output.status.code(),
                code,
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        assert_eq!(snapshot(&stores.second), before, "{change:?}");
    }
}

#[test]
fn a_backup_goes_whole_into_the_directory_that_it_was_begun_in() {
    let world = busy();
    let (link, one, two) = (
        world.home().join("link"),
        world.home().join("one"),
        world.home().join("two"),
    );
    for directory in [&one, &two] {
        std::fs::create_dir(directory).expect("a directory");
    }
    std::os::unix::fs::symlink(&one, &link).expect("linked");
    let child = world.call("ada", &["backup", "link"]).spawn();
    let began = Instant::now();
    while !has_open(&child, &one) && child.is_running() {
        assert!(began.elapsed() < PATIENCE);
    }
    child.signal("STOP");
    std::fs::remove_file(&link).expect("removed");
    std::os::unix::fs::symlink(&two, &link).expect("linked");
    child.signal("CONT");
    let output = child.output();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(one.join("manifest.json").exists());
    assert_eq!(std::fs::read_dir(&two).expect("a directory").count(), 0);
    world
        .anonymous(&["restore", "one", "-C", "new", "--password-stdin"])
        .stdin("a long enough password")
        .expect(0, Any, Has("restored"));
}

#[test]
fn where_proc_is_missing_a_store_is_not_opened_and_nothing_is_done_by_name() {
    const SCRIPT: &str = r#"mount -t tmpfs none /proc && exec "$@""#;
    let inside = [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        SCRIPT,
        "sh",
    ];
    let world = World::new();
    let before = snapshot(world.home());
    let wanted = "the directory cannot be held, as /proc/self/fd does not lead to it: mount /proc";
    let init = [&INIT[..], &["--password-stdin", "-C", "new"]].concat();
    for words in [
        &["task", "add", "One"][..],
        &["consume"],
        &["verify"],
        &init,
    ] {
        let call = world.call("ada", words).stdin(PASSWORD).through(&inside);
        call.expect(1, Nothing, Has(wanted));
    }
    assert_eq!(snapshot(world.home()), before);
}
