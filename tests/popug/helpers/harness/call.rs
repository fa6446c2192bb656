//! A run of the program: its input, and its expected output.

use std::process::{Command, Stdio};

use serde_json::Value;

use super::World;
use crate::helpers::deadline::Child;

use Text::{Any, Nothing};

/// The expected content of a stream.
#[derive(Clone, Copy)]
pub enum Text<'a> {
    Any,
    Nothing,
    Is(&'a str),
    Has(&'a str),
}

impl Text<'_> {
    /// The difference from the content of the stream, if there is one.
    fn differs(self, stream: &str, found: &str) -> Option<String> {
        let holds = match self {
            Any => true,
            Nothing => found.is_empty(),
            Text::Is(wanted) => found == wanted,
            Text::Has(wanted) => found.contains(wanted),
        };
        let wanted = match self {
            Any | Nothing => "nothing".to_owned(),
            Text::Is(wanted) => format!("exactly {wanted:?}"),
            Text::Has(wanted) => format!("something with {wanted:?}"),
        };
        (!holds).then(|| format!("{stream} was to hold {wanted}"))
    }
}

/// The output of a run.
pub struct Output {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// Stdout as one JSON value.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

/// A run that has not begun.
#[must_use = "a call runs when it is told what to expect"]
pub struct Call<'w> {
    pub(super) world: &'w World,
    pub(super) command: Command,
    pub(super) stdin: Vec<u8>,
}

impl Call<'_> {
    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub fn arg(mut self, word: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.arg(word);
        self
    }

    pub fn args(mut self, words: &[&str]) -> Self {
        self.command.args(words);
        self
    }

    /// Under another umask than that of the suite.
    pub fn under_umask(self, mask: &str) -> Self {
        self.through(&[
            "/bin/sh",
            "-c",
            &format!("umask {mask} && exec \"$0\" \"$@\""),
        ])
    }

    /// With a terminal for all three streams; its screen comes on stdout.
    pub fn on_a_terminal(self) -> Self {
        let spawn =
            "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
        self.through(&["python3", "-c", spawn])
    }

    pub fn stdin(mut self, text: &str) -> Self {
        self.stdin = text.as_bytes().to_vec();
        self
    }

    /// Starts the program through another one, which takes it as its last arguments.
    pub fn through(mut self, words: &[&str]) -> Self {
        let (program, words) = words.split_first().expect("a program");
        let mut command = Command::new(program);
        command
            .args(words)
            .arg(self.command.get_program())
            .args(self.command.get_args());
        command.current_dir(self.world.home()).env_clear();
        command.envs(
            self.command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        self.command = command;
        self
    }

    /// Runs to the end, with any exit code but without a panic.
    pub fn run(self) -> Output {
        let finished = self.spawn().output();
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8 whatever the locale");
        let (stdout, stderr) = (text(finished.stdout), text(finished.stderr));
        assert!(!stderr.contains("panicked"), "{stderr}");
        Output {
            status: finished.status.code().unwrap_or(-1),
            stdout,
            stderr,
        }
    }

    /// Runs to the end and checks all three; a failure names every difference.
    pub fn expect(mut self, status: i32, stdout: Text<'_>, stderr: Text<'_>) -> Output {
        self.command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = Child::start(&mut self.command);
        // The program need not read its input.
        let _ = std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), &self.stdin);
        let finished = child.output();
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8 whatever the locale");
        let output = Output {
            status: finished.status.code().unwrap_or(-1),
            stdout: text(finished.stdout),
            stderr: text(finished.stderr),
        };
        let differences = [
            (output.status != status).then(|| format!("the exit code was to be {status}")),
            stdout.differs("stdout", &output.stdout),
            stderr.differs("stderr", &output.stderr),
            output
                .stderr
                .contains("panicked")
                .then(|| "it was not to panic".to_owned()),
        ];
        let differences: Vec<_> = differences.into_iter().flatten().collect();
        assert!(
            differences.is_empty(),
            "{}\n{}",
            differences.join("\n"),
            self.shown(&output)
        );
        output
    }

    /// Starts the program and leaves it running. The caller waits for the child and checks its end.
    pub fn spawn(mut self) -> Child {
        self.command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Child::start(&mut self.command)
    }

    /// Starts the program with a pipe for each stream and leaves it running.
    pub fn talk(mut self) -> Child {
        self.command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Child::start(&mut self.command)
    }

    /// As the words of a command that begins with an empty environment.
    pub fn sealed_words(self) -> Vec<std::ffi::OsString> {
        let variables = self.command.get_envs().filter_map(|(name, value)| {
            let mut word = name.to_owned();
            word.push("=");
            word.push(value?);
            Some(word)
        });
        let begin = ["env".into(), "-i".into()].into_iter().chain(variables);
        let words = begin.chain([self.command.get_program().to_owned()]);
        words
            .chain(self.command.get_args().map(std::ffi::OsStr::to_owned))
            .collect()
    }

    fn shown(&self, output: &Output) -> String {
        let words: Vec<_> = self
            .command
            .get_args()
            .map(|word| word.to_string_lossy())
            .collect();
        let Output {
            status,
            stdout,
            stderr,
        } = output;
        format!(
            "$ popug-cli {}\n({})\nstatus {status}\n{stdout}--\n{stderr}",
            words.join(" "),
            self.world.now
        )
    }
}
