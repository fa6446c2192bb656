//! People who share the store's account through `sudo`, each from a Unix account of their own: a
//! session belongs to the person who called.
//!
//! Root runs this with the real `sudo` and accounts that exist only in a mount namespace. If there
//! can be no namespace, as for other users, the program gets its caller in the environment, as from
//! `sudo`.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::helpers::deadline;
use crate::helpers::harness::Text::Any;
use crate::helpers::harness::{Output, PASSWORD, World, copy};
use crate::helpers::settings::library_path;

/// Accounts of the machine: the owner of the store, and two people.
const STORE: u32 = 61_111;
const ANNA: u32 = 61_112;
const DIMA: u32 = 61_113;

/// Makes accounts and rules visible to one command, and runs it as one of the people.
const AS_SOMEBODY: &str = r#"
dir=$1 bin=$2 uid=$3
shift 3
for file in passwd group shadow sudoers; do mount --bind "$dir/etc/$file" "/etc/$file"; done
mount --bind "$bin" "$dir/bin"
exec setpriv --reuid "$uid" --regid "$uid" --clear-groups "$@"
"#;

/// A machine with a store that several people use.
struct Machine {
    world: World,
    /// The directory for people who are not root; `None` if accounts cannot be added.
    public: Option<tempfile::TempDir>,
}

impl Machine {
    fn new() -> Machine {
        let world = World::new();
        let set = world.call("ada", &["user", "set-password", "mara", "--password-stdin"]);
        set.stdin(PASSWORD).expect(0, Any, Any);
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
        let may_mount =
            || deadline::status(Command::new("unshare").args(["--mount", "true"])).success();
        let public = (is_root && may_mount()).then(|| public(&world));
        Machine { world, public }
    }

    /// The program by one of the people, through `sudo`.
    fn by(&self, caller: u32, words: &[&str]) -> Output {
        self.by_with(caller, words, "")
    }

    /// The same, with `SUDO_UID` set to a value beforehand.
    fn by_with(&self, caller: u32, words: &[&str], sudo_uid: &str) -> Output {
        let Some(public) = &self.public else {
            let call = self.world.anonymous(words).env("POPUG_PASSWORD", PASSWORD);
            return call.env("SUDO_UID", caller.to_string()).run();
        };
        let program = public.path().join("popug");
        let sudo = ["sudo", "-n", "-u", "popug-store"]
            .map(str::to_owned)
            .into_iter();
        let words = sudo
            .chain([program.display().to_string()])
            .chain(words.iter().map(|word| (*word).to_owned()));
        let mut command = somebody(public.path(), caller);
        command.args(words).env("SUDO_UID", sudo_uid);
        finished(command)
    }

    /// The program by the account that the store belongs to.
    fn by_itself(&self, words: &[&str]) -> Output {
        let Some(public) = &self.public else {
            return self
                .world
                .anonymous(words)
                .env("POPUG_PASSWORD", PASSWORD)
                .run();
        };
        let mut command = somebody(public.path(), STORE);
        command
            .arg(public.path().join("popug"))
            .args(words)
            .env("HOME", public.path().join("home"));
        finished(command)
    }

    fn home(&self) -> PathBuf {
        self.public.as_ref().map_or_else(
            || self.world.home().to_owned(),
            |public| public.path().join("home"),
        )
    }
}

fn somebody(public: &Path, uid: u32) -> Command {
    let bin = Path::new(env!("CARGO_BIN_EXE_popug-cli"))
        .parent()
        .expect("a directory");
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-ec", AS_SOMEBODY, "sh"])
        .arg(public)
        .arg(bin)
        .arg(uid.to_string());
    command
        .current_dir("/")
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("POPUG_PASSWORD", PASSWORD);
    command
}

fn finished(mut command: Command) -> Output {
    let output = deadline::output(&mut command);
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    Output {
        status: output.status.code().unwrap_or(-1),
        stdout,
        stderr,
    }
}

/// The store under its account, that account's home, the accounts, and the rule that lets people run one program.
fn public(world: &World) -> tempfile::TempDir {
    assert!(
        Path::new("/etc/sudoers").exists(),
        "sudo is not installed; .ci/run installs it"
    );
    let directory = tempfile::Builder::new()
        .prefix("popug-sudo-")
        .tempdir()
        .expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("its mode")
    };
    mode(directory.path(), 0o755);
    for name in ["bin", "etc", "home"] {
        std::fs::create_dir(at(name)).expect("made");
    }
    copy(&world.store(), &at("store"));
    give(&at("store"), STORE);
    give(&at("home"), STORE);
    let people = [
        ("popug-store", STORE),
        ("popug-anna", ANNA),
        ("popug-dima", DIMA),
    ];
    let lines = |file: &str, line: &dyn Fn(&str, u32) -> String| {
        let text = std::fs::read_to_string(Path::new("/etc").join(file)).expect("of the machine");
        let more = people
            .iter()
            .map(|(login, uid)| line(login, *uid))
            .collect::<String>();
        std::fs::write(at("etc").join(file), format!("{}\n{more}", text.trim_end()))
            .expect("written");
    };
    let home = at("home").display().to_string();
    lines("passwd", &|login, uid| {
        format!("{login}:x:{uid}:{uid}::{home}:/bin/sh\n")
    });
    lines("group", &|login, uid| format!("{login}:x:{uid}:\n"));
    lines("shadow", &|login, _| {
        format!("{login}:*:19000:0:99999:7:::\n")
    });
    let program = at("popug");
    let libraries = library_path().map_or_else(Default::default, |(_, path)| path);
    let script = format!(
        "#!/bin/sh\nexport LD_LIBRARY_PATH='{}' POPUG_STORE='{}'\nexec '{}' \"$@\"\n",
        libraries.display(),
        at("store").display(),
        at("bin").join("popug-cli").display()
    );
    std::fs::write(&program, script).expect("written");
    mode(&program, 0o755);
    let rule = format!("ALL=(popug-store) NOPASSWD: {}", program.display());
    let keep = "Defaults env_keep += \"POPUG_PASSWORD\"";
    std::fs::write(
        at("etc/sudoers"),
        format!("{keep}\npopug-anna {rule}\npopug-dima {rule}\n"),
    )
    .expect("written");
    mode(&at("etc/sudoers"), 0o440);
    mode(&at("etc/shadow"), 0o600);
    directory
}

/// Gives a file or a directory with all that is in it to an account.
fn give(path: &Path, uid: u32) {
    chown(path, Some(uid), Some(uid)).expect("root may");
    if path.is_dir() {
        let entries = std::fs::read_dir(path).expect("a directory");
        entries.for_each(|entry| give(&entry.expect("an entry").path(), uid));
    }
}

fn acts_as(output: &Output, login: &str) {
    assert!(
        output.status == 0 && output.stdout.contains(login),
        "{}{}",
        output.stdout,
        output.stderr
    );
}

fn is_nobody(output: &Output) {
    assert_eq!(output.status, 5, "{}{}", output.stdout, output.stderr);
    assert!(
        output.stdout.is_empty() && output.stderr.contains("you are not logged in"),
        "{}",
        output.stderr
    );
}

#[test]
fn people_who_share_an_account_through_sudo_have_a_session_each() {
    let machine = Machine::new();
    let whoami = |caller| machine.by(caller, &["whoami"]);
    let logs_in = |output: &Output| assert_eq!(output.status, 0, "{}", output.stderr);
    logs_in(&machine.by(ANNA, &["login", "ada"]));
    acts_as(&whoami(ANNA), "ada");
    is_nobody(&whoami(DIMA));
    is_nobody(&machine.by(DIMA, &["user", "set-role", "dora", "admin"]));
    is_nobody(&machine.by_itself(&["whoami"]));
    logs_in(&machine.by(DIMA, &["login", "mara"]));
    acts_as(&whoami(ANNA), "ada");
    acts_as(&whoami(DIMA), "mara");
    // The words that people pass to sudo give them no other identity.
    if machine.public.is_some() {
        acts_as(
            &machine.by_with(DIMA, &["whoami"], &ANNA.to_string()),
            "mara",
        );
    }
    machine.by(DIMA, &["logout"]);
    acts_as(&whoami(ANNA), "ada");
    is_nobody(&whoami(DIMA));
    // The account's own session is separate too.
    logs_in(&machine.by_itself(&["login", "mara"]));
    acts_as(&machine.by_itself(&["whoami"]), "mara");
    acts_as(&whoami(ANNA), "ada");
    is_nobody(&whoami(DIMA));
    let sessions = machine
        .home()
        .join(".local/state/popug-cli")
        .join(format!("caller-{ANNA}"));
    let session = std::fs::read_dir(&sessions)
        .expect("a directory")
        .next()
        .expect("a session")
        .expect("an entry");
    for (path, mode) in [(sessions, 0o700), (session.path(), 0o600)] {
        assert_eq!(
            std::fs::metadata(path).expect("there").permissions().mode() & 0o777,
            mode
        );
    }
}
