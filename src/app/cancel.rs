//! Cancelling a task on behalf of a caller (rule T7).
//!
//! Its creator may do so as long as nobody was charged. The charges are not in the state index, but the first one
//! follows the creation soon, so the log is read from there.

use crate::app::command::{CancelTask, known_task};
use crate::app::identity::Caller;
use crate::app::write::{Manner, Outcome, with_ids};
use crate::app::{App, AppError};
use crate::domain::event::{Event, EventKind};
use crate::domain::id::{Sequence, TaskId};
use crate::domain::ledger::entry::EntryKind;
use crate::domain::task::Task;
use crate::domain::task::cancel::Cancel;
use crate::event_log::LineKind;
use crate::state::StateIndex;

impl App<'_> {
    /// Cancels a task.
    ///
    /// # Errors
    /// As [`App::execute`].
    pub fn cancel_task(
        &self,
        index: &StateIndex,
        caller: &Caller,
        request: &CancelTask,
        manner: &Manner,
    ) -> Result<Outcome, AppError> {
        self.carry_out(index, caller.user.id, request, manner, |actor, at, dice| {
            let task = known_task(index, &request.task)?;
            let is_charged =
                Cancel::depends_on_charges(actor, &task) && self.is_charged(index, &task)?;
            let events = request.cancel.decide(actor, &task, is_charged)?;
            Ok(with_ids(events, at, dice))
        })
    }

    /// Whether the log has a fee for the task.
    fn is_charged(&self, index: &StateIndex, task: &Task) -> Result<bool, AppError> {
        let row = index.task_row(task.number)?;
        let created = row.map_or(Sequence::FIRST, |row| row.created_sequence);
        let is_fee_of = |event: &Event, task: TaskId| match event {
            Event::BalanceChanged(e) => e.kind == EntryKind::Fee && e.task_id == Some(task),
            _ => false,
        };
        let mut reader = self.log.read(created)?;
        while let Some(line) = reader.next_line()? {
            if matches!(line.kind(), LineKind::Known(EventKind::BalanceChanged))
                && is_fee_of(&line.event()?, task.id)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
