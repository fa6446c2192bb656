//! The program: a command line in, an exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    keep_duckdb_from_control_groups();
    if stdout::was_closed() {
        popug_cli::cli::stdout_was_closed();
    }
    if let Some(commit) = COMMIT {
        popug_cli::cli::built_from(commit);
    }
    ExitCode::from(popug_cli::cli::run(std::env::args_os()))
}

/// The commit of the sources. POPUG_COMMIT states it for a build without git.
const COMMIT: Option<&str> = match option_env!("POPUG_COMMIT") {
    None => commit_of(REFLOG),
    stated => stated,
};

/// The commits at which the sources were, a line for each; see `build.rs`.
#[cfg(has_reflog)]
const REFLOG: &[u8] = include_bytes!(env!("POPUG_REFLOG"));
#[cfg(not(has_reflog))]
const REFLOG: &[u8] = b"";

/// The second word of the last line.
const fn commit_of(reflog: &'static [u8]) -> Option<&'static str> {
    let mut begin = reflog.len().saturating_sub(1);
    while begin > 0 && reflog[begin - 1] != b'\n' {
        begin -= 1;
    }
    while begin < reflog.len() && reflog[begin] != b' ' {
        begin += 1;
    }
    begin += 1;
    let mut end = begin;
    while end < reflog.len() && reflog[end].is_ascii_hexdigit() {
        end += 1;
    }
    if end <= begin {
        return None;
    }
    let (word, _) = reflog.split_at(end);
    match std::str::from_utf8(word.split_at(begin).1) {
        Ok(commit) => Some(commit),
        Err(_) => None,
    }
}

/// DuckDB asks its control group for a memory limit at every start, even when it is given one, and
/// aborts the process if a file of the group cannot be read. It does not ask if this variable of a
/// job scheduler states a limit.
#[expect(
    clippy::disallowed_methods,
    reason = "DuckDB reads this variable when it starts"
)]
fn keep_duckdb_from_control_groups() {
    // SAFETY: this is the first statement of `main`: no other thread reads the environment yet.
    unsafe { std::env::set_var("SLURM_MEM_PER_NODE", "384M") };
}

/// Whether the program was started with its stdout closed.
///
/// Before `main` the standard library opens `/dev/null` for closed streams. Later this cannot be
/// distinguished from an intended `/dev/null`: Python opens `subprocess.DEVNULL` in the same way.
/// So it is checked before `main`.
#[cfg(target_os = "linux")]
mod stdout {
    use std::sync::atomic::{AtomicBool, Ordering};

    static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

    extern "C" fn look() {
        let is_there = |path: &str| std::fs::symlink_metadata(path).is_ok();
        WAS_CLOSED.store(
            is_there("/proc/self/fd") && !is_there("/proc/self/fd/1"),
            Ordering::SeqCst,
        );
    }

    // SAFETY: the loader calls the functions of this section before `main`; this one asks the kernel for two names and
    // needs nothing that the standard library sets up in between.
    #[used]
    #[unsafe(link_section = ".init_array")]
    static LOOK: extern "C" fn() = look;

    pub(crate) fn was_closed() -> bool {
        WAS_CLOSED.load(Ordering::SeqCst)
    }
}

#[cfg(not(target_os = "linux"))]
mod stdout {
    pub const fn was_closed() -> bool {
        false
    }
}
