//! Arguments and variables that are empty, odd, or begin with a hyphen.

use super::*;

#[test]
fn an_empty_variable_is_named() {
    let world = World::new();
    for name in [
        "POPUG_STORE",
        "POPUG_TOKEN",
        "POPUG_NOW",
        "POPUG_SEED",
        "POPUG_SEGMENT_BYTES",
    ] {
        let told = format!("{name} is set and empty");
        world
            .call("ada", &["task", "list"])
            .env(name, "")
            .expect(2, Nothing, Has(&told));
        world
            .call("ada", &["task", "list", "-o", "json"])
            .env(name, "")
            .expect(2, Nothing, Has(&told));
    }
    let password = world
        .anonymous(&["whoami", "--as", "ada"])
        .env("POPUG_PASSWORD", "");
    password.expect(2, Nothing, Has("POPUG_PASSWORD is set and empty"));
    world
        .call("ada", &["consume", "notifier"])
        .env("POPUG_SMTP_URL", "")
        .expect(2, Nothing, Has("POPUG_SMTP_URL is set and empty"));
    let store = world.store();
    world
        .call("ada", &["whoami", "-C"])
        .arg(store)
        .env("POPUG_STORE", "")
        .expect(0, Has("ada"), Nothing);
}

#[test]
fn a_user_without_a_directory_for_a_session_is_not_logged_in() {
    let world = World::new();
    std::fs::write(world.home().join("file"), "x").expect("written");
    std::fs::create_dir(world.home().join("state")).expect("created");
    std::fs::write(world.home().join("state/popug-cli"), "x").expect("written");
    let file = world.home().join("file");
    for (name, value) in [
        ("HOME", Path::new("/dev/null")),
        ("HOME", &file),
        ("XDG_STATE_HOME", &file),
        ("XDG_STATE_HOME", &world.home().join("state")),
    ] {
        let run = |words: &[&str]| world.anonymous(words).env(name, value);
        run(&["task", "list"]).expect(5, Nothing, Has("you are not logged in"));
        run(&["logout"]).expect(0, Nothing, Nothing);
        let login = run(&["login", "ada"]).env("POPUG_PASSWORD", PASSWORD);
        login.expect(1, Nothing, Has("is not a directory"));
        world
            .call("ada", &["whoami"])
            .env(name, value)
            .expect(0, Has("ada"), Nothing);
    }
}

#[test]
fn an_extension_that_names_no_format_is_refused_where_nobody_is_logged_in() {
    let world = World::empty();
    for words in [
        &["demo", "--dir", "company"][..],
        &["help"],
        &["help", "task"],
    ] {
        let words = [words, &["--out", "f.xyz"]].concat();
        world.anonymous(&words).expect(2, Nothing, Any);
    }
    assert!(!world.home().join("company").exists() && !world.home().join("f.xyz").exists());
}

#[test]
fn free_text_may_begin_with_a_hyphen() {
    let world = World::new();
    world.does(
        "mara",
        &["task", "add", "Nuts", "--description", "- nuts\n- seeds"],
    );
    world.does("mara", &["task", "add", "- nuts", "-q"]);
    world.does("mara", &["task", "add", "--", "-nuts"]);
    let tasks = world.rows("mara", &["task", "list"]);
    assert_eq!(
        (&tasks[0]["description"], &tasks[1]["title"]),
        (&"- nuts\n- seeds".into(), &"- nuts".into())
    );
    assert_eq!(tasks[2]["title"], "-nuts");
    world.does("ada", &["user", "update", "dora", "--name", "-"]);
    world.does("ada", &["user", "deactivate", "dora", "--reason", "-x"]);
    world.does("ada", &["user", "reactivate", "dora", "--reason", "--"]);
    let register = [
        "--login",
        "nora",
        "--name",
        "--n--",
        "--email",
        "n@n.example",
        "--role",
        "worker",
    ];
    world.does("ada", &[&["user", "register"][..], &register].concat());
    world.does("ada", &["consume"]);
    let entries = world.rows("ada", &["report", "entries"]);
    let fee = entries[0]["entry_id"].as_str().expect("an id");
    world.does(
        "ada",
        &[
            "account", "correct", fee, "--reason", "-1 nut", "--amount", "0.01",
        ],
    );
    let unknown = world.call("mara", &["task", "add", "-x"]).expect(
        2,
        Nothing,
        Has("popug-cli task add -- '-x'"),
    );
    assert!(!unknown.stderr.contains("similar"), "{}", unknown.stderr);
}
