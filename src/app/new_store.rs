//! A new store, whole or not at all: it is built beside its place and moved there when it is
//! complete.
//!
//! Invariant: the store is built in a new directory only. If the process is killed anywhere,
//! the place holds nothing or the whole store. The next attempt removes a leftover of a killed one,
//! which may be as large as a log and hold secrets.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;

use crate::app::AppError;
use crate::files::held::Held;
use crate::files::replace::put_in_place;
use crate::files::{parent_of, sync_directory};
use crate::store::StoreDirectory;
use crate::store::connecting::check_directory;
use crate::store::directory::{found, is_same};

/// # Errors
/// [`AppError::StoreExists`] unless `root` does not exist or is an empty directory.
pub fn check_free(root: &Path) -> Result<(), AppError> {
    let is_free = match std::fs::read_dir(root) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == ErrorKind::NotFound,
    };
    if is_free {
        Ok(())
    } else {
        Err(AppError::StoreExists {
            path: root.to_owned(),
        })
    }
}

/// Runs `build` in a directory beside `root` whose name includes `under_way`, and moves the result
/// to `root`. The directory is held: it is the store, even if `root` comes to name another one.
///
/// # Errors
/// The error of `build`; then no file stays, and no directory that was made for it.
pub fn build_and_move<T>(
    root: &Path,
    under_way: &str,
    build: impl FnOnce(&Path) -> Result<T, AppError>,
) -> Result<(T, StoreDirectory), AppError> {
    check_free(root)?;
    let missing = missing_above(root);
    let built = build_below(root, under_way, build);
    if built.is_err() {
        for directory in missing {
            // One in which others made something stays.
            let _ = std::fs::remove_dir(directory);
        }
    }
    built
}

/// The directories that have to be made for `root`, the innermost first.
fn missing_above(root: &Path) -> Vec<PathBuf> {
    let above = parent_of(root).ancestors();
    above
        .take_while(|path| *path != Path::new("") && std::fs::symlink_metadata(path).is_err())
        .map(Path::to_owned)
        .collect()
}

fn build_below<T>(
    root: &Path,
    under_way: &str,
    build: impl FnOnce(&Path) -> Result<T, AppError>,
) -> Result<(T, StoreDirectory), AppError> {
    let parent = parent(root)?;
    let beside = beside(root, parent.path(), under_way)?;
    let (held, at_work) = open_new(&beside, root).map_err(|source| {
        // It may have the contents of others, so only an empty one is removed.
        let _ = std::fs::remove_dir(&beside);
        AppError::Io {
            action: "open",
            path: beside.clone(),
            source,
        }
    })?;
    let built = StoreDirectory::of(held, root);
    // Shows other processes that this one is at work; without locks on directories nobody removes
    // leftovers.
    let _locked = at_work.try_lock();
    let made = build(built.place());
    let moved =
        made.and_then(|made| move_into_place(&beside, &built, parent.path(), root).map(|()| made));
    if moved.is_err() && is_at(&beside, &built) {
        // An unfinished store is useless.
        let _ = std::fs::remove_dir_all(&beside);
    }
    Ok((moved?, built))
}

/// Whether the new store is still found under its name.
fn is_at(beside: &Path, built: &StoreDirectory) -> bool {
    let look = |path: &Path| found(path).ok().flatten();
    is_same(look(beside).as_ref(), look(built.place()).as_ref())
}

/// The parent directory of the store, created if necessary.
fn parent(root: &Path) -> Result<Arc<Held>, AppError> {
    let parent = parent_of(root);
    let io = |source| AppError::Io {
        action: "create",
        path: parent.to_owned(),
        source,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(parent)
        .map_err(io)?;
    let held = Held::open(parent).map_err(io)?;
    check_directory(held.path(), root.file_name()).map_err(|source| AppError::Io {
        action: "create",
        path: root.to_owned(),
        source,
    })?;
    Ok(held)
}

/// Opens a directory that was just made, and nothing that took its place.
fn open_new(path: &Path, root: &Path) -> std::io::Result<(Arc<Held>, File)> {
    let directory = open_directory(path)?;
    let held = Held::open_as(path, root)?;
    let is_new = is_same(found(held.path())?.as_ref(), Some(&directory.metadata()?))
        && std::fs::read_dir(held.path())?.next().is_none();
    if is_new {
        Ok((held, directory))
    } else {
        Err(ErrorKind::AlreadyExists.into())
    }
}

/// A new directory of ours beside `root`. An existing one is never used, because another process
/// may have filled it or keep it open.
fn beside(root: &Path, parent: &Path, under_way: &str) -> Result<PathBuf, AppError> {
    let name = root.file_name().map_or_else(
        || "store".into(),
        |name| name.to_string_lossy().into_owned(),
    );
    let prefix = format!(".{name}.{under_way}-");
    let io = |path: &Path, source| AppError::Io {
        action: "create",
        path: path.to_owned(),
        source,
    };
    let mut numbers =
        std::iter::once(std::process::id()).chain(std::iter::repeat_with(rand::random));
    loop {
        let number: u32 = numbers.next().expect("numbers do not end");
        let beside = parent.join(format!("{prefix}{number}"));
        // Nobody else can look into a store, whatever the modes of its files are.
        match DirBuilder::new().mode(0o700).create(&beside) {
            Ok(()) => {
                sweep(&beside, &prefix);
                return Ok(beside);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(source) => return Err(io(&beside, source)),
        }
    }
}

/// Removes leftovers of killed attempts at the same store beside `ours`. The owner of a leftover
/// must be the present account, and its lock must be free. Links are not followed and stay.
fn sweep(ours: &Path, prefix: &str) {
    let Ok(owner) = std::fs::symlink_metadata(ours).map(|found| found.uid()) else {
        return;
    };
    let Ok(entries) = std::fs::read_dir(parent_of(ours)) else {
        return;
    };
    for entry in entries.flatten().filter(|entry| entry.path() != ours) {
        let name = entry.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix(prefix)?.parse::<u32>().ok());
        let is_left = || {
            let directory = open_directory(&entry.path()).ok();
            directory
                .is_some_and(|directory| is_of(owner, &directory) && directory.try_lock().is_ok())
        };
        if number.is_some() && is_left() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Opens a directory, but no link to one, and without waiting for a pipe.
fn open_directory(path: &Path) -> std::io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::DIRECTORY).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

fn is_of(owner: u32, file: &File) -> bool {
    file.metadata().is_ok_and(|found| found.uid() == owner)
}

fn move_into_place(
    beside: &Path,
    built: &StoreDirectory,
    parent: &Path,
    root: &Path,
) -> Result<(), AppError> {
    let io = |action, path: &Path| {
        let path = path.to_owned();
        move |source| AppError::Io {
            action,
            path,
            source,
        }
    };
    sync_directory(built.place()).map_err(io("sync", root))?;
    if !is_at(beside, built) {
        return Err(io("create", root)(std::io::Error::other(
            "it was moved away while it was made",
        )));
    }
    let place = root
        .file_name()
        .map_or_else(|| root.to_owned(), |name| parent.join(name));
    put_in_place(beside, &place).map_err(io("create", root))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_of_killed_attempts_go_and_those_of_running_ones_stay() {
        let home = tempfile::tempdir().unwrap();
        let beside = |name: &str| {
            let path = home.path().join(name);
            std::fs::create_dir_all(path.join("log")).unwrap();
            path
        };
        let (left, at_work) = (
            beside(".new.restoring-4000000001"),
            beside(".new.restoring-4000000002"),
        );
        let others = [
            ".new.restoring-notes",
            ".newer.restoring-1",
            ".new.founding-1",
        ]
        .map(beside);
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

    #[test]
    fn no_directory_that_somebody_prepared_is_built_in_or_followed() {
        let home = tempfile::tempdir().unwrap();
        let (root, prepared) = (home.path().join("new"), home.path().join("prepared"));
        let taken = home
            .path()
            .join(format!(".new.restoring-{}", std::process::id()));
        let link = home.path().join(".new.restoring-4000000001");
        std::fs::create_dir_all(prepared.join("log")).unwrap();
        std::os::unix::fs::symlink(&prepared, &taken).unwrap();
        std::os::unix::fs::symlink(&prepared, &link).unwrap();
        build_and_move(&root, "restoring", |beside| {
            assert!(beside != taken && std::fs::read_dir(beside).unwrap().next().is_none());
            assert_eq!(std::fs::metadata(beside).unwrap().mode() & 0o777, 0o700);
            std::fs::write(beside.join("head"), "ours").unwrap();
            Ok(())
        })
        .unwrap();
        assert_eq!(std::fs::read(root.join("head")).unwrap(), b"ours");
        assert!(prepared.join("log").exists() && !prepared.join("head").exists());
        assert!(
            [&taken, &link].iter().all(|path| path.is_symlink()),
            "somebody's links stay"
        );
    }

    #[test]
    fn a_store_is_made_in_the_directory_that_was_begun_and_put_into_the_parent_that_was_meant() {
        let home = tempfile::tempdir().unwrap();
        let (parent, moved, other) = (
            home.path().join("p"),
            home.path().join("moved"),
            home.path().join("other"),
        );
        [&parent, &other]
            .into_iter()
            .for_each(|path| std::fs::create_dir(path).unwrap());
        let (_, made) = build_and_move(&parent.join("new"), "restoring", |beside| {
            std::fs::rename(&parent, &moved).unwrap();
            std::os::unix::fs::symlink(&other, &parent).unwrap();
            std::fs::write(beside.join("head"), "ours").unwrap();
            Ok(())
        })
        .unwrap();
        assert!(moved.join("new/head").exists() && made.place().join("head").exists());
        assert_eq!(std::fs::read_dir(&other).unwrap().count(), 0);
        let failed = build_and_move(&moved.join("newer"), "restoring", |beside| {
            let name = beside.canonicalize().unwrap();
            std::fs::rename(&name, home.path().join("taken")).unwrap();
            std::fs::create_dir(&name).unwrap();
            std::fs::write(name.join("head"), "theirs").unwrap();
            Ok(())
        });
        assert!(failed.is_err() && !moved.join("newer").exists());
        let theirs = std::fs::read_dir(&moved)
            .unwrap()
            .any(|entry| entry.unwrap().path().join("head").is_file());
        assert!(theirs, "what stands in the place of ours is not removed");
    }

    #[test]
    fn a_directory_of_ours_that_is_left_is_not_gone_on_with() {
        let home = tempfile::tempdir().unwrap();
        let taken = home
            .path()
            .join(format!(".new.restoring-{}", std::process::id()));
        std::fs::create_dir_all(taken.join("log")).unwrap();
        build_and_move(&home.path().join("new"), "restoring", |beside| {
            assert!(std::fs::read_dir(beside).unwrap().next().is_none());
            assert!(!taken.exists(), "it was swept");
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn leftovers_of_another_account_are_not_swept() {
        let home = tempfile::tempdir().unwrap();
        let (theirs, ours) = (
            home.path().join(".new.restoring-1"),
            home.path().join("ours"),
        );
        [&theirs, &ours]
            .into_iter()
            .for_each(|path| std::fs::create_dir(path).unwrap());
        let directory = open_directory(&theirs).unwrap();
        let owner = std::fs::metadata(&ours).unwrap().uid();
        assert!(is_of(owner, &directory) && !is_of(owner + 1, &directory));
        // Only root can give a directory away.
        if std::os::unix::fs::chown(&theirs, Some(owner + 1), None).is_ok() {
            sweep(&ours, ".new.restoring-");
            assert!(theirs.exists());
        }
        std::os::unix::fs::chown(&theirs, Some(owner), None).unwrap();
        drop(directory);
        sweep(&ours, ".new.restoring-");
        assert!(!theirs.exists());
    }
}
