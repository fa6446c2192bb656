//! Rules T6 and T7: what people type when they change a task, and what ought to become of it; and cancelling one.

use super::*;
use crate::model::books::{Entry, Texts};

type Texted = (
    Option<&'static str>,
    Option<&'static str>,
    Option<&'static str>,
);

/// Title, jira id and description as they are typed, and how they are to be read: absent is unchanged, empty is
/// taken away.
pub const EDITS: [(Texted, Result<Texted, &str>); 11] = [
    (
        (Some(" Feed the parrots "), None, None),
        Ok((Some("Feed the parrots"), None, None)),
    ),
    (
        (Some("[UP-7] Fix the perch"), None, None),
        Ok((Some("Fix the perch"), Some("UP-7"), None)),
    ),
    (
        (Some("UP-8 - Fix it"), Some(" "), Some("with care")),
        Ok((Some("Fix it"), Some("UP-8"), Some("with care"))),
    ),
    (
        (Some("Buy seeds"), Some("UP-9"), None),
        Ok((Some("Buy seeds"), Some("UP-9"), None)),
    ),
    (
        (None, Some(" UP-10 "), None),
        Ok((None, Some("UP-10"), None)),
    ),
    ((None, Some(""), Some("")), Ok((None, Some(""), Some("")))),
    (
        (None, None, Some("Две\nстроки")),
        Ok((None, None, Some("Две\nстроки"))),
    ),
    (
        (Some("[UP-7] Fix it"), Some("UP-8"), None),
        Err("two_jira_ids"),
    ),
    ((Some("Fix [it]"), None, None), Err("bracket_in_title")),
    ((None, Some("up-7"), None), Err("bad_jira_id")),
    ((Some("  "), None, Some("x")), Err("empty")),
];

fn read(command: &Command) -> Result<Texted, &'static str> {
    let Command::EditTask {
        title,
        jira_id,
        description,
        ..
    } = command
    else {
        unreachable!("only edits have new texts")
    };
    let typed = (title.as_deref(), jira_id.as_deref(), description.as_deref());
    let (_, read) = EDITS
        .iter()
        .find(|(one, _)| *one == typed)
        .expect("one of the list");
    *read
}

/// The part of an edit that counts when its key is used again.
pub fn canonical_edit(command: &Command, task: &str) -> Value {
    match read(command) {
        Ok(texts) => json!(["edit", task.trim_start_matches("T-"), texts]),
        Err(_) => json!(command),
    }
}

/// A task that ended stays as it is.
pub(super) fn not_ended(task: &Task) -> Result<(), Refusal> {
    match (&task.completion, task.is_cancelled) {
        (Some(_), _) => Err((4, "already_completed")),
        (None, true) => Err((4, "already_cancelled")),
        (None, false) => Ok(()),
    }
}

impl Books {
    pub(super) fn edit(&self, actor: &User, name: &str, command: &Command) -> Decided {
        let task = self.task_named(name)?;
        if task.created_by != actor.id && !["manager", "admin"].contains(&actor.role.as_str()) {
            return Err((5, "role_may_not"));
        }
        let (title, jira_id, description) = read(command).map_err(|code| (6, code))?;
        let now = self.texts(task);
        let mut data = json!({ "task_id": task.id });
        for (member, new, old) in [
            ("title", title, now.title.as_str()),
            ("jira_id", jira_id, now.jira_id.as_deref().unwrap_or("")),
            (
                "description",
                description,
                now.description.as_deref().unwrap_or(""),
            ),
        ] {
            if let Some(new) = new.filter(|new| *new != old) {
                data[member] = json!(new);
            }
        }
        let is_change = data.as_object().is_some_and(|members| members.len() > 1);
        Ok(if is_change {
            vec![of_task("task.changed.v1", &task.id, data)]
        } else {
            vec![]
        })
    }

    pub(super) fn cancel(&self, actor: &User, name: &str, reason: &str, keeps: bool) -> Decided {
        let task = self.task_named(name)?;
        let is_fee = |entry: &Entry| entry.kind == "fee" && entry.task.as_ref() == Some(&task.id);
        match actor.role.as_str() {
            "manager" | "admin" => {}
            _ if task.created_by != actor.id => return Err((5, "role_may_not")),
            _ if self.entries.iter().any(is_fee) => return Err((5, "already_charged")),
            _ => {}
        }
        not_ended(task)?;
        if reason.trim().is_empty() {
            return Err((6, "empty"));
        }
        let data = json!({ "task_id": task.id, "reason": reason.trim(), "keep_fees": keeps });
        Ok(vec![of_task("task.cancelled.v1", &task.id, data)])
    }

    /// The texts of a task now.
    pub fn texts(&self, task: &Task) -> Texts {
        self.texts_at(task, u64::MAX, |_| true)
    }

    /// The texts of a task before an event, by the changes that count.
    pub fn texts_at(&self, task: &Task, event: u64, counts: impl Fn(u64) -> bool) -> Texts {
        let mut texts = task.created_with.clone();
        let changes = task.changes.iter();
        for (_, data) in changes.filter(|(at, _)| *at < event && counts(*at)) {
            if let Some(title) = data["title"].as_str() {
                title.clone_into(&mut texts.title);
            }
            for (member, text) in [
                ("jira_id", &mut texts.jira_id),
                ("description", &mut texts.description),
            ] {
                if let Some(new) = data[member].as_str() {
                    *text = Some(new.to_owned()).filter(|new| !new.is_empty());
                }
            }
        }
        texts
    }
}
