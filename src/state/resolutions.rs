//! Operators' decisions about dead letters, read from the index.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, params};

use crate::domain::dead_letter::LetterState;
use crate::domain::event::{Actor, Consumer, Event};
use crate::domain::id::Sequence;
use crate::domain::time::EventTime;
use crate::state::{Recorded, StateError, StateIndex, row};

/// One decision about one event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolution {
    /// The decision's own place in the log.
    pub sequence: Sequence,
    pub consumer: Consumer,
    /// The event that the decision is about.
    pub target: Sequence,
    pub standing: LetterState,
    pub reason: String,
    pub by: Actor,
    pub at: EventTime,
}

impl Resolution {
    /// The decision that an event records, if any.
    pub fn of(recorded: &Recorded<'_>) -> Option<Resolution> {
        let (standing, consumer, target, reason) = match recorded.event.as_ref() {
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
            standing,
            reason: reason.clone(),
            by,
            at,
        })
    }
}

impl StateIndex {
    /// All decisions, in the order in which they were made.
    pub fn resolutions(&self) -> Result<Vec<Resolution>, StateError> {
        let read = || -> rusqlite::Result<Vec<Resolution>> {
            let mut select = self
                .db()
                .prepare_cached("SELECT * FROM resolutions ORDER BY sequence")?;
            select.query_map([], resolution)?.collect()
        };
        read().map_err(self.failed("read"))
    }

    /// The last decision about each event, by event and consumer.
    pub fn last_resolutions(&self) -> Result<Vec<Resolution>, StateError> {
        let mut last = BTreeMap::new();
        for resolution in self.resolutions()? {
            last.insert((resolution.target, resolution.consumer), resolution);
        }
        Ok(last.into_values().collect())
    }

    /// The decisions about events that are set aside now.
    pub fn set_aside(&self) -> Result<Vec<Resolution>, StateError> {
        let mut last = self.last_resolutions()?;
        last.retain(|resolution| resolution.standing == LetterState::SetAside);
        Ok(last)
    }
}

pub fn insert(db: &Connection, resolution: &Resolution) -> rusqlite::Result<()> {
    let Resolution {
        sequence,
        consumer,
        target,
        standing,
        reason,
        by,
        at,
    } = resolution;
    db.prepare_cached("INSERT INTO resolutions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![
            sequence.0,
            consumer.name(),
            target.0,
            standing.name(),
            reason,
            by.to_string(),
            at.micros()
        ])
        .map(drop)
}

fn resolution(row: &Row<'_>) -> rusqlite::Result<Resolution> {
    let (consumer, standing, by): (String, String, String) = (
        row.get("consumer")?,
        row.get("standing")?,
        row.get("decided_by")?,
    );
    let consumer = Consumer::ALL
        .into_iter()
        .find(|known| known.name() == consumer);
    Ok(Resolution {
        sequence: Sequence(row.get("sequence")?),
        consumer: consumer.ok_or(rusqlite::Error::InvalidQuery)?,
        target: Sequence(row.get("target_sequence")?),
        standing: LetterState::named(&standing).ok_or(rusqlite::Error::InvalidQuery)?,
        reason: row.get("reason")?,
        by: by.parse().map_err(|()| rusqlite::Error::InvalidQuery)?,
        at: row::time(row, "decided_at")?,
    })
}
