//! Upcasters: events of old versions are lifted to the current version when they are read. Lines
//! are never rewritten.

use serde::Deserialize;

use crate::domain::event::{AssignmentReason, Event, EventKind, TaskAssigned, TaskCreated};
use crate::domain::id::{TaskId, UserId};
use crate::domain::text::Title;

/// Reads one old type.
pub struct Upcaster {
    pub type_name: &'static str,
    pub target: EventKind,
    lift: fn(&str) -> Result<Event, serde_json::Error>,
}

/// Every old type. A kind whose current version is n has n - 1 of them.
pub const UPCASTERS: &[Upcaster] = &[
    Upcaster {
        type_name: "task.created.v1",
        target: EventKind::TaskCreated,
        lift: lift_task_created_v1,
    },
    Upcaster {
        type_name: "task.assigned.v1",
        target: EventKind::TaskAssigned,
        lift: lift_task_assigned_v1,
    },
];

fn upcaster(type_name: &str) -> Option<&'static Upcaster> {
    UPCASTERS
        .iter()
        .find(|upcaster| upcaster.type_name == type_name)
}

/// The kind to which an old type is lifted.
pub fn target(type_name: &str) -> Option<EventKind> {
    upcaster(type_name).map(|upcaster| upcaster.target)
}

/// Reads the data of an old type; `None` if the type is not one.
pub fn lift(type_name: &str, data: &str) -> Option<Result<Event, serde_json::Error>> {
    upcaster(type_name).map(|upcaster| (upcaster.lift)(data))
}

/// The first shape of `task.created`, with the jira id, if any, in the title.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TaskCreatedV1 {
    task_id: TaskId,
    number: u64,
    title: String,
    #[serde(default)]
    description: Option<String>,
    created_by: UserId,
}

fn lift_task_created_v1(data: &str) -> Result<Event, serde_json::Error> {
    let TaskCreatedV1 {
        task_id,
        number,
        title,
        description,
        created_by,
    } = serde_json::from_str(data)?;
    let Title { title, jira_id, .. } = Title::from_v1(title);
    Ok(TaskCreated {
        task_id,
        number,
        title,
        jira_id,
        description,
        created_by,
    }
    .into())
}

/// The first `task.assigned`: nobody's tasks were handed over because they left.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TaskAssignedV1 {
    task_id: TaskId,
    assignee_id: UserId,
    #[serde(default)]
    previous_assignee_id: Option<UserId>,
    reason: AssignmentReasonV1,
    assignment_no: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum AssignmentReasonV1 {
    Created,
    Reshuffle,
}

fn lift_task_assigned_v1(data: &str) -> Result<Event, serde_json::Error> {
    let TaskAssignedV1 {
        task_id,
        assignee_id,
        previous_assignee_id,
        reason,
        assignment_no,
    } = serde_json::from_str(data)?;
    let reason = match reason {
        AssignmentReasonV1::Created => AssignmentReason::Created,
        AssignmentReasonV1::Reshuffle => AssignmentReason::Reshuffle,
    };
    Ok(TaskAssigned {
        task_id,
        assignee_id,
        previous_assignee_id,
        reason,
        assignment_no,
    }
    .into())
}
