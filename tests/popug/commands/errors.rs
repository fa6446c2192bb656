//! Every error that a user can get, with its text.

use std::fmt::Write as _;

use crate::helpers::harness::Text::{Any, Nothing};
use crate::helpers::harness::{Call, INIT, PASSWORD, World, last_error};

/// Command lines with exit code and stderr, as one text. Varying places and ids are replaced by
/// names.
struct Transcript {
    text: String,
    places: Vec<(String, &'static str)>,
}

impl Transcript {
    fn new(world: &World) -> Transcript {
        let home = world.home().display().to_string();
        Transcript {
            text: String::new(),
            places: vec![(home, "HOME")],
        }
    }

    fn add(&mut self, who: &str, words: &[&str], exit: i32, call: Call<'_>) {
        let output = call.expect(exit, Nothing, Any);
        assert!(
            output.stderr.contains("error: "),
            "{words:?}: {}",
            output.stderr
        );
        let words: Vec<_> = words
            .iter()
            .map(|word| if word.len() > 60 { "…" } else { *word })
            .collect();
        let mut shown = output.stderr;
        for (place, name) in &self.places {
            shown = shown.replace(place, name);
        }
        let _ = writeln!(
            self.text,
            "{who}$ popug-cli {}\n{}[{exit}]\n",
            words.join(" "),
            shown
        );
    }

    fn refused(&mut self, world: &World, login: &str, words: &[&str], exit: i32) {
        let before = world.log_bytes();
        self.add(login, words, exit, world.call(login, words));
        assert!(
            world.log_bytes() == before,
            "{words:?} was refused and changed the log"
        );
    }
}

#[test]
fn things_that_are_not_there() {
    let world = World::new();
    world.does("ada", &["consume"]);
    let mut transcript = Transcript::new(&world);
    let cases: [&[&str]; 9] = [
        &["task", "show", "99"],
        &["task", "complete", "T-99"],
        &["user", "show", "nobody"],
        &["report", "statement", "--user", "nobody"],
        &["account", "correct", "no-entry", "--reason", "slip"],
        &["log", "show", "999"],
        &["token", "revoke", "none"],
        &["mail", "retry", "none"],
        &["schema", "show", "task.eaten.v1"],
    ];
    for words in cases {
        transcript.refused(&world, "ada", words, 3);
    }
    transcript.refused(&world, "ada", &["log", "tail", "--from", "999"], 3);
    insta::assert_snapshot!("errors-3-not-found", transcript.text);
}

#[test]
fn commands_that_the_state_forbids() {
    let mut world = World::new();
    world.at("2026-03-02T10:00:00Z");
    let task = world.json("mara", &["task", "add", "Once", "--key", "k"]);
    world.does("ada", &["consume"]);
    let entry = world.rows("ada", &["report", "entries"])[0].clone();
    let fee = entry["entry_id"].as_str().expect("an id");
    let assignee = task["assignee"].as_str().expect("a login");
    world.does(assignee, &["task", "complete", "1"]);
    let mut transcript = Transcript::new(&world);
    transcript.places.push((fee.to_owned(), "ENTRY"));
    let cases: [&[&str]; 9] = [
        &[
            "user",
            "register",
            "--login",
            "dora",
            "--name",
            "D",
            "--email",
            "d@d.example",
            "--role",
            "worker",
        ],
        &["user", "set-role", "cron", "worker"],
        &["user", "set-role", "dora", "service"],
        &["user", "set-role", "ada", "worker"],
        &["user", "deactivate", "ada"],
        &["close", "--date", "2026-03-02"],
        &["close", "--date", "2026-03-01"],
        &[
            "account", "correct", fee, "--amount", "99.00", "--reason", "slip",
        ],
        &["task", "add", "Twice", "--key", "k"],
    ];
    for words in cases {
        transcript.refused(&world, "ada", words, 4);
    }
    transcript.refused(&world, assignee, &["task", "complete", "1"], 4);
    for login in ["axel", "dora", "dan", "walt"] {
        world.does("ada", &["user", "deactivate", login]);
    }
    transcript.refused(&world, "mara", &["task", "add", "Whose?"], 4);
    transcript.refused(&world, "ada", &["token", "issue", "dora"], 4);
    world.at("2026-03-02T09:00:00Z");
    transcript.refused(&world, "mara", &["task", "add", "Early"], 4);
    insta::assert_snapshot!("errors-4-conflict", transcript.text);
}

#[test]
fn a_payout_cannot_be_corrected() {
    let mut world = World::new();
    let task = world.json("mara", &["task", "add", "Paid"]);
    world.does(
        task["assignee"].as_str().expect("a login"),
        &["task", "complete", "1"],
    );
    world.at("2026-03-03T10:00:00Z");
    world.does("ada", &["close"]);
    let entries = world.rows("ada", &["report", "entries"]);
    let payout = entries
        .iter()
        .find(|row| row["kind"] == "payout")
        .expect("a payout")["entry_id"]
        .clone();
    let error = world.refused(
        "ada",
        &[
            "account",
            "correct",
            payout.as_str().expect("an id"),
            "--reason",
            "slip",
        ],
        4,
        "not_correctable",
    );
    assert_eq!(error["message"], "a payout entry cannot be corrected");
}

#[test]
fn commands_that_a_role_may_not_use() {
    let world = World::new();
    let task = world.json("mara", &["task", "add", "Somebody else's"]);
    let mut transcript = Transcript::new(&world);
    let assignee = task["assignee"].as_str().expect("a login");
    let other = if assignee == "dora" { "walt" } else { "dora" };
    transcript.refused(&world, other, &["task", "complete", "1"], 5);
    transcript.refused(&world, "walt", &["task", "reshuffle"], 5);
    transcript.refused(&world, "dora", &["report", "balances", "--user", "ada"], 5);
    transcript.refused(&world, "axel", &["report", "negative"], 5);
    transcript.refused(
        &world,
        "cron",
        &["task", "add", "Programs have no tasks"],
        5,
    );
    transcript.refused(&world, "mara", &["close"], 5);
    transcript.refused(&world, "dora", &["mail", "list"], 5);
    transcript.refused(
        &world,
        "dora",
        &["export", "journal", "--format", "hledger"],
        5,
    );
    let whoami = ["whoami"];
    transcript.add("", &whoami, 5, world.anonymous(&whoami));
    let wrong = ["whoami", "--as", "ada"];
    transcript.add(
        "",
        &wrong,
        5,
        world.anonymous(&wrong).env("POPUG_PASSWORD", "wrong"),
    );
    for (name, token) in [
        ("garbage", "garbage".to_owned()),
        ("altered", altered(world.token("dora"))),
    ] {
        transcript.add(
            name,
            &whoami,
            5,
            world.anonymous(&whoami).env("POPUG_TOKEN", token),
        );
    }
    world.does("ada", &["user", "deactivate", "dora"]);
    transcript.refused(&world, "dora", &["task", "list"], 5);
    insta::assert_snapshot!("errors-5-not-allowed", transcript.text);
}

/// The token with one character of its middle changed.
fn altered(token: &str) -> String {
    let at = token.len() / 2;
    let other = if &token[at..=at] == "0" { "1" } else { "0" };
    format!("{}{other}{}", &token[..at], &token[at + 1..])
}

#[test]
fn texts_that_are_not_well_formed() {
    let world = World::new();
    world.does("mara", &["task", "add", "Once"]);
    world.does("ada", &["consume"]);
    let fee = world.rows("ada", &["report", "entries"])[0]["entry_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let mut transcript = Transcript::new(&world);
    transcript.places.push((fee.clone(), "ENTRY"));
    let long = "x".repeat(501);
    let register = |login, email, role| {
        vec![
            "user", "register", "--login", login, "--name", "N", "--email", email, "--role", role,
        ]
    };
    let cases = [
        vec!["task", "add", ""],
        vec!["task", "add", &long],
        vec!["task", "add", "two\nlines"],
        vec!["task", "add", "brackets [in] it"],
        vec!["task", "add", "UP-1 - Title", "--jira-id", "UP-2"],
        vec!["task", "add", "Title", "--jira-id", "up-2"],
        vec!["task", "add", "Title", "--key", "close/1"],
        register("Nora", "n@n.example", "worker"),
        register("nora", "nowhere", "worker"),
        register("nora", "n@n.example", "developr"),
        vec!["user", "update", "dora", "--name", ""],
        vec!["user", "set-role", "dora", "plumber"],
        vec![
            "account", "correct", &fee, "--amount", "0.00", "--reason", "slip",
        ],
        vec![
            "account", "correct", &fee, "--amount", "5.005", "--reason", "slip",
        ],
        vec!["account", "correct", &fee, "--reason", " "],
    ];
    for words in &cases {
        transcript.refused(&world, "ada", words, 6);
    }
    let short = ["user", "set-password", "--password-stdin"];
    transcript.add("ada", &short, 6, world.call("ada", &short).stdin("short"));
    insta::assert_snapshot!("errors-6-rejected", transcript.text);
}

#[test]
fn foundings_that_are_refused() {
    let world = World::empty();
    let mut transcript = Transcript::new(&world);
    let with = |option: &str, value: &'static str| -> Vec<&'static str> {
        let at = INIT
            .iter()
            .position(|word| *word == option)
            .expect("an option");
        let mut words = INIT.to_vec();
        words[at + 1] = value;
        words
    };
    let cases = [
        (6, with("--time-zone", "Mars/Olympus")),
        (6, with("--currency", "JPY")),
        (6, with("--admin-login", "Ada L")),
        (6, with("--admin-email", "nowhere")),
        (6, with("--company", " ")),
        (
            6,
            [&INIT[..], &["--founded-at", "2027-01-01T00:00:00Z"]].concat(),
        ),
        (
            6,
            [&INIT[..], &["--founded-at", "1970-01-01T00:00:00Z"]].concat(),
        ),
        (2, [&INIT[..], &["--founded-at", "yesterday"]].concat()),
        (
            6,
            vec![
                "init",
                "--time-zone",
                "moscow",
                "--currency",
                "rub",
                "--admin-login",
                "Ada",
            ],
        ),
        (2, vec!["init", "--currency", "EUR", "--admin-name", "Ada"]),
    ];
    for (exit, words) in cases {
        transcript.add(
            "",
            &words[1..],
            exit,
            world
                .anonymous(&words)
                .arg("--password-stdin")
                .stdin(PASSWORD),
        );
        assert!(!world.store().exists(), "{words:?} left something behind");
    }
    transcript.add(
        "short",
        &INIT[..1],
        6,
        world
            .anonymous(&INIT)
            .arg("--password-stdin")
            .stdin("short"),
    );
    transcript.add("", &INIT[..1], 2, world.anonymous(&INIT));
    assert_eq!(std::fs::read_dir(world.home()).expect("a home").count(), 0);
    insta::assert_snapshot!("errors-founding", transcript.text);
}

#[test]
fn words_that_are_no_command() {
    let world = World::new();
    world.does("ada", &["consume"]);
    let mut transcript = Transcript::new(&world);
    let cases: [&[&str]; 12] = [
        &["report", "profits"],
        &["report", "balances", "--date", "tomorow"],
        &[
            "report",
            "balances",
            "--date",
            "2026-03-02",
            "--from",
            "2026-03-01",
        ],
        &[
            "report",
            "balances",
            "--from",
            "2026-03-02",
            "--to",
            "2026-03-01",
        ],
        &["report", "payouts", "--period", "week"],
        &["report", "earnings", "--user", "dora"],
        &["consume", "everything"],
        &["task", "list", "--lock-wait", "soon"],
        &["token", "issue", "ada", "--ttl", "a while"],
        &["task", "list", "--open", "--all"],
        &["consume", "--rebuild", "-n"],
        &["shell", "--key", "k"],
    ];
    for words in cases {
        transcript.refused(&world, "ada", words, 2);
    }
    let list = ["task", "list"];
    for (name, value) in [
        ("POPUG_NOW", "noon"),
        ("POPUG_SEED", "seven"),
        ("POPUG_SEGMENT_BYTES", "many"),
    ] {
        transcript.add(name, &list, 2, world.call("ada", &list).env(name, value));
    }
    let consume = ["consume", "notifier"];
    for (name, value) in [
        ("POPUG_SMTP_URL", "http://mail.example"),
        ("POPUG_MAIL_FROM", "nobody"),
    ] {
        transcript.add(
            name,
            &consume,
            2,
            world.call("ada", &consume).env(name, value),
        );
    }
    insta::assert_snapshot!("errors-2-usage", transcript.text);
}

#[test]
fn a_jira_id_of_several_tasks_lists_them() {
    let world = World::new();
    for _ in 0..2 {
        world.does("mara", &["task", "add", "Same", "--jira-id", "UP-7"]);
    }
    let error = world.refused("mara", &["task", "show", "UP-7"], 2, "ambiguous");
    assert_eq!(error["hints"][0], "name one of them: T-1, T-2");
}

#[test]
fn a_command_line_that_cannot_be_read_is_an_object_too_if_json_is_asked_for() {
    let world = World::empty();
    let cases: [(&[&str], &str); 4] = [
        (&["taks", "-o", "json"], "unrecognized subcommand 'taks'"),
        (
            &["--output=json", "task", "show"],
            "the following required arguments were not provided",
        ),
        (
            &["report", "profits", "-ojson"],
            "invalid value 'profits' for '<NAME>'",
        ),
        (
            &["task", "-o", "ndjson"],
            "'popug-cli task' requires a subcommand",
        ),
    ];
    for (words, message) in cases {
        let output = world.anonymous(words).expect(2, Nothing, Any);
        let error = last_error(&output);
        assert_eq!(
            (&error["exit"], &error["code"]),
            (&serde_json::json!(2), &serde_json::json!("usage"))
        );
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|found| found.starts_with(message)),
            "{error}"
        );
        assert_eq!(output.stderr.lines().count(), 1, "{}", output.stderr);
    }
}
