//! Tasks: rules T1 to T5; rule T6 is in [`edit`], rule T7 in [`cancel`], rule U4 in [`hand_over`].

pub mod cancel;
pub mod edit;
pub mod hand_over;

use std::collections::HashSet;

use serde::{Serialize, Serializer};

use crate::domain::dice::Dice;
use crate::domain::event::{
    AssignmentReason, Event, Subject, TaskAssigned, TaskCompleted, TaskCreated, TasksReshuffled,
};
use crate::domain::id::{TaskId, UserId};
use crate::domain::rejection::Rejection;
use crate::domain::role::Right;
use crate::domain::text::{self, Title};
use crate::domain::time::EventTime;
use crate::domain::user::User;

/// The state of a task.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Status {
    Open,
    Completed,
    Cancelled,
}

impl Status {
    pub const ALL: [Status; 3] = [Status::Open, Status::Completed, Status::Cancelled];

    pub const fn name(self) -> &'static str {
        match self {
            Status::Open => "open",
            Status::Completed => "completed",
            Status::Cancelled => "cancelled",
        }
    }
}

/// The state of a task, as far as decisions need it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Task {
    pub id: TaskId,
    pub number: u64,
    pub created_by: UserId,
    pub status: Status,
    pub assignee: UserId,
    pub assignment_no: u32,
}

impl Task {
    /// # Errors
    /// If the task is not open.
    fn require_open(&self) -> Result<(), Rejection> {
        let number = self.number;
        match self.status {
            Status::Open => Ok(()),
            Status::Completed => Err(Rejection::AlreadyCompleted { number }),
            Status::Cancelled => Err(Rejection::AlreadyCancelled { number }),
        }
    }

    /// Applies an event of this task; events of other tasks change nothing.
    pub fn evolve(&mut self, event: &Event) {
        if event.subject() != Subject::Task(self.id) {
            return;
        }
        match event {
            Event::TaskAssigned(e) => {
                self.assignee = e.assignee_id;
                self.assignment_no = e.assignment_no;
            }
            Event::TaskCompleted(_) => self.status = Status::Completed,
            Event::TaskCancelled(_) => self.status = Status::Cancelled,
            _ => {}
        }
    }
}

/// Adds a task. The title is parsed once, when the command is made. A title that cannot be parsed
/// is refused when the command is decided, after all other refusals.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Add {
    typed_title: String,
    typed_jira_id: Option<String>,
    read: Result<Title, Rejection>,
    description: Option<String>,
}

/// One spelling of the same request: the parsed title, or the typed one if it cannot be parsed.
impl Serialize for Add {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Spelling<'a> {
            title: &'a str,
            jira_id: Option<&'a str>,
            description: Option<&'a str>,
        }
        let description = self.description.as_deref();
        match &self.read {
            Ok(read) => Spelling {
                title: &read.title,
                jira_id: read.jira_id.as_deref(),
                description: description.filter(|text| !text.is_empty()),
            },
            Err(_) => Spelling {
                title: &self.typed_title,
                jira_id: self.typed_jira_id.as_deref(),
                description,
            },
        }
        .serialize(to)
    }
}

impl Add {
    /// A task as a user typed it. `[ID] Title` and similar forms are split, see
    /// [`Title::from_input`].
    pub fn new(title: String, jira_id: Option<String>, description: Option<String>) -> Add {
        Add {
            read: Title::from_input(&title, jira_id.as_deref()),
            typed_title: title,
            typed_jira_id: jira_id,
            description,
        }
    }

    /// The parsed title, if a jira id was split off it.
    pub fn split_title(&self) -> Option<&Title> {
        self.read.as_ref().ok().filter(|title| title.split)
    }

    /// `task.created` and its first `task.assigned`. `eligible` is in order of registration, so
    /// that pinned dice draw the same user from the same log.
    pub fn decide(
        &self,
        actor: &User,
        number: u64,
        eligible: &[UserId],
        at: EventTime,
        dice: &mut dyn Dice,
    ) -> Result<Vec<Event>, Rejection> {
        actor.require(Right::CreateTask)?;
        if eligible.is_empty() {
            return Err(Rejection::NobodyEligible);
        }
        let Title { title, jira_id, .. } = self.read.clone()?;
        let description = text::check_description(self.description.as_deref())?;
        let task_id = TaskId::from_uuid(dice.uuid_v7(at));
        let assigned = TaskAssigned {
            task_id,
            assignee_id: draw(eligible, dice),
            previous_assignee_id: None,
            reason: AssignmentReason::Created,
            assignment_no: 1,
        };
        let created = TaskCreated {
            task_id,
            number,
            title,
            jira_id,
            description,
            created_by: actor.id,
        };
        Ok(vec![created.into(), assigned.into()])
    }
}

/// Rule T2: uniform among the eligible users.
fn draw(eligible: &[UserId], dice: &mut dyn Dice) -> UserId {
    eligible[dice.below(eligible.len())]
}

/// Completes several tasks, all or none. A task that is named twice is completed once.
///
/// `login_of` names an assignee in a refusal.
pub fn complete(
    actor: &User,
    tasks: &[Task],
    login_of: impl Fn(UserId) -> String,
) -> Result<Vec<Event>, Rejection> {
    actor.require(Right::CompleteTask)?;
    if let Some(task) = tasks.iter().find(|task| task.assignee != actor.id) {
        return Err(Rejection::NotTheAssignee {
            number: task.number,
            assignee: login_of(task.assignee),
        });
    }
    tasks.iter().try_for_each(Task::require_open)?;
    let completed = |task: &Task| {
        TaskCompleted {
            task_id: task.id,
            completed_by: actor.id,
            assignment_no: task.assignment_no,
        }
        .into()
    };
    let mut seen = HashSet::new();
    Ok(tasks
        .iter()
        .filter(|task| seen.insert(task.id))
        .map(completed)
        .collect())
}

/// Rule T3. `open` is in order of task numbers.
pub fn reshuffle(
    actor: &User,
    open: &[Task],
    eligible: &[UserId],
    dice: &mut dyn Dice,
) -> Result<Vec<Event>, Rejection> {
    actor.require(Right::Reshuffle)?;
    if eligible.is_empty() && !open.is_empty() {
        return Err(Rejection::NobodyEligible);
    }
    let head = TasksReshuffled {
        open_tasks: open.len() as u64,
        eligible_users: eligible.len() as u64,
        moved: open.len() as u64,
    };
    let mut events = Vec::with_capacity(open.len() + 1);
    events.push(head.into());
    let moved = open
        .iter()
        .map(|task| reassigned(task, AssignmentReason::Reshuffle, eligible, dice));
    events.extend(moved);
    Ok(events)
}

/// The assignment of an open task to another user, who is drawn.
fn reassigned(
    task: &Task,
    reason: AssignmentReason,
    eligible: &[UserId],
    dice: &mut dyn Dice,
) -> Event {
    TaskAssigned {
        task_id: task.id,
        assignee_id: draw(eligible, dice),
        previous_assignee_id: Some(task.assignee),
        reason,
        assignment_no: task.assignment_no + 1,
    }
    .into()
}
