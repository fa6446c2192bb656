//! Events as lines for people: number, local time, actor, and the fact in words.

use serde_json::Value;

use crate::cli::failure::Failure;
use crate::domain::displayed::Displayed;
use crate::domain::id::{TaskId, UserId};
use crate::domain::money::Money;
use crate::domain::time::Zone;
use crate::event_log::Line;
use crate::state::{StateIndex, TaskName};

/// Words events with the names that the index has.
pub(super) struct Teller<'a> {
    index: &'a StateIndex,
    zone: &'a Zone,
}

impl<'a> Teller<'a> {
    pub(super) fn new(index: &'a StateIndex, zone: &'a Zone) -> Teller<'a> {
        Teller { index, zone }
    }

    pub(super) fn line(&self, line: &Line<'_>) -> Result<String, Failure> {
        let time = self.zone.local(line.event_time()?);
        let (actor, what) = (
            self.name(line.actor),
            kind(line.type_name).replace(['.', '_'], " "),
        );
        let details = self.details(line);
        let (actor, details) = (Displayed(&actor).to_string(), Displayed(&details));
        Ok(format!(
            "{:>7}  {time}  {actor:<14}  {what:<17}  {details}",
            line.sequence
        ))
    }

    fn details(&self, line: &Line<'_>) -> String {
        let data: Value = serde_json::from_str(line.data).unwrap_or_default();
        let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
        let money = |name: &str| Money::from_minor(data[name].as_i64().unwrap_or_default());
        let count = |name: &str| data[name].as_u64().unwrap_or_default();
        let user = |name: &str| self.user(data[name].as_str().unwrap_or_default());
        let task = || self.task(data["task_id"].as_str().unwrap_or_default());
        let about = self.name(line.subject);
        match kind(line.type_name) {
            "task.created" => format!("T-{}  {}", count("number"), text("title")),
            "task.assigned" => format!("{about} to {} ({})", user("assignee_id"), text("reason")),
            "task.priced" => format!("{about}: fee {}, reward {}", money("fee"), money("reward")),
            "task.settled" => format!(
                "{about}: fees {}, reward {}",
                money("fees_charged"),
                money("reward")
            ),
            "tasks.reshuffled" => {
                format!("{} tasks, {} moved", count("open_tasks"), count("moved"))
            }
            "balance.changed" => {
                let of_task = data
                    .get("task_id")
                    .map_or_else(String::new, |_| format!(" for {}", task()));
                let (kind, amount, balance) = (text("kind"), money("amount"), money("balance"));
                format!("{about}: {kind} {amount}{of_task}, balance {balance}")
            }
            "payout.made" => format!("{about}: {} for {}", money("amount"), text("business_date")),
            "day.closed" => format!(
                "{}: {} payouts, {}",
                text("business_date"),
                count("payouts_count"),
                money("payouts_total")
            ),
            "mail.sent" => format!("{about}: to {}", text("to")),
            "user.registered" => {
                format!("{}: {}, {}", text("login"), text("full_name"), text("role"))
            }
            "user.role_changed" => {
                format!("{about}: {} is {} now", text("old_role"), text("new_role"))
            }
            "user.password_reset" => format!("{about}: by the account {}", text("account")),
            _ => match data["reason"].as_str() {
                Some(reason) => format!("{about}: {reason}"),
                None => about,
            },
        }
    }

    /// The name of an actor or a subject: `user/ID`, `task/ID`, `system/NAME`, `day/DATE`, `company`.
    fn name(&self, text: &str) -> String {
        match text.split_once('/') {
            Some(("user", id)) => self.user(id),
            Some(("task", id)) => self.task(id),
            Some((_, name)) => name.to_owned(),
            None => text.to_owned(),
        }
    }

    fn user(&self, id: &str) -> String {
        let found = id
            .parse::<UserId>()
            .ok()
            .and_then(|id| self.index.user(id).ok().flatten());
        found.map_or_else(|| id.to_owned(), |user| user.login)
    }

    fn task(&self, id: &str) -> String {
        let find = |id: TaskId| self.index.tasks_named(&TaskName::Id(id)).ok()?.pop();
        let found = id.parse::<TaskId>().ok().and_then(find);
        found.map_or_else(|| id.to_owned(), |task| format!("T-{}", task.number))
    }
}

/// A type without its version.
fn kind(type_name: &str) -> &str {
    type_name
        .rsplit_once(".v")
        .map_or(type_name, |(name, _)| name)
}
