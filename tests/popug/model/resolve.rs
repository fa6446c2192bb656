//! Turns the numbers of an abstract step into users, tasks and entries of the present company.

use popug_cli::domain::id::Sequence;

use super::books::{Books, Entry, Given, Task, User};
use super::command::Command;
use super::play::registration;
use super::reports::money;
use super::rules::EDITS;
use super::steps::{Deed, ROLES, Size, Who};
use super::titles::TITLES;

const NOBODY: &str = "nobody";

impl Books {
    /// The actor and the command of an order.
    pub fn resolve(&self, who: Who, deed: &Deed) -> (String, Command) {
        let command = match deed {
            Deed::Register { login: 7, role } => registration("no login", role_name(*role)),
            Deed::Register { login, role } => registration(&format!("u{login}"), role_name(*role)),
            Deed::Rename { user, name } => {
                let full_name = Some(format!("Name {name}"));
                Command::ChangeUser {
                    user: self.login(*user),
                    full_name,
                    email: None,
                }
            }
            Deed::SetRole { user, role } => Command::SetRole {
                user: self.login(*user),
                role: role_name(*role).to_owned(),
            },
            Deed::Deactivate { user, keep_tasks } => Command::DeactivateUser {
                user: self.login(*user),
                reason: None,
                keep_tasks: *keep_tasks,
            },
            Deed::HandOver { user } => Command::HandOver {
                user: self.login(*user),
            },
            Deed::Reactivate { user } => Command::ReactivateUser {
                user: self.login(*user),
                reason: None,
            },
            Deed::Add { title, described } => {
                let (title, jira_id, _) = *pick(&TITLES, *title);
                let description = described.then(|| "with care".to_owned());
                Command::AddTask {
                    title: title.to_owned(),
                    jira_id: jira_id.map(str::to_owned),
                    description,
                }
            }
            Deed::Edit {
                task,
                texts,
                spelling,
            } => {
                let ((title, jira_id, description), _) = *pick(&EDITS, *texts);
                let text = |text: Option<&str>| text.map(str::to_owned);
                Command::EditTask {
                    task: self.any_task(*task, *spelling),
                    title: text(title),
                    jira_id: text(jira_id),
                    description: text(description),
                }
            }
            Deed::Cancel {
                task,
                keep_fees,
                spelling,
            } => Command::CancelTask {
                task: self.any_task(*task, *spelling),
                reason: if *spelling == 9 { "  " } else { " not needed " }.to_owned(),
                keep_fees: *keep_fees,
            },
            Deed::Complete { tasks, spelling } => Command::CompleteTasks {
                tasks: self.spelt(who, tasks, *spelling),
            },
            Deed::Reshuffle => Command::Reshuffle,
            Deed::Correct { entry, size } => self.correction(*entry, *size),
            Deed::SetAside {
                event,
                consumer,
                reason,
            } => {
                let event = Sequence(
                    self.stop()
                        .filter(|_| *event < 230)
                        .unwrap_or_else(|| self.letter(*event)),
                );
                Command::SetAside {
                    consumer: *consumer,
                    event,
                    reason: reason.map(str::to_owned),
                }
            }
            Deed::Retry {
                event,
                consumer,
                reason,
            } => {
                let (event, reason) = (Sequence(self.letter(*event)), (*reason).to_owned());
                Command::RetryEvent {
                    consumer: *consumer,
                    event,
                    reason,
                }
            }
            Deed::Skip {
                event,
                consumer,
                reason,
            } => {
                let (event, reason) = (Sequence(self.letter(*event)), (*reason).to_owned());
                Command::SkipEvent {
                    consumer: *consumer,
                    event,
                    reason,
                }
            }
        };
        let by = match who {
            Who::Any(number) => pick(&self.users, number),
            Who::Fit => self.fit(&command),
        };
        (by.id.clone(), command)
    }

    /// The closing user.
    pub fn closer(&self, who: Who) -> String {
        match who {
            Who::Any(number) => pick(&self.users, number).id.clone(),
            Who::Fit => self.active(&["service", "accountant", "admin"]).id.clone(),
        }
    }

    /// The importing user.
    pub fn importer(&self, who: Who) -> String {
        match who {
            Who::Any(number) => pick(&self.users, number).id.clone(),
            Who::Fit => self.active(&["admin"]).id.clone(),
        }
    }

    /// Keeps the first use of a key.
    pub fn give(&mut self, key: &str, by: &str, command: &Command, sequences: Vec<u64>) {
        self.keys.insert(
            key.to_owned(),
            Given {
                by: by.to_owned(),
                command: command.clone(),
                sequences,
            },
        );
    }

    fn fit(&self, command: &Command) -> &User {
        match command {
            Command::AddTask { .. } => pick(
                &self.users,
                u8::try_from(self.tasks.len() % 200).expect("small"),
            ),
            Command::EditTask { task: name, .. } | Command::CancelTask { task: name, .. } => {
                let means = |task: &&Task| *name == task.id || is_number(name, task.number);
                let creator = self.tasks.iter().find(means);
                let creator = creator.map(|task| self.user(&task.created_by));
                creator
                    .filter(|user| user.active)
                    .unwrap_or_else(|| self.active(&["manager", "admin"]))
            }
            Command::CompleteTasks { tasks } => {
                let holds = |task: &&Task| {
                    tasks
                        .iter()
                        .any(|name| *name == task.id || is_number(name, task.number))
                };
                let task = self.tasks.iter().find(holds);
                task.map_or(&self.users[0], |task| self.user(&task.assignee))
            }
            Command::Reshuffle | Command::HandOver { .. } => self.active(&["manager", "admin"]),
            Command::CorrectEntry { entry, .. } => {
                let owner = self
                    .entries
                    .iter()
                    .find(|posted| posted.id == *entry)
                    .map(|posted| posted.user.as_str());
                let fits = |user: &&User| {
                    user.active && user.role == "accountant" && Some(user.id.as_str()) != owner
                };
                self.users
                    .iter()
                    .find(fits)
                    .unwrap_or_else(|| self.active(&["admin"]))
            }
            _ => self.active(&["admin"]),
        }
    }

    /// Rule U3: there is an active admin.
    fn active(&self, roles: &[&str]) -> &User {
        let has = |role: &&str| {
            self.users
                .iter()
                .find(|user| user.active && user.role == **role)
        };
        roles.iter().find_map(has).expect("an active admin")
    }

    fn login(&self, number: u8) -> String {
        if number == u8::MAX {
            NOBODY.to_owned()
        } else {
            pick(&self.users, number).login.clone()
        }
    }

    /// The name of a task, open or not.
    fn any_task(&self, number: u8, spelling: u8) -> String {
        if self.tasks.is_empty() || number == u8::MAX {
            return "9999".to_owned();
        }
        self.spelling_of(pick(&self.tasks, number), spelling)
    }

    /// Names of tasks. Whoever is fit names open tasks of one assignee; others name anything.
    fn spelt(&self, who: Who, numbers: &[u8], spelling: u8) -> Vec<String> {
        let open: Vec<&Task> = self.tasks.iter().filter(|task| task.is_open()).collect();
        let candidates: Vec<&Task> = match (who, open.is_empty()) {
            (Who::Fit, false) => {
                let holder = &pick(&open, numbers[0]).assignee;
                open.iter()
                    .copied()
                    .filter(|task| task.assignee == *holder)
                    .collect()
            }
            _ => self.tasks.iter().collect(),
        };
        let name = |number: &u8| match candidates.is_empty() || *number == u8::MAX {
            true => "9999".to_owned(),
            false => self.spelling_of(pick::<&Task>(&candidates, *number), spelling),
        };
        numbers.iter().map(name).collect()
    }

    fn spelling_of(&self, task: &Task, spelling: u8) -> String {
        match (spelling % 4, self.texts(task).jira_id) {
            (0, _) => format!("T-{}", task.number),
            (1, _) => task.id.clone(),
            (2, Some(jira_id)) => jira_id,
            _ => task.number.to_string(),
        }
    }

    fn correction(&self, number: u8, size: Size) -> Command {
        let entry = if self.entries.is_empty() || number == u8::MAX {
            None
        } else {
            Some(pick(&self.entries, number))
        };
        let whole = entry.map_or(1_000, |entry: &Entry| entry.amount.abs());
        let amount = match size {
            Size::Rest | Size::WithoutReason => None,
            Size::Whole => Some(money(whole)),
            Size::Part => Some("3.5".to_owned()),
            Size::TooMuch => Some(money(whole + 1)),
            Size::Nothing => Some("0".to_owned()),
        };
        let reason = if matches!(size, Size::WithoutReason) {
            "  "
        } else {
            " agreed "
        };
        let entry = entry.map_or_else(|| self.company.to_string(), |entry| entry.id.clone());
        Command::CorrectEntry {
            entry,
            amount,
            reason: reason.to_owned(),
        }
    }
}

pub fn role_name(number: u8) -> &'static str {
    pick::<&str>(&ROLES, number)
}

pub fn pick<T>(from: &[T], number: u8) -> &T {
    &from[usize::from(number) % from.len()]
}

fn is_number(name: &str, number: u64) -> bool {
    name.trim_start_matches("T-").parse() == Ok(number)
}
