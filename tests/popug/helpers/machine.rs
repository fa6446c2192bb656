//! A machine with accounts, `sudo` and sshd of its own: a mount namespace over the machine of the
//! tests. Only root can have one, and nothing of it remains when its processes end.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::deadline::Child;
use super::harness::Output;
use super::settings::library_path;

/// Gives the namespace directories of its own, and waits until its stdin ends.
const SET_UP: &str = r#"
dir=$1 program=$2 libraries=$3
cp -a /etc "$dir/etc"
mount --bind "$dir/etc" /etc
for place in /run /srv /home /usr/local/bin; do mount -t tmpfs -o mode=755 tmpfs "$place"; done
mkdir /run/sshd
touch /usr/local/bin/popug-cli
mount --bind "$program" /usr/local/bin/popug-cli
[ -z "$libraries" ] || { echo "$libraries" > /etc/ld.so.conf.d/popug.conf; ldconfig -i; }
echo ready
exec cat
"#;

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Accounts, files and services that exist only in a mount namespace. The program is
/// `/usr/local/bin/popug-cli`; `/srv` and `/home` are empty at first.
pub struct Machine {
    holder: Child,
    services: Vec<Child>,
    _directory: tempfile::TempDir,
}

impl Machine {
    /// `None`, and a line that says so, if this is not root or the system allows no namespace.
    pub fn new() -> Option<Machine> {
        let directory = tempfile::Builder::new()
            .prefix("popug-machine-")
            .tempdir()
            .expect("a directory");
        let libraries = library_path().map_or_else(Default::default, |(_, path)| path);
        let mut command = Command::new("unshare");
        command
            .args([
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-ec",
                SET_UP,
                "sh",
            ])
            .arg(directory.path())
            .arg(env!("CARGO_BIN_EXE_popug-cli"))
            .arg(libraries)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut holder = Child::start(&mut command);
        let mut said = String::new();
        let stdout = holder.stdout.take().expect("a pipe");
        let _ = BufReader::new(stdout).read_line(&mut said);
        if said.trim() != "ready" {
            let output = holder.output();
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            // Past the harness, which hides the output of tests that pass.
            let told = format!(
                "SKIPPED: this needs root and mount namespaces: {}\n",
                why.trim()
            );
            let _ = std::io::stderr().write_all(told.as_bytes());
            return None;
        }
        Some(Machine {
            holder,
            services: Vec::new(),
            _directory: directory,
        })
    }

    /// The words that run a command of the shell as `user`, with the environment of a login.
    pub fn words(&self, user: &str, command: &str) -> Vec<OsString> {
        let home = match user {
            "root" => "/root".to_owned(),
            "popug" => "/srv/popug".to_owned(),
            _ => format!("/home/{user}"),
        };
        let target = self.holder.id().to_string();
        let words = [
            "nsenter",
            "--target",
            &target,
            "--mount",
            "--",
            "setpriv",
            "--reuid",
            user,
            "--regid",
            user,
            "--init-groups",
            "env",
            "-i",
            PATH,
            "TERM=screen",
            &format!("HOME={home}"),
            &format!("USER={user}"),
            "sh",
            "-ec",
            command,
        ];
        words.map(OsString::from).to_vec()
    }

    /// Runs a command of the shell as `user` to its end.
    pub fn run(&self, user: &str, command: &str) -> Output {
        self.run_with(user, command, "")
    }

    /// The same with a stdin.
    pub fn run_with(&self, user: &str, command: &str, stdin: &str) -> Output {
        let mut child = self.start(user, command);
        let mut pipe = child.stdin.take().expect("a pipe");
        // The command need not read its input.
        let _ = pipe.write_all(stdin.as_bytes());
        drop(pipe);
        let output = child.output();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Output {
            status: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// Runs a command that must succeed. Returns its stdout.
    pub fn does(&self, user: &str, command: &str) -> String {
        let output = self.run(user, command);
        assert_eq!(
            output.status, 0,
            "{user}: {command}\n{}{}",
            output.stdout, output.stderr
        );
        output.stdout
    }

    /// Starts a program of root that runs as long as the machine.
    pub fn serves(&mut self, command: &str) {
        let child = self.start("root", &format!("exec {command}"));
        self.services.push(child);
    }

    /// The end of the services, for a message.
    pub fn are_running(&self) -> bool {
        self.services.iter().all(Child::is_running)
    }

    /// Puts a file there, with its mode.
    pub fn put(&self, path: &str, mode: &str, text: &str) {
        let command = format!("install -m {mode} /dev/stdin {path}");
        let output = self.run_with("root", &command, text);
        assert_eq!(output.status, 0, "{path}: {}", output.stderr);
    }

    fn start(&self, user: &str, command: &str) -> Child {
        let words = self.words(user, command);
        let mut started = Command::new(&words[0]);
        started
            .args(&words[1..])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Child::start(&mut started)
    }
}
