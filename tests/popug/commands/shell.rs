//! The shell as a script: many lines in one process do the same as many processes, and the first
//! failing line ends it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::helpers::deadline::Child;
use crate::helpers::harness::Text::{Any, Has, Is, Nothing};
use crate::helpers::harness::{PASSWORD, World};

const PATIENCE: Duration = Duration::from_secs(30);

/// The error objects of a run with `-o json`.
fn errors(stderr: &str) -> Vec<Value> {
    let object = |line: &str| -> Value {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    };
    stderr
        .lines()
        .map(|line| object(line)["error"].clone())
        .collect()
}

#[test]
fn two_commands_in_one_process_leave_the_log_of_two_processes() {
    let (one, two) = (World::new(), World::new());
    let lines: [&[&str]; 5] = [
        &["task", "add", "Накормить попугов", "--key", "feed"],
        &[
            "task",
            "add",
            "[UP-7] It's \"new\"",
            "--description",
            "a\\b # c",
        ],
        &["task", "reshuffle"],
        &["consume"],
        &["user", "update", "dora", "--name", "Dora | Popug"],
    ];
    let script = "# the morning\n\ntask add 'Накормить попугов' --key feed\r\n\
                  popug-cli task add \"[UP-7] It's \\\"new\\\"\" --description a\\\\b\\ #\\ c\n\
                  \ttask reshuffle   # all of them\nconsume\nuser update dora --name 'Dora | Popug'";
    let script = script.replace(" #\\ c", " \\#\\ c");
    let apart: String = lines
        .iter()
        .map(|words| two.call("ada", words).expect(0, Any, Any).stdout)
        .collect();
    let together = one
        .call("ada", &["shell"])
        .stdin(&format!("\u{feff}{script}"))
        .expect(0, Is(&apart), Any);
    assert!(
        together.stderr.contains("read as jira id UP-7"),
        "{}",
        together.stderr
    );
    assert_eq!(one.log_lines(), two.log_lines());
}

#[test]
fn the_first_failure_ends_a_script_with_its_exit_code_and_line() {
    let world = World::new();
    let script = "task add One\n\n# a comment\ntask complete 99\ntask add Never\n";
    let wanted = "error: there is no task `99`\nhint: `popug-cli task list --all` shows every task\n\
                  error: line 4: `task complete 99` ended with exit code 3\n\
                  hint: nothing after it was run; --keep-going runs all lines\n";
    let output = world
        .call("ada", &["shell"])
        .stdin(script)
        .expect(3, Has("T-1\t"), Any);
    assert_eq!(output.stderr, wanted);
    assert_eq!(world.rows("ada", &["task", "list"]).len(), 1);
}

#[test]
fn a_script_that_keeps_going_runs_every_line_and_ends_with_the_first_failure() {
    let world = World::new();
    let script = "task complete 99\nnonsense\ntask add One\ntask add 'Two\ntask add Two\n";
    let output = world
        .call("ada", &["shell", "--keep-going", "-o", "json"])
        .stdin(script)
        .expect(3, Any, Any);
    let codes: Vec<_> = errors(&output.stderr)
        .iter()
        .map(|error| {
            (
                error["code"].as_str().expect("a code").to_owned(),
                error["exit"].as_i64().expect("an exit"),
            )
        })
        .collect();
    let wanted = [
        ("unknown_task", 3),
        ("line_failed", 3),
        ("usage", 2),
        ("line_failed", 2),
        ("usage", 2),
        ("line_failed", 2),
    ];
    assert_eq!(codes, wanted.map(|(code, exit)| (code.to_owned(), exit)));
    assert!(
        output
            .stderr
            .contains("line 4: `task add 'Two` ended with exit code 2"),
        "{}",
        output.stderr
    );
    assert_eq!(world.rows("ada", &["task", "list"]).len(), 2);
}

#[test]
fn a_key_given_twice_in_one_process_is_one_task() {
    let world = World::new();
    let line = "task add Once --key once\n";
    let output = world
        .call("ada", &["shell", "-o", "json"])
        .stdin(&line.repeat(2))
        .expect(0, Any, Nothing);
    let answers: Vec<Value> = output
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(
        (&answers[0]["replayed"], &answers[1]["replayed"]),
        (&Value::Bool(false), &Value::Bool(true))
    );
    assert_eq!(answers[0]["task_id"], answers[1]["task_id"]);
    let conflict = world
        .call("ada", &["shell"])
        .stdin("task add Other --key once\n")
        .expect(4, Nothing, Any);
    assert!(conflict.stderr.contains("line 1: "), "{}", conflict.stderr);
}

#[test]
fn a_malformed_line_is_refused_by_column_before_anything_is_run() {
    let world = World::new();
    let before = world.log_bytes();
    for (line, wanted) in [
        ("task add Ada's", "column 13: the quote ' is never closed"),
        ("task list | less", "this shell has no pipes"),
        ("task list > x", "`--out FILE` writes a file"),
        ("task add a\0b", "column 11: U+0000 (NUL)"),
        ("task add x\\", "nothing follows the backslash"),
    ] {
        world
            .call("ada", &["shell"])
            .stdin(line)
            .expect(2, Nothing, Has(wanted));
    }
    let mut child = world.call("ada", &["shell"]).talk();
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(b"# fine\ntask add \xff\n")
        .expect("written");
    let output = child.output();
    assert_eq!(output.status.code(), Some(2));
    let wanted = "error: line 2: byte 10 is not UTF-8\nhint: nothing after it was run; --keep-going runs all lines\n";
    assert_eq!(String::from_utf8_lossy(&output.stderr), wanted);
    assert!(world.log_bytes() == before);
}

#[test]
fn a_script_that_keeps_going_goes_on_behind_a_line_that_cannot_be_read() {
    let world = World::new();
    let mut child = world
        .call("ada", &["shell", "--keep-going", "-o", "json"])
        .talk();
    let too_long = [b"task add ", &vec![b'x'; 1 << 20][..], b"\n"].concat();
    let script = [
        b"task add \xff\ntask add One\n",
        &*too_long,
        b"task add Two\n",
    ]
    .concat();
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(&script)
        .expect("written");
    let output = child.output();
    assert_eq!(output.status.code(), Some(2));
    let errors = errors(&String::from_utf8_lossy(&output.stderr));
    let messages: Vec<_> = errors
        .iter()
        .map(|error| error["message"].as_str().expect("a message"))
        .collect();
    assert_eq!(
        messages,
        [
            "line 1: byte 10 is not UTF-8",
            "line 3: it is longer than 1048576 bytes"
        ]
    );
    let titles: Vec<_> = world
        .rows("ada", &["task", "list"])
        .iter()
        .map(|row| row["title"].clone())
        .collect();
    assert_eq!(titles, ["One", "Two"]);
}

#[test]
fn a_command_that_reads_stdin_does_not_eat_the_script() {
    let world = World::new();
    let register =
        "user register --login x --name X --email x@popug.example --role worker --password-stdin";
    for line in [
        "import tasks -",
        "user set-password --password-stdin",
        "schema check -",
        register,
    ] {
        let script = format!("{line}\ntask add Eaten\n");
        world.call("ada", &["shell"]).stdin(&script).expect(
            2,
            Nothing,
            Has("reads stdin, which is the script"),
        );
        world
            .call("ada", &["shell", "--keep-going"])
            .stdin(&script)
            .expect(2, Has("T-"), Any);
    }
    assert_eq!(world.rows("ada", &["task", "list"]).len(), 4);
}

#[test]
fn options_of_the_shell_hold_for_each_line_that_does_not_give_its_own() {
    let world = World::new();
    world.does("ada", &["task", "add", "One"]);
    let script =
        "task list\n-o csv task list\ntask list -o plain -C 'the store'\n-C elsewhere status\n";
    let words = ["-o", "json", "shell", "--as", "dora", "-C", "the store"];
    let password = "another long password";
    let set = world.call("ada", &["user", "set-password", "dora", "--password-stdin"]);
    set.stdin(password).expect(0, Nothing, Nothing);
    let call = world
        .anonymous(&words)
        .without("POPUG_STORE")
        .env("POPUG_PASSWORD", password);
    let output = call.stdin(script).expect(10, Any, Any);
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert!(
        lines[0].starts_with("{\"report\":\"tasks\""),
        "{}",
        output.stdout
    );
    assert!(
        lines[1].starts_with("task_id,number,") && lines[3].contains("\t1\tOne\t"),
        "{}",
        output.stdout
    );
    assert_eq!(errors(&output.stderr)[0]["code"], "no_store");
    let added = world
        .call("ada", &["shell", "-n"])
        .stdin("task add Two\n")
        .expect(0, Has("task.created.v2"), Nothing);
    assert_eq!(added.stdout.lines().count(), 2);
    assert_eq!(world.rows("ada", &["task", "list"]).len(), 1);
}

#[test]
fn help_is_that_of_the_command_line_and_exit_leaves() {
    let world = World::new();
    let help = |words: &[&str]| world.anonymous(words).expect(0, Any, Nothing).stdout;
    let wanted = [
        help(&["--help"]),
        help(&["task", "add", "--help"]),
        help(&["task", "--help"]),
    ]
    .concat();
    assert_eq!(
        [
            help(&["help"]),
            help(&["help", "task", "add"]),
            help(&["-q", "help", "task"])
        ]
        .concat(),
        wanted
    );
    let script = "help\nhelp task add\npopug-cli help task\nquit\nnonsense\n";
    world
        .anonymous(&["shell"])
        .stdin(script)
        .expect(0, Is(&wanted), Nothing);
    let short = "?\n? task add\n? task\nq\nnonsense\n";
    world
        .anonymous(&["shell"])
        .stdin(short)
        .expect(0, Is(&wanted), Nothing);
    world
        .anonymous(&["shell"])
        .stdin("")
        .expect(0, Nothing, Nothing);
    world
        .anonymous(&["shell"])
        .stdin("  exit  # now\nnonsense\n")
        .expect(0, Nothing, Nothing);
}

#[test]
fn options_that_make_no_sense_for_a_shell_are_refused() {
    let world = World::new();
    world.call("ada", &["shell", "--key", "k"]).expect(
        2,
        Nothing,
        Has("--key belongs to one command"),
    );
    world.call("ada", &["shell", "--out", "x.csv"]).expect(
        2,
        Nothing,
        Has("--out belongs to one command"),
    );
    world
        .call("ada", &["shell"])
        .stdin("shell\n")
        .expect(2, Nothing, Has("this is the shell"));
    world
        .call("ada", &["shell", "task", "list"])
        .expect(2, Nothing, Has("unexpected argument"));
}

/// Files of the store that a process has open.
fn open_files(child: &Child, store: &Path) -> Vec<PathBuf> {
    let descriptors =
        std::fs::read_dir(format!("/proc/{}/fd", child.id())).expect("a running process");
    let files = descriptors
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok());
    files.filter(|path| path.starts_with(store)).collect()
}

#[test]
fn between_two_lines_nothing_is_open_and_others_consume() {
    let world = World::new();
    let mut shell = world.call("ada", &["shell", "-o", "ndjson"]).talk();
    let mut to = shell.stdin.take().expect("a pipe");
    let mut answers = BufReader::new(shell.stdout.take().expect("a pipe")).lines();
    let mut asks = |line: &str| {
        to.write_all(line.as_bytes()).expect("written");
        answers.next().expect("an answer").expect("UTF-8")
    };
    for round in 0..2 {
        asks(&format!("task add 'Task {round}'\n"));
        let balances = asks(
            "report trial-balance\nreport balances --user ada\nreport negative\nuser show cron\n",
        );
        assert!(balances.starts_with('{'), "{balances}");
        // A service user has no account, so this is the answer of the last line.
        while !asks("").contains("cron Popug") {}
        // It has answered, and is about to release the files.
        let began = Instant::now();
        loop {
            let open = open_files(&shell, &world.store());
            if open.is_empty() {
                break;
            }
            assert!(began.elapsed() < PATIENCE, "still open: {open:?}");
        }
        let consumed = world
            .call("ada", &["consume", "--lock-wait", "0s", "-o", "json"])
            .expect(0, Any, Nothing);
        assert_eq!(consumed.json()["rows"][1]["to"], world.log_lines().len());
    }
    drop(to);
    assert!(shell.wait().success());
}

#[test]
fn a_shell_whose_output_nobody_reads_ends_and_names_the_last_line_that_was_run() {
    let world = World::new();
    let mut shell = world.call("ada", &["shell"]).talk();
    drop(shell.stdout.take());
    let script = "task add One\ntask add Two\ntask add Three\n";
    let _ = shell
        .stdin
        .take()
        .expect("a pipe")
        .write_all(script.as_bytes());
    let output = shell.output();
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("the command was carried out (task T-1 was created"),
        "{told}"
    );
    assert!(
        told.contains("line 1: `task add One` ended with exit code 1"),
        "{told}"
    );
    assert_eq!(world.rows("ada", &["task", "list"]).len(), 1);
}

#[test]
fn a_company_is_founded_and_run_in_one_script() {
    let world = World::empty();
    let script = format!(
        "init --company 'UberPopug Inc.' --time-zone UTC --currency EUR --admin-login ada --admin-name Ada \
         --admin-email ada@popug.example\nlogin ada\n\
         user register --login dora --name Dora --email d@popug.example --role developer\n\
         task add 'Feed the parrots' --key feed\nconsume\nreport tasks\n{}\nverify --deep\n",
        "task list # the same again"
    );
    let call = world
        .anonymous(&["shell", "-q"])
        .env("POPUG_PASSWORD", PASSWORD);
    call.stdin(&script)
        .expect(0, Has("Feed the parrots"), Nothing);
}
