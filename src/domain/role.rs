//! Roles and the table of rights.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A user's role. `Worker` is every post that has no role of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Admin,
    Manager,
    Accountant,
    Developer,
    Worker,
    /// Cron and other programs.
    Service,
}

impl Role {
    pub const ALL: [Role; 6] = [
        Role::Admin,
        Role::Manager,
        Role::Accountant,
        Role::Developer,
        Role::Worker,
        Role::Service,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Manager => "manager",
            Role::Accountant => "accountant",
            Role::Developer => "developer",
            Role::Worker => "worker",
            Role::Service => "service",
        }
    }

    /// Rule T2: whether users with this role are drawn for tasks.
    pub const fn is_drawn(self) -> bool {
        matches!(self, Role::Accountant | Role::Developer | Role::Worker)
    }

    /// The table of rights.
    pub const fn may(self, right: Right) -> bool {
        use Role::{Accountant, Admin, Developer, Manager, Service, Worker};
        match right {
            Right::CreateTask | Right::CompleteTask | Right::SeeTasks | Right::SeeOwnMoney => {
                matches!(self, Developer | Worker | Accountant | Manager | Admin)
            }
            Right::Reshuffle | Right::ManageTasks => matches!(self, Manager | Admin),
            Right::SeeAllMoney
            | Right::SeeBooks
            | Right::Correct
            | Right::DeadLetters
            | Right::Mail => {
                matches!(self, Accountant | Admin)
            }
            Right::SeeEmails => matches!(self, Accountant | Admin),
            Right::ExportJournal | Right::Close => matches!(self, Accountant | Admin | Service),
            Right::Backup => matches!(self, Admin | Service),
            Right::SeeAnalytics | Right::Administer | Right::SkipDeadLetters => {
                matches!(self, Admin)
            }
        }
    }
}

/// A right that a command needs. Consumers, status and the user's own password and token need none.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Right {
    CreateTask,
    CompleteTask,
    SeeTasks,
    Reshuffle,
    /// Changing and cancelling tasks that others created, and handing over those of users who left.
    ManageTasks,
    /// The user's own rows of balances, payouts, statement, pay and payslip.
    SeeOwnMoney,
    /// The rows of all users in these reports.
    SeeAllMoney,
    /// Earnings, entries, trial balance, closes.
    SeeBooks,
    Correct,
    ExportJournal,
    Close,
    DeadLetters,
    SkipDeadLetters,
    Mail,
    /// The reports negative, top-task, people and flow.
    SeeAnalytics,
    /// Users, imports, simulations, the log, tokens and passwords of other users.
    Administer,
    Backup,
    SeeEmails,
}

impl Right {
    pub const ALL: [Right; 18] = [
        Right::CreateTask,
        Right::CompleteTask,
        Right::SeeTasks,
        Right::Reshuffle,
        Right::ManageTasks,
        Right::SeeOwnMoney,
        Right::SeeAllMoney,
        Right::SeeBooks,
        Right::Correct,
        Right::ExportJournal,
        Right::Close,
        Right::DeadLetters,
        Right::SkipDeadLetters,
        Right::Mail,
        Right::SeeAnalytics,
        Right::Administer,
        Right::Backup,
        Right::SeeEmails,
    ];

    /// Completes the sentence "a worker may not …".
    pub const fn deed(self) -> &'static str {
        match self {
            Right::CreateTask => "create tasks",
            Right::CompleteTask => "complete tasks",
            Right::SeeTasks => "see tasks",
            Right::Reshuffle => "reshuffle tasks",
            Right::ManageTasks => "manage the tasks of others",
            Right::SeeOwnMoney => "see balances, payouts and statements",
            Right::SeeAllMoney => "see the money of others",
            Right::SeeBooks => "see the books",
            Right::Correct => "correct entries",
            Right::ExportJournal => "export the journal",
            Right::Close => "close dates",
            Right::DeadLetters => "handle dead letters",
            Right::SkipDeadLetters => "skip events",
            Right::Mail => "see or retry pay mails",
            Right::SeeAnalytics => "see management's analytics",
            Right::Administer => "administer the company",
            Right::Backup => "back the store up",
            Right::SeeEmails => "see e-mail addresses",
        }
    }

    /// The roles that have the right, as a phrase: `accountant or admin`.
    pub fn holders(self) -> String {
        let names: Vec<_> = Role::ALL
            .into_iter()
            .filter(|role| role.may(self))
            .map(Role::name)
            .collect();
        match names.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            Some((only, _)) => (*only).to_owned(),
            None => "nobody".to_owned(),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not a role")]
pub struct UnknownRole {
    pub text: String,
    /// The role that the user probably meant.
    pub suggestion: Role,
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Role::ALL
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| UnknownRole {
                text: text.to_owned(),
                suggestion: nearest(text),
            })
    }
}

/// The role of a known post, otherwise the role with the fewest edits.
fn nearest(text: &str) -> Role {
    let lower = text.trim().to_lowercase();
    match lower.as_str() {
        "dev" | "engineer" | "programmer" => Role::Developer,
        "root" | "administrator" | "owner" => Role::Admin,
        "boss" | "lead" | "management" => Role::Manager,
        "bookkeeper" | "accounting" | "finance" => Role::Accountant,
        "cron" | "bot" | "program" => Role::Service,
        _ => {
            let distance = |role: &Role| edit_distance(&lower, role.name());
            let best = Role::ALL
                .into_iter()
                .min_by_key(distance)
                .expect("there are roles");
            if distance(&best) <= 3 {
                best
            } else {
                Role::Worker
            }
        }
    }
}

fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_role_gets_a_suggestion() {
        for (text, suggestion) in [
            ("develper", Role::Developer),
            ("Manager", Role::Manager),
            ("acountant", Role::Accountant),
            ("cron", Role::Service),
            ("plumber", Role::Worker),
        ] {
            assert_eq!(
                text.parse::<Role>().unwrap_err().suggestion,
                suggestion,
                "{text}"
            );
        }
    }

    /// The table of the requirements, column by column.
    #[test]
    fn rights_are_those_of_the_table() {
        use Right::*;
        let person = [CreateTask, CompleteTask, SeeTasks, SeeOwnMoney];
        let books = [
            SeeAllMoney,
            SeeBooks,
            Correct,
            ExportJournal,
            Close,
            DeadLetters,
            Mail,
            SeeEmails,
        ];
        let expected = |role| -> Vec<Right> {
            match role {
                Role::Developer | Role::Worker => person.to_vec(),
                Role::Accountant => [&person[..], &books].concat(),
                Role::Manager => [&person[..], &[Reshuffle, ManageTasks]].concat(),
                Role::Admin => Right::ALL.to_vec(),
                Role::Service => vec![ExportJournal, Close, Backup],
            }
        };
        for role in Role::ALL {
            for right in Right::ALL {
                assert_eq!(
                    role.may(right),
                    expected(role).contains(&right),
                    "{role} {right:?}"
                );
            }
        }
    }

    #[test]
    fn managers_admins_and_services_are_never_drawn() {
        let drawn: Vec<_> = Role::ALL
            .into_iter()
            .filter(|role| role.is_drawn())
            .collect();
        assert_eq!(drawn, [Role::Accountant, Role::Developer, Role::Worker]);
    }
}
