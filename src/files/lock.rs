//! Waiting for another process, and exclusive locks on files.
//!
//! A lock belongs to an open file and ends when the file is closed, however the process ends.

use std::fs::{File, TryLockError};
use std::io;
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_micros(200);
const PAUSE_MAX: Duration = Duration::from_millis(5);

/// Calls `attempt` until it succeeds or `wait` is over, at least once. Returns whether it
/// succeeded. The pauses between the calls grow from 0.2 to 5 ms.
///
/// # Errors
/// The first error of `attempt`.
pub(crate) fn wait_until<E>(
    wait: Duration,
    mut attempt: impl FnMut() -> Result<bool, E>,
) -> Result<bool, E> {
    let began = Instant::now();
    let mut pause = FIRST_PAUSE;
    while !attempt()? {
        let left = wait.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Ok(false);
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(PAUSE_MAX);
    }
    Ok(true)
}

/// Takes the exclusive lock of a file without waiting; false if another process has it.
///
/// # Errors
/// If the file system has no locks.
pub(crate) fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Takes the exclusive lock of a file, waiting up to `wait`; false if another process held it all
/// the time.
///
/// # Errors
/// As [`try_lock`].
#[cfg(feature = "cli")]
pub(crate) fn lock(file: &File, wait: Duration) -> io::Result<bool> {
    wait_until(wait, || try_lock(file))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn an_attempt_is_made_at_least_once_and_no_longer_than_the_wait() {
        let mut attempts = 0;
        let mut fail = || {
            attempts += 1;
            Ok::<_, Infallible>(false)
        };
        let began = Instant::now();
        assert!(!wait_until(Duration::ZERO, &mut fail).unwrap());
        assert!(!wait_until(Duration::from_millis(30), &mut fail).unwrap());
        assert!(began.elapsed() >= Duration::from_millis(30));
        assert!(attempts > 2, "{attempts}");
        assert!(wait_until(Duration::ZERO, || Ok::<_, Infallible>(true)).unwrap());
        assert_eq!(wait_until(Duration::MAX, || Err("no")), Err("no"));
    }

    #[test]
    fn a_lock_keeps_others_out_until_its_file_is_closed() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("lock");
        let first = File::create(&path).unwrap();
        assert!(try_lock(&first).unwrap());
        let second = File::open(&path).unwrap();
        assert!(!try_lock(&second).unwrap());
        drop(first);
        assert!(try_lock(&second).unwrap());
    }
}
