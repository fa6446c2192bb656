//! Checks the corrections (I4): each reverses a fee or a reward, and all of one entry together at
//! most the entry.
//!
//! The audit of the lines finds the corrected entries, so only those are remembered.

use crate::app::verify::replay::Replay;
use crate::app::verify::replay::entries::repeats;
use crate::domain::event::BalanceChanged;
use crate::domain::ledger::correct::{Correct, Original};
use crate::domain::ledger::entry::EntryKind;
use crate::state::Recorded;

impl Replay {
    /// Remembers an entry that is corrected later.
    pub(super) fn keep_original(&mut self, said: &BalanceChanged) {
        if let Some(slot) = self.corrected.get_mut(&said.entry_id) {
            slot.get_or_insert(Original::of(said));
        }
    }

    /// Checks that the correction is the requested one. Returns the expected entry.
    pub(super) fn corrected(
        &mut self,
        recorded: &Recorded<'_>,
        said: &BalanceChanged,
    ) -> Option<BalanceChanged> {
        let at = recorded.sequence;
        let books = self.books.as_ref()?;
        let original = said
            .corrects
            .and_then(|entry| self.corrected.get_mut(&entry));
        let Some(original) = original.and_then(Option::as_mut) else {
            self.violates("I4", at, "the corrected entry does not exist");
            return None;
        };
        if original.user_id != said.user_id {
            self.violates("I4", at, "the corrected entry is another user's");
            return None;
        }
        let asked = Correct {
            amount: Some(said.amount.abs()),
            reason: said.reason.clone().unwrap_or_default(),
        };
        let expected = asked.entry(original, books, said.entry_id, recorded.time);
        original.corrected += said.amount.abs();
        let of_fee = original.task_id.filter(|_| original.kind == EntryKind::Fee);
        if let Some(task) = of_fee.and_then(|task| self.tasks.known.get_mut(&task)) {
            task.fees_left -= said.amount.abs();
        }
        match expected {
            Ok(expected) => {
                if said.amount != expected.amount || !repeats(said, &expected) {
                    let what = "the correction does not reverse the entry that it names";
                    self.violates("I4", at, what);
                }
                Some(expected)
            }
            Err(refusal) => {
                self.violates(
                    "I4",
                    at,
                    format!("the correction is not allowed: {refusal}"),
                );
                None
            }
        }
    }
}
