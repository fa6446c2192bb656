//! The scripts and examples of the repository, run as they stand.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::helpers::deadline;
use crate::helpers::harness::Text::{Any, Nothing};
use crate::helpers::harness::{REPORTS, World};
use crate::helpers::settings::library_path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A command with the built program on its PATH and nothing else of this process.
fn sealed(program: &Path, world: &World) -> Command {
    let bin = Path::new(env!("CARGO_BIN_EXE_popug-cli"))
        .parent()
        .expect("a directory");
    let mut command = Command::new(program);
    command.env_clear().current_dir(world.home());
    command
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .env("HOME", world.home());
    command.envs(library_path());
    command
}

fn succeeds(mut command: Command) -> Output {
    let output = deadline::output(&mut command);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{stderr}",
        output.status
    );
    output
}

/// The nightly job of the world, with the token of its service user in a file.
fn end_of_day(world: &World) -> Command {
    let token = world.home().join("token");
    std::fs::write(&token, world.token("cron")).expect("written");
    std::fs::set_permissions(&token, Permissions::from_mode(0o600)).expect("its mode");
    let mut job = sealed(&root().join("scripts/end-of-day"), world);
    job.env("POPUG_STORE", world.store())
        .env("POPUG_TOKEN_FILE", token)
        .env("POPUG_NOW", world.now())
        .env("POPUG_SEED", "1");
    job
}

#[test]
fn the_nightly_job_makes_a_backup_of_each_night_and_keeps_some() {
    let mut world = World::new();
    let backups = world.home().join("backups of popug");
    for night in [
        "2026-03-10T22:05:00Z",
        "2026-03-11T23:05:00Z",
        "2026-03-12T23:05:00Z",
    ] {
        world.at(night);
        let mut job = end_of_day(&world);
        job.env("POPUG_BACKUP", &backups)
            .env("POPUG_KEEP", "--keep-daily 2");
        let output = succeeds(job);
        assert!(output.stderr.is_empty(), "{output:?}");
        // The next night has another date on the wall; here only the program's clock is pinned.
        let made = std::fs::read_dir(&backups).expect("a directory").flatten();
        let newest =
            made.max_by_key(|entry| entry.metadata().expect("there").modified().expect("a time"));
        std::fs::rename(newest.expect("one").path(), backups.join(&night[..10])).expect("renamed");
    }
    let rows = world.rows(
        "cron",
        &["backup", "list", backups.to_str().expect("UTF-8")],
    );
    let names: Vec<_> = rows.iter().map(|row| row["name"].as_str()).collect();
    assert_eq!(names, [Some("2026-03-11"), Some("2026-03-12")]);

    // A backup that cannot be made ends the job loudly.
    let mut job = end_of_day(&world);
    job.env("POPUG_BACKUP", world.store());
    let output = deadline::output(&mut job);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(
        said.contains("popug-cli backup ended with exit code 4"),
        "{said}"
    );
}

#[test]
fn the_nightly_job_closes_and_sends_with_the_token_of_a_service_user_and_says_nothing() {
    let mut world = World::new();
    world.does("ada", &["task", "add", "Накормить попугов"]);
    world.at("2026-03-30T12:00:00Z");
    let output = succeeds(end_of_day(&world));
    assert!(
        output.stdout.is_empty() && output.stderr.is_empty(),
        "{output:?}"
    );
    let status = world.json("ada", &["status"]);
    assert!(status["last_closed_date"].is_string(), "{status}");
    assert!(
        status["consumers"]
            .as_array()
            .expect("consumers")
            .iter()
            .all(|c| c["lag_events"] == 0),
        "{status}"
    );
}

#[test]
fn a_managers_day_runs_twice_and_the_books_balance() {
    let world = World::empty();
    for _ in 0..2 {
        let mut day = sealed(&root().join("examples/managers-day.sh"), &world);
        day.arg(world.home().join("day"));
        succeeds(day);
    }
}

/// Built with the tests; it lies beside the program.
#[test]
fn the_library_example_founds_a_company_and_prints_its_balances() {
    let world = World::empty();
    let program = Path::new(env!("CARGO_BIN_EXE_popug-cli"))
        .with_file_name("examples")
        .join("library");
    let output = succeeds(sealed(&program, &world));
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("balance"),
        "{output:?}"
    );
}

#[test]
fn the_demo_shows_every_report_of_a_sound_store() {
    let world = World::empty();
    let store = world.home().join("demo");
    let store = store.to_str().expect("UTF-8");
    let words = [
        "demo",
        "--dir",
        store,
        "--days",
        "3",
        "--popugs",
        "5",
        "--tasks-per-day",
        "6",
    ];
    let output = world.anonymous(&words).expect(0, Any, Nothing);
    for report in REPORTS {
        assert!(
            output.stdout.contains(&format!("── report {report} ──")),
            "{report}"
        );
    }
    world
        .anonymous(&["verify", "--deep", "-C", store])
        .expect(0, Any, Nothing);
}

#[test]
fn the_sample_files_are_imported_once_however_often_they_are_given() {
    let mut world = World::founded("Europe/Moscow", "2026-10-25T21:00:00Z");
    world.at("2026-11-20T12:00:00Z");
    world.issue_token("ada");
    let file = root().join("data/activity.csv");
    let words = ["import", "activity", file.to_str().expect("UTF-8")];
    let first = world.json("ada", &words);
    assert!(
        first["imported"].as_u64() > Some(200) && first["rejected"] == 0,
        "{first}"
    );
    let before = world.log_bytes();
    let again = world.json("ada", &words);
    assert_eq!(
        (again["imported"].as_u64(), again["appended"].as_u64()),
        (Some(0), Some(0))
    );
    assert!(world.log_bytes() == before, "the second run appended");
    world.call("ada", &["consume"]).expect(0, Any, Nothing);
    world
        .anonymous(&["verify", "--deep"])
        .expect(0, Any, Nothing);
}

#[test]
fn every_bad_row_of_an_import_is_named_and_nothing_is_appended() {
    let world = World::new();
    let before = world.log_bytes();
    let csv = "login,name,email,role\nok,Fine,fine@popug.example,worker\nBAD,No,no@popug.example,worker\n\
               other,Odd,odd@popug.example,plumer\n";
    let words = ["import", "users", "-", "-o", "json"];
    let output = world.call("ada", &words).stdin(csv).expect(6, Nothing, Any);
    let error: serde_json::Value = serde_json::from_str(output.stderr.trim()).expect("one object");
    let hints = error["error"]["hints"].to_string();
    assert!(
        hints.contains("line 3, column login") && hints.contains("line 4, column role"),
        "{hints}"
    );
    assert!(world.log_bytes() == before, "something was appended");
}

#[test]
fn damage_to_the_log_is_found_by_verify_and_named() {
    let world = World::new();
    let segment = world.store().join("log/00000000000000000001.ndjson");
    let mut bytes = std::fs::read(&segment).expect("the first segment");
    bytes[700] ^= 1;
    std::fs::write(&segment, bytes).expect("written");
    let output = world
        .anonymous(&["verify", "-o", "json"])
        .expect(12, Any, Nothing);
    let found: serde_json::Value = serde_json::from_str(&output.stdout).expect("one object");
    assert_eq!(found["sound"], false);
    assert_eq!(found["damage"][0]["segment"], "00000000000000000001.ndjson");
    assert_eq!(found["damage"][0]["sequence"], 2);
}

#[test]
fn systemd_takes_the_units_of_the_examples() {
    let units = tempfile::tempdir().expect("a directory");
    let bin = Path::new(env!("CARGO_BIN_EXE_popug-cli"));
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no"]);
    for entry in std::fs::read_dir(root().join("examples/systemd")).expect("a directory") {
        let path = entry.expect("an entry").path();
        if !path
            .extension()
            .is_some_and(|it| it == "service" || it == "timer")
        {
            continue;
        }
        let unit = std::fs::read_to_string(&path).expect("a unit");
        // The programs are not installed here.
        let unit = unit
            .replace("/usr/bin/popug-cli", bin.to_str().expect("UTF-8"))
            .replace(
                "/usr/bin/popug-end-of-day",
                root().join("scripts/end-of-day").to_str().expect("UTF-8"),
            )
            .replace("User=popug", "User=root");
        let copy = units.path().join(path.file_name().expect("a name"));
        std::fs::write(&copy, unit).expect("written");
        command.arg(copy);
    }
    assert_eq!(command.get_args().count(), 2 + 4);
    let output = succeeds(command);
    let said = String::from_utf8_lossy(&output.stderr);
    let ours: Vec<_> = said.lines().filter(|line| line.contains("popug")).collect();
    assert!(ours.is_empty(), "{ours:?}");
}
