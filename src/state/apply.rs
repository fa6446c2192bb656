//! Applies an event to the index.

use rusqlite::{Connection, OptionalExtension, params};

use crate::domain::event::{
    Actor, Consumer, Event, EventKind, TaskAssigned, TaskCancelled, TaskChanged, TaskCreated,
    UserChanged,
};
use crate::domain::id::UserId;
use crate::state::Recorded;
use crate::state::resolutions::{self, Resolution};
use crate::state::row::Blob;

/// Whether the index processes events of this kind.
pub(super) fn is_subscribed(kind: EventKind) -> bool {
    kind.consumers().contains(&Consumer::Tracker)
}

/// Why the index does not apply an event.
pub(super) enum Refusal {
    Sqlite(rusqlite::Error),
    /// The earlier state that the event contradicts.
    Contradiction(String),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Refusal {
        Refusal::Sqlite(error)
    }
}

/// A change of a user or task that does not exist has no effect. Assignments are stored by the
/// number of their task, so an assignment of an unknown task is ignored too.
pub(super) fn apply(db: &Connection, recorded: &Recorded<'_>) -> Result<(), Refusal> {
    remember_key(db, recorded)?;
    match recorded.event.as_ref() {
        Event::CompanyFounded(founded) => {
            let data = serde_json::to_string(founded).expect("events serialize");
            execute(db, "INSERT INTO company VALUES (1, ?1, ?2)", params![recorded.time.micros(), data])
        }
        Event::UserRegistered(e) => execute(
            db,
            "INSERT INTO users (user_id, login, full_name, email, role, active) VALUES (?1, ?2, ?3, ?4, ?5, 1)",
            params![Blob::from(e.user_id), e.login, e.full_name, e.email, e.role.name()],
        ),
        Event::UserChanged(e) => change_user(db, e),
        Event::UserRoleChanged(e) => execute(
            db,
            "UPDATE users SET role = ?2 WHERE user_id = ?1",
            params![Blob::from(e.user_id), e.new_role.name()],
        ),
        Event::UserDeactivated(e) => set_active(db, e.user_id, false),
        Event::UserReactivated(e) => set_active(db, e.user_id, true),
        Event::TaskCreated(e) => create_task(db, recorded, e),
        Event::TaskChanged(e) => change_task(db, recorded, e),
        Event::TaskAssigned(e) => return assign_task(db, recorded, e),
        // Accounting stops at a second end of a task; the task stays as it ended.
        Event::TaskCompleted(e) => execute(
            db,
            "UPDATE tasks SET status = 'completed', completed_at = ?2, completed_sequence = ?3
             WHERE task_id = ?1 AND status = 'open'",
            params![Blob::from(e.task_id), recorded.time.micros(), recorded.sequence.0],
        ),
        Event::TaskCancelled(e) => cancel_task(db, recorded, e),
        Event::UserPasswordReset(_)
        | Event::TasksReshuffled(_)
        | Event::TaskPriced(_)
        | Event::BalanceChanged(_)
        | Event::TaskSettled(_)
        | Event::PayoutMade(_)
        | Event::DayClosed(_)
        | Event::MailSent(_)
        | Event::MailFailed(_) => Ok(()),
        Event::EventSetAside(_) | Event::EventRetried(_) | Event::EventSkipped(_) => {
            Resolution::of(recorded).map_or(Ok(()), |resolution| resolutions::insert(db, &resolution))
        }
    }
    .map_err(Refusal::Sqlite)
}

/// Stores the idempotency key of a batch, whatever its events are.
pub(super) fn remember_key(db: &Connection, recorded: &Recorded<'_>) -> rusqlite::Result<()> {
    let Some(hash) = recorded.command_hash else {
        return Ok(());
    };
    let task = match recorded.event.as_ref() {
        Event::TaskCreated(e) => Some(e.number),
        _ => None,
    };
    execute(
        db,
        "INSERT INTO commands VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            recorded.command_id,
            hash.to_string(),
            recorded.sequence.0,
            recorded.more + 1,
            task
        ],
    )
}

fn change_user(db: &Connection, e: &UserChanged) -> rusqlite::Result<()> {
    execute(
        db,
        "UPDATE users SET full_name = coalesce(?2, full_name), email = coalesce(?3, email)
         WHERE user_id = ?1",
        params![Blob::from(e.user_id), e.full_name, e.email],
    )
}

fn set_active(db: &Connection, user: UserId, active: bool) -> rusqlite::Result<()> {
    execute(
        db,
        "UPDATE users SET active = ?2 WHERE user_id = ?1",
        params![Blob::from(user), active],
    )
}

/// The assignment that follows in the same batch fills in the assignee.
fn create_task(db: &Connection, recorded: &Recorded<'_>, e: &TaskCreated) -> rusqlite::Result<()> {
    execute(
        db,
        "INSERT INTO tasks VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, x'', ?7, 0, 'open', NULL, NULL, NULL, NULL, NULL, NULL)",
        params![
            e.number,
            Blob::from(e.task_id),
            e.title,
            e.jira_id,
            e.description,
            Blob::from(e.created_by),
            recorded.time.micros(),
            recorded.sequence.0,
        ],
    )
}

fn change_task(db: &Connection, recorded: &Recorded<'_>, e: &TaskChanged) -> rusqlite::Result<()> {
    let (by, actor) = author(recorded);
    execute(
        db,
        "INSERT INTO task_changes
         SELECT number, ?2, ?3, coalesce((SELECT login FROM users WHERE user_id = ?4), ?5),
             iif(?6 IS NULL, NULL, title), iif(?7 IS NULL, NULL, coalesce(jira_id, '')),
             iif(?8 IS NULL, NULL, coalesce(description, ''))
         FROM tasks WHERE task_id = ?1",
        params![
            Blob::from(e.task_id),
            recorded.sequence.0,
            recorded.time.micros(),
            by,
            actor,
            e.title,
            e.jira_id,
            e.description,
        ],
    )?;
    execute(
        db,
        "UPDATE tasks SET title = coalesce(?2, title), jira_id = nullif(coalesce(?3, jira_id), ''),
             description = nullif(coalesce(?4, description), '') WHERE task_id = ?1",
        params![Blob::from(e.task_id), e.title, e.jira_id, e.description],
    )
}

fn cancel_task(
    db: &Connection,
    recorded: &Recorded<'_>,
    e: &TaskCancelled,
) -> rusqlite::Result<()> {
    let (by, actor) = author(recorded);
    execute(
        db,
        "UPDATE tasks SET status = 'cancelled', cancelled_at = ?2, cancelled_sequence = ?3, cancel_reason = ?4,
             cancelled_by = coalesce((SELECT login FROM users WHERE user_id = ?5), ?6)
         WHERE task_id = ?1 AND status = 'open'",
        params![
            Blob::from(e.task_id),
            recorded.time.micros(),
            recorded.sequence.0,
            e.reason,
            by,
            actor,
        ],
    )
}

/// The user who made an event, if a user did, and the actor in words.
fn author(recorded: &Recorded<'_>) -> (Option<Blob>, String) {
    let user = match recorded.actor {
        Actor::User(user) => Some(Blob::from(user)),
        Actor::System(_) => None,
    };
    (user, recorded.actor.to_string())
}

fn assign_task(db: &Connection, recorded: &Recorded<'_>, e: &TaskAssigned) -> Result<(), Refusal> {
    let number: Option<u64> = db
        .prepare_cached("SELECT number FROM tasks WHERE task_id = ?1")?
        .query_row(params![Blob::from(e.task_id)], |row| row.get(0))
        .optional()?;
    let number = number
        .ok_or_else(|| Refusal::Contradiction(format!("task {} was never created", e.task_id)))?;
    // RETURNING would spare the query, but SQLite would get 64 KiB of memory for each assignment, to
    // take back half of the statement.
    execute(
        db,
        "UPDATE tasks SET assignee = ?2, assigned_at = ?3, assignment_no = ?4
         WHERE number = ?1 AND status = 'open'",
        params![
            number,
            Blob::from(e.assignee_id),
            recorded.time.micros(),
            e.assignment_no
        ],
    )?;
    let row = params![
        number,
        e.assignment_no,
        Blob::from(e.assignee_id),
        recorded.time.micros(),
        recorded.sequence.0
    ];
    Ok(execute(
        db,
        "INSERT INTO assignments VALUES (?1, ?2, ?3, ?4, ?5)",
        row,
    )?)
}

fn execute(db: &Connection, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<()> {
    db.prepare_cached(sql)?.execute(params).map(drop)
}
