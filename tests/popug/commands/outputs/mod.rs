//! The places of answers: files and streams that are checked before anything is decided, files of
//! other programs, which stay, and answers that get lost.

mod arguments;

use std::path::Path;

use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::{PASSWORD, World};

/// Runs the program with its stdout somewhere else.
fn with_stdout(to: &str) -> [String; 3] {
    [
        "/bin/sh".to_owned(),
        "-c".to_owned(),
        format!("exec \"$0\" \"$@\" {to}"),
    ]
}

fn to(words: &[String; 3]) -> [&str; 3] {
    [&words[0], &words[1], &words[2]]
}

/// All hidden files of a directory.
fn hidden(directory: &Path) -> Vec<String> {
    let names = std::fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name());
    names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.starts_with('.') && name != ".local")
        .collect()
}

/// Removes the mark of a file, as if an earlier version had written it, or another program had
/// copied it.
fn unmark(path: &Path) {
    let bytes = std::fs::read(path).expect("a file");
    std::fs::remove_file(path).expect("removed");
    std::fs::write(path, bytes).expect("written");
}

/// A company with an open task, a fee that may be corrected, and a paid popug.
fn busy_world() -> World {
    let mut world = World::new();
    let task = world.json("mara", &["task", "add", "Paid"]);
    world.does(
        task["assignee"].as_str().expect("a login"),
        &["task", "complete", "1"],
    );
    world.does("mara", &["task", "add", "Open"]);
    world.at("2026-03-03T10:00:00Z");
    world.does("ada", &["consume"]);
    world
}

#[test]
fn an_export_is_repeated_every_night_in_any_format_and_is_no_backup() {
    let world = busy_world();
    let dir = world.home().join("out");
    for format in ["csv", "csv", "parquet", "csv"] {
        world
            .call("ada", &["export", "--dir", "out", "--format", format])
            .expect(0, Nothing, Any);
        world
            .call("dora", &["export", "--dir", "out", "--format", format])
            .expect(0, Nothing, Any);
    }
    world
        .call("ada", &["report", "balances", "--out", "out/x.csv"])
        .expect(0, Nothing, Any);
    world.refused("cron", &["backup", "out"], 4, "not_empty");
    let restored = ["restore", "out", "-C", "new"];
    let said = "out holds exported reports and no backup";
    world.anonymous(&restored).expect(2, Nothing, Has(said));
    assert_eq!(hidden(&dir), Vec::<String>::new());
    let other = world.home().join("other");
    std::fs::create_dir(&other).expect("made");
    for manifest in ["", "{}", "[1]", "{\"name\":\"a page\",\"icons\":[]}"] {
        std::fs::write(other.join("manifest.json"), manifest).expect("written");
        let restored = world.anonymous(&["restore", "other", "-C", "new"]);
        restored.expect(
            3,
            Nothing,
            Has("there is no backup in other: its manifest.json"),
        );
        world.refused("cron", &["backup", "other"], 4, "not_empty");
    }
    world.does("cron", &["backup", "copy"]);
    let manifest = world.home().join("copy/manifest.json");
    let former = std::fs::read(&manifest).expect("a manifest");
    std::fs::write(&manifest, "").expect("emptied");
    let restored = world.anonymous(&["restore", "copy", "-C", "new"]);
    restored.expect(12, Nothing, Has("the backup is damaged"));
    std::fs::write(&manifest, former).expect("written");
    std::fs::remove_file(world.home().join("copy/backup.lock")).expect("removed");
    world
        .call("ada", &["export", "--dir", "copy"])
        .expect(2, Nothing, Has("is in a backup"));
}

#[test]
fn where_an_answer_goes_is_looked_at_before_anything_is_decided() {
    let world = busy_world();
    let entries = world.rows("ada", &["report", "entries"]);
    let fee = entries
        .iter()
        .find(|row| row["kind"] == "fee")
        .expect("a fee")["entry_id"]
        .as_str()
        .expect("an id");
    std::fs::write(
        world.home().join("people.csv"),
        "login,name,email,role\nnew,N,n@n.example,worker\n",
    )
    .expect("written");
    let commands: [&[&str]; 17] = [
        &["task", "add", "x"],
        &["task", "reshuffle"],
        &["task", "complete", "2"],
        &[
            "user",
            "register",
            "--login",
            "nora",
            "--name",
            "N",
            "--email",
            "n@n.example",
            "--role",
            "worker",
        ],
        &["user", "update", "dora", "--name", "D"],
        &["user", "set-role", "dora", "worker"],
        &["user", "deactivate", "dora"],
        &["user", "reactivate", "dora"],
        &["token", "issue", "dora"],
        &["account", "correct", fee, "--reason", "slip"],
        &["import", "users", "people.csv"],
        &[
            "import",
            "users",
            "people.csv",
            "--on-error",
            "skip",
            "--rejects",
            "rejects.csv",
        ],
        &[
            "dlq",
            "set-aside",
            "9",
            "--consumer",
            "analytics",
            "--reason",
            "x",
        ],
        &["consume"],
        &["close"],
        &["report", "balances"],
        &["backup", "copy"],
    ];
    let state = || {
        (
            world.log_bytes(),
            world.rows("ada", &["token", "list"]).len(),
        )
    };
    let before = state();
    for words in commands {
        for (out, exit) in [
            ("nodir/x.json", 1),
            ("the store/x.json", 2),
            ("x.xyz", 2),
            (".", 2),
            ("/dev/null/x.csv", 1),
        ] {
            world
                .call("ada", &[words, &["--out", out]].concat())
                .expect(exit, Nothing, Has("error: "));
            assert!(state() == before, "{words:?} --out {out}");
        }
    }
    // Refused for another reason, they leave no files either.
    for words in [
        &["task", "add", ""][..],
        &["task", "complete", "99"],
        &["close", "--date", "2026-03-03"],
    ] {
        let refused = world
            .call("ada", &[words, &["--out", "x.json"]].concat())
            .run();
        assert!(refused.status > 2, "{}", refused.stderr);
    }
    assert!(!world.home().join("x.json").exists() && !world.home().join("copy").exists());
    assert_eq!(hidden(world.home()), Vec::<String>::new());
}

#[test]
fn an_answer_that_gets_lost_says_what_was_done() {
    let world = busy_world();
    let full = with_stdout(">/dev/full");
    let events = || world.log_lines().len();
    let before = events();
    let lost = |words: &[&str]| {
        let lost = world.call("ada", words).through(&to(&full)).expect(
            1,
            Nothing,
            Has("the command was carried out ("),
        );
        assert!(
            lost.stderr.contains("only its answer could not be written"),
            "{}",
            lost.stderr
        );
        lost.stderr
    };
    let told = lost(&["task", "add", "x"]);
    assert!(
        told.contains("task T-3 was created and assigned to ")
            && told.contains("need not be repeated"),
        "{told}"
    );
    assert_eq!(events(), before + 2);
    for _ in 0..2 {
        let told = lost(&["task", "add", "x", "--key", "k"]);
        assert!(
            told.contains("T-4 ") && told.contains("with the same --key it can be repeated"),
            "{told}"
        );
        assert_eq!(events(), before + 4);
    }
    assert!(lost(&["task", "reshuffle"]).contains("open_tasks 3"));
    assert!(lost(&["user", "update", "dora", "--name", "D", "-o", "csv"]).contains("changed true"));
    assert!(lost(&["close"]).contains("date 2026-03-02, result closed"));
    assert!(lost(&["backup", "copy"]).contains("dir copy"));
    let told = lost(&["token", "issue", "dora"]);
    assert!(
        told.contains("was issued for dora")
            && told.contains("token revoke ")
            && !told.contains("v4."),
        "{told}"
    );
    let shown = world
        .call("ada", &["task", "list"])
        .through(&to(&full))
        .expect(1, Nothing, Any)
        .stderr;
    assert!(!shown.contains("carried out"), "{shown}");
    let dry = world
        .call("ada", &["task", "add", "x", "-n"])
        .through(&to(&full))
        .expect(1, Nothing, Any)
        .stderr;
    assert!(!dry.contains("carried out"), "{dry}");
}

#[test]
fn a_stdout_that_is_closed_takes_no_data() {
    let world = busy_world();
    let closed = with_stdout(">&-");
    let run = |words: &[&str]| world.call("ada", words).through(&to(&closed));
    let before = world.log_bytes();
    for words in [
        &["task", "list"][..],
        &["task", "add", "x"],
        &["token", "issue", "dora"],
        &["--version"],
        &["--help"],
    ] {
        run(words).expect(1, Nothing, Has("stdout is closed"));
    }
    assert!(world.log_bytes() == before);
    run(&["task", "add", "x", "--out", "x.json"]).expect(0, Nothing, Nothing);
    run(&["user", "update", "dora", "--name", "D"]).expect(0, Nothing, Nothing);
    run(&["user", "update", "dora", "--name", "E", "-o", "csv"]).expect(
        1,
        Nothing,
        Has("was carried out (changed"),
    );
    run(&["schema", "check"]).expect(0, Nothing, Nothing);
    run(&["task", "show", "99"]).expect(3, Nothing, Has("error: "));
    // Thrown away on purpose, as a shell and Python do it.
    world
        .call("ada", &["task", "list"])
        .through(&to(&with_stdout(">/dev/null")))
        .expect(0, Nothing, Nothing);
    world
        .call("ada", &["task", "list"])
        .through(&to(&with_stdout("1<>/dev/null")))
        .expect(0, Nothing, Nothing);
}

#[test]
fn a_file_that_somebody_else_wrote_is_replaced_only_by_force() {
    let world = busy_world();
    let foreign = [
        (".profile", "export PATH=/bin\n"),
        ("token.csv", "popug_token_x\n"),
        ("people.csv", "login,name,email,role\n"),
        ("package.json", "{\"name\":\"x\"}\n"),
        ("README.md", "# Notes\n"),
        ("data.parquet", "PAR1 of somebody"),
    ];
    for (name, content) in foreign {
        let reason = match name {
            "token.csv" => "holds a token, which may be in use",
            _ => "was not written by popug-cli",
        };
        let path = world.home().join(name);
        std::fs::write(&path, content).expect("written");
        let out = ["--out", name, "-o", "csv"];
        for words in [
            &["report", "balances"][..],
            &["task", "add", "x"],
            &["log", "tail"],
        ] {
            let refused =
                world
                    .call("ada", &[words, &out].concat())
                    .expect(2, Nothing, Has("--force"));
            assert!(refused.stderr.contains(reason), "{}", refused.stderr);
        }
        let rejects = [
            "import",
            "users",
            "-",
            "--on-error",
            "skip",
            "--rejects",
            name,
        ];
        world
            .call("ada", &rejects)
            .stdin("login,name,email,role\n")
            .expect(2, Nothing, Has("--force"));
        assert_eq!(std::fs::read_to_string(&path).expect("text"), content);
        world
            .call(
                "ada",
                &[&["report", "balances", "--force"][..], &out].concat(),
            )
            .expect(0, Nothing, Any);
        assert!(
            std::fs::read_to_string(&path)
                .expect("text")
                .starts_with("date,user_id,")
        );
    }
    assert_eq!(
        world.rows("ada", &["task", "list"]).len(),
        1,
        "something was written before it was refused"
    );
    std::fs::create_dir(world.home().join("reports")).expect("created");
    for name in ["tasks.csv", "manifest.json"] {
        let path = world.home().join("reports").join(name);
        std::fs::write(&path, "{\"mine\":true}\n").expect("written");
        world
            .call("ada", &["export", "--dir", "reports"])
            .expect(2, Nothing, Has("--force"));
        assert_eq!(
            std::fs::read_dir(path.parent().expect("a parent"))
                .expect("a directory")
                .count(),
            1
        );
        std::fs::remove_file(&path).expect("removed");
    }
    std::fs::write(world.home().join("reports/tasks.csv"), "mine\n").expect("written");
    world
        .call("ada", &["export", "--dir", "reports", "--force"])
        .expect(0, Nothing, Any);
    // The manifest names the file, but somebody has written it anew.
    unmark(&world.home().join("reports/balances.csv"));
    world
        .call("ada", &["export", "--dir", "reports"])
        .expect(2, Nothing, Has("balances.csv"));
    std::fs::write(world.home().join("reports/balances.csv"), "mine\n").expect("written");
    world
        .call("ada", &["export", "--dir", "reports"])
        .expect(2, Nothing, Has("balances.csv"));
    let kept = std::fs::read_to_string(world.home().join("reports/balances.csv"));
    assert_eq!(kept.expect("text"), "mine\n");
}

#[test]
fn a_file_that_popug_cli_wrote_is_replaced_while_it_has_its_mark() {
    let world = busy_world();
    let reports = crate::helpers::harness::REPORTS.map(|name| ["report", name]);
    let lists: [&[&str]; 16] = [
        &["task", "list", "--all"],
        &["task", "show", "1"],
        &["user", "list"],
        &["token", "list"],
        &["mail", "list"],
        &["dlq", "list"],
        &["log", "tail"],
        &["log", "show", "1"],
        &["log", "stats"],
        &["status"],
        &["doctor"],
        &["verify"],
        &["whoami"],
        &["consume"],
        &["close"],
        &["backup", "copy"],
    ];
    let commands = reports.iter().map(|words| &words[..]).chain(lists);
    for words in commands {
        for extension in ["csv", "json", "ndjson", "md", "parquet"] {
            let name = format!("{}.{extension}", words.join("-"));
            let run = || {
                world
                    .call("ada", &[words, &["--out", &name, "-q"]].concat())
                    .run()
            };
            let output = run();
            assert!([0, 7].contains(&output.status), "{name}: {}", output.stderr);
            let again = run();
            assert!([0, 7].contains(&again.status), "{name}: {}", again.stderr);
            let path = world.home().join(&name);
            unmark(&path);
            let is_empty = std::fs::read(&path).expect("read").is_empty();
            assert!(is_empty || run().status == 2, "{name}");
        }
    }
    let text = ["task", "list", "-o", "plain", "--out", "open.txt"];
    for _ in 0..2 {
        world.call("ada", &text).expect(0, Nothing, Nothing);
    }
    let reject = [
        "import",
        "users",
        "-",
        "--on-error",
        "skip",
        "--rejects",
        "rejects.csv",
    ];
    for _ in 0..2 {
        let sheet = "login,name,email,role\nBAD,N,n@n.example,worker\n";
        world
            .call("ada", &reject)
            .stdin(sheet)
            .expect(0, Nothing, Has("left out: line 2"));
    }
}

#[test]
fn a_file_with_a_token_is_not_replaced_by_anything() {
    let world = World::new();
    world
        .call("ada", &["token", "issue", "cron", "--out", "token.csv"])
        .expect(0, Nothing, Nothing);
    for words in [
        &["token", "issue", "cron", "--out", "token.csv"][..],
        &["user", "list", "--out", "token.csv"],
    ] {
        world.call("ada", words).expect(2, Nothing, Has("--force"));
    }
}

#[test]
fn two_outputs_of_one_command_are_two_files() {
    let world = World::new();
    let import = [
        "import",
        "users",
        "-",
        "--on-error",
        "skip",
        "--rejects",
        "x.csv",
        "--out",
        "x.csv",
    ];
    let refused = world
        .call("ada", &import)
        .stdin("login,name,email,role\n")
        .expect(2, Nothing, Any);
    assert!(
        refused.stderr.contains("two outputs of one command"),
        "{}",
        refused.stderr
    );
    assert_eq!(hidden(world.home()), Vec::<String>::new());
}
