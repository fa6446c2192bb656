//! Analytics: finished tasks, payouts and daily results, for management.

use std::time::Instant;

use crate::consumers::ConsumeError;
use crate::consumers::projection::{OwnTables, Projection};
use crate::domain::event::Event;
use crate::domain::ledger::tally::Tally;
use crate::state::Recorded;
use crate::store::tables::{SettledRow, SettledRows};
use crate::store::{Database, StoreError};
use crate::turn::Surroundings;

/// The tables of `analytics.duckdb`.
pub type Analytics<'d> = Projection<'d, SettledTable>;

/// The rows of `analytics.sql`.
pub struct SettledTable(SettledRows);

impl Analytics<'_> {
    /// Applies and stores the log up to the head, or until `deadline`. True at the head.
    ///
    /// # Errors
    /// As [`Projection::follow`].
    pub fn catch_up(
        &mut self,
        around: &Surroundings<'_>,
        deadline: Option<Instant>,
    ) -> Result<bool, ConsumeError> {
        let is_at_head = self.follow(around, None, deadline)?;
        self.commit()?;
        Ok(is_at_head)
    }
}

impl OwnTables for SettledTable {
    fn load(_: &Database) -> Result<SettledTable, StoreError> {
        Ok(SettledTable(SettledRows::default()))
    }

    fn record(&mut self, recorded: &Recorded<'_>, _: &Tally) {
        if let Event::TaskSettled(e) = recorded.event.as_ref() {
            self.0.push(SettledRow {
                sequence: recorded.sequence.0,
                task_id: e.task_id.uuid(),
                number: e.number,
                title: &e.title,
                jira_id: e.jira_id.as_deref(),
                completed_by: e.completed_by.uuid(),
                completed_at: e.completed_at,
                completed_on: e.completed_on,
                completed_sequence: e.completed_sequence.0,
                fee: e.fee,
                reward: e.reward,
                fees_charged: e.fees_charged,
            });
        }
    }

    fn flush(&mut self, database: &Database) -> Result<(), StoreError> {
        self.0.flush(database)
    }
}
