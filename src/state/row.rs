//! Converts between SQLite's values and the domain's.

use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use uuid::Uuid;

use crate::domain::id::{CompanyId, EventId, IdPrefix, PayoutId, TaskId, UserId};
use crate::domain::role::Role;
use crate::domain::task::{Status, Task};
use crate::domain::time::EventTime;
use crate::domain::user::User;

/// An id as a 16-byte blob.
pub(crate) struct Blob(pub [u8; 16]);

impl ToSql for Blob {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(&self.0)))
    }
}

impl FromSql for Blob {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value
            .as_blob()?
            .try_into()
            .map(Blob)
            .map_err(|_| FromSqlError::InvalidType)
    }
}

macro_rules! blob_from {
    ($($id:ty)+) => {$(
        impl From<$id> for Blob {
            fn from(id: $id) -> Blob {
                Blob(*id.bytes())
            }
        }
    )+};
}

blob_from! { CompanyId EventId PayoutId TaskId UserId }

/// The first and the last id with this beginning, and the most candidates for it.
pub(crate) fn range(prefix: IdPrefix) -> (Blob, Blob, usize) {
    let (first, last) = prefix.range();
    let blob = |id: Uuid| Blob(id.into_bytes());
    (blob(first), blob(last), IdPrefix::CANDIDATES)
}

/// The id in a column.
pub(crate) fn uuid(row: &Row<'_>, column: &str) -> rusqlite::Result<Uuid> {
    Ok(Uuid::from_bytes(row.get::<_, Blob>(column)?.0))
}

pub(crate) fn user_id(row: &Row<'_>, column: &str) -> rusqlite::Result<UserId> {
    Ok(UserId::from_uuid(uuid(row, column)?))
}

pub(crate) fn task_id(row: &Row<'_>, column: &str) -> rusqlite::Result<TaskId> {
    Ok(TaskId::from_uuid(uuid(row, column)?))
}

pub(crate) fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<EventTime> {
    let micros: i64 = row.get(column)?;
    EventTime::from_micros(micros).ok_or(rusqlite::Error::IntegralValueOutOfRange(0, micros))
}

pub(crate) fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    let role: String = row.get("role")?;
    Ok(User {
        id: user_id(row, "user_id")?,
        login: row.get("login")?,
        full_name: row.get("full_name")?,
        email: row.get("email")?,
        role: role
            .parse::<Role>()
            .map_err(|_| rusqlite::Error::InvalidQuery)?,
        active: row.get("active")?,
    })
}

pub(crate) fn task(row: &Row<'_>) -> rusqlite::Result<Task> {
    Ok(Task {
        id: task_id(row, "task_id")?,
        number: row.get("number")?,
        created_by: user_id(row, "created_by")?,
        status: status(row)?,
        assignee: user_id(row, "assignee")?,
        assignment_no: row.get("assignment_no")?,
    })
}

fn status(row: &Row<'_>) -> rusqlite::Result<Status> {
    let name: String = row.get("status")?;
    let named = Status::ALL.into_iter().find(|status| status.name() == name);
    named.ok_or(rusqlite::Error::InvalidQuery)
}
