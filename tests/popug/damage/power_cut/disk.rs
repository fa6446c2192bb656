//! A disk on which power can fail: the changes of a command, call by call, and the possible
//! remains.
//!
//! A sync of a file makes its bytes durable, a sync of a directory its names. Any part of the other
//! changes may be missing after a power cut: single blocks of a write, created files, moves and
//! removals.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::{Rng, RngExt};

use super::content::{Content, Piece, digest};
use super::trace::Traced;

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
    /// Parts of a write reach the disk one by one.
    Write {
        file: usize,
        pieces: Vec<Piece>,
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
    before: Left,
    traced: Traced,
    pub changes: Vec<Change>,
    /// The number of changes when each command had ended.
    pub ends: Vec<usize>,
    /// The durable part of the disk when each command had ended, and the changes that were not
    /// synced.
    durable: Vec<(Left, Vec<usize>)>,
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
        let before = Left::read(store);
        let lengths = before.contents.iter().map(|content| content.length());
        Recording {
            store: store.to_owned(),
            traced: Traced::new(store, before.names.clone(), lengths.collect()),
            before,
            changes: Vec::new(),
            ends: Vec::new(),
            durable: Vec::new(),
        }
    }

    /// Adds the calls of a command, which has ended.
    pub fn take(&mut self, trace: &str) {
        self.changes.extend(self.traced.changes(trace));
        let durable = self.durable(self.changes.len());
        self.durable.push(durable);
        self.ends.push(self.changes.len());
        let disk = Left::read(&self.store);
        let model = self.cut(self.changes.len(), |_| true);
        let (disk, model) = (disk.compared(), model.compared());
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
        let (mut left, unsynced) = self.durable(done);
        for at in unsynced {
            left.take(&self.changes[at], || survives(at));
        }
        left
    }

    /// The durable part of the disk after the first `done` changes, and the changes that are not
    /// synced.
    fn durable(&self, done: usize) -> (Left, Vec<usize>) {
        let ended = self.ended(done);
        let last = ended.checked_sub(1);
        let begin = || (self.before.clone(), Vec::new());
        let (mut left, mut unsynced) = last.map_or_else(begin, |last| self.durable[last].clone());
        for at in last.map_or(0, |last| self.ends[last])..done {
            self.follow(at, &mut unsynced, |durable| {
                left.take(&self.changes[durable], || true);
            });
        }
        (left, unsynced)
    }

    /// The names before the first command.
    pub fn names(&self) -> Names {
        self.before.names.clone()
    }
}

static EMPTY: Content = Content::empty();

/// The contents of the disk when power is back. A file that was never written is empty.
#[derive(Clone)]
pub struct Left {
    names: Names,
    contents: Vec<Arc<Content>>,
}

/// SQLite shares this file by memory, makes it anew after a power cut, and never reads it then.
const SHARED_MEMORY: &str = "-shm";
/// A lock file that nobody holds names a process that has ended.
const LOCK: &str = ".lock";

impl Left {
    /// The contents of a store as it is.
    pub fn read(store: &Path) -> Left {
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
                let bytes = std::fs::read(store.join(&path)).expect("a file");
                self.contents.push(Arc::new(Content::of(&bytes)));
            }
        }
    }

    /// A change reaches the disk; `survives` is asked for each block of a write.
    pub fn take(&mut self, change: &Change, mut survives: impl FnMut() -> bool) {
        if let Some(file) = change.file() {
            let files = self.contents.len().max(file + 1);
            self.contents.resize_with(files, Arc::default);
        }
        match change {
            Change::Write { file, pieces } => {
                let content = Arc::make_mut(&mut self.contents[*file]);
                let arrived = pieces.iter().filter(|_| survives());
                arrived.for_each(|piece| content.write(piece));
            }
            Change::Cut { file, length } if survives() => {
                let length = usize::try_from(*length).expect("a small file");
                Arc::make_mut(&mut self.contents[*file]).resize(length);
            }
            Change::Cut { .. } => {}
            names => {
                if survives() {
                    names.rename(&mut self.names);
                }
            }
        }
    }

    /// Files and directories, in their order. Names in a missing directory are missing too.
    fn named(&self) -> impl Iterator<Item = (&Path, Option<&Content>)> {
        let mut directories = BTreeSet::from([Path::new("")]);
        self.names.iter().filter_map(move |(path, file)| {
            let parent = path.parent().expect("a place below the store");
            if !directories.contains(parent) {
                return None;
            }
            let content =
                file.map(|file| self.contents.get(file).map_or(&EMPTY, |content| content));
            if content.is_none() {
                directories.insert(path);
            }
            Some((path.as_path(), content))
        })
    }

    /// Files and directories whose contents a later command can read.
    fn compared(&self) -> BTreeMap<&Path, Option<&Content>> {
        let is_shared = |path: &Path| path.to_string_lossy().ends_with(SHARED_MEMORY);
        self.named().filter(|(path, _)| !is_shared(path)).collect()
    }

    /// The same for two stores in which every command does the same; `chosen` names the files that
    /// count.
    pub fn digest(&self, chosen: impl Fn(&str) -> bool) -> u64 {
        let mut text = String::new();
        for (path, content) in self.compared() {
            let name = path.to_string_lossy();
            if chosen(&name) {
                let is_lock = name.ends_with(LOCK);
                let digest = content.filter(|_| !is_lock).map(Content::digest);
                let _ = writeln!(text, "{name:?} {digest:?} {}", content.is_some());
            }
        }
        digest(0, text.as_bytes())
    }

    /// Replaces the store at `store`.
    pub fn put(&self, store: &Path) {
        self.put_chosen(store, |_| true);
    }

    /// The same with the files that are `chosen` by their places.
    pub fn put_chosen(&self, store: &Path, chosen: impl Fn(&str) -> bool) {
        clear(store);
        let mut directories = Vec::new();
        let named = self.named();
        for (path, content) in named.filter(|(path, _)| chosen(&path.to_string_lossy())) {
            match content {
                None => {
                    std::fs::create_dir(store.join(path)).expect("created");
                    directories.push(path);
                }
                Some(content) => {
                    std::fs::write(store.join(path), content.bytes()).expect("written")
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
