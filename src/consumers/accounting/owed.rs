//! How far the ledger's entries have come, as the tables tell.
//!
//! A checkpoint says what was read. A task event that was read and is not charged or credited yet is owed: the
//! reaction has not come to it, or cannot get past the one before it.

use duckdb::OptionalExt;

use crate::consumers::accounting::reaction;
use crate::consumers::withheld::Withheld;
use crate::domain::dead_letter::Stop;
use crate::domain::event::Subject;
use crate::domain::id::{Sequence, TaskId};
use crate::store::{Database, StoreError};

/// The first event that the ledger does not say all of, as far as the tables know: one without its entry, or one of
/// the books that is set aside.
///
/// # Errors
/// If they cannot be read.
pub fn first_owed(
    database: &Database,
    withheld: &Withheld,
) -> Result<Option<Sequence>, StoreError> {
    // As a rule the last cause has its entry, and there is nothing to look for.
    if withheld.is_empty()
        && last_sequence(database, LAST_CAUSE)? <= last_sequence(database, LAST_CHARGED)?
    {
        return Ok(None);
    }
    let sql = format!(
        "{} SELECT min(sequence) FROM owed",
        owed(database, withheld)?
    );
    let first = Some(last_sequence(database, &sql)?).filter(|first| *first > Sequence::ZERO);
    Ok(first
        .into_iter()
        .chain(withheld.missing_from_the_books())
        .min())
}

/// The last event that the ledger says all of: what comes behind it is not read, or has not all its entries.
///
/// # Errors
/// If the tables cannot be read.
pub fn settled_through(database: &Database, withheld: &Withheld) -> Result<Sequence, StoreError> {
    let read_through = database.checkpoint()?.sequence;
    let before = |owed: Sequence| Sequence(owed.0.saturating_sub(1)).min(read_through);
    Ok(first_owed(database, withheld)?.map_or(read_through, before))
}

/// Whether an entry follows from an event behind `through`.
///
/// # Errors
/// If the tables cannot be read.
pub fn has_entries_behind(database: &Database, through: Sequence) -> Result<bool, StoreError> {
    Ok(last_sequence(database, LAST_CHARGED)? > through)
}

/// The event that no entry can follow from, as far as the tables know: nothing is decided from it on.
///
/// # Errors
/// If they cannot be read.
pub fn stop(database: &Database, withheld: &Withheld) -> Result<Option<Stop>, StoreError> {
    let sql = format!(
        "{} SELECT sequence, task_id::VARCHAR FROM owed
         WHERE task_id NOT IN (SELECT task_id FROM tasks)
            OR task_id IN (SELECT task_id FROM entries WHERE kind = 'reward')
            OR EXISTS (FROM completions ended WHERE ended.task_id = owed.task_id AND ended.sequence < owed.sequence)
         ORDER BY sequence LIMIT 1",
        owed(database, withheld)?
    );
    let read = |row: &duckdb::Row<'_>| {
        let task: TaskId = row
            .get::<_, String>(1)?
            .parse()
            .map_err(|_| duckdb::Error::InvalidQuery)?;
        Ok((Sequence(row.get(0)?), Subject::Task(task).to_string()))
    };
    let found = database
        .connection()
        .query_row(&sql, [], read)
        .optional()
        .map_err(database.failed("read"))?;
    // Tables that have not heard of the decision yet still have the event.
    let found = found.filter(|(sequence, subject)| !withheld.withholds(*sequence, subject));
    Ok(found.map(|(sequence, subject)| Stop {
        sequence,
        reason: reaction::unknown(&subject),
    }))
}

/// The relation `owed` of the task events that have no price or entry. The tables hold nothing that is withheld.
fn owed(database: &Database, withheld: &Withheld) -> Result<String, StoreError> {
    let after = settled_before(database, withheld)?;
    Ok(format!(
        "WITH owed AS (
            SELECT sequence, task_id FROM tasks ANTI JOIN prices USING (task_id) WHERE sequence > {after}
            UNION ALL SELECT sequence, task_id FROM (SELECT sequence, task_id FROM assignments
                UNION ALL SELECT sequence, task_id FROM completions)
            ANTI JOIN (SELECT cause_sequence AS sequence FROM entries WHERE cause_sequence > {after}) USING (sequence)
            WHERE sequence > {after})"
    ))
}

/// Up to here nothing needs to be looked for. An event that was released has no entry though later ones do, and so
/// has one whose entry is set aside.
fn settled_before(database: &Database, withheld: &Withheld) -> Result<Sequence, StoreError> {
    if withheld.missing_from_the_books().is_some() {
        return Ok(Sequence::ZERO);
    }
    let last = last_sequence(database, LAST_REACTED)?;
    Ok(withheld
        .first()
        .map_or(last, |first| last.min(Sequence(first.0 - 1))))
}

const LAST_CHARGED: &str = "SELECT max(cause_sequence) FROM entries";

/// A price stands apart from its first fee where the assignment waits for something set aside, or
/// never came.
pub(super) const LAST_REACTED: &str =
    "SELECT max(last) FROM (SELECT max(cause_sequence) AS last FROM entries
    UNION ALL SELECT max(sequence) FROM tasks SEMI JOIN prices USING (task_id))";

pub(super) const LAST_CAUSE: &str = "SELECT max(last) FROM (SELECT max(sequence) AS last FROM tasks
    UNION ALL SELECT max(sequence) FROM assignments UNION ALL SELECT max(sequence) FROM completions)";

pub(super) fn last_sequence(database: &Database, sql: &str) -> Result<Sequence, StoreError> {
    let last: Option<u64> = database
        .connection()
        .query_row(sql, [], |row| row.get(0))
        .map_err(database.failed("read"))?;
    Ok(Sequence(last.unwrap_or(0)))
}
