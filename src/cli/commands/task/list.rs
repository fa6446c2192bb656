//! `task list`

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args};

use crate::app::lists::TaskFilter;
use crate::cli::failure::{Exit, Failure};
use crate::cli::global::parse_period;
use crate::cli::invocation::{Invocation, OpenStore};
use crate::cli::rows::RowArgs;
use crate::domain::period::Period;
use crate::domain::task::Status;
use crate::reports::table::{Table, TableBuilder};
use crate::state::TaskRow;

#[derive(Args, Debug)]
#[command(
    group(ArgGroup::new("which").args(["open", "all", "status", "done"])),
    group(ArgGroup::new("whose").args(["mine", "of"])),
)]
pub(crate) struct List {
    /// Only tasks with all these words in the title, the description or the jira id, in any case
    #[arg(value_name = "WORD")]
    words: Vec<String>,
    /// Only tasks that are assigned to you
    #[arg(long)]
    mine: bool,
    /// Only tasks that are assigned to this user
    #[arg(long, value_name = "LOGIN")]
    of: Option<String>,
    /// Only tasks that this user created
    #[arg(long, value_name = "LOGIN")]
    by: Option<String>,
    /// Only open tasks (the default)
    #[arg(long)]
    open: bool,
    /// Completed and cancelled tasks too
    #[arg(long)]
    all: bool,
    /// Only tasks with this status
    #[arg(long, value_parser = status_parser())]
    status: Option<Status>,
    /// Only tasks that were completed in this period, in the company's time zone
    #[arg(long, value_name = "PERIOD", value_parser = parse_period, allow_hyphen_values = true)]
    done: Option<Period>,
    #[command(flatten)]
    rows: RowArgs,
}

impl List {
    pub(crate) fn run(
        self,
        invocation: &Invocation<'_>,
        store: &OpenStore<'_>,
    ) -> Result<Exit, Failure> {
        let done = self
            .done
            .map(|period| period.dates(store.reports().today()));
        let status = match (self.all, done) {
            (true, _) => None,
            (false, Some(_)) => Some(Status::Completed),
            (false, None) => Some(self.status.unwrap_or(Status::Open)),
        };
        let me = || store.caller.user.id.to_string();
        let filter = TaskFilter {
            words: self.words,
            status,
            of: self.of.or_else(|| self.mine.then(me)),
            by: self.by,
            done,
        };
        let tasks = store
            .caller
            .tasks(&store.index, &store.company.zone, &filter)?;
        invocation.emit_list(store, self.rows, "tasks", table(&tasks).build())?;
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
