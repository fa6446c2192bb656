//! `task show`

use std::fmt::Write as _;

use clap::Args;

use crate::app::lists::TaskWithHistory;
use crate::cli::answer::Answer;
use crate::cli::commands::task::history::{Happened, history};
use crate::cli::commands::task::list::table;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::{Invocation, OpenStore};
use crate::domain::displayed::Displayed;
use crate::state::TaskRow;

#[derive(Args, Debug)]
pub(crate) struct Show {
    /// Number (12, T-12), jira id or id
    task: String,
}

impl Show {
    pub(crate) fn run(
        self,
        invocation: &Invocation<'_>,
        store: &OpenStore<'_>,
    ) -> Result<Exit, Failure> {
        let TaskWithHistory {
            row,
            hand_overs,
            changes,
        } = store.caller.task(&store.index, &self.task)?;
        let history = history(&row, &hand_overs, &changes);
        let answer = Answer::shown(table(std::slice::from_ref(&row)), as_lines(&row, &history));
        let answer = answer
            .in_zone(&store.company.zone)
            .with_member("history", &history)?;
        invocation.answer(&answer)?;
        Ok(Exit::Done)
    }
}

fn as_lines(row: &TaskRow, history: &[Happened<'_>]) -> String {
    let mut text = format!("T-{}  {}\n", row.task.number, Displayed(&row.title));
    if let Some(jira_id) = &row.jira_id {
        let _ = writeln!(text, "jira:     {jira_id}");
    }
    let status = row.task.status.name();
    let _ = writeln!(
        text,
        "status:   {status}\nassignee: {}\nid:       {}",
        row.assignee, row.task.id
    );
    if let Some(description) = &row.description {
        let _ = writeln!(text);
        for line in description.lines() {
            let _ = writeln!(text, "    {}", Displayed(line));
        }
    }
    let _ = writeln!(text);
    for happened in history {
        let _ = writeln!(text, "{happened}");
    }
    text
}
