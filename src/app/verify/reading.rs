//! A line of the log, decoded once for all followers: the replay of the books and a rebuild of
//! every table.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use crate::consumers::ConsumeError;
use crate::consumers::feed::Chunk;
use crate::consumers::withheld::Withheld;
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::event_log::{FileLog, Line, LineKind, LogError};
use crate::state::{Checkpoint, Recorded};

/// A set of consumers.
#[derive(Clone, Copy, Default)]
struct Consumers(u8);

impl Consumers {
    fn insert(&mut self, consumer: Consumer) {
        self.0 |= 1 << consumer as u8;
    }

    fn contains(self, consumer: Consumer) -> bool {
        self.0 & 1 << consumer as u8 != 0
    }
}

/// A line, and the consumers that it concerns.
pub(super) struct Read {
    pub sequence: Sequence,
    /// `None` if this program cannot read the event.
    pub recorded: Option<Recorded<'static>>,
    followed_by: Consumers,
    /// The consumers that stop here.
    stops: Consumers,
}

pub(super) type Chunks = Receiver<Arc<Chunk<Read>>>;

/// A consumer whose tables are rebuilt: its withheld events, and its last event.
#[derive(Clone)]
pub(super) struct Follower {
    pub withheld: Withheld,
    pub until: Checkpoint,
}

impl Follower {
    pub(super) fn consumer(&self) -> Consumer {
        self.withheld.consumer()
    }

    /// Hands the events up to the follower's end to `apply`.
    pub(super) fn follow(
        &self,
        log: &FileLog,
        chunk: &Chunk<Read>,
        mut apply: impl FnMut(&Recorded<'_>) -> Result<(), ConsumeError>,
    ) -> Result<(), ConsumeError> {
        let is_ours = |read: &&Read| read.sequence <= self.until.sequence;
        for read in chunk.events.iter().take_while(is_ours) {
            if read.stops.contains(self.consumer()) {
                let line = log.line(read.sequence)?;
                self.read(&line.line())?;
            }
            if let Some(recorded) = &read.recorded
                && read.followed_by.contains(self.consumer())
            {
                apply(recorded)?;
            }
        }
        Ok(())
    }

    /// Whether the consumer reads the line.
    fn read(&self, line: &Line<'_>) -> Result<bool, LogError> {
        let concerns_the_index = self.consumer() == Consumer::Tracker;
        if concerns_the_index && line.command_hash.is_some() {
            return Recorded::from_line(line).map(|_| true);
        }
        self.withheld.read(line).map(|recorded| recorded.is_some())
    }

    /// The same, for a decoded line.
    fn follows(&self, line: &Line<'_>, recorded: Option<&Recorded<'_>>) -> Result<bool, LogError> {
        match recorded {
            Some(recorded) if self.withheld.is_empty() => {
                let subscribed = recorded.event.kind().consumers().contains(&self.consumer());
                let has_key = recorded.command_hash.is_some();
                Ok(subscribed || has_key && self.consumer() == Consumer::Tracker)
            }
            _ => self.read(line),
        }
    }
}

/// Decodes a line. An event that this program does not know, or that was set aside, may be unreadable.
pub(super) fn decode(
    line: &Line<'_>,
    followers: &[Follower],
    set_aside: &HashSet<Sequence>,
) -> Result<Option<Read>, LogError> {
    let is_known = matches!(line.kind(), LineKind::Known(_));
    let recorded = match Recorded::from_line(line) {
        Ok(recorded) => Some(recorded),
        Err(_) if !is_known || set_aside.contains(&line.sequence) => None,
        Err(error) => return Err(error),
    };
    let (mut followed_by, mut stops) = (Consumers::default(), Consumers::default());
    for follower in followers {
        match follower.follows(line, recorded.as_ref()) {
            Ok(true) => followed_by.insert(follower.consumer()),
            Ok(false) => {}
            Err(_) => stops.insert(follower.consumer()),
        }
    }
    Ok(Some(Read {
        sequence: line.sequence,
        recorded,
        followed_by,
        stops,
    }))
}
