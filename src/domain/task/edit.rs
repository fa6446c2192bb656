//! Rule T6: title, description and jira id of a task can be changed.

use serde::{Serialize, Serializer};

use crate::domain::event::{Event, TaskChanged};
use crate::domain::rejection::Rejection;
use crate::domain::role::Right;
use crate::domain::task::Task;
use crate::domain::text::{self, Title};
use crate::domain::user::User;

/// The texts of a task.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskText {
    pub title: String,
    pub jira_id: Option<String>,
    pub description: Option<String>,
}

impl TaskText {
    pub fn evolve(&mut self, change: &TaskChanged) {
        let TaskChanged {
            task_id: _,
            title,
            jira_id,
            description,
        } = change;
        if let Some(title) = title {
            self.title.clone_from(title);
        }
        for (text, new) in [
            (&mut self.jira_id, jira_id),
            (&mut self.description, description),
        ] {
            if let Some(new) = new {
                *text = Some(new.clone()).filter(|new| !new.is_empty());
            }
        }
    }
}

/// Changes the texts of a task. As in [`Add`](super::Add), texts are read once, when the command is made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edit {
    typed_title: Option<String>,
    typed_jira_id: Option<String>,
    read: Result<Read, Rejection>,
    description: Option<String>,
}

/// `None` is unchanged; an empty jira id is taken away.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Read {
    title: Option<String>,
    jira_id: Option<String>,
    is_split: bool,
}

impl Read {
    fn from_input(title: Option<&str>, jira_id: Option<&str>) -> Result<Read, Rejection> {
        let Some(title) = title else {
            let jira_id = jira_id.map(text::check_jira_id).transpose()?;
            return Ok(Read {
                title: None,
                jira_id: jira_id.map(Option::unwrap_or_default),
                is_split: false,
            });
        };
        let read = Title::from_input(title, jira_id)?;
        Ok(Read {
            title: Some(read.title),
            // A jira id that was given and is not read any more is empty.
            jira_id: read.jira_id.or(jira_id.map(|_| String::new())),
            is_split: read.split,
        })
    }
}

/// One spelling of the same request: the texts as they were read, or as they were typed if they cannot be.
impl Serialize for Edit {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Spelling<'a> {
            title: Option<&'a str>,
            jira_id: Option<&'a str>,
            description: Option<&'a str>,
        }
        let (title, jira_id) = match &self.read {
            Ok(read) => (&read.title, &read.jira_id),
            Err(_) => (&self.typed_title, &self.typed_jira_id),
        };
        Spelling {
            title: title.as_deref(),
            jira_id: jira_id.as_deref(),
            description: self.description.as_deref(),
        }
        .serialize(to)
    }
}

impl Edit {
    /// New texts as somebody typed them; `None` is unchanged. A title is split as in
    /// [`Add::new`](super::Add::new).
    pub fn new(
        title: Option<String>,
        jira_id: Option<String>,
        description: Option<String>,
    ) -> Edit {
        Edit {
            read: Read::from_input(title.as_deref(), jira_id.as_deref()),
            typed_title: title,
            typed_jira_id: jira_id,
            description,
        }
    }

    /// The jira id and the title, if that was split.
    pub fn split_title(&self) -> Option<(&str, &str)> {
        let read = self.read.as_ref().ok().filter(|read| read.is_split)?;
        Some((read.jira_id.as_deref()?, read.title.as_deref()?))
    }

    /// `task.changed` with the texts that differ from `before`; nothing if none does.
    ///
    /// # Errors
    /// [`Rejection::RoleMayNot`] unless the actor created the task or manages tasks; a text that is not well
    /// formed.
    pub fn decide(
        &self,
        actor: &User,
        task: &Task,
        before: &TaskText,
    ) -> Result<Vec<Event>, Rejection> {
        let is_creator = actor.id == task.created_by;
        actor.require(if is_creator {
            Right::CreateTask
        } else {
            Right::ManageTasks
        })?;
        let read = self.read.clone()?;
        let given = self.description.as_deref();
        let description = text::check_description(given)?;
        let description = given.map(|_| description.unwrap_or_default());
        let is_new = |old: &Option<String>| {
            let old = old.clone().unwrap_or_default();
            move |new: &String| *new != old
        };
        let changed = TaskChanged {
            task_id: task.id,
            title: read.title.filter(|title| *title != before.title),
            jira_id: read.jira_id.filter(is_new(&before.jira_id)),
            description: description.filter(is_new(&before.description)),
        };
        let is_changed =
            changed.title.is_some() || changed.jira_id.is_some() || changed.description.is_some();
        Ok(is_changed.then(|| changed.into()).into_iter().collect())
    }
}
