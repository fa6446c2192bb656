//! The state index as of the head, in a copy: the decisions about dead letters, and the event that
//! stops the index.

use std::path::Path;

use crate::app::App;
use crate::consumers::standing::Obstacle;
use crate::state::{Check, Checkpoint, Resolution, StateIndex};

/// The decisions in the index, at the head or as near to it as the index gets.
pub(super) struct Ahead {
    pub resolutions: Vec<Resolution>,
    /// The event that keeps it from the head.
    pub obstacle: Option<Obstacle>,
}

/// Brings a copy of the index to the head. If it cannot be read, the checks of the index and of the
/// log report it.
pub(super) fn index_ahead(app: &App<'_>, scratch: &Path) -> Ahead {
    try_index_ahead(app, scratch).unwrap_or(Ahead {
        resolutions: Vec::new(),
        obstacle: None,
    })
}

fn try_index_ahead(app: &App<'_>, scratch: &Path) -> Option<Ahead> {
    let path = app.directory.state_index();
    let head = Checkpoint::from(&app.log.head().ok()?);
    let read = StateIndex::open_to_read(&path, scratch, app.lock_wait)
        .ok()
        .flatten();
    let at = read.as_ref().and_then(|index| index.checkpoint().ok());
    if let Some(index) = read.as_ref().filter(|_| at == Some(head)) {
        return Some(Ahead {
            resolutions: index.resolutions().ok()?,
            obstacle: None,
        });
    }
    drop(read);
    let directory = scratch.join("ahead");
    std::fs::create_dir(&directory).ok()?;
    // A file that cannot be read may be a pipe, and copying a pipe would wait for ever.
    let index = match at {
        Some(_) => StateIndex::copied(&path, &directory, app.lock_wait).ok()?,
        None => {
            let new = directory.join("new.sqlite");
            StateIndex::open(&new, Check::Headers, app.lock_wait)
                .ok()?
                .0
        }
    };
    let obstacle = index.catch_up(&app.log).err().and_then(Obstacle::of_index);
    Some(Ahead {
        resolutions: index.resolutions().ok()?,
        obstacle,
    })
}
