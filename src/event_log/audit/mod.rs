//! Audits the whole log: every line, every segment, the head. Nothing is written or locked.
//!
//! `plan` checks how the segments fit together and cuts them into chunks at line borders, `chunk`
//! checks the lines of one chunk, `identity` checks that ids and keys are used once. A line
//! continues the line before it and depends on nothing else, so chunks are checked independently on
//! several threads. Unlike a reader, an audit continues after a fault.
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

/// Further faults are only counted, because nobody needs every line of a lost disk.
const FAULTS_MAX: usize = 1_000;

/// The checks that are made on each line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Depth {
    /// Hash chain, sequences, batches, the form of the envelope.
    Chain,
    /// Also every member of the envelope, and that the data are exactly as the program writes them.
    Decoding,
    /// Also the JSON Schemas.
    #[cfg(feature = "cli")]
    Schemas,
}

/// The work of an audit.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    pub depth: Depth,
    /// The number of threads that check lines.
    pub threads: usize,
    /// The events up to which entries are tallied, if contents are checked.
    pub marks: &'a [Sequence],
}

/// The kind of a fault.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FaultKind {
    /// Acknowledged bytes are missing or changed.
    Damage,
    /// Bytes that are not whole batches, and may have been acknowledged.
    Doubt,
    /// The head file is missing or has a bad slot.
    Head,
    /// A member of the envelope contradicts the event or the lines before.
    Envelope,
    /// The data cannot be read, or are not as this program writes them.
    Decoding,
    /// The line does not conform to its JSON Schema.
    Schema,
    /// An id or a key is used twice (invariant I10).
    Identity,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    pub kind: FaultKind,
    pub place: Place,
    pub what: String,
}

/// The result of an audit.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Audit {
    /// The last acknowledged event; `None` if it is unknown.
    pub head: Option<Head>,
    pub events: u64,
    pub bytes: u64,
    /// Findings that are no faults.
    pub notes: Vec<String>,
    /// Events of known types in versions that this program does not know. Such an event is no fault
    /// if an operator decided about it.
    pub unknown_versions: Vec<Sequence>,
    /// Totals of the readable lines, if contents were checked.
    pub counted: Counted,
    /// In the order of their places.
    pub faults: Vec<Fault>,
    /// The number of faults that are not listed.
    pub unlisted_faults: u64,
}

impl FileLog {
    /// Audits the log on `threads` threads. `progress` gets the checked bytes and the total.
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

    /// The same, with tallies of the entries up to each mark.
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

    /// Joins the results of the chunks.
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

    /// Checks that the head names the place and the sequence of the last line before it. Its hash
    /// was compared with that line. If the last line is bad or missing, that fault was already
    /// reported.
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
                // Dropped with the thread, so that the results end with the last thread.
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
