//! The disk at the end of a command: every call that writes, names, moves or removes is watched,
//! and unsynced changes are reported.
//!
//! Invariant: nothing is moved into its place before its bytes and names are on the disk;
//! nothing is replaced or cut before all earlier changes are, so that kept copies come first; when
//! the command ends, no byte and no name is unsynced, except those of files that can be rebuilt
//! from the log. Needs `strace`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::helpers::harness::Text::Any;
use crate::helpers::harness::{Call, INIT, PASSWORD, World};
use crate::helpers::sources::read;
use crate::helpers::stores::{add_tasks, busy_world, edit, log};
use crate::helpers::strace::calls;

const CALLS: &str = "trace=openat,mkdir,mkdirat,write,pwrite64,writev,ftruncate,copy_file_range,sendfile,fsync,\
                     fdatasync,rename,renameat,renameat2,unlink,unlinkat,rmdir";

/// The changes that a crash would take away.
#[derive(Default)]
struct Watched {
    home: PathBuf,
    /// The existing paths, so that a created file can be recognised.
    there: BTreeSet<PathBuf>,
    unsynced_bytes: BTreeSet<PathBuf>,
    unsynced_names: BTreeSet<PathBuf>,
    /// Moved before they were on the disk.
    too_early: Vec<String>,
    moved: BTreeSet<PathBuf>,
    /// Directories that are used through their descriptor, with their present names.
    held: BTreeMap<String, PathBuf>,
}

/// Tables, indexes and the names of lock holders.
fn can_be_lost(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    name.contains(".sqlite") || name.contains(".duckdb") || name.ends_with(".lock")
}

/// Text between two marks.
fn between<'t>(text: &'t str, from: &str, to: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(from)?;
    Some(rest.split_once(to)?.0)
}

impl Watched {
    fn new(home: &Path) -> Watched {
        let mut watched = Watched {
            home: home.to_owned(),
            ..Watched::default()
        };
        watched.list(home);
        watched
    }

    fn list(&mut self, directory: &Path) {
        for entry in std::fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                self.list(&path);
            }
            self.there.insert(path);
        }
    }

    /// The paths in quotes in a call, each below the directory to which it is relative, if the call
    /// names one.
    fn named(&self, call: &str) -> Vec<PathBuf> {
        let parts: Vec<_> = call.split('"').collect();
        let directory =
            |told: &str| between(told, "<", ">").map_or(self.home.clone(), PathBuf::from);
        parts
            .chunks_exact(2)
            .map(|part| directory(part[0]).join(part[1]))
            .collect()
    }

    fn is_ours(&self, path: &Path) -> bool {
        path.starts_with(&self.home) && path != self.home.join("trace")
    }

    /// Remembers a directory that is opened. Returns the call with real paths instead of those that
    /// begin with a descriptor.
    fn expanded(&mut self, call: &str) -> String {
        let mut parts: Vec<_> = call.split("\"/proc/self/fd/").map(str::to_owned).collect();
        for part in &mut parts[1..] {
            let end = part
                .find(|c: char| !c.is_ascii_digit())
                .expect("a quote at least");
            let directory = self
                .held
                .get(&part[..end])
                .unwrap_or_else(|| panic!("nothing is held as {part}"));
            *part = format!("\"{}{}", directory.display(), &part[end..]);
        }
        if let Some((before, opened)) = call.rsplit_once(" = ")
            && before.contains("O_DIRECTORY")
            && let Some((descriptor, path)) = opened.split_once('<')
        {
            self.held
                .insert(descriptor.to_owned(), path.trim_end_matches('>').into());
        }
        parts.concat()
    }

    /// Adds a call that succeeded, as strace writes it.
    fn saw(&mut self, call: &str) {
        let (name, arguments) = call.split_once('(').expect("a call");
        let opened = between(arguments, "<", ">")
            .map(PathBuf::from)
            .unwrap_or_default();
        match name {
            "fsync" | "fdatasync" => self.synced(&opened),
            "openat" if arguments.contains("O_CREAT") => self.created(self.named(call).remove(0)),
            "mkdir" | "mkdirat" => self.created(self.named(call).remove(0)),
            "openat" => {}
            "rename" | "renameat" | "renameat2" => {
                let mut paths = self.named(call);
                let to = paths.pop().expect("where to");
                self.moved(&paths[0], &to, call);
            }
            "unlink" | "unlinkat" | "rmdir" => self.removed(&self.named(call).remove(0)),
            // Only the name of the lock holder stands after the two slots.
            "pwrite64" if opened.ends_with("log/head") && arguments.contains(", 8192)") => {}
            "ftruncate" => self.cut(&opened, call),
            _ if self.is_ours(&opened) => drop(self.unsynced_bytes.insert(opened)),
            _ => {}
        }
    }

    fn synced(&mut self, path: &Path) {
        self.unsynced_bytes.remove(path);
        self.unsynced_names
            .retain(|name| name.parent() != Some(path));
    }

    fn created(&mut self, path: PathBuf) {
        if self.is_ours(&path) && self.there.insert(path.clone()) {
            self.unsynced_names.insert(path);
        }
    }

    fn removed(&mut self, path: &Path) {
        self.unsynced_bytes.remove(path);
        self.unsynced_names
            .retain(|name| name == path || !name.starts_with(path));
        self.there.remove(path);
        // A name that never was on the disk cannot come back.
        if self.is_ours(path) && !self.unsynced_names.remove(path) {
            self.unsynced_names.insert(path.to_owned());
        }
    }

    fn moved(&mut self, from: &Path, to: &Path, call: &str) {
        if !self.is_ours(to) {
            return;
        }
        let replaces = self.there.contains(to);
        self.check_early(call, |path, is_name| {
            let is_of_the_way = is_name && (path == from || to.starts_with(path));
            (replaces && !can_be_lost(path) || path.starts_with(from)) && !is_of_the_way
        });
        self.moved.insert(to.to_owned());
        for directory in self
            .held
            .values_mut()
            .filter(|directory| directory.starts_with(from))
        {
            let rest = directory.strip_prefix(from).expect("below it");
            *directory = to.join(rest);
        }
        let is_below = |path: &&PathBuf| path.starts_with(from);
        let below: Vec<_> = self.there.iter().filter(is_below).cloned().collect();
        for path in below {
            self.there.remove(&path);
            let rest = path.strip_prefix(from).expect("below it");
            self.there.insert(if rest.as_os_str().is_empty() {
                to.to_owned()
            } else {
                to.join(rest)
            });
        }
        let all = std::mem::take(&mut self.unsynced_names);
        self.unsynced_names = all
            .into_iter()
            .filter(|path| !path.starts_with(from))
            .collect();
        self.unsynced_names.insert(to.to_owned());
        if from.parent() != to.parent() {
            self.unsynced_names.insert(from.to_owned());
        }
    }

    fn cut(&mut self, path: &Path, call: &str) {
        if path.starts_with(self.home.join("the store/log")) && !path.ends_with("head") {
            self.check_early(call, |other, _| !can_be_lost(other) && other != path);
        }
    }

    /// No file that `matters` may be unsynced at this call.
    fn check_early(&mut self, call: &str, matters: impl Fn(&Path, bool) -> bool) {
        let bytes = self
            .unsynced_bytes
            .iter()
            .filter(|path| matters(path, false));
        let early = bytes.chain(
            self.unsynced_names
                .iter()
                .filter(|path| matters(path, true)),
        );
        let told = early.map(|path| format!("{} is not on the disk before {call}", path.display()));
        self.too_early.extend(told.collect::<Vec<_>>());
    }

    /// The faults at the end.
    fn told(&self) -> Vec<String> {
        let matters = |path: &&PathBuf| !can_be_lost(path) || self.moved.contains(*path);
        let (bytes, names) = (
            self.unsynced_bytes.iter().filter(matters),
            self.unsynced_names.iter().filter(matters),
        );
        let bytes = bytes.map(|path| format!("bytes of {} are not synced", path.display()));
        let names = names.map(|path| format!("the name {} is not synced", path.display()));
        self.too_early
            .iter()
            .cloned()
            .chain(bytes)
            .chain(names)
            .collect()
    }
}

/// Runs a command and demands that everything is on the disk at its end.
fn assert_durable(what: &str, world: &World, call: Call<'_>, least_moves: usize) {
    let trace = world.home().join("trace");
    let file = trace.to_str().expect("UTF-8");
    let home = world.home().canonicalize().expect("a home");
    let mut watched = Watched::new(&home);
    call.through(&["strace", "-f", "-y", "-s", "4096", "-o", file, "-e", CALLS])
        .expect(0, Any, Any);
    let calls = calls(&read(&trace));
    // Libraries that are loaded are of no interest.
    let is_elsewhere =
        |call: &str| call.contains(", \"/") && !call.contains(&format!(", \"{}", home.display()));
    let mut seen = Vec::new();
    for call in calls {
        let call = watched.expanded(&call);
        if !is_elsewhere(&call) {
            watched.saw(&call);
            seen.push(call);
        }
    }
    let calls = seen;
    let syncs = calls
        .iter()
        .filter(|call| call.starts_with("fsync(") || call.starts_with("fdatasync("))
        .count();
    assert!(
        syncs > 0 && watched.moved.len() >= least_moves,
        "{what}: {syncs} syncs, {:?}",
        watched.moved
    );
    let told = watched.told();
    assert!(
        told.is_empty(),
        "{what}\n{}\n--\n{}",
        told.join("\n"),
        calls.join("\n")
    );
}

#[test]
fn a_new_store_is_on_the_disk_before_it_is_in_its_place() {
    let world = World::empty();
    assert_durable(
        "init",
        &world,
        world
            .anonymous(&INIT)
            .arg("--password-stdin")
            .stdin(PASSWORD),
        1,
    );
}

#[test]
fn credentials_are_on_the_disk_when_a_command_ends() {
    let world = World::new();
    let stdin = |words: &[&str]| {
        world
            .call("ada", words)
            .arg("--password-stdin")
            .stdin(PASSWORD)
    };
    assert_durable(
        "set-password",
        &world,
        stdin(&["user", "set-password", "mara"]),
        1,
    );
    let issue = world.call("ada", &["token", "issue", "mara"]);
    assert_durable("token issue", &world, issue, 1);
    let id = world
        .rows("ada", &["token", "list"])
        .pop()
        .expect("a token")["token_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert_durable(
        "token revoke",
        &world,
        world.call("ada", &["token", "revoke", &id]),
        1,
    );
    let session = |words: &[&str]| world.anonymous(words).env("POPUG_PASSWORD", PASSWORD);
    assert_durable("login", &world, session(&["login", "mara"]), 1);
    assert_durable("logout", &world, session(&["logout"]), 0);
}

#[test]
fn a_day_is_on_the_disk_when_its_commands_end() {
    let mut world = World::new();
    add_tasks(&world, 3, "Durable");
    let add = world
        .call("mara", &["task", "add", "Another"])
        .env("POPUG_SEGMENT_BYTES", "1");
    assert_durable("a write into a new segment", &world, add, 0);
    world.at("2026-03-03T08:00:00Z");
    assert_durable("close", &world, world.call("cron", &["close"]), 0);
    // The mails of the day before are in the outbox.
    assert_durable("consume", &world, world.call("cron", &["consume"]), 1);
    assert!(world.store().join("outbox/2026-03-02").exists());
    for consumer in ["accounting", "analytics"] {
        let rebuild = world.call("ada", &["consume", consumer, "--rebuild"]);
        assert_durable("rebuild", &world, rebuild, 1);
    }
    let report = ["report", "balances", "--out", "balances.csv"];
    assert_durable("report", &world, world.call("ada", &report), 1);
}

#[test]
fn a_rescue_is_on_the_disk_when_it_ends() {
    let world = busy_world();
    assert_durable("backup", &world, world.call("cron", &["backup", "copy"]), 1);
    add_tasks(&world, 1, "Later");
    let secretly = world.call("ada", &["backup", "copy", "--with-secrets"]);
    assert_durable("a backup that grows", &world, secretly, 1);
    let again = world.call("ada", &["backup", "copy", "--with-secrets"]);
    assert_durable("a backup whose former secrets go", &world, again, 1);
    let restore = world.anonymous(&["restore", "copy", "-C", "new"]);
    assert_durable("restore", &world, restore, 1);
    edit(&log(&world)[1], |bytes| bytes[40] ^= 1);
    edit(log(&world).last().expect("a segment"), |bytes| {
        bytes.extend_from_slice(b"torn")
    });
    let repair = world.anonymous(&["repair", "--yes", "--from", "copy"]);
    assert_durable("repair", &world, repair, 1);
}
