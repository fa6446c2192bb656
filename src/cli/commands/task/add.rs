//! `task add`

use clap::Args;

use crate::app::command::{Command, known_user};
use crate::cli::answer::Answer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::{Invocation, OpenStore};
use crate::domain::displayed::Displayed;
use crate::domain::event::Event;
use crate::domain::task;
use crate::domain::text::Title;
use crate::reports::table::Table;

#[derive(Args, Debug)]
#[command(after_help = "Put a title that begins with `-` after `--`.")]
pub(crate) struct Add {
    /// The title; a jira id at its start, like `[UP-7] Fix it`, is split off
    title: String,
    /// The jira id, like UP-7
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    jira_id: Option<String>,
    /// The description; any text
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    description: Option<String>,
}

impl Add {
    pub(crate) fn run(
        self,
        invocation: &Invocation<'_>,
        store: &OpenStore<'_>,
    ) -> Result<Exit, Failure> {
        let add = task::Add::new(self.title, self.jira_id, self.description);
        let split = add.split_title().cloned();
        let command = Command::AddTask(add);
        let outcome = invocation.execute(store, &command)?;
        let [
            (sequence, Event::TaskCreated(created)),
            (_, Event::TaskAssigned(assigned)),
        ] = &outcome.events[..]
        else {
            unreachable!("a task is created together with its first assignment")
        };
        if let Some(Title {
            title,
            jira_id: Some(jira_id),
            ..
        }) = split
        {
            invocation.reporter.remark(&format!(
                "read as jira id {jira_id} and title `{}`",
                Displayed(&title)
            ));
        }
        // The task is in the log, so an index that cannot be read is no failure any more.
        let id = assigned.assignee_id.to_string();
        let assignee = known_user(&store.index, &id).map_or(id, |user| user.login);
        invocation.emit_outcome(store, || {
            let row = Table::builder()
                .text("task_id", [Some(created.task_id.to_string())])
                .int("number", [Some(created.number)])
                .text("assignee", [Some(&assignee)])
                .int("sequence", [Some(sequence.0)])
                .bool("replayed", [Some(outcome.replayed)]);
            let deed = format!(
                "task T-{} was created and assigned to {assignee}, event {sequence}",
                created.number
            );
            let (number, price) = (created.number, store.company.price_of(created.task_id));
            let (fee, reward) = (price.fee.to_string(), price.reward.to_string());
            let told = format!("T-{number} to {assignee}: fee {fee}, reward {reward}\n");
            let answer = Answer::done(row, format!("T-{number}\t{assignee}\n"));
            let answer = answer.for_people(told).deed(deed);
            invocation.answer(
                &answer
                    .with_member("fee", &fee)?
                    .with_member("reward", &reward)?,
            )
        })?;
        Ok(Exit::Done)
    }
}
