//! `verify`: is the log what was acknowledged, and do the tables say what the log says?
//!
//! Every line, the head, the checkpoints and the sums of the tables are always checked
//! ([`crate::event_log::audit`], `checkpoints`, `money`). A deep verification also holds every line against its JSON Schema, the whole
//! history against the invariants of the books (`history`) and every table against a rebuild
//! (`tables`), made in a directory of its own.
//!
//! Invariant: the store is only read. Nothing in it is created, changed, repaired or locked for
//! writing, so a store on a read-only medium can be verified.

mod checkpoints;
mod findings;
mod history;
mod money;
pub(super) mod scratch;
mod tables;
#[cfg(test)]
mod tests;
mod versions;

pub use findings::{Damage, Findings, Violation};

use crate::app::{App, AppError};
use crate::consumers::ConsumeError;
use crate::domain::id::Sequence;
use crate::event_log::LogError;
use crate::event_log::audit::{Depth, Scope};
use crate::state::{Recorded, Resolution};
use history::History;
use scratch::Scratch;

/// What is being checked; progress is counted in bytes of lines, else in events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Lines,
    History,
    Tables,
}

/// Told how much of a step is done, of how much.
pub type Progress<'a> = &'a dyn Fn(Step, u64, u64);

/// Lines are checked on this many threads.
const THREADS: usize = 2;

impl App<'_> {
    /// Verifies the store.
    ///
    /// # Errors
    /// If something cannot be read at all, was written by a newer program, or is in use by another
    /// process for longer than the lock wait. Whatever is found wrong is a finding, not an error.
    pub fn verify(&self, deep: bool, progress: Progress<'_>) -> Result<Findings, AppError> {
        let depth = if deep {
            Depth::Schemas
        } else {
            Depth::Decoding
        };
        let statements = self.statements();
        let marks: Vec<_> = statements
            .iter()
            .map(|statement| statement.checkpoint.sequence)
            .collect();
        let scope = Scope {
            depth,
            threads: THREADS,
            marks: &marks,
        };
        let audit = self
            .log
            .audit_counting(&scope, &|done, total| progress(Step::Lines, done, total))?;
        let (unknown, counted) = (audit.unknown_versions.clone(), audit.counted.clone());
        let is_whole = audit.faults.is_empty() && unknown.is_empty();
        let mut findings = Findings::of_audit(audit);
        if findings.head.is_none() {
            return Ok(findings);
        }
        let scratch = Scratch::new()?;
        let files = self.check_checkpoints(deep, &scratch, &mut findings)?;
        self.check_statements(&statements, is_whole.then_some(&counted), &mut findings)?;
        let decisions = if deep || !unknown.is_empty() {
            self.decisions()?
        } else {
            Vec::new()
        };
        let unreadable = self.check_versions(&unknown, &decisions, &mut findings)?;
        if deep && self.check_history(&decisions, unreadable, &mut findings, progress)? {
            self.check_tables(&files, &decisions, &scratch, &mut findings, progress)?;
        }
        Ok(findings)
    }

    /// What was decided about dead letters up to where the log can be read. It is read from the log:
    /// the state index may be what is wrong.
    fn decisions(&self) -> Result<Vec<Resolution>, AppError> {
        let mut decisions = Vec::new();
        let read = self.log.for_each(Sequence::FIRST, &mut |line| {
            // What cannot be read was found line by line.
            if line.type_name.starts_with("event.")
                && let Ok(recorded) = Recorded::from_line(line)
            {
                decisions.extend(Resolution::of(&recorded));
            }
            Ok(())
        });
        match read {
            Ok(_) | Err(LogError::Damaged { .. }) => Ok(decisions),
            Err(other) => Err(other.into()),
        }
    }

    /// False if the history could not be read to its end. What is of an unknown version is passed over,
    /// beginning with `unreadable`.
    fn check_history(
        &self,
        decisions: &[Resolution],
        unreadable: Option<Sequence>,
        findings: &mut Findings,
        progress: Progress<'_>,
    ) -> Result<bool, AppError> {
        let mut history = History::with_decisions(decisions.to_vec());
        let read = history.follow(&self.around(), progress);
        let (read_through, is_founded) = (history.read_through(), history.is_founded());
        let found = history.end(&self.log)?;
        if let Some(at) = unreadable.filter(|_| !found.is_empty()) {
            findings.notes.push(format!(
                "the deep checks pass over event {at}, which cannot be read: what they find behind it may follow from that"
            ));
        }
        findings.violations.extend(found);
        match read {
            Ok(()) if is_founded => Ok(true),
            Ok(()) => {
                findings.notes.push(
                    "no company was founded in this log: there are no tables to compare".to_owned(),
                );
                Ok(false)
            }
            Err(ConsumeError::Log(
                error @ (LogError::Damaged { .. } | LogError::Undecodable { .. }),
            )) => {
                findings.notes.push(format!(
                    "the deep checks end after event {read_through}, and tables were not compared: {error}"
                ));
                Ok(false)
            }
            Err(other) => Err(other.into()),
        }
    }
}
