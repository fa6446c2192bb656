//! Checks the contents of a single line: the envelope against the event, the data against their
//! written form.

use crate::domain::event::{BalanceChanged, Event, EventKind};
use crate::domain::id::{EntryId, Sequence};
use crate::domain::ledger::tally::Tally;
use crate::event_log::audit::written::{is_displayed, is_written};
use crate::event_log::audit::{Depth, FaultKind};
use crate::event_log::line::{Line, LineKind};

/// State that is kept from line to line.
pub(super) struct Contents {
    depth: Depth,
    /// The last valid actor; most lines have the actor of the line before.
    actor: String,
    pub counted: Counted,
}

/// Totals of the readable lines, in their order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counted {
    /// The tallies of the entries up to each of these events.
    pub tallies: Vec<(Sequence, Tally)>,
    /// The events that set aside, retry or skip another event.
    pub decisions: Vec<Sequence>,
    /// The corrected entries.
    pub corrected: Vec<EntryId>,
}

impl Counted {
    pub(super) fn up_to(marks: &[Sequence]) -> Counted {
        Counted {
            tallies: marks.iter().map(|mark| (*mark, Tally::default())).collect(),
            ..Counted::default()
        }
    }

    fn add(&mut self, at: Sequence, event: &Event) {
        match event {
            Event::BalanceChanged(entry) => {
                self.corrected.extend(entry.corrects);
                self.add_up(at, entry);
            }
            Event::EventSetAside(_) | Event::EventRetried(_) | Event::EventSkipped(_) => {
                self.decisions.push(at);
            }
            _ => {}
        }
    }

    fn add_up(&mut self, at: Sequence, entry: &BalanceChanged) {
        if self.tallies.is_empty() {
            return;
        }
        let mut one = Tally::default();
        one.add(entry);
        self.tallies
            .iter_mut()
            .filter(|(mark, _)| at <= *mark)
            .for_each(|(_, tally)| tally.join(&one));
    }

    pub(super) fn join(&mut self, other: &Counted) {
        self.decisions.extend(&other.decisions);
        self.corrected.extend(&other.corrected);
        for ((_, tally), (_, more)) in self.tallies.iter_mut().zip(&other.tallies) {
            tally.join(more);
        }
    }
}

type Wrong = (FaultKind, String);

impl Contents {
    pub(super) fn new(depth: Depth, marks: &[Sequence]) -> Contents {
        Contents {
            depth,
            actor: String::new(),
            counted: Counted::up_to(marks),
        }
    }

    /// The meaning of the event's type to this version.
    ///
    /// # Errors
    /// The first fault of the line.
    pub(super) fn check(&mut self, line: &Line<'_>) -> Result<LineKind, Wrong> {
        self.envelope(line)?;
        let kind = line.kind();
        if !matches!(kind, LineKind::Known(_)) {
            let json = serde_json::from_str::<serde::de::IgnoredAny>(line.data);
            return json.map(|_| kind).map_err(|error| {
                (
                    FaultKind::Decoding,
                    format!("the data is not JSON: {error}"),
                )
            });
        }
        let event = line
            .event()
            .map_err(|error| (FaultKind::Decoding, error.to_string()))?;
        self.counted.add(line.sequence, &event);
        agreement(line, &event)?;
        if EventKind::of_type(line.type_name).is_some() && !is_written(&event, line.data) {
            let what = "the data is not written as this program writes it".to_owned();
            return Err((FaultKind::Decoding, what));
        }
        self.schema(line)?;
        Ok(kind)
    }

    fn envelope(&mut self, line: &Line<'_>) -> Result<(), Wrong> {
        let wrong = |what: String| Err((FaultKind::Envelope, what));
        for id in [Some(line.id), line.causation_id].into_iter().flatten() {
            if !is_uuid(id.as_bytes()) {
                return wrong(format!("`{id}` is not a UUID in lower case"));
            }
        }
        let is_hex = |hash: &str| hash.parse::<crate::event_log::Hash>().is_ok();
        if line.command_hash.is_some_and(|hash| !is_hex(hash)) {
            return wrong("the command hash is not a hash".to_owned());
        }
        if !line.is_command_id_plain() {
            return wrong(
                "the idempotency key is not written as this program writes it".to_owned(),
            );
        }
        if line.actor == self.actor {
            return Ok(());
        }
        let Ok(actor) = line.acting() else {
            return wrong(format!("`{}` is not an actor", line.actor));
        };
        if !is_displayed(&actor, line.actor) {
            return wrong(format!(
                "the actor is written `{}` instead of `{actor}`",
                line.actor
            ));
        }
        line.actor.clone_into(&mut self.actor);
        Ok(())
    }

    #[cfg(feature = "cli")]
    fn schema(&self, line: &Line<'_>) -> Result<(), Wrong> {
        if self.depth < Depth::Schemas {
            return Ok(());
        }
        crate::event_log::schema::validate_line(line.text).map_err(|what| (FaultKind::Schema, what))
    }

    #[cfg(not(feature = "cli"))]
    fn schema(&self, _: &Line<'_>) -> Result<(), Wrong> {
        debug_assert!(self.depth <= Depth::Decoding);
        Ok(())
    }
}

/// Checks source and subject, which follow from the event.
fn agreement(line: &Line<'_>, event: &Event) -> Result<(), Wrong> {
    let context = event.context().name();
    if line.source.strip_prefix("/popug/") != Some(context) {
        let what = format!(
            "the source is `{}`, the event is one of {context}",
            line.source
        );
        return Err((FaultKind::Envelope, what));
    }
    let subject = event.subject();
    if !is_displayed(&subject, line.subject) {
        let what = format!(
            "the subject is `{}`, the event is about {subject}",
            line.subject
        );
        return Err((FaultKind::Envelope, what));
    }
    Ok(())
}

/// Whether it is a UUID in the form that the program writes: lower case, with four dashes.
fn is_uuid(text: &[u8]) -> bool {
    let is_digit = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == 36
        && [8, 13, 18, 23].iter().all(|at| text[*at] == b'-')
        && text.iter().filter(is_digit).count() == 32
}
