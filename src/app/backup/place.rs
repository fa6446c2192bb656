//! Checks whether a directory can take a backup of a store.
//!
//! Invariant: the check comes before anything in the directory is created, locked or changed.
//! A backup removes foreign files from its directory, so no store and no directory with other files
//! may be taken for a backup.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::path::Path;

use crate::app::AppError;
use crate::app::backup::BackupError;
use crate::app::backup::directory::{BackupDirectory, LOCK, MANIFEST, UNFINISHED_MANIFEST, io};
use crate::event_log::segment;
use crate::store::StoreDirectory;
use crate::store::directory::{self, is_same};

/// # Errors
/// [`BackupError::IsStore`] if it is a store or lies in this one; [`BackupError::NotEmpty`] if
/// something else is in it. Whose backup it is its manifest tells.
pub(super) fn check(root: &Path, store: &StoreDirectory) -> Result<(), AppError> {
    if store.contains(root).map_err(io("create", root))? || is_store(root, store)? {
        return Err(BackupError::IsStore {
            path: root.to_owned(),
        }
        .into());
    }
    if is_free(root)? || may_go_on(root)? {
        return Ok(());
    }
    Err(BackupError::NotEmpty {
        path: root.to_owned(),
    }
    .into())
}

/// The same for the held directory, which no other directory can replace any more.
///
/// # Errors
/// As [`check`].
pub(super) fn check_again(
    directory: &BackupDirectory,
    store: &StoreDirectory,
) -> Result<(), AppError> {
    check(directory.place(), store)
}

/// Whether the directory holds a backup according to its lock or manifest, and no log with a head,
/// as a store has.
pub fn is_backup(root: &Path) -> bool {
    let is_file = |path: &Path| std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
    let is_ours = || is_file(&root.join(MANIFEST)) && BackupDirectory::at(root).has_own_manifest();
    (is_file(&root.join(LOCK)) || is_ours()) && !root.join("log/head").exists()
}

fn look(path: &Path) -> Result<Option<Metadata>, AppError> {
    directory::found(path).map_err(io("look at", path))
}

/// Whether the log in it is this store's, or has a head, which no backup has.
fn is_store(root: &Path, store: &StoreDirectory) -> Result<bool, AppError> {
    let (log, own) = (root.join("log"), store.log());
    let is_theirs = |name: &str| Ok::<_, AppError>(look(&log.join(name))?.is_some());
    if is_theirs("head")? || look(&root.join("state.sqlite"))?.is_some() {
        return Ok(true);
    }
    let mut pairs = vec![
        (log.clone(), own.clone()),
        (root.join("auth"), store.auth()),
    ];
    for name in names(&log)? {
        pairs.push((log.join(&name), own.join(&name)));
    }
    for (there, here) in pairs {
        if is_same(look(&there)?.as_ref(), look(&here)?.as_ref()) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_free(root: &Path) -> Result<bool, AppError> {
    match std::fs::read_dir(root) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(io("list", root)(error)),
    }
}

/// Whether a backup may continue here. With a manifest any other files may stay. Without one only
/// the files of a killed first backup are allowed.
fn may_go_on(root: &Path) -> Result<bool, AppError> {
    let is_file =
        |name: &str| std::fs::symlink_metadata(root.join(name)).is_ok_and(|found| found.is_file());
    let is_absent = |name: &str| {
        std::fs::symlink_metadata(root.join(name))
            .is_err_and(|error| error.kind() == ErrorKind::NotFound)
    };
    if !is_absent(MANIFEST) {
        let is_plain = is_file(MANIFEST) && (is_file(LOCK) || is_absent(LOCK));
        return Ok(is_plain && !BackupDirectory::at(root).has_foreign_manifest()?);
    }
    Ok(is_file(LOCK) && holds_only_backup(root)?)
}

/// Whether no file but those of a backup is in the directory.
///
/// # Errors
/// If it cannot be listed.
pub(super) fn holds_only_backup(root: &Path) -> Result<bool, AppError> {
    let ours = [LOCK, MANIFEST, UNFINISHED_MANIFEST, "log", "auth"];
    let is_ours = |name: &String| ours.contains(&name.as_str());
    let is_segment = |name: &String| segment::first_sequence(name).is_some();
    let is_number = |name: &String| name.parse::<u64>().is_ok();
    Ok(names(root)?.iter().all(is_ours)
        && names(&root.join("log"))?.iter().all(is_segment)
        && names(&root.join("auth"))?.iter().all(is_number))
}

/// The names in a directory; none if it does not exist.
pub(super) fn names(directory: &Path) -> Result<Vec<String>, AppError> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io("list", directory)(error)),
    };
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        Ok(entry?.file_name().to_string_lossy().into_owned())
    };
    entries
        .map(name)
        .collect::<std::io::Result<_>>()
        .map_err(io("list", directory))
}
