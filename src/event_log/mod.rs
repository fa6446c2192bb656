//! The append-only, sequence-numbered, hash-chained log: the only truth of the company.
//!
//! - [`encode`] turns a batch into lines, [`line`](Line) parses one, [`hash`] chains them.
//! - [`head`] names the last acknowledged event; [`tail`] examines the bytes after it.
//! - [`writer`] appends and publishes, [`reader`] reads acknowledged lines, [`audit`] checks every
//!   line and the head.
//! - [`copy`] copies acknowledged lines; [`overlay`] shows a log with parts of a copy in it.
//! - [`storage`] is all disk access; `draft` replaces it in a dry run.
//! - [`remote`] is a shared log elsewhere that the files here may copy.
//! - [`upcast`] reads events of old versions; `schema` has the JSON Schemas of all versions.
//!
//! Invariant: this module never changes, moves or cuts an acknowledged line.

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
pub mod remote;
#[cfg(feature = "cli")]
pub mod schema;
pub mod segment;
pub mod storage;
pub mod tail;
#[cfg(test)]
pub(crate) mod tests;
pub mod upcast;
pub mod writer;

use std::time::Duration;

pub use encode::{Batch, Encoded, Stored, Unplaced};
pub use error::LogError;
pub use file_log::FileLog;
pub use hash::Hash;
pub use head::{Head, HeadFileState};
pub use line::{Line, LineKind};
pub use reader::Reader;
pub use remote::Remote;
pub use segment::OwnedLine;
pub use tail::Tail;
pub use writer::{Recovery, Writer};

/// The name under which to take the writer lock, and the time to wait for it.
#[derive(Clone, Debug)]
pub struct Patience {
    pub wait: Duration,
    /// Shown to processes that wait for us: process id and command. If it is empty, nothing is
    /// written.
    pub holder: String,
}
