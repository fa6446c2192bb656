//! `verify`: checks that the log is the acknowledged one and that the tables agree with it.
//!
//! Every line, the head, the checkpoints and the sums of the tables are always checked
//! ([`crate::event_log::audit`], `checkpoints`, `money`). A deep verification also checks every
//! line against its JSON Schema. It reads the log once more and decodes each line once (`reading`):
//! the books are decided a second time and compared with the log (`replay`), every table is rebuilt
//! in a directory of its own (`rebuilds`) and compared with the live one (`tables`).
//!
//! Invariant: the store is only read. Nothing in it is created, changed, repaired or locked for
//! writing, so a store on a read-only medium can be verified.

mod checkpoints;
mod findings;
mod money;
mod reading;
mod rebuilds;
mod replay;
pub(super) mod scratch;
mod tables;
#[cfg(test)]
mod tests;
mod versions;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use crate::app::{App, AppError};
use crate::consumers::ConsumeError;
use crate::consumers::feed::feed;
use crate::domain::id::{EntryId, Sequence};
use crate::event_log::audit::{Depth, Scope};
use crate::event_log::{FileLog, Line, LogError};
use crate::state::{Checkpoint, Recorded, Resolution};
use checkpoints::LiveFiles;
pub use findings::{Damage, Findings, Violation};
use reading::{Chunks, decode};
use rebuilds::Rebuilds;
use replay::Replay;
use scratch::Scratch;
use tables::check_tables;

/// The phase of a verification. Progress is counted in bytes of lines, then in events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    Lines,
    History,
}

/// Called with the phase, its finished part and its total.
pub type Progress<'a> = &'a dyn Fn(Phase, u64, u64);

/// The number of threads that check lines.
const THREADS: usize = 2;
/// The number of chunks that may wait for a follower that is slower than the others.
const CHUNKS_AHEAD: usize = 1;

impl App<'_> {
    /// Verifies the store.
    ///
    /// # Errors
    /// If a file cannot be read at all, was written by a newer program, or is in use by another
    /// process for longer than the lock wait. Every fault of the store is a finding, not an error.
    pub fn verify(&self, deep: bool, progress: Progress<'_>) -> Result<Findings, AppError> {
        let depth = if deep {
            Depth::Schemas
        } else {
            Depth::Decoding
        };
        let scratch = Scratch::new()?;
        let statements = self.statements(&scratch);
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
            .audit_counting(&scope, &|done, total| progress(Phase::Lines, done, total))?;
        let (unknown, counted) = (audit.unknown_versions.clone(), audit.counted.clone());
        let is_whole = audit.faults.is_empty() && unknown.is_empty();
        let mut findings = Findings::of_audit(audit);
        if findings.head.is_none() {
            return Ok(findings);
        }
        let files = self.check_checkpoints(deep, &scratch, &mut findings)?;
        let decisions = self.decisions(&counted.decisions)?;
        let tallies = is_whole.then_some(&counted.tallies[..]);
        self.check_statements(&statements, tallies, &decisions, &mut findings)?;
        let unreadable = self.check_versions(&unknown, &decisions, &mut findings)?;
        if deep {
            let books = (&decisions[..], &counted.corrected[..]);
            self.check_deeply(&files, books, unreadable, &scratch, &mut findings, progress)?;
        }
        Ok(findings)
    }

    /// The decisions about dead letters at these events, read from the log, because the state index
    /// may be wrong.
    fn decisions(&self, places: &[Sequence]) -> Result<Vec<Resolution>, AppError> {
        let mut decisions = Vec::new();
        for at in places {
            let line = match self.log.line(*at) {
                // The audit of the lines reports the damage.
                Err(LogError::Damaged { .. }) => continue,
                line => line?,
            };
            decisions.extend(Resolution::of(&Recorded::from_line(&line.line())?));
        }
        Ok(decisions)
    }

    /// Replays the log and rebuilds the tables in one reading, and reports the differences. Events
    /// of unknown versions are skipped; `unreadable` is the first of them.
    fn check_deeply(
        &self,
        files: &LiveFiles,
        (decisions, corrected): (&[Resolution], &[EntryId]),
        unreadable: Option<Sequence>,
        scratch: &Scratch,
        findings: &mut Findings,
        progress: Progress<'_>,
    ) -> Result<(), AppError> {
        let mut replay = Replay::new(decisions.to_vec(), corrected);
        let mut rebuilds = Rebuilds::begin(&self.log, files, decisions, scratch, self.lock_wait)?;
        let told = |done, total| progress(Phase::History, done, total);
        let read = read_log(&self.log, decisions, &mut replay, &mut rebuilds, &told);
        let (read_through, is_founded) = (replay.read_through(), replay.is_founded());
        let found = replay.end();
        if let Some(at) = unreadable.filter(|_| !found.is_empty()) {
            findings.notes.push(format!(
                "the deep checks pass over event {at}, which cannot be read: what they find behind it may follow from that"
            ));
        }
        findings.violations.extend(found);
        match read {
            Ok(()) if is_founded => check_tables(files, rebuilds, scratch, findings),
            Ok(()) => {
                let none = "no company was founded in this log: there are no tables to compare";
                findings.notes.push(none.to_owned());
                Ok(())
            }
            Err(ConsumeError::Log(
                error @ (LogError::Damaged { .. } | LogError::Undecodable { .. }),
            )) => {
                findings.notes.push(format!(
                    "the deep checks end after event {read_through}, and tables were not compared: {error}"
                ));
                Ok(())
            }
            Err(other) => Err(other.into()),
        }
    }
}

/// Reads the log to its head, on a thread of its own. `replay` and the two DuckDB files follow it
/// on one thread each; the SQLite files follow on this one, which they cannot leave. Each rebuild
/// knows its own end.
///
/// # Errors
/// The first unreadable event; the events before it were applied.
fn read_log(
    log: &FileLog,
    decisions: &[Resolution],
    replay: &mut Replay,
    rebuilds: &mut Rebuilds<'_>,
    progress: &dyn Fn(u64, u64),
) -> Result<(), ConsumeError> {
    let head = log.head()?.sequence;
    let set_aside: HashSet<Sequence> = decisions.iter().map(|made| made.target).collect();
    let followers = rebuilds.followers.clone();
    let read = |line: &Line<'_>| decode(line, &followers, &set_aside);
    let Rebuilds {
        index,
        mails,
        duckdb,
        lock_wait,
        ..
    } = rebuilds;
    std::thread::scope(|threads| {
        let (sender, chunks) = sync_channel(CHUNKS_AHEAD);
        let replaying = threads.spawn(move || follow_with(replay, log, chunks));
        let mut senders = vec![sender];
        for rebuild in duckdb {
            let (sender, chunks) = sync_channel(CHUNKS_AHEAD);
            threads.spawn(|| rebuild.follow(log, chunks, *lock_wait));
            senders.push(sender);
        }
        let fed = feed(log, &Checkpoint::START, None, read, |chunk| {
            let chunk = Arc::new(chunk);
            for sender in &senders {
                // A follower that stopped receives no more.
                let _ = sender.send(Arc::clone(&chunk));
            }
            index.follow(log, &chunk);
            if let Some(mails) = mails {
                mails.follow(log, &chunk);
            }
            progress(chunk.through.sequence.0, head.0);
            Ok::<_, LogError>(true)
        });
        drop(senders);
        replaying.join().expect("a replay does not panic")?;
        Ok(fed.map(drop)?)
    })
}

fn follow_with(replay: &mut Replay, log: &FileLog, chunks: Chunks) -> Result<(), ConsumeError> {
    for chunk in chunks {
        for read in &chunk.events {
            match &read.recorded {
                Some(recorded) => replay.follow(log, recorded)?,
                None => replay.pass_over(read.sequence),
            }
        }
    }
    Ok(())
}
