//! Man pages.

use std::process::Command;

use crate::helpers::deadline;
use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::World;

#[test]
fn man_pages_are_sound_and_there_is_one_for_each_command() {
    let world = World::empty();
    let dir = world.home().join("man1");
    let words = ["man", dir.to_str().expect("UTF-8")];
    world.anonymous(&words).expect(0, Nothing, Any);
    let mut pages: Vec<_> = std::fs::read_dir(&dir)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    pages.sort();
    assert!(pages.len() > 60, "{pages:?}");
    for name in ["popug-cli.1", "popug-cli-task.1", "popug-cli-task-add.1"] {
        assert!(pages.contains(&dir.join(name)), "{name}");
    }
    assert!(
        !pages
            .iter()
            .any(|page| page.display().to_string().contains("__")),
        "{pages:?}"
    );
    let lint = deadline::output(
        Command::new("mandoc")
            .args(["-T", "lint", "-W", "warning"])
            .args(&pages),
    );
    let found = String::from_utf8_lossy(&lint.stdout).into_owned();
    let found: Vec<&str> = found
        .lines()
        .filter(|line| !line.contains("missing date"))
        .collect();
    assert_eq!(found, [""; 0]);
    let shown = deadline::output(
        Command::new("man")
            .env("MANWIDTH", "80")
            .args(["-l", "-E", "ascii", "-P", "cat"])
            .arg(dir.join("popug-cli-task-add.1")),
    );
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    for part in [
        "POPUG-CLI-TASK-ADD(1)",
        "NAME",
        "popug-cli task add [OPTIONS]",
        "--jira-id",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
    assert!(!shown.contains("--lock-wait"), "{shown}");
}

#[test]
fn man_pages_are_replaced_and_other_files_are_not() {
    let world = World::empty();
    let dir = world.home().join("man1");
    let words = ["man", dir.to_str().expect("UTF-8")];
    world.anonymous(&words).expect(0, Nothing, Any);
    world.anonymous(&words).expect(0, Nothing, Any);
    let page = dir.join("popug-cli-close.1");
    std::fs::write(&page, "mine").expect("written");
    world
        .anonymous(&words)
        .expect(2, Nothing, Has("popug-cli-close.1"));
    assert_eq!(std::fs::read(&page).expect("there"), b"mine");
    let forced = [words[0], words[1], "--force"];
    world.anonymous(&forced).expect(0, Nothing, Any);
    assert_ne!(std::fs::read(&page).expect("there"), b"mine");
    let dry = world.home().join("dry");
    world
        .anonymous(&[
            "man",
            dir.with_file_name("dry").to_str().expect("UTF-8"),
            "-n",
        ])
        .expect(0, Nothing, Any);
    assert!(!dry.exists());
}
