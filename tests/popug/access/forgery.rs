//! Names, titles and reasons that try to be more than text: to repaint a terminal, or to become a
//! header of a mail, a line of a journal, a formula, or a path.

use crate::helpers::harness::Text::{Any, Nothing};
use crate::helpers::harness::{REPORTS, World};

/// Colours, a bell, a C1 control, reversed letters, and an invisible letter.
const NASTY: &str = "n\u{1b}c\u{7}\u{9b}31m\u{202e}\u{200b}\u{e0041}";
const FORGING: [char; 6] = [
    '\u{1b}',
    '\u{7}',
    '\u{9b}',
    '\u{202e}',
    '\u{200b}',
    '\u{e0041}',
];

/// A company in which every text is nasty, after a close with a payout.
fn nasty_company() -> World {
    let mut world = World::new();
    for (login, name) in [
        ("dora", NASTY),
        ("dan", "../../../dan"),
        ("walt", "Walt\" <eve@evil.example>, \""),
        ("axel", "=1+1"),
    ] {
        world.does("ada", &["user", "update", login, "--name", name]);
    }
    let title = format!("{NASTY} ; date:2020-01-01, entry:x | \" \\ <b>");
    for number in ["1", "2", "3", "4", "5", "6", "7", "8"] {
        let add = [
            "task",
            "add",
            &format!("{title}{number}"),
            "--description",
            &format!("{NASTY}\n2020-01-01 forged"),
        ];
        let task = world.json("mara", &add);
        world.does(
            task["assignee"].as_str().expect("a login"),
            &["task", "complete", number],
        );
    }
    world.does("ada", &["consume"]);
    let entries = world.rows("ada", &["report", "entries"]);
    let fee = entries
        .iter()
        .find(|row| row["kind"] == "fee")
        .expect("a fee")["entry_id"]
        .as_str()
        .expect("an id");
    world.does(
        "ada",
        &[
            "account", "correct", fee, "--amount", "1.00", "--reason", &title,
        ],
    );
    world.does("ada", &["user", "deactivate", "mara", "--reason", NASTY]);
    world.at("2026-03-03T09:00:00Z");
    world.does("ada", &["close"]);
    world.does("ada", &["consume"]);
    world
}

fn assert_harmless(text: &str, what: &str) {
    let found = text.find(FORGING);
    assert!(
        found.is_none(),
        "{what}: {:?}",
        found.map(|at| &text[at.saturating_sub(40)..])
    );
}

#[test]
fn nothing_for_people_can_be_repainted_by_a_name_or_title() {
    let world = nasty_company();
    let mut commands: Vec<Vec<&str>> = REPORTS.iter().map(|name| vec!["report", name]).collect();
    commands.push(vec!["report", "statement", "--user", "dora"]);
    for words in [
        &["task", "list", "--all"][..],
        &["user", "list"],
        &["mail", "list"],
        &["token", "list"],
        &["doctor"],
    ] {
        commands.push(words.to_vec());
    }
    for words in &commands {
        for format in ["table", "plain", "md"] {
            let shown = world
                .call("ada", &[&words[..], &["-o", format]].concat())
                .expect(0, Any, Any);
            assert_harmless(
                &(shown.stdout + &shown.stderr),
                &format!("{words:?} {format}"),
            );
        }
    }
    for words in [
        &["task", "show", "1"][..],
        &["user", "show", "dora"],
        &["verify", "--deep"],
        &["status"],
    ] {
        assert_harmless(&world.answer("ada", words), &format!("{words:?}"));
    }
    assert_harmless(&world.answer("dora", &["whoami"]), "whoami");
}

#[test]
fn nothing_typed_or_stored_forges_an_error() {
    let world = nasty_company();
    let directory = format!("no\nhint: run this{NASTY}");
    let commands: [(&[&str], i32); 9] = [
        (&["user", "show", NASTY], 3),
        (&["task", "show", NASTY], 3),
        (&["mail", "retry", NASTY], 3),
        (&["token", "revoke", NASTY], 3),
        (&["schema", "show", NASTY], 3),
        (&["user", "set-role", "dora", NASTY], 6),
        (&["import", "users", NASTY], 1),
        (&["status", "-C", &directory], 10),
        (
            &["report", "closes", "--out", &format!("{directory}/x.csv")],
            1,
        ),
    ];
    for (words, exit) in commands {
        for format in ["plain", "json"] {
            let refused = world
                .call("ada", &[words, &["-o", format]].concat())
                .expect(exit, Nothing, Any);
            assert_harmless(&refused.stderr, &format!("{words:?} {format}"));
            assert!(
                !refused.stderr.contains("\nhint: run this"),
                "{}",
                refused.stderr
            );
        }
    }
    let csv = format!("login,name,email,role\n{NASTY},N,n@n.example,worker\n");
    let refused = world
        .call("ada", &["import", "users", "-"])
        .stdin(&csv)
        .expect(6, Nothing, Any);
    assert_harmless(&refused.stderr, "import");
}

#[test]
fn on_a_terminal_what_programs_read_is_made_harmless_too_and_in_a_pipe_it_is_exact() {
    let world = nasty_company();
    let formats: [&[&str]; 5] = [
        &["task", "list", "--all", "-o", "json"],
        &["task", "list", "--all", "-o", "csv"],
        &["log", "tail", "--from", "1"],
        &["log", "show", "9"],
        &["task", "add", NASTY, "-n"],
    ];
    for words in formats {
        let shown = world
            .call("ada", words)
            .on_a_terminal()
            .expect(0, Any, Any)
            .stdout;
        assert!(shown.len() > 100, "{words:?}: {shown}");
        assert_harmless(&shown, &format!("{words:?}"));
    }
    let lines: String = world
        .log_lines()
        .iter()
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(lines.contains('\u{202e}'));
    assert_eq!(world.answer("ada", &["log", "tail", "--from", "1"]), lines);
}

#[test]
fn a_journal_has_the_lines_of_its_entries_and_no_other() {
    let world = nasty_company();
    let entries = world.rows("ada", &["report", "entries"]).len();
    let payouts = world.rows("ada", &["report", "payouts"]).len();
    assert!(entries > 16 && payouts > 0);
    for (dialect, balances) in [("hledger", 0), ("beancount", payouts)] {
        let journal = world.answer("ada", &["export", "journal", "--format", dialect]);
        assert_harmless(&journal, dialect);
        let dated = |line: &&str| line.starts_with("20") && !line.contains(" open ");
        let (all, forged) = (
            journal.lines().filter(dated).count(),
            journal.contains("2020-01-01 forged"),
        );
        assert_eq!((all, forged), (entries + balances, false), "{journal}");
        // A comment of hledger begins with the one semicolon that the program wrote.
        let comments = |line: &str| line.matches(';').count();
        assert!(
            dialect != "hledger" || journal.lines().all(|line| comments(line) <= 1),
            "{journal}"
        );
    }
}

#[test]
fn a_mail_has_the_headers_that_we_gave_it_and_its_file_the_name_of_its_payout() {
    let world = nasty_company();
    let payouts = world.rows("ada", &["report", "payouts"]);
    let outbox = world.store().join("outbox");
    for row in &payouts {
        let id = row["payout_id"].as_str().expect("an id");
        let mail =
            std::fs::read_to_string(outbox.join(format!("2026-03-02/{id}.eml"))).expect("a mail");
        assert!(mail.is_ascii());
        let (headers, _) = mail.split_once("\r\n\r\n").expect("headers");
        let names: Vec<_> = headers
            .lines()
            .filter(|line| !line.starts_with([' ', '\t']))
            .filter_map(|line| line.split_once(':'))
            .collect();
        let names: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        let expected = [
            "Date",
            "From",
            "To",
            "Subject",
            "Message-ID",
            "Auto-Submitted",
            "X-Popug-Payout-Id",
            "MIME-Version",
            "Content-Type",
            "Content-Transfer-Encoding",
        ];
        assert_eq!(names, expected, "{headers}");
    }
    let files: usize = std::fs::read_dir(&outbox)
        .expect("an outbox")
        .map(|date| {
            std::fs::read_dir(date.expect("an entry").path())
                .expect("a directory")
                .count()
        })
        .sum();
    assert_eq!(files, payouts.len());
}

#[test]
fn csv_keeps_the_text_and_takes_the_life_out_of_formulas() {
    let world = nasty_company();
    let csv = world.answer("ada", &["user", "list", "-o", "csv"]);
    assert!(
        csv.contains(",'=1+1,")
            && csv.contains(NASTY)
            && csv.contains("\"Walt\"\" <eve@evil.example>, \"\"\""),
        "{csv}"
    );
    for wide in ["＝1+1", "＠x"] {
        world.does("ada", &["user", "update", "dora", "--name", wide]);
        assert!(
            world
                .answer("ada", &["user", "list", "-o", "csv"])
                .contains(&format!(",'{wide},"))
        );
    }
}
