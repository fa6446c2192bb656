//! Names that begin with typed characters, for completion.

use rusqlite::params;

use crate::domain::id::UserId;
use crate::state::StateError;
use crate::state::index::StateIndex;
use crate::state::row::Blob;

impl StateIndex {
    /// At most `max` logins that begin with `prefix`, each with the full name, in alphabetical
    /// order.
    pub fn logins_beginning(
        &self,
        prefix: &str,
        max: usize,
    ) -> Result<Vec<(String, String)>, StateError> {
        let sql = "SELECT login, full_name FROM users
            WHERE login >= ?1 AND login < ?1 || char(1114111) ORDER BY login LIMIT ?2";
        self.all(sql, params![prefix, max], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
    }

    /// At most `max` open tasks whose number begins with `digits`, as number and title, in order.
    pub fn open_tasks_beginning(
        &self,
        digits: &str,
        assignee: Option<UserId>,
        max: usize,
    ) -> Result<Vec<(u64, String)>, StateError> {
        let sql = "SELECT number, title FROM tasks WHERE status = 'open' AND (?2 IS NULL OR assignee = ?2)
            AND substr(number, 1, length(?1)) = ?1 ORDER BY number LIMIT ?3";
        self.all(sql, params![digits, assignee.map(Blob::from), max], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
    }
}
