//! The expected events or refusal of a command, by the words of the rules.
//!
//! Random values are not predicted but checked: the drawn user is read from the found line, and
//! appears in the expected line only if they were eligible.

mod drafts;
mod edits;
mod hand_overs;

pub use drafts::*;
pub use edits::EDITS;

use serde_json::{Value, json};

use super::books::{Books, Task, User};
use super::command::Command;
use super::letters::ACCOUNTING;
use super::titles::titled;

/// Exit code and code for programs.
pub type Refusal = (u8, &'static str);

/// An expected fact, before it has a place in the log.
pub struct Draft {
    /// Absent if it is random.
    pub id: Option<String>,
    pub cause: Option<String>,
    pub context: &'static str,
    pub kind: &'static str,
    pub subject: String,
    pub data: Value,
}

/// The expected result of a command.
pub enum Verdict {
    Append(Vec<Draft>),
    /// The first result again: its sequences.
    Replay(Vec<u64>),
}

const SILENT: i64 = 1_000_000;
const TOLERATED: i64 = 600 * 1_000_000;

impl Books {
    /// The time of a batch that is appended when the clock shows `now`.
    pub fn stamp(&self, now: i64) -> Result<i64, Refusal> {
        if self.last_time - now > TOLERATED {
            Err((4, "clock_behind"))
        } else {
            Ok(now.max(self.last_time))
        }
    }

    /// Whether a clock that shows `now` causes a warning.
    pub fn warns_of_clock(&self, now: i64) -> bool {
        (SILENT..=TOLERATED).contains(&(self.last_time - now))
    }

    /// Refusals stand in the order: not found, not allowed, the clock, other state, form.
    pub fn verdict(
        &self,
        by: &str,
        command: &Command,
        key: Option<&str>,
        now: i64,
        found: &[Value],
    ) -> Result<Verdict, Refusal> {
        let actor = self.user(by);
        if !actor.active {
            return Err((5, "actor_deactivated"));
        }
        if let Some(given) = key.and_then(|key| self.keys.get(key)) {
            let is_same = given.by == by && canonical(&given.command) == canonical(command);
            return if is_same {
                Ok(Verdict::Replay(given.sequences.clone()))
            } else {
                Err((4, "key_reused"))
            };
        }
        let drafts = match (self.decide(actor, command, now, found), self.stamp(now)) {
            (Err(refusal @ (2 | 3 | 5, _)), _) | (_, Err(refusal)) | (Err(refusal), _) => {
                return Err(refusal);
            }
            (Ok(drafts), Ok(_)) => drafts,
        };
        match key {
            Some(key) if key.starts_with("close/") => Err((6, "reserved_key")),
            _ => Ok(Verdict::Append(drafts)),
        }
    }

    pub fn decide(
        &self,
        actor: &User,
        command: &Command,
        now: i64,
        found: &[Value],
    ) -> Result<Vec<Draft>, Refusal> {
        match command {
            Command::RegisterUser {
                login,
                full_name,
                email,
                role,
            } => self.register(actor, [login, full_name, email, role], found),
            Command::ChangeUser {
                user,
                full_name,
                email,
            } => self.change(actor, user, full_name, email),
            Command::SetRole { user, role } => self.set_role(actor, user, role),
            Command::DeactivateUser {
                user, keep_tasks, ..
            } => self.deactivate(actor, user, *keep_tasks, found),
            Command::HandOver { user } => self.hand_over(actor, user, found),
            Command::ReactivateUser { user, .. } => self.reactivate(actor, user),
            Command::AddTask { .. } => self.add_task(actor, command, found),
            Command::EditTask { task, .. } => self.edit(actor, task, command),
            Command::CancelTask {
                task,
                reason,
                keep_fees,
            } => self.cancel(actor, task, reason, *keep_fees),
            Command::CompleteTasks { tasks } => self.complete(actor, tasks),
            Command::Reshuffle => self.reshuffle(actor, found),
            Command::CorrectEntry {
                entry,
                amount,
                reason,
            } => self.correct(actor, entry, amount.as_deref(), reason, now, found),
            Command::SetAside { .. } | Command::RetryEvent { .. } | Command::SkipEvent { .. } => {
                self.decide_letter(actor, command, found)
            }
        }
    }

    fn register(
        &self,
        actor: &User,
        [login, name, email, role]: [&String; 4],
        found: &[Value],
    ) -> Decided {
        admin(actor)?;
        if self.users.iter().any(|user| user.login == *login) {
            return Err((4, "login_taken"));
        }
        known_role(role)?;
        if login.contains(' ') {
            return Err((6, "bad_login"));
        }
        let id = drawn(found, 0, "user_id");
        let data = json!({ "user_id": id, "login": login, "full_name": name, "email": email, "role": role });
        Ok(vec![of_user("user.registered.v1", &id, data)])
    }

    fn change(
        &self,
        actor: &User,
        user: &str,
        name: &Option<String>,
        email: &Option<String>,
    ) -> Decided {
        let user = self.named(user)?;
        admin(actor)?;
        let mut data = json!({ "user_id": user.id });
        for (member, new, old) in [
            ("full_name", name, &user.name),
            ("email", email, &user.email),
        ] {
            if let Some(new) = new.as_ref().filter(|new| *new != old) {
                data[member] = json!(new);
            }
        }
        let is_change = data.as_object().is_some_and(|members| members.len() > 1);
        Ok(if is_change {
            vec![of_user("user.changed.v1", &user.id, data)]
        } else {
            vec![]
        })
    }

    fn set_role(&self, actor: &User, user: &str, role: &str) -> Decided {
        let user = self.named(user)?;
        admin(actor)?;
        if known_role(role).is_ok() {
            if (user.role == "service") != (role == "service") {
                return Err((4, "service_role_fixed"));
            }
            if role != "admin" {
                self.keep_an_admin(user)?;
            }
        }
        known_role(role)?;
        if role == user.role {
            return Ok(vec![]);
        }
        let data = json!({ "user_id": user.id, "old_role": user.role, "new_role": role });
        Ok(vec![of_user("user.role_changed.v1", &user.id, data)])
    }

    /// Rule U3.
    fn keep_an_admin(&self, user: &User) -> Result<(), Refusal> {
        let others = self
            .users
            .iter()
            .filter(|other| other.id != user.id && other.role == "admin" && other.active);
        let is_last = user.role == "admin" && user.active && others.count() == 0;
        if is_last {
            Err((4, "last_admin"))
        } else {
            Ok(())
        }
    }

    fn reactivate(&self, actor: &User, user: &str) -> Decided {
        let user = self.named(user)?;
        admin(actor)?;
        if user.active {
            return Ok(vec![]);
        }
        Ok(vec![of_user(
            "user.reactivated.v1",
            &user.id,
            json!({ "user_id": user.id }),
        )])
    }

    /// Rules T1, T2 and T5.
    fn add_task(&self, actor: &User, command: &Command, found: &[Value]) -> Decided {
        person(actor)?;
        if !self.users.iter().any(User::is_eligible) {
            return Err((4, "nobody_eligible"));
        }
        let (title, jira_id, description) = titled(command)?;
        let id = drawn(found, 0, "task_id");
        let number = self.tasks.len() + 1;
        let mut created =
            json!({ "task_id": id, "number": number, "title": title, "created_by": actor.id });
        for (member, value) in [
            ("jira_id", jira_id),
            ("description", description.as_deref()),
        ] {
            if let Some(value) = value {
                created[member] = json!(value);
            }
        }
        let assigned = json!({
            "task_id": id, "assignee_id": self.drawn_assignee(found, 1), "reason": "created", "assignment_no": 1,
        });
        Ok(vec![
            of_task("task.created.v2", &id, created),
            of_task("task.assigned.v2", &id, assigned),
        ])
    }

    /// The drawn user, if they are eligible.
    fn drawn_assignee(&self, found: &[Value], place: usize) -> String {
        let id = drawn(found, place, "assignee_id");
        let is_eligible = self
            .users
            .iter()
            .any(|user| user.id == id && user.is_eligible());
        if is_eligible {
            id
        } else {
            "somebody who is eligible".to_owned()
        }
    }

    /// Rule T3.
    fn reshuffle(&self, actor: &User, found: &[Value]) -> Decided {
        if !["manager", "admin"].contains(&actor.role.as_str()) {
            return Err((5, "role_may_not"));
        }
        let open: Vec<&Task> = self.tasks.iter().filter(|task| task.is_open()).collect();
        let eligible = self.users.iter().filter(|user| user.is_eligible()).count();
        if eligible == 0 && !open.is_empty() {
            return Err((4, "nobody_eligible"));
        }
        let head =
            json!({ "open_tasks": open.len(), "eligible_users": eligible, "moved": open.len() });
        let mut drafts = vec![draft(
            "tracker",
            "tasks.reshuffled.v1",
            "company".to_owned(),
            head,
        )];
        for (place, task) in (1..).zip(open) {
            let data = json!({
                "task_id": task.id, "assignee_id": self.drawn_assignee(found, place),
                "previous_assignee_id": task.assignee, "reason": "reshuffle", "assignment_no": task.assignments + 1,
            });
            drafts.push(of_task("task.assigned.v2", &task.id, data));
        }
        Ok(drafts)
    }

    /// Rule T4. A task that is named twice is completed once.
    fn complete(&self, actor: &User, names: &[String]) -> Decided {
        let tasks = names
            .iter()
            .map(|name| self.task_named(name))
            .collect::<Result<Vec<_>, _>>()?;
        person(actor)?;
        if tasks.iter().any(|task| task.assignee != actor.id) {
            return Err((5, "not_the_assignee"));
        }
        tasks.iter().try_for_each(|task| edits::not_ended(task))?;
        let mut drafts: Vec<Draft> = Vec::new();
        for task in tasks {
            let data = json!({ "task_id": task.id, "completed_by": actor.id, "assignment_no": task.assignments });
            if drafts.iter().all(|draft| draft.data != data) {
                drafts.push(of_task("task.completed.v1", &task.id, data));
            }
        }
        Ok(drafts)
    }

    fn task_named(&self, name: &str) -> Result<&Task, Refusal> {
        let means = |task: &&Task| {
            name.trim_start_matches("T-") == task.number.to_string()
                || Some(name) == self.texts(task).jira_id.as_deref()
                || name == task.id
        };
        let meant: Vec<&Task> = self.tasks.iter().filter(means).collect();
        match meant[..] {
            [] => Err((3, "unknown_task")),
            [task] => Ok(task),
            _ => Err((2, "ambiguous")),
        }
    }

    fn named(&self, login: &str) -> Result<&User, Refusal> {
        self.users
            .iter()
            .find(|user| user.login == login)
            .ok_or((3, "unknown_user"))
    }

    /// Rule A7.
    pub fn correct(
        &self,
        actor: &User,
        entry: &str,
        amount: Option<&str>,
        reason: &str,
        now: i64,
        found: &[Value],
    ) -> Decided {
        let seen = self.seen_by(ACCOUNTING);
        let original = seen
            .entries
            .iter()
            .find(|posted| posted.id == entry)
            .ok_or((3, "unknown_entry"))?;
        if !["accountant", "admin"].contains(&actor.role.as_str()) {
            return Err((5, "role_may_not"));
        }
        if original.user == actor.id {
            return Err((5, "own_account"));
        }
        if self.missing_from_the_books().is_some() {
            return Err((4, "books_incomplete"));
        }
        if !["fee", "reward"].contains(&original.kind.as_str()) {
            return Err((4, "not_correctable"));
        }
        let before = self
            .entries
            .iter()
            .filter(|posted| posted.corrects.as_deref() == Some(entry));
        let remaining =
            original.amount.abs() - before.map(|posted| posted.amount.abs()).sum::<i64>();
        let asked = amount.map_or(remaining, minor);
        if remaining == 0 {
            return Err((4, "corrected_in_full"));
        }
        if asked > remaining {
            return Err((4, "correction_too_large"));
        }
        if asked <= 0 {
            return Err((6, "not_positive"));
        }
        if reason.trim().is_empty() {
            return Err((6, "empty"));
        }
        // Refused for its clock otherwise.
        let at = self.stamp(now).unwrap_or(now);
        let (date, late) = self.dated(at);
        let signed = -original.amount.signum() * asked;
        let data = json!({
            "entry_id": found.first().map(|line| line["id"].clone()), "user_id": original.user, "kind": "correction",
            "amount": signed, "balance": self.balance(&original.user) + signed, "business_date": date.to_string(),
            "late": late, "occurred_at": super::calendar::written(at), "task_id": original.task,
            "assignment_no": original.assignment_no, "corrects": entry, "reason": reason.trim(),
        });
        let draft = draft(
            "accounting",
            "balance.changed.v1",
            format!("user/{}", original.user),
            data,
        );
        Ok(vec![Draft {
            cause: Some(entry.to_owned()),
            ..draft
        }])
    }
}

pub type Decided = Result<Vec<Draft>, Refusal>;

fn admin(actor: &User) -> Result<(), Refusal> {
    if actor.role == "admin" {
        Ok(())
    } else {
        Err((5, "role_may_not"))
    }
}

fn person(actor: &User) -> Result<(), Refusal> {
    if actor.role == "service" {
        Err((5, "role_may_not"))
    } else {
        Ok(())
    }
}

fn known_role(role: &str) -> Result<(), Refusal> {
    let roles = [
        "admin",
        "manager",
        "accountant",
        "developer",
        "worker",
        "service",
    ];
    if roles.contains(&role) {
        Ok(())
    } else {
        Err((6, "unknown_role"))
    }
}
