//! I4 of corrections: each reverses a fee or a reward, all of an entry at most once over.
//!
//! Corrections are few and entries many, so only corrections are remembered; the entries that
//! they name are looked up in a second pass, which a log without corrections does not need.

use std::collections::HashMap;

use crate::app::verify::history::{History, Minor, minor, money};
use crate::domain::event::{BalanceChanged, Event};
use crate::domain::id::{EntryId, Sequence, UserId};
use crate::domain::ledger::entry::EntryKind;
use crate::event_log::{FileLog, LogError};

pub(super) struct Correction {
    at: Sequence,
    corrects: Option<EntryId>,
    user: UserId,
    amount: Minor,
}

struct Original {
    at: Sequence,
    user: UserId,
    kind: EntryKind,
    /// What is left of it.
    amount: Minor,
}

impl Correction {
    pub fn of(at: Sequence, e: &BalanceChanged) -> Correction {
        Correction {
            at,
            corrects: e.corrects,
            user: e.user_id,
            amount: minor(e.amount),
        }
    }

    /// Takes the correction off what is left of its entry.
    fn fault(&self, original: Option<&mut Original>) -> Option<String> {
        let Some(original) = original.filter(|original| original.at < self.at) else {
            return Some("the corrected entry does not exist".to_owned());
        };
        if original.user != self.user {
            return Some("the corrected entry is another user's".to_owned());
        }
        if !matches!(original.kind, EntryKind::Fee | EntryKind::Reward) {
            return Some(format!("a {} cannot be corrected", original.kind.name()));
        }
        let left = original.amount;
        original.amount += self.amount;
        let is_within = self.amount.signum() == -left.signum() && self.amount.abs() <= left.abs();
        (!is_within).then(|| {
            format!(
                "{} corrects an entry of which {} is left",
                money(self.amount),
                money(left)
            )
        })
    }
}

impl History {
    pub(super) fn check_corrections(&mut self, log: &FileLog) -> Result<(), LogError> {
        if self.corrections.is_empty() {
            return Ok(());
        }
        let wanted = self
            .corrections
            .iter()
            .filter_map(|correction| correction.corrects);
        let mut originals: HashMap<String, Option<Original>> =
            wanted.map(|id| (id.to_string(), None)).collect();
        find(log, &mut originals, Sequence(self.read))?;
        for correction in std::mem::take(&mut self.corrections) {
            let original = correction
                .corrects
                .and_then(|id| originals.get_mut(&id.to_string()))
                .and_then(Option::as_mut);
            if let Some(what) = correction.fault(original) {
                self.violates("I4", correction.at, what);
            }
        }
        Ok(())
    }
}

/// An entry and its event have one id, so no line is decoded in vain.
fn find(
    log: &FileLog,
    originals: &mut HashMap<String, Option<Original>>,
    last: Sequence,
) -> Result<(), LogError> {
    log.for_each(Sequence::FIRST, &mut |line| {
        if let Some(slot) = originals.get_mut(line.id).filter(|_| line.sequence <= last)
            && let Event::BalanceChanged(e) = line.event()?
        {
            *slot = Some(Original {
                at: line.sequence,
                user: e.user_id,
                kind: e.kind,
                amount: minor(e.amount),
            });
        }
        Ok(())
    })
    .map(drop)
    // Behind a bad line there is nothing that a correction before it could name.
    .or_else(|error| {
        if matches!(error, LogError::Damaged { .. }) {
            Ok(())
        } else {
            Err(error)
        }
    })
}
