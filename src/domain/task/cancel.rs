//! Rule T7: an open task can be cancelled. Accounting takes its fees back.

use serde::{Serialize, Serializer};

use crate::domain::event::{Event, TaskCancelled};
use crate::domain::rejection::Rejection;
use crate::domain::role::Right;
use crate::domain::task::Task;
use crate::domain::text;
use crate::domain::user::User;

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Cancel {
    #[serde(serialize_with = "trimmed")]
    pub reason: String,
    /// Whether the fees that were charged for the task stay.
    pub keep_fees: bool,
}

fn trimmed<S: Serializer>(text: &str, to: S) -> Result<S::Ok, S::Error> {
    text.trim().serialize(to)
}

impl Cancel {
    /// Whether the decision depends on the charges for the task.
    pub fn depends_on_charges(actor: &User, task: &Task) -> bool {
        actor.id == task.created_by && !actor.role.may(Right::ManageTasks)
    }

    /// `is_charged` tells whether a fee was charged for the task; it counts if
    /// [`Cancel::depends_on_charges`].
    ///
    /// # Errors
    /// [`Rejection::RoleMayNot`] or [`Rejection::AlreadyCharged`] unless the actor manages tasks; the task is not
    /// open; the reason is not well formed.
    pub fn decide(
        &self,
        actor: &User,
        task: &Task,
        is_charged: bool,
    ) -> Result<Vec<Event>, Rejection> {
        if Cancel::depends_on_charges(actor, task) {
            actor.require(Right::CreateTask)?;
            if is_charged {
                return Err(Rejection::AlreadyCharged {
                    number: task.number,
                });
            }
        } else {
            actor.require(Right::ManageTasks)?;
        }
        task.require_open()?;
        Ok(vec![
            TaskCancelled {
                task_id: task.id,
                reason: text::check_reason(&self.reason)?,
                keep_fees: self.keep_fees,
            }
            .into(),
        ])
    }
}
