//! The commands of auth and tracker, decided from the state index, and the one spelling of every
//! request by which a repeated key is recognised.

use serde::{Serialize, Serializer};

use crate::app::AppError;
use crate::domain::dice::Dice;
use crate::domain::event::{Actor, Consumer, Event};
use crate::domain::id::{Sequence, UserId};
use crate::domain::money::Money;
use crate::domain::rejection::Rejection;
use crate::domain::task::{self, Task};
use crate::domain::time::EventTime;
use crate::domain::user::{self, User};
use crate::event_log::Hash;
use crate::state::{StateIndex, TaskName};

/// A command that is decided from the state index alone.
///
/// Serialized, a request has one spelling: `T-1` is `1`, `[UP-7] Fix it` is a title and a jira id.
/// A text that cannot be read stays as it was typed. [`hash`] compares requests by it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    RegisterUser(user::Register),
    ChangeUser {
        user: String,
        #[serde(flatten)]
        change: user::Change,
    },
    SetRole {
        user: String,
        #[serde(flatten)]
        change: user::SetRole,
    },
    DeactivateUser {
        user: String,
        #[serde(flatten)]
        change: user::Deactivate,
    },
    ReactivateUser {
        user: String,
        #[serde(flatten)]
        change: user::Reactivate,
    },
    AddTask(task::Add),
    CompleteTasks {
        #[serde(serialize_with = "as_task_names")]
        tasks: Vec<String>,
    },
    Reshuffle,
}

/// A correction that somebody asks for. Accounting decides it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "command", rename = "correct_entry")]
pub struct CorrectEntry {
    pub entry: String,
    #[serde(serialize_with = "as_money")]
    pub amount: Option<String>,
    #[serde(serialize_with = "trimmed")]
    pub reason: String,
}

/// A consumer is to leave an event out until it is decided about. Decided under its lock.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "command", rename = "set_aside")]
pub struct SetAside {
    pub consumer: Option<Consumer>,
    pub event: Sequence,
    pub reason: Option<String>,
}

/// A consumer is to apply an event after all. Decided under its lock.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "command", rename = "retry_event")]
pub struct RetryEvent {
    pub consumer: Option<Consumer>,
    pub event: Sequence,
    pub reason: String,
}

/// A consumer is to leave an event out for ever. Decided under its lock.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "command", rename = "skip_event")]
pub struct SkipEvent {
    pub consumer: Option<Consumer>,
    pub event: Sequence,
    pub reason: String,
}

/// SHA-256 of the actor and the request in its one spelling.
pub fn hash(request: &impl Serialize, actor: UserId) -> Hash {
    let request = serde_json::to_string(request).expect("requests serialize");
    Hash::of_bytes(format!("{}\n{request}", Actor::User(actor)).as_bytes())
}

fn as_task_names<S: Serializer>(tasks: &[String], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(tasks.iter().map(|name| TaskName::parse(name).to_string()))
}

/// `5` is `5.00`.
fn as_money<S: Serializer>(amount: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
    let read = |text: &String| {
        text.parse::<Money>()
            .map_or_else(|_| text.clone(), |money| money.to_string())
    };
    amount.as_ref().map(read).serialize(to)
}

fn trimmed<S: Serializer>(reason: &str, to: S) -> Result<S::Ok, S::Error> {
    reason.trim().serialize(to)
}

impl Command {
    /// Decides what the command records. The index is at the head.
    ///
    /// # Errors
    /// The rejection that stands first in order of precedence.
    pub fn decide(
        &self,
        index: &StateIndex,
        actor: &User,
        at: EventTime,
        dice: &mut dyn Dice,
    ) -> Result<Vec<Event>, AppError> {
        Ok(match self {
            Command::RegisterUser(register) => {
                let is_taken = index.user_named(&register.login)?.is_some();
                register.decide(actor, is_taken, at, dice)?
            }
            Command::ChangeUser { user, change } => {
                change.decide(actor, &known_user(index, user)?)?
            }
            Command::SetRole { user, change } => {
                change.decide(actor, &known_user(index, user)?, index.active_admins()?)?
            }
            Command::DeactivateUser { user, change } => {
                change.decide(actor, &known_user(index, user)?, index.active_admins()?)?
            }
            Command::ReactivateUser { user, change } => {
                change.decide(actor, &known_user(index, user)?)?
            }
            Command::AddTask(add) => {
                add.decide(actor, index.next_number()?, &index.eligible()?, at, dice)?
            }
            Command::CompleteTasks { tasks } => complete(index, actor, tasks)?,
            Command::Reshuffle => {
                task::reshuffle(actor, &index.open_tasks()?, &index.eligible()?, dice)?
            }
        })
    }
}

fn complete(index: &StateIndex, actor: &User, names: &[String]) -> Result<Vec<Event>, AppError> {
    let tasks = names
        .iter()
        .map(|name| known_task(index, name))
        .collect::<Result<Vec<_>, _>>()?;
    let login_of = |id: UserId| match index.user(id) {
        Ok(Some(user)) => user.login,
        _ => id.to_string(),
    };
    Ok(task::complete(actor, &tasks, login_of)?)
}

/// # Errors
/// [`Rejection::UnknownUser`]
pub fn known_user(index: &StateIndex, name: &str) -> Result<User, AppError> {
    let found = index.user_named(name)?;
    Ok(found.ok_or_else(|| Rejection::UnknownUser {
        name: name.to_owned(),
    })?)
}

/// # Errors
/// [`Rejection::UnknownTask`], [`AppError::Ambiguous`]
pub fn known_task(index: &StateIndex, name: &str) -> Result<Task, AppError> {
    let mut found = index.tasks_named(&TaskName::parse(name))?;
    match found.len() {
        0 => Err(Rejection::UnknownTask {
            name: name.to_owned(),
        }
        .into()),
        1 => Ok(found.remove(0)),
        _ => {
            let candidates = found
                .iter()
                .map(|task| format!("T-{}", task.number))
                .collect();
            Err(AppError::Ambiguous {
                name: name.to_owned(),
                candidates,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelt(request: &impl Serialize) -> String {
        serde_json::to_string(request).unwrap()
    }

    /// A changed spelling would turn every repeated key of an old log into a conflict.
    #[test]
    fn every_request_has_the_spelling_that_old_logs_were_hashed_with() {
        let text = |text: &str| text.to_owned();
        let user = text("dima");
        let add = |title, jira_id: Option<&str>, description: Option<&str>| {
            let description = description.map(str::to_owned);
            Command::AddTask(task::Add::new(
                text(title),
                jira_id.map(str::to_owned),
                description,
            ))
        };
        let commands = [
            (
                Command::RegisterUser(user::Register {
                    login: user.clone(),
                    full_name: text("Dima"),
                    email: text("d@p.example"),
                    role: text("worker"),
                }),
                r#"{"command":"register_user","login":"dima","full_name":"Dima","email":"d@p.example","role":"worker"}"#,
            ),
            (
                Command::ChangeUser {
                    user: user.clone(),
                    change: user::Change {
                        full_name: None,
                        email: Some(text("d@p.example")),
                    },
                },
                r#"{"command":"change_user","user":"dima","full_name":null,"email":"d@p.example"}"#,
            ),
            (
                Command::SetRole {
                    user: user.clone(),
                    change: user::SetRole {
                        role: text("admin"),
                    },
                },
                r#"{"command":"set_role","user":"dima","role":"admin"}"#,
            ),
            (
                Command::DeactivateUser {
                    user: user.clone(),
                    change: user::Deactivate { reason: None },
                },
                r#"{"command":"deactivate_user","user":"dima","reason":null}"#,
            ),
            (
                Command::ReactivateUser {
                    user: user.clone(),
                    change: user::Reactivate {
                        reason: Some(text(" back ")),
                    },
                },
                r#"{"command":"reactivate_user","user":"dima","reason":" back "}"#,
            ),
            (
                add("[UP-7] Fix it", None, Some("")),
                r#"{"command":"add_task","title":"Fix it","jira_id":"UP-7","description":null}"#,
            ),
            (
                add(" Fix it ", Some(" UP-7 "), Some("soon")),
                r#"{"command":"add_task","title":"Fix it","jira_id":"UP-7","description":"soon"}"#,
            ),
            (
                add("Fix [it", None, Some("")),
                r#"{"command":"add_task","title":"Fix [it","jira_id":null,"description":""}"#,
            ),
            (
                Command::CompleteTasks {
                    tasks: vec![text("T-12"), text("UP-7"), text(" 3")],
                },
                r#"{"command":"complete_tasks","tasks":["12","UP-7","3"]}"#,
            ),
            (Command::Reshuffle, r#"{"command":"reshuffle"}"#),
        ];
        for (command, expected) in &commands {
            assert_eq!(spelt(command), *expected);
        }
        let correct = |amount: &str| CorrectEntry {
            entry: text("e"),
            amount: Some(text(amount)),
            reason: text(" late "),
        };
        let (consumer, event) = (Some(Consumer::Accounting), Sequence(7));
        let reason = text("broken");
        let others = [
            (
                spelt(&correct("5")),
                r#"{"command":"correct_entry","entry":"e","amount":"5.00","reason":"late"}"#,
            ),
            (
                spelt(&correct("five")),
                r#"{"command":"correct_entry","entry":"e","amount":"five","reason":"late"}"#,
            ),
            (
                spelt(&SetAside {
                    consumer: None,
                    event,
                    reason: None,
                }),
                r#"{"command":"set_aside","consumer":null,"event":7,"reason":null}"#,
            ),
            (
                spelt(&RetryEvent {
                    consumer,
                    event,
                    reason: reason.clone(),
                }),
                r#"{"command":"retry_event","consumer":"accounting","event":7,"reason":"broken"}"#,
            ),
            (
                spelt(&SkipEvent {
                    consumer,
                    event,
                    reason: reason.clone(),
                }),
                r#"{"command":"skip_event","consumer":"accounting","event":7,"reason":"broken"}"#,
            ),
        ];
        for (spelling, expected) in others {
            assert_eq!(spelling, expected);
        }
    }
}
