//! `task list`

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args};

use crate::app::lists::TaskFilter;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::{Invocation, OpenStore};
use crate::domain::task::Status;
use crate::reports::table::{Table, TableBuilder};
use crate::state::TaskRow;

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("which").args(["open", "all", "status"])))]
pub(crate) struct List {
    /// Only tasks that are assigned to you
    #[arg(long)]
    mine: bool,
    /// Only open tasks (the default)
    #[arg(long)]
    open: bool,
    /// Completed and cancelled tasks too
    #[arg(long)]
    all: bool,
    /// Only tasks with this status
    #[arg(long, value_parser = status_parser())]
    status: Option<Status>,
}

impl List {
    pub(crate) fn run(
        self,
        invocation: &Invocation<'_>,
        store: &OpenStore<'_>,
    ) -> Result<Exit, Failure> {
        let status = self.status.unwrap_or(Status::Open);
        let filter = TaskFilter {
            status: (!self.all).then_some(status),
            is_mine: self.mine,
        };
        let rows = store.caller.tasks(&store.index, filter)?;
        invocation.emit_list(store, "tasks", table(&rows).build())?;
        Ok(Exit::Done)
    }
}

fn status_parser() -> impl TypedValueParser<Value = Status> {
    PossibleValuesParser::new(Status::ALL.map(Status::name)).map(|name| {
        let named = Status::ALL.into_iter().find(|status| status.name() == name);
        named.expect("one of the possible values")
    })
}

pub(super) fn table(rows: &[TaskRow]) -> TableBuilder {
    let is_completed = |row: &TaskRow| row.task.status == Status::Completed;
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
        .text(
            "status",
            rows.iter().map(|row| Some(row.task.status.name())),
        )
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
                .map(|row| is_completed(row).then_some(&row.assignee)),
        )
}
