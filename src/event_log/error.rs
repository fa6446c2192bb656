//! Errors of the log, each with its place.

use std::io;
use std::path::PathBuf;

use crate::domain::event::Context;
use crate::domain::event::bounds::OutOfBounds;
use crate::domain::id::Sequence;

#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("cannot {action} {}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },

    /// Acknowledged bytes are missing or changed.
    #[error("the log is damaged at {place}: {what}")]
    Damaged { place: Place, what: String },

    #[error("{} was written by a newer popug-cli ({found})", path.display())]
    TooNew { path: PathBuf, found: String },

    #[error("there is no log in {}", path.display())]
    Missing { path: PathBuf },

    #[error("there already is a log in {}", path.display())]
    Exists { path: PathBuf },

    #[error("another process has been writing for {waited_millis} ms: {holder}")]
    Locked { holder: String, waited_millis: u128 },

    /// Another process appended since the caller read the head.
    #[error("the head has moved from {expected} to {actual}")]
    HeadMoved {
        expected: Sequence,
        actual: Sequence,
    },

    /// A write or fsync failed; what reached the disk is unknown until the log is opened again.
    #[error("an earlier write of this process failed; the log must be opened again")]
    Poisoned,

    /// The state from which the batch was decided is wrong, because no rule leads out of bounds.
    #[error("nothing was written, because no reader would accept this {type_name}: {reason}")]
    OutOfBounds {
        context: Context,
        type_name: &'static str,
        reason: OutOfBounds,
    },

    #[error("event {sequence} of this log is not the event that the checkpoint was made from")]
    NotOnChain { sequence: Sequence },

    #[error("event {sequence} of type {type_name} cannot be read: {reason}")]
    Undecodable {
        sequence: Sequence,
        type_name: String,
        reason: String,
    },

    #[error("event {sequence} has the type {type_name}, which this version does not know")]
    UnknownVersion {
        sequence: Sequence,
        type_name: String,
    },
}

/// A place in the log, for users and for `dd`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The segment's file name.
    pub segment: String,
    /// Offset of the line's first byte in the segment.
    pub byte: u64,
    /// The sequence that the line has or should have.
    pub sequence: Sequence,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "log/{} byte {} (sequence {})",
            self.segment, self.byte, self.sequence
        )
    }
}
