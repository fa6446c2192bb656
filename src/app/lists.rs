//! Tasks, users and events, as far as the caller may see them.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::app::command::{known_task, known_user};
use crate::app::identity::Caller;
use crate::app::{App, AppError};
use crate::domain::company::Company;
use crate::domain::id::UserId;
use crate::domain::money::Money;
use crate::domain::period::DateRange;
use crate::domain::role::Right;
use crate::domain::task::Status;
use crate::domain::time::{BusinessDate, Zone};
use crate::domain::user::User;
use crate::event_log::FileLog;
use crate::reports::table::Table;
use crate::state::{HandOver, StateIndex, TaskRow, TextChange, WantedTasks};

/// The tasks of a list; an absent member stands for all.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct TaskFilter {
    /// Each has to occur in the title, the description or the jira id, in any case.
    pub words: Vec<String>,
    pub status: Option<Status>,
    /// The login or id of the assignee.
    pub of: Option<String>,
    /// The login or id of the creator.
    pub by: Option<String>,
    /// The local dates of the completion.
    pub done: Option<DateRange>,
}

/// The open tasks of one user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    pub user: User,
    pub open: u64,
    /// The rewards of the tasks.
    pub at_stake: Money,
    /// The age of the oldest task in local dates.
    pub oldest_days: i64,
}

/// A task, its assignments and the changes of its texts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskWithHistory {
    pub row: TaskRow,
    pub hand_overs: Vec<HandOver>,
    pub changes: Vec<TextChange>,
}

impl Held {
    fn nothing(user: User) -> Held {
        Held {
            user,
            open: 0,
            at_stake: Money::ZERO,
            oldest_days: 0,
        }
    }
}

/// The rows of `task board`.
pub fn board_table(held: &[Held]) -> Table {
    let days = |held: &Held| u64::try_from(held.oldest_days).unwrap_or_default();
    let users = || held.iter().map(|held| &held.user);
    Table::builder()
        .text("login", users().map(|user| Some(&user.login)))
        .text("name", users().map(|user| Some(&user.full_name)))
        .bool("active", users().map(|user| Some(user.active)))
        .int("open", held.iter().map(|held| Some(held.open)))
        .money("at_stake", held.iter().map(|held| Some(held.at_stake)))
        .int("oldest_days", held.iter().map(|held| Some(days(held))))
        .build()
}

/// Whether a word in small letters occurs in a text of the task.
fn occurs(word: &str, row: &TaskRow) -> bool {
    let optional = [&row.description, &row.jira_id];
    let texts = optional.into_iter().flatten().chain([&row.title]);
    texts
        .map(|text| text.to_lowercase())
        .any(|text| text.contains(word))
}

impl Caller {
    /// Tasks in order of their numbers.
    ///
    /// # Errors
    /// The role; an unknown user.
    pub fn tasks(
        &self,
        index: &StateIndex,
        zone: &Zone,
        filter: &TaskFilter,
    ) -> Result<Vec<TaskRow>, AppError> {
        self.require(Right::SeeTasks)?;
        let id_of = |name: &Option<String>| -> Result<Option<UserId>, AppError> {
            let user = name.as_ref().map(|name| known_user(index, name));
            Ok(user.transpose()?.map(|user| user.id))
        };
        let done = filter.done.unwrap_or_default();
        let wanted = WantedTasks {
            status: filter.status,
            assignee: id_of(&filter.of)?,
            creator: id_of(&filter.by)?,
            completed: (
                done.from.map(|from| zone.end_of(from.previous())),
                done.to.map(|to| zone.end_of(to)),
            ),
        };
        let mut rows = index.task_rows(&wanted)?;
        let words: Vec<String> = filter
            .words
            .iter()
            .map(|word| word.to_lowercase())
            .collect();
        rows.retain(|row| words.iter().all(|word| occurs(word, row)));
        Ok(rows)
    }

    /// Who holds open tasks, those with the most first.
    ///
    /// # Errors
    /// The role.
    pub fn board(
        &self,
        index: &StateIndex,
        company: &Company,
        today: BusinessDate,
    ) -> Result<Vec<Held>, AppError> {
        self.require(Right::SeeTasks)?;
        let mut held: Vec<Held> = index.users()?.into_iter().map(Held::nothing).collect();
        let places: HashMap<UserId, usize> = (0..)
            .zip(&held)
            .map(|(place, held)| (held.user.id, place))
            .collect();
        for task in index.held_tasks()? {
            let Some(place) = places.get(&task.assignee) else {
                continue;
            };
            let created = company.zone.date_of(task.created_at);
            let held = &mut held[*place];
            held.open += 1;
            held.at_stake += company.price_of(task.id).reward;
            let days = i64::from(today.epoch_days()) - i64::from(created.epoch_days());
            held.oldest_days = held.oldest_days.max(days);
        }
        held.retain(|held| held.open > 0);
        held.sort_by_key(|held| {
            let order = (Reverse(held.open), Reverse(held.oldest_days));
            (order, held.user.login.clone())
        });
        Ok(held)
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
