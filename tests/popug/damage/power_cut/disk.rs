//! A disk on which power can fail: the changes of a command, call by call, and the possible
//! remains.
//!
//! A sync of a file makes its bytes durable, a sync of a directory its names. Any part of the other
//! changes may be missing after a power cut: single blocks of a write, created files, moves and
//! removals.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use rand::{Rng, RngExt};

use super::trace::Traced;

/// Parts of a write reach the disk one by one.
const BLOCK_BYTES: usize = 4096;

/// Files by their place below the store; directories are `None`.
pub type Names = BTreeMap<PathBuf, Option<usize>>;

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
    pub fn directory(&self) -> Option<&Path> {
        match self {
            Change::Create { path, .. }
            | Change::MakeDirectory { path }
            | Change::Remove { path } => path.parent(),
            Change::Move { to, .. } => to.parent(),
            _ => None,
        }
    }

    fn makes_durable(&self, earlier: &Change) -> bool {
        match (self, earlier) {
            (
                Change::Sync { file },
                Change::Write { file: of, .. } | Change::Cut { file: of, .. },
            ) => file == of,
            (Change::SyncDirectory { path }, _) => earlier.directory() == Some(path),
            _ => false,
        }
    }

    /// The file whose bytes it changes.
    pub fn file(&self) -> Option<usize> {
        match self {
            Change::Write { file, .. } | Change::Cut { file, .. } => Some(*file),
            _ => None,
        }
    }

    fn is_of_bytes(&self) -> bool {
        self.file().is_some()
    }

    pub fn rename(&self, names: &mut Names) {
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

/// The changes of commands to a store, one command after the other.
pub struct Recording {
    store: PathBuf,
    before: Names,
    contents: Vec<Vec<u8>>,
    traced: Traced,
    pub changes: Vec<Change>,
    /// The number of changes when each command had ended.
    pub ends: Vec<usize>,
}

/// The part of the unsynced changes that survives.
#[derive(Clone, Copy, Debug)]
pub struct Survival {
    /// In percent, each.
    pub bytes: u32,
    pub new_names: u32,
    pub moves_and_removals: u32,
}

impl Survival {
    /// Whether a change, or a block of a write, reaches the disk.
    pub fn draws(self, change: &Change, rng: &mut impl Rng) -> bool {
        let chance = match change {
            Change::Create { .. } | Change::MakeDirectory { .. } => self.new_names,
            Change::Move { .. } | Change::Remove { .. } => self.moves_and_removals,
            _ => self.bytes,
        };
        rng.random_range(0..100) < chance
    }
}

impl Recording {
    /// `store` is in its state before the first command.
    pub fn begin(store: &Path) -> Recording {
        let Left { names, contents } = Left::read(store);
        Recording {
            store: store.to_owned(),
            traced: Traced::new(store, names.clone(), &contents),
            before: names,
            contents,
            changes: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Adds the calls of a command, which has ended.
    pub fn take(&mut self, trace: &str) {
        self.changes.extend(self.traced.changes(trace));
        self.contents.resize(self.traced.files(), Vec::new());
        self.ends.push(self.changes.len());
        let disk = Left::read(&self.store);
        let model = self.cut(self.changes.len(), |_| true);
        let (disk, model) = (disk.files(), model.files());
        for path in disk.keys().chain(model.keys()) {
            assert!(
                disk.get(path) == model.get(path),
                "{} was changed in another way than recorded",
                path.display()
            );
        }
    }

    /// The changes of a command.
    pub fn changes_of(&self, command: usize) -> Range<usize> {
        let before = command.checked_sub(1);
        before.map_or(0, |before| self.ends[before])..self.ends[command]
    }

    /// The first change of the command that made the last one of `done` changes.
    pub fn began(&self, done: usize) -> usize {
        self.changes_of(self.ends.partition_point(|end| *end < done))
            .start
    }

    /// The number of commands that had ended after the first `done` changes.
    pub fn ended(&self, done: usize) -> usize {
        self.ends.partition_point(|end| *end <= done)
    }

    /// Follows the change `at`: hands the changes that it makes durable to `made_durable` and
    /// leaves in `unsynced` those that are not.
    pub fn follow(
        &self,
        at: usize,
        unsynced: &mut Vec<usize>,
        mut made_durable: impl FnMut(usize),
    ) {
        let change = &self.changes[at];
        unsynced.retain(|earlier| {
            let is_durable = change.makes_durable(&self.changes[*earlier]);
            if is_durable {
                made_durable(*earlier);
            }
            !is_durable
        });
        if change.is_of_bytes() || change.directory().is_some() {
            unsynced.push(at);
        }
    }

    /// Power fails after the first `done` changes. `survives` is asked for each unsynced change, for
    /// each block of a write.
    pub fn cut(&self, done: usize, mut survives: impl FnMut(usize) -> bool) -> Left {
        let (mut names, mut contents) = (self.before.clone(), self.contents.clone());
        let mut unsynced = Vec::new();
        for at in 0..done {
            self.follow(at, &mut unsynced, |durable| {
                self.changes[durable].rename(&mut names);
                write(&self.changes[durable], &mut contents, || true);
            });
        }
        for at in unsynced {
            let change = &self.changes[at];
            if change.is_of_bytes() {
                write(change, &mut contents, || survives(at));
            } else if survives(at) {
                change.rename(&mut names);
            }
        }
        Left { names, contents }
    }

    /// The names before the first command.
    pub fn names(&self) -> Names {
        self.before.clone()
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

/// SQLite shares this file by memory, makes it anew after a power cut, and never reads it then.
const SHARED_MEMORY: &str = "-shm";

impl Left {
    /// The contents of a store as it is.
    fn read(store: &Path) -> Left {
        let mut left = Left {
            names: Names::new(),
            contents: Vec::new(),
        };
        left.read_below(store, Path::new(""));
        left
    }

    fn read_below(&mut self, store: &Path, below: &Path) {
        for entry in std::fs::read_dir(store.join(below)).expect("a directory") {
            let path = below.join(entry.expect("an entry").file_name());
            if store.join(&path).is_dir() {
                self.names.insert(path.clone(), None);
                self.read_below(store, &path);
            } else {
                self.names.insert(path.clone(), Some(self.contents.len()));
                self.contents
                    .push(std::fs::read(store.join(&path)).expect("a file"));
            }
        }
    }

    /// The bytes of each file; `None` for a directory.
    pub fn files(&self) -> BTreeMap<&Path, Option<&[u8]>> {
        let is_shared = |path: &Path| path.to_string_lossy().ends_with(SHARED_MEMORY);
        let named = self.names.iter().filter(|(path, _)| !is_shared(path));
        let bytes = |file: usize| &self.contents[file][..];
        named
            .map(|(path, file)| (path.as_path(), file.map(bytes)))
            .collect()
    }

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
