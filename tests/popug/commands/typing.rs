//! The shell at a terminal, as a user sees it. The terminal is tmux.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::helpers::deadline;
use crate::helpers::harness::{Call, PASSWORD, World};

const PATIENCE: Duration = Duration::from_secs(30);
const SETTINGS: &str = "set -sg escape-time 0\n";
/// Prints how the program ended, which a terminal does not show. Ctrl-C is for the program alone.
const AROUND: &str = r#"trap : INT; "$@"; echo "[ended with $?]"; sleep 600"#;
const PROMPT: &str = "UberPopug Inc.:ada> ";

/// A terminal in which a program runs.
struct Terminal {
    socket: PathBuf,
}

impl Terminal {
    fn with(world: &World, call: Call<'_>) -> Terminal {
        static OPENED: AtomicUsize = AtomicUsize::new(0);
        let socket = world
            .home()
            .join(format!("tmux-{}", OPENED.fetch_add(1, Ordering::Relaxed)));
        let settings = world.home().join("tmux.conf");
        std::fs::write(&settings, SETTINGS).expect("written");
        let words = call.env("TERM", "screen").sealed_words();
        let mut tmux = tmux(&socket);
        let _ =
            tmux.arg("-f")
                .arg(settings)
                .args(["new-session", "-d", "-x", "100", "-y", "40", "-c"]);
        succeeded(
            tmux.arg(world.home())
                .args(["sh", "-c", AROUND, "sh"])
                .args(words),
        );
        Terminal { socket }
    }

    fn does(&self, words: &[impl AsRef<OsStr>]) -> String {
        let output = succeeded(tmux(&self.socket).args(words));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn types(&self, text: &str) {
        self.does(&["send-keys", "-l", "--", text]);
    }

    fn presses(&self, key: &str) {
        self.does(&["send-keys", key]);
    }

    /// Types a line and ends it when it is visible, so that the next prompt is a new one.
    fn enters(&self, line: &str) {
        self.types(line);
        self.shows(line, |screen| {
            screen
                .trim_end()
                .lines()
                .last()
                .is_some_and(|last| last.ends_with(line))
        });
        self.presses("Enter");
    }

    fn screen(&self) -> String {
        self.does(&["capture-pane", "-p"])
    }

    /// Waits until the screen `is_so`.
    fn shows(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "{what} was never to be seen:\n{screen}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn has(&self, text: &str) -> String {
        self.shows(text, |screen| screen.contains(text))
    }

    /// Waits until the last line of the screen is `line`.
    fn ends_with(&self, line: &str) {
        self.shows(line, |screen| {
            screen.trim_end().lines().last() == Some(line.trim_end())
        });
    }

    /// Empties the line. Words typed before the next prompt may be lost, as in every line editor.
    fn starts_over(&self) {
        self.presses("C-c");
        self.ends_with(PROMPT);
    }

    /// Answers a question for a password as soon as typed text is hidden.
    fn answers(&self, question: &str, password: &str) {
        self.has(question);
        let tty = self.ask("#{pane_tty}");
        let hides = || {
            let settings = succeeded(Command::new("stty").args(["-a", "-F", &tty])).stdout;
            String::from_utf8_lossy(&settings).contains("-echo ")
        };
        self.shows("a hidden question", |_| hides());
        self.types(password);
        self.presses("Enter");
    }

    fn ask(&self, what: &str) -> String {
        self.does(&["display-message", "-p", what])
            .trim()
            .to_owned()
    }

    /// Waits for the end of the program. Returns its exit code, or 128 and the signal.
    fn ended(&self) -> i32 {
        let screen = self.has("[ended with ");
        let (_, rest) = screen
            .rsplit_once("[ended with ")
            .expect("it was just seen");
        rest.split(']')
            .next()
            .and_then(|code| code.parse().ok())
            .expect("a number")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        deadline::output(tmux(&self.socket).arg("kill-server"));
    }
}

fn tmux(socket: &Path) -> Command {
    let mut command = Command::new("tmux");
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .arg("-u")
        .arg("-S")
        .arg(socket);
    command
}

fn succeeded(command: &mut Command) -> Output {
    let output = deadline::output(command);
    assert!(
        output.status.success(),
        "{command:?}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn shell_of_ada(world: &World) -> Terminal {
    let terminal = Terminal::with(world, world.call("ada", &["shell"]));
    terminal.ends_with(PROMPT);
    terminal
}

#[test]
fn a_prompt_names_company_and_user_and_lines_are_carried_out() {
    let world = World::new();
    let terminal = shell_of_ada(&world);
    terminal.has("`help` lists the commands");
    terminal.enters("whoami");
    terminal.has("Ada Lovelace (ada), admin");
    terminal.ends_with(PROMPT);
    terminal.enters("task add 'First of all'");
    terminal.shows("the task", |screen| {
        screen.lines().any(|line| line.starts_with("T-1 "))
    });
}

#[test]
fn tab_completes_commands_options_logins_and_tasks() {
    let world = World::new();
    for title in ["Feed the parrots", "Forged\u{202e}title"] {
        world.does("mara", &["task", "add", title]);
    }
    let terminal = shell_of_ada(&world);
    terminal.types("us");
    terminal.presses("Tab");
    terminal.types("sho");
    terminal.presses("Tab");
    terminal.types("do");
    terminal.presses("Tab");
    terminal.ends_with(&format!("{PROMPT}user show dora"));
    terminal.types("--out");
    terminal.presses("Tab");
    terminal.presses("Tab");
    terminal.has("--out     --output");
    terminal.starts_over();
    terminal.types("user show d");
    terminal.presses("Tab");
    terminal.presses("Tab");
    terminal.shows("both", |screen| {
        screen.lines().any(|line| line.starts_with("dan   dora"))
    });
    terminal.starts_over();
    terminal.types("task show ");
    terminal.presses("Tab");
    terminal.presses("Tab");
    terminal.has("1  Feed the parrots");
    terminal.has("2  Forged\\u{202e}title");
    terminal.starts_over();
    terminal.types("task show T-2");
    terminal.presses("Tab");
    terminal.presses("Enter");
    terminal.has("T-2  Forged\\u{202e}title");
}

#[test]
fn names_are_only_for_whoever_may_list_them() {
    let world = World::new();
    world.does("mara", &["task", "add", "Feed the parrots"]);
    let nobody = Terminal::with(&world, world.anonymous(&["shell"]));
    nobody.ends_with("popug-cli> ");
    nobody.types("user show dor");
    nobody.presses("Tab");
    nobody.types("|");
    nobody.ends_with("popug-cli> user show dor|");
    drop(nobody);
    let service = Terminal::with(&world, world.call("cron", &["shell"]));
    service.ends_with("UberPopug Inc.:cron> ");
    service.types("task show ");
    service.presses("Tab");
    service.types("|");
    service.ends_with("UberPopug Inc.:cron> task show |");
}

#[test]
fn ctrl_c_empties_the_line_and_ctrl_d_leaves() {
    let world = World::new();
    let terminal = shell_of_ada(&world);
    terminal.types("task add 'Never");
    terminal.starts_over();
    terminal.enters("status -o plain");
    terminal.shows("its rows", |screen| {
        screen.lines().any(|line| line.starts_with("accounting "))
    });
    terminal.presses("C-d");
    assert_eq!(terminal.ended(), 0);
}

#[test]
fn a_line_that_is_none_is_explained_and_can_be_mended_from_the_history() {
    let world = World::new();
    let terminal = shell_of_ada(&world);
    terminal.enters("task add \"Ada's task");
    terminal.has("error: column 10: the quote \" is never closed");
    terminal.presses("Up");
    terminal.enters("\"");
    terminal.shows("the task", |screen| screen.contains("T-1"));
    assert_eq!(
        world.rows("ada", &["task", "list"])[0]["title"],
        "Ada's task"
    );
    terminal.enters("nonsense");
    terminal.has("unrecognized subcommand 'nonsense'");
    terminal.ends_with(PROMPT);
}

#[test]
fn the_next_shell_remembers_the_lines_but_for_those_that_begin_with_a_blank() {
    let world = World::new();
    let terminal = shell_of_ada(&world);
    for line in ["task list --mine", "whoami", " status"] {
        terminal.enters(line);
        terminal.ends_with(PROMPT);
    }
    terminal.enters("exit");
    assert_eq!(terminal.ended(), 0);
    drop(terminal);
    let file = world.home().join(".local/state/popug-cli/history");
    assert_eq!(
        std::fs::read_to_string(&file).expect("a history"),
        "task list --mine\nwhoami\nexit\n"
    );
    assert_eq!(
        std::fs::metadata(&file)
            .expect("a history")
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    let terminal = shell_of_ada(&world);
    terminal.presses("Up");
    terminal.presses("Up");
    terminal.presses("Up");
    terminal.ends_with(&format!("{PROMPT}task list --mine"));
}

#[test]
fn without_a_place_for_a_history_the_shell_says_so_once_and_works() {
    let world = World::new();
    let call = world.call("ada", &["shell"]).env("HOME", "/proc/none");
    let terminal = Terminal::with(&world, call);
    terminal.ends_with(PROMPT);
    terminal.enters("whoami");
    terminal.has("Ada Lovelace");
    terminal.ends_with(PROMPT);
    terminal.presses("Up");
    terminal.ends_with(&format!("{PROMPT}whoami"));
    assert_eq!(
        terminal.screen().matches("no history is kept").count(),
        1,
        "{}",
        terminal.screen()
    );
}

#[test]
fn the_password_of_as_is_asked_for_once() {
    let world = World::new();
    let terminal = Terminal::with(&world, world.anonymous(&["shell", "--as", "ada"]));
    terminal.answers("Password of ada:", PASSWORD);
    terminal.ends_with(PROMPT);
    terminal.enters("task add One");
    terminal.shows("the task", |screen| screen.contains("T-1"));
    terminal.enters("whoami --as dora");
    terminal.answers("Password of dora:", "a wrong password");
    terminal.ends_with(PROMPT);
    assert!(!terminal.screen().contains(PASSWORD));
    terminal.presses("C-d");
    assert_eq!(terminal.ended(), 0);
    drop(terminal);
    let terminal = Terminal::with(&world, world.anonymous(&["shell", "--as", "ada"]));
    terminal.answers("Password of ada:", "a wrong password");
    assert_eq!(terminal.ended(), 5);
}

#[test]
fn ctrl_c_stops_what_follows_and_ends_any_other_command_with_the_shell() {
    let world = World::new();
    let terminal = shell_of_ada(&world);
    for (round, line) in ["log tail -f", "consume --follow", "log tail -f"]
        .into_iter()
        .enumerate()
    {
        terminal.does(&["clear-history"]);
        terminal.enters(line);
        std::thread::sleep(Duration::from_millis(700));
        terminal.presses("C-c");
        terminal.ends_with(PROMPT);
        terminal.enters(&format!("task add 'After {round}'"));
        terminal.ends_with(PROMPT);
    }
    assert_eq!(world.rows("ada", &["task", "list"]).len(), 3);
    let head = std::fs::File::open(world.store().join("log/head")).expect("a head");
    head.lock().expect("the writer lock");
    terminal.enters("task add Waiting --lock-wait 60s");
    terminal.has("--lock-wait 60s\n");
    std::thread::sleep(Duration::from_millis(300));
    terminal.presses("C-c");
    assert_eq!(terminal.ended(), 130);
    head.unlock().expect("let go");
    assert_eq!(world.rows("ada", &["task", "list"]).len(), 3);
}

#[test]
fn lines_that_are_pasted_wait_for_enter_and_stop_at_a_failure() {
    let world = World::new();
    let terminal = shell_of_ada(&world);
    terminal.does(&["set-buffer", "task add One\ntask show 99\ntask add Never"]);
    terminal.does(&["paste-buffer", "-p", "-r"]);
    terminal.has("task add Never");
    assert_eq!(
        world.rows("ada", &["task", "list"]).len(),
        0,
        "pasted lines were run before Enter"
    );
    terminal.presses("Enter");
    terminal.has("1 lines after it were not run");
    terminal.ends_with(PROMPT);
    assert_eq!(world.rows("ada", &["task", "list"]).len(), 1);
}

#[test]
fn a_shell_whose_terminal_goes_away_ends() {
    let world = World::new();
    let terminal = shell_of_ada(&world);
    let around = terminal.ask("#{pane_pid}");
    let children = std::fs::read_to_string(format!("/proc/{around}/task/{around}/children"))
        .expect("a process");
    let process = PathBuf::from(format!("/proc/{}", children.trim()));
    assert!(process.exists());
    drop(terminal);
    let began = Instant::now();
    while process.exists() {
        assert!(
            began.elapsed() < PATIENCE,
            "the shell outlives its terminal"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    world.does("ada", &["consume"]);
}
