//! Decisions about dead letters, played on the product and on the model.

use popug_cli::app::AppError;
use popug_cli::consumers::ConsumeError;
use popug_cli::domain::event::{Actor, Consumer};
use popug_cli::domain::time::EventTime;
use popug_cli::event_log::Batch;
use serde_json::Value;

use super::bookkeeping::Hand;
use super::books::{Books, User};
use super::command::Command;
use super::letters::{ACCOUNTING, CONSUMERS};
use super::play::{Checked, Play, execute, fact, same, same_refusal};
use super::resolve::pick;
use super::rules::Verdict;
use super::steps::Crash;

impl Play {
    /// Looking for the event that stops accounting lets it run up to that event, which appends.
    pub fn decision(
        &mut self,
        by: &str,
        command: &Command,
        key: Option<&str>,
        crash: Option<Crash>,
    ) -> Checked {
        let (result, found) = self.killed_at(crash, |store| execute(store, by, command, key));
        let now = self.store.now();
        let goes_on = self.lets_accounting_go_on(by, command, key);
        if goes_on && !self.books.postable().is_empty() && self.books.stamp(now).is_err() {
            let refused = result
                .err()
                .ok_or("a decision was made while the clock was behind")?;
            return same_refusal(&refused, (4, "clock_behind"), &found);
        }
        let is_decided = found.last().is_some_and(is_decision);
        let (posted, decided) = found.split_at(found.len() - usize::from(is_decided));
        let expected = if goes_on {
            self.books.reaction(now.max(self.books.last_time), posted)
        } else {
            vec![]
        };
        let is_whole = is_decided || crash.is_none() && self.books.stop().is_none();
        self.appended(&expected, posted, is_whole)?;
        self.follow(posted, None);
        let expected = match (&result, self.books.verdict(by, command, key, now, decided)) {
            (Err(error), Err(refusal)) => return same_refusal(error, refusal, decided),
            (Ok(outcome), Ok(Verdict::Replay(sequences))) => {
                let told: Vec<u64> = outcome
                    .events
                    .iter()
                    .map(|(sequence, _)| sequence.0)
                    .collect();
                same("sequences of a replay", &told, &sequences)?;
                return same(
                    "replayed, appended",
                    &(outcome.replayed, decided.len()),
                    &(true, 0),
                );
            }
            (Ok(_), Ok(Verdict::Append(drafts))) => {
                let at = self.books.stamp(now).expect("refused otherwise");
                self.books
                    .lines(drafts, &Hand::User { id: by, key }, at, decided)
            }
            (Ok(_), Err(refusal)) => {
                return Err(format!("{command:?} was to be refused with {refusal:?}"));
            }
            (Err(error), Ok(_)) => return Err(format!("{command:?} was refused with {error:?}")),
        };
        self.appended(&expected, decided, crash.is_none())?;
        self.follow(decided, Some((by, command, key)));
        Ok(())
    }

    fn lets_accounting_go_on(&self, by: &str, command: &Command, key: Option<&str>) -> bool {
        let Command::SetAside {
            consumer: None | Some(Consumer::Accounting),
            event,
            ..
        } = command
        else {
            return false;
        };
        let actor = self.books.user(by);
        let may = actor.active && ["accountant", "admin"].contains(&actor.role.as_str());
        let is_new = key.is_none_or(|key| !self.books.keys.contains_key(key));
        may && is_new && self.books.line(event.0).is_some()
    }

    /// Another version of the program cannot apply an event, and its user sets the event aside.
    pub fn given_up(&mut self, consumer: &'static str, event: u8) -> Checked {
        let Ok(at) = self.books.stamp(self.store.now()) else {
            return Ok(());
        };
        let candidates = self.books.troublesome(consumer);
        let Some(target) = candidates.get(usize::from(event) % candidates.len().max(1)) else {
            return Ok(());
        };
        let Some(by) = self.books.operator(target) else {
            return Ok(());
        };
        let draft = self.books.decision(
            "event.set_aside.v1",
            consumer,
            target,
            "an old version cannot read it",
        );
        let id = draft.data["target_id"].as_str().expect("an id").to_owned();
        let command_id = format!("the old version, after event {}", self.books.head);
        let mut expected = self.books.lines(
            vec![draft],
            &Hand::User {
                id: &by,
                key: Some(&command_id),
            },
            at,
            &[],
        );
        let (line, minted) = (
            &mut expected[0],
            self.books.derived(&format!("{consumer}/{at}/{id}")),
        );
        line["id"] = minted.into();
        line.as_object_mut().expect("a line").remove("commandhash");
        let time = EventTime::from_micros(at).expect("in range");
        let actor = Actor::User(by.parse().expect("an id"));
        self.append_elsewhere(Batch {
            time,
            actor,
            command_id,
            command_hash: None,
            facts: vec![fact(line)],
        });
        let found = self.store.lines_after(self.books.head);
        self.appended(&expected, &found, true)?;
        self.follow(&found, None);
        Ok(())
    }

    /// Appends as another program that follows the rules of the log.
    pub fn append_elsewhere(&self, batch: Batch) {
        let app = self.store.app();
        let mut writer = app
            .log
            .writer(&app.around().patience())
            .expect("the writer lock");
        let head = *writer.head();
        writer.append(&head, &batch).expect("an append");
    }
}

impl Books {
    /// The undecided events that a consumer reads and can leave out; for accounting, those with
    /// owed events, if there are any.
    fn troublesome(&self, consumer: &str) -> Vec<Value> {
        let is_read = |line: &Value| {
            let of = |kinds: &[&str]| {
                kinds
                    .iter()
                    .any(|kind| line["type"].as_str().is_some_and(|t| t.starts_with(kind)))
            };
            match consumer {
                "accounting" => of(&[
                    "user.",
                    "task.created",
                    "task.changed",
                    "task.assigned",
                    "task.completed",
                    "task.cancelled",
                    "task.priced",
                    "balance.",
                    "day.",
                ]),
                "analytics" => of(&["user.", "task.settled", "balance.", "payout.", "day."]),
                _ => of(&["payout."]),
            }
        };
        let is_open = |line: &&Value| {
            let sequence = super::play::sequence(line);
            is_read(line)
                && line["type"] != "user.registered.v1"
                && !self.is_decided(consumer, sequence)
        };
        let due: Vec<Value> = self
            .due()
            .filter(|_| consumer == ACCOUNTING)
            .filter_map(|cause| self.line(cause.sequence))
            .filter(is_open)
            .cloned()
            .collect();
        let all = self
            .lines
            .iter()
            .map(|line| &**line)
            .filter(is_open)
            .cloned();
        if due.is_empty() { all.collect() } else { due }
    }

    /// A user who may set the event aside.
    fn operator(&self, target: &Value) -> Option<String> {
        let may =
            |user: &&User| user.active && ["admin", "accountant"].contains(&user.role.as_str());
        self.users
            .iter()
            .filter(may)
            .find(|user| !self.touches(target, user))
            .map(|user| user.id.clone())
    }

    /// The event of an order about dead letters: mostly one that waits for a decision.
    pub fn letter(&self, event: u8) -> u64 {
        let waiting: Vec<u64> = CONSUMERS
            .iter()
            .flat_map(|consumer| self.set_aside(consumer))
            .collect();
        let decided: Vec<u64> = self.letters.iter().map(|letter| letter.target).collect();
        match event {
            255 => 999_999,
            230.. => u64::from(event) % self.head + 1,
            ..180 if !waiting.is_empty() => *pick(&waiting, event),
            _ if !decided.is_empty() => *pick(&decided, event),
            _ => self.head,
        }
    }
}

pub fn is_decision(line: &Value) -> bool {
    line["type"]
        .as_str()
        .is_some_and(|kind| kind.starts_with("event."))
}

/// The event at which a consumer stops.
pub fn stopped_at(error: &AppError) -> Option<u64> {
    match error {
        AppError::Consume(ConsumeError::Stopped {
            consumer: Consumer::Accounting,
            sequence,
            ..
        }) => Some(sequence.0),
        _ => None,
    }
}
