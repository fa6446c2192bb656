//! Completion: the words that the program offers, and bash, zsh and fish that ask it for them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::helpers::harness::Text::{Any, Nothing};
use crate::helpers::harness::World;
use crate::helpers::terminal::Terminal;

/// A store with three tasks; the last two are assigned to somebody other than `mara`.
fn world() -> World {
    let world = World::new();
    for title in ["Feed the parrots", "Clean: the cage", "Forged\u{202e}title"] {
        world.does("mara", &["task", "add", title]);
    }
    world
}

/// The answer to a script, as pairs of word and meaning.
fn answer(world: &World, login: &str, line: &str) -> Vec<(String, String)> {
    let output = world
        .call(login, &["__complete", "--", line])
        .expect(0, Any, Nothing);
    let pair = |line: &str| {
        let (word, told) = line.split_once('\t').unwrap_or((line, ""));
        (word.to_owned(), told.to_owned())
    };
    output.stdout.lines().map(pair).collect()
}

fn words(world: &World, login: &str, line: &str) -> Vec<String> {
    let answer = answer(world, login, line);
    answer.into_iter().map(|(word, _)| word).collect()
}

#[test]
fn words_come_from_the_definition_and_names_from_the_store_with_their_meaning() {
    let world = world();
    let told = |line: &str| answer(&world, "ada", line);
    assert_eq!(
        told("popug-cli task sho"),
        [("show".into(), "Show one task with its history".into())]
    );
    assert_eq!(
        told("popug-cli user show d"),
        [("dan".into(), "Dan".into()), ("dora".into(), "Dora".into())].map(
            |(login, _): (String, String)| {
                let user = world.json("ada", &["user", "show", &login]);
                let name = user["name"].as_str().expect("a name").to_owned();
                (login, name)
            }
        )
    );
    assert_eq!(
        told("popug-cli task show T-"),
        [
            ("T-1".into(), "Feed the parrots".into()),
            ("T-2".into(), "Clean: the cage".into()),
            ("T-3".into(), "Forged\\u{202e}title".into()),
        ]
    );
    assert_eq!(words(&world, "ada", "popug-cli report bal"), ["balances"]);
    assert_eq!(
        words(&world, "ada", "popug-cli report statement --user=do"),
        ["--user=dora"]
    );
    assert_eq!(words(&world, "ada", "popug-cli --no-p"), ["--no-pager"]);
    assert_eq!(words(&world, "ada", "popug-cli she"), ["shell"]);
    assert_eq!(words(&world, "ada", "popug-cli import users pe"), [":path"]);
    assert_eq!(words(&world, "ada", "popug-cli __com"), [""; 0]);
    assert_eq!(words(&world, "ada", "popug-cli task add 'x"), [""; 0]);
}

#[test]
fn the_line_may_begin_with_assignments_a_path_or_an_alias_and_may_name_the_store() {
    let mut world = world();
    let store = world.store().display().to_string();
    for line in [
        "A=b popug-cli login do",
        "sudo -u popug /usr/bin/popug-cli login do",
        "p login do",
    ] {
        assert_eq!(words(&world, "ada", line), ["dora"], "{line}");
    }
    for option in [
        format!("-C '{store}'"),
        format!("-C'{store}'"),
        format!("--store='{store}'"),
    ] {
        let line = format!("popug-cli {option} login do");
        let output = world
            .call("ada", &["__complete", "--", &line])
            .env("POPUG_STORE", "/nowhere")
            .expect(0, Any, Nothing);
        assert!(output.stdout.starts_with("dora\t"), "{}", output.stdout);
    }
    world.issue_token("dora");
    let home = world
        .call("ada", &["__complete", "--", "popug-cli -C ~/none login do"])
        .expect(0, Nothing, Nothing);
    assert_eq!(home.stdout, "");
}

#[test]
fn names_are_only_for_callers_who_may_list_them_and_nothing_is_asked_or_complained_about() {
    let world = world();
    for line in ["popug-cli task show ", "popug-cli login "] {
        world
            .anonymous(&["__complete", "--", line])
            .expect(0, Nothing, Nothing);
        let nowhere = world.call("ada", &["__complete", "--", line]);
        nowhere
            .env("POPUG_STORE", "/nowhere")
            .expect(0, Nothing, Nothing);
    }
    assert_eq!(words(&world, "cron", "popug-cli task show "), [""; 0]);
    // Only open tasks of the caller can be completed.
    let own = |login: &str| {
        let listed = world.rows(login, &["task", "list", "--mine"]);
        let numbers = listed.iter().map(|row| row["number"].to_string());
        numbers.collect::<Vec<_>>()
    };
    for login in ["dora", "dan"] {
        assert_eq!(words(&world, login, "popug-cli task complete "), own(login));
    }
}

#[test]
fn a_completion_reads_the_state_index_alone_and_writes_nothing() {
    let world = world();
    let head = world.log_bytes();
    let tables: Vec<PathBuf> = ["accounting.duckdb", "analytics.duckdb"]
        .iter()
        .map(|name| world.store().join(name))
        .collect();
    for table in &tables {
        std::fs::write(table, "no tables").expect("written");
    }
    assert_eq!(words(&world, "ada", "popug-cli login do"), ["dora"]);
    assert_eq!(
        words(&world, "ada", "popug-cli report statement --user do"),
        ["dora"]
    );
    for table in &tables {
        assert_eq!(std::fs::read(table).expect("there"), b"no tables");
    }
    assert_eq!(world.log_bytes(), head);
}

/// A shell in a terminal in which popug-cli is completed, with `$` as its prompt.
fn in_shell(world: &World, shell: &str, file: &str, start: &str, settings: &str) -> Terminal {
    let home = world.home();
    let scripts = home.join("completions");
    std::fs::create_dir(&scripts).expect("made");
    let script = world.answer("ada", &["completions", shell]);
    std::fs::write(scripts.join(file), script).expect("written");
    let program = env!("CARGO_BIN_EXE_popug-cli");
    std::os::unix::fs::symlink(program, home.join("popug-cli")).expect("linked");
    std::fs::write(home.join("settings"), settings).expect("written");
    std::fs::create_dir(home.join("Мои файлы")).expect("made");
    std::fs::write(home.join("Мои файлы/people.csv"), "").expect("written");
    let path = format!("{}:/usr/bin:/bin", home.display());
    let call = world
        .call("ada", &[])
        .env("PATH", path)
        .env("LC_ALL", "C.UTF-8")
        .through(&["sh", "-c", start, "sh"]);
    let terminal = Terminal::with(world, call);
    terminal.ends_with("$");
    terminal
}

/// Types the text, presses TAB and waits for the line.
fn completes(terminal: &Terminal, typed: &str, line: &str) {
    terminal.types(typed);
    terminal.has(typed.trim_end());
    // Until the shell has read the text, a TAB would be a part of it.
    std::thread::sleep(Duration::from_millis(100));
    terminal.presses("Tab");
    terminal.ends_with(&format!("$ {line}"));
    terminal.presses("C-u");
    terminal.ends_with("$");
}

/// The lines that every shell completes in the same way.
fn completes_alike(terminal: &Terminal) {
    completes(terminal, "popug-cli repo", "popug-cli report");
    completes(
        terminal,
        "popug-cli report bal",
        "popug-cli report balances",
    );
    completes(
        terminal,
        "popug-cli user show do",
        "popug-cli user show dora",
    );
    completes(
        terminal,
        "popug-cli report statement --user=do",
        "popug-cli report statement --user=dora",
    );
    completes(
        terminal,
        "popug-cli task show T-2",
        "popug-cli task show T-2",
    );
    completes(terminal, "popug-cli schema ch", "popug-cli schema check");
    completes(terminal, "true; popug-cli who", "true; popug-cli whoami");
    terminal.types("popug-cli task show T-");
    terminal.presses("Tab");
    terminal.presses("Tab");
    terminal.has("Clean: the cage");
    // While a shell still draws its list, it may not see the key.
    std::thread::sleep(Duration::from_millis(500));
    terminal.presses("C-c");
}

#[test]
fn bash_completes() {
    let world = world();
    let terminal = in_shell(
        &world,
        "bash",
        "popug-cli",
        "exec bash --noprofile --rcfile settings -i",
        "PS1='$ '; . completions/popug-cli",
    );
    completes_alike(&terminal);
    terminal.does(&["clear-history"]);
    completes(
        &terminal,
        "popug-cli import users М",
        r"popug-cli import users Мои\ файлы/",
    );
    completes(
        &terminal,
        "popug-cli task list --out=М",
        r"popug-cli task list --out=Мои\ файлы/",
    );
}

#[test]
fn zsh_completes() {
    let world = world();
    let settings = "PS1='$ '; fpath=($PWD/completions $fpath); autoload -Uz compinit; compinit -u -D; setopt no_always_last_prompt\n";
    let terminal = in_shell(
        &world,
        "zsh",
        "_popug-cli",
        "cp settings .zshrc; ZDOTDIR=$PWD exec zsh -i",
        settings,
    );
    completes_alike(&terminal);
    terminal.ends_with("$");
    completes(
        &terminal,
        "popug-cli import users М",
        r"popug-cli import users Мои\ файлы/",
    );
}

#[test]
fn fish_completes() {
    let world = world();
    let settings = "function fish_prompt; echo -n '$ '; end; set -g fish_greeting; set -g fish_autosuggestion_enabled 0; source completions/popug-cli.fish\n";
    let terminal = in_shell(
        &world,
        "fish",
        "popug-cli.fish",
        "exec fish --no-config --private -C 'source settings'",
        settings,
    );
    completes_alike(&terminal);
    terminal.ends_with("$");
    completes(
        &terminal,
        "popug-cli import users М",
        r"popug-cli import users Мои\ файлы/",
    );
}

#[test]
fn a_completion_takes_no_time_that_people_notice() {
    let world = world();
    let line = "popug-cli task show T-";
    let took = (0..7).map(|_| {
        let began = Instant::now();
        world
            .call("ada", &["__complete", "--", line])
            .expect(0, Any, Nothing);
        began.elapsed()
    });
    let fastest = took.min().expect("seven");
    // The budget is 20 ms; a busy machine and a program without optimisation get ten times that.
    assert!(fastest < Duration::from_millis(200), "{fastest:?}");
}
