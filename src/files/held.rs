//! Held directories: opened once, and used through their descriptor from then on.
//!
//! A name may come to mean another directory at any moment: somebody moves a store away and
//! restores a backup in its place, or points a link at the store of another company. A command that
//! opened its files by name would continue in that one. So it opens the directory once, and every
//! path that it uses begins with `/proc/self/fd/N`, which stays the opened directory, whatever its
//! name is now.
//!
//! Invariant: a path below a held directory is used only while the directory is held, because
//! the number of a closed descriptor is given to the next file. A value that stores such a path
//! also stores its [`keeper`].
//!
//! Users never see such a path: [`named`] puts their name for the directory back.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustix::fs::{CWD, Mode, OFlags};

const DESCRIPTORS: &str = "/proc/self/fd/";

/// A directory that stays the same one, even if its name is given to another.
#[derive(Debug)]
pub(crate) struct Held {
    descriptor: OwnedFd,
    path: PathBuf,
}

/// The holder of a descriptor's directory, and the users' name for it.
struct Holder {
    name: PathBuf,
    held: Weak<Held>,
}

/// By descriptor. The entry of a closed descriptor stays until its number is used again, because
/// errors may be reported later.
static HOLDERS: Mutex<BTreeMap<RawFd, Holder>> = Mutex::new(BTreeMap::new());

fn holders() -> MutexGuard<'static, BTreeMap<RawFd, Holder>> {
    HOLDERS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Held {
    /// Opens the directory to which `name` leads now.
    ///
    /// # Errors
    /// The system's error; [`io::ErrorKind::Unsupported`] if the system shows no descriptors as
    /// paths.
    pub(crate) fn open(name: &Path) -> io::Result<Arc<Held>> {
        Held::open_as(name, name)
    }

    /// Opens a directory that users know by another name.
    ///
    /// # Errors
    /// As [`Held::open`].
    pub(crate) fn open_as(path: &Path, name: &Path) -> io::Result<Arc<Held>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        let descriptor =
            rustix::io::retry_on_intr(|| rustix::fs::openat(CWD, path, flags, Mode::empty()))?;
        let number = descriptor.as_raw_fd();
        let held = Arc::new(Held {
            descriptor,
            path: PathBuf::from(format!("{DESCRIPTORS}{number}")),
        });
        held.check_path()?;
        holders().insert(
            number,
            Holder {
                name: name.to_owned(),
                held: Arc::downgrade(&held),
            },
        );
        Ok(held)
    }

    /// Checks that the path leads to the directory of the descriptor.
    fn check_path(&self) -> io::Result<()> {
        let opened = rustix::fs::fstat(&self.descriptor)?;
        let leads_there =
            |found: Metadata| (found.dev(), found.ino()) == (opened.st_dev, opened.st_ino);
        if std::fs::metadata(&self.path).is_ok_and(leads_there) {
            return Ok(());
        }
        let text =
            "the directory cannot be held, as /proc/self/fd does not lead to it: mount /proc";
        Err(io::Error::new(io::ErrorKind::Unsupported, text))
    }

    /// Leads to the directory as long as it is held.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// The descriptor in a path, and the rest of the path.
fn descriptor_of(path: &str) -> Option<(RawFd, &str)> {
    let rest = path.strip_prefix(DESCRIPTORS)?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    Some((rest[..end].parse().ok()?, &rest[end..]))
}

/// The value that keeps the directory in `path` open, if it is a held one.
pub(crate) fn keeper(path: &Path) -> Option<Arc<Held>> {
    let number = path
        .strip_prefix(DESCRIPTORS)
        .ok()?
        .components()
        .next()?
        .as_os_str()
        .to_str()?
        .parse()
        .ok()?;
    holders().get(&number)?.held.upgrade()
}

/// A path with the users' name for the directory.
pub(crate) fn named_path(path: &Path) -> PathBuf {
    let Ok(below) = path.strip_prefix(DESCRIPTORS) else {
        return path.to_owned();
    };
    let mut parts = below.components();
    let number = parts
        .next()
        .and_then(|part| part.as_os_str().to_str()?.parse().ok());
    let name = number.and_then(|number: RawFd| Some(holders().get(&number)?.name.clone()));
    match name {
        Some(name) if parts.as_path().as_os_str().is_empty() => name,
        Some(name) => name.join(parts.as_path()),
        None => path.to_owned(),
    }
}

/// A path as a word of a shell command to be pasted: quoted if necessary.
pub(crate) fn shell_word(path: &Path) -> String {
    let text = named_path(path).display().to_string();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-+@:".contains(&b);
    if text.bytes().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// A text in which every path of a held directory has the users' name for it.
pub(crate) fn named(text: &str) -> Cow<'_, str> {
    if !text.contains(DESCRIPTORS) {
        return Cow::Borrowed(text);
    }
    let (mut named, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(DESCRIPTORS) {
        named.push_str(&rest[..at]);
        rest = &rest[at..];
        let known = descriptor_of(rest).and_then(|(number, behind)| {
            let name = holders().get(&number)?.name.display().to_string();
            Some((name, behind))
        });
        let (name, behind) =
            known.unwrap_or_else(|| (DESCRIPTORS.to_owned(), &rest[DESCRIPTORS.len()..]));
        named.push_str(&name);
        rest = behind;
    }
    named.push_str(rest);
    Cow::Owned(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_directory_is_the_one_that_was_opened_whatever_its_name_means_later() {
        let home = tempfile::tempdir().unwrap();
        let (name, moved) = (home.path().join("s"), home.path().join("s.old"));
        std::fs::create_dir(&name).unwrap();
        let held = Held::open(&name).unwrap();
        std::fs::rename(&name, &moved).unwrap();
        std::fs::create_dir(&name).unwrap();
        std::fs::write(held.path().join("file"), "x").unwrap();
        assert!(moved.join("file").exists() && !name.join("file").exists());
        std::fs::remove_dir_all(&moved).unwrap();
        assert!(
            std::fs::write(held.path().join("file"), "x").is_err(),
            "it is gone, and nothing takes its place"
        );
        assert!(!name.join("file").exists());
    }

    #[test]
    fn whatever_keeps_a_path_can_keep_its_directory() {
        let home = tempfile::tempdir().unwrap();
        let held = Held::open(home.path()).unwrap();
        let path = held.path().join("log/head");
        let kept = keeper(&path).unwrap();
        drop(held);
        assert_eq!(keeper(&path).unwrap().path(), kept.path());
        drop(kept);
        // Another test may use the number by now.
        assert!(keeper(&path).is_none_or(|other| named_path(other.path()) != home.path()));
        assert!(keeper(home.path()).is_none());
    }

    #[test]
    fn people_see_the_name_that_they_gave() {
        let home = tempfile::tempdir().unwrap();
        let held = Held::open_as(home.path(), Path::new("the store")).unwrap();
        let path = held.path().join("log/head");
        let text = format!(
            "cannot open {}: {} (/proc/self/fd/x)",
            path.display(),
            held.path().display()
        );
        assert_eq!(
            named(&text),
            "cannot open the store/log/head: the store (/proc/self/fd/x)"
        );
        assert_eq!(named_path(&path), Path::new("the store/log/head"));
        assert_eq!(named_path(held.path()), Path::new("the store"));
        assert_eq!(named("/proc/self/fd/999999/x"), "/proc/self/fd/999999/x");
        assert!(matches!(named("no path at all"), Cow::Borrowed(_)));
    }

    #[test]
    fn only_a_directory_is_held() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("file"), "").unwrap();
        assert_eq!(
            Held::open(&home.path().join("file")).unwrap_err().kind(),
            io::ErrorKind::NotADirectory
        );
        assert_eq!(
            Held::open(&home.path().join("none")).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
