//! Correcting an entry: under the same locks as any other posting.

use crate::consumers::accounting::{Accounting, Proposal};
use crate::consumers::common_tables::{money, user_id};
use crate::consumers::{ConsumeError, Pen, Surroundings};
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
    pub command_id: String,
    pub command_hash: Option<Hash>,
    /// Makes the id of the new entry once its time is known.
    pub new_id: &'a mut dyn FnMut(EventTime, Sequence) -> EventId,
    /// Decide only; append nothing.
    pub dry_run: bool,
}

impl Accounting<'_> {
    /// Appends the correcting entry; where it stands.
    ///
    /// # Errors
    /// The rejection of rule A7 that holds first.
    pub fn correct<'l>(
        &mut self,
        around: &Surroundings<'l>,
        pen: &mut Pen<'_, 'l>,
        correction: Correction<'_>,
    ) -> Result<(BalanceChanged, Sequence), ConsumeError> {
        self.advance(around, pen, None)?;
        let original = load_original(self.database, correction.entry)?
            .ok_or_else(|| Rejection::UnknownEntry { name: correction.entry.to_string() })?;
        pen.with_writer(around, |writer| {
            self.absorb(around)?;
            let at = self.stamp(around, writer)?;
            let id = (correction.new_id)(at, self.position.sequence.next());
            let entry_id = EntryId::from_uuid(id.uuid());
            let books = self.common.books_mut();
            let entry = correction.command.decide(correction.actor, &original, books, entry_id, at)?;
            if correction.dry_run {
                return Ok((entry, self.position.sequence.next()));
            }
            books.post(&entry);
            let facts = vec![Fact { id, causation: Some(original_event(&original)), event: entry.clone().into() }];
            let actor = Actor::User(correction.actor.id);
            let Correction { command_id, command_hash, .. } = correction;
            let head = self.append(writer, at, Proposal { actor, command_id, command_hash, facts })?;
            Ok((entry, head.sequence))
        })
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
            kind: parse_kind(&kind).ok_or(duckdb::Error::InvalidQuery)?,
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
        statement.query_map([entry.to_string()], read)?.next().transpose()
    };
    query().map_err(database.failed("read"))
}

fn parse_kind(name: &str) -> Option<EntryKind> {
    let kinds = [EntryKind::Fee, EntryKind::Reward, EntryKind::Payout, EntryKind::Correction];
    kinds.into_iter().find(|kind| kind.name() == name)
}
