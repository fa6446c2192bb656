//! Pipes, formats, locales and environments, as shells and cron jobs need them.

use std::fs::Permissions;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use serde_json::Value;

use crate::helpers::deadline::Child;
use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::{INIT, PASSWORD, World};
use crate::helpers::settings::library_path;

const NASTY: &str = "a\u{202e}b\u{1b}(31mc\u{7}";

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let world = World::new();
    let long = "x".repeat(400);
    for _ in 0..8 {
        world.does(
            "mara",
            &["task", "add", "Pipe", "--description", &long.repeat(100)],
        );
    }
    world.does("ada", &["consume"]);
    let commands: [&[&str]; 6] = [
        &["task", "list"],
        &["task", "list", "-o", "json"],
        &["log", "tail", "--from", "1"],
        &["report", "tasks", "-o", "csv"],
        &["schema", "show", "envelope"],
        &["--help"],
    ];
    for words in commands {
        let mut child = world.call("ada", words).spawn();
        drop(child.stdout.take());
        let mut told = String::new();
        child
            .stderr
            .take()
            .expect("a pipe")
            .read_to_string(&mut told)
            .expect("UTF-8");
        assert_eq!(
            (child.wait().code(), told.as_str()),
            (Some(0), ""),
            "{words:?}"
        );
    }
}

#[test]
fn a_reader_that_is_gone_before_the_answer_hears_what_was_done() {
    let world = World::new();
    let mut child = world.call("ada", &["token", "issue", "ada"]).spawn();
    drop(child.stdout.take());
    let output = child.output();
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("the command was carried out ("), "{told}");
    assert!(!told.contains("popug_token_"), "{told}");
}

#[test]
fn an_answer_that_cannot_be_shown_is_a_failure() {
    let world = World::new();
    world.does("mara", &["task", "add", "Something to show"]);
    world.does("ada", &["consume"]);
    for words in [
        &["task", "list"][..],
        &["report", "balances"],
        &["status"],
        &["--help"],
        &["--version"],
        &["schema", "list"],
    ] {
        let full =
            world
                .call("ada", words)
                .through(&["/bin/sh", "-c", "exec \"$0\" \"$@\" >/dev/full"]);
        full.expect(1, Nothing, Has("No space left on device"));
    }
}

#[test]
fn control_and_bidirectional_characters_are_escaped_for_people_and_kept_for_programs() {
    let world = World::new();
    world.does("mara", &["task", "add", NASTY, "--description", NASTY]);
    for format in ["table", "plain", "md"] {
        let shown = world.answer("mara", &["task", "list", "-o", format]);
        assert!(
            shown.contains("b\\u{1b}(31mc") || shown.contains("\\u{1b}"),
            "{format}: {shown:?}"
        );
        assert!(
            !shown.contains(['\u{202e}', '\u{1b}', '\u{7}']),
            "{format}: {shown:?}"
        );
    }
    assert!(
        !world
            .answer("mara", &["task", "show", "1"])
            .contains(['\u{202e}', '\u{1b}', '\u{7}'])
    );
    assert_eq!(world.rows("mara", &["task", "list"])[0]["title"], NASTY);
    let refused = world
        .call("mara", &["task", "show", NASTY])
        .expect(3, Nothing, Any);
    assert!(
        !refused.stderr.contains(['\u{202e}', '\u{1b}', '\u{7}']),
        "{:?}",
        refused.stderr
    );
}

#[test]
fn every_format_says_the_same() {
    let world = World::new();
    world.does("mara", &["task", "add", "=1+1", "--jira-id", "UP-1"]);
    world.does("ada", &["consume"]);
    let of = |format: &str| world.answer("ada", &["report", "tasks", "-o", format]);
    let json: Value = serde_json::from_str(&of("json")).expect("JSON");
    let row = &json["rows"][0];
    let ndjson: Value =
        serde_json::from_str(of("ndjson").lines().next().expect("a line")).expect("JSON");
    assert_eq!(&ndjson, row);
    let fee = row["fee"].as_str().expect("money");
    let csv = of("csv");
    let (header, line) = csv.split_once('\n').expect("a header");
    assert_eq!(
        header,
        "task_id,number,title,jira_id,description,status,created_by,created_at,assignee,assigned_at,assignments,fee,reward,fees_charged,completed_at,completed_by"
    );
    assert!(
        line.contains(",'=1+1,UP-1,,open,mara,") && line.contains(fee) && !csv.contains('\r'),
        "{csv}"
    );
    assert!(
        of("plain").contains("\t=1+1\tUP-1\t\topen\tmara\t"),
        "{}",
        of("plain")
    );
    assert!(of("md").starts_with("| ") && of("md").contains("=1+1"));
    assert!(of("table").contains("=1+1"));
}

#[test]
fn data_goes_into_a_file_whose_extension_names_the_format() {
    let world = World::new();
    world.does("ada", &["consume"]);
    for extension in ["csv", "json", "ndjson", "md", "parquet"] {
        let file = world.home().join(format!("balances.{extension}"));
        world
            .call("ada", &["report", "balances", "--out"])
            .arg(&file)
            .expect(0, Nothing, Nothing);
        let bytes = std::fs::read(&file).expect("a file");
        match extension {
            "parquet" => assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1")),
            _ => assert!(String::from_utf8(bytes).expect("UTF-8").contains("ada")),
        }
    }
    let file = world.home().join("balances.xls");
    world
        .call("ada", &["report", "balances", "--out"])
        .arg(&file)
        .expect(2, Nothing, Has("names no format"));
    assert!(!file.exists());
    let nowhere = world.home().join("missing/balances.csv");
    world
        .call("ada", &["report", "balances", "--out"])
        .arg(&nowhere)
        .expect(1, Nothing, Has("cannot write"));
}

#[test]
fn a_text_goes_into_a_file_whose_extension_fits_it() {
    let world = World::new();
    world.does("ada", &["consume"]);
    let journal = |format: &'static str, name: &str| {
        let words = ["export", "journal", "--format", format, "--out"];
        world.call("ada", &words).arg(world.home().join(name))
    };
    for (format, names) in [
        ("hledger", ["a.journal", "a.j", "a.DAT", "a"]),
        ("beancount", ["b.beancount", "b.bean", "b.txt", "b"]),
    ] {
        for name in names {
            journal(format, name).expect(0, Nothing, Any);
            assert!(world.home().join(name).exists(), "{name}");
        }
        for name in ["x.xyz", "x.csv", "x.json", "x.parquet", "x."] {
            journal(format, name).expect(2, Nothing, Has("names no format of this command"));
            assert!(!world.home().join(name).exists(), "{name}");
        }
    }
    journal("beancount", "x.journal").expect(2, Nothing, Has("use .beancount, .bean, .txt"));
    let schema = ["schema", "show", "envelope", "--out"];
    let file = |name: &str| world.call("ada", &schema).arg(world.home().join(name));
    file("envelope.json").expect(0, Nothing, Nothing);
    file("envelope.csv").expect(2, Nothing, Has("use .json"));
}

#[test]
fn a_written_file_takes_what_killed_processes_left_beside_it_away_and_nothing_else() {
    let world = World::new();
    world.does("ada", &["consume"]);
    let mut ended = Child::start(&mut std::process::Command::new("true"));
    let gone = ended.id();
    assert!(ended.wait().success());
    let alive = std::process::id();
    let make = |name: String, mode: u32| {
        let path = world.home().join(name);
        std::fs::write(&path, "x").expect("written");
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).expect("changed");
        path
    };
    let leftovers = [
        make(format!(".balances.csv.{gone}"), 0o600),
        make(format!(".entries.csv.{gone}"), 0o600),
    ];
    let others = [
        make(format!(".balances.csv.{alive}"), 0o600),
        make(format!(".balances.csv.{gone}.old"), 0o600),
        make(format!(".mine.csv.{gone}"), 0o600),
        make(format!(".statement.csv.{gone}"), 0o644),
        make(".tasks.csv.20261122".to_owned(), 0o600),
    ];
    world
        .call("ada", &["export", "--dir"])
        .arg(world.home())
        .expect(0, Nothing, Any);
    assert!(leftovers.iter().all(|path| !path.exists()));
    assert!(others.iter().all(|path| path.exists()));
}

#[test]
fn nothing_is_written_over_a_store_or_a_backup() {
    let world = World::new();
    world.does("cron", &["backup", "copy"]);
    let before = (
        world.log_bytes(),
        std::fs::read(world.home().join("copy/manifest.json")).expect("a manifest"),
    );
    for out in [
        "the store/log/head",
        "the store/auth/passwords.json",
        "the store/new.csv",
        "copy/manifest.json",
    ] {
        world
            .call("ada", &["task", "list", "-o", "csv", "--out", out])
            .expect(2, Nothing, Has("nothing is written there"));
    }
    for dir in ["the store", "the store/log", "copy", "copy/log"] {
        world.call("ada", &["export", "--dir", dir]).expect(
            2,
            Nothing,
            Has("nothing is written there"),
        );
    }
    let after = (
        world.log_bytes(),
        std::fs::read(world.home().join("copy/manifest.json")).expect("a manifest"),
    );
    assert!(before == after);
}

#[test]
fn output_is_utf8_in_every_locale() {
    let world = World::new();
    world.does("ada", &["user", "update", "dora", "--name", "Дора Попуг"]);
    for locale in ["C", "POSIX", "ru_RU.KOI8-R", ""] {
        world
            .call("dora", &["whoami"])
            .env("LC_ALL", locale)
            .expect(0, Has("\tdora\tДора Попуг\tdeveloper\ttrue\n"), Nothing);
    }
}

#[test]
fn an_empty_environment_is_enough() {
    let world = World::new();
    let bare = |words: &[&str]| {
        let names = [
            "LC_ALL",
            "COLUMNS",
            "HOME",
            "POPUG_STORE",
            "POPUG_NOW",
            "POPUG_SEED",
        ];
        names
            .into_iter()
            .fold(world.anonymous(words), |call, name| call.without(name))
    };
    bare(&["--version"]).expect(0, Has("popug-cli 0."), Nothing);
    bare(&["schema", "list"]).expect(0, Has("task.created.v2"), Nothing);
    bare(&["whoami"]).expect(10, Nothing, Has("there is no store in ./popug-store"));
    let token = world.token("dora");
    let store = world.store();
    bare(&["whoami", "-C"])
        .arg(&store)
        .env("POPUG_TOKEN", token)
        .expect(0, Has("dora"), Nothing);
    bare(&["task", "add", "Real time", "-C"])
        .arg(&store)
        .env("POPUG_TOKEN", token)
        .expect(0, Has("T-1\t"), Nothing);
}

#[test]
fn without_a_home_a_token_still_works_and_a_login_says_what_is_missing() {
    let world = World::new();
    world
        .call("dora", &["whoami"])
        .without("HOME")
        .expect(0, Has("dora"), Nothing);
    let login = world
        .anonymous(&["login", "ada"])
        .without("HOME")
        .env("POPUG_PASSWORD", PASSWORD);
    login.expect(
        1,
        Nothing,
        Has("hint: set HOME, or put a token into POPUG_TOKEN"),
    );
    let state = world.home().join("state");
    let login = world
        .anonymous(&["login", "ada"])
        .without("HOME")
        .env("XDG_STATE_HOME", &state);
    login
        .env("POPUG_PASSWORD", PASSWORD)
        .expect(0, Nothing, Nothing);
    world
        .anonymous(&["whoami"])
        .without("HOME")
        .env("XDG_STATE_HOME", &state)
        .expect(0, Has("ada"), Nothing);
}

#[test]
fn scripts_hear_nothing_on_success_but_what_they_asked_for() {
    let world = World::new();
    let silent: [&[&str]; 7] = [
        &["user", "update", "dora", "--name", "D"],
        &["user", "set-role", "dora", "worker"],
        &["user", "deactivate", "dora"],
        &["user", "reactivate", "dora"],
        &["user", "reactivate", "dora"],
        &["logout"],
        &["schema", "check"],
    ];
    for words in silent {
        world.call("ada", words).expect(0, Nothing, Nothing);
    }
    let task = world.json("mara", &["task", "add", "Silence"]);
    let assignee = task["assignee"].as_str().expect("a login").to_owned();
    world
        .call(&assignee, &["task", "complete", "1"])
        .expect(0, Nothing, Nothing);
}

#[test]
fn the_founding_answers_only_when_asked() {
    let world = World::empty();
    let init = || {
        world
            .anonymous(&INIT)
            .arg("--password-stdin")
            .stdin(PASSWORD)
    };
    let answer = init().arg("-o").arg("json").expect(0, Any, Nothing).json();
    assert!(answer["company_id"].is_string() && answer["admin_id"].is_string());
    init().expect(4, Nothing, Has("already exists"));
}

#[test]
fn a_report_that_lags_says_so_and_how_to_catch_up() {
    let world = World::new();
    world.does("ada", &["consume"]);
    world.does("mara", &["task", "add", "News"]);
    let lag = world
        .call("ada", &["report", "balances", "-o", "json", "--no-consume"])
        .expect(0, Any, Has("`popug-cli consume accounting` catches up"));
    let report = lag.json();
    assert!(report["as_of_sequence"].as_u64() < report["head_sequence"].as_u64());
    world
        .call("ada", &["report", "balances", "-q", "--no-consume"])
        .expect(0, Any, Nothing);
}

#[test]
fn nobody_is_asked_anything_off_a_terminal() {
    let world = World::new();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_popug-cli"));
    command
        .args(["whoami", "--as", "ada", "-C"])
        .arg(world.store())
        .env_clear()
        .envs(library_path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = Child::start(&mut command);
    // Its stdin stays open, so that a question would wait for an answer.
    let _open = child.stdin.take();
    assert_eq!(child.wait().code(), Some(2));
}

#[test]
fn rejects_are_not_written_over_what_is_imported_or_the_store() {
    let world = World::new();
    let sheet = "login,name,email,role\nnew,N,no address,worker\n";
    let (input, log) = (world.home().join("people.csv"), world.log_bytes());
    std::fs::write(&input, sheet).expect("written");
    std::fs::hard_link(&input, world.home().join("twin.csv")).expect("linked");
    std::os::unix::fs::symlink(&input, world.home().join("link.csv")).expect("linked");
    std::os::unix::fs::symlink(world.store().join("log"), world.home().join("books"))
        .expect("linked");
    let import = |file: &str, rejects: &str| {
        world.call(
            "ada",
            &[
                "import",
                "users",
                file,
                "--on-error",
                "skip",
                "--rejects",
                rejects,
            ],
        )
    };
    for rejects in [
        "people.csv",
        "twin.csv",
        "link.csv",
        "../nowhere/../people.csv",
    ] {
        import("people.csv", rejects).expect(2, Nothing, Has("--rejects"));
    }
    let stdin = ["/bin/sh", "-c", "exec \"$0\" \"$@\" < people.csv"];
    import("-", "twin.csv")
        .through(&stdin)
        .expect(2, Nothing, Has("the file that is imported"));
    let segment = format!("{:020}.ndjson", 1);
    for rejects in [
        "log/head",
        "log/new",
        "auth/passwords.json",
        "state.sqlite",
        &format!("log/{segment}"),
    ] {
        import("people.csv", &format!("the store/{rejects}")).expect(
            2,
            Nothing,
            Has("in the store"),
        );
    }
    let _ =
        import("people.csv", &format!("books/{segment}")).expect(2, Nothing, Has("in the store"));
    assert!(
        std::fs::read_to_string(&input).expect("it stays") == sheet && world.log_bytes() == log
    );
    import("people.csv", "rejects.csv").expect(0, Any, Any);
    assert!(world.home().join("rejects.csv").exists());
}
