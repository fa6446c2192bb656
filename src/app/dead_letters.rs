//! Dead letters for a caller: the events that consumers cannot apply, and the decisions about them.
//!
//! A decision is an event of the log like any other. It is made under the consumer's lock, so that
//! a run knows all decisions; the next run follows it.

use serde::Serialize;
use serde_json::Value;

use crate::app::command::{RetryEvent, SetAside, SkipEvent};
use crate::app::identity::Caller;
use crate::app::write::{Manner, Outcome, with_ids};
use crate::app::{App, AppError};
use crate::consumers::dispatch;
use crate::consumers::withheld::{is_of_the_books, waits_with};
use crate::domain::dead_letter::{LetterState, Stop, Target};
use crate::domain::event::{Consumer, Event, EventKind};
use crate::domain::id::{Sequence, UserId};
use crate::domain::rejection::Rejection;
use crate::domain::role::Right;
use crate::domain::user::User;
use crate::event_log::{LineKind, LogError, OwnedLine};
use crate::state::{Recorded, Resolution, StateIndex};
use crate::turn::Surroundings;

/// The consumers that can set an event aside; the state index cannot.
pub const CONSUMERS: [Consumer; 3] = [
    Consumer::Accounting,
    Consumer::Analytics,
    Consumer::Notifier,
];

/// An event with the last decision about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeadLetter {
    pub resolution: Resolution,
    pub type_name: String,
    pub subject: String,
    /// The time of the event, RFC 3339.
    pub time: String,
    /// The number of later events that wait for it.
    pub waiting: u64,
}

/// A later event that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    pub sequence: Sequence,
    pub type_name: String,
    /// RFC 3339.
    pub time: String,
}

impl App<'_> {
    /// All events with decisions, by sequence and consumer.
    ///
    /// # Errors
    /// If the role forbids it, or the log cannot be read.
    pub fn dead_letters(
        &self,
        caller: &Caller,
        index: &StateIndex,
    ) -> Result<Vec<DeadLetter>, AppError> {
        caller.require(Right::DeadLetters)?;
        let mut letters = Vec::new();
        for resolution in index.last_resolutions()? {
            let line = self.event(resolution.target)?;
            let line = line.line();
            let (type_name, subject, time) = (
                line.type_name.to_owned(),
                line.subject.to_owned(),
                line.time.to_owned(),
            );
            letters.push(DeadLetter {
                resolution,
                type_name,
                subject,
                time,
                waiting: 0,
            });
        }
        self.count_waiting(&mut letters)?;
        Ok(letters)
    }

    /// Reads the log after the first event that is set aside, once for all of them.
    fn count_waiting(&self, letters: &mut [DeadLetter]) -> Result<(), AppError> {
        let mut set_aside: Vec<&mut DeadLetter> = letters
            .iter_mut()
            .filter(|letter| letter.resolution.state == LetterState::SetAside)
            .collect();
        let Some(first) = set_aside.first().map(|letter| letter.resolution.target) else {
            return Ok(());
        };
        self.log.for_each(first.next(), &mut |line| {
            for letter in &mut set_aside {
                let is_later = line.sequence > letter.resolution.target;
                if is_later && waits_with(letter.resolution.consumer, line, &letter.subject) {
                    letter.waiting += 1;
                }
            }
            Ok(())
        })?;
        Ok(())
    }

    /// An event, and the decisions about it.
    ///
    /// # Errors
    /// The role; [`Rejection::UnknownEvent`].
    pub fn dead_letter(
        &self,
        caller: &Caller,
        index: &StateIndex,
        sequence: Sequence,
    ) -> Result<(OwnedLine, Vec<Resolution>), AppError> {
        caller.require(Right::DeadLetters)?;
        let line = self.event(sequence)?;
        let mut decisions = index.resolutions()?;
        decisions.retain(|made| made.target == sequence);
        Ok((line, decisions))
    }

    /// The line of an event.
    ///
    /// # Errors
    /// [`Rejection::UnknownEvent`]
    fn event(&self, sequence: Sequence) -> Result<OwnedLine, AppError> {
        match self.log.line(sequence) {
            Err(LogError::NotOnChain { .. }) => Err(Rejection::UnknownEvent { sequence }.into()),
            line => Ok(line?),
        }
    }

    /// The later events that would wait if `consumer` set the event aside.
    ///
    /// # Errors
    /// [`Rejection::UnknownEvent`]; if the log cannot be read.
    pub fn waiting_for(
        &self,
        consumer: Consumer,
        target: Sequence,
    ) -> Result<Vec<Waiting>, AppError> {
        let subject = self.event(target)?.line().subject.to_owned();
        let mut waiting = Vec::new();
        self.log.for_each(target.next(), &mut |line| {
            if waits_with(consumer, line, &subject) {
                let (type_name, time) = (line.type_name.to_owned(), line.time.to_owned());
                waiting.push(Waiting {
                    sequence: line.sequence,
                    type_name,
                    time,
                });
            }
            Ok(())
        })?;
        Ok(waiting)
    }

    /// Sets aside the event that stops a consumer. Without `consumer`, the one that it stops.
    ///
    /// # Errors
    /// The first rejection; [`AppError::SeveralConsumers`].
    pub fn set_aside(
        &self,
        caller: &Caller,
        consumer: Option<Consumer>,
        sequence: Sequence,
        reason: Option<&str>,
        manner: &Manner,
    ) -> Result<Outcome, AppError> {
        let command = SetAside {
            consumer,
            event: sequence,
            reason: reason.map(str::to_owned),
        };
        // Looking for the stop lets accounting run on, which appends.
        if let Some(replayed) =
            self.replayed_or_allowed(caller, Right::DeadLetters, sequence, &command, manner)?
        {
            return Ok(replayed);
        }
        let consumer = self.meant(consumer, sequence, |consumer| {
            self.stops_at(consumer, sequence)
        })?;
        dispatch::while_stopped(&self.around(), consumer, |stop: Option<Stop>| {
            self.decide(
                caller,
                consumer,
                sequence,
                &command,
                manner,
                |target, actor| Ok(target.set_aside(actor, stop.as_ref(), reason)?),
            )
        })
    }

    /// The refusals that come before those about the event, in their order.
    fn replayed_or_allowed(
        &self,
        caller: &Caller,
        right: Right,
        sequence: Sequence,
        command: &impl Serialize,
        manner: &Manner,
    ) -> Result<Option<Outcome>, AppError> {
        let index = self.index()?;
        let actor = self.actor(&index, caller.user.id)?;
        if let Some(replayed) = self.earlier_outcome(&index, &actor, command, manner)? {
            return Ok(Some(replayed));
        }
        self.event(sequence)?;
        actor.require(right)?;
        Ok(None)
    }

    fn stops_at(&self, consumer: Consumer, sequence: Sequence) -> Result<bool, AppError> {
        dispatch::while_stopped(&self.around(), consumer, |stop| {
            Ok(stop.is_some_and(|stop| stop.sequence == sequence))
        })
    }

    /// Lets the consumer's next run apply an event that was set aside or skipped.
    ///
    /// # Errors
    /// The first rejection; [`AppError::SeveralConsumers`].
    pub fn retry_event(
        &self,
        caller: &Caller,
        consumer: Option<Consumer>,
        sequence: Sequence,
        reason: &str,
        manner: &Manner,
    ) -> Result<Outcome, AppError> {
        let command = RetryEvent {
            consumer,
            event: sequence,
            reason: reason.to_owned(),
        };
        let needed = (
            Right::DeadLetters,
            &[LetterState::SetAside, LetterState::Skipped][..],
        );
        let about = (consumer, sequence);
        self.decide_again(caller, about, needed, &command, manner, |target, actor| {
            let line = self.event(sequence)?;
            let unreadable = Recorded::from_line(&line.line()).err();
            Ok(target.retry(actor, unreadable.map(|error| error.to_string()), reason)?)
        })
    }

    /// Leaves a set-aside event out for ever.
    ///
    /// # Errors
    /// The first rejection; [`AppError::SeveralConsumers`].
    pub fn skip_event(
        &self,
        caller: &Caller,
        consumer: Option<Consumer>,
        sequence: Sequence,
        reason: &str,
        manner: &Manner,
    ) -> Result<Outcome, AppError> {
        let command = SkipEvent {
            consumer,
            event: sequence,
            reason: reason.to_owned(),
        };
        let needed = (Right::SkipDeadLetters, &[LetterState::SetAside][..]);
        let about = (consumer, sequence);
        self.decide_again(caller, about, needed, &command, manner, |target, actor| {
            Ok(target.skip(actor, reason)?)
        })
    }

    /// Decides about an event that was decided about before. Without a consumer, the one for which
    /// the event is in one of the states is meant.
    fn decide_again(
        &self,
        caller: &Caller,
        (consumer, sequence): (Option<Consumer>, Sequence),
        (right, states): (Right, &[LetterState]),
        command: &impl Serialize,
        manner: &Manner,
        decide: impl Fn(&Target, &User) -> Result<Vec<Event>, AppError>,
    ) -> Result<Outcome, AppError> {
        if let Some(replayed) =
            self.replayed_or_allowed(caller, right, sequence, command, manner)?
        {
            return Ok(replayed);
        }
        let consumer = self.meant(consumer, sequence, |consumer| {
            self.is_in(consumer, sequence, states)
        })?;
        dispatch::with_lock(&self.around(), consumer, || {
            self.decide(caller, consumer, sequence, command, manner, decide)
        })
    }

    fn is_in(
        &self,
        consumer: Consumer,
        sequence: Sequence,
        states: &[LetterState],
    ) -> Result<bool, AppError> {
        let state = state_of(&self.index()?.resolutions()?, consumer, sequence);
        Ok(state.is_some_and(|state| states.contains(&state)))
    }

    /// The named consumer, or the only one that fits; accounting if none does.
    fn meant(
        &self,
        named: Option<Consumer>,
        sequence: Sequence,
        fits: impl Fn(Consumer) -> Result<bool, AppError>,
    ) -> Result<Consumer, AppError> {
        if let Some(named) = named {
            return Ok(named);
        }
        let mut fitting = Vec::new();
        for consumer in CONSUMERS {
            if fits(consumer)? {
                fitting.push(consumer);
            }
        }
        match fitting[..] {
            [] => Ok(Consumer::Accounting),
            [only] => Ok(only),
            _ => Err(AppError::SeveralConsumers {
                sequence,
                consumers: fitting,
            }),
        }
    }

    fn decide(
        &self,
        caller: &Caller,
        consumer: Consumer,
        sequence: Sequence,
        command: &impl Serialize,
        manner: &Manner,
        decide: impl Fn(&Target, &User) -> Result<Vec<Event>, AppError>,
    ) -> Result<Outcome, AppError> {
        let index = self.index()?;
        self.carry_out(
            &index,
            caller.user.id,
            command,
            manner,
            |actor, at, dice| {
                let target = target(&self.around(), &index, consumer, sequence)?;
                Ok(with_ids(decide(&target, actor)?, at, dice))
            },
        )
    }
}

fn state_of(
    resolutions: &[Resolution],
    consumer: Consumer,
    sequence: Sequence,
) -> Option<LetterState> {
    let about =
        |resolution: &&Resolution| (resolution.consumer, resolution.target) == (consumer, sequence);
    resolutions
        .iter()
        .rev()
        .find(about)
        .map(|resolution| resolution.state)
}

fn target(
    around: &Surroundings<'_>,
    index: &StateIndex,
    consumer: Consumer,
    sequence: Sequence,
) -> Result<Target, AppError> {
    let line = around.log.line(sequence)?;
    let line = line.line();
    let data: Value = serde_json::from_str(line.data).unwrap_or_default();
    let members = ["user_id", "assignee_id", "completed_by"]
        .iter()
        .filter_map(|member| data[member].as_str());
    // A cancellation gives every fee of its task back.
    let charged = match line.kind() {
        LineKind::Known(EventKind::TaskCancelled) => index.assignees(line.subject)?,
        _ => Vec::new(),
    };
    let touches: Vec<UserId> = members
        .chain(line.subject.strip_prefix("user/"))
        .filter_map(|id| id.parse().ok())
        .chain(charged)
        .collect();
    let state = state_of(&index.resolutions()?, consumer, sequence);
    Ok(Target {
        consumer,
        sequence,
        id: line.event_id()?,
        is_of_the_books: is_of_the_books(&line),
        touches,
        state,
    })
}
