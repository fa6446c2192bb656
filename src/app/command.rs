//! The commands that people give, and how those of auth and tracker are decided from the index.

use serde::Serialize;

use crate::app::AppError;
use crate::domain::dice::Dice;
use crate::domain::event::{Actor, Consumer, Event};
use crate::domain::id::{Sequence, UserId};
use crate::domain::money::Money;
use crate::domain::rejection::Rejection;
use crate::domain::task::{self, Task};
use crate::domain::text::Title;
use crate::domain::time::EventTime;
use crate::domain::user::{self, User};
use crate::event_log::Hash;
use crate::state::{StateIndex, TaskName};

/// What somebody asks for, as he said it. Serialized it is the canonical form whose hash tells
/// whether a key is used for the same content again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    RegisterUser {
        login: String,
        full_name: String,
        email: String,
        role: String,
    },
    ChangeUser {
        user: String,
        full_name: Option<String>,
        email: Option<String>,
    },
    SetRole {
        user: String,
        role: String,
    },
    DeactivateUser {
        user: String,
        reason: Option<String>,
    },
    ReactivateUser {
        user: String,
        reason: Option<String>,
    },
    AddTask {
        title: String,
        jira_id: Option<String>,
        description: Option<String>,
    },
    CompleteTasks {
        tasks: Vec<String>,
    },
    Reshuffle,
    CorrectEntry {
        entry: String,
        amount: Option<String>,
        reason: String,
    },
    SetAside {
        consumer: Option<Consumer>,
        event: Sequence,
        reason: Option<String>,
    },
    RetryEvent {
        consumer: Option<Consumer>,
        event: Sequence,
        reason: String,
    },
    SkipEvent {
        consumer: Option<Consumer>,
        event: Sequence,
        reason: String,
    },
}

impl Command {
    /// The same request in one spelling: `T-1` is `1`, `[UP-7] Fix it` is a title and a jira id,
    /// `5` is `5.00`. What cannot be read stays as it was said.
    fn canonical(&self) -> Command {
        match self {
            Command::CompleteTasks { tasks } => Command::CompleteTasks {
                tasks: tasks
                    .iter()
                    .map(|name| TaskName::parse(name).to_string())
                    .collect(),
            },
            Command::AddTask {
                title,
                jira_id,
                description,
            } => match Title::from_input(title, jira_id.as_deref()) {
                Ok(read) => Command::AddTask {
                    title: read.title,
                    jira_id: read.jira_id,
                    description: description.clone().filter(|text| !text.is_empty()),
                },
                Err(_) => self.clone(),
            },
            Command::CorrectEntry {
                entry,
                amount,
                reason,
            } => {
                let read = |text: &String| {
                    text.parse::<Money>()
                        .map_or_else(|_| text.clone(), |money| money.to_string())
                };
                let amount = amount.as_ref().map(read);
                Command::CorrectEntry {
                    entry: entry.clone(),
                    amount,
                    reason: reason.trim().to_owned(),
                }
            }
            other => other.clone(),
        }
    }

    /// SHA-256 of the actor and the canonical command.
    pub fn hash(&self, actor: UserId) -> Hash {
        let command = serde_json::to_string(&self.canonical()).expect("commands serialize");
        Hash::of_bytes(format!("{}\n{command}", Actor::User(actor)).as_bytes())
    }

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
        match self {
            Command::RegisterUser {
                login,
                full_name,
                email,
                role,
            } => {
                let taken = index.user_named(login)?.is_some();
                let (login, full_name, email, role) = (
                    login.clone(),
                    full_name.clone(),
                    email.clone(),
                    role.clone(),
                );
                Ok(user::Register {
                    login,
                    full_name,
                    email,
                    role,
                }
                .decide(actor, taken, at, dice)?)
            }
            Command::ChangeUser {
                user,
                full_name,
                email,
            } => {
                let change = user::Change {
                    full_name: full_name.clone(),
                    email: email.clone(),
                };
                Ok(change.decide(actor, &known_user(index, user)?)?)
            }
            Command::SetRole { user, role } => {
                let command = user::SetRole { role: role.clone() };
                Ok(command.decide(actor, &known_user(index, user)?, index.active_admins()?)?)
            }
            Command::DeactivateUser { user, reason } => {
                let command = user::Deactivate {
                    reason: reason.clone(),
                };
                Ok(command.decide(actor, &known_user(index, user)?, index.active_admins()?)?)
            }
            Command::ReactivateUser { user, reason } => {
                let command = user::Reactivate {
                    reason: reason.clone(),
                };
                Ok(command.decide(actor, &known_user(index, user)?)?)
            }
            Command::AddTask {
                title,
                jira_id,
                description,
            } => {
                let add = task::Add {
                    title: title.clone(),
                    jira_id: jira_id.clone(),
                    description: description.clone(),
                };
                Ok(add.decide(actor, index.next_number()?, &index.eligible()?, at, dice)?)
            }
            Command::CompleteTasks { tasks } => complete(index, actor, tasks),
            Command::Reshuffle => Ok(task::reshuffle(
                actor,
                &index.open_tasks()?,
                &index.eligible()?,
                dice,
            )?),
            Command::CorrectEntry { .. } => unreachable!("accounting decides about entries"),
            Command::SetAside { .. } | Command::RetryEvent { .. } | Command::SkipEvent { .. } => {
                unreachable!("decided under the lock of the consumer")
            }
        }
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
