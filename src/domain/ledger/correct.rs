//! Rule A7: a correction reverses a fee or reward entry, wholly or in part.

use crate::domain::event::BalanceChanged;
use crate::domain::id::{EntryId, TaskId, UserId};
use crate::domain::ledger::books::Books;
use crate::domain::ledger::entry::EntryKind;
use crate::domain::money::Money;
use crate::domain::rejection::Rejection;
use crate::domain::role::Right;
use crate::domain::text;
use crate::domain::time::EventTime;
use crate::domain::user::User;

/// The entry to be corrected, and the amount of its earlier corrections.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Original {
    pub entry_id: EntryId,
    pub user_id: UserId,
    pub kind: EntryKind,
    pub amount: Money,
    pub task_id: Option<TaskId>,
    pub assignment_no: Option<u32>,
    /// A positive sum.
    pub corrected: Money,
}

impl Original {
    /// An entry of which nothing is corrected yet.
    pub fn of(entry: &BalanceChanged) -> Original {
        Original {
            entry_id: entry.entry_id,
            user_id: entry.user_id,
            kind: entry.kind,
            amount: entry.amount,
            task_id: entry.task_id,
            assignment_no: entry.assignment_no,
            corrected: Money::ZERO,
        }
    }

    /// The part that is not corrected, as a positive amount.
    pub fn remaining(&self) -> Money {
        self.amount.abs() - self.corrected
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Correct {
    /// A positive amount; `None` for the rest of the entry.
    pub amount: Option<Money>,
    pub reason: String,
}

impl Correct {
    /// The correcting entry. Nothing is posted to `books` yet.
    pub fn decide(
        &self,
        actor: &User,
        original: &Original,
        books: &Books,
        entry_id: EntryId,
        at: EventTime,
    ) -> Result<BalanceChanged, Rejection> {
        actor.require(Right::Correct)?;
        if original.user_id == actor.id {
            return Err(Rejection::OwnAccount);
        }
        self.entry(original, books, entry_id, at)
    }

    /// The correcting entry, without a check of the actor.
    ///
    /// # Errors
    /// If the entry cannot be corrected, or not by this amount, or the reason is not well formed.
    pub fn entry(
        &self,
        original: &Original,
        books: &Books,
        entry_id: EntryId,
        at: EventTime,
    ) -> Result<BalanceChanged, Rejection> {
        let size = self.size(original)?;
        let reason = text::check_reason(&self.reason)?;
        let amount = if original.amount.is_negative() {
            size
        } else {
            -size
        };
        let (business_date, late) = books.business_date(at);
        Ok(BalanceChanged {
            entry_id,
            user_id: original.user_id,
            kind: EntryKind::Correction,
            amount,
            balance: books.balance(original.user_id) + amount,
            business_date,
            late,
            occurred_at: at,
            cause_sequence: None,
            task_id: original.task_id,
            assignment_no: original.assignment_no,
            payout_id: None,
            corrects: Some(original.entry_id),
            reason: Some(reason),
        })
    }

    fn size(&self, original: &Original) -> Result<Money, Rejection> {
        if !matches!(original.kind, EntryKind::Fee | EntryKind::Reward) {
            return Err(Rejection::NotCorrectable {
                kind: original.kind,
            });
        }
        let remaining = original.remaining();
        if !remaining.is_positive() {
            return Err(Rejection::CorrectedInFull);
        }
        let asked = self.amount.unwrap_or(remaining);
        if asked > remaining {
            return Err(Rejection::CorrectionTooLarge { asked, remaining });
        }
        if !asked.is_positive() {
            return Err(Rejection::NotPositive { amount: asked });
        }
        Ok(asked)
    }
}
