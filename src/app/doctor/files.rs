//! Checks the store's files: modes, owners, free space, leftovers.

use std::fs::{Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, access};
use rustix::process::Pid;

use crate::app::doctor::{Check, counted};
use crate::event_log::file_log::SEGMENT_BYTES_MAX;
use crate::event_log::segment;
use crate::event_log::storage::Disk;
use crate::files::held::shell_word;
use crate::files::process::is_gone;
use crate::files::regular_file;
use crate::store::connecting::SPILL;
use crate::store::write_ahead::WRITE_AHEAD;
use crate::store::{StoreDirectory, disk};

/// With less free space the next segment of the log does not fit.
const ROOM_BYTES_MIN: u64 = SEGMENT_BYTES_MAX;
const ROOM_BYTES_LITTLE: u64 = 16 * SEGMENT_BYTES_MAX;
const ROOM_FILES_LITTLE: u64 = 1_000;
/// The number of names that are shown of a longer list.
const NAMES_SHOWN: usize = 3;

/// All files in the store with their metadata. Links are not followed; files that are removed
/// meanwhile are left out.
fn everything(root: &Path) -> Vec<(PathBuf, Metadata)> {
    let mut found = Vec::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(path) = waiting.pop() {
        // The store's own directory may be reached by a link, or by its descriptor.
        let look = if path == root {
            std::fs::metadata(&path)
        } else {
            std::fs::symlink_metadata(&path)
        };
        let Ok(metadata) = look else { continue };
        if metadata.is_dir()
            && let Ok(entries) = std::fs::read_dir(&path)
        {
            waiting.extend(entries.flatten().map(|entry| entry.path()));
        }
        found.push((path, metadata));
    }
    found
}

fn is_open(metadata: &Metadata) -> bool {
    metadata.permissions().mode() & 0o077 != 0
}

/// Whether others can get at names, money and mails. That `auth/` is closed is checked with what is
/// in it.
pub(super) fn modes(directory: &StoreDirectory) -> Check {
    const NAME: &str = "permissions";
    let root = directory.place();
    let found = everything(root);
    // Nobody else can enter a directory that is closed to them.
    let is_closed = std::fs::metadata(root).is_ok_and(|metadata| !is_open(&metadata));
    let open: Vec<_> = found
        .iter()
        .filter(|(_, metadata)| is_open(metadata) && !metadata.is_symlink())
        .collect();
    if is_closed || open.is_empty() {
        return Check::ok(
            NAME,
            format!("the store is closed to other users ({} files)", found.len()),
        );
    }
    let detail = format!(
        "{} open to other users: {}",
        are(open.len()),
        names(root, open.iter().map(|(path, _)| path))
    );
    let paths = open.iter().map(|(path, _)| path.as_path());
    Check::warning(NAME, detail, mode_hint(directory, "go=", paths))
}

/// Whether one account owns all of it, and whether it is the one that asks.
pub(super) fn owners(directory: &StoreDirectory) -> Check {
    const NAME: &str = "owner";
    let root = directory.place();
    let Ok(owner) = std::fs::metadata(root).map(|metadata| metadata.uid()) else {
        return Check::problem(
            NAME,
            "the store's directory cannot be looked at",
            "check the path and its parents",
        );
    };
    let found = everything(root);
    let foreign: Vec<_> = found
        .iter()
        .filter(|(_, metadata)| metadata.uid() != owner)
        .collect();
    if !foreign.is_empty() {
        let shown = names(root, foreign.iter().map(|(path, _)| path));
        let detail = format!(
            "{} not of the account that owns the store (uid {owner}): {shown}",
            are(foreign.len())
        );
        return Check::problem(
            NAME,
            detail,
            format!("chown -R -h {owner} {}", shell_word(directory.root())),
        );
    }
    let me = rustix::process::geteuid().as_raw();
    if me == owner {
        return Check::ok(
            NAME,
            format!("all of it belongs to this account (uid {owner})"),
        );
    }
    let detail = format!("the store belongs to uid {owner}, and you are uid {me}");
    Check::warning(
        NAME,
        detail,
        format!("work as its owner: sudo -u '#{owner}' popug-cli …"),
    )
}

/// Whether the next segment fits.
pub(super) fn room(directory: &StoreDirectory) -> Check {
    const NAME: &str = "room";
    const HINT: &str = "make room: nothing that was acknowledged is lost, but writes are refused when the disk is full";
    let room = match disk::room(directory.place()) {
        Ok(room) => room,
        Err(error) => {
            return Check::warning(
                NAME,
                format!("the free space is unknown: {error}"),
                "look at `df`",
            );
        }
    };
    let files = room
        .files
        .map_or_else(String::new, |files| format!(" and {files} files"));
    let detail = format!("{} MiB{files} are free", room.bytes >> 20);
    let few_files = |limit: u64| room.files.is_some_and(|files| files < limit);
    if room.bytes < ROOM_BYTES_MIN || few_files(1) {
        let segment = ROOM_BYTES_MIN >> 20;
        return Check::problem(
            NAME,
            format!("{detail}; a segment of the log takes up to {segment} MiB"),
            HINT,
        );
    }
    if room.bytes < ROOM_BYTES_LITTLE || few_files(ROOM_FILES_LITTLE) {
        return Check::warning(NAME, detail, HINT);
    }
    Check::ok(NAME, detail)
}

/// Whether the disk takes a file and makes it durable, and whether a write gets at the log.
pub(super) fn disk(directory: &StoreDirectory) -> Check {
    const NAME: &str = "disk";
    let root = directory.place();
    if let Err(error) = disk::try_writing(root) {
        return Check::problem(
            NAME,
            format!("a file in the store could not be written and synced: {error}"),
            "check that the file system is mounted for writing, has room and no errors, and that the store is yours",
        );
    }
    match closed_to_writes(directory) {
        None => Check::ok(NAME, "a file was written, synced and removed"),
        Some((path, error)) => {
            let detail = format!(
                "nothing can be written to {}: {error}",
                names(root, [&path])
            );
            Check::problem(NAME, detail, mode_hint(directory, "u+rwX", [&*path]))
        }
    }
}

/// The hint for a file of the store that this account may not read: owners or modes are wrong.
pub(super) fn hint_of_denied(directory: &StoreDirectory) -> String {
    let found = everything(directory.place());
    mode_hint(
        directory,
        "u+rwX",
        found.iter().map(|(path, _)| path.as_path()),
    )
}

/// The command that sets the modes of these files. Only their owner and root can run it.
fn mode_hint<'p>(
    directory: &StoreDirectory,
    modes: &str,
    paths: impl IntoIterator<Item = &'p Path>,
) -> String {
    let me = rustix::process::geteuid();
    let owner_of = |path: &Path| std::fs::symlink_metadata(path).map(|found| found.uid());
    let is_mine = |path| owner_of(path).is_ok_and(|uid| uid == me.as_raw());
    let chmod = format!("chmod -R {modes} {}", shell_word(directory.root()));
    if me.is_root() || paths.into_iter().all(is_mine) {
        return chmod;
    }
    match owner_of(directory.place()) {
        Ok(owner) if owner != me.as_raw() => format!("as its owner: sudo -u '#{owner}' {chmod}"),
        _ => format!(
            "some belong to another account: sudo chown -R -h {} {}, then {chmod}",
            me.as_raw(),
            shell_word(directory.root())
        ),
    }
}

/// The first file that a write needs and may not open. Nothing is written.
fn closed_to_writes(directory: &StoreDirectory) -> Option<(PathBuf, io::Error)> {
    let log = directory.log();
    // A new segment needs a new name in the directory.
    if let Err(error) = access(&log, Access::WRITE_OK | Access::EXEC_OK) {
        return Some((log, error.into()));
    }
    let last = Disk::open(&log)
        .ok()
        .and_then(|disk| segment::list(&disk).ok()?.last().copied());
    let files = ["head".to_owned()]
        .into_iter()
        .chain(last.map(segment::file_name));
    files.map(|name| log.join(name)).find_map(|path| {
        let opened = regular_file::open(&path, OpenOptions::new().write(true)).map(drop);
        // The check of the log reports a missing file.
        opened
            .err()
            .filter(|error| error.kind() != io::ErrorKind::NotFound)
            .map(|error| (path, error))
    })
}

/// Checks for files that a stopped run left or that were moved aside.
pub(super) fn leftovers(directory: &StoreDirectory) -> Check {
    const NAME: &str = "leftovers";
    let root = directory.place();
    let found = everything(root);
    let left: Vec<_> = found
        .iter()
        .map(|(path, _)| path)
        .filter(|path| is_leftover(path))
        .collect();
    if left.is_empty() {
        return Check::ok(NAME, "there are none");
    }
    let detail = format!(
        "{} left by stopped runs or moved aside: {}",
        are(left.len()),
        names(root, left)
    );
    let hint = "if no popug-cli is running, remove the files that you do not want to examine; the log does not need them";
    Check::warning(NAME, detail, hint)
}

fn is_leftover(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // The write-ahead file of a leftover is a leftover too.
    let ends = WRITE_AHEAD.iter();
    let name = ends
        .filter_map(|end| name.strip_suffix(end))
        .next()
        .unwrap_or(&name);
    let ends = [".duckdb.new", ".making", ".eml.tmp"];
    ends.iter().any(|end| name.ends_with(end))
        || name.contains(".damaged-")
        || spilled_by(name).is_some_and(is_gone)
        || (name.starts_with(disk::PROBE_PREFIX) && is_old(path))
        || (name.starts_with('.') && name.ends_with(".new"))
}

/// The process of a directory for intermediate results: `accounting.duckdb.spill-12`
fn spilled_by(name: &str) -> Option<Pid> {
    let (_, number) = name.split_once(SPILL)?;
    Pid::from_raw(number.parse().ok()?)
}

/// Whether the file is too old to belong to a running `doctor`.
fn is_old(path: &Path) -> bool {
    const PROBED_WITHIN: Duration = Duration::from_secs(60);
    let age = std::fs::metadata(path)
        .and_then(|metadata| metadata.modified())
        .map(|made| made.elapsed());
    // A file that is gone by now was no leftover; one from the future may be.
    age.is_ok_and(|age| age.map_or(true, |age| age > PROBED_WITHIN))
}

fn are(count: usize) -> String {
    let is = if count == 1 { "is" } else { "are" };
    format!("{} {is}", counted(count as u64, "file", "files"))
}

/// The first few, relative to the store.
fn names<'p>(root: &Path, paths: impl IntoIterator<Item = &'p PathBuf>) -> String {
    let shown = |path: &PathBuf| match path.strip_prefix(root) {
        Ok(inside) if inside != Path::new("") => inside.display().to_string(),
        _ => path.display().to_string(),
    };
    let mut all: Vec<String> = paths.into_iter().map(shown).collect();
    all.sort();
    let hidden = all.len().saturating_sub(NAMES_SHOWN);
    all.truncate(NAMES_SHOWN);
    let rest = if hidden > 0 {
        format!(" and {hidden} more")
    } else {
        String::new()
    };
    format!("{}{rest}", all.join(", "))
}

/// Checks that the name of a store is quoted, so that the command of a hint can be pasted.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::Health;

    fn store() -> (tempfile::TempDir, StoreDirectory) {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("log")).unwrap();
        std::fs::write(home.path().join("log/head"), "x").unwrap();
        let directory = StoreDirectory::new(home.path());
        (home, directory)
    }

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    #[test]
    fn files_behind_a_closed_directory_are_no_finding_and_open_ones_are_named() {
        let (home, directory) = store();
        set_mode(home.path(), 0o700);
        set_mode(&home.path().join("log/head"), 0o644);
        assert_eq!(modes(&directory).health, Health::Ok);
        set_mode(home.path(), 0o755);
        let check = modes(&directory);
        assert_eq!(check.health, Health::Warning);
        assert!(check.detail.contains("log/head"), "{check:?}");
        assert!(check.hint.unwrap().starts_with("chmod -R go= /"));
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "the test sets the time of a file"
    )]
    fn files_that_were_left_behind_are_named_and_nothing_else() {
        let (home, directory) = store();
        assert_eq!(leftovers(&directory).health, Health::Ok);
        let long_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
        for name in [
            "accounting.duckdb.new",
            "accounting.duckdb.making",
            "accounting.duckdb.making.wal",
            // No process has such a number.
            "accounting.duckdb.spill-4194999",
            "state.sqlite.damaged-1",
            ".probe-7",
            ".passwords.json.0f.new",
        ] {
            let file = std::fs::File::create(home.path().join(name)).unwrap();
            file.set_modified(long_ago).unwrap();
            let check = leftovers(&directory);
            assert!(
                check.health == Health::Warning && check.detail.contains(name),
                "{check:?}"
            );
            std::fs::remove_file(home.path().join(name)).unwrap();
        }
    }

    #[test]
    fn files_that_a_process_is_at_are_no_leftovers() {
        let (home, directory) = store();
        std::fs::write(home.path().join(".probe-7"), "").unwrap();
        let mine = format!("accounting.duckdb.spill-{}", std::process::id());
        std::fs::create_dir(home.path().join(mine)).unwrap();
        std::fs::write(home.path().join("accounting.duckdb.wal"), "").unwrap();
        assert_eq!(leftovers(&directory).health, Health::Ok);
    }

    #[test]
    fn a_disk_that_takes_files_is_left_as_it_was() {
        let (home, directory) = store();
        assert_eq!(disk(&directory).health, Health::Ok);
        assert_eq!(everything(home.path()).len(), 3);
        assert_eq!(
            disk(&StoreDirectory::new(home.path().join("missing"))).health,
            Health::Problem
        );
    }
}
