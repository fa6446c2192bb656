//! Reads the notifier's tables without changing them: their checkpoint, and the mails that wait.

use std::path::Path;
use std::time::Duration;

use crate::consumers::notifier::tables::MailTables;
use crate::domain::dead_letter::Stop;
use crate::domain::time::EventTime;
use crate::event_log::FileLog;
use crate::state::{Checkpoint, StateError};
use crate::store::StoreDirectory;

/// The unsent mails in the tables, and the checkpoint of the tables.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outlook {
    pub checkpoint: Checkpoint,
    /// The event after the checkpoint, if it can be read and contradicts the tables.
    pub contradiction: Option<Stop>,
    pub outstanding: Outstanding,
}

/// The numbers of unsent mails.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outstanding {
    /// Not tried yet; the next `consume notifier` sends them.
    pub untried: u64,
    /// Failed before and retried automatically, the first of them at `next_try`.
    pub retrying: u64,
    pub next_try: Option<EventTime>,
    /// The error of the one with the latest payout.
    pub retried_because: Option<String>,
    /// Not retried without `mail retry`.
    pub failed: u64,
    /// The error of the one with the latest payout.
    pub failed_because: Option<String>,
}

/// Read by the indexes of mails that are not sent: most are.
const OUTSTANDING: &str = "
    SELECT count(*) FILTER (WHERE attempts = 0), count(*) FILTER (WHERE attempts > 0), min(next_try),
        (SELECT last_error FROM payouts WHERE state = 'pending' AND attempts > 0 ORDER BY sequence DESC LIMIT 1),
        (SELECT count(*) FROM payouts WHERE state = 'failed'),
        (SELECT last_error FROM payouts WHERE state = 'failed' ORDER BY sequence DESC LIMIT 1)
    FROM payouts WHERE state = 'pending'";

impl MailTables {
    pub(super) fn outstanding(&self) -> Result<Outstanding, StateError> {
        let file = self.file();
        let read = file.db().query_row(OUTSTANDING, [], |row| {
            Ok(Outstanding {
                untried: row.get(0)?,
                retrying: row.get(1)?,
                next_try: row
                    .get::<_, Option<i64>>(2)?
                    .and_then(EventTime::from_micros),
                retried_because: row.get(3)?,
                failed: row.get(4)?,
                failed_because: row.get(5)?,
            })
        });
        read.map_err(file.failed("read"))
    }
}

/// Reads the tables, or a copy of them in `scratch` while they are in use; `None` if they are of
/// another code version.
///
/// # Errors
/// If the file is damaged or stays busy.
pub fn outlook(
    directory: &StoreDirectory,
    log: &FileLog,
    scratch: &Path,
    lock_wait: Duration,
) -> Result<Option<Outlook>, StateError> {
    let Some(tables) = MailTables::open_to_read(&directory.notifier(), scratch, lock_wait)? else {
        return Ok(None);
    };
    tables.check_integrity()?;
    let checkpoint = tables.checkpoint()?;
    // The check of the unread events reports an unreadable one.
    let contradiction = tables
        .contradiction(log, checkpoint.sequence.next())
        .ok()
        .flatten();
    Ok(Some(Outlook {
        checkpoint,
        contradiction,
        outstanding: tables.outstanding()?,
    }))
}
