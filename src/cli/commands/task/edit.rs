//! `task edit`

use clap::{ArgGroup, Args};

use crate::app::command::{Command, known_task};
use crate::app::write::Outcome;
use crate::cli::answer::Answer;
use crate::cli::commands::task::history::Quoted;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::{Invocation, OpenStore};
use crate::domain::displayed::Displayed;
use crate::domain::event::{Event, TaskChanged};
use crate::domain::task;
use crate::reports::table::Table;
use crate::state::TextChange;

#[derive(Args, Debug)]
#[command(
    group(ArgGroup::new("texts").required(true).multiple(true).args(["title", "jira_id", "description"])),
    after_help = "Reports show the texts as they were when an entry was made; `task show` shows every change.\n\
        An empty text takes a jira id or a description away: popug-cli task edit T-12 --jira-id ''"
)]
pub(crate) struct Edit {
    /// Number (12, T-12), jira id or id; the first characters of the id are enough, at least 4
    task: String,
    /// The new title; a jira id at its start, like `[UP-7] Fix it`, is split off
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    title: Option<String>,
    /// The new jira id, like UP-7
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    jira_id: Option<String>,
    /// The new description; any text
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    description: Option<String>,
}

impl Edit {
    pub(crate) fn run(
        self,
        invocation: &Invocation<'_>,
        store: &OpenStore<'_>,
    ) -> Result<Exit, Failure> {
        let Edit {
            task,
            title,
            jira_id,
            description,
        } = self;
        let edit = task::edit::Edit::new(title, jira_id, description);
        if let Some((jira_id, title)) = edit.split_title() {
            invocation.reporter.remark(&format!(
                "read as jira id {jira_id} and title `{}`",
                Displayed(title)
            ));
        }
        let command = Command::EditTask { task, edit };
        let outcome = invocation.execute(store, &command)?;
        invocation.emit_outcome(store, || say_changed(invocation, store, &outcome))?;
        Ok(Exit::Done)
    }
}

fn say_changed(
    invocation: &Invocation<'_>,
    store: &OpenStore<'_>,
    outcome: &Outcome,
) -> Result<(), Failure> {
    let changed = match outcome.events.first() {
        Some((sequence, Event::TaskChanged(changed))) => Some((*sequence, changed)),
        _ => None,
    };
    let number = changed.and_then(|(_, changed)| {
        // The change is in the log, so an index that cannot be read is no failure any more.
        Some(
            known_task(&store.index, &changed.task_id.to_string())
                .ok()?
                .number,
        )
    });
    match changed.zip(number) {
        Some(((sequence, changed), number)) => {
            let changes = store.index.text_changes(number).unwrap_or_default();
            let before = changes.iter().find(|change| change.sequence == sequence);
            for said in before
                .map(|before| in_words(number, before, changed))
                .unwrap_or_default()
            {
                invocation.reporter.note(&said);
            }
        }
        None => invocation.reporter.note("nothing to change"),
    }
    let sequence = changed.map(|(sequence, _)| sequence.0);
    let row = Table::builder()
        .bool("changed", [Some(changed.is_some())])
        .int("sequence", [sequence])
        .bool("replayed", [Some(outcome.replayed)]);
    invocation.answer(&Answer::done(row, ""))
}

/// `T-1 was «Fix», is «Fix it»`, and the same for the other texts.
fn in_words(number: u64, before: &TextChange, changed: &TaskChanged) -> Vec<String> {
    let texts = [
        ("", &before.title, &changed.title),
        (" jira id", &before.jira_id, &changed.jira_id),
    ];
    let said = |(what, was, is): (&str, &Option<String>, &Option<String>)| {
        let (was, is) = (Quoted(was.as_deref()?), Quoted(is.as_deref()?));
        Some(format!("T-{number}{what} was {was}, is {is}"))
    };
    let described = changed.description.as_ref().map(|is| match is.as_str() {
        "" => format!("T-{number} has no description any more"),
        _ => format!("T-{number} has a new description"),
    });
    texts
        .into_iter()
        .filter_map(said)
        .chain(described)
        .collect()
}
