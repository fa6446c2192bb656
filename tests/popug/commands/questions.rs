//! Plans and questions at a terminal: what a command would do, in words and sums, before it is done.

use serde_json::Value;

use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::World;
use crate::helpers::terminal::Terminal;

const LATER: &str = "2026-03-04T12:00:00Z";

/// A company in which somebody has earned money and others hold tasks.
fn played() -> World {
    let world = World::new();
    for title in ["One", "Two", "Three"] {
        world.does("mara", &["task", "add", title]);
    }
    let assignee = holder(&world, "1");
    world.does(&assignee, &["task", "complete", "1"]);
    world
}

fn holder(world: &World, task: &str) -> String {
    let task = world.json("ada", &["task", "show", task]);
    task["assignee"].as_str().expect("a login").to_owned()
}

fn minor(sum: &Value) -> i64 {
    let digits = sum.as_str().expect("a sum").replace('.', "");
    digits.parse().expect("a number")
}

fn sum_of_fees(world: &World, tasks: &[&str]) -> String {
    let fee = |task: &&str| minor(&world.json("ada", &["task", "show", task])["fee"]);
    format!("fees {}", money(tasks.iter().map(fee).sum()))
}

fn money(minor: i64) -> String {
    format!("{}.{:02} EUR", minor / 100, minor % 100)
}

fn at_a_terminal(world: &World, login: &str, words: &[&str]) -> Terminal {
    Terminal::with(world, world.call(login, words).env("POPUG_NOW", LATER))
}

/// The command asks; the answer no changes nothing, the answer yes carries the command out.
fn asks(world: &World, login: &str, words: &[&str], shown: &[&str]) {
    let log = world.log_bytes();
    let terminal = at_a_terminal(world, login, words);
    let screen = terminal.has("Go on? [y/N]");
    for text in shown {
        assert!(screen.contains(text), "{text}:\n{screen}");
    }
    terminal.types("n");
    terminal.presses("Enter");
    assert_eq!(terminal.ended(), 1);
    terminal.has("error: nothing was done, because the answer was not yes");
    assert!(world.log_bytes() == log, "{words:?} wrote something");
    let terminal = at_a_terminal(world, login, words);
    terminal.has("Go on? [y/N]");
    terminal.types("yes");
    terminal.presses("Enter");
    assert_eq!(terminal.ended(), 0, "{}", terminal.screen());
    assert!(world.log_bytes().len() > log.len());
}

fn completes(world: &World, tasks: &[&str]) {
    for task in tasks {
        world.does(&holder(world, task), &["task", "complete", task]);
    }
}

fn payouts(count: usize, total: i64) -> String {
    let noun = if count == 1 { "payout" } else { "payouts" };
    format!("{count} {noun}, {} in all", money(total))
}

#[test]
fn a_close_asks_with_every_date_and_the_sum() {
    let world = played();
    completes(&world, &["2", "3"]);
    let draft = world.call("ada", &["close", "-n"]).env("POPUG_NOW", LATER);
    let draft = draft.expect(0, Any, Nothing).stdout;
    let events = draft
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let paid = events.filter(|event| event["type"] == "payout.made.v1");
    let paid: Vec<i64> = paid
        .map(|event| event["data"]["amount"].as_i64().expect("a sum"))
        .collect();
    let total = payouts(paid.len(), paid.iter().sum());
    let mut shown = vec![
        format!("2026-03-02 would be closed: {total}"),
        "2026-03-03 would be closed: no payouts".to_owned(),
        format!("2 dates would be closed: {total}"),
    ];
    shown.extend(
        paid.iter()
            .map(|sum| format!("would be paid {} for 2026-03-02", money(*sum))),
    );
    assert!(shown.len() > 3, "{draft}");
    let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
    asks(&world, "ada", &["close"], &shown);
    // There is nothing to agree to any more.
    let terminal = at_a_terminal(&world, "ada", &["close"]);
    terminal.has("nothing to close: 2026-03-04 is not over yet");
    assert_eq!(terminal.ended(), 0);
    assert!(!terminal.screen().contains("Go on?"));
    world.call("ada", &["verify", "--deep"]).expect(0, Any, Any);
}

#[test]
fn a_reshuffle_asks_with_the_fees() {
    let world = played();
    let fees = sum_of_fees(&world, &["2", "3"]);
    let shown = format!("would be handed out anew: {fees}");
    asks(
        &world,
        "mara",
        &["task", "reshuffle"],
        &["2 open tasks of ", &shown],
    );
}

#[test]
fn taking_somebody_out_asks_with_what_becomes_of_the_tasks() {
    let world = played();
    let login = holder(&world, "2");
    let mut tasks = vec!["2"];
    tasks.extend((holder(&world, "3") == login).then_some("3"));
    let goes = format!(
        "of {login} would go to others: {}",
        sum_of_fees(&world, &tasks)
    );
    let out = format!("{login} would be deactivated");
    asks(
        &world,
        "ada",
        &["user", "deactivate", &login],
        &[&out, &goes],
    );
    let walt = ["user", "set-role", "walt", "manager"];
    let screen = at_a_terminal(&world, "ada", &walt).has("Go on? [y/N]");
    assert!(
        screen.contains("would become manager (now worker)"),
        "{screen}"
    );
    let me = at_a_terminal(
        &world,
        "ada",
        &[
            "user",
            "register",
            "--role",
            "admin",
            "--login",
            "eve",
            "--name",
            "Eve",
            "--email",
            "e@p.example",
        ],
    );
    assert_eq!(me.ended(), 0);
    let screen = at_a_terminal(&world, "ada", &["user", "deactivate", "ada"]).has("Go on? [y/N]");
    assert!(
        screen.contains("ada (this is you) would be deactivated"),
        "{screen}"
    );
}

#[test]
fn with_yes_or_without_a_terminal_nobody_is_asked() {
    let world = played();
    let terminal = at_a_terminal(&world, "mara", &["task", "reshuffle", "--yes"]);
    assert_eq!(terminal.ended(), 0);
    assert!(!terminal.screen().contains("Go on?"));
    let terminal = at_a_terminal(&world, "mara", &["task", "reshuffle", "--no-input"]);
    assert_eq!(terminal.ended(), 0);
    world
        .call("mara", &["task", "reshuffle"])
        .env("POPUG_NOW", LATER)
        .expect(0, Any, Nothing);
    // A refusal comes before the question.
    let terminal = at_a_terminal(&world, "dora", &["task", "reshuffle"]);
    assert_eq!(terminal.ended(), 5);
}

#[test]
fn a_dry_run_is_told_in_words_at_a_terminal_and_in_events_elsewhere() {
    let world = played();
    let log = world.log_bytes();
    let words = ["close", "-n"];
    let terminal = at_a_terminal(&world, "ada", &words);
    terminal.has("2 dates would be closed: ");
    let screen = terminal.has("1 reward would be credited: ");
    assert!(screen.contains("3 fees would be charged: "), "{screen}");
    assert_eq!(terminal.ended(), 0);
    let terminal = at_a_terminal(
        &world,
        "ada",
        &["task", "add", "Four", "-n", "-o", "ndjson"],
    );
    terminal.has("{\"specversion\":\"1.0\",");
    let terminal = at_a_terminal(&world, "mara", &["task", "add", "Four", "-n"]);
    terminal.has("T-4 `Four` would be created; its assignee and its price are drawn then");
    let login = holder(&world, "2");
    let terminal = at_a_terminal(&world, &login, &["task", "complete", "2", "-n"]);
    terminal.has("T-2 would be done: reward ");
    let terminal = at_a_terminal(&world, "ada", &["user", "set-role", "walt", "worker", "-n"]);
    terminal.has("nothing would change");
    world.call("ada", &words).env("POPUG_NOW", LATER).expect(
        0,
        Has("\"type\":\"day.closed.v1\""),
        Nothing,
    );
    assert!(world.log_bytes() == log);
}
