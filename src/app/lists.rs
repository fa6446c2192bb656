//! Tasks, users and events, as far as the caller may see them.

use crate::app::command::known_task;
use crate::app::identity::Caller;
use crate::app::{App, AppError};
use crate::domain::role::Right;
use crate::domain::task::Status;
use crate::domain::user::User;
use crate::event_log::FileLog;
use crate::state::{HandOver, StateIndex, TaskRow, TextChange};

/// The tasks of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TaskFilter {
    /// `None` for all.
    pub status: Option<Status>,
    /// Only those that are assigned to the caller.
    pub is_mine: bool,
}

/// A task, its assignments and the changes of its texts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskWithHistory {
    pub row: TaskRow,
    pub hand_overs: Vec<HandOver>,
    pub changes: Vec<TextChange>,
}

impl Caller {
    /// Tasks in order of their numbers.
    ///
    /// # Errors
    /// The role.
    pub fn tasks(&self, index: &StateIndex, filter: TaskFilter) -> Result<Vec<TaskRow>, AppError> {
        self.require(Right::SeeTasks)?;
        Ok(index.task_rows(filter.status, filter.is_mine.then_some(self.user.id))?)
    }

    /// A task and what happened to it.
    ///
    /// # Errors
    /// The role; an unknown or ambiguous name.
    pub fn task(&self, index: &StateIndex, name: &str) -> Result<TaskWithHistory, AppError> {
        self.require(Right::SeeTasks)?;
        let number = known_task(index, name)?.number;
        Ok(TaskWithHistory {
            row: index.task_row(number)?.expect("the task was just found"),
            hand_overs: index.hand_overs(number)?,
            changes: index.text_changes(number)?,
        })
    }

    /// Numbers and titles of open tasks whose number begins with `digits`, at most `max`.
    ///
    /// # Errors
    /// The role.
    pub fn open_tasks_beginning(
        &self,
        index: &StateIndex,
        digits: &str,
        is_mine: bool,
        max: usize,
    ) -> Result<Vec<(u64, String)>, AppError> {
        self.require(Right::SeeTasks)?;
        let assignee = is_mine.then_some(self.user.id);
        Ok(index.open_tasks_beginning(digits, assignee, max)?)
    }

    /// The e-mail address of a user. `None` if the caller may not see it: users see their own, and
    /// those of others if their role allows it.
    pub fn email_of<'u>(&self, user: &'u User) -> Option<&'u str> {
        let may_see = user.id == self.user.id || self.may(Right::SeeEmails);
        may_see.then_some(&user.email)
    }
}

impl App<'_> {
    /// The log, to be read event by event.
    ///
    /// # Errors
    /// The role.
    pub fn events(&self, caller: &Caller) -> Result<&FileLog, AppError> {
        caller.require(Right::Administer)?;
        Ok(&self.log)
    }
}
