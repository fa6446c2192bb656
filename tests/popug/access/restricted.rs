//! The restricted shell: attempts to leave its store, its user or its streams, each as a line that a
//! person sends by ssh or types through `sudo`.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::helpers::harness::Text::{Any, Has, Is, Nothing};
use crate::helpers::harness::{Call, PASSWORD, World, last_error};
use crate::helpers::terminal::Terminal;

/// Commands that a restricted shell runs, each with a line that an admin may run.
const ALLOWED: [&str; 18] = [
    "whoami",
    "token list",
    "access list",
    "user list",
    "task list",
    "consume tracker",
    "close",
    "account correct nonsense --reason x",
    "report balances",
    "export journal --format hledger",
    "import users -",
    "mail list",
    "dlq list",
    "log tail",
    "status",
    "check",
    "explain 4",
    "help",
];

/// Commands that it refuses, whatever they are told to do.
const REFUSED: [&str; 18] = [
    "completions bash",
    "__complete 'popug-cli task show '",
    "man stolen",
    "reset-password ada --owner",
    "init --company X --time-zone UTC --currency EUR --admin-login x --admin-name X --admin-email x@x.example",
    "demo --dir stolen",
    "simulate --days 1 --popugs 2 --tasks-per-day 3 --seed 1",
    "login mara",
    "logout",
    "verify",
    "doctor",
    "repair --yes",
    "backup stolen",
    "restore stolen",
    "join postgres://x@127.0.0.1/x",
    "remote adopt postgres://x@127.0.0.1/x",
    "schema list",
    "shell -c whoami",
];

/// Lines that try to use a file, another store or another user.
const OUTSIDE: [&str; 32] = [
    "task add '- a title' --out key",
    "report balances -7d --out key",
    "consume --send-imported",
    "report balances --out stolen.csv",
    "report balances --out=stolen.csv",
    "--out stolen.csv report balances",
    "report balances --out /dev/stdout",
    "report balances --out ../stolen.csv --force",
    "token issue ada --out key",
    "help --out stolen.md report",
    "export --dir stolen",
    "export --dir=stolen --format parquet",
    "export journal --format hledger --out key",
    "import users /etc/passwd",
    "import users /dev/stdin",
    "import tasks link",
    "import users - --on-error skip --rejects stolen.csv",
    "import users -- /etc/passwd",
    "schema check /etc/passwd",
    "check --backup /etc",
    "repair --from stolen",
    "access grant mara --ssh-key /etc/passwd",
    "access grant mara --ssh-key -",
    "-C other whoami",
    "-Cother whoami",
    "whoami --store=other",
    "-C . whoami",
    "--as mara whoami",
    "whoami --as=ada",
    "consume notifier",
    "mail retry 0",
    "consume --follow",
];

/// Lines that another shell, or another program, would read as more than words.
const TRICKS: [(&str, i32, &str); 22] = [
    ("!sh", 2, "unrecognized subcommand"),
    ("whoami; id", 2, "unrecognized subcommand"),
    ("whoami && id", 2, "has no jobs"),
    ("whoami | sh", 2, "has no pipes"),
    ("whoami > stolen", 2, "has no redirection"),
    ("whoami < key", 2, "has no redirection"),
    ("$(id)", 2, "unrecognized subcommand"),
    ("`id`", 2, "unrecognized subcommand"),
    ("task show $HOME", 3, "no task `$HOME`"),
    ("task show ~", 3, "no task `~`"),
    ("task show @key", 3, "no task `@key`"),
    ("@key", 2, "unrecognized subcommand"),
    ("whoami\nid", 2, "U+000A"),
    ("whoami\u{1b}[2J", 2, "U+001B"),
    ("task show '\u{202e}x'", 3, "\\u{202e}"),
    ("whoami 'x", 2, "never closed"),
    ("whoami --ou stolen", 2, "unexpected argument"),
    ("whoami -o/etc/passwd", 2, "invalid value"),
    (
        "report entries --sort \"x; COPY entries TO 'stolen'\"",
        2,
        "column",
    ),
    (
        "report entries --columns \"read_text('/etc/passwd')\"",
        2,
        "column",
    ),
    ("report balances --user \"' OR 1=1 --\"", 3, "no user"),
    ("/usr/lib/openssh/sftp-server", 2, "unrecognized subcommand"),
];

/// Variables that an ssh client may set if the server lets it.
const VARIABLES: [(&str, &str); 13] = [
    ("POPUG_STORE", "other"),
    ("POPUG_TOKEN", "popug_token_made_up"),
    ("POPUG_TOKEN_FILE", "/etc/passwd"),
    ("POPUG_PASSWORD", PASSWORD),
    ("POPUG_NOW", "2036-01-01T00:00:00Z"),
    ("POPUG_SEED", "nonsense"),
    ("POPUG_SEGMENT_BYTES", "nonsense"),
    ("POPUG_SMTP_URL", "nonsense"),
    ("POPUG_MAIL_FROM", "nonsense"),
    ("POPUG_PAGER", "touch stolen"),
    ("PAGER", "touch stolen"),
    ("XDG_STATE_HOME", "/nonexistent"),
    ("COLUMNS", "1"),
];

/// A world with a file to steal, a link to it, and the token of one user in a file.
struct Server {
    world: World,
}

impl Server {
    fn new() -> Server {
        let world = World::new();
        world.does("mara", &["task", "add", "Feed the parrots"]);
        world.does("ada", &["consume"]);
        std::fs::write(world.home().join("key"), "secret\n").expect("written");
        symlink("key", world.home().join("link")).expect("a link");
        Server { world }
    }

    fn token_file(&self, login: &str) -> PathBuf {
        let path = self.world.home().join(format!("token of {login}"));
        std::fs::write(&path, format!("{}\n", self.world.token(login))).expect("written");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("closed");
        path
    }

    /// A restricted shell that acts as `login`, with more words.
    fn shell(&self, login: &str, words: &[&str]) -> Call<'_> {
        let (store, token) = (self.world.store(), self.token_file(login));
        let call = self.world.anonymous(&["-C"]).arg(store);
        let call = call.arg("shell").arg("--restrict").arg("--token-file");
        words.iter().fold(call.arg(token), Call::arg)
    }

    /// A line of `login`.
    fn line(&self, login: &str, line: &str) -> Call<'_> {
        self.shell(login, &["-c", line])
    }

    /// Every file outside the store with its contents, and the events.
    fn outside(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        collect(self.world.home(), &self.world.store(), &mut found);
        found.insert("the log".into(), self.world.log_bytes());
        found
    }
}

fn collect(directory: &Path, but: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path == but {
            continue;
        }
        if path.is_dir() {
            collect(&path, but, found);
        }
        found.insert(path.clone(), std::fs::read(&path).unwrap_or_default());
    }
}

#[test]
fn no_line_leaves_the_store_the_user_or_the_streams_of_a_restricted_shell() {
    let server = Server::new();
    server.token_file("ada");
    let before = server.outside();
    for line in REFUSED.into_iter().chain(OUTSIDE) {
        if line.starts_with("help") {
            server.line("ada", line).expect(2, Nothing, Any);
            continue;
        }
        let output = server
            .line("ada", &format!("-o json {line}"))
            .stdin("login,name,email,role\n")
            .expect(5, Nothing, Any);
        assert_eq!(last_error(&output)["code"], "restricted", "{line}");
        assert!(before == server.outside(), "{line}");
    }
    let refused = server.line("ada", "report balances --out key").run();
    assert_eq!(
        refused.stderr,
        "error: this shell is restricted: --out is not allowed here\n\
         hint: a line reads stdin and writes stdout, as in `ssh HOST report balances -o csv > FILE`\n"
    );
}

#[test]
fn words_mean_nothing_but_themselves_in_a_restricted_shell() {
    let server = Server::new();
    server.token_file("ada");
    let before = server.outside();
    for (line, exit, told) in TRICKS {
        let output = server.line("ada", line).run();
        assert_eq!(
            (output.status, output.stderr.contains(told)),
            (exit, true),
            "{line}: {}",
            output.stderr
        );
        assert!(!output.stdout.contains("secret") && !output.stdout.contains("root:"));
        assert!(before == server.outside(), "{line}");
    }
    // Lines from stdin: too long, not UTF-8, with a NUL, and each is only refused.
    for (script, told) in [
        ("x".repeat(3 << 20), "longer than"),
        ("whoami\0".to_owned(), "U+0000 (NUL)"),
        ("'".repeat(99_999), "never closed"),
        (format!("task show {}", "9".repeat(99_999)), "no task"),
    ] {
        let shell = server.shell("ada", &[]).stdin(&script);
        let output = shell.expect(if told == "no task" { 3 } else { 2 }, Nothing, Any);
        assert!(output.stderr.contains(told), "{}", &output.stderr[..200]);
    }
    assert!(before == server.outside());
}

#[test]
fn every_command_is_either_allowed_or_refused_in_a_restricted_shell() {
    let server = Server::new();
    for line in ALLOWED {
        let output = server
            .line("ada", line)
            .stdin("login,name,email,role\n")
            .run();
        assert!(
            !output.stderr.contains("restricted"),
            "{line}: {}",
            output.stderr
        );
    }
    let help = server.line("ada", "help").expect(0, Any, Nothing).stdout;
    let listed = help.split("Commands:").nth(1).expect("commands");
    let listed = listed.lines().skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| {
        let name = line.strip_prefix("  ").unwrap_or_default();
        name.split(' ').next().filter(|name| !name.is_empty())
    });
    let names: Vec<&str> = names.collect();
    assert!(names.len() > 20, "{help}");
    let first = |line: &'static str| line.split(' ').next().expect("a word");
    for name in names {
        let is_named = |lines: &[&'static str]| lines.iter().any(|line| first(line) == name);
        assert!(is_named(&ALLOWED) != is_named(&REFUSED), "{name}");
    }
}

#[test]
fn a_restricted_shell_believes_no_variable() {
    let server = Server::new();
    let line = |line: &str| {
        let call = server.line("dora", line);
        VARIABLES
            .iter()
            .fold(call, |call, (name, value)| call.env(name, value))
    };
    line("whoami").expect(0, Has("dora"), Nothing);
    line("task add 'By the clock of the machine'").expect(0, Has("T-2"), Any);
    let time = server.world.events().last().expect("an event")["time"].clone();
    assert!(
        !time.as_str().expect("a time").starts_with("2036"),
        "{time}"
    );
    // Without -C the store would come from a variable.
    let open = server.world.anonymous(&["shell", "--restrict"]);
    open.expect(2, Nothing, Has("name the store with -C"));
    let other = server.world.anonymous(&["-C", "the store", "shell"]);
    let other = other.arg("--restrict").arg("--as").arg("ada");
    other.expect(2, Nothing, Has("it takes no --as"));
}

#[test]
fn a_line_has_the_exit_code_streams_and_rights_of_its_command() {
    let server = Server::new();
    server.line("dora", "task complete 99").expect(
        3,
        Nothing,
        Is("error: there is no task `99`\nhint: `popug-cli task list --all` shows every task\n"),
    );
    server
        .line("dora", "task reshuffle")
        .expect(5, Nothing, Has("may not reshuffle tasks"));
    server.line("dora", "").expect(0, Nothing, Nothing);
    server
        .line("dora", "# a comment")
        .expect(0, Nothing, Nothing);
    server.line("dora", "exit").expect(0, Nothing, Nothing);
    server
        .line("ada", "import users -")
        .stdin("login,name,email,role\nlev,Lev,lev@popug.example,worker\n")
        .expect(0, Any, Any);
    server
        .line("ada", "user show lev -o json")
        .expect(0, Has("\"lev\""), Nothing);
    // The shell that is not restricted takes a line too.
    let shell = server.world.call("dora", &["shell", "-c", "whoami"]);
    shell.expect(0, Has("dora"), Nothing);
    let shell = ["shell", "-c", "task list -C other"];
    let shell = server.world.call("dora", &shell);
    shell.expect(10, Nothing, Any);
}

#[test]
fn a_restricted_shell_leaves_mails_to_the_operator() {
    let server = Server::new();
    let consumed = server.line("ada", "consume -o plain").expect(0, Any, Any);
    let names: Vec<&str> = consumed
        .stdout
        .lines()
        .filter_map(|line| line.split('\t').next())
        .collect();
    assert_eq!(names, ["tracker", "accounting", "analytics"]);
    server.line("ada", "consume notifier").expect(
        5,
        Nothing,
        Has("sending mails is not allowed here"),
    );
}

#[test]
fn parquet_goes_to_stdout_too() {
    let server = Server::new();
    let out = server.world.home().join("balances.parquet");
    let call = server.line("ada", "report tasks -o parquet");
    let (out_text, shell) = (out.display().to_string(), "\"$@\" > \"$0\"");
    call.through(&["sh", "-c", shell, &out_text])
        .expect(0, Nothing, Any);
    let bytes = std::fs::read(&out).expect("written");
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
}

#[test]
fn the_line_of_an_ssh_client_is_a_line_of_the_restricted_shell() {
    let server = Server::new();
    let asked = |line: &str| {
        let shell = server.shell("dora", &["--ssh"]);
        shell.env("SSH_ORIGINAL_COMMAND", line)
    };
    asked("whoami").expect(0, Has("dora"), Nothing);
    asked("whoami > stolen").expect(2, Nothing, Any);
    asked("--as ada whoami").expect(5, Nothing, Has("--as is not allowed here"));
    asked("scp -t /srv/popug").expect(2, Nothing, Any);
    // Without a command, and without a terminal, the lines come from stdin.
    asked("").stdin("whoami\n").expect(0, Has("dora"), Nothing);
    let not_asked = server.line("dora", "whoami");
    not_asked
        .env("SSH_ORIGINAL_COMMAND", "backup x")
        .expect(0, Has("dora"), Nothing);
    let bytes: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"who\xffami");
    let shell = server.shell("dora", &["--ssh"]);
    let shell = shell.env("SSH_ORIGINAL_COMMAND", bytes);
    shell.expect(2, Nothing, Has("is not UTF-8"));
}

#[test]
fn the_token_of_a_restricted_shell_is_closed_to_others_and_ends_with_its_access() {
    let server = Server::new();
    let file = server.token_file("dora");
    let shell = |words: &[&str]| server.shell("dora", words);
    shell(&["-c", "whoami"]).expect(0, Has("dora"), Nothing);
    let call = server.line("dora", "whoami");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).expect("opened");
    call.expect(5, Nothing, Has("is open to other users"));
    let call = server.line("dora", "whoami");
    std::fs::write(&file, "root:x:0:0\n").expect("written");
    let output = call.expect(5, Nothing, Any);
    assert!(!output.stderr.contains("root:"), "{}", output.stderr);
    let call = server.line("dora", "whoami");
    std::fs::remove_file(&file).expect("removed");
    call.expect(5, Nothing, Has("there is no access any more"));
}

#[test]
fn at_a_terminal_a_restricted_shell_keeps_no_history_and_shows_no_files_and_no_pager() {
    let server = Server::new();
    let tasks: String = (0..60).map(|n| format!("{n},Task {n}\n")).collect();
    let import = server.world.call("ada", &["import", "tasks", "-"]);
    let import = import.stdin(&format!("key,title\n{tasks}"));
    import.expect(0, Any, Any);
    let shell = server.shell("ada", &[]);
    let shell = shell.env("POPUG_PAGER", "touch stolen; cat");
    let before = server.outside();
    let terminal = Terminal::with(&server.world, shell);
    terminal.ends_with("UberPopug Inc.:ada> ");
    // More lines than the screen has.
    terminal.enters("help report");
    terminal.ends_with("UberPopug Inc.:ada> ");
    terminal.enters("user list -o csv");
    terminal.has("walt@popug.example");
    terminal.enters("task list");
    terminal.has("Task 59");
    terminal.ends_with("UberPopug Inc.:ada> ");
    terminal.types("import users k");
    terminal.presses("Tab");
    terminal.types("|");
    terminal.ends_with("UberPopug Inc.:ada> import users k|");
    terminal.presses("C-c");
    terminal.ends_with("UberPopug Inc.:ada> ");
    terminal.types("-C other user show do");
    terminal.presses("Tab");
    terminal.ends_with("UberPopug Inc.:ada> -C other user show dora");
    terminal.presses("C-c");
    terminal.ends_with("UberPopug Inc.:ada> ");
    terminal.enters("whoami --out key");
    terminal.has("this shell is restricted: --out is not allowed here");
    terminal.presses("Up");
    terminal.ends_with("UberPopug Inc.:ada> whoami --out key");
    terminal.presses("C-c");
    terminal.ends_with("UberPopug Inc.:ada> ");
    let after = server.outside();
    let changed = |path: &&PathBuf| !path.to_string_lossy().contains("tmux");
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| -> Vec<PathBuf> {
        files.keys().filter(changed).cloned().collect()
    };
    assert_eq!(names(&before), names(&after));
    terminal.presses("C-d");
    assert_eq!(terminal.ended(), 0);
}

#[test]
fn without_a_token_a_restricted_shell_acts_by_the_session_of_the_caller() {
    let server = Server::new();
    let set = ["user", "set-password", "dora", "--password-stdin"];
    let set = server.world.call("ada", &set);
    set.stdin(PASSWORD).expect(0, Any, Any);
    let shell = || {
        let shell = server.world.anonymous(&["-C"]).arg(server.world.store());
        shell.arg("shell").arg("--restrict")
    };
    let line = |line: &str| shell().arg("-c").arg(line);
    line("whoami").expect(5, Nothing, Has("you are not logged in"));
    let terminal = Terminal::with(&server.world, shell());
    terminal.ends_with("popug-cli> ");
    terminal.enters("login dora");
    terminal.answers("Password of dora:", PASSWORD);
    terminal.ends_with("UberPopug Inc.:dora> ");
    terminal.enters("whoami");
    terminal.has("dora Popug (dora), developer");
    line("whoami").expect(0, Has("dora"), Nothing);
    line("logout").expect(0, Nothing, Nothing);
    line("whoami").expect(5, Nothing, Has("you are not logged in"));
}
