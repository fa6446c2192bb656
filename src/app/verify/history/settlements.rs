//! I12: what analytics is told of a finished task is what the ledger says.

use crate::app::verify::history::tasks::words;
use crate::app::verify::history::{History, minor};
use crate::domain::event::TaskSettled;
use crate::state::Recorded;

impl History {
    pub(super) fn task_settled(&mut self, recorded: &Recorded<'_>, e: &TaskSettled) {
        let fault = self.settlement_fault(e);
        if let Some(what) = fault {
            self.violates("I12", recorded.sequence, what);
        }
        if let Some(done) = self
            .tasks
            .known
            .get_mut(&e.task_id)
            .and_then(|task| task.completed.as_mut())
        {
            done.is_settled = true;
            let cause = done.id;
            self.check_derived(recorded, "task.settled", cause);
        }
    }

    fn settlement_fault(&self, e: &TaskSettled) -> Option<String> {
        let task = self.tasks.known.get(&e.task_id);
        let Some((task, done)) = task.and_then(|task| Some((task, task.completed?))) else {
            return Some("the settled task was never completed".to_owned());
        };
        let on = self
            .company
            .as_ref()
            .map(|company| company.zone.date_of(done.time));
        let price = task.price.map(|price| (price.fee, price.reward));
        let wrong = [
            ("it was settled before", done.is_settled),
            (
                "number, title or jira id differ",
                (task.number, task.words) != (e.number, words(&e.title, e.jira_id.as_deref())),
            ),
            ("completed_by differs", done.by != e.completed_by),
            ("completed_at differs", done.time != e.completed_at),
            (
                "completed_on differs",
                on.is_some_and(|on| on != e.completed_on),
            ),
            (
                "completed_sequence differs",
                done.at != e.completed_sequence,
            ),
            (
                "fee or reward differ from the price",
                price.is_some_and(|price| price != (e.fee, e.reward)),
            ),
            (
                "fees_charged differs",
                task.fees_charged != minor(e.fees_charged),
            ),
        ];
        let wrong: Vec<&str> = wrong
            .into_iter()
            .filter(|(_, is_wrong)| *is_wrong)
            .map(|(what, _)| what)
            .collect();
        (!wrong.is_empty()).then(|| {
            format!(
                "the settlement is not what the task's events say: {}",
                wrong.join(", ")
            )
        })
    }
}
