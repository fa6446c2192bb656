//! The records of the model: a user, a task, an entry, a date, a key.

use jiff::civil::Date;
use serde_json::Value;

use super::command::Command;

#[derive(Clone)]
pub struct User {
    pub id: String,
    pub login: String,
    pub name: String,
    pub email: String,
    pub role: String,
    pub active: bool,
}

impl User {
    /// Rule T2.
    pub fn is_eligible(&self) -> bool {
        self.active && ["accountant", "developer", "worker"].contains(&self.role.as_str())
    }
}

#[derive(Clone)]
pub struct Task {
    pub id: String,
    pub number: u64,
    pub created_with: Texts,
    /// The data of each `task.changed`, by sequence.
    pub changes: Vec<(u64, Value)>,
    pub created_by: String,
    pub created_at: i64,
    pub assignee: String,
    pub assigned_at: i64,
    pub assignments: u64,
    /// Minor units, as all money here.
    pub fee: i64,
    pub reward: i64,
    /// Whether accounting has recorded the price.
    pub is_priced: bool,
    pub completion: Option<Completion>,
    pub is_cancelled: bool,
}

impl Task {
    pub fn is_open(&self) -> bool {
        self.completion.is_none() && !self.is_cancelled
    }
}

#[derive(Clone)]
pub struct Texts {
    pub title: String,
    pub jira_id: Option<String>,
    pub description: Option<String>,
}

#[derive(Clone)]
pub struct Completion {
    pub by: String,
    pub at: i64,
}

/// A task event that accounting owes something.
#[derive(Clone)]
pub struct Cause {
    pub sequence: u64,
    pub id: String,
    pub at: i64,
    pub task: String,
    pub what: Owed,
}

#[derive(Clone)]
pub enum Owed {
    Price,
    Fee {
        user: String,
        assignment_no: u64,
    },
    Reward {
        user: String,
        assignment_no: u64,
    },
    /// The fees of a cancelled task that were not given back.
    FeesBack {
        reason: String,
        keeps: bool,
    },
}

#[derive(Clone)]
pub struct Entry {
    pub sequence: u64,
    pub id: String,
    pub user: String,
    pub kind: String,
    /// Signed from the popug's side.
    pub amount: i64,
    /// The sum of the user's entries so far, this one included.
    pub balance: i64,
    pub date: Date,
    pub late: bool,
    pub cause: Option<u64>,
    pub occurred_at: i64,
    pub posted_at: i64,
    pub task: Option<String>,
    pub assignment_no: Option<u64>,
    pub corrects: Option<String>,
    pub reason: Option<String>,
}

#[derive(Clone)]
pub struct Closed {
    pub date: Date,
    pub at: i64,
    pub by: String,
    pub sequence: u64,
    /// The members of `day.closed`.
    pub data: Value,
}

/// The first use of an idempotency key.
#[derive(Clone)]
pub struct Given {
    pub by: String,
    pub command: Command,
    pub sequences: Vec<u64>,
}
