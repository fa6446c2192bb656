//! Long answers at a terminal, shown by a pager.
//!
//! Invariant: a reader who looks at an answer keeps nobody from working. An answer is written whole
//! before the pager begins, and the pager begins when the command has closed its tables and
//! released its locks.

#![expect(
    clippy::disallowed_methods,
    reason = "the reader decides when the pager ends"
)]

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use console::Term;
use rustix::fs::OFlags;
use signal_hook::consts::SIGINT;

use crate::cli::environment;
use crate::cli::failure::{Exit, Failure};
use crate::cli::global::Global;
use crate::cli::signals::{Signal, Signals};

const BY_DEFAULT: &str = "less -FRX";
/// A longer answer is kept in a file.
const MEMORY_BYTES: usize = 4 << 20;
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The command line of the pager: POPUG_PAGER, PAGER or `less`. There is none if nobody may be
/// asked for a key, on a terminal without cursor, for users who act through an account by `sudo`,
/// and in a restricted shell: a pager starts any program.
pub(super) fn chosen(global: &Global) -> Option<String> {
    let is_dumb = environment::path("TERM").is_none_or(|term| term == "dumb");
    let is_for_others =
        global.restriction().is_some() || environment::callers().directory_name().is_some();
    if global.no_pager || global.no_input || is_dumb || is_for_others {
        return None;
    }
    let pager = environment::pager().unwrap_or_else(|| BY_DEFAULT.to_owned());
    Some(pager).filter(|pager| !["", "cat"].contains(&pager.trim()))
}

/// An answer that waits for the end of its command.
pub(super) struct Spool {
    pager: String,
    memory: Vec<u8>,
    file: Option<File>,
    lines: usize,
}

impl Spool {
    pub(super) fn new(pager: String) -> Spool {
        Spool {
            pager,
            memory: Vec::new(),
            file: None,
            lines: 0,
        }
    }

    /// Whether the answer fits on the screen, so that it needs no pager.
    pub(super) fn is_short(&self) -> bool {
        self.lines < usize::from(Term::stdout().size().0)
    }

    /// Shows the answer through the pager. If the pager fails, `out` gets the answer.
    ///
    /// # Errors
    /// If neither can be written.
    pub(super) fn show(mut self, out: &mut dyn Write) -> Result<(), Failure> {
        if self.is_short() || !self.is_shown_by_pager()? {
            self.copy(out)?;
            out.flush()?;
        }
        Ok(())
    }

    /// A pager that the reader ends is no failure, and one that cannot be started has shown
    /// nothing.
    fn is_shown_by_pager(&mut self) -> Result<bool, Failure> {
        let signals = Signals::listen()?;
        let Ok(mut pager) = begin(&self.pager) else {
            return Ok(false);
        };
        let ended = std::thread::scope(|scope| {
            if let Some(mut input) = pager.stdin.take() {
                // The pipe is closed when the reader needs no more.
                scope.spawn(move || self.copy(&mut input));
            }
            loop {
                if let Some(status) = pager.try_wait()? {
                    return Ok::<_, io::Error>(Some(status));
                }
                if signals.wait(LOOK_AGAIN) == Some(Signal::Terminate) {
                    pager.kill()?;
                    pager.wait()?;
                    return Ok(None);
                }
            }
        })?;
        let Some(status) = ended else {
            let stopped = "the pager was stopped, so the answer may not have been read to its end";
            return Err(Failure::new(Exit::Terminated, "interrupted", stopped));
        };
        Ok(status.success() || status.signal() == Some(SIGINT))
    }

    fn copy(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            file.seek(SeekFrom::Start(0))?;
            io::copy(file, out)?;
        }
        out.write_all(&self.memory)
    }
}

/// The shell splits the command line into words. `less` leaves if the answer fits on the screen,
/// shows colours, and leaves the answer on the screen.
fn begin(pager: &str) -> io::Result<Child> {
    let mut command = Command::new("sh");
    // A signal then reaches the pager itself and not a shell around it.
    let is_plain = |c: char| c.is_alphanumeric() || " -_./+,:@%".contains(c);
    let line = if pager.chars().all(is_plain) {
        format!("exec {pager}")
    } else {
        pager.to_owned()
    };
    command.args(["-c", &line]).stdin(Stdio::piped());
    for (name, value) in [("LESS", "FRX"), ("LESSCHARSET", "utf-8")] {
        if environment::path(name).is_none() {
            command.env(name, value);
        }
    }
    command.spawn()
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lines += bytes.iter().filter(|byte| **byte == b'\n').count();
        self.memory.extend_from_slice(bytes);
        if self.memory.len() > MEMORY_BYTES {
            // Not every file system has files without a name; memory is the last resort.
            self.file = self.file.take().or_else(|| nameless_file().ok());
            if let Some(file) = &mut self.file {
                file.write_all(&self.memory)?;
                self.memory.clear();
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file of this process alone that ends with it.
fn nameless_file() -> io::Result<File> {
    let mut options = File::options();
    let flags = i32::try_from(OFlags::TMPFILE.bits()).map_err(io::Error::other)?;
    options
        .read(true)
        .write(true)
        .mode(0o600)
        .custom_flags(flags);
    options.open(std::env::temp_dir())
}
