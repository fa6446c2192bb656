//! The built program in a sealed world: a temporary home, a store of its own, pinned clock and
//! dice, and no variable of the machine's environment.
//!
//! Every run states the expected status, stdout and stderr.

mod call;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use super::settings::library_path;
pub use call::{Call, Output, Text};

/// Monday morning, three weeks before the clocks of the company's zone go forward.
pub const FOUNDED: &str = "2026-03-02T08:00:00Z";
pub const ZONE: &str = "Europe/Berlin";
pub const PASSWORD: &str = "a long enough password";

/// Login and role of all users in the store with which [`World::new`] begins.
pub const PEOPLE: [(&str, &str); 7] = [
    ("ada", "admin"),
    ("mara", "manager"),
    ("axel", "accountant"),
    ("dora", "developer"),
    ("dan", "developer"),
    ("walt", "worker"),
    ("cron", "service"),
];

use Text::{Any, Nothing};

/// A temporary home with a store in it.
pub struct World {
    home: TempDir,
    /// In the form of POPUG_NOW.
    now: String,
    tokens: Vec<(String, String)>,
}

impl World {
    /// A home without a store.
    pub fn empty() -> World {
        let home = tempfile::Builder::new()
            .prefix("popug home ")
            .tempdir()
            .expect("a temporary directory");
        World {
            home,
            now: FOUNDED.to_owned(),
            tokens: Vec::new(),
        }
    }

    /// A company with all of [`PEOPLE`], each with a token. It is founded once and copied.
    pub fn new() -> World {
        static TEMPLATE: OnceLock<World> = OnceLock::new();
        TEMPLATE
            .get_or_init(|| World::founded(ZONE, FOUNDED))
            .copied()
    }

    /// A copy of the world; changes in one do not affect the other.
    pub fn copied(&self) -> World {
        let home = World::empty().home;
        copy(&self.store(), &home.path().join("the store"));
        World {
            home,
            now: self.now.clone(),
            tokens: self.tokens.clone(),
        }
    }

    /// A copy of this world, with all files in its home.
    pub fn twin(&self) -> World {
        let home = World::empty().home;
        copy(self.home(), home.path());
        World {
            home,
            now: self.now.clone(),
            tokens: self.tokens.clone(),
        }
    }

    /// The company of [`World::new`] in another zone and at another time.
    pub fn founded(zone: &str, now: &str) -> World {
        let mut world = World::empty();
        world.at(now);
        world
            .anonymous(&INIT.map(|word| if word == ZONE { zone } else { word }))
            .arg("--password-stdin")
            .stdin(PASSWORD)
            .expect(0, Nothing, Nothing);
        world.staffed()
    }

    /// The company of [`World::new`] with its log in a database.
    pub fn founded_in(url: &str) -> World {
        let world = World::empty();
        world
            .anonymous(&INIT)
            .args(&["--log", url, "--password-stdin"])
            .stdin(PASSWORD)
            .expect(0, Nothing, Nothing);
        world.staffed()
    }

    /// Another machine with a store of the company in a database. All of [`PEOPLE`] have a token.
    pub fn joined(url: &str, now: &str) -> World {
        let mut world = World::empty();
        world.at(now);
        world
            .anonymous(&["join", url, "--password-stdin", "--no-input"])
            .stdin(PASSWORD)
            .expect(0, Nothing, Nothing);
        world.issue_first_token();
        for (login, _) in PEOPLE.into_iter().skip(1) {
            world.issue_token(login);
        }
        world
    }

    /// Registers all of [`PEOPLE`] but the admin, who was there first.
    fn staffed(mut self) -> World {
        self.issue_first_token();
        for (login, role) in PEOPLE.into_iter().skip(1) {
            self.register(login, role);
            self.issue_token(login);
        }
        self
    }

    fn issue_first_token(&mut self) {
        let ada = ["token", "issue", "ada", "--as", "ada", "--ttl", "1d"];
        let token = self
            .anonymous(&ada)
            .env("POPUG_PASSWORD", PASSWORD)
            .expect(0, Any, Nothing)
            .stdout;
        self.tokens
            .push(("ada".to_owned(), token.trim().to_owned()));
    }

    /// Registers a user, as the admin.
    pub fn register(&self, login: &str, role: &str) -> String {
        let (name, email) = (format!("{login} Popug"), format!("{login}@popug.example"));
        let words = [
            "user", "register", "--login", login, "--name", &name, "--email", &email, "--role",
            role,
        ];
        self.call("ada", &words)
            .expect(0, Any, Nothing)
            .stdout
            .trim()
            .to_owned()
    }

    /// Lets a user act in this world.
    pub fn issue_token(&mut self, login: &str) {
        let token = self
            .call("ada", &["token", "issue", login, "--ttl", "1d"])
            .expect(0, Any, Nothing)
            .stdout;
        self.tokens
            .push((login.to_owned(), token.trim().to_owned()));
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn store(&self) -> PathBuf {
        self.home.path().join("the store")
    }

    pub fn now(&self) -> &str {
        &self.now
    }

    /// Sets the clock.
    pub fn at(&mut self, now: &str) -> &World {
        now.clone_into(&mut self.now);
        self
    }

    /// The program with nobody logged in.
    pub fn anonymous(&self, words: &[&str]) -> Call<'_> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_popug-cli"));
        command.args(words).current_dir(self.home()).env_clear();
        // A build that links a shared DuckDB finds it by this.
        command.envs(library_path());
        let fixed = [
            ("LC_ALL", "C"),
            ("COLUMNS", "100"),
            ("POPUG_SEED", "7"),
            ("POPUG_NOW", &self.now),
        ];
        command
            .envs(fixed)
            .env("HOME", self.home())
            .env("POPUG_STORE", self.store());
        Call {
            world: self,
            command,
            stdin: Vec::new(),
        }
    }

    /// The program as `login`.
    pub fn call(&self, login: &str, words: &[&str]) -> Call<'_> {
        let token = self.token(login);
        self.anonymous(words).env("POPUG_TOKEN", token)
    }

    pub fn token(&self, login: &str) -> &str {
        let found = self.tokens.iter().rfind(|(name, _)| name == login);
        &found.unwrap_or_else(|| panic!("{login} has no token")).1
    }

    /// Runs the command, which must succeed without output on stderr.
    pub fn does(&self, login: &str, words: &[&str]) {
        self.call(login, words).expect(0, Any, Nothing);
    }

    /// Runs the command, which must succeed without output on stderr, and returns its stdout.
    #[must_use]
    pub fn answer(&self, login: &str, words: &[&str]) -> String {
        self.call(login, words).expect(0, Any, Nothing).stdout
    }

    /// Runs the command with `-o json` and returns the answer.
    pub fn json(&self, login: &str, words: &[&str]) -> Value {
        self.call(login, &[words, &["-o", "json"]].concat())
            .expect(0, Any, Nothing)
            .json()
    }

    /// The rows of a report or list.
    pub fn rows(&self, login: &str, words: &[&str]) -> Vec<Value> {
        self.json(login, words)["rows"]
            .as_array()
            .expect("rows")
            .clone()
    }

    /// The command must be refused with this exit code and this code, print nothing and append
    /// nothing.
    pub fn refused(&self, login: &str, words: &[&str], exit: i32, code: &str) -> Value {
        let before = self.log_bytes();
        let output = self
            .call(login, &[words, &["-o", "json"]].concat())
            .expect(exit, Nothing, Any);
        let object = last_error(&output);
        assert_eq!(object["code"], code, "{words:?} by {login}: {object}");
        assert_eq!(object["exit"], exit);
        assert!(
            before == self.log_bytes(),
            "{words:?} by {login} was refused and changed the log"
        );
        object
    }

    /// Every segment of the log, one after the other.
    pub fn log_bytes(&self) -> Vec<u8> {
        let directory = std::fs::read_dir(self.store().join("log")).expect("a log");
        let mut segments: Vec<PathBuf> = directory
            .map(|entry| entry.expect("an entry").path())
            .collect();
        segments.retain(|path| {
            path.extension()
                .is_some_and(|extension| extension == "ndjson")
        });
        segments.sort();
        segments
            .iter()
            .flat_map(|path| std::fs::read(path).expect("a segment"))
            .collect()
    }

    pub fn log_lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.log_bytes()).expect("UTF-8");
        text.lines().map(str::to_owned).collect()
    }

    /// Every event as in the log.
    pub fn events(&self) -> Vec<Value> {
        self.log_lines()
            .iter()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }
}

/// The names of all reports.
pub const REPORTS: [&str; 14] = [
    "balances",
    "earnings",
    "negative",
    "top-task",
    "payouts",
    "statement",
    "entries",
    "trial-balance",
    "closes",
    "tasks",
    "pay",
    "payslip",
    "people",
    "flow",
];

/// The founding of [`World::new`]; the password comes on stdin.
pub const INIT: [&str; 13] = [
    "init",
    "--company",
    "UberPopug Inc.",
    "--time-zone",
    ZONE,
    "--currency",
    "EUR",
    "--admin-login",
    "ada",
    "--admin-name=Ada Lovelace",
    "--admin-email",
    "ada@popug.example",
    "--no-input",
];

/// The error object that a refused call left at the end of stderr.
pub fn last_error(output: &Output) -> Value {
    let line = output.stderr.lines().last().unwrap_or_default();
    let object: Value =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {}", output.stderr));
    object["error"].clone()
}

/// Copies a directory with all that is in it, modes included.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    std::fs::set_permissions(
        to,
        std::fs::metadata(from).expect("a directory").permissions(),
    )
    .expect("its mode");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("a copy");
        }
    }
}
