//! Backups side by side: `backup list` and `backup prune`.

use std::path::Path;

use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::{World, copy};
use crate::helpers::stores::{add_tasks, back_up, edit, restore, segments};
use crate::helpers::terminal::Terminal;

/// The nights of [`nightly`]: three in March, two of one week in April, and the last one.
const NIGHTS: [&str; 6] = [
    "2026-03-02",
    "2026-03-10",
    "2026-03-31",
    "2026-04-06",
    "2026-04-07",
    "2026-04-08",
];

/// A company with a backup of each night in `nights`.
fn nightly() -> World {
    let mut world = World::new();
    for night in NIGHTS {
        world.at(&format!("{night}T20:30:00Z"));
        add_tasks(&world, 1, night);
        back_up(&world, &format!("nights/{night}"));
    }
    world
}

fn below(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect();
    names.sort();
    names
}

/// Each row as `name action: because`.
fn plan(world: &World, words: &[&str], stderr: crate::helpers::harness::Text<'_>) -> Vec<String> {
    let words = [&["backup", "prune", "nights", "-o", "json"], words].concat();
    let answer = world.call("cron", &words).expect(0, Any, stderr).json();
    let rows = answer["rows"].as_array().expect("rows");
    let text = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap_or("").to_owned();
    rows.iter()
        .map(|row| {
            format!(
                "{} {}: {}",
                text(row, "name"),
                text(row, "action"),
                text(row, "because")
            )
        })
        .collect()
}

#[test]
fn the_newest_backup_of_each_day_week_and_month_is_kept_and_the_others_go() {
    let world = nightly();
    let nights = world.home().join("nights");
    let keep = [
        "--keep-daily",
        "2",
        "--keep-weekly",
        "2",
        "--keep-monthly=2",
    ];
    let shown = plan(&world, &[&keep[..], &["-n"]].concat(), Nothing);
    assert_eq!(
        shown,
        [
            "2026-03-02 remove: ",
            "2026-03-10 remove: ",
            "2026-03-31 keep: newest of its week, newest of its month",
            "2026-04-06 remove: ",
            "2026-04-07 keep: newest of its day",
            "2026-04-08 keep: newest, newest of its day, newest of its week, newest of its month",
        ]
    );
    assert_eq!(below(&nights), NIGHTS, "-n changes nothing");
    let done = plan(&world, &keep, Nothing);
    assert_eq!(done.len(), 6);
    assert!(done[0].starts_with("2026-03-02 removed"), "{done:?}");
    assert_eq!(below(&nights), ["2026-03-31", "2026-04-07", "2026-04-08"]);
    assert!(
        plan(&world, &keep, Nothing)
            .iter()
            .all(|row| row.contains(" keep: "))
    );
    for name in below(&nights) {
        restore(
            &world,
            &[&format!("nights/{name}"), "-C", &format!("from {name}")],
        );
    }
}

#[test]
fn the_list_has_every_backup_of_this_company_in_the_order_of_the_log() {
    let world = nightly();
    let nights = world.home().join("nights");
    // The order is not that of the names or of the files' times.
    std::fs::rename(nights.join("2026-04-08"), nights.join("a last one")).expect("renamed");
    let other = World::founded("UTC", "2026-03-01T08:00:00Z");
    back_up(&other, "theirs");
    copy(&other.home().join("theirs"), &nights.join("theirs"));
    std::fs::create_dir(nights.join("letters")).expect("created");
    std::fs::write(nights.join("letters/manifest.json"), "{}").expect("written");
    std::os::unix::fs::symlink("2026-03-31", nights.join("latest")).expect("linked");
    let rows = world.rows("cron", &["backup", "list", "nights"]);
    let names: Vec<_> = rows
        .iter()
        .map(|row| row["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(names[..5], NIGHTS[..5]);
    assert_eq!(names[5..], ["a last one"]);
    assert!(
        rows.iter()
            .all(|row| row["state"] == "good" && row["fault"].is_null())
    );
    let head = world.json("ada", &["status"])["head"].clone();
    let last = &rows[5];
    assert_eq!(last["sequence"], head["sequence"]);
    assert_eq!(last["hash"], head["hash"]);
    assert_eq!(last["head_time"], head["time"]);
    assert_eq!(last["bytes"].as_u64(), Some(world.log_bytes().len() as u64));
    // A single backup is a list of one.
    let rows = world.rows("cron", &["backup", "list", "nights/2026-03-31"]);
    assert_eq!((rows.len(), &rows[0]["name"]), (1, &".".into()));
}

#[test]
fn a_backup_that_is_no_whole_one_of_this_log_stays_and_takes_no_place() {
    let mut world = nightly();
    let nights = world.home().join("nights");
    let segment = |name: &str| segments(&nights.join(name).join("log")).remove(0);
    edit(&segment("2026-04-08"), |bytes| bytes[700] ^= 1);
    edit(&segment("2026-03-02"), |bytes| bytes.truncate(10));
    std::fs::write(nights.join("2026-03-10/note.txt"), "keep me").expect("written");
    std::fs::remove_file(nights.join("2026-04-06/manifest.json")).expect("removed");
    let shown = plan(
        &world,
        &["--keep-daily=1"],
        Has("2026-04-08 is kept: the backup is damaged: nights/2026-04-08/log/"),
    );
    assert_eq!(
        shown,
        [
            "2026-04-06 keep: damaged",
            "2026-03-02 keep: damaged",
            "2026-03-10 keep: other files in it",
            "2026-03-31 removed: ",
            "2026-04-07 keep: newest, newest of its day",
            "2026-04-08 keep: damaged",
        ]
    );
    let rows = world
        .call("cron", &["backup", "list", "nights", "-o", "json"])
        .expect(0, Any, Has("2026-04-06 is kept: it was never finished"))
        .json();
    assert_eq!(rows["rows"][0]["state"], "damaged");

    // A store that was taken back to an earlier event goes another way than its later backups.
    restore(
        &world,
        &["nights/2026-04-07", "--to-sequence", "9", "-C", "back"],
    );
    world.at("2026-04-20T23:30:00Z");
    let password = crate::helpers::stores::NEW_PASSWORD;
    let at_back = |words: &[&str]| {
        let words = [words, &["-C", "back", "--as", "ada"]].concat();
        world
            .anonymous(&words)
            .env("POPUG_PASSWORD", password)
            .expect(0, Any, Any)
    };
    for n in 0..40 {
        at_back(&["task", "add", &format!("Another way {n}")]);
    }
    at_back(&["backup", "nights/2026-04-20"]);
    let pruned = at_back(&["backup", "prune", "nights", "--keep-daily=1"]);
    let said = pruned.stderr;
    assert!(
        said.contains("2026-04-07 is kept: event ") && said.contains(" of it is not in this log"),
        "{said}"
    );
    assert!(below(&nights).contains(&"2026-04-07".to_owned()));
}

#[test]
fn the_rest_of_a_killed_removal_goes_with_the_next_one() {
    let world = nightly();
    let nights = world.home().join("nights");
    std::fs::rename(nights.join("2026-03-02"), nights.join(".2026-03-02.pruned")).expect("moved");
    std::fs::create_dir(nights.join(".mine.pruned")).expect("created");
    std::fs::write(nights.join(".mine.pruned/letter"), "dear popug").expect("written");
    assert_eq!(world.rows("cron", &["backup", "list", "nights"]).len(), 5);
    assert_eq!(plan(&world, &["--keep-daily=99"], Nothing).len(), 5);
    assert_eq!(below(&nights)[..2], [".mine.pruned", "2026-03-10"]);
}

#[test]
fn at_a_terminal_a_question_comes_first() {
    let world = nightly();
    let words = ["backup", "prune", "nights", "--keep-monthly=1"];
    let terminal = Terminal::with(&world, world.call("cron", &words));
    terminal.has("Remove 5 backups: 2026-03-02, 2026-03-10,");
    terminal.types("n\n");
    assert_eq!(terminal.ended(), 1);
    assert_eq!(below(&world.home().join("nights")), NIGHTS);
    let terminal = Terminal::with(&world, world.call("cron", &words).arg("--yes"));
    assert_eq!(terminal.ended(), 0);
    assert_eq!(below(&world.home().join("nights")), ["2026-04-08"]);
}

#[test]
fn generations_need_the_right_to_back_up_and_a_number_to_keep() {
    let world = nightly();
    world.refused("axel", &["backup", "list", "nights"], 5, "role_may_not");
    let keep = ["backup", "prune", "nights", "--keep-daily=1"];
    world.refused("axel", &keep, 5, "role_may_not");
    world.refused("cron", &["backup", "prune", "nights"], 2, "usage");
    world.refused("cron", &["backup", "list", "nowhere"], 1, "io");
}

#[test]
fn check_sees_the_newest_of_several_backups() {
    let world = nightly();
    world.does("ada", &["consume"]);
    let words = ["check", "--close-age=9999h", "--backup", "nights"];
    let checked = |exit, wanted| world.call("ada", &words).expect(exit, Has(wanted), Nothing);
    checked(0, "backup_age=0s;;93600");
    let newest = segments(&world.home().join("nights/2026-04-08/log")).remove(0);
    edit(&newest, |bytes| bytes.truncate(10));
    checked(0, "backup_age=86400s;;93600");
    std::fs::remove_dir_all(world.home().join("nights/2026-04-07")).expect("removed");
    checked(2, "CRITICAL - the last backup is 2 days old");
}
