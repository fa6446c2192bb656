//! Carries a request out: takes the turn, brings the index to the head, replays or decides,
//! appends, applies.

use std::borrow::Cow;

use serde::Serialize;

use crate::app::command::{Command, hash};
use crate::app::{App, AppError};
use crate::consumers::ConsumeError;
use crate::credentials::secret::without_tokens;
use crate::domain::IMPORT_KEY_PREFIX;
use crate::domain::dice::Dice;
use crate::domain::event::{Actor, Event, Fact};
use crate::domain::id::{EventId, Sequence, UserId};
use crate::domain::rejection::Rejection;
use crate::domain::time::EventTime;
use crate::domain::user::User;
use crate::event_log::{Batch, FileLog, Hash, LogError, Tail};
use crate::state::{Check, GivenCommand, Recorded, StateError, StateIndex, move_aside};
use crate::turn::clock::StampError;
use crate::turn::index::{catch_up, open_index};
use crate::turn::{Turn, begin_again};

/// The prefixes of keys that popug-cli makes itself.
const RESERVED_PREFIXES: [&str; 4] = ["accounting/", "close/", "notifier/", IMPORT_KEY_PREFIX];
pub(crate) const KEY_BYTES_MAX: usize = 512;

/// How to carry a command out.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// The idempotency key that the caller gave.
    pub key: Option<String>,
}

/// The result of a command.
#[derive(Debug)]
pub struct Outcome {
    /// The events of the batch; empty if nothing had to change.
    pub events: Vec<(Sequence, Event)>,
    /// An earlier call with the same key appended the batch.
    pub replayed: bool,
}

impl App<'_> {
    /// Carries `command` out for `caller`.
    ///
    /// # Errors
    /// Refusals in the order: key known with other content, unknown id, role, state, text.
    pub fn execute(
        &self,
        caller: UserId,
        command: &Command,
        manner: &Manner,
    ) -> Result<Outcome, AppError> {
        self.execute_on(
            &open_index(&self.around(), Check::Headers)?,
            caller,
            command,
            manner,
        )
    }

    /// The same with an open index, at any event.
    ///
    /// # Errors
    /// As [`App::execute`].
    pub fn execute_on(
        &self,
        index: &StateIndex,
        caller: UserId,
        command: &Command,
        manner: &Manner,
    ) -> Result<Outcome, AppError> {
        self.carry_out(index, caller, command, manner, |actor, at, dice| {
            let events = command.decide(index, actor, at, dice)?;
            Ok(with_ids(events, at, dice))
        })
    }

    /// Carries out any request of a caller. All requests go this way: take the turn, bring the
    /// index to the head, replay a known key, stamp, decide, append, apply. If another decider came
    /// first, it begins again.
    ///
    /// # Errors
    /// Refusals in the order: key known with other content; refusals of `decide` that precede the
    /// clock; a clock that is behind; other refusals of `decide`; the key.
    pub(super) fn carry_out(
        &self,
        index: &StateIndex,
        caller: UserId,
        request: &impl Serialize,
        manner: &Manner,
        mut decide: impl FnMut(&User, EventTime, &mut dyn Dice) -> Result<Vec<Fact>, AppError>,
    ) -> Result<Outcome, AppError> {
        let around = self.around();
        begin_again(|| {
            let mut turn = around.take_turn()?;
            catch_up(&around, index)?;
            let actor = self.actor(index, caller)?;
            if let Some(replayed) = self.earlier_outcome(index, &actor, request, manner)? {
                return Ok(replayed);
            }
            let stamped = turn.stamp();
            // Refusals that precede the clock's are looked for even if the clock is behind.
            let time = match (&stamped, turn.last_time()) {
                (Ok(time), _) => *time,
                (Err(_), last) => last.unwrap_or_else(|| self.environment.now()),
            };
            let first = turn.head().sequence.next();
            let mut dice = self.environment.dice(&first.to_string());
            let facts = in_order(stamped, decide(&actor, time, dice.as_mut()))?;
            check_key(manner)?;
            if facts.is_empty() {
                return Ok(Outcome {
                    events: Vec::new(),
                    replayed: false,
                });
            }
            let key = manner.key.as_deref();
            let key = key.map(|key| (key, hash(request, actor.id)));
            let batch = batch_of(facts, time, &actor, key, dice.as_mut());
            self.append_and_follow(&mut turn, index, batch)
        })
    }

    /// The caller's present state from the index, if they may write at all.
    pub(super) fn actor(&self, index: &StateIndex, caller: UserId) -> Result<User, AppError> {
        self.check_pins(&self.company(index)?)?;
        let actor = index.user(caller)?.ok_or_else(|| Rejection::UnknownUser {
            name: caller.to_string(),
        })?;
        if !actor.active {
            return Err(Rejection::ActorDeactivated { login: actor.login }.into());
        }
        Ok(actor)
    }

    /// The first result, if the key was used for the same content.
    pub(super) fn earlier_outcome(
        &self,
        index: &StateIndex,
        actor: &User,
        command: &impl Serialize,
        manner: &Manner,
    ) -> Result<Option<Outcome>, AppError> {
        let Some(key) = &manner.key else {
            return Ok(None);
        };
        let Some(given) = index.given_command(key)? else {
            return Ok(None);
        };
        if given.command_hash != hash(command, actor.id) {
            return Err(Rejection::KeyReused {
                key: key.clone(),
                first_sequence: given.first,
            }
            .into());
        }
        let events = read_batch(&self.log, &given)?;
        Ok(Some(Outcome {
            events,
            replayed: true,
        }))
    }

    /// Says so of a request whose append failed, if all of it stands behind the head. The writer lock is still held.
    fn is_acknowledged_later(&self, head: Sequence, error: LogError) -> AppError {
        let is_written = |tail: Tail| tail.end.sequence > head;
        match error {
            LogError::Io { .. } if self.log.tail().is_ok_and(is_written) => {
                AppError::NotAcknowledged { source: error }
            }
            other => other.into(),
        }
    }

    /// The index could not follow what the log has: the next command brings it to the head. A
    /// damaged file is moved aside for it.
    pub(super) fn did_not_follow(&self, error: &StateError) {
        let damaged = error.damaged_file();
        if let Some(Ok(Some(aside))) = damaged.map(|file| move_aside(file)) {
            self.notices.warn(&format!(
                "{error}; it is kept as {}, and the next command rebuilds it from the log",
                aside.display()
            ));
        }
    }

    fn append_and_follow(
        &self,
        turn: &mut Turn<'_>,
        index: &StateIndex,
        batch: Batch,
    ) -> Result<Outcome, AppError> {
        let followed = index.checkpoint()?;
        let through = turn
            .append(&followed, &batch)
            .map_err(|error| self.is_acknowledged_later(followed.sequence, error))?;
        // From here on the command has succeeded. An index that cannot follow is brought to the head
        // by whoever needs it next.
        let first = followed.sequence.next();
        let follow = || {
            index.begin()?;
            Recorded::of_batch(&batch, first).try_for_each(|recorded| index.apply(&recorded))?;
            index.set_checkpoint(&through)?;
            index.commit()
        };
        if let Err(error) = follow() {
            let _ = index.rollback();
            self.did_not_follow(&error);
        }
        Ok(Outcome {
            events: numbered(batch, first),
            replayed: false,
        })
    }
}

/// A clock that is behind is a conflict with the state: it is reported after unknown names and
/// missing rights, and before everything else.
fn in_order(
    stamped: Result<EventTime, StampError>,
    decided: Result<Vec<Fact>, AppError>,
) -> Result<Vec<Fact>, AppError> {
    let comes_first = |refused: &AppError| match refused {
        AppError::Rejected(rejection) | AppError::Consume(ConsumeError::Rejected(rejection)) => {
            rejection.precedes_clock()
        }
        _ => true,
    };
    match (stamped, decided) {
        (Ok(_), decided) => decided,
        (Err(_), Err(refused)) if comes_first(&refused) => Err(refused),
        (Err(clock), _) => Err(clock.into()),
    }
}

/// Checks a given key.
///
/// # Errors
/// [`Rejection::Empty`], [`Rejection::TooLong`], [`Rejection::TokenInKey`],
/// [`Rejection::ReservedKey`]
fn check_key(manner: &Manner) -> Result<(), Rejection> {
    let Some(key) = &manner.key else {
        return Ok(());
    };
    if key.trim().is_empty() {
        return Err(Rejection::Empty { what: "key" });
    }
    if key.len() > KEY_BYTES_MAX {
        return Err(Rejection::TooLong {
            what: "key",
            unit: "bytes",
            length: key.len(),
            max: KEY_BYTES_MAX,
        });
    }
    // A person who reads the log or a backup could use the token.
    if matches!(without_tokens(key), Cow::Owned(_)) {
        return Err(Rejection::TokenInKey);
    }
    if RESERVED_PREFIXES
        .iter()
        .any(|prefix| key.starts_with(prefix))
    {
        return Err(Rejection::ReservedKey { key: key.clone() });
    }
    Ok(())
}

/// Gives each event its id.
pub(super) fn with_ids(events: Vec<Event>, at: EventTime, dice: &mut dyn Dice) -> Vec<Fact> {
    let fact = |event| Fact {
        id: EventId::from_uuid(dice.uuid_v7(at)),
        causation: None,
        event,
    };
    events.into_iter().map(fact).collect()
}

/// The batch of `actor`'s events, under the given key with the hash of the request, or under a new
/// key.
pub(super) fn batch_of(
    facts: Vec<Fact>,
    time: EventTime,
    actor: &User,
    key: Option<(&str, Hash)>,
    dice: &mut dyn Dice,
) -> Batch {
    let (command_id, command_hash) = match key {
        Some((key, hash)) => (key.to_owned(), Some(hash)),
        None => (dice.uuid_v7(time).to_string(), None),
    };
    Batch {
        time,
        actor: Actor::User(actor.id),
        command_id,
        command_hash,
        facts,
    }
}

fn numbered(batch: Batch, first: Sequence) -> Vec<(Sequence, Event)> {
    batch
        .facts
        .into_iter()
        .zip(0..)
        .map(|(fact, index)| (first.plus(index), fact.event))
        .collect()
}

fn read_batch(log: &FileLog, given: &GivenCommand) -> Result<Vec<(Sequence, Event)>, AppError> {
    let mut reader = log.read(given.first)?;
    let mut events = Vec::new();
    while let Some(line) = reader.next_line()? {
        events.push((line.sequence, line.event()?));
        if line.more == 0 {
            break;
        }
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fixture::Store;
    use crate::domain::event::{TaskAssigned, TaskCompleted, UserDeactivated};
    use crate::domain::task::Add;
    use crate::domain::user::Register;

    /// A task of `dora`, and an event that a process appended before it died; the index has not
    /// read it.
    fn behind(event: impl FnOnce(&TaskAssigned) -> Event) -> (Store, UserId, Vec<u8>) {
        let store = Store::new();
        let app = store.app();
        let (anna, manner) = (store.caller("anna").user.id, Manner::default());
        let text = |text: &str| text.to_owned();
        let register = Command::RegisterUser(Register {
            login: text("dora"),
            full_name: text("Dora"),
            email: text("dora@popug.example"),
            role: text("developer"),
        });
        app.execute(anna, &register, &manner).unwrap();
        let add = Command::AddTask(Add::new(text("One"), None, None));
        let added = app.execute(anna, &add, &manner).unwrap();
        let [_, (_, Event::TaskAssigned(assigned))] = &added.events[..] else {
            panic!("{added:?}")
        };
        let mut writer = app.log.writer(&app.around().patience()).unwrap();
        let batch = Batch {
            time: writer.last_time().unwrap(),
            actor: Actor::User(assigned.assignee_id),
            command_id: text("somebody else's"),
            command_hash: None,
            facts: vec![Fact {
                id: EventId::from_uuid(uuid::Uuid::max()),
                causation: None,
                event: event(assigned),
            }],
        };
        let head = *writer.head();
        let _ = writer.append(&head, &batch).unwrap();
        drop(writer);
        let assignee = assigned.assignee_id;
        drop(app);
        let log = store.log_bytes();
        (store, assignee, log)
    }

    #[test]
    fn a_command_is_decided_on_all_that_the_log_has() {
        let completed = |assigned: &TaskAssigned| {
            let (task_id, completed_by, assignment_no) =
                (assigned.task_id, assigned.assignee_id, 1);
            TaskCompleted {
                task_id,
                completed_by,
                assignment_no,
            }
            .into()
        };
        let (store, dora, log) = behind(completed);
        let again = Command::CompleteTasks {
            tasks: vec!["1".into()],
        };
        let refused = store.app().execute(dora, &again, &Manner::default());
        assert!(
            matches!(
                refused,
                Err(AppError::Rejected(Rejection::AlreadyCompleted {
                    number: 1
                }))
            ),
            "{refused:?}"
        );
        assert!(store.log_bytes() == log);
    }

    #[test]
    fn a_user_who_was_deactivated_a_moment_ago_writes_nothing() {
        let (store, dora, log) = behind(|assigned| {
            UserDeactivated {
                user_id: assigned.assignee_id,
                reason: None,
            }
            .into()
        });
        let complete = Command::CompleteTasks {
            tasks: vec!["1".into()],
        };
        let refused = store.app().execute(dora, &complete, &Manner::default());
        assert!(
            matches!(refused, Err(AppError::Rejected(Rejection::ActorDeactivated { ref login })) if login == "dora"),
            "{refused:?}"
        );
        assert!(store.log_bytes() == log);
    }
}
