//! Places where the process can be killed on purpose, in builds with the feature `failpoints`.
//!
//! `POPUG_FAILPOINT=NAME` or `NAME:N` kills the process with SIGKILL at its first or N-th passing
//! of that place: no destructor runs, nothing is flushed. Without the feature a place compiles to
//! nothing. `POPUG_FAILPOINT_TRACE=FILE` gets the name of each passed place, one on each line, so
//! that `scripts/torture` knows the places of a command.
//!
//! This is the only file besides `cli/environment.rs` that reads variables.

/// Names a place. The second form does something before the process dies, such as half of the next
/// step.
macro_rules! failpoint {
    ($name:literal) => {
        failpoint!($name, ())
    };
    ($name:literal, $last_act:expr) => {
        #[cfg(feature = "failpoints")]
        {
            if crate::failpoint::is_struck($name) {
                let _ = $last_act;
                crate::failpoint::die();
            }
        }
    };
}

#[cfg(feature = "failpoints")]
#[expect(
    clippy::disallowed_methods,
    reason = "a build for tests is told by its environment where to die"
)]
mod strike {
    use std::fs::OpenOptions;
    use std::io::Write;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static PASSINGS: AtomicU64 = AtomicU64::new(0);

    /// Whether the process must die at this passing of `name`.
    pub(crate) fn is_struck(name: &str) -> bool {
        static CHOSEN: OnceLock<Option<(String, u64)>> = OnceLock::new();
        if let Some(file) = std::env::var_os("POPUG_FAILPOINT_TRACE") {
            let file = OpenOptions::new().create(true).append(true).open(file);
            let _ = file.and_then(|mut file| writeln!(file, "{name}"));
        }
        let chosen = CHOSEN.get_or_init(|| {
            let text = std::env::var("POPUG_FAILPOINT").ok()?;
            let (name, nth) = text.split_once(':').unwrap_or((&text, "1"));
            Some((
                name.to_owned(),
                nth.parse().expect("POPUG_FAILPOINT is NAME or NAME:N"),
            ))
        });
        let Some((chosen, nth)) = chosen else {
            return false;
        };
        chosen == name && PASSINGS.fetch_add(1, Ordering::Relaxed) + 1 == *nth
    }

    pub(crate) fn die() -> ! {
        // SAFETY: raise takes a plain number and touches no memory of ours.
        unsafe { libc::raise(libc::SIGKILL) };
        unreachable!("nobody survives SIGKILL")
    }
}

#[cfg(feature = "failpoints")]
pub(crate) use strike::{die, is_struck};
