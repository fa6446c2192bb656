//! Facts that the system has about processes.

use rustix::io::Errno;
use rustix::process::{Pid, Resource, getrlimit, test_kill_process};

/// Whether no such process exists. The process of another account exists, although it may not be
/// signalled.
pub(crate) fn is_gone(process: Pid) -> bool {
    test_kill_process(process) == Err(Errno::SRCH)
}

/// Whether `ulimit -f` limits the size of the files that this process writes.
pub(crate) fn has_file_limit() -> bool {
    getrlimit(Resource::Fsize).current.is_some()
}
