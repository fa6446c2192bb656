//! The consumers: each reads the log from its checkpoint and fills tables of its own.
//!
//! A projection is pure: rows follow from events alone. Accounting and the notifier also react: at
//! the head they append events of their own and read them back like any other.
//!
//! Lock order: a consumer's process lock, then its DuckDB file, then the log's writer lock. No
//! process waits for the first two while it holds the third.

pub mod accounting;
pub mod analytics;
pub mod common_tables;
pub mod contents;
pub mod dispatch;
pub mod feed;
#[cfg(test)]
mod fixture;
pub mod notifier;
pub mod process_lock;
pub mod projection;
pub mod run;
pub mod standing;
pub mod table_file;
pub mod tracker;
pub mod withheld;

use std::path::PathBuf;

use crate::domain::dead_letter::Stop;
use crate::domain::displayed::Displayed;
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::domain::rejection::Rejection;
use crate::domain::time::BusinessDate;
use crate::event_log::LogError;
use crate::state::StateError;
use crate::store::StoreError;
use crate::turn::clock::StampError;
use crate::turn::{Overtaken, Surroundings, Turn};

#[derive(Debug, thiserror::Error)]
pub enum ConsumeError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Rejected(#[from] Rejection),
    #[error("{} is held by another process: {holder}", path.display())]
    Locked { path: PathBuf, holder: String },
    #[error("cannot {action} {}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    /// A run met damage in a file of tables. The next opening rebuilds the file.
    #[error("{} was damaged ({reason}); it is kept as {}", path.display(), aside.display())]
    MovedAside {
        path: PathBuf,
        aside: PathBuf,
        reason: String,
    },
    /// An event that cannot be applied; the checkpoint stays before it.
    #[error("{} stops at event {sequence}: {reason}", consumer.name())]
    Stopped {
        consumer: Consumer,
        sequence: Sequence,
        reason: String,
    },
    /// The consumer's tables were made from another log, or from one that was rolled back later.
    #[error("{} has read up to event {checkpoint} of another log", consumer.name())]
    ForeignTables {
        consumer: Consumer,
        checkpoint: Sequence,
    },
    /// The consumer's tables were made by another version of the program.
    #[error("{} was made by another version of popug-cli", path.display())]
    OtherVersion { consumer: Consumer, path: PathBuf },
    /// The payouts of a close differ from the sums of the entries. Nothing was appended.
    #[error("the balances of {date} are not the sums of the entries: {what}")]
    BooksDisagree { date: BusinessDate, what: String },
    /// No id of a payout has this prefix.
    #[error("there is no mail `{}`", Displayed(name))]
    UnknownMail { name: String },
    #[error("`{}` may be one of several {what}", Displayed(name))]
    Ambiguous {
        name: String,
        /// The kind of the candidates.
        what: &'static str,
        /// Their ids.
        candidates: Vec<String>,
    },
}

impl From<StampError> for ConsumeError {
    fn from(error: StampError) -> ConsumeError {
        match error {
            StampError::Rejected(rejection) => ConsumeError::Rejected(rejection),
            StampError::Log(error) => ConsumeError::Log(error),
        }
    }
}

impl Overtaken for ConsumeError {
    fn is_overtaken(&self) -> bool {
        matches!(self, ConsumeError::Log(error) if error.is_overtaken())
    }
}

impl ConsumeError {
    /// The event that its consumer can never apply. `None` if another attempt may help.
    pub fn stop(&self) -> Option<Stop> {
        let (sequence, reason) = match self {
            ConsumeError::Stopped {
                sequence, reason, ..
            } => (*sequence, reason.clone()),
            ConsumeError::Log(
                error @ (LogError::Undecodable { sequence, .. }
                | LogError::UnknownVersion { sequence, .. }),
            ) => (*sequence, error.to_string()),
            _ => return None,
        };
        Some(Stop { sequence, reason })
    }
}

/// The result of a consumer's run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Consumed {
    pub consumer: Consumer,
    pub from: Sequence,
    pub to: Sequence,
    /// The number of events read and, where subscribed, applied.
    pub applied: u64,
    /// The number of events that the consumer appended.
    pub appended: u64,
}

/// How to get a turn: take one for each batch, or use the one that the caller holds all the time.
pub enum WriterAccess<'p, 'l> {
    PerBatch,
    Held(&'p mut Turn<'l>),
}

impl<'l> WriterAccess<'_, 'l> {
    /// Runs `decide` under the writer lock.
    pub fn in_turn<T>(
        &mut self,
        around: &Surroundings<'l>,
        decide: impl FnOnce(&mut Turn<'l>) -> Result<T, ConsumeError>,
    ) -> Result<T, ConsumeError> {
        match self {
            WriterAccess::Held(turn) => decide(turn),
            WriterAccess::PerBatch => decide(&mut around.take_turn()?),
        }
    }
}
