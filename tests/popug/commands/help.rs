//! The help of every command, as a snapshot.

use std::collections::VecDeque;

use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::World;

/// The names under `Commands:` of a help text.
fn subcommands(help: &str) -> Vec<String> {
    let Some((_, rest)) = help.split_once("\nCommands:\n") else {
        return Vec::new();
    };
    let lines = rest.lines().take_while(|line| !line.is_empty());
    let named = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    named
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_help_of_every_command_is_as_agreed() {
    let world = World::empty();
    let mut waiting = VecDeque::from([Vec::<String>::new()]);
    let mut seen = 0;
    while let Some(path) = waiting.pop_front() {
        let words: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let help = world
            .anonymous(&words)
            .without("POPUG_STORE")
            .expect(0, Any, Nothing)
            .stdout;
        assert!(help.contains("\n\nExamples:\n  "), "{help}");
        // clap writes the usage on one line, however long it is.
        for line in help.lines().filter(|line| !line.starts_with("Usage:")) {
            assert!(line.chars().count() <= 80, "{line}");
        }
        let name = if path.is_empty() {
            "help".to_owned()
        } else {
            format!("help-{}", path.join("-"))
        };
        insta::assert_snapshot!(name, help);
        waiting.extend(
            subcommands(&help)
                .into_iter()
                .map(|sub| [&path[..], &[sub]].concat()),
        );
        seen += 1;
    }
    assert!(seen > 35, "only {seen} help texts were found");
}

#[test]
fn the_short_help_goes_to_stdout_and_a_missing_command_to_stderr() {
    let world = World::empty();
    world.anonymous(&["-h"]).expect(0, Has("Usage:"), Nothing);
    world.anonymous(&[]).expect(2, Nothing, Has("Usage:"));
    world.anonymous(&["task"]).expect(2, Nothing, Has("Usage:"));
    world
        .anonymous(&["--version"])
        .expect(0, Has(env!("CARGO_PKG_VERSION")), Nothing);
}

#[test]
fn help_of_what_is_no_command_is_refused() {
    let world = World::empty();
    world
        .anonymous(&["help", "taks"])
        .expect(2, Nothing, Has("'task'"));
    world
        .anonymous(&["help", "task", "ad"])
        .expect(2, Nothing, Has("'add'"));
    world
        .anonymous(&["help", "--", "task", "add", "--"])
        .expect(0, Has("popug-cli task add"), Nothing);
    world
        .anonymous(&["help", "report", "balances"])
        .expect(0, Has("popug-cli report"), Nothing);
    let output = world
        .anonymous(&["-o", "json", "help", "taks"])
        .expect(2, Nothing, Any);
    assert!(
        output.stderr.starts_with("{\"error\":{\"code\":\"usage\""),
        "{}",
        output.stderr
    );
}

#[test]
fn topics_are_shown_and_the_columns_of_every_report_are_told() {
    let world = World::new();
    let topic = |name: &str| {
        world
            .anonymous(&["help", name])
            .expect(0, Any, Nothing)
            .stdout
    };
    for (name, text) in [
        ("dates", "2026-W47"),
        ("options", "--lock-wait"),
        ("exit-codes", "locked by another process"),
    ] {
        assert!(topic(name).contains(text), "{}", topic(name));
    }
    let told = topic("columns");
    let is_told = |column: &str| {
        told.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .any(|word| word == column)
    };
    world.does("ada", &["task", "add", "One"]);
    let reports = world
        .anonymous(&["report", "nonsense"])
        .expect(2, Nothing, Any)
        .stderr;
    let (_, names) = reports.split_once("the reports are ").expect("a list");
    let names = names.lines().next().expect("a line").split(", ");
    // A page has no columns of its own.
    for name in names.filter(|name| *name != "page") {
        let mut words = vec!["report", name, "-o", "csv"];
        if name == "statement" {
            words.extend(["--user", "dora"]);
        }
        let rows = world.answer("ada", &words);
        for column in rows.lines().next().expect("headings").split(',') {
            assert!(is_told(column), "{name}: {column}");
        }
    }
}

#[test]
fn codes_are_explained() {
    let world = World::empty();
    world
        .anonymous(&["explain", "no_store"])
        .expect(0, Has("no_store (exit 10)"), Nothing);
    world.anonymous(&["explain", "not_on_chainn"]).expect(
        3,
        Nothing,
        Has("did you mean `not_on_chain`?"),
    );
    world
        .anonymous(&["explain"])
        .expect(0, Has("\nnobody_eligible\n"), Nothing);
}

#[test]
fn a_misspelt_word_gets_a_suggestion() {
    let world = World::empty();
    world.anonymous(&["taks"]).expect(2, Nothing, Has("'task'"));
    world.anonymous(&["report", "balance"]).expect(
        2,
        Nothing,
        Has("did you mean `balances`? the reports are balances"),
    );
    world.anonymous(&["consume", "everything"]).expect(
        2,
        Nothing,
        Has("the consumers are tracker"),
    );
}
