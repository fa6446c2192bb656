//! Lines from a pipe or file: no prompt, no history, and the first failure ends it unless it is to go on.
//!
//! Each line is read when the one before it has been carried out, so that a program can write a line and wait for the
//! answer. What must hold: what failed is named by the number of its line, and the exit code is that of the first
//! failure.

use std::io::{self, BufRead, Read};

use crate::cli::Ended;
use crate::cli::failure::{Exit, Failure};
use crate::cli::shell::{Shell, Step};

/// Longer than the longest command; whatever is longer is no script.
const LINE_BYTES_MAX: u64 = 1 << 20;

const SHOWN_CHARS_MAX: usize = 80;

/// # Errors
/// The first failure, unless `keep_going`.
pub fn run(shell: &Shell<'_>, keep_going: bool) -> Result<Exit, Failure> {
    let mut first_failure = Exit::Done;
    for number in 1.. {
        let Some(line) = next_line(number)? else { break };
        let ended = match shell.carry_out(&line) {
            Step::Nothing | Step::Ended(Ended { exit: Exit::Done, is_closed_pipe: false }) => continue,
            Step::Leave => break,
            Step::Ended(ended) => ended,
        };
        if ended.is_closed_pipe || matches!(ended.exit, Exit::Interrupted | Exit::Terminated) {
            return Ok(ended.exit);
        }
        let failure = failed(number, &line, ended.exit);
        if !keep_going {
            return Err(failure.hint("nothing after it was run; --keep-going runs all lines"));
        }
        let _ = shell.refuse(&failure);
        if first_failure == Exit::Done {
            first_failure = ended.exit;
        }
    }
    Ok(first_failure)
}

fn failed(number: u64, line: &str, exit: Exit) -> Failure {
    let trimmed = line.trim();
    let cut: String = trimmed.chars().take(SHOWN_CHARS_MAX).collect();
    let dots = if cut.len() < trimmed.len() { "…" } else { "" };
    let message = format!("line {number}: `{cut}{dots}` ended with exit code {}", exit as u8);
    Failure::new(exit, "line_failed", message)
}

/// The next line without its end, which may be one of another system. Stdin is not locked meanwhile.
fn next_line(number: u64) -> Result<Option<String>, Failure> {
    let mut bytes = Vec::new();
    let read = io::stdin().lock().take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut bytes);
    let unreadable = |error| Failure::new(Exit::Failure, "io", format!("line {number}: stdin cannot be read: {error}"));
    if read.map_err(unreadable)? == 0 {
        return Ok(None);
    }
    if bytes.len() as u64 > LINE_BYTES_MAX {
        return Err(Failure::usage(format!("line {number}: it is longer than {LINE_BYTES_MAX} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        Failure::usage(format!("line {number}: byte {} is not UTF-8", error.utf8_error().valid_up_to() + 1))
    })?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    let line = if number == 1 { line.strip_prefix('\u{feff}').unwrap_or(line) } else { line };
    Ok(Some(line.to_owned()))
}
