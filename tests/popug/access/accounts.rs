//! Stores of other accounts: an account without access is told who owns the store, and root leaves
//! no file that the owner could not write. Only root can test this, with `setpriv` of util-linux.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use crate::helpers::harness::Text::{Any, Nothing};
use crate::helpers::harness::{Call, PASSWORD, World, last_error};

/// Accounts that every system has.
const DAEMON: u32 = 1;
const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    std::fs::metadata("/proc/self")
        .expect("/proc is there")
        .uid()
        == 0
}

fn everything(directory: &Path) -> Vec<PathBuf> {
    let mut found = vec![directory.to_owned()];
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(everything(&path))
        } else {
            found.push(path)
        }
    }
    found
}

/// A store of another account, in a home that all accounts may read.
fn world_of_daemon() -> World {
    let world = World::new();
    world.does("mara", &["task", "add", "One"]);
    world.does("ada", &["consume"]);
    everything(&world.store())
        .iter()
        .for_each(|path| chown(path, Some(DAEMON), Some(DAEMON)).expect("given away"));
    chown(world.home(), Some(DAEMON), Some(DAEMON)).expect("given away");
    std::fs::set_permissions(world.home(), PermissionsExt::from_mode(0o755)).expect("opened");
    world
}

fn run_as(account: u32, call: Call<'_>) -> Call<'_> {
    let (user, group) = (format!("--reuid={account}"), format!("--regid={account}"));
    call.through(&["setpriv", &user, &group, "--clear-groups"])
}

const DAEMONS: &str = "this store belongs to the account `daemon`; you are";

#[test]
fn root_makes_no_file_in_the_store_of_another_account_and_its_owner_goes_on() {
    if !is_root() {
        return;
    }
    let world = world_of_daemon();
    let before = everything(&world.store());
    let commands: [&[&str]; 12] = [
        &["consume"],
        &["consume", "tracker", "--rebuild"],
        &["close"],
        &["task", "add", "Two"],
        &["task", "add", "Two", "-n"],
        &["task", "list"],
        &["report", "balances"],
        &["log", "tail"],
        &["backup", "copy"],
        &["repair", "--yes"],
        &["mail", "list"],
        &["shell"],
    ];
    for words in commands {
        // A shell reports it for its line.
        let stdin = if words == ["shell"] {
            "task list\n"
        } else {
            ""
        };
        let output = world
            .call("ada", words)
            .stdin(stdin)
            .expect(5, Nothing, Any);
        let hint = format!("hint: {DAEMONS} `root`. Use `sudo -u daemon popug-cli ...`\n");
        assert!(
            output.stderr.contains(&hint),
            "{words:?}: {}",
            output.stderr
        );
    }
    assert_eq!(
        world.refused("ada", &["consume"], 5, "not_the_owner")["hints"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    let login = world
        .anonymous(&["login", "ada"])
        .env("POPUG_PASSWORD", PASSWORD);
    login.expect(5, Nothing, Any);
    // Commands that make no file there are open to root.
    world
        .call("ada", &["verify", "--deep"])
        .expect(0, Any, Nothing);
    world.call("ada", &["doctor"]).expect(0, Any, Any);
    assert_eq!(everything(&world.store()), before);
    let foreign = |path: &PathBuf| std::fs::metadata(path).expect("there").uid() != DAEMON;
    assert!(!before.iter().any(foreign), "root made something");
    for words in [
        &["task", "add", "Two"][..],
        &["consume"],
        &["close"],
        &["verify", "--deep"],
    ] {
        run_as(DAEMON, world.call("ada", words)).expect(0, Any, Any);
    }
}

#[test]
fn a_user_without_access_is_told_who_owns_the_store() {
    if !is_root() {
        return;
    }
    let world = world_of_daemon();
    for words in [
        &["task", "list"][..],
        &["consume"],
        &["verify"],
        &["log", "tail"],
        &["repair"],
    ] {
        let output = run_as(NOBODY, world.call("ada", words)).expect(1, Nothing, Any);
        let store = world.store().display().to_string();
        let wanted = format!(
            "error: cannot open {store}: Permission denied (os error 13)\n\
             hint: {DAEMONS} `nobody`. Use `sudo -u daemon popug-cli ...`\n"
        );
        assert_eq!(output.stderr, wanted, "{words:?}");
    }
    let unknown =
        run_as(4_321, world.call("ada", &["task", "list", "-o", "json"])).expect(1, Nothing, Any);
    let hints = last_error(&unknown)["hints"].clone();
    assert_eq!(
        hints[0],
        format!("{DAEMONS} uid 4321. Use `sudo -u daemon popug-cli ...`")
    );
}

#[test]
fn files_that_root_left_in_a_store_are_named_with_the_way_to_give_them_back() {
    if !is_root() {
        return;
    }
    let world = world_of_daemon();
    for (part, words) in [
        ("state.sqlite", &["task", "list"][..]),
        ("state.sqlite-wal", &["task", "list"]),
        ("log/head", &["task", "add", "Two"]),
        ("accounting.lock", &["consume"]),
        ("accounting.duckdb", &["consume"]),
        ("auth/tokens", &["task", "list"]),
    ] {
        let path = world.store().join(part);
        chown(&path, Some(0), Some(0)).expect("taken");
        let output = run_as(DAEMON, world.call("ada", words)).expect(1, Nothing, Any);
        let hint = format!(
            "hint: {} belongs to the account `root`, this store to the account `daemon`: `sudo chown -R -h 1 '{}'`\n",
            path.display(),
            world.store().display()
        );
        assert!(output.stderr.contains(&hint), "{part}: {}", output.stderr);
        let doctor = run_as(DAEMON, world.call("ada", &["doctor"])).expect(7, Any, Any);
        let give_back = format!("chown -R -h 1 '{}'", world.store().display());
        for line in doctor.stdout.lines().filter(|line| line.contains("chmod")) {
            assert!(line.contains(&give_back), "{part}: {line}");
        }
        chown(&path, Some(DAEMON), Some(DAEMON)).expect("given back");
        run_as(DAEMON, world.call("ada", words)).expect(0, Any, Any);
    }
    let head = world.store().join("log/head");
    std::fs::set_permissions(&head, PermissionsExt::from_mode(0o000)).expect("closed");
    let output = run_as(DAEMON, world.call("ada", &["task", "list"])).expect(1, Nothing, Any);
    let hint = format!(
        "hint: this store is yours, but its modes keep you out: `chmod -R u+rwX '{}'`\n",
        world.store().display()
    );
    assert!(output.stderr.ends_with(&hint), "{}", output.stderr);
    // Outside of the store the message names the other file.
    std::fs::set_permissions(&head, PermissionsExt::from_mode(0o600)).expect("opened");
    let closed = world.home().join("closed");
    std::fs::create_dir(&closed).expect("a directory");
    std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o700)).expect("closed");
    let output =
        run_as(DAEMON, world.call("ada", &["backup", "closed/copy"])).expect(1, Nothing, Any);
    assert!(
        output
            .stderr
            .contains("closed belongs to the account `root`; you are `daemon`."),
        "{}",
        output.stderr
    );
}
