//! The shell at a terminal, as a user sees it.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::helpers::harness::{PASSWORD, World};
use crate::helpers::terminal::{PATIENCE, Terminal};

const PROMPT: &str = "UberPopug Inc.:ada> ";

/// Empties the line. Words typed before the next prompt may be lost, as in every line editor.
fn starts_over(terminal: &Terminal) {
    terminal.presses("C-c");
    terminal.ends_with(PROMPT);
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
    starts_over(&terminal);
    terminal.types("user show d");
    terminal.presses("Tab");
    terminal.presses("Tab");
    terminal.shows("both", |screen| {
        screen.lines().any(|line| line.starts_with("dan   dora"))
    });
    starts_over(&terminal);
    terminal.types("task show ");
    terminal.presses("Tab");
    terminal.presses("Tab");
    terminal.has("1  Feed the parrots");
    terminal.has("2  Forged\\u{202e}title");
    starts_over(&terminal);
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
    starts_over(&terminal);
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
fn the_history_can_be_shown_and_the_screen_cleared() {
    let world = World::new();
    let terminal = shell_of_ada(&world);
    for line in ["whoami", "task list --mine"] {
        terminal.enters(line);
        terminal.ends_with(PROMPT);
    }
    terminal.enters("history");
    terminal.has("    1  whoami\n    2  task list --mine\n    3  history\n");
    terminal.enters("clear");
    terminal.shows("nothing else", |screen| {
        screen.trim_end() == PROMPT.trim_end()
    });
    terminal.enters("history 1");
    terminal.has("    5  history 1\n");
    assert!(!terminal.screen().contains("whoami"));
    terminal.enters("history x");
    terminal.has("error: `x` is not the number of lines to show");
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

#[test]
fn a_founding_asks_for_everything_and_again_for_faults_and_last_for_the_password() {
    let world = World::empty();
    let terminal = Terminal::with(&world, world.anonymous(&["init", "--currency", "EUR"]));
    terminal.has("Name of the company:");
    terminal.enters("UberPopug Inc.");
    terminal.has("Time zone of its dates");
    terminal.enters("moscow");
    terminal.has("did you mean Europe/Moscow?");
    terminal.enters("Europe/Moscow");
    terminal.has("Login of the first admin:");
    terminal.enters("Ada");
    terminal.has("a login is 1 to 64 of");
    terminal.enters("ada");
    terminal.has("Full name of the first admin:");
    terminal.enters("Ада");
    terminal.has("E-mail address of the first admin:");
    terminal.enters("ada@popug.example");
    terminal.answers("New password of ada:", PASSWORD);
    terminal.answers("The same again:", PASSWORD);
    assert_eq!(terminal.ended(), 0);
    let founded = &world.events()[0]["data"];
    assert_eq!(
        (
            &founded["name"],
            &founded["time_zone"],
            &founded["currency"]
        ),
        (
            &"UberPopug Inc.".into(),
            &"Europe/Moscow".into(),
            &"EUR".into()
        )
    );
}
