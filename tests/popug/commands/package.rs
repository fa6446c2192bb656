//! The packages: what is in them, and a day of a service user with an installed one.
//!
//! `scripts/package` packs the program that the suite runs, with hardly any compression. Root installs
//! the package into an empty root, with the account that the package describes, and runs the day as
//! that account, in a mount namespace of its own; other users unpack it and run the day themselves.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::helpers::deadline;
use crate::helpers::harness::PASSWORD;
use crate::helpers::settings::library_path;
use crate::helpers::sources::root;

/// Makes the accounts and the home of the package visible to one command, and runs it as `popug`.
const AS_SERVICE: &str = r#"
root=$1
shift
for file in passwd group; do mount --bind "$root/etc/$file" "/etc/$file"; done
mount -t tmpfs none /srv
mkdir /srv/popug
mount --bind "$root/srv/popug" /srv/popug
cd /srv/popug
exec setpriv --reuid popug --regid popug --init-groups "$@"
"#;

/// A root with the package in it.
struct Installed {
    home: tempfile::TempDir,
    packages: Vec<PathBuf>,
    /// Whether the account and the directories of the package are there.
    has_account: bool,
}

fn succeeds(command: &mut Command) -> String {
    let output = deadline::output(command);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{stderr}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

impl Installed {
    fn new() -> Installed {
        // Not below a directory of root alone: the service user has to get there.
        let home = tempfile::tempdir_in("/tmp").expect("a directory");
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755))
            .expect("its mode");
        let mut pack = Command::new(root().join("scripts/package"));
        pack.arg("--fast")
            .arg("--program")
            .arg(env!("CARGO_BIN_EXE_popug-cli"))
            .arg("--out")
            .arg(home.path().join("packages"));
        let said = succeeds(pack.envs(library_path()));
        let packages: Vec<PathBuf> = said.lines().map(PathBuf::from).collect();
        assert_eq!(packages.len(), 2, "{said}");
        let installed = Installed {
            has_account: false,
            home,
            packages,
        };
        installed.install()
    }

    fn root(&self) -> PathBuf {
        self.home.path().join("root")
    }

    fn install(self) -> Installed {
        let (root, deb) = (self.root(), &self.packages[0]);
        let database = root.join("var/lib/dpkg");
        std::fs::create_dir_all(database.join("info")).expect("created");
        std::fs::create_dir_all(database.join("updates")).expect("created");
        std::fs::write(database.join("status"), "").expect("written");
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
        if !is_root {
            succeeds(Command::new("dpkg-deb").arg("-x").args([deb, &root]));
            return self;
        }
        let at_root = |option: &str| format!("{option}{}", root.display());
        let mut dpkg = Command::new("dpkg");
        // The empty root has no C library for the package to depend on.
        dpkg.arg(at_root("--root=")).args(["--force-depends", "-i"]);
        succeeds(dpkg.arg(deb));
        let may_mount =
            deadline::status(Command::new("unshare").args(["--mount", "true"])).success();
        if may_mount {
            succeeds(Command::new("systemd-sysusers").arg(at_root("--root=")));
            let mut tmpfiles = Command::new("systemd-tmpfiles");
            succeeds(tmpfiles.arg(at_root("--root=")).arg("--create"));
        }
        Installed {
            has_account: may_mount,
            ..self
        }
    }

    /// A script of the service user at this time, with the settings of the nightly job.
    fn runs(&self, now: &str, script: &str) -> String {
        let home = if self.has_account {
            PathBuf::from("/srv/popug")
        } else {
            let home = self.home.path().join("home");
            std::fs::create_dir_all(&home).expect("created");
            home
        };
        let mut command = Command::new("env");
        if self.has_account {
            command = Command::new("unshare");
            command
                .args(["--mount", "sh", "-ec", AS_SERVICE, "sh"])
                .arg(self.root());
        }
        let bin = self.root().join("usr/bin");
        command
            .args(["sh", "-euc", script])
            .env_clear()
            .envs(library_path())
            .envs(settings(&self.root(), &home))
            .env("PATH", format!("{}:/usr/sbin:/usr/bin:/bin", bin.display()))
            .env("HOME", &home)
            .env("POPUG_PASSWORD", PASSWORD)
            .env("POPUG_NOW", now)
            .env("POPUG_SEED", "7");
        succeeds(&mut command)
    }
}

/// The environment that the unit of the nightly job gives it, at the home of this account.
fn settings(root: &Path, home: &Path) -> Vec<(String, String)> {
    let unit = root.join("usr/lib/systemd/system/popug-end-of-day.service");
    let unit = std::fs::read_to_string(unit).expect("a unit");
    let lines = unit
        .lines()
        .filter_map(|line| line.strip_prefix("Environment="));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| {
            let value = value.replace("/srv/popug", home.to_str().expect("UTF-8"));
            (name.to_owned(), value)
        })
        .collect()
}

const MORNING: &str = r#"
popug-cli init --company 'UberPopug Inc.' --time-zone Europe/Berlin --currency EUR \
    --admin-login ada --admin-name Ada --admin-email ada@popug.example
for user in 'cron service' 'dora developer'; do
    set -- $user
    popug-cli --as ada user register --login "$1" --name "$1" --email "$1@popug.example" --role "$2" >/dev/null
done
(umask 077 && popug-cli --as ada token issue cron >"$POPUG_TOKEN_FILE")
popug-cli --as ada task add Fix -o json
"#;

const NIGHT: &str = r#"
POPUG_BACKUP=$HOME/backups POPUG_KEEP='--keep-daily 7' popug-end-of-day
popug-cli backup list "$HOME/backups" -q >/dev/null
popug-cli verify --deep -q
popug-cli status -o json
id -un
"#;

#[test]
fn a_service_user_works_a_day_with_the_installed_package() {
    let installed = Installed::new();
    let task = installed.runs("2026-03-02T08:00:00Z", MORNING);
    assert!(task.contains("\"assignee\":\"dora\""), "{task}");
    let said = installed.runs("2026-03-02T23:05:00Z", NIGHT);
    let (status, user) = said.trim_end().rsplit_once('\n').expect("two answers");
    let status: Value = serde_json::from_str(status).expect("nothing but the status");
    assert_eq!(status["last_closed_date"], "2026-03-02", "{status}");
    assert!(!installed.has_account || user == "popug", "{user}");

    let root = installed.root();
    check_files(&root);
    check_control(&installed.packages[0]);
    check_tarball(&installed.packages[1], &root);
    if !installed.has_account {
        return;
    }
    let store = root.join("srv/popug");
    let owner = std::fs::metadata(&store).expect("a home");
    assert!(owner.uid() != 0 && owner.mode() & 0o777 == 0o700);
    // The account goes with the empty root; the package leaves nothing of its own.
    let mut purge = Command::new("dpkg");
    purge.arg(format!("--root={}", root.display()));
    succeeds(purge.args(["--purge", "popug-cli"]));
    let left = [
        "usr/bin/popug-cli",
        "etc/default/popug-cli",
        "usr/share/doc/popug-cli",
    ];
    assert!(left.iter().all(|name| !root.join(name).exists()));
    assert!(store.join("store/log").exists(), "the books stay");
}

/// The program has no symbols, the completions and man pages can be read, and systemd takes the units.
fn check_files(root: &Path) {
    let usr = root.join("usr");
    let program = usr.join("bin/popug-cli");
    let symbols = deadline::output(Command::new("nm").arg(&program));
    assert!(String::from_utf8_lossy(&symbols.stderr).contains("no symbols"));
    let completion = usr.join("share/bash-completion/completions/popug-cli");
    succeeds(Command::new("bash").arg("-n").arg(completion));
    for name in [
        "zsh/vendor-completions/_popug-cli",
        "fish/vendor_completions.d/popug-cli.fish",
    ] {
        let text = std::fs::read_to_string(usr.join("share").join(name)).expect("a completion");
        assert!(text.contains("popug-cli"), "{name}");
    }
    let page = usr.join("share/man/man1/popug-cli-task-add.1.gz");
    let page = succeeds(Command::new("gzip").arg("-dc").arg(page));
    assert!(page.contains(".TH \"POPUG-CLI-TASK-ADD\""), "{page}");
    let changes = usr.join("share/doc/popug-cli/changelog.gz");
    let changes = succeeds(Command::new("gzip").arg("-dc").arg(changes));
    assert!(changes.starts_with("# Changes"));
    let copyright = usr.join("share/doc/popug-cli/copyright");
    let copyright = std::fs::read_to_string(copyright).expect("a copyright file");
    for crates in [" duckdb 1.", " rusqlite 0.", " polars 0."] {
        assert!(copyright.contains(crates), "{crates}: {copyright}");
    }
    assert!(
        !copyright.contains(" proptest "),
        "crates of tests are not linked"
    );
    let units = usr.join("lib/systemd/system");
    let names = std::fs::read_dir(&units).expect("units").count();
    assert_eq!(names, 4);
    // Every program that a unit starts is in the package.
    for unit in std::fs::read_dir(&units).expect("units") {
        let text = std::fs::read_to_string(unit.expect("a unit").path()).expect("UTF-8");
        for started in text
            .lines()
            .filter_map(|line| line.strip_prefix("ExecStart=/"))
        {
            let program = started.split(' ').next().expect("a program");
            assert!(root.join(program).is_file(), "{started}");
        }
    }
}

fn check_control(deb: &Path) {
    let told = succeeds(Command::new("dpkg-deb").arg("-I").arg(deb));
    let version = format!("Version: {}", env!("CARGO_PKG_VERSION"));
    for wanted in [
        "Package: popug-cli",
        &version,
        "Depends: libc6 (>= 2.",
        "libstdc++6",
    ] {
        assert!(told.contains(wanted), "{wanted}: {told}");
    }
    let listed = succeeds(Command::new("dpkg-deb").arg("-c").arg(deb));
    assert!(
        listed.lines().all(|line| line.contains(" root/root ")),
        "{listed}"
    );
    let writable = |line: &&str| line[..10].chars().nth(8) == Some('w') && !line.starts_with('l');
    assert_eq!(listed.lines().find(writable), None);
}

/// The tarball has the same files below one directory.
fn check_tarball(tarball: &Path, root: &Path) {
    let names = succeeds(Command::new("tar").arg("-tzf").arg(tarball));
    let top = format!("popug-cli-{}/", env!("CARGO_PKG_VERSION"));
    let mut files = 0;
    for name in names.lines().filter(|name| !name.ends_with('/')) {
        let name = name.strip_prefix(&top).expect("one directory");
        let place = if name.starts_with("etc/") {
            root.join(name)
        } else {
            root.join("usr").join(name)
        };
        assert!(place.is_file(), "{name}");
        files += 1;
    }
    assert!(files > 80, "{files}");
}
