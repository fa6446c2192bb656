//! Reasons why a log is not repaired.

use std::path::PathBuf;

use crate::domain::id::Sequence;
use crate::event_log::error::Place;

#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// Acknowledged events are damaged, and only a backup has them.
    #[error("the log is damaged at {place}: {what}{}", and_more(*others))]
    NeedsBackup {
        place: Place,
        what: String,
        others: u64,
    },
    /// The backup's bytes would not make the log whole.
    #[error("even with this backup (up to event {backup}) the log would be damaged at {place}: {what}{}", only_here(*backup, *head))]
    BeyondBackup {
        backup: Sequence,
        head: Sequence,
        place: Place,
        what: String,
    },
    #[error("the backup in {} does not belong to this log: {what}", path.display())]
    Foreign { path: PathBuf, what: String },
    /// Another process wrote between planning and repairing.
    #[error("the log has changed since it was examined; nothing was done")]
    Changed,
}

fn and_more(others: u64) -> String {
    match others {
        0 => String::new(),
        1 => " (and at one more place)".to_owned(),
        others => format!(" (and at {others} more places)"),
    }
}

/// The events that a restore of the backup would lose.
fn only_here(backup: Sequence, head: Sequence) -> String {
    if head > backup {
        format!("; events {} to {head} are not in the backup", backup.next())
    } else {
        String::new()
    }
}
