//! Runs programs, measures their time and memory, and writes the table of the results.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::made::PASSWORD;

/// The median of some runs of one program.
#[derive(Clone, Copy)]
pub struct Spent {
    pub took: Duration,
    /// The largest resident memory of all runs.
    pub mebibytes: u64,
}

impl Spent {
    pub fn per_second(self, things: u64) -> String {
        format!("{:.0}/s", things as f64 / self.took.as_secs_f64())
    }

    /// `0.62 of sha256sum`
    pub fn beside(self, peer: Option<(&str, Spent)>) -> String {
        let ratio = |(name, peer): (&str, Spent)| {
            let ratio = self.took.as_secs_f64() / peer.took.as_secs_f64();
            format!("{ratio:.2} of {name}")
        };
        peer.map_or_else(String::new, ratio)
    }
}

/// The table as it grows, printed row by row.
pub struct Results(String);

impl Results {
    pub fn begin() -> Results {
        let mut results = Results(String::new());
        results.line("| what | measured | peak memory | beside | wanted |");
        results.line("| --- | --- | --- | --- | --- |");
        results
    }

    pub fn row(&mut self, what: &str, spent: Spent, measured: &str, beside: &str, wanted: &str) {
        let (took, mebibytes) = (spent.took, spent.mebibytes);
        let took = match took.as_secs_f64() {
            seconds if seconds < 0.5 => format!("{:.1} ms", seconds * 1000.0),
            seconds => format!("{seconds:.2} s"),
        };
        let measured = if measured.is_empty() {
            String::new()
        } else {
            format!(", {measured}")
        };
        let memory = if mebibytes == 0 {
            String::new()
        } else {
            format!("{mebibytes} MiB")
        };
        self.line(&format!(
            "| {what} | {took}{measured} | {memory} | {beside} | {wanted} |"
        ));
    }

    pub fn left_out(&self, program: &str) {
        println!("{program} is not installed and left out");
    }

    fn line(&mut self, line: &str) {
        println!("{line}");
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// Puts the table between the marks in `document`.
    pub fn write(&self, document: &Path, events: u64) {
        const MARKS: [&str; 2] = [
            "<!-- begin of what scripts/bench writes -->\n",
            "<!-- end -->",
        ];
        let text = std::fs::read_to_string(document).expect("the document");
        let (before, rest) = text.split_once(MARKS[0]).expect("the first mark");
        let (_, after) = rest.split_once(MARKS[1]).expect("the second mark");
        let table = format!(
            "{before}{}\n{events} events.\n\n{}\n{}{after}",
            MARKS[0], self.0, MARKS[1]
        );
        std::fs::write(document, table).expect("the document is written");
    }
}

/// Returns true if a program is installed.
pub fn is_installed(words: &[&str]) -> bool {
    let (program, words) = words.split_first().expect("a program");
    let mut command = Command::new(program);
    command
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs a program several times, its output thrown away.
pub fn spent(runs: usize, begin: impl Fn() -> Command) -> Spent {
    let mut all: Vec<Spent> = (0..runs).map(|_| once(&mut begin())).collect();
    all.sort_unstable_by_key(|spent| spent.took);
    let mebibytes = all.iter().map(|spent| spent.mebibytes).max().unwrap_or(0);
    Spent {
        mebibytes,
        ..all[runs / 2]
    }
}

/// The kernel tells the peak of a process as long as it lives, so it is asked again and again.
fn once(command: &mut Command) -> Spent {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let began = Instant::now();
    let mut child = command.spawn().expect("the program starts");
    let status = format!("/proc/{}/status", child.id());
    let ended = std::thread::spawn(move || {
        let status = child.wait().expect("it ends");
        (status, Instant::now())
    });
    let mut kibibytes = 0;
    while !ended.is_finished() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let found = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kibibytes = found.unwrap_or(kibibytes).max(kibibytes);
        std::thread::sleep(Duration::from_millis(1));
    }
    let (status, end) = ended.join().expect("a wait does not panic");
    assert!(status.success(), "{command:?}");
    Spent {
        took: end - began,
        mebibytes: kibibytes / 1024,
    }
}

/// The program itself, as the admin of a store that the benchmark made.
pub fn popug(store: &Path, token: &str, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_popug-cli"));
    command.args(words).args(["--quiet"]);
    command.env("POPUG_STORE", store).env("POPUG_TOKEN", token);
    command
}

pub fn token(store: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_popug-cli"));
    command.args(["token", "issue", "root", "--as", "root"]);
    let output = command
        .env("POPUG_STORE", store)
        .env("POPUG_PASSWORD", PASSWORD)
        .output();
    let output = output.expect("popug-cli starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .expect("a token is UTF-8")
        .trim()
        .to_owned()
}
