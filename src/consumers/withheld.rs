//! The events that a consumer leaves out: those that were set aside or skipped, and those that wait
//! for them.
//!
//! Decisions are read before any run, so that a rebuild applies a retried event in its own place.
//! They are made under the consumer's lock ([`crate::consumers::run`]), so none is made during a
//! run.
//!
//! Invariant: a checkpoint never rests between an event and the last decision about it. Tables
//! whose checkpoint lies before a decision and at or after its event were made without it, and are
//! rebuilt.

use std::collections::BTreeMap;

use crate::consumers::ConsumeError;
use crate::domain::dead_letter::LetterState;
use crate::domain::event::{Consumer, Event, EventKind, Subject};
use crate::domain::id::{Sequence, UserId};
use crate::domain::time::{BusinessDate, EventTime, Zone};
use crate::event_log::{FileLog, Line, LineKind, LogError, Reader};
use crate::state::{Check, Checkpoint, Recorded, Resolution};
use crate::turn::Surroundings;
use crate::turn::index::{catch_up, open_index};

/// An event about which an operator decided.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Letter {
    state: LetterState,
    /// The sequence of the last decision.
    decided: Sequence,
    subject: String,
    time: EventTime,
    is_of_the_books: bool,
}

/// The events that one consumer leaves out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Withheld {
    consumer: Consumer,
    letters: BTreeMap<Sequence, Letter>,
}

impl Withheld {
    /// All decisions for `consumer` so far.
    pub fn load(around: &Surroundings<'_>, consumer: Consumer) -> Result<Withheld, ConsumeError> {
        Withheld::of(around.log, consumer, &decisions(around)?)
    }

    /// The same, from known decisions.
    pub fn of(
        log: &FileLog,
        consumer: Consumer,
        resolutions: &[Resolution],
    ) -> Result<Withheld, ConsumeError> {
        let mut letters = BTreeMap::new();
        // A decision about a later or missing event is ignored.
        let is_about_the_past = |resolution: &&Resolution| {
            Sequence::FIRST <= resolution.target && resolution.target < resolution.sequence
        };
        let ours = resolutions
            .iter()
            .filter(|resolution| resolution.consumer == consumer);
        for resolution in ours.filter(is_about_the_past) {
            let line = log.line(resolution.target)?;
            let line = line.line();
            let letter = Letter {
                state: resolution.state,
                decided: resolution.sequence,
                subject: line.subject.to_owned(),
                time: line.event_time()?,
                is_of_the_books: is_of_the_books(&line),
            };
            letters.insert(resolution.target, letter);
        }
        Ok(Withheld { consumer, letters })
    }

    pub fn consumer(&self) -> Consumer {
        self.consumer
    }

    /// Whether there are no decisions.
    pub fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }

    /// Whether an operator decided about the event.
    pub fn is_decided(&self, event: Sequence) -> bool {
        self.letters.contains_key(&event)
    }

    /// The first event with a decision.
    pub fn first(&self) -> Option<Sequence> {
        self.letters.keys().next().copied()
    }

    /// The event of a line that the consumer subscribes to and that is not withheld.
    ///
    /// # Errors
    /// If it cannot be decoded.
    pub fn read(&self, line: &Line<'_>) -> Result<Option<Recorded<'static>>, LogError> {
        self.read_if(line, |kind| kind.consumers().contains(&self.consumer))
    }

    /// The same, for some kinds of events.
    ///
    /// # Errors
    /// If it cannot be decoded.
    pub fn read_if(
        &self,
        line: &Line<'_>,
        is_wanted: impl Fn(EventKind) -> bool,
    ) -> Result<Option<Recorded<'static>>, LogError> {
        match line.kind() {
            LineKind::Known(kind) | LineKind::UnknownVersion(kind) if is_wanted(kind) => {}
            _ => return Ok(None),
        }
        if self.letters.is_empty() {
            return Recorded::from_line(line).map(Some);
        }
        let holds_up: fn(&Letter) -> bool = match self.consumer {
            // The books do not wait for events of others.
            Consumer::Accounting if is_of_the_books(line) => |letter| letter.is_of_the_books,
            // The mail was really sent. If its record waited, it would be sent again.
            Consumer::Notifier if is_of_a_mail(line) => |_| false,
            _ => |_| true,
        };
        if self.is_withheld(line.sequence, line.subject, holds_up) {
            return Ok(None);
        }
        // A user's charges and credits wait with the user's own events.
        let recorded = Recorded::from_line(line)?;
        let user = user_of(recorded.event.as_ref()).map(|user| Subject::User(user).to_string());
        let waits = user.is_some_and(|user| self.is_withheld(recorded.sequence, &user, holds_up));
        Ok((!waits).then_some(recorded))
    }

    /// Whether the event is left out, or waits for an earlier one with this subject.
    pub fn withholds(&self, sequence: Sequence, subject: &str) -> bool {
        self.is_withheld(sequence, subject, |_| true)
    }

    fn is_withheld(
        &self,
        sequence: Sequence,
        subject: &str,
        holds_up: fn(&Letter) -> bool,
    ) -> bool {
        let is_left_out = self
            .letters
            .get(&sequence)
            .is_some_and(|letter| letter.state != LetterState::Retried);
        let waits_for = |target: Sequence, letter: &Letter| {
            target < sequence && letter.subject == subject && holds_up(letter)
        };
        is_left_out
            || self
                .set_aside()
                .any(|(target, letter)| waits_for(target, letter))
    }

    /// The last decision about this event or an earlier one with this subject.
    pub fn last_decision(&self, sequence: Sequence, subject: &str) -> Option<Sequence> {
        let concerns = |target: Sequence, letter: &Letter| {
            target == sequence || target < sequence && letter.subject == subject
        };
        let all = self
            .letters
            .iter()
            .filter(|(target, letter)| concerns(**target, letter));
        all.map(|(_, letter)| letter.decided).max()
    }

    fn set_aside(&self) -> impl Iterator<Item = (Sequence, &Letter)> {
        let all = self
            .letters
            .iter()
            .map(|(target, letter)| (*target, letter));
        all.filter(|(_, letter)| letter.state == LetterState::SetAside)
    }

    /// The first event that is set aside.
    pub fn first_set_aside(&self) -> Option<Sequence> {
        self.set_aside().next().map(|(target, _)| target)
    }

    /// No withheld events.
    pub fn nothing(consumer: Consumer) -> Withheld {
        Withheld {
            consumer,
            letters: BTreeMap::new(),
        }
    }

    /// Whether a checkpoint may be stored at this sequence. Otherwise the tables would miss a later decision
    /// about an earlier event.
    pub fn may_rest_at(&self, checkpoint: Sequence) -> bool {
        self.letters
            .iter()
            .all(|(target, letter)| checkpoint < *target || letter.decided <= checkpoint)
    }

    /// The event that keeps `date` from being closed: one of the books, or one of this date or an
    /// earlier one.
    pub fn blocks(&self, date: BusinessDate, zone: &Zone) -> Option<Sequence> {
        let happened = |letter: &Letter| zone.date_of(letter.time) <= date;
        let earlier = self.set_aside().find(|(_, letter)| happened(letter));
        self.missing_from_the_books()
            .or(earlier.map(|(target, _)| target))
    }

    /// An event of the books that is set aside; nothing is decided from books that lack it.
    pub fn missing_from_the_books(&self) -> Option<Sequence> {
        self.set_aside()
            .find(|(_, letter)| letter.is_of_the_books)
            .map(|(target, _)| target)
    }

    /// Whether entries, payouts or closes are withheld, so that the consumer's sums differ from the
    /// log's.
    pub fn may_lack_money(&self) -> bool {
        match self.consumer {
            Consumer::Accounting => self.missing_from_the_books().is_some(),
            _ => self.set_aside().next().is_some(),
        }
    }

    /// The number of skipped events that happened on `date`.
    pub fn skipped_on(&self, date: BusinessDate, zone: &Zone) -> u64 {
        let skipped = self
            .letters
            .values()
            .filter(|letter| letter.state == LetterState::Skipped);
        skipped
            .filter(|letter| zone.date_of(letter.time) == date)
            .count() as u64
    }
}

/// Whether a later event waits if one with this subject is set aside for `consumer`.
pub fn waits_with(consumer: Consumer, line: &Line<'_>, subject: &str) -> bool {
    let is_read = match line.kind() {
        LineKind::Known(kind) | LineKind::UnknownVersion(kind) => {
            kind.consumers().contains(&consumer)
        }
        LineKind::Unknown => false,
    };
    let is_of_user = || {
        let user = Recorded::from_line(line)
            .ok()
            .and_then(|recorded| user_of(recorded.event.as_ref()));
        user.is_some_and(|user| Subject::User(user).to_string() == subject)
    };
    let is_out = consumer == Consumer::Notifier && is_of_a_mail(line);
    is_read && !is_out && (line.subject == subject || subject.starts_with("user/") && is_of_user())
}

/// All decisions in the log. If the state index cannot follow the log, or has followed another, the
/// missing ones are read from the log.
fn decisions(around: &Surroundings<'_>) -> Result<Vec<Resolution>, ConsumeError> {
    let index = open_index(around, Check::Headers)?;
    // An index that lags stops the commands that decide from it, but no consumer.
    let _ = catch_up(around, &index);
    let checkpoint = index.checkpoint()?;
    if checkpoint == Checkpoint::from(&around.log.head()?) {
        return Ok(index.resolutions()?);
    }
    match around.log.read_after(checkpoint.sequence, &checkpoint.hash) {
        Err(LogError::NotOnChain { .. }) => {
            read_decisions(around.log.read(Sequence::FIRST)?, Vec::new())
        }
        reader => read_decisions(reader?, index.resolutions()?),
    }
}

fn read_decisions(
    mut reader: Reader<'_>,
    mut known: Vec<Resolution>,
) -> Result<Vec<Resolution>, ConsumeError> {
    while let Some(line) = reader.next_line()? {
        if line.type_name.starts_with("event.") {
            known.extend(Resolution::of(&Recorded::from_line(&line)?));
        }
    }
    Ok(known)
}

/// Whether accounting appended the event itself, and not an operator's decision in its name.
pub fn is_of_the_books(line: &Line<'_>) -> bool {
    line.source == "/popug/accounting" && !line.type_name.starts_with("event.")
}

/// Whether the event is the result of a mail.
fn is_of_a_mail(line: &Line<'_>) -> bool {
    line.type_name.starts_with("mail.")
}

/// The user whose account an event of a task touches.
fn user_of(event: &Event) -> Option<UserId> {
    match event {
        Event::TaskAssigned(e) => Some(e.assignee_id),
        Event::TaskCompleted(e) => Some(e.completed_by),
        Event::TaskSettled(e) => Some(e.completed_by),
        _ => None,
    }
}
