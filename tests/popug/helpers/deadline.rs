//! Programs that tests start, and the only waits for them: none is longer than [`DEADLINE`].
//!
//! A program that runs longer is killed, so that its streams end too and no test hangs; clippy.toml
//! forbids every other wait.

#![expect(
    clippy::disallowed_methods,
    reason = "the one place where tests start programs and wait for them"
)]

use std::io::Read;
use std::process::{ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Longer than any step of this suite, the installation of its tools included.
const DEADLINE: Duration = Duration::from_secs(600);

/// A program that was started and not awaited yet. It is killed when it is dropped.
pub struct Child {
    process: Arc<Mutex<std::process::Child>>,
    id: u32,
    pub stdin: Option<ChildStdin>,
    pub stdout: Option<ChildStdout>,
    pub stderr: Option<ChildStderr>,
    /// Dropped with the child, which ends the thread that watches the deadline.
    _watched: Sender<()>,
}

impl Child {
    /// Starts the program. Streams that are piped can be taken.
    pub fn start(command: &mut Command) -> Child {
        let mut process = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let (stdin, stdout, stderr) = (
            process.stdin.take(),
            process.stdout.take(),
            process.stderr.take(),
        );
        let id = process.id();
        let process = Arc::new(Mutex::new(process));
        let (watched, end) = channel();
        let late = process.clone();
        std::thread::spawn(move || kill_at_deadline(&late, &end));
        Child {
            process,
            id,
            stdin,
            stdout,
            stderr,
            _watched: watched,
        }
    }

    pub fn id(&self) -> u32 {
        self.id
    }

    pub fn is_running(&self) -> bool {
        self.ended().is_none()
    }

    /// Kills the program; nothing if it has ended.
    pub fn kill(&self) {
        let mut process = self.process.lock().expect("no panic while it is held");
        process.kill().expect("it is ours");
    }

    /// Sends a signal by the name that `kill` knows: `INT`, `STOP`.
    pub fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        kill.arg(format!("-{name}")).arg(self.id.to_string());
        assert!(status(&mut kill).success(), "kill -{name}");
    }

    fn ended(&self) -> Option<ExitStatus> {
        let mut process = self.process.lock().expect("no panic while it is held");
        process.try_wait().expect("it is ours")
    }

    /// Waits for the end of the program, whose input ends now.
    pub fn wait(&mut self) -> ExitStatus {
        drop(self.stdin.take());
        let began = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(began.elapsed() < 2 * DEADLINE, "it cannot be killed");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits for the end of the program. Returns its output on pipes that nobody took.
    pub fn output(mut self) -> Output {
        drop(self.stdin.take());
        let (stdout, stderr) = (
            self.stdout.take().map(read_beside),
            self.stderr.take().map(read_beside),
        );
        let (stdout, stderr) = (collected(stdout), collected(stderr));
        Output {
            status: self.wait(),
            stdout,
            stderr,
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.is_running() {
            self.kill();
            self.wait();
        }
    }
}

fn kill_at_deadline(process: &Mutex<std::process::Child>, end: &Receiver<()>) {
    if end.recv_timeout(DEADLINE) == Err(RecvTimeoutError::Timeout) {
        let mut process = process.lock().expect("no panic while it is held");
        eprintln!("process {} did not end and is killed", process.id());
        process.kill().expect("it is ours");
    }
}

fn read_beside(mut stream: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("a pipe");
        // Nobody listens if the test has failed.
        let _ = sender.send(bytes);
    });
    receiver
}

fn collected(stream: Option<Receiver<Vec<u8>>>) -> Vec<u8> {
    let bytes = stream.map(|stream| stream.recv_timeout(2 * DEADLINE));
    bytes.map_or_else(Vec::new, |bytes| bytes.expect("the stream ends"))
}

/// Runs a program to its end, without input. Returns its output.
pub fn output(command: &mut Command) -> Output {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Child::start(command).output()
}

/// Runs a program to its end.
pub fn status(command: &mut Command) -> ExitStatus {
    Child::start(command).wait()
}
