//! The events between checkpoint and head that will stop a consumer. `doctor` reads them as the
//! next run of the consumer will do. A copy of the index is brought to the head.

use std::path::Path;

use crate::app::App;
use crate::consumers::standing::Obstacle;
use crate::domain::dead_letter::Stop;
use crate::domain::event::Consumer;
use crate::event_log::LogError;
use crate::state::{Check, Checkpoint, Resolution, StateError, StateIndex};

/// The event that keeps the index from following the log; `None` for an error of another kind.
fn obstacle_of(error: StateError) -> Option<Obstacle> {
    match error {
        StateError::Contradiction {
            sequence, reason, ..
        } => Some(Obstacle::Contradiction(Stop { sequence, reason })),
        StateError::Log(
            error @ (LogError::UnknownVersion { sequence, .. }
            | LogError::Undecodable { sequence, .. }),
        ) => Some(Obstacle::Unreadable { sequence, error }),
        _ => None,
    }
}

/// The sequence of an obstacle, and the reason why the consumer stops there.
pub(super) fn stop_of(obstacle: &Obstacle) -> Stop {
    let (sequence, reason) = match obstacle {
        Obstacle::MissingFromTheBooks(event) => (*event, "it is set aside".to_owned()),
        Obstacle::Contradiction(stop) => return stop.clone(),
        Obstacle::Unreadable { sequence, error } => {
            let reason = match error {
                LogError::UnknownVersion { type_name, .. } => {
                    format!("it has the type {type_name}, which this version does not know")
                }
                LogError::Undecodable {
                    type_name, reason, ..
                } => format!("it has the type {type_name} and cannot be read: {reason}"),
                other => other.to_string(),
            };
            (*sequence, reason)
        }
    };
    Stop { sequence, reason }
}

/// The commands that help a consumer past an obstacle.
pub(super) fn hint(consumer: Consumer, obstacle: &Obstacle) -> String {
    let (at, name) = (stop_of(obstacle).sequence, consumer.name());
    let aside = format!(
        "`popug-cli dlq set-aside {at} --consumer {name}` lets it continue without the event"
    );
    let is_newer = matches!(
        obstacle,
        Obstacle::Unreadable {
            error: LogError::UnknownVersion { .. },
            ..
        }
    );
    match (consumer, is_newer) {
        (Consumer::Tracker, true) => {
            "a newer popug-cli wrote it: use that one; until then no command works".into()
        }
        (Consumer::Tracker, false) => {
            "no command works: `popug-cli verify --deep` shows what the log contradicts; \
             restore a backup from before it"
                .into()
        }
        (_, true) => format!("a newer popug-cli wrote it: use that one; {aside}"),
        (_, false) => format!("`popug-cli dlq show {at}` shows it; {aside}"),
    }
}

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
    let obstacle = index.catch_up(&app.log).err().and_then(obstacle_of);
    Some(Ahead {
        resolutions: index.resolutions().ok()?,
        obstacle,
    })
}
