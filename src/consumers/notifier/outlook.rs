//! Reads the notifier's tables without changing them: their checkpoint, and the mails that wait.

use std::path::Path;
use std::time::Duration;

use crate::consumers::notifier::tables::MailTables;
use crate::domain::dead_letter::Stop;
use crate::domain::time::EventTime;
use crate::event_log::FileLog;
use crate::state::{Checkpoint, StateError};
use crate::store::StoreDirectory;

/// The mails that are not sent, according to the tables, and the checkpoint of the tables.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outlook {
    pub checkpoint: Checkpoint,
    /// The event behind it, if it can be read and contradicts the tables.
    pub contradiction: Option<Stop>,
    pub outstanding: Outstanding,
}

/// Mails that are not sent.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outstanding {
    /// Sent by the next `consume notifier`.
    pub untried: u64,
    /// Failed before and tried again by themselves, the first of them at `next_try`.
    pub retrying: u64,
    pub next_try: Option<EventTime>,
    /// Why the one of the latest payout failed.
    pub retried_because: Option<String>,
    /// Not tried again unless somebody asks for it.
    pub failed: u64,
    /// Why the one of the latest payout failed.
    pub failed_because: Option<String>,
}

const OUTSTANDING: &str = "
    SELECT count(*) FILTER (WHERE state = 'pending' AND attempts = 0),
        count(*) FILTER (WHERE state = 'pending' AND attempts > 0),
        min(next_try) FILTER (WHERE state = 'pending'),
        (SELECT last_error FROM payouts WHERE state = 'pending' AND attempts > 0 ORDER BY sequence DESC LIMIT 1),
        count(*) FILTER (WHERE state = 'failed'),
        (SELECT last_error FROM payouts WHERE state = 'failed' ORDER BY sequence DESC LIMIT 1)
    FROM payouts";

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

/// Reads the tables, or a copy of them in `scratch` while they are in use; `None` if they were made
/// by another code version.
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
    // What cannot be read is found where all that was not read yet is looked at.
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
