//! I11: an open task has exactly one assignee, who was eligible when it was handed to him. Tasks are numbered
//! 1, 2, 3 …

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::app::verify::history::entries::Cause;
use crate::app::verify::history::{History, Minor};
use crate::domain::event::{
    AssignmentReason, Event, TaskAssigned, TaskCompleted, TaskCreated, TasksReshuffled,
};
use crate::domain::id::{EventId, Sequence, TaskId, UserId};
use crate::domain::pricing::Price;
use crate::domain::time::EventTime;
use crate::state::Recorded;

pub(super) struct Task {
    /// Of the creation.
    pub id: EventId,
    pub created_at: Sequence,
    pub number: u64,
    /// Title and jira id.
    pub words: u64,
    pub price: Option<Price>,
    pub assignee: Option<UserId>,
    pub assignment_no: u32,
    pub completed: Option<Completion>,
    pub fees_charged: Minor,
}

#[derive(Clone, Copy)]
pub(super) struct Completion {
    pub id: EventId,
    pub by: UserId,
    pub at: Sequence,
    pub time: EventTime,
    pub is_settled: bool,
}

#[derive(Default)]
pub(super) struct Tasks {
    pub known: HashMap<TaskId, Task>,
    open: u64,
    /// The highest so far.
    last_number: u64,
    /// Created, and not handed to anybody yet.
    unassigned: Option<TaskId>,
    reshuffle: Option<Reshuffle>,
}

struct Reshuffle {
    at: Sequence,
    moved: u64,
    seen: HashSet<TaskId>,
}

pub(super) fn words(title: &str, jira_id: Option<&str>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (title, jira_id).hash(&mut hasher);
    hasher.finish()
}

impl History {
    /// The first assignment stands right behind the creation.
    pub(super) fn tasks_before(&mut self, recorded: &Recorded<'_>) {
        let Some(task) = self.tasks.unassigned else {
            return;
        };
        if !matches!(recorded.event.as_ref(), Event::TaskAssigned(e) if e.task_id == task) {
            self.tasks.unassigned = None;
            self.violates(
                "I11",
                recorded.sequence,
                format!("task {task} was created without an assignee"),
            );
        }
    }

    /// A batch is over.
    pub(super) fn tasks_after(&mut self, at: Sequence) {
        if let Some(task) = self.tasks.unassigned.take() {
            self.violates(
                "I11",
                at,
                format!("task {task} was created without an assignee"),
            );
        }
        let Some(Reshuffle { at, moved, seen }) = self.tasks.reshuffle.take() else {
            return;
        };
        if moved != seen.len() as u64 {
            let what = format!(
                "the reshuffle says that {moved} tasks moved, but {} assignments follow",
                seen.len()
            );
            self.violates("I11", at, what);
        }
    }

    /// Rule T1.
    fn check_number(&mut self, at: Sequence, number: u64) {
        let last = self.tasks.last_number;
        if number <= last {
            self.violates(
                "I11",
                at,
                format!("the number {number} was given before: the last one was {last}"),
            );
        } else if number != last + 1 {
            self.violates(
                "I11",
                at,
                format!("the task has the number {number}, the last one had {last}"),
            );
        }
        self.tasks.last_number = last.max(number);
    }

    pub(super) fn task_created(&mut self, recorded: &Recorded<'_>, e: &TaskCreated) {
        self.check_number(recorded.sequence, e.number);
        let task = Task {
            id: recorded.id,
            created_at: recorded.sequence,
            number: e.number,
            words: words(&e.title, e.jira_id.as_deref()),
            price: None,
            assignee: None,
            assignment_no: 0,
            completed: None,
            fees_charged: 0,
        };
        self.tasks.unassigned = Some(e.task_id);
        if self.tasks.known.insert(e.task_id, task).is_some() {
            self.violates(
                "I11",
                recorded.sequence,
                format!("task {} was created before", e.task_id),
            );
        } else {
            self.tasks.open += 1;
        }
    }

    pub(super) fn tasks_reshuffled(&mut self, at: Sequence, e: &TasksReshuffled) {
        let eligible = self
            .people
            .values()
            .filter(|person| person.is_eligible())
            .count() as u64;
        if (e.open_tasks, e.eligible_users, e.moved) != (self.tasks.open, eligible, self.tasks.open)
        {
            let what = format!(
                "the reshuffle counts {} open tasks, {} eligible users and {} moves; there were {} tasks and {eligible} users",
                e.open_tasks, e.eligible_users, e.moved, self.tasks.open
            );
            self.violates("I11", at, what);
        }
        self.tasks.reshuffle = Some(Reshuffle {
            at,
            moved: e.moved,
            seen: HashSet::new(),
        });
    }

    pub(super) fn task_assigned(&mut self, recorded: &Recorded<'_>, e: &TaskAssigned) {
        self.tasks.unassigned = None;
        if let Some(what) = self.assignment_fault(e) {
            self.violates("I11", recorded.sequence, what);
        }
        if let Some(task) = self.tasks.known.get_mut(&e.task_id) {
            task.assignee = Some(e.assignee_id);
            task.assignment_no = e.assignment_no;
        }
        let cause = Cause::of_assignment(recorded, e);
        self.owed.insert(recorded.sequence, cause);
    }

    fn assignment_fault(&mut self, e: &TaskAssigned) -> Option<String> {
        let Some(task) = self.tasks.known.get(&e.task_id) else {
            return Some("the task does not exist".to_owned());
        };
        let is_first = task.assignee.is_none();
        let reshuffle = self.tasks.reshuffle.as_mut();
        let is_new = reshuffle.map(|reshuffle| reshuffle.seen.insert(e.task_id));
        let is_fitting = match e.reason {
            AssignmentReason::Created => is_first && is_new.is_none(),
            AssignmentReason::Reshuffle => !is_first && is_new == Some(true),
        };
        if !is_fitting {
            return Some(
                "the assignment belongs to no creation and no reshuffle, or moves a task twice"
                    .to_owned(),
            );
        }
        if task.completed.is_some() {
            return Some("the task was completed before".to_owned());
        }
        if (e.previous_assignee_id, e.assignment_no) != (task.assignee, task.assignment_no + 1) {
            let was = task
                .assignee
                .map_or("nobody".to_owned(), |user| user.to_string());
            return Some(format!(
                "the task was with {was} by assignment {}",
                task.assignment_no
            ));
        }
        match self.people.get(&e.assignee_id) {
            Some(person) if person.is_eligible() => None,
            Some(person) if !person.is_active => {
                Some(format!("the assignee {} was deactivated", e.assignee_id))
            }
            Some(person) => Some(format!(
                "the assignee {} is a {}, who is not drawn",
                e.assignee_id, person.role
            )),
            None => Some(format!("the assignee {} does not exist", e.assignee_id)),
        }
    }

    pub(super) fn task_completed(&mut self, recorded: &Recorded<'_>, e: &TaskCompleted) {
        let at = recorded.sequence;
        let Some(task) = self.tasks.known.get_mut(&e.task_id) else {
            return self.violates("I11", at, "the completed task does not exist");
        };
        if let Some(before) = task.completed {
            if !self.is_left_out(at) {
                self.violates(
                    "I4",
                    at,
                    format!("the task was completed by event {} before", before.at),
                );
            }
            return;
        }
        let holder = (task.assignee, task.assignment_no);
        task.completed = Some(Completion {
            id: recorded.id,
            by: e.completed_by,
            at,
            time: recorded.time,
            is_settled: false,
        });
        self.tasks.open -= 1;
        self.owed.insert(at, Cause::of_completion(recorded, e));
        if holder != (Some(e.completed_by), e.assignment_no) {
            self.violates(
                "I11",
                at,
                "the task was completed by somebody who did not hold it",
            );
        }
    }
}
