//! Rights: every role tries every command. A caller without the right gets exit 5, sees nothing and
//! changes nothing.

use crate::helpers::harness::Text::{Any, Nothing};
use crate::helpers::harness::{PASSWORD, PEOPLE, REPORTS, World, last_error};

/// Who may, by the first letters of admin, manager, accountant (c), developer, worker, service.
const TABLE: [(&str, &[&str]); 59] = [
    ("amcdw", &["task", "add", "Anybody's"]),
    ("amcdw", &["task", "list"]),
    ("amcdw", &["task", "show", "1"]),
    ("amcdw", &["task", "board"]),
    ("amcdw", &["report", "tasks"]),
    ("am", &["task", "reshuffle", "-n"]),
    ("am", &["task", "edit", "1", "--title", "Other", "-n"]),
    ("am", &["task", "cancel", "1", "--reason", "x", "-n"]),
    ("am", &["task", "hand-over", "cron", "-n"]),
    ("amcdw", &["report", "balances"]),
    ("amcdw", &["report", "payouts"]),
    ("amcdw", &["report", "statement"]),
    ("ac", &["report", "balances", "--user", "ada"]),
    ("ac", &["report", "payouts", "--user", "ada"]),
    ("ac", &["report", "statement", "--user", "ada"]),
    ("amcdw", &["report", "pay"]),
    ("amcdw", &["report", "payslip"]),
    ("ac", &["report", "pay", "--user", "ada"]),
    ("ac", &["report", "payslip", "--user", "ada"]),
    ("ac", &["report", "earnings"]),
    ("ac", &["report", "entries"]),
    ("ac", &["report", "trial-balance"]),
    ("ac", &["report", "closes"]),
    ("acs", &["export", "journal", "--format", "hledger"]),
    ("acs", &["export", "journal", "--format", "beancount"]),
    ("acs", &["close"]),
    ("as", &["backup", "a backup"]),
    ("as", &["backup", "list", "a backup"]),
    ("as", &["backup", "prune", "a backup", "--keep-daily=1"]),
    ("ac", &["mail", "list"]),
    ("ac", &["mail", "template"]),
    ("a", &["mail", "setup", "--files"]),
    ("a", &["report", "negative"]),
    ("a", &["report", "top-task"]),
    ("a", &["report", "people"]),
    ("a", &["report", "flow"]),
    ("a", &["report", "negative", "--user", "dora"]),
    ("a", &["log", "tail"]),
    ("a", &["log", "show", "1"]),
    ("a", &["log", "stats"]),
    ("a", &["token", "issue", "ada"]),
    ("a", &["user", "update", "dora", "--name", "Dora", "-n"]),
    ("a", &["user", "set-role", "dora", "worker", "-n"]),
    ("a", &["user", "deactivate", "dora", "-n"]),
    ("a", &["user", "reactivate", "dora", "-n"]),
    (
        "a",
        &[
            "user",
            "register",
            "--login",
            "new",
            "--name",
            "N",
            "--email",
            "n@n.example",
            "--role",
            "worker",
            "-n",
        ],
    ),
    ("amcdws", &["whoami"]),
    ("amcdws", &["status"]),
    ("amcdws", &["consume", "tracker"]),
    ("amcdws", &["consume", "accounting"]),
    ("amcdws", &["consume", "analytics"]),
    ("amcdws", &["consume", "notifier"]),
    ("amcdws", &["consume", "tracker", "--rebuild"]),
    ("amcdws", &["user", "list"]),
    ("amcdws", &["user", "show", "ada"]),
    ("amcdws", &["token", "list"]),
    ("amcdws", &["access", "list"]),
    ("amcdws", &["schema", "list"]),
    ("amcdws", &["schema", "check"]),
];

fn letter(role: &str) -> char {
    if role == "accountant" {
        'c'
    } else {
        role.chars().next().expect("a role")
    }
}

#[test]
fn every_role_may_do_what_the_table_says_and_nothing_else() {
    let world = World::new();
    world.does("ada", &["task", "add", "Something to see"]);
    world.does("ada", &["consume"]);
    for (allowed, words) in TABLE {
        // One person of each role is enough.
        for (login, role) in PEOPLE.into_iter().filter(|(login, _)| *login != "dan") {
            if allowed.contains(letter(role)) {
                world.call(login, words).expect(0, Any, Any);
            } else {
                world.refused(login, words, 5, "role_may_not");
            }
        }
    }
}

#[test]
fn accountants_and_admins_correct_and_nobody_their_own() {
    let world = World::new();
    for title in ["1", "2", "3", "4", "5", "6", "7", "8"] {
        world.does("mara", &["task", "add", title]);
    }
    world.does("mara", &["task", "reshuffle"]);
    world.does("ada", &["consume"]);
    let entries = world.rows("axel", &["report", "entries"]);
    let of = |login: &str| {
        let found = entries.iter().find(|row| row["login"] == login);
        found.unwrap_or_else(|| panic!("{login} has no entry"))["entry_id"]
            .as_str()
            .expect("an id")
            .to_owned()
    };
    let others = entries
        .iter()
        .find(|row| row["login"] != "axel")
        .expect("an entry of somebody else");
    let id = others["entry_id"].as_str().expect("an id");
    for (login, role) in PEOPLE {
        let words = [
            "account", "correct", id, "--amount", "0.10", "--reason", "slip",
        ];
        if "ac".contains(letter(role)) {
            world.call(login, &words).expect(0, Any, Nothing);
        } else {
            world.refused(login, &words, 5, "role_may_not");
        }
    }
    world.refused(
        "axel",
        &["account", "correct", &of("axel"), "--reason", "slip"],
        5,
        "own_account",
    );
}

#[test]
fn passwords_tokens_and_mails_of_others_are_not_ones_own_business() {
    let world = World::new();
    for (login, role) in PEOPLE {
        let own = ["user", "set-password", "--password-stdin"];
        let own = world.call(login, &own).env("POPUG_PASSWORD", PASSWORD);
        // A token sets no first password.
        let exit = if login == "ada" { 0 } else { 5 };
        own.stdin("long enough for all").expect(exit, Nothing, Any);
        world
            .call(login, &["token", "issue", login, "--ttl", "1h"])
            .expect(0, Any, Nothing);
        if role == "admin" {
            continue;
        }
        let others = [
            "user",
            "set-password",
            "ada",
            "--password-stdin",
            "-o",
            "json",
        ];
        let output = world
            .call(login, &others)
            .stdin("long enough for all")
            .expect(5, Nothing, Any);
        assert_eq!(last_error(&output)["code"], "role_may_not");
        let id = world.rows("ada", &["token", "list"])[0]["token_id"]
            .as_str()
            .expect("an id")
            .to_owned();
        world.refused(login, &["token", "revoke", &id], 5, "role_may_not");
        if role != "accountant" {
            world.refused(login, &["mail", "retry", "0"], 5, "role_may_not");
        }
    }
    for row in world.rows("dora", &["user", "list"]) {
        assert_eq!(row["email"].is_string(), row["login"] == "dora", "{row}");
    }
    assert!(
        world
            .rows("axel", &["user", "list"])
            .iter()
            .all(|row| row["email"].is_string())
    );
}

#[test]
fn only_an_admin_imports_and_simulates() {
    let world = World::new();
    let users = "login,name,email,role\nimp,Imp,imp@popug.example,worker\n";
    let tasks = "key,title,jira_id,description\n1,Imported,,\n";
    let activity = "at,action,key,actor,login,name,email,role,title,jira_id,description\n";
    for (login, role) in PEOPLE {
        for (kind, text) in [("users", users), ("tasks", tasks), ("activity", activity)] {
            let import = world
                .call(login, &["import", kind, "-", "-o", "json"])
                .stdin(text);
            if role == "admin" {
                import.expect(0, Any, Any);
            } else {
                let before = world.log_bytes();
                let output = import.expect(5, Nothing, Any);
                assert_eq!(
                    last_error(&output)["code"],
                    "role_may_not",
                    "{login} {kind}"
                );
                assert!(world.log_bytes() == before);
            }
        }
        if role != "admin" {
            let simulate = [
                "simulate",
                "--days",
                "1",
                "--popugs",
                "2",
                "--tasks-per-day",
                "3",
                "--seed",
                "1",
            ];
            world.refused(login, &simulate, 5, "role_may_not");
        }
    }
}

#[test]
fn a_right_is_judged_by_the_role_of_now_and_not_of_the_token() {
    let world = World::new();
    world.does("ada", &["user", "set-role", "mara", "worker"]);
    world.refused("mara", &["task", "reshuffle"], 5, "role_may_not");
    world.does("ada", &["user", "set-role", "dora", "manager"]);
    world.does("dora", &["task", "reshuffle"]);
}

#[test]
fn the_table_of_this_test_names_every_report_and_role() {
    for report in REPORTS {
        assert!(
            TABLE
                .iter()
                .any(|(_, words)| words.starts_with(&["report", report])),
            "{report}"
        );
    }
    let letters: String = PEOPLE.iter().map(|(_, role)| letter(role)).collect();
    assert!("amcdws".chars().all(|role| letters.contains(role)));
}
