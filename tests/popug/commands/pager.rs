//! Tables that are longer than the screen, at a terminal.

use crate::helpers::harness::{Call, World};

/// More tasks than a screen has lines.
const TASKS: usize = 60;

fn company() -> World {
    let world = World::new();
    for number in 1..=TASKS {
        world.does("mara", &["task", "add", &format!("Жёрдочка {number} 🦜")]);
    }
    world
}

fn at_a_terminal<'w>(world: &'w World, words: &[&str], pager: &str) -> Call<'w> {
    let call = world.call("mara", words).env("TERM", "xterm");
    call.env("POPUG_PAGER", pager)
        .env("PATH", "/usr/bin:/bin")
        .on_a_terminal()
}

/// The numbers of the tasks whose titles a screen shows.
fn titles(screen: &str) -> usize {
    screen.matches("Жёрдочка").count()
}

#[test]
fn a_table_that_is_longer_than_the_screen_goes_through_the_pager() {
    let world = company();
    let list = ["task", "list"];
    let paged = at_a_terminal(&world, &list, "sed 's/^/paged /'").run();
    assert_eq!((paged.status, titles(&paged.stdout)), (0, TASKS));
    assert!(
        paged.stdout.lines().all(|line| line.starts_with("paged ")),
        "{}",
        paged.stdout
    );
    for words in [
        &["task", "list", "--no-pager"][..],
        &["task", "list", "--no-input"],
        &["task", "list", "--limit", "5"],
        &["task", "list", "-o", "csv"],
        &["task", "complete", "T-1", "T-99"],
    ] {
        let plain = at_a_terminal(&world, words, "sed 's/^/paged /'").run();
        assert!(
            !plain.stdout.contains("paged"),
            "{words:?} {}",
            plain.stdout
        );
    }
    let dumb = world
        .call("mara", &list)
        .env("TERM", "dumb")
        .env("POPUG_PAGER", "false");
    assert_eq!(titles(&dumb.on_a_terminal().run().stdout), TASKS);
    let piped = world.call("mara", &["task", "list", "-o", "table"]);
    let piped = piped.env("TERM", "xterm").env("POPUG_PAGER", "false").run();
    assert_eq!(titles(&piped.stdout), TASKS);
}

#[test]
fn the_pager_is_that_of_popug_pager_then_of_pager() {
    let world = company();
    let call = || {
        let call = world.call("mara", &["task", "list"]).env("TERM", "xterm");
        call.env("PATH", "/usr/bin:/bin")
            .env("PAGER", "sed 's/^/general /'")
    };
    let general = call().on_a_terminal().run();
    assert!(general.stdout.starts_with("general "), "{}", general.stdout);
    let own = call()
        .env("POPUG_PAGER", "sed 's/^/own /'")
        .on_a_terminal()
        .run();
    assert!(own.stdout.starts_with("own "), "{}", own.stdout);
    let none = call().env("POPUG_PAGER", "").on_a_terminal().run();
    assert!(none.stdout.contains("TASKS  "), "{}", none.stdout);
}

#[test]
fn a_pager_that_is_missing_or_broken_loses_nothing_and_one_that_leaves_early_is_no_failure() {
    let world = company();
    for pager in ["no-such-pager", "false", "sh -c 'exit 3'"] {
        let fallen_back = at_a_terminal(&world, &["task", "list"], pager).run();
        assert_eq!(
            (fallen_back.status, titles(&fallen_back.stdout)),
            (0, TASKS),
            "{pager}"
        );
    }
    let early = at_a_terminal(&world, &["task", "list"], "head -n 12").run();
    assert_eq!(
        (early.status, early.stdout.lines().count()),
        (0, 12),
        "{}",
        early.stdout
    );
    let at_once = at_a_terminal(&world, &["task", "list"], "true").run();
    assert_eq!((at_once.status, at_once.stdout.as_str()), (0, ""));
}

#[test]
fn an_answer_in_a_pager_keeps_nobody_from_working() {
    let world = company();
    world.does("axel", &["consume"]);
    let program = env!("CARGO_BIN_EXE_popug-cli");
    let works = format!(
        "'{program}' task add Another --lock-wait 0s && '{program}' consume --rebuild --lock-wait 0s && cat"
    );
    for words in [&["report", "tasks"][..], &["task", "list"]] {
        let paged = at_a_terminal(&world, words, &works)
            .env("POPUG_TOKEN", world.token("ada"))
            .run();
        assert_eq!(paged.status, 0, "{}", paged.stdout);
        assert!(
            paged.stdout.contains("accounting") && titles(&paged.stdout) >= TASKS,
            "{}",
            paged.stdout
        );
    }
}

#[test]
fn users_who_act_through_an_account_by_sudo_get_no_pager() {
    let world = company();
    let call = at_a_terminal(&world, &["task", "list"], "sed 's/^/paged /'");
    let plain = call.env("SUDO_UID", "4242").run();
    assert!(titles(&plain.stdout) == TASKS && !plain.stdout.contains("paged"));
}
