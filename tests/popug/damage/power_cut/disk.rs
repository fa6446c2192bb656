//! A disk on which power can fail: the changes of a command, call by call, and the possible
//! remains.
//!
//! A sync of a file makes its bytes durable, a sync of a directory its names. Any part of the other
//! changes may be missing after a power cut: single blocks of a write, created files, moves and
//! removals.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rand::{Rng, RngExt};

use super::trace::Traced;

/// Parts of a write reach the disk one by one.
const BLOCK_BYTES: usize = 4096;

/// Files by their place below the store; directories are `None`.
type Names = BTreeMap<PathBuf, Option<usize>>;

#[derive(Debug)]
pub enum Change {
    Create {
        path: PathBuf,
        file: usize,
    },
    MakeDirectory {
        path: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
    Move {
        from: PathBuf,
        to: PathBuf,
    },
    Write {
        file: usize,
        at: u64,
        bytes: Vec<u8>,
    },
    Cut {
        file: usize,
        length: u64,
    },
    Sync {
        file: usize,
    },
    SyncDirectory {
        path: PathBuf,
    },
}

impl Change {
    /// The directory whose sync makes the change durable, if it is a change of names.
    fn directory(&self) -> Option<&Path> {
        match self {
            Change::Create { path, .. }
            | Change::MakeDirectory { path }
            | Change::Remove { path } => path.parent(),
            Change::Move { to, .. } => to.parent(),
            _ => None,
        }
    }

    fn is_of_bytes(&self) -> bool {
        matches!(self, Change::Write { .. } | Change::Cut { .. })
    }

    fn rename(&self, names: &mut Names) {
        match self {
            Change::Create { path, file } => drop(names.insert(path.clone(), Some(*file))),
            Change::MakeDirectory { path } => drop(names.insert(path.clone(), None)),
            Change::Remove { path } => drop(names.remove(path)),
            Change::Move { from, to } => {
                if let Some(moved) = names.remove(from) {
                    names.insert(to.clone(), moved);
                }
            }
            _ => {}
        }
    }
}

/// The changes of one command to a store.
pub struct Recording {
    before: Names,
    contents: Vec<Vec<u8>>,
    pub changes: Vec<Change>,
}

/// The part of the unsynced changes that survives.
#[derive(Clone, Copy, Debug)]
pub struct Survival {
    /// In percent, each.
    pub bytes: u32,
    pub new_names: u32,
    pub moves_and_removals: u32,
}

impl Recording {
    /// `store` is in its state before the recorded command.
    pub fn begin(store: &Path) -> Recording {
        let mut recording = Recording {
            before: Names::new(),
            contents: Vec::new(),
            changes: Vec::new(),
        };
        recording.read(store, Path::new(""));
        recording
    }

    fn read(&mut self, store: &Path, below: &Path) {
        for entry in std::fs::read_dir(store.join(below)).expect("a directory") {
            let path = below.join(entry.expect("an entry").file_name());
            if store.join(&path).is_dir() {
                self.before.insert(path.clone(), None);
                self.read(store, &path);
            } else {
                self.before.insert(path.clone(), Some(self.contents.len()));
                self.contents
                    .push(std::fs::read(store.join(&path)).expect("a file"));
            }
        }
    }

    /// Adds the calls of the command, which worked in `store`.
    pub fn take(&mut self, store: &Path, trace: &str) {
        let mut traced = Traced::new(store, self.before.clone(), &self.contents);
        self.changes = traced.changes(trace);
        self.contents.resize(traced.files(), Vec::new());
    }

    /// Power fails after the first `done` changes.
    pub fn cut(&self, done: usize, survival: Survival, rng: &mut impl Rng) -> Left {
        let (mut names, mut contents) = (self.before.clone(), self.contents.clone());
        let mut unsynced: Vec<&Change> = Vec::new();
        for change in &self.changes[..done] {
            let is_made_durable = |earlier: &Change| match (change, earlier) {
                (
                    Change::Sync { file },
                    Change::Write { file: of, .. } | Change::Cut { file: of, .. },
                ) => file == of,
                (Change::SyncDirectory { path }, _) => earlier.directory() == Some(path),
                _ => false,
            };
            unsynced.retain(|earlier| {
                let is_durable = is_made_durable(earlier);
                if is_durable {
                    earlier.rename(&mut names);
                    write(earlier, &mut contents, || true);
                }
                !is_durable
            });
            if change.is_of_bytes() || change.directory().is_some() {
                unsynced.push(change);
            }
        }
        for change in unsynced {
            let chance = match change {
                Change::Create { .. } | Change::MakeDirectory { .. } => survival.new_names,
                Change::Move { .. } | Change::Remove { .. } => survival.moves_and_removals,
                _ => survival.bytes,
            };
            let mut survives = || rng.random_range(0..100) < chance;
            if change.is_of_bytes() {
                write(change, &mut contents, survives);
            } else if survives() {
                change.rename(&mut names);
            }
        }
        Left { names, contents }
    }
}

fn write(change: &Change, contents: &mut [Vec<u8>], mut survives: impl FnMut() -> bool) {
    match change {
        Change::Write { file, at, bytes } => {
            let content = &mut contents[*file];
            let mut at = usize::try_from(*at).expect("a small file");
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (block, behind) = rest.split_at(rest.len().min(BLOCK_BYTES - at % BLOCK_BYTES));
                if survives() {
                    content.resize(content.len().max(at + block.len()), 0);
                    content[at..at + block.len()].copy_from_slice(block);
                }
                (at, rest) = (at + block.len(), behind);
            }
        }
        Change::Cut { file, length } if survives() => {
            contents[*file].resize(usize::try_from(*length).expect("a small file"), 0);
        }
        _ => {}
    }
}

/// The contents of the disk when power is back.
pub struct Left {
    names: Names,
    contents: Vec<Vec<u8>>,
}

impl Left {
    /// Replaces the store at `store`.
    pub fn put(&self, store: &Path) {
        let mut directories = BTreeSet::new();
        clear(store);
        for (path, file) in &self.names {
            // Names in a missing directory are missing too.
            let parent = path.parent().expect("a place below the store");
            if parent != Path::new("") && !directories.contains(parent) {
                continue;
            }
            match file {
                None => {
                    std::fs::create_dir(store.join(path)).expect("created");
                    directories.insert(path.as_path());
                }
                Some(file) => {
                    std::fs::write(store.join(path), &self.contents[*file]).expect("written")
                }
            }
        }
        // Modes are not tested here.
        for directory in directories
            .iter()
            .map(|path| store.join(path))
            .chain([store.to_owned()])
        {
            close_to_others(&directory);
        }
    }
}

fn clear(store: &Path) {
    for entry in std::fs::read_dir(store).expect("a store") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            std::fs::remove_dir_all(path)
        } else {
            std::fs::remove_file(path)
        }
        .expect("removed");
    }
}

fn close_to_others(directory: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700)).expect("set");
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("set");
        }
    }
}
