//! The append-only, sequence-numbered, hash-chained log: the only truth of the company.
//!
//! [`encode`] writes a batch as lines, [`line`](Line) reads one, [`hash`] chains them. [`head`]
//! says up to where the log is acknowledged, [`writer`] appends and publishes, [`reader`] reads
//! acknowledged lines only, [`tail`] tells what stands behind the head, [`audit`] checks all lines
//! and the head. [`copy`] copies what is acknowledged, [`overlay`] shows a log as it would be with parts of a
//! copy in it. [`storage`] is the only door to the disk; `draft` stands before it in a dry run.
//! [`upcast`] lifts old versions; `schema` holds the JSON Schemas of all versions.
//!
//! Invariant: nothing that was acknowledged is ever changed, moved or cut by this module.

pub mod audit;
pub mod copy;
mod draft;
pub mod encode;
pub mod error;
pub mod file_log;
pub mod hash;
pub mod head;
mod line;
pub mod overlay;
pub mod reader;
#[cfg(feature = "cli")]
pub mod schema;
pub mod segment;
pub mod storage;
pub mod tail;
#[cfg(test)]
mod tests;
pub mod upcast;
pub mod writer;

use std::time::Duration;

pub use encode::{Batch, Encoded};
pub use error::LogError;
pub use file_log::FileLog;
pub use hash::Hash;
pub use head::{Head, HeadFileState};
pub use line::{Line, LineKind};
pub use reader::Reader;
pub use segment::OwnedLine;
pub use tail::Tail;
pub use writer::{Recovery, Writer};

/// How long to wait for the writer lock, and as whom.
#[derive(Clone, Debug)]
pub struct Patience {
    pub wait: Duration,
    /// Shown to whoever waits for us: process id and command. Empty: nothing is written.
    pub holder: String,
}
