//! The states that a power cut may leave, listed one after the other: after each change of a file or
//! a name, with each set of lost changes that [`choices`] names.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{Hash, Hasher};
use std::path::Path;

use super::disk::{Names, Recording};

/// So many unsynced changes, or fewer, are lost in every combination.
const EVERY_SUBSET_MAX: usize = 6;
/// Of so many unsynced changes, or fewer, two in different places are lost or arrive together.
const PAIRS_MAX: usize = 16;

pub type Lost = BTreeSet<usize>;

/// A moment, and the unsynced changes that do not reach the disk.
pub struct State {
    /// The number of changes before the power cut.
    pub done: usize,
    pub lost: Lost,
}

/// Where a change is kept: the bytes of a file, or the names of a directory.
#[derive(PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
enum Place<'r> {
    File(usize),
    Directory(&'r Path),
}

/// A disk without the bytes: which changes reached each file.
#[derive(Clone)]
struct Image {
    names: Names,
    /// A digest of the changes of each file, in their order.
    files: BTreeMap<usize, u64>,
}

/// Every state of the recording, each image of the disk once for each number of commands that had
/// ended.
pub fn states(recording: &Recording) -> Vec<State> {
    let mut image = Image {
        names: recording.names(),
        files: BTreeMap::new(),
    };
    let (mut unsynced, mut seen, mut found) = (Vec::new(), HashSet::new(), Vec::new());
    for done in 0..=recording.changes.len() {
        if let Some(at) = done.checked_sub(1) {
            recording.follow(at, &mut unsynced, |durable| image.take(recording, durable));
        }
        let (ended, began) = (recording.ended(done), recording.began(done));
        for lost in choices(recording, &unsynced, began) {
            let mut left = image.clone();
            let arrived = unsynced.iter().filter(|change| !lost.contains(change));
            arrived.for_each(|change| left.take(recording, *change));
            if seen.insert((ended, left.digest())) {
                found.push(State { done, lost });
            }
        }
    }
    found
}

/// The sets of lost changes at one moment. Changes of earlier commands are lost or kept together:
/// all of them, or those of one place. Of the changes of the interrupted command every choice of
/// [`of_one_command`] is lost.
fn choices(recording: &Recording, unsynced: &[usize], began: usize) -> BTreeSet<Lost> {
    let (earlier, now) = unsynced.split_at(unsynced.partition_point(|change| *change < began));
    let (earlier, now): (Lost, Lost) = (set(earlier), set(now));
    let mut chosen = of_one_command(recording, &now);
    let earlier_places = places(recording, &earlier);
    for lost in earlier_places.iter().chain([&earlier]) {
        chosen.insert(lost.clone());
        chosen.insert(lost | &now);
        chosen.extend(places(recording, &now).iter().map(|place| lost | place));
    }
    chosen
}

/// Nothing arrived, everything arrived, each change alone is lost or arrives, each place alone is
/// lost or arrives; if there are few changes, two in different places; if there are very few, every
/// subset.
fn of_one_command(recording: &Recording, all: &Lost) -> BTreeSet<Lost> {
    let changes: Vec<usize> = all.iter().copied().collect();
    if changes.len() <= EVERY_SUBSET_MAX {
        let subset = |bits: u32| {
            let picked = changes.iter().enumerate();
            let picked = picked.filter(|(bit, _)| bits & (1 << bit) != 0);
            picked.map(|(_, change)| *change).collect()
        };
        return (0..1 << changes.len()).map(subset).collect();
    }
    let mut chosen = places(recording, all);
    chosen.push(all.clone());
    chosen.extend(changes.iter().map(|change| set(&[*change])));
    if changes.len() <= PAIRS_MAX {
        for (n, one) in changes.iter().enumerate() {
            let others = changes[..n].iter();
            let others = others.filter(|other| place(recording, **other) != place(recording, *one));
            chosen.extend(others.map(|other| set(&[*one, *other])));
        }
    }
    let others: Vec<_> = chosen.iter().map(|lost| all - lost).collect();
    chosen.into_iter().chain(others).collect()
}

fn set(changes: &[usize]) -> Lost {
    changes.iter().copied().collect()
}

/// The changes by their places.
fn places(recording: &Recording, changes: &Lost) -> Vec<Lost> {
    let mut places: BTreeMap<Place<'_>, Lost> = BTreeMap::new();
    for change in changes {
        let of_place = places.entry(place(recording, *change)).or_default();
        of_place.insert(*change);
    }
    places.into_values().collect()
}

fn place(recording: &Recording, change: usize) -> Place<'_> {
    let change = &recording.changes[change];
    let of_names = || Place::Directory(change.directory().expect("a change of bytes or names"));
    change.file().map_or_else(of_names, Place::File)
}

impl Image {
    fn take(&mut self, recording: &Recording, at: usize) {
        let change = &recording.changes[at];
        change.rename(&mut self.names);
        if let Some(file) = change.file() {
            let digest = self.files.entry(file).or_default();
            *digest = hash(&(*digest, at));
        }
    }

    fn digest(&self) -> u64 {
        let bytes = |file: &usize| self.files.get(file).copied().unwrap_or_default();
        let named = self.names.iter();
        let named = named.map(|(path, file)| (path, file.map(|file| (file, bytes(&file)))));
        hash(&named.collect::<Vec<_>>())
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
