//! `task list`

use clap::{ArgGroup, Args};

use crate::app::lists::TaskFilter;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::{Invocation, OpenStore};
use crate::reports::table::{Table, TableBuilder};
use crate::state::TaskRow;

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("which").args(["open", "all"])))]
pub(crate) struct List {
    /// Only tasks that are assigned to you
    #[arg(long)]
    mine: bool,
    /// Only open tasks (the default)
    #[arg(long)]
    open: bool,
    /// Completed tasks too
    #[arg(long)]
    all: bool,
}

impl List {
    pub(crate) fn run(
        self,
        invocation: &Invocation<'_>,
        store: &OpenStore<'_>,
    ) -> Result<Exit, Failure> {
        let filter = TaskFilter {
            is_open: !self.all,
            is_mine: self.mine,
        };
        let rows = store.caller.tasks(&store.index, filter)?;
        invocation.emit_list(store, "tasks", table(&rows).build())?;
        Ok(Exit::Done)
    }
}

pub(super) fn table(rows: &[TaskRow]) -> TableBuilder {
    let status = |row: &TaskRow| {
        Some(if row.task.completed {
            "completed"
        } else {
            "open"
        })
    };
    Table::builder()
        .text(
            "task_id",
            rows.iter().map(|row| Some(row.task.id.to_string())),
        )
        .int("number", rows.iter().map(|row| Some(row.task.number)))
        .text("title", rows.iter().map(|row| Some(&row.title)))
        .text("jira_id", rows.iter().map(|row| row.jira_id.as_deref()))
        .text(
            "description",
            rows.iter().map(|row| row.description.as_deref()),
        )
        .text("status", rows.iter().map(status))
        .text("created_by", rows.iter().map(|row| Some(&row.created_by)))
        .time("created_at", rows.iter().map(|row| Some(row.created_at)))
        .text("assignee", rows.iter().map(|row| Some(&row.assignee)))
        .time("assigned_at", rows.iter().map(|row| Some(row.assigned_at)))
        .int(
            "assignments",
            rows.iter()
                .map(|row| Some(u64::from(row.task.assignment_no))),
        )
        .time("completed_at", rows.iter().map(|row| row.completed_at))
        .text(
            "completed_by",
            rows.iter()
                .map(|row| row.task.completed.then_some(&row.assignee)),
        )
}
