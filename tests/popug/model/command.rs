//! The requests of users, in the model's own words.

use popug_cli::app::command;
use popug_cli::domain::event::Consumer;
use popug_cli::domain::id::Sequence;
use popug_cli::domain::{task, user};
use serde::Serialize;

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
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
        keep_tasks: bool,
    },
    HandOver {
        user: String,
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
    EditTask {
        task: String,
        title: Option<String>,
        jira_id: Option<String>,
        description: Option<String>,
    },
    CancelTask {
        task: String,
        reason: String,
        keep_fees: bool,
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
    /// The product's command, if it is decided from the index alone.
    pub fn to_product(&self) -> Option<command::Command> {
        Some(match self.clone() {
            Command::RegisterUser {
                login,
                full_name,
                email,
                role,
            } => command::Command::RegisterUser(user::Register {
                login,
                full_name,
                email,
                role,
            }),
            Command::ChangeUser {
                user,
                full_name,
                email,
            } => command::Command::ChangeUser {
                user,
                change: user::Change { full_name, email },
            },
            Command::SetRole { user, role } => command::Command::SetRole {
                user,
                change: user::SetRole { role },
            },
            Command::DeactivateUser {
                user,
                reason,
                keep_tasks,
            } => command::Command::DeactivateUser {
                user,
                change: user::Deactivate { reason, keep_tasks },
            },
            Command::HandOver { user } => command::Command::HandOver { user },
            Command::ReactivateUser { user, reason } => command::Command::ReactivateUser {
                user,
                change: user::Reactivate { reason },
            },
            Command::AddTask {
                title,
                jira_id,
                description,
            } => command::Command::AddTask(task::Add::new(title, jira_id, description)),
            Command::EditTask {
                task,
                title,
                jira_id,
                description,
            } => command::Command::EditTask {
                task,
                edit: task::edit::Edit::new(title, jira_id, description),
            },
            Command::CompleteTasks { tasks } => command::Command::CompleteTasks { tasks },
            Command::Reshuffle => command::Command::Reshuffle,
            Command::CancelTask { .. }
            | Command::CorrectEntry { .. }
            | Command::SetAside { .. }
            | Command::RetryEvent { .. }
            | Command::SkipEvent { .. } => return None,
        })
    }
}
