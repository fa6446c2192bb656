//! Files and directories that a command has begun and that are useless unless it succeeds.
//!
//! Invariant: they are removed when the command fails and when a signal ends the process.
//! While there are none, signals have their default effect.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::cli::signals::Hold;
use crate::domain::displayed::Displayed;

/// The main thread may still write into a directory that is being removed.
const REMOVALS_MAX: usize = 50;
const REMOVE_AGAIN: Duration = Duration::from_millis(20);

/// The fate of an unfinished file or directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Removed,
    /// The user asked for it by name: it stays and is named on stderr.
    Told,
}

static BEGUN: Mutex<Vec<(PathBuf, Fate)>> = Mutex::new(Vec::new());
static IS_ENDING: AtomicBool = AtomicBool::new(false);

fn begun() -> MutexGuard<'static, Vec<(PathBuf, Fate)>> {
    BEGUN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An unfinished file or directory. Unless it is kept, it is removed when this value is dropped.
pub(super) struct Leftover {
    path: PathBuf,
    fate: Fate,
    is_kept: bool,
    /// Without it a signal ends the process at once, and the file or directory stays.
    _hold: Option<Hold>,
}

impl Leftover {
    /// Creates a file or directory that is removed unless it is kept. A signal in between waits.
    ///
    /// # Errors
    /// The error of `create`.
    pub(super) fn create<T>(
        path: &Path,
        create: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<(Leftover, T)> {
        let hold = Hold::until_end(end).ok();
        let mut begun = begun();
        let created = create()?;
        begun.push((path.to_owned(), Fate::Removed));
        Ok((
            Leftover {
                path: path.to_owned(),
                fate: Fate::Removed,
                is_kept: false,
                _hold: hold,
            },
            created,
        ))
    }

    /// A file or directory that stays, and is named on stderr unless it is kept.
    pub(super) fn told(path: &Path) -> Leftover {
        let (path, fate, hold) = (path.to_owned(), Fate::Told, Hold::until_end(end).ok());
        begun().push((path.clone(), fate));
        Leftover {
            path,
            fate,
            is_kept: false,
            _hold: hold,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps it, because it is finished.
    pub(super) fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Leftover {
    fn drop(&mut self) {
        begun().retain(|(path, _)| *path != self.path);
        if !self.is_kept {
            apply(&self.path, self.fate);
        }
    }
}

/// Whether this process has begun `path`.
pub(super) fn is_begun(path: &Path) -> bool {
    begun().iter().any(|(begun, _)| begun == path)
}

/// Blocks while a signal ends the process: its files are being removed, so calls fail, and such
/// failures must not be reported. Callers call this before they report a failure.
pub(super) fn give_way_to_a_signal() {
    while IS_ENDING.load(Ordering::SeqCst) {
        std::thread::park();
    }
}

/// Removes or names the leftovers, because a signal is about to end the process.
fn end() {
    IS_ENDING.store(true, Ordering::SeqCst);
    let begun = begun().clone();
    for (path, fate) in &begun {
        apply(path, *fate);
    }
    // The main thread may have made one of them again meanwhile.
    std::thread::sleep(REMOVE_AGAIN);
    for (path, _) in begun.iter().filter(|(_, fate)| *fate == Fate::Removed) {
        remove(path);
    }
}

fn apply(path: &Path, fate: Fate) {
    match fate {
        Fate::Removed => remove(path),
        Fate::Told if path.exists() => {
            let told = format!("{} is not finished and stays as it is", path.display());
            let _ = writeln!(std::io::stderr(), "{}", Displayed(&told));
        }
        Fate::Told => {}
    }
}

fn remove(path: &Path) {
    for _ in 0..REMOVALS_MAX {
        let is_directory = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
        let removed = if is_directory {
            std::fs::remove_dir_all(path)
        } else {
            std::fs::remove_file(path)
        };
        if removed.is_ok() || std::fs::symlink_metadata(path).is_err() {
            return;
        }
        std::thread::sleep(REMOVE_AGAIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_go_unless_they_are_kept_or_told() {
        let home = tempfile::tempdir().unwrap();
        let [gone, gone_directory, kept, told] =
            ["gone", "directory", "kept", "told"].map(|name| home.path().join(name));
        let file = |path: &Path| {
            Leftover::create(path, || std::fs::write(path, "x"))
                .unwrap()
                .0
        };
        let directory = Leftover::create(&gone_directory, || std::fs::create_dir(&gone_directory))
            .unwrap()
            .0;
        std::fs::create_dir(gone_directory.join("below")).unwrap();
        std::fs::write(&told, "x").unwrap();
        let left = [file(&gone), directory, Leftover::told(&told)];
        let finished = file(&kept);
        assert!(
            [&gone, &gone_directory, &kept, &told]
                .into_iter()
                .all(|path| is_begun(path))
        );
        drop(left);
        finished.keep();
        assert!(!gone.exists() && !gone_directory.exists() && kept.exists() && told.exists());
        assert!(!is_begun(&gone) && !is_begun(&kept));
        assert!(
            Leftover::create(&kept, || std::fs::File::create_new(&kept)).is_err() && kept.exists()
        );
    }
}
