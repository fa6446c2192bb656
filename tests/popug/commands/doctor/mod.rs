//! `doctor` on stores in every state: it names the faults, never fails because of them, and changes
//! nothing.

mod consumers;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::{PASSWORD, World, last_error};
use crate::helpers::stores::{UNKNOWN_TASK, written_from_outside};

const CHECKS: [&str; 21] = [
    "permissions",
    "owner",
    "credentials",
    "tokens",
    "session",
    "time-zone",
    "log",
    "tail",
    "clock",
    "room",
    "disk",
    "writer-lock",
    "accounting-lock",
    "analytics-lock",
    "notifier-lock",
    "tracker",
    "accounting",
    "analytics",
    "notifier",
    "leftovers",
    "versions",
];

/// The rows by check, with nobody logged in.
fn examined(world: &World, exit: i32) -> BTreeMap<String, Value> {
    let report = world
        .anonymous(&["doctor", "-o", "json"])
        .expect(exit, Any, Nothing)
        .json();
    assert_eq!(report["totals"]["problems"] == 0, exit == 0, "{report}");
    let rows = report["rows"].as_array().expect("rows").iter();
    rows.map(|row| {
        (
            row["check"].as_str().expect("a name").to_owned(),
            row.clone(),
        )
    })
    .collect()
}

/// The detail of `check`, whose result must be `result`.
fn detail(rows: &BTreeMap<String, Value>, check: &str, result: &str) -> String {
    let row = rows
        .get(check)
        .unwrap_or_else(|| panic!("no {check} in {rows:?}"));
    assert_eq!(row["result"], result, "{row}");
    assert_eq!(row["hint"].is_string(), result != "ok", "{row}");
    row["detail"].as_str().expect("words").to_owned()
}

/// Every file of the store with its bytes.
fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            let bytes = std::fs::read(&path).expect("a file");
            found.insert(path, bytes);
        }
    }
    found
}

fn consumed() -> World {
    let world = World::new();
    world.does("mara", &["task", "add", "Something"]);
    world.does("ada", &["consume"]);
    world
}

fn damage(path: &Path) {
    std::fs::write(
        path,
        "this is no database, and long enough for one that looks at a header of a hundred bytes. "
            .repeat(99),
    )
    .expect("written");
}

#[test]
fn a_store_at_work_is_well_and_is_not_changed_by_looking() {
    let world = consumed();
    let before = contents(&world.store());
    let rows = examined(&world, 0);
    for check in CHECKS.into_iter().filter(|check| *check != "tokens") {
        detail(&rows, check, "ok");
    }
    assert!(
        detail(&rows, "tokens", "warning")
            .starts_with("7 tokens for programs are valid; 7 end soon")
    );
    assert!(detail(&rows, "versions", "ok").contains("DuckDB v1.") && rows.contains_key("mails"));
    let after = contents(&world.store());
    let changed: Vec<_> = after
        .iter()
        .filter(|(path, bytes)| before.get(*path) != Some(*bytes))
        .collect();
    // The first command that takes the lock of the credentials makes its file.
    assert!(
        changed
            .iter()
            .all(|(path, bytes)| path.ends_with("auth/lock") && bytes.is_empty()),
        "{changed:?}"
    );
    assert!(before.keys().all(|path| after.contains_key(path)));
}

#[test]
fn every_format_and_a_line_for_people_with_its_hint() {
    let world = consumed();
    let table = world
        .anonymous(&["doctor", "-o", "table"])
        .expect(0, Has("ok       permissions"), Nothing)
        .stdout;
    assert!(
        table.contains("warning  tokens")
            && table.contains("\n                          hint: `popug-cli token"),
        "{table}"
    );
    world
        .anonymous(&["doctor", "-o", "csv"])
        .expect(0, Has("check,result,detail,hint\n"), Nothing);
    world
        .anonymous(&["doctor"])
        .expect(0, Has("permissions\tok\t"), Nothing);
}

#[test]
fn where_there_is_no_store_it_is_exit_10() {
    let world = World::empty();
    let output = world
        .anonymous(&["doctor", "-o", "json"])
        .expect(10, Nothing, Any);
    assert_eq!(last_error(&output)["code"], "no_store");
    assert_eq!(std::fs::read_dir(world.home()).expect("a home").count(), 0);
}

#[test]
fn a_file_that_is_open_to_others_or_left_lying_about_is_a_warning() {
    let world = consumed();
    let set = |path: &Path, mode| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("a mode")
    };
    set(&world.store(), 0o755);
    set(&world.store().join("accounting.duckdb"), 0o644);
    std::fs::write(world.store().join("accounting.duckdb.new"), "").expect("written");
    let rows = examined(&world, 0);
    assert!(detail(&rows, "permissions", "warning").contains("accounting.duckdb"));
    assert!(detail(&rows, "leftovers", "warning").contains("accounting.duckdb.new"));
    set(&world.store().join("auth/passwords.json"), 0o640);
    let rows = examined(&world, 7);
    assert!(
        detail(&rows, "credentials", "problem")
            .contains("passwords.json is open to other users (mode 640)")
    );
    assert!(
        rows["credentials"]["hint"]
            .as_str()
            .expect("a hint")
            .starts_with("chmod 600 ")
    );
}

#[test]
fn a_damaged_log_is_a_problem_and_everything_else_is_still_looked_at() {
    for (name, bytes) in [
        ("00000000000000000001.ndjson", &b"{}\n"[..]),
        ("head", b"nonsense"),
    ] {
        let world = consumed();
        std::fs::write(world.store().join("log").join(name), bytes).expect("written");
        if name == "head" {
            std::fs::write(world.store().join("log/00000000000000000001.ndjson"), "x")
                .expect("written");
        }
        let rows = examined(&world, 7);
        let is_ill = |check: &&str| {
            rows.get(*check)
                .is_some_and(|row| row["result"] == "problem")
        };
        assert!(["log", "time-zone"].iter().any(is_ill), "{name}: {rows:?}");
        assert!(
            ["room", "disk", "versions", "leftovers"]
                .iter()
                .all(|check| rows[*check]["result"] == "ok")
        );
    }
}

#[test]
fn an_empty_directory_where_the_log_should_be_is_damage_where_credentials_are_and_else_no_store() {
    let world = World::new();
    let log = world.store().join("log");
    std::fs::remove_dir_all(&log).expect("removed");
    std::fs::create_dir(&log).expect("a directory");
    let output = world
        .anonymous(&["doctor", "-o", "json"])
        .expect(12, Nothing, Any);
    assert_eq!(
        crate::helpers::harness::last_error(&output)["code"],
        "log_missing"
    );
    std::fs::remove_dir_all(world.store().join("auth")).expect("removed");
    world.anonymous(&["doctor"]).expect(10, Nothing, Any);
}

#[test]
fn damaged_tables_are_named_with_the_command_that_makes_them_anew() {
    let files = [
        "state.sqlite",
        "accounting.duckdb",
        "analytics.duckdb",
        "notifier.sqlite",
    ];
    for (file, consumer) in
        files
            .into_iter()
            .zip(["tracker", "accounting", "analytics", "notifier"])
    {
        let world = consumed();
        damage(&world.store().join(file));
        let rows = examined(&world, 7);
        detail(&rows, consumer, "problem");
        assert!(
            rows[consumer]["hint"]
                .as_str()
                .expect("a hint")
                .contains(&format!("consume {consumer}"))
        );
        assert_eq!(
            rows.values()
                .filter(|row| row["result"] == "problem")
                .count(),
            1,
            "{rows:?}"
        );
    }
}

#[test]
fn a_clock_behind_the_log_is_a_warning_and_then_a_problem() {
    let mut world = consumed();
    world.at("2026-03-02T07:55:00Z");
    detail(&examined(&world, 0), "clock", "warning");
    world.at("2026-03-01T08:00:00Z");
    assert!(detail(&examined(&world, 7), "clock", "problem").ends_with("writes are refused"));
}

#[test]
fn an_unfinished_end_is_told_and_left_as_it_is() {
    let world = consumed();
    let segment = world.store().join("log/00000000000000000001.ndjson");
    let torn = [&world.log_bytes()[..], b"{\"specversion\""].concat();
    std::fs::write(&segment, &torn).expect("written");
    let rows = examined(&world, 0);
    assert_eq!(
        detail(&rows, "tail", "warning"),
        "0 whole events and 14 torn bytes are after the head"
    );
    assert_eq!(std::fs::read(&segment).expect("a segment"), torn);
}

#[test]
fn a_lock_that_is_held_names_its_holder() {
    let world = consumed();
    let path = world.store().join("accounting.lock");
    let file = std::fs::File::options()
        .write(true)
        .open(&path)
        .expect("a lock");
    std::fs::write(
        &path,
        format!("process {}: popug-cli close", std::process::id()),
    )
    .expect("written");
    file.lock().expect("free");
    assert!(detail(&examined(&world, 0), "accounting-lock", "ok").ends_with(": popug-cli close"));
    std::fs::write(&path, "process 4194303: popug-cli close").expect("written");
    assert!(detail(&examined(&world, 0), "accounting-lock", "warning").contains("is not running"));
}

#[test]
fn mails_that_failed_are_told() {
    let mut world = World::new();
    let task = world.json("mara", &["task", "add", "Paid"]);
    let assignee = task["assignee"].as_str().expect("a login").to_owned();
    world.does(&assignee, &["task", "complete", "1"]);
    world.at("2026-03-03T09:00:00Z");
    world.does("ada", &["close"]);
    // A file is in the place of the outbox.
    std::fs::write(world.store().join("outbox"), "").expect("written");
    world
        .call("ada", &["consume", "notifier"])
        .expect(0, Any, Any);
    let rows = examined(&world, 0);
    assert!(
        detail(&rows, "mails", "warning").contains("1 to be tried again"),
        "{rows:?}"
    );
}

#[test]
fn it_shows_no_secret_even_where_credentials_are_damaged() {
    let world = consumed();
    let login = world
        .anonymous(&["login", "ada"])
        .env("POPUG_PASSWORD", PASSWORD);
    login.expect(0, Nothing, Nothing);
    let path = world.store().join("auth/passwords.json");
    let whole = std::fs::read_to_string(&path).expect("passwords");
    let secret = whole
        .split('"')
        .find(|part| part.starts_with("$argon2id"))
        .expect("a hash");
    let damaged = whole.replace(&format!("\"{secret}\""), &format!("[\"{secret}\"]"));
    std::fs::write(&path, damaged).expect("written");
    let call = world
        .call("ada", &["doctor", "-v", "-o", "json"])
        .env("POPUG_PASSWORD", PASSWORD);
    let output = call.expect(7, Any, Any);
    let shown = output.stdout + &output.stderr;
    assert!(shown.contains("passwords.json is damaged"), "{shown}");
    for hidden in [PASSWORD, world.token("ada"), secret, "argon2id"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
}

#[test]
fn a_log_that_is_closed_to_its_own_account_is_a_problem() {
    let world = consumed();
    let log = world.store().join("log");
    let set = |path: &Path, mode| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("a mode")
    };
    let segment = log.join(format!("{:020}.ndjson", 1));
    set(&segment, 0o400);
    let is_root = File::options().write(true).open(&segment).is_ok();
    set(&segment, 0o600);
    for (path, mode, open) in [
        (&log, 0o500, 0o700),
        (&log.join("head"), 0o400, 0o600),
        (&segment, 0o400, 0o600),
    ] {
        set(path, mode);
        let mut look = world.anonymous(&["doctor", "-o", "json"]);
        // To root no file is closed.
        if is_root {
            look = look.through(&["setpriv", "--bounding-set=-dac_override"]);
        }
        let report = look.expect(7, Any, Nothing).json();
        set(path, open);
        let disk = report["rows"]
            .as_array()
            .expect("rows")
            .iter()
            .find(|row| row["check"] == "disk")
            .expect("a row");
        let (detail, hint) = (disk["detail"].to_string(), disk["hint"].to_string());
        let name = path.file_name().expect("a name").to_string_lossy();
        assert!(
            detail.contains(&format!("written to log/{name}"))
                || detail.contains("written to log: "),
            "{disk}"
        );
        assert!(hint.contains("chmod -R u+rwX"), "{disk}");
    }
    detail(&examined(&world, 0), "disk", "ok");
}
