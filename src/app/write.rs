//! Carries a command out: lock, bring the index to the head, replay or decide, append, apply.

use std::borrow::Cow;

use serde::Serialize;

use crate::app::command::{Command, hash};
use crate::app::{App, AppError};
use crate::consumers::{self, report_recovery, tracker};
use crate::credentials::secret::without_tokens;
use crate::domain::dice::Dice;
use crate::domain::event::{Actor, Event, Fact};
use crate::domain::id::{EventId, Sequence, UserId};
use crate::domain::rejection::Rejection;
use crate::domain::time::EventTime;
use crate::domain::user::User;
use crate::event_log::{Batch, FileLog, Writer};
use crate::state::{Checkpoint, GivenCommand, Recorded, StateIndex, set_aside};

/// Keys that popug-cli makes itself begin so.
const RESERVED_PREFIXES: [&str; 4] = ["accounting/", "close/", "notifier/", "import/"];
pub(crate) const KEY_BYTES_MAX: usize = 512;

/// How a command is to be carried out.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// The idempotency key that the caller gave.
    pub key: Option<String>,
}

/// What a command did.
#[derive(Debug)]
pub struct Outcome {
    /// The events of the batch, empty if nothing had to change.
    pub events: Vec<(Sequence, Event)>,
    /// The batch was appended by an earlier call with the same key.
    pub replayed: bool,
}

impl App<'_> {
    /// Carries `command` out as `caller`.
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
            &tracker::open_index(&self.around())?,
            caller,
            command,
            manner,
        )
    }

    /// The same with an index that is open already, wherever it stands.
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
        self.execute_deciding(index, caller, command, manner, |actor, at, dice| {
            command.decide(index, actor, at, dice)
        })
    }

    /// The same, with `decide` in place of the command's own decision.
    pub(super) fn execute_deciding(
        &self,
        index: &StateIndex,
        caller: UserId,
        command: &impl Serialize,
        manner: &Manner,
        decide: impl FnOnce(&User, EventTime, &mut dyn Dice) -> Result<Vec<Event>, AppError>,
    ) -> Result<Outcome, AppError> {
        let mut writer = self.log.writer(&self.around().patience())?;
        report_recovery(writer.recovery(), self.notices);
        tracker::catch_up(&self.around(), index)?;
        let actor = self.actor(index, caller)?;
        if let Some(replayed) = self.replay(index, &actor, command, manner)? {
            return Ok(replayed);
        }
        let stamped = self.stamp(&writer);
        let time = stamped
            .as_ref()
            .ok()
            .copied()
            .or(writer.last_time())
            .unwrap_or_else(|| self.environment.now());
        let mut dice = self
            .environment
            .dice(&writer.head().sequence.next().to_string());
        let events = in_order(stamped, decide(&actor, time, dice.as_mut()))?;
        check_key(manner)?;
        if events.is_empty() {
            return Ok(Outcome {
                events: Vec::new(),
                replayed: false,
            });
        }
        let facts = with_ids(events, || EventId::from_uuid(dice.uuid_v7(time)));
        let batch = Batch {
            time,
            actor: Actor::User(actor.id),
            command_id: manner
                .key
                .clone()
                .unwrap_or_else(|| dice.uuid_v7(time).to_string()),
            command_hash: manner.key.as_ref().map(|_| hash(command, actor.id)),
            facts,
        };
        self.append_and_follow(&mut writer, index, batch)
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

    /// The first result again, if the key was used for the same content.
    pub(super) fn replay(
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

    /// The time of the next batch.
    ///
    /// # Errors
    /// [`Rejection::ClockBehind`], naming the last event before the clock ran ahead.
    pub(super) fn stamp(&self, writer: &Writer<'_>) -> Result<EventTime, AppError> {
        Ok(consumers::stamp(writer.last_time(), &self.around())?)
    }

    fn append_and_follow(
        &self,
        writer: &mut Writer<'_>,
        index: &StateIndex,
        batch: Batch,
    ) -> Result<Outcome, AppError> {
        let expected = *writer.head();
        let head = writer.append(&expected, &batch)?;
        // From here on the command has succeeded. An index that cannot follow is brought to the head
        // by whoever needs it next.
        let first = expected.sequence.next();
        let follow = || {
            index.begin()?;
            Recorded::of_batch(&batch, first).try_for_each(|recorded| index.apply(&recorded))?;
            index.set_checkpoint(&Checkpoint::from(&head))?;
            index.commit()
        };
        if let Err(error) = follow() {
            let _ = index.rollback();
            let damaged = error.damaged_file();
            if let Some(Ok(Some(aside))) = damaged.map(|file| set_aside(file)) {
                self.notices.warn(&format!(
                    "{error}; it is kept as {}, and the next command makes it anew from the log",
                    aside.display()
                ));
            }
        }
        Ok(Outcome {
            events: numbered(batch, first),
            replayed: false,
        })
    }
}

/// A clock that is behind is a matter of state: it is heard after what does not exist and what is
/// not allowed, and before anything else.
fn in_order(
    stamped: Result<EventTime, AppError>,
    decided: Result<Vec<Event>, AppError>,
) -> Result<Vec<Event>, AppError> {
    let comes_first = |refused: &AppError| match refused {
        AppError::Rejected(rejection) => rejection.precedes_clock(),
        _ => true,
    };
    match (stamped, decided) {
        (Ok(_), decided) => decided,
        (Err(_), Err(refused)) if comes_first(&refused) => Err(refused),
        (Err(clock), _) => Err(clock),
    }
}

/// What a key that somebody gives must be like.
///
/// # Errors
/// [`Rejection::Empty`], [`Rejection::TooLong`], [`Rejection::TokenInKey`], [`Rejection::ReservedKey`]
pub(super) fn check_key(manner: &Manner) -> Result<(), Rejection> {
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
    // A reader of the log or of a backup could act with the token.
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
pub(super) fn with_ids(events: Vec<Event>, mut id: impl FnMut() -> EventId) -> Vec<Fact> {
    events
        .into_iter()
        .map(|event| Fact {
            id: id(),
            causation: None,
            event,
        })
        .collect()
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

    /// A task of `dora`, and an event that a process appended before it died: the index has not read it.
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
            facts: with_ids(vec![event(assigned)], || {
                EventId::from_uuid(uuid::Uuid::max())
            }),
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
    fn whoever_was_deactivated_a_moment_ago_writes_nothing() {
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
