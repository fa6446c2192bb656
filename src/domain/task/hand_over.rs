//! Rule U4: the open tasks of a user who cannot be drawn any more are handed over.

use crate::domain::dice::Dice;
use crate::domain::event::{AssignmentReason, Event};
use crate::domain::id::UserId;
use crate::domain::rejection::Rejection;
use crate::domain::role::Right;
use crate::domain::task::{Task, reassigned};
use crate::domain::user::{Deactivate, User};

/// Deactivates `user`, who has the tasks `open`, and hands these over in the same batch. They stay with the user if
/// nobody else is eligible, or if the tasks are to be kept. Tasks are in order of their numbers, `eligible` in order
/// of registration.
///
/// # Errors
/// As [`Deactivate::decide`].
pub fn deactivate(
    deactivate: &Deactivate,
    actor: &User,
    user: &User,
    active_admins: u64,
    (open, eligible): (&[Task], &[UserId]),
    dice: &mut dyn Dice,
) -> Result<Vec<Event>, Rejection> {
    let mut events = deactivate.decide(actor, user, active_admins)?;
    let others: Vec<UserId> = eligible
        .iter()
        .copied()
        .filter(|other| *other != user.id)
        .collect();
    if !events.is_empty() && !deactivate.keep_tasks && !others.is_empty() {
        let moved = open
            .iter()
            .map(|task| reassigned(task, AssignmentReason::Left, &others, dice));
        events.extend(moved);
    }
    Ok(events)
}

/// Hands over the open tasks of a user who cannot be drawn any more: one who left, a manager or an admin.
///
/// # Errors
/// [`Rejection::RoleMayNot`], [`Rejection::CanBeDrawn`], [`Rejection::NobodyEligible`]
pub fn hand_over(
    actor: &User,
    user: &User,
    open: &[Task],
    eligible: &[UserId],
    dice: &mut dyn Dice,
) -> Result<Vec<Event>, Rejection> {
    actor.require(Right::ManageTasks)?;
    if user.is_eligible() {
        return Err(Rejection::CanBeDrawn {
            login: user.login.clone(),
        });
    }
    if eligible.is_empty() && !open.is_empty() {
        return Err(Rejection::NobodyEligible);
    }
    Ok(open
        .iter()
        .map(|task| reassigned(task, AssignmentReason::Left, eligible, dice))
        .collect())
}
