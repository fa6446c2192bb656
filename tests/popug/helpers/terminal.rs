//! A terminal in which the program runs, as a user sees it: tmux.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::helpers::deadline;
use crate::helpers::harness::{Call, World};

pub const PATIENCE: Duration = Duration::from_secs(30);
const SETTINGS: &str = "set -sg escape-time 0\n";
/// Prints how the program ended, which a terminal does not show. Ctrl-C is for the program alone.
const AROUND: &str = r#"trap : INT; "$@"; echo "[ended with $?]"; sleep 600"#;

/// A terminal in which a program runs.
pub struct Terminal {
    socket: PathBuf,
}

impl Terminal {
    pub fn with(world: &World, call: Call<'_>) -> Terminal {
        Terminal::running(world, call.env("TERM", "screen").sealed_words())
    }

    /// A terminal in which these words run, with its files in the home of `world`.
    pub fn running(world: &World, words: Vec<OsString>) -> Terminal {
        static OPENED: AtomicUsize = AtomicUsize::new(0);
        let socket = world
            .home()
            .join(format!("tmux-{}", OPENED.fetch_add(1, Ordering::Relaxed)));
        let settings = world.home().join("tmux.conf");
        std::fs::write(&settings, SETTINGS).expect("written");
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

    pub fn does(&self, words: &[impl AsRef<OsStr>]) -> String {
        let output = succeeded(tmux(&self.socket).args(words));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    pub fn types(&self, text: &str) {
        self.does(&["send-keys", "-l", "--", text]);
    }

    pub fn presses(&self, key: &str) {
        self.does(&["send-keys", key]);
    }

    /// Types a line and ends it when it is visible, so that the next prompt is a new one.
    pub fn enters(&self, line: &str) {
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

    pub fn screen(&self) -> String {
        self.does(&["capture-pane", "-p"])
    }

    /// Waits until the screen `is_so`.
    pub fn shows(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
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

    pub fn has(&self, text: &str) -> String {
        self.shows(text, |screen| screen.contains(text))
    }

    /// Waits until the last line of the screen is `line`.
    pub fn ends_with(&self, line: &str) {
        self.shows(line, |screen| {
            screen.trim_end().lines().last() == Some(line.trim_end())
        });
    }

    /// Answers a question for a password as soon as typed text is hidden.
    pub fn answers(&self, question: &str, password: &str) {
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

    pub fn ask(&self, what: &str) -> String {
        self.does(&["display-message", "-p", what])
            .trim()
            .to_owned()
    }

    /// Waits for the end of the program. Returns its exit code, or 128 and the signal.
    pub fn ended(&self) -> i32 {
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
