//! The queries of commands and lists.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::domain::company::Company;
use crate::domain::dead_letter::LetterState;
use crate::domain::event::{CompanyFounded, Consumer};
use crate::domain::id::{IdPrefix, Sequence, TaskId, UserId};
use crate::domain::task::edit::TaskText;
use crate::domain::task::{Status, Task};
use crate::domain::text::is_jira_id;
use crate::domain::time::EventTime;
use crate::domain::user::User;
use crate::event_log::Hash;
use crate::state::StateError;
use crate::state::index::StateIndex;
use crate::state::resolutions::Resolution;
use crate::state::row::{self, Blob};

/// A user's name for a task: `12`, `T-12`, a jira id or an id.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum TaskName {
    Number(u64),
    JiraId(String),
    Id(TaskId),
    /// A word that names no task.
    Other(String),
}

impl TaskName {
    pub fn parse(text: &str) -> TaskName {
        let text = text.trim();
        let number = text
            .strip_prefix("T-")
            .or_else(|| text.strip_prefix("t-"))
            .unwrap_or(text);
        if let (true, Ok(number)) = (number.bytes().all(|b| b.is_ascii_digit()), number.parse()) {
            return TaskName::Number(number);
        }
        if let Ok(id) = text.parse() {
            return TaskName::Id(id);
        }
        if is_jira_id(text) {
            TaskName::JiraId(text.to_owned())
        } else {
            TaskName::Other(text.to_owned())
        }
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TaskName::Number(number) => number.fmt(f),
            TaskName::Id(id) => id.fmt(f),
            TaskName::JiraId(text) | TaskName::Other(text) => f.write_str(text),
        }
    }
}

/// The first use of an idempotency key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GivenCommand {
    pub command_hash: Hash,
    pub first: Sequence,
    pub events: u64,
    /// The task that the batch created, if any.
    pub task_number: Option<u64>,
}

/// A row of a task list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskRow {
    pub task: Task,
    pub title: String,
    pub jira_id: Option<String>,
    pub description: Option<String>,
    pub created_by: String,
    pub created_at: EventTime,
    pub created_sequence: Sequence,
    pub assignee: String,
    pub assigned_at: EventTime,
    pub completed_at: Option<EventTime>,
    pub completed_sequence: Option<Sequence>,
    pub cancelled: Option<Cancellation>,
}

/// The tasks of a list; an absent member stands for all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WantedTasks {
    pub status: Option<Status>,
    pub assignee: Option<UserId>,
    pub creator: Option<UserId>,
    /// When they were completed: from the first time on, before the second.
    pub completed: (Option<EventTime>, Option<EventTime>),
}

/// An open task, as the board counts it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeldTask {
    pub id: TaskId,
    pub assignee: UserId,
    pub created_at: EventTime,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cancellation {
    pub sequence: Sequence,
    pub at: EventTime,
    /// A login, or the actor where that is no user.
    pub by: String,
    pub reason: String,
}

/// One assignment of a task.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HandOver {
    pub sequence: Sequence,
    pub assignment_no: u32,
    pub assignee: String,
    pub at: EventTime,
}

/// A change of a task's texts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextChange {
    pub sequence: Sequence,
    pub at: EventTime,
    /// A login, or the actor where that is no user.
    pub by: String,
    /// The texts before; `None` where nothing changed, empty where nothing stood.
    pub title: Option<String>,
    pub jira_id: Option<String>,
    pub description: Option<String>,
}

const TASKS: &str =
    "SELECT number, task_id, created_by, status, assignee, assignment_no FROM tasks";

const TASK_ROWS: &str = "SELECT t.*, c.login AS created_by_login, a.login AS assignee_login
    FROM tasks t JOIN users c ON c.user_id = t.created_by JOIN users a ON a.user_id = t.assignee";

impl StateIndex {
    pub fn company(&self) -> Result<Option<Company>, StateError> {
        let found: Option<(i64, String)> = self
            .db()
            .query_row("SELECT founded_at, data FROM company", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
            .map_err(self.failed("read the company"))?;
        let Some((founded_at, data)) = found else {
            // The first event founds it.
            let is_filled = self.checkpoint()?.sequence > Sequence::ZERO;
            return if is_filled {
                Err(self.file().damaged("its company is missing"))
            } else {
                Ok(None)
            };
        };
        let founded: CompanyFounded =
            serde_json::from_str(&data).map_err(|error| StateError::Company {
                reason: error.to_string(),
            })?;
        let at = EventTime::from_micros(founded_at).expect("written from an event's time");
        Company::from_founding(&founded, at)
            .map(Some)
            .map_err(|rejection| StateError::Company {
                reason: rejection.to_string(),
            })
    }

    /// A user by login or id.
    pub fn user_named(&self, name: &str) -> Result<Option<User>, StateError> {
        match name.parse::<UserId>() {
            Ok(id) => self.user(id),
            Err(_) => self.optional("SELECT * FROM users WHERE login = ?1", [name], row::user),
        }
    }

    /// At most [`IdPrefix::CANDIDATES`] users whose id has this beginning.
    pub fn users_with(&self, prefix: IdPrefix) -> Result<Vec<User>, StateError> {
        let sql = "SELECT * FROM users WHERE user_id BETWEEN ?1 AND ?2 ORDER BY login LIMIT ?3";
        self.all(sql, row::range(prefix), row::user)
    }

    pub fn user(&self, id: UserId) -> Result<Option<User>, StateError> {
        self.optional(
            "SELECT * FROM users WHERE user_id = ?1",
            params![Blob::from(id)],
            row::user,
        )
    }

    /// All users in order of registration.
    pub fn users(&self) -> Result<Vec<User>, StateError> {
        self.all("SELECT * FROM users ORDER BY ordinal", [], row::user)
    }

    /// Rule T2: the users who may be drawn for a task, in order of registration.
    pub fn eligible(&self) -> Result<Rc<[UserId]>, StateError> {
        if let Some(eligible) = self.eligible_cache().borrow().as_ref() {
            return Ok(Rc::clone(eligible));
        }
        let users = self.users()?;
        let eligible: Rc<[UserId]> = users
            .iter()
            .filter(|user| user.is_eligible())
            .map(|user| user.id)
            .collect();
        *self.eligible_cache().borrow_mut() = Some(Rc::clone(&eligible));
        Ok(eligible)
    }

    pub fn active_admins(&self) -> Result<u64, StateError> {
        let sql = "SELECT count(*) FROM users WHERE active AND role = 'admin'";
        Ok(self.optional(sql, [], |row| row.get(0))?.unwrap_or(0))
    }

    /// The number of the next task.
    pub fn next_number(&self) -> Result<u64, StateError> {
        let sql = "SELECT number FROM tasks ORDER BY number DESC LIMIT 1";
        let last: Option<u64> = self.optional(sql, [], |row| row.get(0))?;
        Ok(last.unwrap_or(0) + 1)
    }

    /// All tasks that `name` may mean; several only for a jira id.
    pub fn tasks_named(&self, name: &TaskName) -> Result<Vec<Task>, StateError> {
        let columns = TASKS;
        match name {
            TaskName::Number(number) => {
                self.all(&format!("{columns} WHERE number = ?1"), [number], row::task)
            }
            TaskName::Id(id) => self.all(
                &format!("{columns} WHERE task_id = ?1"),
                params![Blob::from(*id)],
                row::task,
            ),
            TaskName::JiraId(jira_id) => self.all(
                &format!("{columns} WHERE jira_id = ?1 ORDER BY number"),
                [jira_id],
                row::task,
            ),
            TaskName::Other(_) => Ok(Vec::new()),
        }
    }

    /// At most [`IdPrefix::CANDIDATES`] tasks whose id has this beginning.
    pub fn tasks_with(&self, prefix: IdPrefix) -> Result<Vec<Task>, StateError> {
        let sql = format!("{TASKS} WHERE task_id BETWEEN ?1 AND ?2 ORDER BY number LIMIT ?3");
        self.all(&sql, row::range(prefix), row::task)
    }

    /// Open tasks in order of their numbers.
    pub fn open_tasks(&self) -> Result<Vec<Task>, StateError> {
        let sql = format!("{TASKS} WHERE status = 'open' ORDER BY number");
        self.all(&sql, [], row::task)
    }

    /// The open tasks of one user in order of their numbers.
    pub fn open_tasks_of(&self, assignee: UserId) -> Result<Vec<Task>, StateError> {
        let sql = format!("{TASKS} WHERE status = 'open' AND assignee = ?1 ORDER BY number");
        self.all(&sql, params![Blob::from(assignee)], row::task)
    }

    /// Tasks with their texts, in order of their numbers.
    pub fn task_rows(&self, wanted: &WantedTasks) -> Result<Vec<TaskRow>, StateError> {
        let status = wanted.status.map_or("TRUE".to_owned(), |status| {
            format!("t.status = '{}'", status.name())
        });
        let sql = format!(
            "{TASK_ROWS} WHERE {status} AND (?1 IS NULL OR t.assignee = ?1) AND (?2 IS NULL OR t.created_by = ?2)
             AND (?3 IS NULL OR t.completed_at >= ?3) AND (?4 IS NULL OR t.completed_at < ?4) ORDER BY t.number"
        );
        let (from, before) = wanted.completed;
        let params = params![
            wanted.assignee.map(Blob::from),
            wanted.creator.map(Blob::from),
            from.map(EventTime::micros),
            before.map(EventTime::micros),
        ];
        self.all(&sql, params, task_row)
    }

    /// Every open task with its assignee.
    pub fn held_tasks(&self) -> Result<Vec<HeldTask>, StateError> {
        let sql = "SELECT task_id, assignee, created_at FROM tasks WHERE status = 'open'";
        self.all(sql, [], |row| {
            Ok(HeldTask {
                id: row::task_id(row, "task_id")?,
                assignee: row::user_id(row, "assignee")?,
                created_at: row::time(row, "created_at")?,
            })
        })
    }

    pub fn task_row(&self, number: u64) -> Result<Option<TaskRow>, StateError> {
        self.optional(
            &format!("{TASK_ROWS} WHERE t.number = ?1"),
            [number],
            task_row,
        )
    }

    pub fn task_text(&self, number: u64) -> Result<Option<TaskText>, StateError> {
        let sql = "SELECT title, jira_id, description FROM tasks WHERE number = ?1";
        self.optional(sql, [number], |row| {
            Ok(TaskText {
                title: row.get("title")?,
                jira_id: row.get("jira_id")?,
                description: row.get("description")?,
            })
        })
    }

    /// The changes of a task's texts, in their order.
    pub fn text_changes(&self, number: u64) -> Result<Vec<TextChange>, StateError> {
        let sql = "SELECT * FROM task_changes WHERE number = ?1 ORDER BY sequence";
        self.all(sql, [number], |row| {
            Ok(TextChange {
                sequence: Sequence(row.get("sequence")?),
                at: row::time(row, "changed_at")?,
                by: row.get("changed_by")?,
                title: row.get("title")?,
                jira_id: row.get("jira_id")?,
                description: row.get("description")?,
            })
        })
    }

    pub fn hand_overs(&self, number: u64) -> Result<Vec<HandOver>, StateError> {
        let sql = "SELECT h.*, u.login FROM assignments h JOIN users u ON u.user_id = h.assignee
            WHERE h.number = ?1 ORDER BY h.assignment_no";
        self.all(sql, [number], |row| {
            Ok(HandOver {
                sequence: Sequence(row.get("sequence")?),
                assignment_no: row.get("assignment_no")?,
                assignee: row.get("login")?,
                at: row::time(row, "assigned_at")?,
            })
        })
    }

    /// Everybody to whom the task with this subject was ever assigned.
    pub fn assignees(&self, subject: &str) -> Result<Vec<UserId>, StateError> {
        let Some(Ok(task)) = subject.strip_prefix("task/").map(str::parse::<TaskId>) else {
            return Ok(Vec::new());
        };
        let sql = "SELECT DISTINCT a.assignee FROM assignments a JOIN tasks t USING (number) WHERE t.task_id = ?1";
        self.all(sql, params![Blob::from(task)], |row| {
            row::user_id(row, "assignee")
        })
    }

    pub fn given_command(&self, key: &str) -> Result<Option<GivenCommand>, StateError> {
        self.optional(
            "SELECT * FROM commands WHERE command_id = ?1",
            [key],
            |row| {
                let hash: String = row.get("command_hash")?;
                let command_hash = hash.parse().map_err(|()| rusqlite::Error::InvalidQuery)?;
                Ok(GivenCommand {
                    command_hash,
                    first: Sequence(row.get("first_sequence")?),
                    events: row.get("events")?,
                    task_number: row.get("task_number")?,
                })
            },
        )
    }

    /// All decisions about dead letters, in the order in which they were made.
    pub fn resolutions(&self) -> Result<Vec<Resolution>, StateError> {
        self.all(
            "SELECT * FROM resolutions ORDER BY sequence",
            [],
            resolution,
        )
    }

    /// The last decision about each event, by event and consumer.
    pub fn last_resolutions(&self) -> Result<Vec<Resolution>, StateError> {
        let mut last = BTreeMap::new();
        for resolution in self.resolutions()? {
            last.insert((resolution.target, resolution.consumer), resolution);
        }
        Ok(last.into_values().collect())
    }

    /// The decisions about events that are set aside now.
    pub fn set_aside(&self) -> Result<Vec<Resolution>, StateError> {
        let mut last = self.last_resolutions()?;
        last.retain(|resolution| resolution.state == LetterState::SetAside);
        Ok(last)
    }

    pub(super) fn all<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StateError> {
        let collect = |db: &Connection| {
            db.prepare_cached(sql)?
                .query_map(params, read)?
                .collect::<Result<Vec<T>, _>>()
        };
        collect(self.db()).map_err(self.failed("query"))
    }

    fn optional<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StateError> {
        let find = |db: &Connection| db.prepare_cached(sql)?.query_row(params, read).optional();
        find(self.db()).map_err(self.failed("query"))
    }
}

fn task_row(row: &Row<'_>) -> rusqlite::Result<TaskRow> {
    let completed_at: Option<i64> = row.get("completed_at")?;
    Ok(TaskRow {
        task: row::task(row)?,
        title: row.get("title")?,
        jira_id: row.get("jira_id")?,
        description: row.get("description")?,
        created_by: row.get("created_by_login")?,
        created_at: row::time(row, "created_at")?,
        created_sequence: Sequence(row.get("created_sequence")?),
        assignee: row.get("assignee_login")?,
        assigned_at: row::time(row, "assigned_at")?,
        completed_at: completed_at.and_then(EventTime::from_micros),
        completed_sequence: row
            .get::<_, Option<u64>>("completed_sequence")?
            .map(Sequence),
        cancelled: cancellation(row)?,
    })
}

fn cancellation(row: &Row<'_>) -> rusqlite::Result<Option<Cancellation>> {
    let Some(sequence) = row.get::<_, Option<u64>>("cancelled_sequence")? else {
        return Ok(None);
    };
    Ok(Some(Cancellation {
        sequence: Sequence(sequence),
        at: row::time(row, "cancelled_at")?,
        by: row.get("cancelled_by")?,
        reason: row.get("cancel_reason")?,
    }))
}

fn resolution(row: &Row<'_>) -> rusqlite::Result<Resolution> {
    let (consumer, state, by): (String, String, String) = (
        row.get("consumer")?,
        row.get("standing")?,
        row.get("decided_by")?,
    );
    Ok(Resolution {
        sequence: Sequence(row.get("sequence")?),
        consumer: Consumer::named(&consumer).ok_or(rusqlite::Error::InvalidQuery)?,
        target: Sequence(row.get("target_sequence")?),
        state: LetterState::named(&state).ok_or(rusqlite::Error::InvalidQuery)?,
        reason: row.get("reason")?,
        by: by.parse().map_err(|()| rusqlite::Error::InvalidQuery)?,
        at: row::time(row, "decided_at")?,
    })
}
