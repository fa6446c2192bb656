//! Existing stores that are brought to a database, and several companies in one.

use crate::helpers::harness::{FOUNDED, Text, World};
use crate::helpers::postgres::Server;

#[test]
fn an_existing_store_is_pushed_adopted_and_joined() {
    let server = Server::start();
    let world = World::new();
    world.does("mara", &["task", "add", "One"]);
    let pushed = world.rows("ada", &["remote", "push", &server.url()]);
    assert_eq!(pushed[0]["pushed"], world.log_lines().len());
    world.does("mara", &["task", "add", "Two"]);
    let again = world.rows("ada", &["remote", "push", &server.url()]);
    assert_eq!(again[0]["pushed"], 2);
    world.refused(
        "mara",
        &["remote", "adopt", &server.url()],
        5,
        "role_may_not",
    );
    let head = || std::fs::read(world.store().join("log/head")).expect("a head");
    assert!(head().starts_with(b"popug-head 1 "));
    world.does("ada", &["remote", "adopt", &server.url()]);
    assert!(head().starts_with(b"popug-head 2 ") && head()[4096..].starts_with(b"popug-head 2 "));
    let other = World::joined(&server.url(), FOUNDED);
    other.does("mara", &["task", "add", "Three"]);
    assert_eq!(world.rows("mara", &["task", "list"]).len(), 3);
    assert_eq!(world.log_bytes(), other.log_bytes());
    for machine in [&world, &other] {
        machine.does("ada", &["verify", "--deep"]);
    }
    world.refused("ada", &["remote", "adopt", &server.url()], 4, "is_copy");
    // Without the file that names the remote nobody writes into the copy.
    std::fs::remove_file(world.store().join("log/remote")).expect("ours");
    world.refused("mara", &["task", "add", "Four"], 12, "role");
}

#[test]
fn a_diverged_store_is_not_pushed() {
    let server = Server::start();
    let world = World::new();
    let other = world.twin();
    world.does("mara", &["task", "add", "One"]);
    other.does("mara", &["task", "add", "Another"]);
    world.does("ada", &["remote", "push", &server.url()]);
    other.refused("ada", &["remote", "push", &server.url()], 12, "diverged");
    other.refused("ada", &["remote", "adopt", &server.url()], 12, "diverged");
    other.does("mara", &["task", "add", "It is still a store of its own"]);
}

#[test]
fn several_companies_share_a_database() {
    let server = Server::start();
    let first = World::founded_in(&server.url());
    let second = World::founded("Europe/Berlin", "2026-03-02T09:00:00Z");
    second.does("ada", &["remote", "adopt", &server.url()]);
    first.does("mara", &["task", "add", "Of the first"]);
    second.does("mara", &["task", "add", "Of the second"]);
    let titles = |world: &World| {
        let tasks = world.rows("mara", &["task", "list"]);
        tasks
            .iter()
            .map(|task| task["title"].as_str().expect("a title").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(titles(&first), ["Of the first"]);
    assert_eq!(titles(&second), ["Of the second"]);
    let joining = World::empty();
    let words = ["join", &server.url(), "--password-stdin", "--no-input"];
    let refused = joining
        .anonymous(&words)
        .stdin("a long enough password")
        .expect(2, Text::Nothing, Text::Has("UberPopug Inc."));
    let id = refused
        .stderr
        .split("--company ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next())
        .expect("a candidate");
    joining
        .anonymous(&words)
        .args(&["--company", id])
        .stdin("a long enough password")
        .expect(0, Text::Nothing, Text::Nothing);
    let founded = [&first, &second].map(World::log_bytes);
    assert!(founded.contains(&joining.log_bytes()));
    // Another company is found nowhere.
    World::empty()
        .anonymous(&words)
        .args(&["--company", "0198c0de-0000-7000-8000-000000000001"])
        .stdin("a long enough password")
        .expect(3, Text::Nothing, Text::Has("no such company"));
}

#[test]
fn a_database_without_tables_says_how_to_make_them() {
    let server = Server::start();
    let url = server.url().replace("/books", "/postgres");
    let world = World::empty();
    world
        .anonymous(&crate::helpers::harness::INIT)
        .args(&["--log", &url, "--password-stdin"])
        .stdin("a long enough password")
        .expect(
            1,
            Text::Nothing,
            Text::Has("popug-cli remote schema | psql DATABASE"),
        );
    assert!(!world.store().exists(), "nothing stays");
    let schema = world.anonymous(&["remote", "schema"]);
    let schema = schema.expect(0, Text::Any, Text::Nothing).stdout;
    assert_eq!(schema, include_str!("../../../src/postgres/schema.sql"));
}
