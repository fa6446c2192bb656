//! All facts about the company, in plain vectors: users, tasks, entries, closed dates. No sum is
//! stored, so no sum can be wrong.
//!
//! [`Books::follow`] applies a line of the log that was found to be right.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use jiff::civil::Date;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::calendar::{Calendar, micros};
use super::letters::Letter;
pub use super::records::{Cause, Closed, Completion, Entry, Given, Owed, Task, Texts, User};

#[derive(Clone)]
pub struct Books {
    pub calendar: Calendar,
    pub company: Uuid,
    pub first_date: Date,
    pub head: u64,
    pub last_time: i64,
    pub users: Vec<User>,
    /// The user after each event about them, with its date.
    pub user_history: Vec<(Date, User)>,
    pub tasks: Vec<Task>,
    /// Task events whose owed events are missing, in their order.
    pub owed: Vec<Cause>,
    pub entries: Vec<Entry>,
    /// The sum of each user's entries.
    pub balances: BTreeMap<String, i64>,
    /// The lines of `payout.made`.
    pub payouts: Vec<Value>,
    pub closes: Vec<Closed>,
    /// The data of `task.settled`.
    pub settled: Vec<Value>,
    /// The data of `mail.sent`.
    pub mails: Vec<Value>,
    /// Decisions about dead letters.
    pub letters: Vec<Letter>,
    /// All applied lines.
    pub lines: Vec<Rc<Value>>,
    pub ids: BTreeSet<String>,
    pub keys: BTreeMap<String, Given>,
}

impl Books {
    /// The books of a company that has just been founded, by its first two lines.
    pub fn founded(lines: &[Value]) -> Books {
        let mut books = Books::before(&lines[0]);
        lines.iter().for_each(|line| books.follow(line));
        books
    }

    /// The books of the company that `founding` founds, before that line.
    pub fn before(founding: &Value) -> Books {
        let data = &founding["data"];
        let calendar = Calendar::named(data["time_zone"].as_str().expect("a zone"));
        let at = micros(&text(&founding["time"]));
        let company = text(&data["company_id"]).parse().expect("a UUID");
        Books::of(company, calendar.date_of(at), calendar)
    }

    /// The company's books before the first event.
    pub fn empty(&self) -> Books {
        Books::of(self.company, self.first_date, self.calendar.clone())
    }

    fn of(company: Uuid, first_date: Date, calendar: Calendar) -> Books {
        Books {
            company,
            first_date,
            calendar,
            head: 0,
            last_time: i64::MIN,
            users: vec![],
            user_history: vec![],
            tasks: vec![],
            owed: vec![],
            entries: vec![],
            balances: BTreeMap::new(),
            payouts: vec![],
            closes: vec![],
            settled: vec![],
            mails: vec![],
            letters: vec![],
            lines: vec![],
            ids: BTreeSet::new(),
            keys: BTreeMap::new(),
        }
    }

    pub fn user(&self, id: &str) -> &User {
        self.users
            .iter()
            .find(|user| user.id == id)
            .expect("somebody who is registered")
    }

    /// The user at the end of a date, or now; before the registration, as registered but not
    /// active.
    pub fn user_on(&self, id: &str, date: Option<Date>) -> User {
        let Some(date) = date else {
            return self.user(id).clone();
        };
        let mut states = self
            .user_history
            .iter()
            .filter(|(_, user)| user.id == id)
            .peekable();
        let (_, registered) = states.peek().expect("somebody who is registered");
        let unregistered = User {
            active: false,
            ..registered.clone()
        };
        states
            .rfind(|(on, _)| *on <= date)
            .map_or(unregistered, |(_, user)| user.clone())
    }

    pub fn task(&self, id: &str) -> &Task {
        self.tasks
            .iter()
            .find(|task| task.id == id)
            .expect("a task that was created")
    }

    pub fn closed_through(&self) -> Option<Date> {
        self.closes.last().map(|closed| closed.date)
    }

    /// Rule A5: the first date that is not closed.
    pub fn first_open_date(&self) -> Date {
        self.closed_through()
            .map_or(self.first_date, |closed| self.calendar.after(closed))
    }

    /// Rule A6: the business date of an entry whose cause happened at `moment`, and whether it is
    /// late.
    pub fn dated(&self, moment: i64) -> (Date, bool) {
        let own = self.calendar.date_of(moment);
        if self.closed_through().is_some_and(|closed| own <= closed) {
            return (self.first_open_date(), true);
        }
        (own.max(self.first_date), false)
    }

    /// The sum of a user's entries that `wanted` picks.
    pub fn sum(&self, user: &str, wanted: impl Fn(&Entry) -> bool) -> i64 {
        self.entries
            .iter()
            .filter(|entry| entry.user == user && wanted(entry))
            .map(|entry| entry.amount)
            .sum()
    }

    pub fn balance(&self, user: &str) -> i64 {
        self.balances.get(user).copied().unwrap_or_default()
    }

    /// Rule A4.
    pub fn balance_at_end_of(&self, user: &str, date: Date) -> i64 {
        self.sum(user, |entry| entry.date <= date)
    }

    pub fn fees_charged(&self, task: &str) -> i64 {
        let fees = self
            .entries
            .iter()
            .filter(|entry| entry.kind == "fee" && entry.task.as_deref() == Some(task));
        -fees.map(|entry| entry.amount).sum::<i64>()
    }

    /// The fees of a task of which something is left, in posted order, and how much.
    pub fn fees_left(&self, task: &str) -> Vec<(&Entry, i64)> {
        let fees = self
            .entries
            .iter()
            .filter(|entry| entry.kind == "fee" && entry.task.as_deref() == Some(task));
        fees.map(|fee| {
            let back = self
                .entries
                .iter()
                .filter(|entry| entry.corrects.as_ref() == Some(&fee.id));
            (
                fee,
                -fee.amount - back.map(|entry| entry.amount).sum::<i64>(),
            )
        })
        .filter(|(_, left)| *left > 0)
        .collect()
    }

    /// Rule A1.
    pub fn price(&self, task: &str) -> (i64, i64) {
        let task: Uuid = task.parse().expect("a UUID");
        let hash = Sha256::new()
            .chain_update(self.company.as_bytes())
            .chain_update(task.as_bytes())
            .finalize();
        let number =
            |from: usize| u64::from_be_bytes(hash[from..from + 8].try_into().expect("eight bytes"));
        let whole = |units: u64| i64::try_from(units).expect("a small number") * 100;
        (whole(10 + number(0) % 11), whole(20 + number(8) % 21))
    }

    /// Ids of derived facts.
    pub fn derived(&self, name: &str) -> String {
        Uuid::new_v5(&self.company, name.as_bytes()).to_string()
    }

    pub fn follow(&mut self, line: &Value) {
        let (data, at) = (&line["data"], micros(&text(&line["time"])));
        self.head = text(&line["sequence"]).parse().expect("a sequence");
        self.last_time = at;
        self.ids.insert(text(&line["id"]));
        self.lines.push(Rc::new(line.clone()));
        match line["type"].as_str().expect("a type") {
            "company.founded.v1" | "tasks.reshuffled.v1" => {}
            "task.settled.v1" => self.settled.push(data.clone()),
            "mail.sent.v1" => self.mails.push(data.clone()),
            kind if kind.starts_with("event.") => self.letters.push(Letter {
                consumer: text(&data["consumer"]),
                target: data["target_sequence"].as_u64().expect("a sequence"),
                kind: kind.to_owned(),
            }),
            "task.created.v1" | "task.created.v2" => self.follow_created(line, at),
            "task.changed.v1" => {
                let change = (self.head, data.clone());
                if let Some(task) = self.task_mut(line) {
                    task.changes.push(change);
                }
            }
            "task.assigned.v1" | "task.assigned.v2" => self.follow_assigned(line, at),
            "task.completed.v1" => self.follow_completed(line, at),
            "task.cancelled.v1" => self.follow_cancelled(line),
            "task.priced.v1" => self.follow_priced(line),
            "balance.changed.v1" => self.follow_entry(data, at),
            "payout.made.v1" => self.payouts.push(line.clone()),
            "day.closed.v1" => self.closes.push(Closed {
                date: date(&data["business_date"]),
                at,
                by: text(&line["actor"]).trim_start_matches("user/").to_owned(),
                sequence: self.head,
                data: data.clone(),
            }),
            of_user => {
                self.follow_user(of_user, data);
                let user = self
                    .users
                    .iter()
                    .find(|user| data["user_id"] == user.id.as_str())
                    .cloned();
                self.user_history
                    .extend(user.map(|user| (self.calendar.date_of(at), user)));
            }
        }
    }

    fn follow_user(&mut self, kind: &str, data: &Value) {
        let id = text(&data["user_id"]);
        if kind == "user.registered.v1" {
            let of = |name: &str| text(&data[name]);
            let (login, name, email, role) =
                (of("login"), of("full_name"), of("email"), of("role"));
            return self.users.push(User {
                id,
                login,
                name,
                email,
                role,
                active: true,
            });
        }
        let Some(user) = self.users.iter_mut().find(|user| user.id == id) else {
            return;
        };
        match kind {
            "user.changed.v1" => {
                user.name = optional(&data["full_name"]).unwrap_or_else(|| user.name.clone());
                user.email = optional(&data["email"]).unwrap_or_else(|| user.email.clone());
            }
            "user.role_changed.v1" => user.role = text(&data["new_role"]),
            "user.deactivated.v1" => user.active = false,
            "user.reactivated.v1" => user.active = true,
            other => panic!("{other} is written by nobody here"),
        }
    }

    fn follow_created(&mut self, line: &Value, at: i64) {
        let data = &line["data"];
        let id = text(&data["task_id"]);
        let (fee, reward) = self.price(&id);
        let (mut title, mut jira_id) = (text(&data["title"]), optional(&data["jira_id"]));
        if line["type"] == "task.created.v1"
            && let Some((id, rest)) = title.strip_prefix('[').and_then(|t| t.split_once("] "))
        {
            (title, jira_id) = (rest.to_owned(), Some(id.to_owned()));
        }
        self.owe(line, Owed::Price);
        self.tasks.push(Task {
            id,
            number: data["number"].as_u64().expect("a number"),
            created_with: Texts {
                title,
                jira_id,
                description: optional(&data["description"]),
            },
            changes: vec![],
            created_by: text(&data["created_by"]),
            created_at: at,
            assignee: String::new(),
            assigned_at: at,
            assignments: 0,
            fee,
            reward,
            is_priced: false,
            completion: None,
            is_cancelled: false,
        });
    }

    fn follow_assigned(&mut self, line: &Value, at: i64) {
        let assignee = text(&line["data"]["assignee_id"]);
        let Some(task) = self.task_mut(line) else {
            return;
        };
        (task.assignee, task.assigned_at) = (assignee.clone(), at);
        task.assignments += 1;
        let assignment_no = task.assignments;
        self.owe(
            line,
            Owed::Fee {
                user: assignee,
                assignment_no,
            },
        );
    }

    fn follow_completed(&mut self, line: &Value, at: i64) {
        let by = text(&line["data"]["completed_by"]);
        let Some(task) = self.task_mut(line) else {
            return;
        };
        task.completion = Some(Completion { by: by.clone(), at });
        let assignment_no = task.assignments;
        self.owe(
            line,
            Owed::Reward {
                user: by,
                assignment_no,
            },
        );
    }

    fn follow_cancelled(&mut self, line: &Value) {
        if let Some(task) = self.task_mut(line) {
            task.is_cancelled = true;
        }
        let (reason, keeps) = (
            text(&line["data"]["reason"]),
            line["data"]["keep_fees"] == true,
        );
        self.owe(line, Owed::FeesBack { reason, keeps });
    }

    fn follow_priced(&mut self, line: &Value) {
        self.owed
            .retain(|cause| line["causationid"] != cause.id.as_str());
        if let Some(task) = self.task_mut(line) {
            task.is_priced = true;
        }
    }

    /// The task of an event; `None` if its creation is left out.
    fn task_mut(&mut self, line: &Value) -> Option<&mut Task> {
        let id = line["data"]["task_id"].as_str().expect("an id");
        self.tasks.iter_mut().find(|task| task.id == id)
    }

    fn owe(&mut self, line: &Value, what: Owed) {
        let (id, task, sequence) = (text(&line["id"]), text(&line["data"]["task_id"]), self.head);
        self.owed.push(Cause {
            sequence,
            id,
            at: self.last_time,
            task,
            what,
        });
    }

    fn follow_entry(&mut self, data: &Value, posted_at: i64) {
        let cause = data["cause_sequence"].as_u64();
        // A cancellation waits for fees that are charged later.
        let waits = |owed: &Cause| matches!(owed.what, Owed::FeesBack { .. });
        self.owed
            .retain(|owed| Some(owed.sequence) != cause || waits(owed));
        let (user, amount) = (
            text(&data["user_id"]),
            data["amount"].as_i64().expect("minor units"),
        );
        *self.balances.entry(user.clone()).or_default() += amount;
        self.entries.push(Entry {
            sequence: self.head,
            id: text(&data["entry_id"]),
            user,
            kind: text(&data["kind"]),
            amount,
            balance: data["balance"].as_i64().expect("minor units"),
            date: date(&data["business_date"]),
            late: data["late"].as_bool().expect("a flag"),
            cause,
            occurred_at: micros(&text(&data["occurred_at"])),
            posted_at,
            task: optional(&data["task_id"]),
            assignment_no: data["assignment_no"].as_u64(),
            corrects: optional(&data["corrects"]),
            reason: optional(&data["reason"]),
        });
    }
}

pub fn text(value: &Value) -> String {
    optional(value).unwrap_or_else(|| panic!("{value} is no text"))
}

fn optional(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

pub fn date(value: &Value) -> Date {
    text(value).parse().expect("a date")
}
