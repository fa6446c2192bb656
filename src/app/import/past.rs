//! The roles of users at an earlier point in the log.
//!
//! A row without effect left no event. When its file is imported again, the present state no longer
//! shows that the row had no effect, but the state of the log at its point does.

use std::collections::HashMap;

use crate::app::AppError;
use crate::app::command::Command;
use crate::domain::event::{Event, EventKind, Subject};
use crate::domain::id::{Sequence, UserId};
use crate::domain::role::Role;
use crate::domain::time::EventTime;
use crate::domain::user::User;
use crate::event_log::{FileLog, LineKind};

/// A point in history: after every earlier event and after all events up to `passed`.
#[derive(Clone, Copy)]
pub(super) struct Point {
    pub at: EventTime,
    pub passed: Sequence,
}

pub(super) struct Past {
    events: HashMap<UserId, Vec<(Sequence, EventTime, Event)>>,
}

impl Past {
    pub(super) fn read(log: &FileLog) -> Result<Past, AppError> {
        let mut events: HashMap<UserId, Vec<_>> = HashMap::new();
        log.for_each(Sequence::FIRST, &mut |line| {
            let LineKind::Known(
                EventKind::UserRegistered
                | EventKind::UserRoleChanged
                | EventKind::UserDeactivated
                | EventKind::UserReactivated,
            ) = line.kind()
            else {
                return Ok(());
            };
            let event = line.event()?;
            if let Subject::User(user) = event.subject() {
                events
                    .entry(user)
                    .or_default()
                    .push((line.sequence, line.event_time()?, event));
            }
            Ok(())
        })?;
        Ok(Past { events })
    }

    /// Returns true if `command` would have changed nothing about `user` at `point`.
    pub(super) fn had_no_effect(&self, command: &Command, user: UserId, point: Point) -> bool {
        match (command, self.user_at(user, point)) {
            (Command::SetRole { change, .. }, Some(user)) => {
                change.role.parse::<Role>() == Ok(user.role)
            }
            (Command::DeactivateUser { .. }, Some(user)) => !user.active,
            _ => false,
        }
    }

    fn user_at(&self, user: UserId, point: Point) -> Option<User> {
        let is_before =
            |sequence: Sequence, time: EventTime| time < point.at || sequence <= point.passed;
        let mut found: Option<User> = None;
        for (sequence, time, event) in self.events.get(&user)? {
            match event {
                _ if !is_before(*sequence, *time) => break,
                Event::UserRegistered(registered) => found = Some(User::registered(registered)),
                change => found.iter_mut().for_each(|user| user.evolve(change)),
            }
        }
        found
    }
}
