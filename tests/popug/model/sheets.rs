//! CSV files to import, made of abstract rows for the present company.

use popug_cli::app::import::ImportKind;

use super::books::{Books, User};
use super::calendar::{MINUTE, written};
use super::command::Command;
use super::resolve::{pick, role_name};
use super::steps::{Moment, RowDeed, RowPlan};
use super::titles::TITLES;

pub const HEADER: &str = "at,action,key,actor,login,name,email,role,title,jira_id,description";

/// A file that was imported or refused.
#[derive(Clone)]
pub struct File {
    pub by: String,
    pub kind: ImportKind,
    pub rows: Vec<Row>,
}

#[derive(Clone, Default)]
pub struct Row {
    pub at: i64,
    pub action: &'static str,
    pub key: String,
    pub actor: String,
    pub login: String,
    pub name: String,
    pub email: String,
    pub role: String,
    pub title: String,
    pub jira_id: String,
}

impl Row {
    /// The request of the row; completions and closes depend on more than the row.
    pub fn command(&self) -> Command {
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let Row {
            login,
            name,
            email,
            role,
            title,
            ..
        } = self.clone();
        match self.action {
            "register" => Command::RegisterUser {
                login,
                full_name: name,
                email,
                role,
            },
            "set_role" => Command::SetRole { user: login, role },
            "deactivate" => Command::DeactivateUser {
                user: login,
                reason: None,
                keep_tasks: false,
            },
            "create" => Command::AddTask {
                title,
                jira_id: some(&self.jira_id),
                description: None,
            },
            _ => Command::Reshuffle,
        }
    }
}

impl File {
    pub fn text(&self) -> String {
        let rows: String = self.rows.iter().map(|row| line(&self.cells(row))).collect();
        let header = match self.kind {
            ImportKind::Users => "login,name,email,role",
            ImportKind::Tasks => "key,title,jira_id",
            ImportKind::Activity => HEADER,
        };
        format!("{header}\n{rows}")
    }

    fn cells(&self, row: &Row) -> Vec<String> {
        let Row {
            at,
            action,
            key,
            actor,
            login,
            name,
            email,
            role,
            title,
            jira_id,
        } = row.clone();
        match self.kind {
            ImportKind::Users => vec![login, name, email, role],
            ImportKind::Tasks => vec![key, title, jira_id],
            ImportKind::Activity => {
                let (at, action) = (written(at), action.to_owned());
                vec![
                    at,
                    action,
                    key,
                    actor,
                    login,
                    name,
                    email,
                    role,
                    title,
                    jira_id,
                    String::new(),
                ]
            }
        }
    }
}

fn line(cells: &[String]) -> String {
    let quoted: Vec<String> = cells
        .iter()
        .map(|cell| format!("\"{}\"", cell.replace('"', "\"\"")))
        .collect();
    quoted.join(",") + "\n"
}

impl Books {
    /// Rows after `before`, spread over the time from the last event or row to `now`.
    pub fn rows(&self, before: &[Row], plans: &[RowPlan], kind: ImportKind, now: i64) -> Vec<Row> {
        let mut rows = before.to_vec();
        let from = before
            .iter()
            .map(|row| row.at)
            .chain([self.last_time])
            .max()
            .expect("the last event")
            .min(now);
        let mut at = from;
        for (place, plan) in plans.iter().enumerate() {
            at += (now - at) / 256 * i64::from(plan.part);
            let at = match plan.moment {
                Moment::Fit => at,
                Moment::BeforeTheLast => self.last_time - 1,
                Moment::InTheFuture => now + 1,
                Moment::Backwards => (at - MINUTE).max(from),
            };
            let deed = match kind {
                ImportKind::Users => RowDeed::Register {
                    login: plan.key % 9,
                    role: plan.part % 6,
                },
                ImportKind::Tasks => RowDeed::Create,
                ImportKind::Activity => plan.deed,
            };
            let row = self.row(&rows, &RowPlan { deed, ..*plan }, place);
            let actor = if kind == ImportKind::Activity {
                row.actor
            } else {
                String::new()
            };
            rows.push(Row { at, actor, ..row });
        }
        rows.split_off(before.len())
    }

    fn row(&self, before: &[Row], plan: &RowPlan, place: usize) -> Row {
        let login = |number: u8| pick(&self.users, number).login.clone();
        let (action, login, role) = match plan.deed {
            RowDeed::Register { login, role } => {
                ("register", format!("i{login}"), role_name(role).to_owned())
            }
            RowDeed::SetRole { user, role } => {
                ("set_role", login(user), role_name(role).to_owned())
            }
            RowDeed::Deactivate { user } => ("deactivate", login(user), String::new()),
            RowDeed::Create => ("create", format!("i{}", plan.key), "developer".to_owned()),
            RowDeed::Reshuffle => ("reshuffle", String::new(), String::new()),
            RowDeed::Complete => ("complete", String::new(), String::new()),
            RowDeed::Close => ("close", String::new(), String::new()),
        };
        let good = &TITLES[..9];
        let (title, jira_id, _) = if plan.key == 255 {
            TITLES[10]
        } else {
            *pick(good, plan.key)
        };
        Row {
            at: 0,
            action,
            key: self.key_of(before, plan, place),
            actor: self.row_actor(plan),
            name: format!("The {login}"),
            email: format!("{login}@popug.example"),
            login,
            role,
            title: title.to_owned(),
            jira_id: jira_id.unwrap_or_default().to_owned(),
        }
    }

    /// A new key for a creation; for a completion, one of a created and open task.
    fn key_of(&self, before: &[Row], plan: &RowPlan, place: usize) -> String {
        match plan.deed {
            RowDeed::Complete => {
                let is_done = |key: &String| {
                    before
                        .iter()
                        .any(|row| row.action == "complete" && row.key == *key)
                };
                let created = before
                    .iter()
                    .filter(|row| row.action == "create")
                    .map(|row| row.key.clone());
                let open: Vec<String> = created.filter(|key| !is_done(key)).collect();
                if open.is_empty() || plan.key == 255 {
                    "none".to_owned()
                } else {
                    pick(&open, plan.key).clone()
                }
            }
            RowDeed::Create => format!(
                "k{}-{}",
                self.head,
                if plan.key == 254 {
                    0
                } else {
                    place + before.len()
                }
            ),
            _ => String::new(),
        }
    }

    fn row_actor(&self, plan: &RowPlan) -> String {
        let fits = |user: &&User| match plan.deed {
            RowDeed::Create => user.role != "service",
            RowDeed::Reshuffle => user.role == "manager",
            RowDeed::Close => ["accountant", "service"].contains(&user.role.as_str()),
            _ => user.role == "admin",
        };
        let fitting: Vec<&User> = self
            .users
            .iter()
            .filter(|user| user.active && fits(user))
            .collect();
        match plan.actor {
            255 => "nobody".to_owned(),
            240.. => pick(&self.users, plan.actor).login.clone(),
            number
                if number % 2 == 0
                    || fitting.is_empty()
                    || matches!(plan.deed, RowDeed::Complete) =>
            {
                String::new()
            }
            number => pick::<&User>(&fitting, number).login.clone(),
        }
    }
}
