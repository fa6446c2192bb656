//! `dlq list`, `dlq show`, `dlq set-aside`, `dlq retry`, `dlq skip`

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::app::dead_letters::{CONSUMERS, DeadLetter};
use crate::app::write::Outcome;
use crate::cli::answer::Answer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::indented::indented;
use crate::cli::invocation::{Invocation, OpenStore};
use crate::cli::nature::Nature;
use crate::cli::rows::RowArgs;
use crate::domain::dead_letter::LetterState;
use crate::domain::displayed::Displayed;
use crate::domain::event::{Actor, Consumer, Event};
use crate::domain::id::Sequence;
use crate::domain::time::EventTime;
use crate::reports::table::Table;
use crate::state::{Resolution, StateIndex};

#[derive(Subcommand, Debug)]
pub(crate) enum Dlq {
    /// List the events about which an operator decided
    List(List),
    /// Show a dead letter: the event in the log, the decisions about it, and the events that wait for it
    Show(Show),
    /// Let a consumer continue without the event that stops it; later events of the same task or user wait
    SetAside(SetAside),
    /// Let the consumer's next run apply the event in its own place
    Retry(Decide),
    /// Leave the event out for ever; the events that waited for it are applied
    Skip(Decide),
}

#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    rows: RowArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Show {
    /// The event's sequence
    sequence: u64,
}

#[derive(Args, Debug)]
pub(crate) struct SetAside {
    /// The event's sequence
    sequence: u64,
    /// accounting, analytics or notifier; by default the consumer that stops there
    #[arg(long, value_parser = parse_consumer)]
    consumer: Option<Consumer>,
    /// The reason; by default the error that stops the consumer
    #[arg(long, allow_hyphen_values = true)]
    reason: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Decide {
    /// The event's sequence
    sequence: u64,
    /// accounting, analytics or notifier; by default the consumer that has set the event aside
    #[arg(long, value_parser = parse_consumer)]
    consumer: Option<Consumer>,
    /// The reason
    #[arg(long, allow_hyphen_values = true)]
    reason: Option<String>,
}

fn parse_consumer(text: &str) -> Result<Consumer, String> {
    let found = Consumer::named(text).filter(|consumer| CONSUMERS.contains(consumer));
    found.ok_or_else(|| "an event is set aside for accounting, analytics or notifier".to_owned())
}

impl Dlq {
    pub(crate) const fn nature(&self) -> Nature {
        match self {
            Dlq::List(_) | Dlq::Show(_) => Nature::ASKS,
            Dlq::SetAside(_) | Dlq::Retry(_) | Dlq::Skip(_) => Nature::DOES_AND_ANSWERS,
        }
    }

    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let store = invocation.store()?;
        let (app, caller, manner) = (&store.app, &store.caller, invocation.manner());
        let outcome = match self {
            Dlq::List(List { rows }) => {
                let letters = app.dead_letters(caller, &store.index)?;
                let table = table(&store.index, &letters);
                invocation.emit_list(&store, rows, "dead-letters", table)?;
                return Ok(Exit::Done);
            }
            Dlq::Show(Show { sequence }) => return show(invocation, &store, Sequence(sequence)),
            Dlq::SetAside(SetAside {
                sequence,
                consumer,
                reason,
            }) => app.set_aside(
                caller,
                consumer,
                Sequence(sequence),
                reason.as_deref(),
                &manner,
            )?,
            Dlq::Retry(Decide {
                sequence,
                consumer,
                reason,
            }) => {
                // The rule refuses an empty reason, in its place among the other refusals.
                let reason = reason.as_deref().unwrap_or_default();
                app.retry_event(caller, consumer, Sequence(sequence), reason, &manner)?
            }
            Dlq::Skip(Decide {
                sequence,
                consumer,
                reason,
            }) => {
                let reason = reason.as_deref().unwrap_or_default();
                app.skip_event(caller, consumer, Sequence(sequence), reason, &manner)?
            }
        };
        invocation.emit_outcome(&store, || decided(invocation, &store, &outcome))?;
        Ok(Exit::Done)
    }
}

/// The dead letter after the decision.
fn decided(
    invocation: &Invocation<'_>,
    store: &OpenStore<'_>,
    outcome: &Outcome,
) -> Result<(), Failure> {
    let (consumer, target) = match outcome.events.first() {
        Some((_, Event::EventSetAside(e))) => (e.consumer, e.target_sequence),
        Some((_, Event::EventRetried(e))) => (e.consumer, e.target_sequence),
        Some((_, Event::EventSkipped(e))) => (e.consumer, e.target_sequence),
        _ => unreachable!("a decision is one event"),
    };
    let index = store.app.index()?;
    let letters = store.app.dead_letters(&store.caller, &index)?;
    let is_this = |letter: &DeadLetter| {
        (letter.resolution.consumer, letter.resolution.target) == (consumer, target)
    };
    let letters: Vec<DeadLetter> = letters.into_iter().filter(is_this).collect();
    let table = table(&index, &letters);
    invocation.emit_list(store, RowArgs::default(), "dead-letters", table)?;
    invocation
        .reporter
        .note(&format!("`popug-cli consume {}` goes on", consumer.name()));
    Ok(())
}

fn table(index: &StateIndex, letters: &[DeadLetter]) -> Table {
    let login = |letter: &DeadLetter| match letter.resolution.by {
        Actor::User(id) => index.user(id).ok().flatten().map(|user| user.login),
        Actor::System(consumer) => Some(consumer.name().to_owned()),
    };
    Table::builder()
        .int(
            "sequence",
            letters
                .iter()
                .map(|letter| Some(letter.resolution.target.0)),
        )
        .text(
            "consumer",
            letters
                .iter()
                .map(|letter| Some(letter.resolution.consumer.name())),
        )
        .text(
            "standing",
            letters
                .iter()
                .map(|letter| Some(letter.resolution.state.name())),
        )
        .text("type", letters.iter().map(|letter| Some(&letter.type_name)))
        .text(
            "subject",
            letters.iter().map(|letter| Some(&letter.subject)),
        )
        .text("time", letters.iter().map(|letter| Some(&letter.time)))
        .int("waiting", letters.iter().map(|letter| Some(letter.waiting)))
        .text(
            "reason",
            letters.iter().map(|letter| Some(&letter.resolution.reason)),
        )
        .text("decided_by", letters.iter().map(login))
        .time(
            "decided_at",
            letters.iter().map(|letter| Some(letter.resolution.at)),
        )
        .int(
            "decided_sequence",
            letters
                .iter()
                .map(|letter| Some(letter.resolution.sequence.0)),
        )
        .build()
}

/// A dead letter with all that is known about it.
#[derive(Serialize)]
struct Shown<'a> {
    /// The event as in the log.
    event: &'a RawValue,
    decisions: Vec<Decision<'a>>,
    waiting: Vec<Waits>,
}

#[derive(Serialize)]
struct Decision<'a> {
    consumer: Consumer,
    standing: &'static str,
    reason: &'a str,
    by: String,
    at: EventTime,
    sequence: Sequence,
}

#[derive(Serialize)]
struct Waits {
    consumer: Consumer,
    sequence: Sequence,
    #[serde(rename = "type")]
    type_name: String,
    time: String,
}

fn show(
    invocation: &Invocation<'_>,
    store: &OpenStore<'_>,
    sequence: Sequence,
) -> Result<Exit, Failure> {
    let (line, decisions) = store
        .app
        .dead_letter(&store.caller, &store.index, sequence)?;
    let waiting = waiting(store, &decisions, sequence)?;
    let shown = Shown {
        event: serde_json::from_str(line.line().text).map_err(std::io::Error::from)?,
        decisions: decisions.iter().map(Decision::of).collect(),
        waiting,
    };
    let table = Table::builder()
        .int("sequence", [Some(sequence.0)])
        .text("type", [Some(line.line().type_name)])
        .text("subject", [Some(line.line().subject)])
        .text("time", [Some(line.line().time)])
        .int("waiting", [Some(shown.waiting.len() as u64)])
        .text("event", [Some(line.line().text)]);
    let lines = lines(&shown);
    invocation.answer(&Answer::shown(table, lines).with_object(&shown)?)?;
    Ok(Exit::Done)
}

fn waiting(
    store: &OpenStore<'_>,
    decisions: &[Resolution],
    sequence: Sequence,
) -> Result<Vec<Waits>, Failure> {
    let mut waiting = Vec::new();
    for consumer in CONSUMERS {
        let last = decisions
            .iter()
            .rev()
            .find(|made| made.consumer == consumer);
        if last.is_some_and(|made| made.state == LetterState::SetAside) {
            let events = store.app.waiting_for(consumer, sequence)?;
            waiting.extend(events.into_iter().map(|event| {
                let (type_name, time) = (event.type_name, event.time);
                Waits {
                    consumer,
                    sequence: event.sequence,
                    type_name,
                    time,
                }
            }));
        }
    }
    Ok(waiting)
}

impl Decision<'_> {
    fn of(made: &Resolution) -> Decision<'_> {
        let Resolution {
            sequence,
            consumer,
            state,
            reason,
            by,
            at,
            ..
        } = made;
        let by = by.to_string();
        Decision {
            consumer: *consumer,
            standing: state.name(),
            reason,
            by,
            at: *at,
            sequence: *sequence,
        }
    }
}

/// For people: the event, then the decisions, then the waiting events.
fn lines(shown: &Shown<'_>) -> String {
    let mut text = indented(shown.event.get());
    for made in &shown.decisions {
        let _ = write!(
            text,
            "\n{}  {} for {}, by {}: ",
            made.at,
            made.standing,
            made.consumer.name(),
            made.by
        );
        let _ = write!(text, "{}", Displayed(made.reason));
    }
    if shown.decisions.is_empty() {
        text.push_str("\nnothing was decided about it");
    }
    for event in &shown.waiting {
        let _ = write!(
            text,
            "\nwaits for {}: event {}, {} of {}",
            event.consumer.name(),
            event.sequence,
            event.type_name,
            event.time
        );
    }
    text.push('\n');
    text
}
