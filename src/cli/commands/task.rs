//! `task add`, `list`, `show`, `complete`, `reshuffle`

use clap::{ArgGroup, Args, Subcommand};
use serde::Serialize;

use crate::app::command::{Command, known_task, known_user};
use crate::cli::answer::Answer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::{Invocation, OpenStore};
use crate::cli::nature::Nature;
use crate::domain::displayed::Displayed;
use crate::domain::event::Event;
use crate::domain::id::Sequence;
use crate::domain::role::Right;
use crate::domain::task;
use crate::domain::text::Title;
use crate::domain::time::EventTime;
use crate::reports::table::{Table, TableBuilder};
use crate::state::{HandOver, TaskRow};

#[derive(Subcommand, Debug)]
pub(crate) enum Task {
    /// Create a task and assign it to a random user
    Add(Add),
    /// List tasks; by default all open ones
    List(List),
    /// Show one task with its history
    Show(Show),
    /// Complete tasks that are assigned to you, all of them or none
    Complete(Complete),
    /// Draw a new assignee for every open task
    Reshuffle(Reshuffle),
}

#[derive(Args, Debug)]
#[command(after_help = "Put a title that begins with `-` after `--`: popug-cli task add -- -nuts")]
pub(crate) struct Add {
    /// The title; a jira id at its start, like `[UP-7] Fix it`, is split off
    title: String,
    /// The jira id, like UP-7
    #[arg(long, value_name = "ID")]
    jira_id: Option<String>,
    /// The description; any text
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    description: Option<String>,
}

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

#[derive(Args, Debug)]
pub(crate) struct Show {
    /// Number (12, T-12), jira id or id
    task: String,
}

#[derive(Args, Debug)]
pub(crate) struct Complete {
    /// Numbers (12, T-12), jira ids or ids
    #[arg(required = true)]
    tasks: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Reshuffle {}

impl Task {
    pub(crate) const fn nature(&self) -> Nature {
        match self {
            Task::Add(_) | Task::Reshuffle(_) => Nature::DOES_AND_ANSWERS,
            Task::Complete(_) => Nature::DOES,
            Task::List(_) | Task::Show(_) => Nature::ASKS,
        }
    }

    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let store = invocation.store()?;
        match self {
            Task::Add(command) => command.run(invocation, &store),
            Task::List(command) => command.run(invocation, &store),
            Task::Show(command) => command.run(invocation, &store),
            Task::Complete(command) => command.run(invocation, &store),
            Task::Reshuffle(_) => reshuffle(invocation, &store),
        }
    }
}

impl Add {
    fn run(self, invocation: &Invocation<'_>, store: &OpenStore<'_>) -> Result<Exit, Failure> {
        let add = task::Add::new(self.title, self.jira_id, self.description);
        let split = add.split_title().cloned();
        let command = Command::AddTask(add);
        let outcome = store.app.execute_on(
            &store.index,
            store.caller.user.id,
            &command,
            &invocation.manner(),
        )?;
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
                "task T-{} was created and handed to {assignee}, event {sequence}",
                created.number
            );
            invocation.answer(
                &Answer::done(row, format!("T-{}\t{assignee}\n", created.number)).deed(deed),
            )
        })?;
        Ok(Exit::Done)
    }
}

impl List {
    fn run(self, invocation: &Invocation<'_>, store: &OpenStore<'_>) -> Result<Exit, Failure> {
        store.caller.require(Right::SeeTasks)?;
        let rows = store
            .index
            .task_rows(!self.all, self.mine.then_some(store.caller.user.id))?;
        invocation.emit_list(store, "tasks", table(&rows).build())?;
        Ok(Exit::Done)
    }
}

fn table(rows: &[TaskRow]) -> TableBuilder {
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

impl Show {
    fn run(self, invocation: &Invocation<'_>, store: &OpenStore<'_>) -> Result<Exit, Failure> {
        store.caller.require(Right::SeeTasks)?;
        let task = known_task(&store.index, &self.task)?;
        let row = store
            .index
            .task_row(task.number)?
            .expect("the task was just found");
        let hand_overs = store.index.hand_overs(task.number)?;
        let answer = Answer::shown(
            table(std::slice::from_ref(&row)),
            as_lines(&row, &hand_overs),
        );
        let answer = answer
            .in_zone(&store.company.zone)
            .with_member("history", &history(&row, &hand_overs))?;
        invocation.answer(&answer)?;
        Ok(Exit::Done)
    }
}

/// What happened to a task, as JSON.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Happened<'a> {
    Created {
        at: EventTime,
        by: &'a str,
        sequence: Sequence,
    },
    Assigned {
        at: EventTime,
        assignee: &'a str,
        assignment_no: u32,
        sequence: Sequence,
    },
    Completed {
        at: EventTime,
        by: &'a str,
        sequence: Sequence,
    },
}

fn history<'a>(row: &'a TaskRow, hand_overs: &'a [HandOver]) -> Vec<Happened<'a>> {
    let mut history = vec![Happened::Created {
        at: row.created_at,
        by: &row.created_by,
        sequence: row.created_sequence,
    }];
    history.extend(hand_overs.iter().map(|hand_over| Happened::Assigned {
        at: hand_over.at,
        assignee: &hand_over.assignee,
        assignment_no: hand_over.assignment_no,
        sequence: hand_over.sequence,
    }));
    let completed = row.completed_at.zip(row.completed_sequence);
    history.extend(completed.map(|(at, sequence)| Happened::Completed {
        at,
        by: &row.assignee,
        sequence,
    }));
    history
}

fn as_lines(row: &TaskRow, hand_overs: &[HandOver]) -> String {
    use std::fmt::Write as _;
    let mut text = format!("T-{}  {}\n", row.task.number, Displayed(&row.title));
    if let Some(jira_id) = &row.jira_id {
        let _ = writeln!(text, "jira:     {jira_id}");
    }
    let status = if row.task.completed {
        "completed"
    } else {
        "open"
    };
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
    let _ = writeln!(text, "\n{}  created by {}", row.created_at, row.created_by);
    for hand_over in hand_overs {
        let _ = writeln!(text, "{}  assigned to {}", hand_over.at, hand_over.assignee);
    }
    if let Some(at) = row.completed_at {
        let _ = writeln!(text, "{at}  completed by {}", row.assignee);
    }
    text
}

impl Complete {
    fn run(self, invocation: &Invocation<'_>, store: &OpenStore<'_>) -> Result<Exit, Failure> {
        let command = Command::CompleteTasks { tasks: self.tasks };
        let outcome = store.app.execute_on(
            &store.index,
            store.caller.user.id,
            &command,
            &invocation.manner(),
        )?;
        invocation.emit_outcome(store, || {
            let row = Table::builder()
                .int("completed", [Some(outcome.events.len() as u64)])
                .int(
                    "sequence",
                    [outcome.events.first().map(|(sequence, _)| sequence.0)],
                )
                .bool("replayed", [Some(outcome.replayed)]);
            invocation.answer(&Answer::done(row, ""))
        })?;
        Ok(Exit::Done)
    }
}

fn reshuffle(invocation: &Invocation<'_>, store: &OpenStore<'_>) -> Result<Exit, Failure> {
    let outcome = store.app.execute_on(
        &store.index,
        store.caller.user.id,
        &Command::Reshuffle,
        &invocation.manner(),
    )?;
    let Some((sequence, Event::TasksReshuffled(reshuffled))) = outcome.events.first() else {
        unreachable!("a reshuffle is headed by its own event")
    };
    invocation.emit_outcome(store, || {
        let row = Table::builder()
            .int("open_tasks", [Some(reshuffled.open_tasks)])
            .int("eligible_users", [Some(reshuffled.eligible_users)])
            .int("moved", [Some(reshuffled.moved)])
            .int("sequence", [Some(sequence.0)])
            .bool("replayed", [Some(outcome.replayed)]);
        invocation.answer(&Answer::done(row, format!("{}\n", reshuffled.moved)))
    })?;
    Ok(Exit::Done)
}
