//! The history of a task, as JSON and as lines.

use std::fmt;

use serde::Serialize;

use crate::domain::displayed::Displayed;
use crate::domain::id::Sequence;
use crate::domain::time::{EventTime, Zone};
use crate::state::{HandOver, TaskRow, TextChange};

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Happened<'a> {
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
    Changed {
        at: EventTime,
        by: &'a str,
        was: Texts<'a>,
        is: Texts<'a>,
        sequence: Sequence,
    },
    Completed {
        at: EventTime,
        by: &'a str,
        sequence: Sequence,
    },
    Cancelled {
        at: EventTime,
        by: &'a str,
        reason: &'a str,
        sequence: Sequence,
    },
}

/// The texts that changed; a text that is none is empty.
#[derive(Serialize)]
pub(super) struct Texts<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jira_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
}

/// In the order of the log.
pub(super) fn history<'a>(
    row: &'a TaskRow,
    hand_overs: &'a [HandOver],
    changes: &'a [TextChange],
) -> Vec<Happened<'a>> {
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
    history.extend(changed(row, changes));
    let completed = row.completed_at.zip(row.completed_sequence);
    history.extend(completed.map(|(at, sequence)| Happened::Completed {
        at,
        by: &row.assignee,
        sequence,
    }));
    let cancelled = row.cancelled.as_ref();
    history.extend(cancelled.map(|cancelled| Happened::Cancelled {
        at: cancelled.at,
        by: &cancelled.by,
        reason: &cancelled.reason,
        sequence: cancelled.sequence,
    }));
    history.sort_by_key(Happened::sequence);
    history
}

/// The last change first: a text that changed is what the next change of it found, or what it is now.
fn changed<'a>(row: &'a TaskRow, changes: &'a [TextChange]) -> Vec<Happened<'a>> {
    let mut title = row.title.as_str();
    let mut jira_id = row.jira_id.as_deref().unwrap_or_default();
    let mut description = row.description.as_deref().unwrap_or_default();
    let mut step = |change: &'a TextChange| {
        let found = |was: &'a Option<String>, now: &mut &'a str| {
            was.as_deref().map(|was| (was, std::mem::replace(now, was)))
        };
        let title = found(&change.title, &mut title);
        let jira_id = found(&change.jira_id, &mut jira_id);
        let description = found(&change.description, &mut description);
        let texts = |side: fn((&'a str, &'a str)) -> &'a str| Texts {
            title: title.map(side),
            jira_id: jira_id.map(side),
            description: description.map(side),
        };
        Happened::Changed {
            at: change.at,
            by: &change.by,
            was: texts(|(was, _)| was),
            is: texts(|(_, is)| is),
            sequence: change.sequence,
        }
    };
    changes.iter().rev().map(&mut step).collect()
}

impl Happened<'_> {
    fn sequence(&self) -> Sequence {
        match self {
            Happened::Created { sequence, .. }
            | Happened::Assigned { sequence, .. }
            | Happened::Changed { sequence, .. }
            | Happened::Completed { sequence, .. }
            | Happened::Cancelled { sequence, .. } => *sequence,
        }
    }
}

impl Happened<'_> {
    /// A line for people, with the local time.
    pub(super) fn told(&self, zone: &Zone) -> String {
        let (at, what) = match self {
            Happened::Created { at, by, .. } => (at, format!("created by {by}")),
            Happened::Assigned { at, assignee, .. } => (at, format!("assigned to {assignee}")),
            Happened::Changed {
                at, by, was, is, ..
            } => (at, format!("changed by {by}: {}", was.changes(is))),
            Happened::Completed { at, by, .. } => (at, format!("completed by {by}")),
            Happened::Cancelled { at, by, reason, .. } => {
                (at, format!("cancelled by {by}: {}", Displayed(reason)))
            }
        };
        format!("{}  {what}", zone.local(*at))
    }
}

impl Texts<'_> {
    /// `title «Fix» to «Fix it», jira id none to «UP-7», description`
    fn changes(&self, is: &Texts<'_>) -> String {
        let texts = [
            ("title", self.title, is.title),
            ("jira id", self.jira_id, is.jira_id),
        ];
        let changed = texts
            .into_iter()
            .filter_map(|(what, was, is)| Some((what, was?, is?)));
        let said =
            changed.map(|(what, was, is)| format!("{what} {} to {}", Quoted(was), Quoted(is)));
        let described = self.description.map(|_| "description".to_owned());
        let said: Vec<String> = said.chain(described).collect();
        said.join(", ")
    }
}

/// A text of a task in a sentence.
pub(super) struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => f.write_str("none"),
            text => write!(f, "«{}»", Displayed(text)),
        }
    }
}
