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
use crate::domain::pricing::Price;
use crate::domain::time::Zone;
use crate::state::TaskRow;

#[derive(Args, Debug)]
pub(crate) struct Show {
    /// Number (12, T-12), jira id or id; the first characters of the id are enough, at least 4
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
        let price = store.company.price_of(row.task.id);
        let lines = as_lines(&row, &price, &history, &store.company.zone);
        let answer = Answer::shown(table(std::slice::from_ref(&row)), lines);
        let answer = answer
            .in_zone(&store.company.zone)
            .with_member("history", &history)?
            .with_member("fee", &price.fee.to_string())?
            .with_member("reward", &price.reward.to_string())?;
        invocation.answer(&answer)?;
        Ok(Exit::Done)
    }
}

fn as_lines(row: &TaskRow, price: &Price, history: &[Happened<'_>], zone: &Zone) -> String {
    let mut text = format!("T-{}  {}\n", row.task.number, Displayed(&row.title));
    if let Some(jira_id) = &row.jira_id {
        let _ = writeln!(text, "jira:     {jira_id}");
    }
    let status = row.task.status.name();
    let _ = writeln!(
        text,
        "status:   {status}\nassignee: {}\nfee:      {}\nreward:   {}\nid:       {}",
        row.assignee, price.fee, price.reward, row.task.id
    );
    if let Some(description) = &row.description {
        let _ = writeln!(text);
        for line in description.lines() {
            let _ = writeln!(text, "    {}", Displayed(line));
        }
    }
    let _ = writeln!(text);
    for happened in history {
        let _ = writeln!(text, "{}", happened.told(zone));
    }
    text
}
