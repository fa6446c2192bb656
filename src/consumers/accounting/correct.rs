//! Corrects an entry, under the same locks as any other posting.

use crate::consumers::accounting::{Accounting, Proposal};
use crate::consumers::common_tables::{money, user_id};
use crate::consumers::{ConsumeError, Surroundings, WriterAccess, stamp};
use crate::domain::event::{Actor, BalanceChanged, Fact};
use crate::domain::id::{EntryId, EventId, Sequence};
use crate::domain::ledger::correct::{Correct, Original};
use crate::domain::ledger::entry::EntryKind;
use crate::domain::rejection::Rejection;
use crate::domain::time::EventTime;
use crate::domain::user::User;
use crate::event_log::Hash;
use crate::store::{Database, StoreError};

/// A correction that somebody asked for.
pub struct Correction<'a> {
    pub actor: &'a User,
    pub entry: EntryId,
    pub command: Correct,
    /// The idempotency key that was given, or what is wrong with it: the last that is heard.
    pub key: Result<Option<String>, Rejection>,
    pub command_hash: Option<Hash>,
    /// Makes the id of the new entry and, if none was given, a key, once time and place are known.
    pub mint: &'a mut dyn FnMut(EventTime, Sequence) -> (EventId, String),
    /// Whether the key was used meanwhile. Asked under the writer lock.
    pub is_key_taken: &'a dyn Fn() -> Result<bool, ConsumeError>,
}

/// The correcting entry and where it stands.
pub struct Corrected {
    pub entry: BalanceChanged,
    pub sequence: Sequence,
}

impl Accounting<'_> {
    /// Appends the correcting entry; `None` if the key is taken, which only the log's tail or another
    /// process can have done since the caller looked.
    ///
    /// # Errors
    /// The rejection of rule A7 that holds first; [`Rejection::BooksIncomplete`]
    pub fn correct<'l>(
        &mut self,
        around: &Surroundings<'l>,
        access: &mut WriterAccess<'_, 'l>,
        correction: Correction<'_>,
    ) -> Result<Option<Corrected>, ConsumeError> {
        // Entries that task events are still owed can wait: a refusal appends nothing.
        self.catch_up(around, None)?;
        // The original, and what is corrected of it already, may be among what was just read.
        self.projection.flush()?;
        let original =
            load_original(self.projection.database, correction.entry)?.ok_or_else(|| {
                Rejection::UnknownEntry {
                    name: correction.entry.to_string(),
                }
            })?;
        let missing = self.projection.withheld.missing_from_the_books();
        access
            .with_writer(around, |writer| {
                self.absorb(around)?;
                if (correction.is_key_taken)()? {
                    return Ok(None);
                }
                let stamped = stamp(writer.last_time(), around);
                let at = stamped.as_ref().map_or(around.clock.now(), |at| *at);
                let (id, minted) = (correction.mint)(at, self.position().sequence.next());
                let entry_id = EntryId::from_uuid(id.uuid());
                let books = self.projection.common.books_mut();
                let decided =
                    correction
                        .command
                        .decide(correction.actor, &original, books, entry_id, at);
                let decided = match missing {
                    Some(sequence) => decided_without(sequence, decided),
                    None => decided,
                };
                let entry = in_order(stamped, decided)?;
                let command_id = correction.key?.unwrap_or(minted);
                let facts = vec![Fact {
                    id,
                    causation: Some(original_event(&original)),
                    event: entry.clone().into(),
                }];
                let actor = Actor::User(correction.actor.id);
                let proposal = Proposal {
                    actor,
                    command_id,
                    command_hash: correction.command_hash,
                    facts,
                };
                books.post(&entry);
                let head = self.append(writer, at, proposal)?;
                failpoint!("correction.after_append");
                Ok(Some(Corrected {
                    entry,
                    sequence: head.sequence,
                }))
            })
            .and_then(|corrected| self.commit().map(|()| corrected))
    }
}

/// What does not exist or is not allowed is heard before a clock that is behind, all else after it.
fn in_order(
    stamped: Result<EventTime, ConsumeError>,
    decided: Result<BalanceChanged, Rejection>,
) -> Result<BalanceChanged, ConsumeError> {
    match (stamped, decided) {
        (Err(_), Err(refused)) if refused.precedes_clock() => Err(refused.into()),
        (Err(clock), _) => Err(clock),
        (Ok(_), decided) => Ok(decided?),
    }
}

/// Balance and date of a correction would be wrong on books that lack an event.
fn decided_without(
    sequence: Sequence,
    decided: Result<BalanceChanged, Rejection>,
) -> Result<BalanceChanged, Rejection> {
    match decided {
        Err(refused) if refused.precedes_clock() => Err(refused),
        _ => Err(Rejection::BooksIncomplete { sequence }),
    }
}

/// An entry and its event have one id.
fn original_event(original: &Original) -> EventId {
    EventId::from_uuid(original.entry_id.uuid())
}

fn load_original(database: &Database, entry: EntryId) -> Result<Option<Original>, StoreError> {
    let read = |row: &duckdb::Row<'_>| {
        let task: Option<String> = row.get(3)?;
        let kind: String = row.get(1)?;
        Ok(Original {
            entry_id: entry,
            user_id: user_id(row, 0)?,
            kind: EntryKind::named(&kind).ok_or(duckdb::Error::InvalidQuery)?,
            amount: money(row, 2)?,
            task_id: task.and_then(|id| id.parse().ok()),
            assignment_no: row.get(4)?,
            corrected: money(row, 5)?,
        })
    };
    let query = || -> Result<Option<Original>, duckdb::Error> {
        let mut statement = database.connection().prepare(
            "SELECT e.user_id::VARCHAR, e.kind, e.amount, e.task_id::VARCHAR, e.assignment_no,
                 (SELECT coalesce(sum(abs(c.amount)), 0)::BIGINT FROM entries c WHERE c.corrects = e.entry_id)
             FROM entries e WHERE e.entry_id = ?::UUID",
        )?;
        statement
            .query_map([entry.to_string()], read)?
            .next()
            .transpose()
    };
    query().map_err(database.failed("read"))
}
