//! One company uses every secret, verbosely and with mistakes; then all output and all files are
//! searched for the secrets.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::{INIT, World};

const FIRST: &str = "correct-horse-battery";
const SECOND: &str = "staple-of-the-second";
const SMTP: &str = "mail-server-password";

/// All output.
struct Heard {
    world: World,
    text: String,
}

impl Heard {
    fn run(&mut self, words: &[&str], exit: i32, with: &[(&str, &str)], stdin: &str) -> String {
        let call = self.world.anonymous(words).arg("-v").stdin(stdin);
        let call = with
            .iter()
            .fold(call, |call, (name, value)| call.env(name, value));
        let output = call.expect(exit, Any, Any);
        self.text.push_str(&output.stderr);
        self.text.push_str(&output.stdout);
        output.stdout
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[test]
fn no_secret_is_said_or_written_but_the_token_that_was_asked_for_and_the_session() {
    let mut heard = Heard {
        world: World::empty(),
        text: String::new(),
    };
    let init: Vec<&str> = INIT.into_iter().chain(["--password-stdin"]).collect();
    heard.run(&init, 0, &[], FIRST);
    heard.run(&["login", "ada"], 0, &[("POPUG_PASSWORD", FIRST)], "");
    // A requested secret is printed once, and not collected here.
    let shown = heard
        .world
        .anonymous(&["token", "issue", "ada"])
        .expect(0, Any, Nothing)
        .stdout;
    let token = shown.trim();
    let by_token = [("POPUG_TOKEN", token)];
    heard.run(
        &["user", "set-password", "--password-stdin"],
        0,
        &[("POPUG_TOKEN", token), ("POPUG_PASSWORD", FIRST)],
        SECOND,
    );
    let register = [
        "user",
        "register",
        "--login",
        "dan",
        "--name",
        "Dan",
        "--email",
        "d@d.example",
        "--role",
        "worker",
        "--password-stdin",
    ];
    heard.run(&register, 0, &by_token, SECOND);
    heard.run(
        &["whoami", "--as", "ada"],
        5,
        &[("POPUG_PASSWORD", FIRST)],
        "",
    );
    heard.run(
        &["user", "set-password", "--password-stdin"],
        6,
        &[("POPUG_TOKEN", token), ("POPUG_PASSWORD", SECOND)],
        &FIRST.repeat(99),
    );
    for (words, exit) in [
        // A token where its id or a name belongs.
        (&["token", "revoke", token][..], 3),
        (&[token], 2),
        (&["task", token], 2),
        (&["task", "list", "--role", token], 2),
        (&["task", "list", token, "-o", "json"], 0),
        (&["user", "show", token], 3),
        (&["task", "show", token], 3),
        (&["report", "statement", "--user", token], 3),
        (&["task", "add", "A task", "--key", "close/"], 6),
        (&["token", "list", "-o", "json"], 0),
        (&["task", "add", "A task"], 0),
        (&["consume"], 0),
        (&["status"], 0),
        (&["doctor", "-o", "table"], 0),
        (&["verify", "--deep"], 0),
        (&["log", "tail", "--from", "1"], 0),
    ] {
        heard.run(words, exit, &by_token, "");
    }
    let altered = format!("{token}A");
    heard.run(&["whoami"], 5, &[("POPUG_TOKEN", &altered)], "");
    for url in [
        format!("smtp://ada:{SMTP}@"),
        format!("http://ada:{SMTP}@mail.example"),
        format!("smtps://:{SMTP}@x:y"),
    ] {
        heard.run(
            &["consume", "notifier"],
            2,
            &[("POPUG_TOKEN", token), ("POPUG_SMTP_URL", &url)],
            "",
        );
    }
    for (name, secret) in [
        ("first", FIRST),
        ("second", SECOND),
        ("smtp", SMTP),
        ("token", token),
    ] {
        assert!(
            !heard.text.contains(secret),
            "the {name} secret was said:\n{}",
            heard.text
        );
        for file in files(heard.world.home()) {
            let bytes = std::fs::read(&file).expect("a file");
            assert!(
                !holds(&bytes, secret),
                "the {name} secret is in {}",
                file.display()
            );
        }
    }
    let session = files(&heard.world.home().join(".local"))
        .pop()
        .expect("a session");
    let session = std::fs::read_to_string(session).expect("a token");
    let elsewhere = files(&heard.world.store())
        .into_iter()
        .find(|file| holds(&std::fs::read(file).expect("a file"), session.trim()));
    assert_eq!(elsewhere, None);
    assert!(session.starts_with("popug_token_") && !heard.text.contains(session.trim()));
}

#[test]
fn a_secret_may_come_from_a_private_file() {
    let world = World::new();
    let file = world.home().join("secret");
    let refused = |name: &str, words: &[&str], exit: i32, told: &'static str| {
        let call = world.anonymous(words).env(name, &file);
        call.expect(exit, Any, Has(told));
    };
    refused(
        "POPUG_TOKEN_FILE",
        &["whoami"],
        3,
        "POPUG_TOKEN_FILE: there is no file ",
    );
    let write = |text: &str, mode: u32| {
        std::fs::write(&file, text).expect("written");
        std::fs::set_permissions(&file, Permissions::from_mode(mode)).expect("its mode");
    };
    write("\n", 0o600);
    refused("POPUG_TOKEN_FILE", &["whoami"], 2, "has no first line");
    let token = world.token("mara");
    write(&format!("{token}\n"), 0o640);
    refused("POPUG_TOKEN_FILE", &["whoami"], 5, "is open to other users");
    write(&format!("{token}\n"), 0o600);
    let call = world.anonymous(&["whoami"]).env("POPUG_TOKEN_FILE", &file);
    call.expect(0, Has("mara"), Nothing);
    let both = world
        .call("ada", &["whoami"])
        .env("POPUG_TOKEN_FILE", &file);
    both.expect(
        2,
        Nothing,
        Has("POPUG_TOKEN and POPUG_TOKEN_FILE are both set"),
    );

    write("nowhere", 0o600);
    let call = world.call("ada", &["consume", "notifier"]);
    let call = call.env("POPUG_SMTP_URL_FILE", &file);
    call.expect(2, Any, Has("POPUG_SMTP_URL: "));
}
