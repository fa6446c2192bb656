//! Corrects an entry: the caller appends the decision, as for any other request.

use crate::consumers::ConsumeError;
use crate::consumers::accounting::Accounting;
use crate::consumers::common_tables::{money, user_id};
use crate::domain::event::{BalanceChanged, Fact};
use crate::domain::id::{EntryId, EventId, IdPrefix, Sequence};
use crate::domain::ledger::correct::{Correct, Original};
use crate::domain::ledger::entry::EntryKind;
use crate::domain::rejection::Rejection;
use crate::domain::time::EventTime;
use crate::domain::user::User;
use crate::store::{Database, StoreError};
use crate::turn::Surroundings;

impl Accounting<'_> {
    /// The entry to correct, by its id or the beginning of its id, from tables at the head.
    ///
    /// # Errors
    /// [`Rejection::UnknownEntry`], [`ConsumeError::Ambiguous`]
    pub fn original(
        &mut self,
        around: &Surroundings<'_>,
        (name, prefix): (&str, IdPrefix),
    ) -> Result<Original, ConsumeError> {
        let name = name.to_owned();

        // Entries that are owed for task events can wait: a refusal appends nothing.
        self.catch_up(around, None)?;
        // The original and its earlier corrections may be among the events that were just read.
        self.projection.flush()?;
        let mut found = load_originals(self.projection.database, prefix)?;
        if found.len() > 1 {
            return Err(ConsumeError::Ambiguous {
                name,
                what: "entries",
                candidates: found.iter().map(|one| one.entry_id.to_string()).collect(),
            });
        }
        Ok(found.pop().ok_or(Rejection::UnknownEntry { name })?)
    }

    /// Decides the correcting entry, whose event has the id `id`, under the writer lock. The books
    /// post the entry only when the log has it.
    ///
    /// # Errors
    /// The first rejection by rule A7; [`Rejection::BooksIncomplete`]
    pub fn decide_correction(
        &mut self,
        around: &Surroundings<'_>,
        actor: &User,
        (original, command): (&Original, &Correct),
        id: EventId,
        at: EventTime,
    ) -> Result<Fact, ConsumeError> {
        self.absorb(around)?;
        let entry_id = EntryId::from_uuid(id.uuid());
        let books = self.projection.common.books();
        let decided = command.decide(actor, original, books, entry_id, at);
        let entry = match self.projection.withheld.missing_from_the_books() {
            Some(sequence) => decided_without(sequence, decided)?,
            None => decided?,
        };
        Ok(Fact {
            id,
            causation: Some(original_event(original)),
            event: entry.into(),
        })
    }
}

/// The event that the books lack; balance and date of a correction would be wrong without it.
fn decided_without(
    sequence: Sequence,
    decided: Result<BalanceChanged, Rejection>,
) -> Result<BalanceChanged, Rejection> {
    match decided {
        Err(refused) if refused.precedes_clock() => Err(refused),
        _ => Err(Rejection::BooksIncomplete { sequence }),
    }
}

/// The event of an entry has the entry's id.
fn original_event(original: &Original) -> EventId {
    EventId::from_uuid(original.entry_id.uuid())
}

/// At most [`IdPrefix::CANDIDATES`] entries.
fn load_originals(database: &Database, prefix: IdPrefix) -> Result<Vec<Original>, StoreError> {
    let read = |row: &duckdb::Row<'_>| {
        let (task, id): (Option<String>, String) = (row.get(3)?, row.get(6)?);
        let kind: String = row.get(1)?;
        Ok(Original {
            entry_id: id.parse().map_err(|_| duckdb::Error::InvalidQuery)?,
            user_id: user_id(row, 0)?,
            kind: EntryKind::named(&kind).ok_or(duckdb::Error::InvalidQuery)?,
            amount: money(row, 2)?,
            task_id: task.and_then(|id| id.parse().ok()),
            assignment_no: row.get(4)?,
            corrected: money(row, 5)?,
        })
    };
    let (first, last) = prefix.range();
    let query = || -> Result<Vec<Original>, duckdb::Error> {
        let mut statement = database.connection().prepare(
            "SELECT e.user_id::VARCHAR, e.kind, e.amount, e.task_id::VARCHAR, e.assignment_no,
                 (SELECT coalesce(sum(abs(c.amount)), 0)::BIGINT FROM entries c WHERE c.corrects = e.entry_id),
                 e.entry_id::VARCHAR
             FROM entries e WHERE e.entry_id BETWEEN ?::UUID AND ?::UUID ORDER BY e.entry_id LIMIT ?",
        )?;
        let ends = duckdb::params![first.to_string(), last.to_string(), IdPrefix::CANDIDATES];
        statement.query_map(ends, read)?.collect()
    };
    query().map_err(database.failed("read"))
}
