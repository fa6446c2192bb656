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

    /// The remote was not asked, or it surely did not take the write. Nothing was written.
    #[error("the log at {name} cannot be reached ({what}); nothing was written")]
    Unreachable { name: String, what: String },

    /// The remote answered that it will not do this. Nothing was written.
    #[error("the log at {name} refuses this: {what}; nothing was written")]
    Refused { name: String, what: String },

    /// The remote was asked to take a batch, and its answer was lost. The next writer finds out.
    #[error(
        "the log at {name} did not confirm the write ({what}); it is not known whether it was written"
    )]
    InDoubt { name: String, what: String },

    /// The remote lacks an event that it acknowledged, or has another one in its place.
    #[error(
        "the log at {name} does not have event {sequence} as it was acknowledged: rolled back or replaced"
    )]
    RolledBack { name: String, sequence: Sequence },

    /// Two logs that should be one have different events with the same number.
    #[error("the log at {name} has another event {sequence} than this log")]
    Diverged { name: String, sequence: Sequence },

    /// A line of the remote does not continue the chain.
    #[error("the log at {name} is damaged at event {sequence}: {what}")]
    DamagedThere {
        name: String,
        sequence: Sequence,
        what: String,
    },

    /// The clock of this machine is ahead of the remote's by more than all others would tolerate.
    #[error("the clock of this machine is {seconds} s ahead of the clock of {name}")]
    ClockAhead { name: String, seconds: i64 },

    /// The slots of the head are those of a copy, and the file that names its remote is gone.
    #[error("{} is the head of a copy, but the file `remote` beside it, which names the shared log, is missing", path.display())]
    RoleMissing { path: PathBuf },

    #[error("{} cannot be read: {what}", path.display())]
    RoleUnreadable { path: PathBuf, what: String },

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
