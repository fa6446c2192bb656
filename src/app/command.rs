//! The commands of auth and tracker, decided from the state index, and the one spelling of every
//! request, by which a repeated key is recognised.

use serde::{Serialize, Serializer};

use crate::app::AppError;
use crate::domain::dice::Dice;
use crate::domain::event::{Actor, Consumer, Event};
use crate::domain::id::{IdPrefix, Sequence, UserId};
use crate::domain::money::Money;
use crate::domain::rejection::Rejection;
use crate::domain::task::{self, Task};
use crate::domain::time::EventTime;
use crate::domain::user::{self, User};
use crate::event_log::Hash;
use crate::state::{StateIndex, TaskName};

/// A command that is decided from the state index alone.
///
/// A serialized request has one spelling: `T-1` is `1`, `[UP-7] Fix it` is a title and a jira id. A
/// text that cannot be parsed stays as it was typed. [`hash`] compares requests by this spelling.
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
    EditTask {
        #[serde(serialize_with = "as_task_name")]
        task: String,
        #[serde(flatten)]
        edit: task::edit::Edit,
    },
    CompleteTasks {
        #[serde(serialize_with = "as_task_names")]
        tasks: Vec<String>,
    },
    Reshuffle,
    HandOver {
        user: String,
    },
}

/// A request to cancel a task. It is decided from the state index and the charges in the log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "command", rename = "cancel_task")]
pub struct CancelTask {
    #[serde(serialize_with = "as_task_name")]
    pub task: String,
    #[serde(flatten)]
    pub cancel: task::cancel::Cancel,
}

/// A requested correction. Accounting decides it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "command", rename = "correct_entry")]
pub struct CorrectEntry {
    pub entry: String,
    #[serde(serialize_with = "as_money")]
    pub amount: Option<String>,
    #[serde(serialize_with = "trimmed")]
    pub reason: String,
}

/// The request to set an event aside for a consumer. Decided under the consumer's lock.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "command", rename = "set_aside")]
pub struct SetAside {
    pub consumer: Option<Consumer>,
    pub event: Sequence,
    pub reason: Option<String>,
}

/// The request to retry an event that was set aside or skipped. Decided under the consumer's lock.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "command", rename = "retry_event")]
pub struct RetryEvent {
    pub consumer: Option<Consumer>,
    pub event: Sequence,
    pub reason: String,
}

/// The request to skip an event for ever. Decided under the consumer's lock.
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

fn as_task_name<S: Serializer>(task: &str, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&TaskName::parse(task))
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
    /// Decides the events of the command. The index is at the head.
    ///
    /// # Errors
    /// The first rejection in order of precedence.
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
                let (user, admins) = (known_user(index, user)?, index.active_admins()?);
                let (open, eligible) = (index.open_tasks_of(user.id)?, index.eligible()?);
                let tasks = (&open[..], &*eligible);
                task::hand_over::deactivate(change, actor, &user, admins, tasks, dice)?
            }
            Command::ReactivateUser { user, change } => {
                change.decide(actor, &known_user(index, user)?)?
            }
            Command::AddTask(add) => {
                add.decide(actor, index.next_number()?, &index.eligible()?, at, dice)?
            }
            Command::EditTask { task: name, edit } => {
                let task = known_task(index, name)?;
                let text = index.task_text(task.number)?;
                edit.decide(actor, &task, &text.ok_or_else(|| unknown_task(name))?)?
            }
            Command::CompleteTasks { tasks } => complete(index, actor, tasks)?,
            Command::Reshuffle => {
                task::reshuffle(actor, &index.open_tasks()?, &index.eligible()?, dice)?
            }
            Command::HandOver { user } => {
                let user = known_user(index, user)?;
                let (open, eligible) = (index.open_tasks_of(user.id)?, index.eligible()?);
                task::hand_over::hand_over(actor, &user, &open, &eligible, dice)?
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

/// A user by login, id or the beginning of an id.
///
/// # Errors
/// [`Rejection::UnknownUser`], [`AppError::Ambiguous`]
pub fn known_user(index: &StateIndex, name: &str) -> Result<User, AppError> {
    let mut found: Vec<User> = index.user_named(name)?.into_iter().collect();
    if let Some(prefix) = IdPrefix::beside_names(name).filter(|_| found.is_empty()) {
        found = index.users_with(prefix)?;
    }
    only_one(name, "users", found, |user| user.login.clone())?.ok_or_else(|| {
        let name = name.to_owned();
        Rejection::UnknownUser { name }.into()
    })
}

/// A task by number, jira id, id or the beginning of an id.
///
/// # Errors
/// [`Rejection::UnknownTask`], [`AppError::Ambiguous`]
pub fn known_task(index: &StateIndex, name: &str) -> Result<Task, AppError> {
    let mut found = index.tasks_named(&TaskName::parse(name))?;
    if let Some(prefix) = IdPrefix::beside_names(name).filter(|_| found.is_empty()) {
        found = index.tasks_with(prefix)?;
    }
    only_one(name, "tasks", found, |task| format!("T-{}", task.number))?
        .ok_or_else(|| unknown_task(name).into())
}

/// The one thing that a name means; `None` if it means nothing.
///
/// # Errors
/// [`AppError::Ambiguous`], with the names that `label` gives
pub fn only_one<T>(
    name: &str,
    what: &'static str,
    mut found: Vec<T>,
    label: impl Fn(&T) -> String,
) -> Result<Option<T>, AppError> {
    if found.len() < 2 {
        return Ok(found.pop());
    }
    Err(AppError::Ambiguous {
        name: name.to_owned(),
        what,
        candidates: found.iter().map(label).collect(),
    })
}

fn unknown_task(name: &str) -> Rejection {
    Rejection::UnknownTask {
        name: name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> String {
        text.to_owned()
    }

    /// A changed spelling would turn every repeated key of an old log into a conflict.
    fn assert_spelt(request: &impl Serialize, expected: &str) {
        assert_eq!(serde_json::to_string(request).unwrap(), expected);
    }

    #[test]
    fn commands_about_users_have_the_spelling_that_old_logs_were_hashed_with() {
        let (user, reason) = (text("dima"), Some(text(" back ")));
        let (full_name, email) = (text("Dima"), text("d@p.example"));
        let register = user::Register {
            login: user.clone(),
            full_name,
            email: email.clone(),
            role: text("worker"),
        };
        assert_spelt(
            &Command::RegisterUser(register),
            r#"{"command":"register_user","login":"dima","full_name":"Dima","email":"d@p.example","role":"worker"}"#,
        );
        let change = user::Change {
            full_name: None,
            email: Some(email),
        };
        assert_spelt(
            &Command::ChangeUser {
                user: user.clone(),
                change,
            },
            r#"{"command":"change_user","user":"dima","full_name":null,"email":"d@p.example"}"#,
        );
        let change = user::SetRole {
            role: text("admin"),
        };
        assert_spelt(
            &Command::SetRole {
                user: user.clone(),
                change,
            },
            r#"{"command":"set_role","user":"dima","role":"admin"}"#,
        );
        let change = user::Deactivate {
            reason: None,
            keep_tasks: false,
        };
        assert_spelt(
            &Command::DeactivateUser {
                user: user.clone(),
                change,
            },
            r#"{"command":"deactivate_user","user":"dima","reason":null}"#,
        );
        let change = user::Reactivate { reason };
        assert_spelt(
            &Command::ReactivateUser { user, change },
            r#"{"command":"reactivate_user","user":"dima","reason":" back "}"#,
        );
    }

    #[test]
    fn commands_about_tasks_have_the_spelling_that_old_logs_were_hashed_with() {
        let add = |title, jira_id: Option<&str>, description: Option<&str>| {
            let (jira_id, description) = (jira_id.map(text), description.map(text));
            Command::AddTask(task::Add::new(text(title), jira_id, description))
        };
        assert_spelt(
            &add("[UP-7] Fix it", None, Some("")),
            r#"{"command":"add_task","title":"Fix it","jira_id":"UP-7","description":null}"#,
        );
        assert_spelt(
            &add(" Fix it ", Some(" UP-7 "), Some("soon")),
            r#"{"command":"add_task","title":"Fix it","jira_id":"UP-7","description":"soon"}"#,
        );
        assert_spelt(
            &add("Fix [it", None, Some("")),
            r#"{"command":"add_task","title":"Fix [it","jira_id":null,"description":""}"#,
        );
        let tasks = vec![text("T-12"), text("UP-7"), text(" 3")];
        assert_spelt(
            &Command::CompleteTasks { tasks },
            r#"{"command":"complete_tasks","tasks":["12","UP-7","3"]}"#,
        );
        assert_spelt(&Command::Reshuffle, r#"{"command":"reshuffle"}"#);
        let edit = |title: Option<&str>, jira_id: Option<&str>| {
            let edit = task::edit::Edit::new(title.map(text), jira_id.map(text), None);
            let task = text("T-12");
            Command::EditTask { task, edit }
        };
        assert_spelt(
            &edit(Some("[UP-7] Fix it"), None),
            r#"{"command":"edit_task","task":"12","title":"Fix it","jira_id":"UP-7","description":null}"#,
        );
        assert_spelt(
            &edit(None, Some(" ")),
            r#"{"command":"edit_task","task":"12","title":null,"jira_id":"","description":null}"#,
        );
        let cancel = task::cancel::Cancel {
            reason: text(" late "),
            keep_fees: false,
        };
        let task = text("T-12");
        assert_spelt(
            &CancelTask { task, cancel },
            r#"{"command":"cancel_task","task":"12","reason":"late","keep_fees":false}"#,
        );
    }

    #[test]
    fn other_requests_have_the_spelling_that_old_logs_were_hashed_with() {
        let correct = |amount| CorrectEntry {
            entry: text("e"),
            amount: Some(text(amount)),
            reason: text(" late "),
        };
        assert_spelt(
            &correct("5"),
            r#"{"command":"correct_entry","entry":"e","amount":"5.00","reason":"late"}"#,
        );
        assert_spelt(
            &correct("five"),
            r#"{"command":"correct_entry","entry":"e","amount":"five","reason":"late"}"#,
        );
        let (consumer, event) = (Some(Consumer::Accounting), Sequence(7));
        assert_spelt(
            &SetAside {
                consumer: None,
                event,
                reason: None,
            },
            r#"{"command":"set_aside","consumer":null,"event":7,"reason":null}"#,
        );
        let reason = text("broken");
        assert_spelt(
            &RetryEvent {
                consumer,
                event,
                reason: reason.clone(),
            },
            r#"{"command":"retry_event","consumer":"accounting","event":7,"reason":"broken"}"#,
        );
        assert_spelt(
            &SkipEvent {
                consumer,
                event,
                reason,
            },
            r#"{"command":"skip_event","consumer":"accounting","event":7,"reason":"broken"}"#,
        );
    }
}
