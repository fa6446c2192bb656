//! A new store, whole or not at all: it is made beside its place and moved there when it is
//! complete.
//!
//! What must hold: killed anywhere, nothing is at the place or all of it; what a killed attempt left
//! beside it, which may be as large as a log and hold secrets, goes with the next attempt.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::app::AppError;
use crate::durable::sync_directory;

/// # Errors
/// [`AppError::StoreExists`] unless nothing is at `root`, or an empty directory.
pub fn check_free(root: &Path) -> Result<(), AppError> {
    let is_free = match std::fs::read_dir(root) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if is_free { Ok(()) } else { Err(AppError::StoreExists { path: root.to_owned() }) }
}

/// Runs `build` in a directory beside `root` whose name tells what is `under_way`, and moves what
/// it made to `root`.
///
/// # Errors
/// Whatever `build` returned; then nothing stays.
pub fn build_and_move<T>(
    root: &Path,
    under_way: &str,
    build: impl FnOnce(&Path) -> Result<T, AppError>,
) -> Result<T, AppError> {
    check_free(root)?;
    let beside = beside(root, under_way)?;
    // Tells others that somebody is at work here; where directories cannot be locked, nobody sweeps.
    let at_work = File::open(&beside);
    let _locked = at_work.as_ref().map(File::try_lock);
    let built = build(&beside).and_then(|made| move_into_place(&beside, root).map(|()| made));
    if built.is_err() {
        // What was begun is no store and of no use to anybody.
        let _ = std::fs::remove_dir_all(&beside);
    }
    built
}

fn parent_of(root: &Path) -> &Path {
    root.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn beside(root: &Path, under_way: &str) -> Result<PathBuf, AppError> {
    let name = root.file_name().map_or_else(|| "store".into(), |name| name.to_string_lossy().into_owned());
    let prefix = format!(".{name}.{under_way}-");
    sweep(parent_of(root), &prefix);
    let beside = parent_of(root).join(format!("{prefix}{}", std::process::id()));
    // Nobody else looks into a store, however its files were made.
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&beside);
    made.map_err(|source| AppError::Io { action: "create", path: beside.clone(), source })?;
    Ok(beside)
}

/// Removes what killed attempts at the same store left. To whom it belongs says the number behind
/// `prefix`; whether he is still at work, the lock.
fn sweep(parent: &Path, prefix: &str) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(prefix)?.parse::<u32>().ok());
        let is_left = || File::open(entry.path()).is_ok_and(|directory| directory.try_lock().is_ok());
        if number.is_some() && is_left() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn move_into_place(beside: &Path, root: &Path) -> Result<(), AppError> {
    let io = |action, path: &Path| {
        let path = path.to_owned();
        move |source| AppError::Io { action, path, source }
    };
    sync_directory(beside).map_err(io("sync", beside))?;
    failpoint!("new_store.before_move");
    std::fs::rename(beside, root).map_err(io("create", root))?;
    failpoint!("new_store.after_move");
    let parent = parent_of(root);
    sync_directory(parent).map_err(io("sync", parent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_killed_attempts_left_goes_and_what_others_work_at_stays() {
        let home = tempfile::tempdir().unwrap();
        let beside = |name: &str| {
            let path = home.path().join(name);
            std::fs::create_dir_all(path.join("log")).unwrap();
            path
        };
        let (left, at_work) = (beside(".new.restoring-4000000001"), beside(".new.restoring-4000000002"));
        let others = [".new.restoring-notes", ".newer.restoring-1", ".new.founding-1"].map(beside);
        let lock = File::open(&at_work).unwrap();
        lock.try_lock().unwrap();
        let root = home.path().join("new");
        build_and_move(&root, "restoring", |beside| {
            let is_locked = File::open(beside).unwrap().try_lock().is_err();
            assert!(is_locked, "another attempt would sweep this one away");
            Ok(())
        })
        .unwrap();
        assert!(root.exists() && at_work.join("log").exists() && !left.exists());
        assert!(others.iter().all(|path| path.join("log").exists()));
    }
}
