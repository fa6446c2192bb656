//! How far the ledger's entries have come, as the tables tell.
//!
//! A checkpoint says what was read. A task event that was read and is not charged or credited yet is owed: the
//! reaction has not come to it, or cannot get past the one before it.

use duckdb::OptionalExt;

use crate::consumers::accounting::reaction;
use crate::domain::dead_letter::Stop;
use crate::domain::id::Sequence;
use crate::store::{Database, StoreError};

/// The first event that still has no entry, as far as the tables know.
///
/// # Errors
/// If they cannot be read.
pub fn first_owed(database: &Database) -> Result<Option<Sequence>, StoreError> {
    // As a rule the last cause has its entry, and there is nothing to look for.
    if last_sequence(database, LAST_CAUSE)? <= last_sequence(database, LAST_CHARGED)? {
        return Ok(None);
    }
    let sql = format!(
        "SELECT min(sequence) FROM (SELECT sequence FROM tasks UNION ALL SELECT sequence FROM assignments
            UNION ALL SELECT sequence FROM completions) WHERE sequence > coalesce(({LAST_REACTED}), 0)"
    );
    let first = last_sequence(database, &sql)?;
    Ok(Some(first).filter(|first| *first > Sequence::ZERO))
}

/// The last event that the ledger says all of: what comes behind it is not read, or has not all its entries.
///
/// # Errors
/// If the tables cannot be read.
pub fn settled_through(database: &Database) -> Result<Sequence, StoreError> {
    let read_through = database.checkpoint()?.sequence;
    let before = |owed: Sequence| Sequence(owed.0.saturating_sub(1)).min(read_through);
    Ok(first_owed(database)?.map_or(read_through, before))
}

/// The event that no entry can follow from, as far as the tables know: nothing is decided from it on.
///
/// # Errors
/// If they cannot be read.
pub fn stop(database: &Database) -> Result<Option<Stop>, StoreError> {
    let sql = format!(
        "WITH ended AS (SELECT * FROM completions WHERE sequence > coalesce(({LAST_REACTED}), 0)),
            owed AS (FROM (SELECT sequence, task_id FROM assignments UNION ALL SELECT sequence, task_id FROM ended)
                WHERE sequence > coalesce(({LAST_REACTED}), 0))
         SELECT sequence, task_id::VARCHAR FROM owed
         WHERE task_id NOT IN (SELECT task_id FROM tasks)
            OR EXISTS (FROM completions ended WHERE ended.task_id = owed.task_id AND ended.sequence < owed.sequence)
         ORDER BY sequence LIMIT 1"
    );
    let read = |row: &duckdb::Row<'_>| {
        let (sequence, task): (u64, String) = (row.get(0)?, row.get(1)?);
        Ok(Stop { sequence: Sequence(sequence), reason: reaction::unknown(&format!("task/{task}")) })
    };
    let found = database.connection().query_row(&sql, [], read).optional();
    found.map_err(database.failed("read"))
}

const LAST_CHARGED: &str = "SELECT max(cause_sequence) FROM entries";

/// A price stands apart from its first fee where the assignment waits for something set aside, or
/// never came.
pub(super) const LAST_REACTED: &str = "SELECT max(last) FROM (SELECT max(cause_sequence) AS last FROM entries
    UNION ALL SELECT max(sequence) FROM tasks SEMI JOIN prices USING (task_id))";

pub(super) const LAST_CAUSE: &str = "SELECT max(last) FROM (SELECT max(sequence) AS last FROM tasks
    UNION ALL SELECT max(sequence) FROM assignments UNION ALL SELECT max(sequence) FROM completions)";

pub(super) fn last_sequence(database: &Database, sql: &str) -> Result<Sequence, StoreError> {
    let last: Option<u64> =
        database.connection().query_row(sql, [], |row| row.get(0)).map_err(database.failed("read"))?;
    Ok(Sequence(last.unwrap_or(0)))
}
