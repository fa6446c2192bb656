//! The main jobs from end to end: a manager's day, an accountant's week, cron's night.

use serde_json::{Value, json};

use crate::helpers::chain;
use crate::helpers::harness::Text::{Any, Has, Is, Nothing};
use crate::helpers::harness::{PASSWORD, World};

#[test]
fn a_manager_logs_in_creates_reshuffles_and_sees_only_their_own_money() {
    let world = World::new();
    world
        .call("ada", &["user", "set-password", "mara", "--password-stdin"])
        .stdin("of mara alone\n")
        .expect(0, Nothing, Nothing);
    world
        .anonymous(&["login", "mara"])
        .env("POPUG_PASSWORD", "of mara alone")
        .expect(0, Nothing, Nothing);
    let session = |words: &[&str]| world.anonymous(words).expect(0, Any, Nothing);
    assert!(
        session(&["whoami"])
            .stdout
            .ends_with("\tmara\tmara Popug\tmanager\ttrue\n")
    );

    let added = session(&[
        "task",
        "add",
        "Feed the popugs",
        "--jira-id",
        "UP-1",
        "--description",
        "seeds",
        "-o",
        "json",
    ]);
    let added = added.json();
    assert_eq!(
        (&added["number"], &added["replayed"]),
        (&json!(1), &json!(false))
    );
    let text = world
        .anonymous(&["task", "add", "[UP-2] Clean the cage"])
        .expect(
            0,
            Has("T-2\t"),
            Is("read as jira id UP-2 and title `Clean the cage`\n"),
        );
    assert!(
        ["axel", "dora", "dan", "walt"].contains(&text.stdout.trim().trim_start_matches("T-2\t"))
    );

    assert_eq!(session(&["task", "reshuffle"]).stdout, "2\n");
    let shown = session(&["task", "show", "UP-1", "-o", "json"]).json();
    assert_eq!(shown["assignments"], 2);
    assert_eq!(shown["history"].as_array().map(Vec::len), Some(3));
    world.does("ada", &["consume"]);
    let own = session(&["report", "balances", "-o", "json"]).json();
    assert_eq!(
        own["rows"]
            .as_array()
            .map(|rows| rows.iter().map(|row| row["login"].clone()).collect()),
        Some(vec![json!("mara")])
    );
    world.anonymous(&["logout"]).expect(0, Nothing, Nothing);
    world
        .anonymous(&["whoami"])
        .expect(5, Nothing, Has("error: you are not logged in"));
    chain::check(&world.log_lines());
}

#[test]
fn an_accountants_week_ends_with_paid_popugs_and_balanced_books() {
    let mut world = World::new();
    for day in 2..7 {
        world.at(&format!("2026-03-0{day}T09:00:00Z"));
        for title in ["one", "two", "three"] {
            world.does("mara", &["task", "add", title]);
        }
        world.at(&format!("2026-03-0{day}T15:00:00Z"));
        complete_everything_but(&world, "three");
    }
    world.at("2026-03-07T06:00:00Z");
    let closed = world.rows("axel", &["close"]);
    let dates: Vec<_> = closed
        .iter()
        .map(|row| row["date"].as_str().expect("a date"))
        .collect();
    assert_eq!(
        dates,
        [
            "2026-03-02",
            "2026-03-03",
            "2026-03-04",
            "2026-03-05",
            "2026-03-06"
        ]
    );
    assert!(closed.iter().all(|row| row["result"] == "closed"));

    let payouts = world.json("axel", &["report", "payouts"]);
    assert_eq!(payouts["totals"]["amount"], sum(&closed, "payouts_total"));
    let entries = world.rows("axel", &["report", "entries"]);
    let fee = entries
        .iter()
        .find(|row| row["kind"] == "fee" && row["login"] != "axel")
        .expect("a fee");
    let words = [
        "account",
        "correct",
        fee["entry_id"].as_str().expect("an id"),
        "--amount",
        "1.50",
        "--reason",
        "slip",
    ];
    let corrected = world.json("axel", &words);
    assert_eq!(
        (&corrected["amount"], &corrected["business_date"]),
        (&json!("1.50"), &json!("2026-03-07"))
    );
    world.does("axel", &["consume"]);

    let login = fee["login"].as_str().expect("a login");
    let statement = world.json("axel", &["report", "statement", "--user", login]);
    let last = statement["rows"]
        .as_array()
        .and_then(|rows| rows.last())
        .expect("rows");
    assert_eq!(last["reason"], "slip");
    assert_eq!(last["balance"], statement["closing_balance"]);
    let trial = world.json("axel", &["report", "trial-balance"]);
    assert_eq!(trial["totals"]["debit"], trial["totals"]["credit"]);
    assert_eq!(trial["totals"]["balance"], "0.00");
    let journal = world.answer("axel", &["export", "journal", "--format", "hledger"]);
    assert!(journal.contains("liabilities:popugs:") && journal.contains("assets:bank"));
    assert!(
        world
            .answer("axel", &["export", "journal", "--format", "beancount"])
            .contains("Assets:Bank")
    );
    chain::check(&world.log_lines());
}

#[test]
fn cron_closes_with_a_token_and_a_second_run_changes_nothing() {
    let mut world = World::new();
    world.does("mara", &["task", "add", "Night shift"]);
    complete_everything_but(&world, "nothing");
    world.at("2026-03-03T00:05:00+01:00");
    assert_eq!(
        world
            .answer("cron", &["close", "-o", "csv"])
            .lines()
            .count(),
        2
    );
    let before = world.log_bytes();
    assert_eq!(world.answer("cron", &["close"]), "");
    let again = world.rows("cron", &["close", "--date", "2026-03-02"]);
    assert_eq!(
        again
            .iter()
            .map(|row| row["result"].clone())
            .collect::<Vec<_>>(),
        ["already_closed"]
    );
    assert!(
        world.log_bytes() == before,
        "closing a closed date appended something"
    );
    let mails = world.rows("axel", &["mail", "list"]);
    assert_eq!(
        mails
            .iter()
            .map(|row| row["state"].clone())
            .collect::<Vec<_>>(),
        ["pending"]
    );
    world.does("cron", &["consume", "-q"]);
    let mails = world.rows("axel", &["mail", "list"]);
    assert_eq!(mails[0]["state"], "written");
    let payout = mails[0]["payout_id"].as_str().expect("an id");
    let letter = world
        .store()
        .join("outbox/2026-03-02")
        .join(format!("{payout}.eml"));
    assert!(
        std::fs::read_to_string(letter)
            .expect("a letter")
            .contains("UberPopug")
    );
    let before = world.log_bytes();
    assert_eq!(
        world.rows("axel", &["mail", "retry", payout])[0]["state"],
        "written"
    );
    assert!(
        world.log_bytes() == before,
        "a written mail was written again"
    );
    let paid = world.rows("axel", &["report", "payouts"]);
    assert_eq!(paid.len(), 1);
    let status = world.json("cron", &["status"]);
    assert_eq!(status["last_closed_date"], "2026-03-02");
    assert!(
        status["consumers"]
            .as_array()
            .expect("consumers")
            .iter()
            .any(|c| c["name"] == "accounting")
    );
}

#[test]
fn people_are_changed_taken_out_and_let_back_in() {
    let world = World::new();
    let id = world.register("nina", "worker");
    world.does(
        "ada",
        &[
            "user",
            "update",
            "nina",
            "--name",
            "Нина",
            "--email",
            "n@popug.example",
        ],
    );
    world.does("ada", &["user", "set-role", &id, "accountant"]);
    let shown = world.json("ada", &["user", "show", "nina"]);
    assert_eq!(
        (&shown["name"], &shown["role"], &shown["email"]),
        (
            &json!("Нина"),
            &json!("accountant"),
            &json!("n@popug.example")
        )
    );
    world.does("ada", &["user", "deactivate", "nina", "--reason", "left"]);
    let unchanged = world.log_bytes();
    assert_eq!(
        world.json("ada", &["user", "deactivate", "nina"])["changed"],
        false
    );
    assert!(unchanged == world.log_bytes());
    assert_eq!(
        world.json("mara", &["user", "show", "nina"])["active"],
        false
    );
    world.does("ada", &["user", "reactivate", "nina"]);
    let list = world.rows("dora", &["user", "list"]);
    assert_eq!(list.len(), 8);
    let seen = |login: &str| {
        list.iter()
            .find(|row| row["login"] == login)
            .expect("listed")["email"]
            .clone()
    };
    assert_eq!(
        (seen("nina"), seen("dora")),
        (Value::Null, json!("dora@popug.example"))
    );
}

#[test]
fn a_revoked_token_opens_nothing_any_more() {
    let world = World::new();
    let token = world.answer("dora", &["token", "issue", "dora", "--ttl", "1h"]);
    let whoami = |token: &str| {
        world
            .anonymous(&["whoami"])
            .env("POPUG_TOKEN", token.trim())
    };
    whoami(&token).expect(0, Has("dora"), Nothing);
    let listed = world.rows("dora", &["token", "list"]);
    assert!(listed.iter().all(|row| row["login"] == "dora"));
    let newest = listed
        .iter()
        .max_by_key(|row| row["issued_at"].as_str().map(str::to_owned))
        .expect("a token");
    world.does(
        "dora",
        &[
            "token",
            "revoke",
            newest["token_id"].as_str().expect("an id"),
        ],
    );
    whoami(&token).expect(5, Nothing, Has("the token was revoked"));
}

#[test]
fn a_login_lasts_until_the_user_is_deactivated() {
    let mut world = World::new();
    let set = ["user", "set-password", "dora", "--password-stdin"];
    world
        .call("ada", &set)
        .stdin(PASSWORD)
        .expect(0, Nothing, Nothing);
    world.issue_token("dora");
    let whoami = ["whoami", "--as", "dora"];
    world
        .anonymous(&whoami)
        .env("POPUG_PASSWORD", PASSWORD)
        .expect(0, Has("dora"), Nothing);
    world
        .anonymous(&whoami)
        .env("POPUG_PASSWORD", "wrong")
        .expect(5, Nothing, Has("wrong login or password"));
    let nobody = ["whoami", "--as", "nobody"];
    world
        .anonymous(&nobody)
        .env("POPUG_PASSWORD", PASSWORD)
        .expect(5, Nothing, Has("wrong login or password"));
    world.does("ada", &["user", "deactivate", "dora"]);
    world.refused("dora", &["whoami"], 5, "actor_deactivated");
}

#[test]
fn an_export_holds_what_the_callers_reports_show() {
    let mut world = World::new();
    world.does("mara", &["task", "add", "Export me"]);
    world.at("2026-03-03T08:00:00Z");
    world.does("axel", &["close"]);
    let names = |login: &str, format: &str| -> Vec<String> {
        let dir = world.home().join(format!("{login}-{format}"));
        world
            .call(login, &["export", "--format", format, "--dir"])
            .arg(&dir)
            .expect(0, Nothing, Nothing);
        let entries = std::fs::read_dir(dir).expect("a directory");
        let mut names: Vec<_> = entries
            .map(|entry| {
                entry
                    .expect("entry")
                    .file_name()
                    .into_string()
                    .expect("UTF-8")
            })
            .collect();
        names.sort();
        names
    };
    assert_eq!(
        names("dora", "csv"),
        [
            "balances.csv",
            "manifest.json",
            "pay.csv",
            "payouts.csv",
            "payslip.csv",
            "statement.csv",
            "tasks.csv"
        ]
    );
    assert_eq!(names("ada", "parquet").len(), 15);
    let manifest = std::fs::read_to_string(world.home().join("ada-parquet/manifest.json"))
        .expect("a manifest");
    let manifest: Value = serde_json::from_str(&manifest).expect("JSON");
    assert_eq!(
        (&manifest["exported_by"], &manifest["currency"]),
        (&json!("ada"), &json!("EUR"))
    );
    let balances = world.answer("dora", &["report", "balances", "-o", "csv"]);
    let exported =
        std::fs::read_to_string(world.home().join("dora-csv/balances.csv")).expect("a file");
    assert_eq!(balances.lines().count(), exported.lines().count());
}

#[test]
fn the_log_can_be_looked_into() {
    let world = World::new();
    let lines = world.log_lines();
    let two = world.answer("ada", &["log", "tail", "-n", "2"]);
    assert_eq!(two.lines().collect::<Vec<_>>(), lines[lines.len() - 2..]);
    assert_eq!(
        world
            .answer("ada", &["log", "tail", "--from", "1"])
            .lines()
            .count(),
        lines.len()
    );
    assert_eq!(
        world.answer("ada", &["log", "show", "1"]).trim_end(),
        lines[0]
    );
    let registered = world.answer(
        "ada",
        &["log", "tail", "--type", "user.registered", "-n", "100"],
    );
    assert_eq!(registered.lines().count(), 7);
    assert_eq!(
        world
            .answer("ada", &["log", "tail", "--subject", "company"])
            .trim_end(),
        lines[0]
    );
    let stats = world.json("ada", &["log", "stats"]);
    assert_eq!(
        stats["totals"]["bytes"].as_u64(),
        Some(world.log_bytes().len() as u64)
    );
}

/// Every assignee completes their tasks, except those with this title.
fn complete_everything_but(world: &World, title: &str) {
    for row in world.rows("mara", &["task", "list"]) {
        if row["title"] != title {
            let (assignee, number) = (
                row["assignee"].as_str().expect("a login"),
                row["number"].to_string(),
            );
            world.does(assignee, &["task", "complete", &number]);
        }
    }
}

/// The sum of a money column, as the program would write it.
fn sum(rows: &[Value], column: &str) -> String {
    let minor = |row: &Value| {
        row[column]
            .as_str()
            .expect("money")
            .replace('.', "")
            .parse::<i64>()
            .expect("digits")
    };
    let total: i64 = rows.iter().map(minor).sum();
    format!("{}.{:02}", total / 100, total % 100)
}

#[test]
fn a_password_without_end_is_not_read_to_its_end() {
    let world = World::new();
    let endless = ["/bin/sh", "-c", "exec \"$0\" \"$@\" < /dev/zero"];
    let set = world
        .call("ada", &["user", "set-password", "mara", "--password-stdin"])
        .through(&endless);
    set.expect(6, Nothing, Has("at most 1024"));
    let set = world
        .call("ada", &["user", "set-password", "mara", "--password-stdin"])
        .stdin(&"ж".repeat(4000));
    set.expect(6, Nothing, Has("at most 1024"));
    let login = world
        .call("ada", &["whoami", "--as", "ada"])
        .env("POPUG_PASSWORD", "x".repeat(100_000));
    login.expect(6, Nothing, Has("at most 1024"));
}
