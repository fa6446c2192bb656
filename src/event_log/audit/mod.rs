//! Auditing the whole log: every line, every segment, the head. Nothing is written or locked.
//!
//! `plan` checks how the segments fit together and cuts them into chunks at line borders,
//! `chunk` checks the lines of one chunk, `identity` that ids and keys are used once. What a
//! line must continue stands in the line before it, so chunks are checked independently on
//! several threads. Unlike a reader, an audit goes on behind a bad place.
//!
//! Invariant: a sound log has no fault, and an audit never ends before the last segment does.

mod chunk;
mod content;
mod identity;
mod plan;
mod written;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use crate::domain::id::Sequence;
use crate::event_log::error::{LogError, Place};
use crate::event_log::head::Head;
use crate::event_log::storage::Storage;
use crate::event_log::{FileLog, segment};
use chunk::Checked;
pub use content::Counted;
use plan::Plan;

/// More faults than these are counted only: a lost disk need not be listed line by line.
const FAULTS_MAX: usize = 1_000;

/// How much of each line is checked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Depth {
    /// Hash chain, sequences, batches, the form of the envelope.
    Chain,
    /// Also every member of the envelope, and that data is exactly what the program writes.
    Decoding,
    /// Also the JSON Schemas.
    #[cfg(feature = "cli")]
    Schemas,
}

/// What an audit does.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    pub depth: Depth,
    /// How many threads check lines.
    pub threads: usize,
    /// Entries are added up as far as each of these events, if contents are checked.
    pub marks: &'a [Sequence],
}

/// What kind of thing is wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FaultKind {
    /// What was acknowledged is not there any more, or not as it was.
    Damage,
    /// Not whole, and nothing tells whether it was acknowledged.
    Doubt,
    /// The head file is missing or has a bad slot.
    Head,
    /// A member of the envelope contradicts the event, or the lines before.
    Envelope,
    /// The data cannot be read, or is not what this program would write.
    Decoding,
    /// The line does not conform to its JSON Schema.
    Schema,
    /// An id or a key is used twice: invariant I10.
    Identity,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    pub kind: FaultKind,
    pub place: Place,
    pub what: String,
}

/// What an audit saw.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Audit {
    /// Up to where the log is acknowledged; `None` if nothing tells.
    pub head: Option<Head>,
    pub events: u64,
    pub bytes: u64,
    /// Nothing is wrong with these.
    pub notes: Vec<String>,
    /// Events of known types in versions that this program does not know. Whether one is wrong depends
    /// on what was decided about it.
    pub unknown_versions: Vec<Sequence>,
    /// Of the lines that can be read, if their contents were checked.
    pub counted: Counted,
    /// In order of their places.
    pub faults: Vec<Fault>,
    /// Faults beyond those that are listed.
    pub unlisted_faults: u64,
}

impl FileLog {
    /// Audits the log on `threads` threads. `progress` is told the bytes checked and all bytes.
    ///
    /// # Errors
    /// If a file cannot be read, the log is missing, or it was written by a newer program.
    pub fn audit(
        &self,
        depth: Depth,
        threads: usize,
        progress: &dyn Fn(u64, u64),
    ) -> Result<Audit, LogError> {
        self.audit_counting(
            &Scope {
                depth,
                threads,
                marks: &[],
            },
            progress,
        )
    }

    /// The same, and adds up the entries as far as each of the marks.
    ///
    /// # Errors
    /// As [`FileLog::audit`].
    pub fn audit_counting(
        &self,
        scope: &Scope<'_>,
        progress: &dyn Fn(u64, u64),
    ) -> Result<Audit, LogError> {
        let storage = self.storage();
        let mut audit = Audit {
            counted: Counted::up_to(scope.marks),
            ..Audit::default()
        };
        let Some(plan) = Plan::make(storage, &mut audit)? else {
            return Ok(audit.in_order());
        };
        let checked = check_chunks(storage, &plan, scope, progress)?;
        audit.take(checked, &plan, storage)?;
        Ok(audit.in_order())
    }
}

impl Audit {
    fn fault(&mut self, kind: FaultKind, place: Place, what: impl Into<String>) {
        self.faults.push(Fault {
            kind,
            place,
            what: what.into(),
        });
    }

    /// Joins what the chunks tell.
    fn take(
        &mut self,
        checked: Vec<Checked>,
        plan: &Plan,
        storage: &dyn Storage,
    ) -> Result<(), LogError> {
        let (mut ids, mut keys, mut unknown) = (Vec::new(), Vec::new(), 0);
        let last = checked.last().and_then(|chunk| chunk.last);
        for chunk in checked {
            self.events += chunk.events;
            self.bytes += chunk.bytes;
            self.faults.extend(chunk.faults);
            self.unlisted_faults += chunk.unlisted_faults;
            unknown += chunk.unknown;
            self.counted.join(&chunk.counted);
            self.unknown_versions.extend(chunk.unknown_versions);
            ids.extend(chunk.ids);
            keys.extend(chunk.keys);
        }
        self.check_head(plan, last);
        if unknown > 0 {
            self.notes.push(format!(
                "{unknown} events are of types that this version does not know"
            ));
        }
        identity::check(storage, plan, ids, keys, self)
    }

    /// The head names the place and the sequence of the last line that it vouches for. Its hash was
    /// compared with that line. Where the last line is bad, or gone, that has been said.
    fn check_head(&mut self, plan: &Plan, last: Option<Sequence>) {
        let (Some(task), Some(last)) = (plan.chunks.last(), last) else {
            return;
        };
        let head = &plan.head;
        let is_told = self
            .faults
            .iter()
            .any(|fault| fault.kind == FaultKind::Damage && fault.place.sequence > last);
        if is_told || (task.segment, last) == (head.segment, head.sequence) {
            return;
        }
        let place = Place {
            segment: segment::file_name(task.segment),
            byte: task.bytes.end,
            sequence: last.next(),
        };
        let what = format!(
            "event {last} is the last one here, but the head names event {} before byte {} of {}: \
             events are lost, or the head is not this log's",
            head.sequence,
            head.position,
            segment::file_name(head.segment)
        );
        self.fault(FaultKind::Damage, place, what);
    }

    fn in_order(mut self) -> Audit {
        self.faults.sort_by(|a, b| {
            (a.place.sequence, &a.place.segment, a.place.byte, a.kind).cmp(&(
                b.place.sequence,
                &b.place.segment,
                b.place.byte,
                b.kind,
            ))
        });
        self.unlisted_faults += self.faults.len().saturating_sub(FAULTS_MAX) as u64;
        self.faults.truncate(FAULTS_MAX);
        self
    }
}

/// Checks all chunks on several threads; this thread reports the progress.
fn check_chunks(
    storage: &dyn Storage,
    plan: &Plan,
    scope: &Scope<'_>,
    progress: &dyn Fn(u64, u64),
) -> Result<Vec<Checked>, LogError> {
    let total = plan
        .chunks
        .iter()
        .map(|chunk| chunk.bytes.end - chunk.bytes.start)
        .sum();
    let next = AtomicUsize::new(0);
    let (sender, results) = channel();
    let mut checked = std::thread::scope(|threads| {
        for sender in vec![sender; scope.threads.max(1)] {
            threads.spawn(|| {
                // Dropped with the thread: the results end when the last one is done.
                let sender = sender;
                let mut buffer = Vec::new();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(task) = plan.chunks.get(at) else {
                        return;
                    };
                    let checked = chunk::check(storage, plan, task, scope, &mut buffer);
                    if sender.send(checked.map(|checked| (at, checked))).is_err() {
                        return;
                    }
                }
            });
        }
        let mut done = 0;
        let told = results.into_iter().inspect(|result| {
            done += result.as_ref().map_or(0, |(_, checked)| checked.bytes);
            progress(done, total);
        });
        told.collect::<Result<Vec<_>, LogError>>()
    })?;
    checked.sort_unstable_by_key(|(at, _)| *at);
    Ok(checked.into_iter().map(|(_, checked)| checked).collect())
}
