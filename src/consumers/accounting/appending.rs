//! Appends one batch on a thread of its own while the next one is decided and encoded.
//!
//! The rows of a batch are kept before the log has it. They wait in a transaction that is not
//! committed after an error.

use std::thread::{Scope, ScopedJoinHandle};

use crate::consumers::ConsumeError;
use crate::domain::time::EventTime;
use crate::event_log::{Batch, Encoded, Head, LogError};
use crate::state::{Check, Checkpoint, StateIndex};
use crate::turn::index::{catch_up, open_index};
use crate::turn::{Surroundings, Turn};

pub(super) struct Appending<'s, 'e> {
    threads: &'s Scope<'s, 'e>,
    underway: Option<Underway<'s>>,
    /// The checkpoint of the state index is moved past the entries, so that no command has to read
    /// them.
    index: Option<StateIndex>,
}

/// A batch that is being appended.
struct Underway<'s> {
    /// The event before the batch, and its last event.
    before: Checkpoint,
    last: Checkpoint,
    time: EventTime,
    thread: ScopedJoinHandle<'s, Result<Head, LogError>>,
}

impl<'s, 'e> Appending<'s, 'e> {
    pub(super) fn new(threads: &'s Scope<'s, 'e>) -> Self {
        Appending {
            threads,
            underway: None,
            index: None,
        }
    }

    /// The time of the batch on its way.
    pub(super) fn time(&self) -> Option<EventTime> {
        self.underway.as_ref().map(|underway| underway.time)
    }

    /// Encodes the batch as it would be appended if nobody else appends before it.
    pub(super) fn encode_ahead(&self, batch: &Batch) -> Result<Option<Encoded>, LogError> {
        self.underway
            .as_ref()
            .map(|underway| encoded_behind(&underway.last, batch))
            .transpose()
    }

    /// Appends the batch behind `before`. The writer lock is released as soon as the log has the batch.
    /// Returns its last event.
    pub(super) fn start<'l: 's>(
        &mut self,
        turn: Turn<'l>,
        encoded: Encoded,
        before: Checkpoint,
        time: EventTime,
    ) -> Checkpoint {
        let (sequence, hash) = encoded.last();
        let last = Checkpoint { sequence, hash };
        let mut writer = turn.into_writer();
        let thread = self.threads.spawn(move || writer.append_encoded(&encoded));
        self.underway = Some(Underway {
            before,
            last,
            time,
            thread,
        });
        last
    }

    /// Waits until the log has the batch that is being appended.
    ///
    /// # Errors
    /// If it could not be appended, or the state index cannot follow.
    pub(super) fn finish(&mut self, around: &Surroundings<'_>) -> Result<(), ConsumeError> {
        let Some(Underway {
            before,
            last,
            thread,
            ..
        }) = self.underway.take()
        else {
            return Ok(());
        };
        thread.join().expect("appending does not panic")?;
        failpoint!("reaction.after_append");
        let index = match self.index.take() {
            Some(index) => index,
            None => open_index(around, Check::Headers)?,
        };
        if !index.pass_over(&before, &last)? {
            catch_up(around, &index)?;
        }
        self.index = Some(index);
        Ok(())
    }
}

/// Encodes the batch to follow the event `last`.
pub(super) fn encoded_behind(last: &Checkpoint, batch: &Batch) -> Result<Encoded, LogError> {
    Encoded::behind(last.sequence, last.hash, std::slice::from_ref(batch))
}
