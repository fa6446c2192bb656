//! Dead letters: the events that a consumer leaves out, the events that wait, and the rights to
//! decide.
//!
//! The state of a consumer is [`Books`] that apply only the lines that it does not leave out.

use jiff::civil::Date;
use popug_cli::domain::event::Consumer;
use serde_json::{Value, json};

use super::books::{Books, Cause, Owed, User, text};
use super::calendar::micros;
use super::command::Command;
use super::rules::{Decided, Draft, Refusal, draft};

pub const ACCOUNTING: &str = "accounting";
pub const ANALYTICS: &str = "analytics";
pub const NOTIFIER: &str = "notifier";
/// Those that can set an event aside.
pub const CONSUMERS: [&str; 3] = [ACCOUNTING, ANALYTICS, NOTIFIER];

/// A decision about an event.
#[derive(Clone)]
pub struct Letter {
    pub consumer: String,
    pub target: u64,
    /// `event.set_aside.v1`, `event.retried.v1` or `event.skipped.v1`.
    pub kind: String,
}

const SET_ASIDE: &str = "event.set_aside.v1";
const SKIPPED: &str = "event.skipped.v1";

impl Books {
    pub fn line(&self, sequence: u64) -> Option<&Value> {
        self.lines
            .get(usize::try_from(sequence.checked_sub(1)?).expect("small"))
            .map(|line| &**line)
    }

    /// The last decision.
    fn standing(&self, consumer: &str, target: u64) -> Option<&str> {
        let about = |letter: &&Letter| letter.consumer == consumer && letter.target == target;
        self.letters
            .iter()
            .rev()
            .find(about)
            .map(|letter| letter.kind.as_str())
    }

    /// The events with this last decision for a consumer, in their order.
    fn standing_so(&self, consumer: &str, kind: &str) -> Vec<&Value> {
        let mut targets: Vec<u64> = self.letters.iter().map(|letter| letter.target).collect();
        targets.sort_unstable();
        targets.dedup();
        targets.retain(|target| self.standing(consumer, *target) == Some(kind));
        targets
            .into_iter()
            .filter_map(|target| self.line(target))
            .collect()
    }

    /// The events that wait for a decision.
    pub fn set_aside(&self, consumer: &str) -> Vec<u64> {
        self.standing_so(consumer, SET_ASIDE)
            .into_iter()
            .map(place)
            .collect()
    }

    pub fn is_decided(&self, consumer: &str, target: u64) -> bool {
        self.standing(consumer, target).is_some()
    }

    pub fn leaves_out(&self, consumer: &str, line: &Value) -> bool {
        let is_left_out = matches!(
            self.standing(consumer, place(line)),
            Some(SET_ASIDE | SKIPPED)
        );
        let posts = consumer == ACCOUNTING && is_of_the_books(line);
        let mut set_aside = self.standing_so(consumer, SET_ASIDE).into_iter();
        is_left_out
            || set_aside.any(|other| {
                let counts = if posts { is_of_the_books(other) } else { true };
                place(other) < place(line)
                    && counts
                    && (other["subject"] == line["subject"]
                        || !posts && concerns_user_of(other, line))
            })
    }

    /// The books in the state of a consumer.
    pub fn seen_by(&self, consumer: &str) -> Books {
        let mut seen = Books {
            letters: self.letters.clone(),
            ..self.empty()
        };
        for line in self
            .lines
            .iter()
            .filter(|line| !self.leaves_out(consumer, line))
        {
            seen.follow(line);
        }
        Books {
            head: self.head,
            last_time: self.last_time,
            ..seen
        }
    }

    /// The causes for which accounting owes entries now.
    pub fn due(&self) -> impl Iterator<Item = &Cause> {
        let is_due = |cause: &&Cause| {
            !self.leaves_out(ACCOUNTING, self.line(cause.sequence).expect("a line"))
        };
        let is_complete = self.missing_from_the_books().is_none();
        self.owed
            .iter()
            .filter(move |_| is_complete)
            .filter(is_due)
            .filter(|cause| self.is_awaited(cause))
    }

    /// A cancellation has something to do while a fee of its task is left, or still to be charged.
    fn is_awaited(&self, cause: &Cause) -> bool {
        let Owed::FeesBack { keeps, .. } = &cause.what else {
            return true;
        };
        let charges = |other: &Cause| {
            other.task == cause.task
                && matches!(other.what, Owed::Fee { .. })
                && !self.leaves_out(ACCOUNTING, self.line(other.sequence).expect("a line"))
        };
        let has_fees = || !self.fees_left(&cause.task).is_empty() || self.owed.iter().any(charges);
        !keeps && has_fees() || !self.tells_accounting_of(&cause.task)
    }

    /// The event that stops accounting: it owes an event for a task that it does not know.
    pub fn stop(&self) -> Option<u64> {
        self.due()
            .find(|cause| !self.tells_accounting_of(&cause.task))
            .map(|cause| cause.sequence)
    }

    fn tells_accounting_of(&self, task: &str) -> bool {
        let creates =
            |line: &Value| line["type"] == "task.created.v2" && line["data"]["task_id"] == task;
        let created = self.lines.iter().find(|line| creates(line));
        created.is_some_and(|line| !self.leaves_out(ACCOUNTING, line))
    }

    /// An entry, payout, price or close that is set aside: nothing is posted without it.
    pub fn missing_from_the_books(&self) -> Option<u64> {
        self.standing_so(ACCOUNTING, SET_ASIDE)
            .into_iter()
            .find(|line| is_of_the_books(line))
            .map(place)
    }

    /// The event that keeps `date` from being closed.
    pub fn blocks(&self, date: Date) -> Option<u64> {
        let is_of_it = |line: &&Value| self.calendar.date_of(micros(&text(&line["time"]))) <= date;
        let blocking = || {
            self.standing_so(ACCOUNTING, SET_ASIDE)
                .into_iter()
                .find(is_of_it)
                .map(place)
        };
        self.missing_from_the_books().or_else(blocking)
    }

    /// Rule A10. A cancellation touches everybody who ever held the task.
    pub fn touches(&self, line: &Value, actor: &User) -> bool {
        let names = |line: &Value| {
            let members = ["user_id", "assignee_id", "completed_by"];
            members
                .iter()
                .any(|member| line["data"][member] == actor.id.as_str())
        };
        let held = |other: &Value| other["subject"] == line["subject"] && names(other);
        let is_cancellation = line["type"] == "task.cancelled.v1";
        names(line)
            || line["subject"] == format!("user/{}", actor.id)
            || is_cancellation
                && self
                    .lines
                    .iter()
                    .any(|other| is_assignment(other) && held(other))
    }

    pub fn skipped_on(&self, date: Date) -> usize {
        let is_of_it = |line: &&Value| self.calendar.date_of(micros(&text(&line["time"]))) == date;
        self.standing_so(ACCOUNTING, SKIPPED)
            .into_iter()
            .filter(is_of_it)
            .count()
    }

    /// The expected event of a decision. `found` is its line, if there is one.
    pub fn decide_letter(&self, actor: &User, command: &Command, found: &[Value]) -> Decided {
        let (named, sequence, kind, reason) = parts(command);
        let line = self.line(sequence).ok_or((3, "unknown_event"))?;
        let roles: &[&str] = if kind == SKIPPED {
            &["admin"]
        } else {
            &["accountant", "admin"]
        };
        if !roles.contains(&actor.role.as_str()) {
            return Err((5, "role_may_not"));
        }
        let consumer = self.meant(named, sequence, kind)?;
        let is_retry = kind == "event.retried.v1";
        if !is_retry && self.touches(line, actor) {
            return Err((5, "own_account"));
        }
        let standing = self.standing(consumer, sequence);
        match kind {
            SET_ASIDE if consumer != ACCOUNTING || self.stop() != Some(sequence) => {
                return Err((4, "not_stopped"));
            }
            SKIPPED if standing != Some(SET_ASIDE) => return Err((4, "not_set_aside")),
            SKIPPED if is_of_the_books(line) => return Err((4, "books_are_not_skipped")),
            _ if is_retry && !matches!(standing, Some(SET_ASIDE | SKIPPED)) => {
                return Err((4, "not_set_aside"));
            }
            _ => {}
        }
        let reason = match reason.as_deref().map(str::trim) {
            Some("") => return Err((6, "empty")),
            Some(given) => given.to_owned(),
            None => why(found),
        };
        Ok(vec![self.decision(kind, consumer, line, &reason)])
    }

    pub fn decision(
        &self,
        kind: &'static str,
        consumer: &str,
        line: &Value,
        reason: &str,
    ) -> Draft {
        let data = json!({
            "consumer": consumer, "target_sequence": place(line), "target_id": line["id"], "reason": reason,
        });
        let context = CONSUMERS
            .into_iter()
            .find(|name| *name == consumer)
            .expect("one of them");
        draft(context, kind, "company".to_owned(), data)
    }

    /// The named consumer, or the only one that fits.
    fn meant(
        &self,
        named: Option<&'static str>,
        sequence: u64,
        kind: &str,
    ) -> Result<&'static str, Refusal> {
        let fits = |consumer: &&'static str| match (kind, self.standing(consumer, sequence)) {
            (SET_ASIDE, _) | (_, None) => false,
            (SKIPPED, Some(standing)) => standing == SET_ASIDE,
            (_, Some(standing)) => [SET_ASIDE, SKIPPED].contains(&standing),
        };
        let fitting: Vec<_> = CONSUMERS.into_iter().filter(fits).collect();
        match (named, &fitting[..]) {
            (Some(named), _) => Ok(named),
            (None, []) => Ok(ACCOUNTING),
            (None, [only]) => Ok(only),
            (None, _) => Err((2, "several_consumers")),
        }
    }
}

/// Consumer, event, decision and reason.
fn parts(command: &Command) -> (Option<&'static str>, u64, &'static str, Option<String>) {
    let name = |consumer: &Option<Consumer>| consumer.map(Consumer::name);
    match command {
        Command::SetAside {
            consumer,
            event,
            reason,
        } => (name(consumer), event.0, SET_ASIDE, reason.clone()),
        Command::RetryEvent {
            consumer,
            event,
            reason,
        } => (
            name(consumer),
            event.0,
            "event.retried.v1",
            Some(reason.clone()),
        ),
        Command::SkipEvent {
            consumer,
            event,
            reason,
        } => (name(consumer), event.0, SKIPPED, Some(reason.clone())),
        other => unreachable!("{other:?} decides about no event"),
    }
}

/// The program's own reason of a stop.
fn why(found: &[Value]) -> String {
    let said = found
        .first()
        .and_then(|line| line["data"]["reason"].as_str())
        .unwrap_or_default();
    if said.is_empty() {
        "some reason".to_owned()
    } else {
        said.to_owned()
    }
}

fn place(line: &Value) -> u64 {
    text(&line["sequence"]).parse().expect("digits")
}

/// Whether accounting appended it, and not an operator's decision in its name.
fn is_of_the_books(line: &Value) -> bool {
    line["source"] == "/popug/accounting" && !text(&line["type"]).starts_with("event.")
}

/// Whether an event of a user is followed by an assignment to or a completion by the user.
fn concerns_user_of(user_event: &Value, task_event: &Value) -> bool {
    let data = &task_event["data"];
    let user = if data["assignee_id"].is_null() {
        &data["completed_by"]
    } else {
        &data["assignee_id"]
    };
    user.as_str()
        .is_some_and(|user| user_event["subject"] == format!("user/{user}"))
}

fn is_assignment(line: &Value) -> bool {
    text(&line["type"]).starts_with("task.assigned.")
}
