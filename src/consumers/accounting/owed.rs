//! The last event whose entries are posted, read from the tables.
//!
//! A checkpoint is the last event that was read. An entry is owed for a task event that was read
//! and has no charge or credit yet, because the reaction has not reached it or is stopped before
//! it.

use duckdb::OptionalExt;

use crate::consumers::withheld::Withheld;
use crate::domain::dead_letter::Stop;
use crate::domain::event::{Event, EventKind, Subject};
use crate::domain::id::{Sequence, TaskId};
use crate::event_log::{FileLog, LineKind, LogError};
use crate::state::Recorded;
use crate::store::{Database, StoreError};

/// Whether an event of this kind is a cause: a price or entries follow from it. None follow from a cancellation that
/// has no fee to take back.
pub(super) fn is_cause(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::TaskCreated
            | EventKind::TaskAssigned
            | EventKind::TaskCompleted
            | EventKind::TaskCancelled
    )
}

/// The number of lines at the end of the log that tell whether something is owed.
const END: u64 = 500;

/// Whether the last lines of the log up to `head` show, without any tables, that every cause has its price or entry.
/// False if they do not tell.
///
/// # Errors
/// If the log cannot be read.
pub fn is_nothing_owed(log: &FileLog, head: Sequence) -> Result<bool, LogError> {
    let first = Sequence(head.0.saturating_sub(END) + 1);
    let (mut last_cause, mut reacted_through) = (None, None);
    let mut reader = log.read(first)?;
    while let Some(line) = reader.next_line()? {
        match line.kind() {
            LineKind::Known(kind) if is_cause(kind) => last_cause = Some(line.sequence),
            LineKind::Known(EventKind::BalanceChanged) => {
                if let Event::BalanceChanged(entry) = line.event()? {
                    reacted_through = reacted_through.max(entry.cause_sequence);
                }
            }
            // A close posts everything that is owed.
            LineKind::Known(EventKind::DayClosed) => reacted_through = Some(line.sequence),
            _ => {}
        }
    }
    Ok(match last_cause {
        Some(cause) => reacted_through >= Some(cause),
        None => first == Sequence::FIRST || reacted_through >= Some(first),
    })
}

/// How far the reaction has come, in memory.
///
/// Invariant: every cause up to `reacted_through` has its price or entry in the log, or is
/// withheld, or was released from the dead letters later, or is a cancellation that has no fee to
/// give back. No cause after it has one. Rows that wait for DuckDB count.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    reacted_through: Sequence,
    /// The last cause that was projected.
    last_cause: Sequence,
}

/// The causes without entries: those after `after`, up to `last`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owed {
    pub after: Sequence,
    pub last: Sequence,
}

impl Progress {
    pub(super) fn load(database: &Database) -> Result<Progress, StoreError> {
        Ok(Progress {
            reacted_through: last_reacted(database)?,
            last_cause: last_sequence(database, LAST_CAUSE)?,
        })
    }

    /// Follows an event that was projected or appended. A price does not tell the sequence of its cause.
    pub(super) fn follow(&mut self, recorded: &Recorded<'_>) {
        match recorded.event.as_ref() {
            Event::BalanceChanged(entry) => {
                self.advance_to(entry.cause_sequence.unwrap_or_default());
            }
            event if is_cause(event.kind()) => self.last_cause = recorded.sequence,
            _ => {}
        }
    }

    /// All causes up to `through` have their entries, or wait.
    pub(super) fn advance_to(&mut self, through: Sequence) {
        self.reacted_through = self.reacted_through.max(through);
    }

    pub(super) fn reacted_through(&self) -> Sequence {
        self.reacted_through
    }

    pub(super) fn owed(&self) -> Option<Owed> {
        (self.reacted_through < self.last_cause).then_some(Owed {
            after: self.reacted_through,
            last: self.last_cause,
        })
    }

    /// Whether no cause up to `until` is owed.
    pub(super) fn has_reacted_to(&self, until: Sequence) -> bool {
        self.reacted_through >= self.last_cause.min(until)
    }
}

/// The last cause that has a price or an entry in the tables.
pub(super) fn last_reacted(database: &Database) -> Result<Sequence, StoreError> {
    last_sequence(database, LAST_REACTED)
}

/// The causes up to `last` that have neither a price nor an entry.
pub(super) fn without_entries(
    database: &Database,
    last: Sequence,
) -> Result<Vec<Sequence>, StoreError> {
    let sql = format!(
        "{} SELECT sequence FROM owed WHERE sequence <= ? ORDER BY sequence",
        causes_owed_after(Sequence::ZERO)
    );
    let query = || -> Result<Vec<Sequence>, duckdb::Error> {
        database
            .connection()
            .prepare(&sql)?
            .query_map([last.0], |row| row.get(0).map(Sequence))?
            .collect()
    };
    query().map_err(database.failed("read"))
}

/// The first event that is missing from the ledger's tables: a task event without its entry, or an
/// event of the books that is set aside.
pub fn first_owed(
    database: &Database,
    withheld: &Withheld,
) -> Result<Option<Sequence>, StoreError> {
    // Usually the last cause has its entry, and no other query is needed.
    if withheld.is_empty() {
        let last = last_sequence(database, LAST_CAUSE)?;
        if last <= last_cause_with_entry(database, last)? {
            return Ok(None);
        }
    }
    let sql = format!(
        "{} SELECT min(sequence) FROM owed",
        causes_owed(database, withheld)?
    );
    let first = Some(last_sequence(database, &sql)?).filter(|first| *first > Sequence::ZERO);
    Ok(first
        .into_iter()
        .chain(withheld.missing_from_the_books())
        .min())
}

/// Whether an event after `through` has an entry.
pub fn has_entries_behind(database: &Database, through: Sequence) -> Result<bool, StoreError> {
    Ok(last_cause_with_entry(database, through.next())? > through)
}

/// The last event from `first` on that an entry follows from; zero if there is none. With the condition DuckDB reads
/// the end of the table only.
fn last_cause_with_entry(database: &Database, first: Sequence) -> Result<Sequence, StoreError> {
    let sql = format!("SELECT max(cause_sequence) FROM entries WHERE cause_sequence >= {first}");
    last_sequence(database, &sql)
}

/// The event for which no entry can be decided, according to the tables; nothing is decided from
/// there on.
pub fn stop(database: &Database, withheld: &Withheld) -> Result<Option<Stop>, StoreError> {
    let sql = format!(
        "{} SELECT sequence, task_id::VARCHAR FROM owed
         WHERE {ENDED} ORDER BY sequence LIMIT 1",
        causes_owed(database, withheld)?
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
    // Tables that have not followed the decision yet still have the event.
    let found = found.filter(|(sequence, subject)| !withheld.withholds(*sequence, subject));
    Ok(found.map(|(sequence, subject)| Stop {
        sequence,
        reason: unknown(&subject),
    }))
}

/// Why nothing follows from an event of this task.
pub(super) fn unknown(subject: &str) -> String {
    format!("{subject} was never created, has no price, or was completed or cancelled before")
}

/// Whether nothing can follow from a row of `owed`.
const ENDED: &str = "task_id NOT IN (SELECT task_id FROM tasks)
    OR task_id IN (SELECT task_id FROM entries WHERE kind = 'reward')
    OR EXISTS (FROM completions ended WHERE ended.task_id = owed.task_id AND ended.sequence < owed.sequence)
    OR EXISTS (FROM cancellations ended WHERE ended.task_id = owed.task_id AND ended.sequence < owed.sequence)";

/// The relation `owed` of the causes that have no price or entry, and of the cancellations that have not taken back
/// every fee. The tables hold nothing that is withheld.
fn causes_owed(database: &Database, withheld: &Withheld) -> Result<String, StoreError> {
    complete_through(database, withheld).map(causes_owed_after)
}

fn causes_owed_after(after: Sequence) -> String {
    format!(
        "WITH caused AS (SELECT cause_sequence AS sequence FROM entries WHERE cause_sequence > {after}),
        uncharged AS (SELECT sequence, task_id FROM assignments ANTI JOIN caused USING (sequence)
            WHERE sequence > {after}),
        cancelled AS (SELECT * FROM cancellations WHERE sequence > {after}),
        charged AS (
            SELECT task_id FROM (SELECT entry_id, task_id, amount FROM entries SEMI JOIN cancelled USING (task_id)
                WHERE kind = 'fee') fee
            LEFT JOIN (SELECT corrects, sum(amount) AS back FROM entries SEMI JOIN cancelled USING (task_id)
                WHERE kind = 'correction' GROUP BY corrects) ON corrects = entry_id
            WHERE amount + coalesce(back, 0) < 0),
        owed AS (
            SELECT sequence, task_id FROM tasks ANTI JOIN prices USING (task_id) WHERE sequence > {after}
            UNION ALL FROM uncharged
            UNION ALL SELECT sequence, task_id FROM completions ANTI JOIN caused USING (sequence)
                WHERE sequence > {after}
            UNION ALL SELECT sequence, task_id FROM cancelled owed
                WHERE NOT keep_fees AND (task_id IN (FROM charged) OR task_id IN (SELECT task_id FROM uncharged))
                    OR {ENDED})"
    )
}

/// Every cause up to here has its entry. A released event may have none although later ones do, and
/// so may an event whose entry is set aside.
fn complete_through(database: &Database, withheld: &Withheld) -> Result<Sequence, StoreError> {
    if withheld.missing_from_the_books().is_some() {
        return Ok(Sequence::ZERO);
    }
    let last = last_reacted(database)?;
    Ok(withheld
        .first()
        .map_or(last, |first| last.min(Sequence(first.0 - 1))))
}

/// A price has no fee beside it if the assignment waits for an event that is set aside, or never
/// came.
const LAST_REACTED: &str = "SELECT max(last) FROM (SELECT max(cause_sequence) AS last FROM entries
    UNION ALL SELECT max(sequence) FROM tasks SEMI JOIN prices USING (task_id))";

const LAST_CAUSE: &str = "SELECT max(last) FROM (SELECT max(sequence) AS last FROM tasks
    UNION ALL SELECT max(sequence) FROM assignments UNION ALL SELECT max(sequence) FROM completions
    UNION ALL SELECT max(sequence) FROM cancellations)";

pub(super) fn last_sequence(database: &Database, sql: &str) -> Result<Sequence, StoreError> {
    let last: Option<u64> = database
        .connection()
        .query_row(sql, [], |row| row.get(0))
        .map_err(database.failed("read"))?;
    Ok(Sequence(last.unwrap_or(0)))
}
