//! Facts as the state before a test: users and tasks.

use uuid::Uuid;

use crate::domain::event::{
    AssignmentReason, Event, TaskAssigned, TaskCompleted, TaskCreated, UserDeactivated,
    UserRegistered,
};
use crate::domain::id::{TaskId, UserId};
use crate::domain::role::Role;
use crate::domain::time::{BusinessDate, EventTime};

pub(super) fn at(text: &str) -> EventTime {
    text.parse().unwrap()
}

pub(super) fn on(text: &str) -> BusinessDate {
    text.parse().unwrap()
}

pub(super) fn now() -> EventTime {
    at("2026-11-22T10:00:00Z")
}

pub(super) fn user_id(login: &str) -> UserId {
    UserId::from_uuid(Uuid::new_v5(&Uuid::nil(), login.as_bytes()))
}

pub(super) fn task_id(number: u64) -> TaskId {
    TaskId::from_uuid(Uuid::from_u128(number.into()))
}

pub(super) fn joined(login: &str, role: Role) -> Event {
    let email = format!("{login}@popug.example");
    UserRegistered {
        user_id: user_id(login),
        login: login.into(),
        full_name: login.into(),
        email,
        role,
    }
    .into()
}

pub(super) fn left(login: &str) -> Event {
    UserDeactivated {
        user_id: user_id(login),
        reason: None,
    }
    .into()
}

pub(super) fn created(number: u64) -> Event {
    let title = format!("Task {number}");
    let created_by = user_id("anna");
    TaskCreated {
        task_id: task_id(number),
        number,
        title,
        jira_id: None,
        description: None,
        created_by,
    }
    .into()
}

pub(super) fn assigned(number: u64, login: &str) -> Event {
    TaskAssigned {
        task_id: task_id(number),
        assignee_id: user_id(login),
        previous_assignee_id: None,
        reason: AssignmentReason::Created,
        assignment_no: 1,
    }
    .into()
}

pub(super) fn completed(number: u64, login: &str) -> Event {
    TaskCompleted {
        task_id: task_id(number),
        completed_by: user_id(login),
        assignment_no: 1,
    }
    .into()
}
