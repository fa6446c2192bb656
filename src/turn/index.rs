//! Opens the state index and brings it to the head; every decision begins with this.

use std::path::Path;

use crate::state::{Check, Opened, StateError, StateIndex};
use crate::turn::Surroundings;

/// Opens the state index, and reports if it had to be replaced. Its contents may lag behind.
///
/// # Errors
/// If it can be neither opened nor replaced.
pub fn open_index(around: &Surroundings<'_>, check: Check) -> Result<StateIndex, StateError> {
    let path = around.directory.state_index();
    let (index, opened) = StateIndex::open(&path, check, around.lock_wait)?;
    tell_opened(around, "the state index", &path, opened);
    if around.log.has_drafted() {
        index.never_commit()?;
    }
    Ok(index)
}

/// Opens the state index and brings it to the head. If the disk takes no more data, an index in
/// memory takes its place.
///
/// # Errors
/// If the file cannot be read or the log cannot be followed.
pub fn index_at_head(around: &Surroundings<'_>) -> Result<StateIndex, StateError> {
    let index = open_index(around, Check::Headers)?;
    match catch_up(around, &index) {
        Err(error) if error.obstacle().is_some() => {
            let index = StateIndex::in_memory()?;
            catch_up(around, &index)?;
            Ok(index)
        }
        done => done.map(|_| index),
    }
}

/// Brings the index to the head, and reports if its rows had to be rebuilt. Returns the number of
/// events that it read.
///
/// # Errors
/// If the file cannot be read or the log cannot be followed.
pub fn catch_up(around: &Surroundings<'_>, index: &StateIndex) -> Result<u64, StateError> {
    let followed = index.catch_up(around.log)?;
    if followed.anew {
        around
            .notices
            .warn("the state index contradicted the log; it was rebuilt");
    }
    Ok(followed.events)
}

/// Reports if opening the SQLite file `name` had to replace it or leave it.
pub fn tell_opened(around: &Surroundings<'_>, name: &str, path: &Path, opened: Opened) {
    match opened {
        Opened::AsItWas | Opened::Anew => {}
        Opened::MovedAside(aside) => around.notices.warn(&format!(
            "{name} was damaged; it is kept as {} and rebuilt from the log",
            aside.display()
        )),
        Opened::InMemory(obstacle) => around.notices.warn(&format!(
            "the disk of {} {obstacle}; the log is read into memory instead",
            path.display()
        )),
    }
}
