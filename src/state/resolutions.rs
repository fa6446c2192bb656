//! Operators' decisions about dead letters, and their rows in the index.

use rusqlite::{Connection, params};

use crate::domain::dead_letter::LetterState;
use crate::domain::event::{Actor, Consumer, Event};
use crate::domain::id::Sequence;
use crate::domain::time::EventTime;
use crate::state::Recorded;

/// One decision about one event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolution {
    /// The decision's own place in the log.
    pub sequence: Sequence,
    pub consumer: Consumer,
    /// The event that the decision is about.
    pub target: Sequence,
    pub state: LetterState,
    pub reason: String,
    pub by: Actor,
    pub at: EventTime,
}

impl Resolution {
    /// The decision that an event records, if any.
    pub fn of(recorded: &Recorded<'_>) -> Option<Resolution> {
        let (state, consumer, target, reason) = match recorded.event.as_ref() {
            Event::EventSetAside(e) => (
                LetterState::SetAside,
                e.consumer,
                e.target_sequence,
                &e.reason,
            ),
            Event::EventRetried(e) => (
                LetterState::Retried,
                e.consumer,
                e.target_sequence,
                &e.reason,
            ),
            Event::EventSkipped(e) => (
                LetterState::Skipped,
                e.consumer,
                e.target_sequence,
                &e.reason,
            ),
            _ => return None,
        };
        let (sequence, by, at) = (recorded.sequence, recorded.actor, recorded.time);
        Some(Resolution {
            sequence,
            consumer,
            target,
            state,
            reason: reason.clone(),
            by,
            at,
        })
    }
}

pub(super) fn insert(db: &Connection, resolution: &Resolution) -> rusqlite::Result<()> {
    let Resolution {
        sequence,
        consumer,
        target,
        state,
        reason,
        by,
        at,
    } = resolution;
    db.prepare_cached("INSERT INTO resolutions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![
            sequence.0,
            consumer.name(),
            target.0,
            state.name(),
            reason,
            by.to_string(),
            at.micros()
        ])
        .map(drop)
}
