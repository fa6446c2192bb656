//! Lines from a pipe or file: no prompt, no history, and the first failure ends the script unless
//! `--keep-going` is given.
//!
//! Each line is read after the one before it was carried out, so that a program can write a line
//! and wait for the answer. Invariant: a failure is reported with the number of its line, and
//! the exit code is that of the first failure.

use std::io::{self, BufRead, Read as _};

use crate::cli::failure::{Exit, Failure};
use crate::cli::program::Ended;
use crate::cli::shell::{LineResult, Shell};

/// Longer than the longest command; a longer line is not part of a script.
const LINE_BYTES_MAX: u64 = 1 << 20;

const SHOWN_CHARS_MAX: usize = 80;

/// # Errors
/// The first failure, unless `keep_going`.
pub(super) fn run(shell: &Shell<'_>, keep_going: bool) -> Result<Exit, Failure> {
    let mut first_failure = Exit::Done;
    for number in 1.. {
        let Some(read) = next_line(number)? else {
            break;
        };
        let failure = match read.map(|line| (shell.carry_out(&line), line)) {
            Ok((
                LineResult::Nothing
                | LineResult::Ended(Ended {
                    exit: Exit::Done,
                    is_closed_pipe: false,
                }),
                _,
            )) => continue,
            Ok((LineResult::Leave, _)) => break,
            Ok((LineResult::Ended(ended), _)) if ends_the_shell(ended) => return Ok(ended.exit),
            Ok((LineResult::Ended(ended), line)) => failed(number, &line, ended.exit),
            Err(unreadable) => unreadable,
        };
        if !keep_going {
            return Err(failure.hint("nothing after it was run; --keep-going runs all lines"));
        }
        let _ = shell.refuse(&failure);
        if first_failure == Exit::Done {
            first_failure = failure.exit;
        }
    }
    Ok(first_failure)
}

const fn ends_the_shell(ended: Ended) -> bool {
    ended.is_closed_pipe || matches!(ended.exit, Exit::Interrupted | Exit::Terminated)
}

fn failed(number: u64, line: &str, exit: Exit) -> Failure {
    let trimmed = line.trim();
    let cut: String = trimmed.chars().take(SHOWN_CHARS_MAX).collect();
    let dots = if cut.len() < trimmed.len() { "…" } else { "" };
    let message = format!(
        "line {number}: `{cut}{dots}` ended with exit code {}",
        exit as u8
    );
    Failure::new(exit, "line_failed", message)
}

/// The next line without its line end, which may be that of another system, or its fault. Stdin is
/// not locked meanwhile.
fn next_line(number: u64) -> Result<Option<Result<String, Failure>>, Failure> {
    let mut bytes = Vec::new();
    let read = read_line(&mut io::stdin().lock(), &mut bytes).map_err(|error| {
        Failure::new(
            Exit::Failure,
            "io",
            format!("line {number}: stdin cannot be read: {error}"),
        )
    })?;
    Ok(match read {
        Read::End => None,
        Read::TooLong => Some(Err(Failure::usage(format!(
            "line {number}: it is longer than {LINE_BYTES_MAX} bytes"
        )))),
        Read::Line => Some(text_of(number, bytes)),
    })
}

/// The result of reading a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Read {
    Line,
    /// It was read to its end, but is too long.
    TooLong,
    End,
}

fn read_line(from: &mut impl BufRead, bytes: &mut Vec<u8>) -> io::Result<Read> {
    if from
        .by_ref()
        .take(LINE_BYTES_MAX + 1)
        .read_until(b'\n', bytes)?
        == 0
    {
        return Ok(Read::End);
    }
    if bytes.len() as u64 <= LINE_BYTES_MAX || bytes.ends_with(b"\n") {
        return Ok(Read::Line);
    }
    from.skip_until(b'\n')?;
    Ok(Read::TooLong)
}

fn text_of(number: u64, bytes: Vec<u8>) -> Result<String, Failure> {
    let text = String::from_utf8(bytes).map_err(|error| {
        Failure::usage(format!(
            "line {number}: byte {} is not UTF-8",
            error.utf8_error().valid_up_to() + 1
        ))
    })?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    let line = if number == 1 {
        line.strip_prefix('\u{feff}').unwrap_or(line)
    } else {
        line
    };
    Ok(line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_passed_over_to_its_end_and_the_next_is_read() {
        let longest = "x".repeat(LINE_BYTES_MAX as usize);
        let script = format!("{longest}\n{longest}y\nnext\n{longest}yy");
        let mut from = script.as_bytes();
        for (wanted, line) in [
            (Read::Line, &*longest),
            (Read::TooLong, ""),
            (Read::Line, "next"),
            (Read::TooLong, ""),
        ] {
            let mut bytes = Vec::new();
            assert_eq!(read_line(&mut from, &mut bytes).unwrap(), wanted);
            assert!(wanted == Read::TooLong || bytes.trim_ascii_end() == line.as_bytes());
        }
        assert_eq!(read_line(&mut from, &mut Vec::new()).unwrap(), Read::End);
    }
}
