//! Analytics: finished tasks, payouts and daily results, as management looks at them.

use std::sync::Arc;
use std::time::Instant;

use crate::consumers::common_tables::CommonTables;
use crate::consumers::feed::follow;
use crate::consumers::withheld::Withheld;
use crate::consumers::{ConsumeError, Surroundings};
use crate::domain::event::Event;
use crate::domain::id::Sequence;
use crate::state::{Checkpoint, Recorded};
use crate::store::Database;
use crate::store::tables::{SettledRow, SettledRows};

/// How many events are held in memory before they are stored.
const FLUSH_EVENTS: u64 = 100_000;

pub struct Analytics<'d> {
    database: &'d Database,
    common: CommonTables,
    settled: SettledRows,
    withheld: Arc<Withheld>,
    position: Checkpoint,
    /// Whether rows wait in an open transaction.
    is_open: bool,
    unflushed: u64,
}

impl<'d> Analytics<'d> {
    pub fn resume(
        database: &'d Database,
        withheld: Withheld,
    ) -> Result<Analytics<'d>, ConsumeError> {
        let (common, settled, withheld) = (
            CommonTables::load(database)?,
            SettledRows::default(),
            Arc::new(withheld),
        );
        let position = database.checkpoint()?;
        Ok(Analytics {
            database,
            common,
            settled,
            withheld,
            position,
            is_open: false,
            unflushed: 0,
        })
    }

    pub fn position(&self) -> &Checkpoint {
        &self.position
    }

    /// Reads on to the head, or until `deadline`. True at the head.
    pub fn catch_up(
        &mut self,
        around: &Surroundings<'_>,
        deadline: Option<Instant>,
    ) -> Result<bool, ConsumeError> {
        self.project_through(around, None, deadline)
    }

    /// The same, up to `last` if that comes before the head.
    pub fn project_through(
        &mut self,
        around: &Surroundings<'_>,
        last: Option<Sequence>,
        deadline: Option<Instant>,
    ) -> Result<bool, ConsumeError> {
        let (after, withheld) = (self.position, Arc::clone(&self.withheld));
        let fed = follow(around, &withheld, &after, last, deadline, |chunk| {
            for recorded in &chunk.events {
                self.project(recorded)?;
            }
            self.position = chunk.through;
            self.unflushed += chunk.lines;
            if self.unflushed >= FLUSH_EVENTS {
                self.flush()
            } else {
                Ok(())
            }
        });
        // The log's errors come between chunks: what stands before the bad event is kept.
        if matches!(fed, Ok(_) | Err(ConsumeError::Log(_)))
            && self.withheld.may_rest_at(self.position.sequence)
        {
            self.commit()?;
        }
        fed
    }

    fn project(&mut self, recorded: &Recorded<'_>) -> Result<(), ConsumeError> {
        self.common.project(recorded)?;
        if let Event::TaskSettled(e) = recorded.event.as_ref() {
            self.settled.push(SettledRow {
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
        Ok(())
    }

    /// Hands the rows over to DuckDB, in a transaction that stays open.
    fn flush(&mut self) -> Result<(), ConsumeError> {
        if !std::mem::replace(&mut self.is_open, true) {
            self.database.begin()?;
        }
        self.common.flush(self.database)?;
        self.settled.flush(self.database)?;
        self.unflushed = 0;
        Ok(())
    }

    /// Stores rows and checkpoint in one transaction.
    fn commit(&mut self) -> Result<(), ConsumeError> {
        self.flush()?;
        self.database
            .set_checkpoint(&self.position, self.common.tally())?;
        failpoint!("analytics.before_commit");
        self.database.commit()?;
        self.is_open = false;
        Ok(())
    }
}
