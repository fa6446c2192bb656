//! `task complete`

use clap::Args;
use serde::Serialize;

use crate::app::command::{Command, known_task};
use crate::cli::answer::Answer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::{Invocation, OpenStore};
use crate::domain::event::{Event, TaskCompleted};
use crate::domain::money::Money;
use crate::reports::table::Table;

#[derive(Args, Debug)]
pub(crate) struct Complete {
    /// Numbers (12, T-12), jira ids or ids; the first characters of an id are enough, at least 4
    #[arg(required = true)]
    tasks: Vec<String>,
}

/// A completed task.
#[derive(Serialize)]
struct Done {
    task_id: String,
    /// Absent if the state index cannot be read.
    number: Option<u64>,
    reward: String,
}

impl Done {
    /// The task is completed, so an index that cannot be read is no failure any more.
    fn of(store: &OpenStore<'_>, completed: &TaskCompleted) -> Done {
        let task_id = completed.task_id.to_string();
        let found = known_task(&store.index, &task_id).ok();
        Done {
            number: found.map(|task| task.number),
            task_id,
            reward: store.company.price_of(completed.task_id).reward.to_string(),
        }
    }

    fn line(&self) -> String {
        let number = self.number.map(|number| format!("T-{number}"));
        let name = number.as_ref().unwrap_or(&self.task_id);
        format!("{name} done: reward {}\n", self.reward)
    }
}

impl Complete {
    pub(crate) fn run(
        self,
        invocation: &Invocation<'_>,
        store: &OpenStore<'_>,
    ) -> Result<Exit, Failure> {
        let command = Command::CompleteTasks { tasks: self.tasks };
        let outcome = invocation.execute(store, &command)?;
        invocation.emit_outcome(store, || {
            let row = Table::builder()
                .int("completed", [Some(outcome.events.len() as u64)])
                .int(
                    "sequence",
                    [outcome.events.first().map(|(sequence, _)| sequence.0)],
                )
                .bool("replayed", [Some(outcome.replayed)]);
            let completed = outcome.events.iter().filter_map(|(_, event)| match event {
                Event::TaskCompleted(completed) => Some(completed),
                _ => None,
            });
            let rewards = completed
                .clone()
                .map(|e| store.company.price_of(e.task_id).reward);
            let rewards: Money = rewards.sum();
            let done: Vec<Done> = completed.map(|e| Done::of(store, e)).collect();
            let mut told: String = done.iter().map(Done::line).collect();
            if done.len() > 1 {
                told.push_str(&format!("{} tasks done: rewards {rewards}\n", done.len()));
            }
            let answer = Answer::done(row, "").for_people(told);
            let answer = answer.with_member("reward", &rewards.to_string())?;
            invocation.answer(&answer.with_member("tasks", &done)?)
        })?;
        Ok(Exit::Done)
    }
}
