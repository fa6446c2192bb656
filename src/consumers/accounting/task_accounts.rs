//! The tasks of the next causes, as far as they are in memory. Others are looked up in the tables.

use std::collections::{HashMap, HashSet};

use crate::consumers::common_tables::{money, user_id};
use crate::domain::event::{Event, Fact, TaskChanged};
use crate::domain::id::{Sequence, TaskId};
use crate::domain::ledger::correct::Original;
use crate::domain::ledger::entry::EntryKind;
use crate::domain::ledger::reaction::TaskAccount;
use crate::domain::pricing::Price;
use crate::domain::task::edit::TaskText;
use crate::state::Recorded;
use crate::store::tables::{WantedRow, WantedRows};
use crate::store::{Database, StoreError};

/// The most tasks that are kept in memory between two batches.
const ACCOUNTS_MAX: usize = 200_000;

#[derive(Default)]
pub(super) struct TaskAccounts {
    open: HashMap<TaskId, TaskAccount>,
    /// The fees of tasks that are about to be cancelled, in the order of the log.
    fees: HashMap<TaskId, Vec<Original>>,
}

impl TaskAccounts {
    pub(super) fn insert(&mut self, task: TaskId, account: TaskAccount) {
        self.open.insert(task, account);
    }

    /// The task if it is open before the event `at`.
    pub(super) fn open(&mut self, task: TaskId, at: Sequence) -> Option<&mut TaskAccount> {
        let account = self.open.get_mut(&task)?;
        account
            .cancelled
            .is_none_or(|cancelled| at <= cancelled)
            .then_some(account)
    }

    /// The same; the event `at` ends it.
    pub(super) fn end(&mut self, task: TaskId, at: Sequence) -> Option<TaskAccount> {
        self.open(task, at)?;
        self.open.remove(&task)
    }

    pub(super) fn change(&mut self, at: Sequence, changed: &TaskChanged) {
        if let Some(task) = self.open.get_mut(&changed.task_id) {
            task.change(at, changed);
        }
    }

    /// Follows a fee.
    pub(super) fn charged(&mut self, fact: &Fact) {
        if let Event::BalanceChanged(entry) = &fact.event
            && let Some(task) = entry.task_id
            && let Some(fees) = self.fees.get_mut(&task)
        {
            fees.push(Original::of(entry));
        }
    }

    /// The fees of a task that is cancelled now.
    pub(super) fn take_fees(&mut self, task: TaskId) -> Vec<Original> {
        self.fees.remove(&task).unwrap_or_default()
    }

    /// The most entries that follow from the event if it cancels a task.
    pub(super) fn fees_to_take_back(&self, recorded: &Recorded<'_>) -> usize {
        match recorded.event.as_ref() {
            Event::TaskCancelled(e) => self.fees.get(&e.task_id).map_or(0, Vec::len),
            _ => 0,
        }
    }

    pub(super) fn forget_some(&mut self) {
        if self.open.len() > ACCOUNTS_MAX {
            self.open.clear();
        }
    }

    /// The tasks that the events are about and that have to be looked up. A cancelled task is one of them: the events
    /// do not tell its fees.
    pub(super) fn wanted(&mut self, events: &[Recorded<'_>]) -> HashSet<TaskId> {
        let mut created = HashSet::new();
        let mut wanted = HashSet::new();
        for recorded in events {
            let task = match recorded.event.as_ref() {
                Event::TaskCreated(e) => {
                    created.insert(e.task_id);
                    continue;
                }
                Event::TaskCancelled(e) => {
                    self.fees.insert(e.task_id, Vec::new());
                    wanted.insert(e.task_id);
                    continue;
                }
                Event::TaskAssigned(e) => e.task_id,
                Event::TaskCompleted(e) => e.task_id,
                _ => continue,
            };
            if !created.contains(&task) && !self.open.contains_key(&task) {
                wanted.insert(task);
            }
        }
        wanted
    }

    /// Loads the tasks of `wanted` that are not completed, and the fees of those that are about to be cancelled. No
    /// user is paid twice for a task.
    pub(super) fn load(
        &mut self,
        database: &Database,
        wanted: &HashSet<TaskId>,
    ) -> Result<(), StoreError> {
        select(database, wanted)?;
        let failed = database.failed("read");
        let accounts = load_accounts(database).map_err(&failed)?;
        self.open.extend(accounts);
        let cancelled: HashSet<TaskId> = self.fees.keys().copied().collect();
        if cancelled.is_empty() {
            return Ok(());
        }
        select(database, &cancelled)?;
        for (task, fee) in load_fees(database).map_err(&failed)? {
            self.fees.entry(task).or_default().push(fee);
        }
        Ok(())
    }
}

/// Fills the temporary table `wanted`.
fn select(database: &Database, wanted: &HashSet<TaskId>) -> Result<(), StoreError> {
    database.run(
        "write",
        "CREATE OR REPLACE TEMP TABLE wanted (task_id UUID)",
    )?;
    let mut rows = WantedRows::default();
    wanted.iter().for_each(|task| {
        rows.push(WantedRow {
            task_id: task.uuid(),
        })
    });
    rows.flush(database)
}

fn load_accounts(database: &Database) -> Result<Vec<(TaskId, TaskAccount)>, duckdb::Error> {
    let mut changes = load_changes(database)?;
    let mut statement = database.connection().prepare(
        "SELECT t.task_id::VARCHAR, t.number, t.title, t.jira_id, p.fee, p.reward, coalesce(e.fees, 0)::BIGINT,
             (SELECT min(k.sequence) FROM cancellations k WHERE k.task_id = t.task_id)
         FROM wanted w JOIN tasks t USING (task_id) JOIN prices p USING (task_id)
         LEFT JOIN (SELECT task_id, -sum(amount) FILTER (kind = 'fee') AS fees, bool_or(kind = 'reward') AS settled
                    FROM entries SEMI JOIN wanted USING (task_id) GROUP BY task_id) e USING (task_id)
         WHERE settled IS NOT TRUE",
    )?;
    let mut read = |row: &duckdb::Row<'_>| {
        let task = task_id(row)?;
        let account = TaskAccount {
            number: row.get(1)?,
            text: TaskText {
                title: row.get(2)?,
                jira_id: row.get(3)?,
                description: None,
            },
            changes: changes.remove(&task).unwrap_or_default(),
            price: Price {
                fee: money(row, 4)?,
                reward: money(row, 5)?,
            },
            fees_charged: money(row, 6)?,
            cancelled: row.get::<_, Option<u64>>(7)?.map(Sequence),
        };
        Ok((task, account))
    };
    statement.query_map([], &mut read)?.collect()
}

/// All changes of the tasks in `wanted`, in the order of the log.
fn load_changes(
    database: &Database,
) -> Result<HashMap<TaskId, Vec<(Sequence, TaskChanged)>>, duckdb::Error> {
    let mut statement = database.connection().prepare(
        "SELECT task_id::VARCHAR, sequence, title, jira_id FROM task_changes SEMI JOIN wanted USING (task_id)
         ORDER BY sequence",
    )?;
    let mut rows = statement.query([])?;
    let mut changes: HashMap<TaskId, Vec<_>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let change = TaskChanged {
            task_id: task_id(row)?,
            title: row.get(2)?,
            jira_id: row.get(3)?,
            description: None,
        };
        let of_task = changes.entry(change.task_id).or_default();
        of_task.push((Sequence(row.get(1)?), change));
    }
    Ok(changes)
}

/// The fees of the tasks in `wanted` with the parts that are corrected already, in the order of the log.
fn load_fees(database: &Database) -> Result<Vec<(TaskId, Original)>, duckdb::Error> {
    let mut statement = database.connection().prepare(
        "WITH mine AS (SELECT * FROM entries SEMI JOIN wanted USING (task_id))
         SELECT task_id::VARCHAR, entry_id::VARCHAR, user_id::VARCHAR, mine.amount, assignment_no,
             coalesce(back.amount, 0)::BIGINT
         FROM mine LEFT JOIN (SELECT corrects, sum(amount) AS amount FROM mine WHERE corrects IS NOT NULL
             GROUP BY corrects) back ON back.corrects = mine.entry_id
         WHERE kind = 'fee' ORDER BY sequence",
    )?;
    let read = |row: &duckdb::Row<'_>| {
        let (task, entry): (TaskId, String) = (task_id(row)?, row.get(1)?);
        let fee = Original {
            entry_id: entry.parse().map_err(|_| duckdb::Error::InvalidQuery)?,
            user_id: user_id(row, 2)?,
            kind: EntryKind::Fee,
            amount: money(row, 3)?,
            task_id: Some(task),
            assignment_no: row.get(4)?,
            corrected: money(row, 5)?,
        };
        Ok((task, fee))
    };
    statement.query_map([], read)?.collect()
}

fn task_id(row: &duckdb::Row<'_>) -> Result<TaskId, duckdb::Error> {
    let id: String = row.get(0)?;
    id.parse().map_err(|_| duckdb::Error::InvalidQuery)
}
