//! The books kept a second time, from the raw lines of the log and the words of the rules: no
//! code of the program, no tables, money as plain integers of minor units.
//!
//! What people decided (tasks, assignments, completions, corrections) is taken from the log.
//! What accounting wrote is not believed: prices are drawn again, and every entry is derived from
//! the event that caused it before it is compared.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

#[derive(Clone, Debug)]
pub struct User {
    pub login: String,
    pub name: String,
    pub role: String,
    pub active: bool,
}

#[derive(Clone, Debug)]
pub struct Task {
    pub id: String,
    pub number: u64,
    pub title: String,
    pub jira_id: Option<String>,
    pub created_by: String,
    pub created_at: String,
    pub assignee: String,
    pub assigned_at: String,
    pub assignments: u64,
    pub fee: i64,
    pub reward: i64,
    pub completion: Option<Completion>,
}

#[derive(Clone, Debug)]
pub struct Completion {
    pub at: String,
    pub on: Date,
    pub by: String,
    pub sequence: u64,
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub sequence: u64,
    pub id: String,
    pub user: String,
    pub kind: String,
    /// Signed, from the popug's side.
    pub amount: i64,
    pub date: Date,
    pub late: bool,
    pub task: Option<String>,
    pub corrects: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Closed {
    pub date: Date,
    pub sequence: u64,
    pub by: String,
}

/// What an assignment or completion owes to somebody.
struct Cause {
    user: String,
    kind: &'static str,
    amount: i64,
    date: Date,
    task: String,
}

pub struct Recount {
    zone: TimeZone,
    company: Uuid,
    pricing: Value,
    pub first_date: Date,
    pub users: BTreeMap<String, User>,
    pub tasks: Vec<Task>,
    pub entries: Vec<Entry>,
    pub closes: Vec<Closed>,
    causes: BTreeMap<u64, Cause>,
    answered: BTreeSet<u64>,
    /// Where a task or an entry stands in its list, by id.
    places: HashMap<String, usize>,
    /// Everybody's balance in posting order.
    balances: HashMap<String, i64>,
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}

fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

fn date(value: &Value) -> Date {
    text(value).parse().expect("a date")
}

impl Recount {
    /// Reads a whole log and checks everything that accounting wrote into it.
    pub fn of(lines: &[Value]) -> Recount {
        let founded = &lines[0]["data"];
        let zone =
            TimeZone::get(founded["time_zone"].as_str().expect("a zone")).expect("a known zone");
        let mut recount = Recount {
            first_date: Date::ZERO,
            company: text(&founded["company_id"]).parse().expect("a UUID"),
            pricing: founded["pricing"].clone(),
            zone,
            users: BTreeMap::new(),
            tasks: Vec::new(),
            entries: Vec::new(),
            closes: Vec::new(),
            causes: BTreeMap::new(),
            answered: BTreeSet::new(),
            places: HashMap::new(),
            balances: HashMap::new(),
        };
        recount.first_date = recount.local_date(&text(&lines[0]["time"]));
        for line in lines {
            recount.read(line);
        }
        for (sequence, cause) in &recount.causes {
            assert!(
                recount.answered.contains(sequence),
                "the {} of event {sequence} was never posted",
                cause.kind
            );
        }
        recount
    }

    pub fn local_date(&self, time: &str) -> Date {
        let moment: Timestamp = time.parse().expect("a time");
        moment.to_zoned(self.zone.clone()).date()
    }

    fn read(&mut self, line: &Value) {
        let sequence: u64 = text(&line["sequence"]).parse().expect("a sequence");
        let (data, time) = (&line["data"], text(&line["time"]));
        match line["type"].as_str().expect("a type") {
            "user.registered.v1" => {
                let (name, role) = (text(&data["full_name"]), text(&data["role"]));
                let user = User {
                    login: text(&data["login"]),
                    name,
                    role,
                    active: true,
                };
                self.users.insert(text(&data["user_id"]), user);
            }
            "user.changed.v1" => {
                if let Some(name) = data["full_name"].as_str() {
                    name.clone_into(&mut self.user(data).name);
                }
            }
            "user.role_changed.v1" => self.user(data).role = text(&data["new_role"]),
            "user.deactivated.v1" => self.user(data).active = false,
            "user.reactivated.v1" => self.user(data).active = true,
            "task.created.v1" | "task.created.v2" => self.create(data, time),
            "task.assigned.v1" | "task.assigned.v2" => self.assign(sequence, data, time),
            "task.changed.v1" => self.change(data),
            "task.completed.v1" => self.complete(sequence, data, time),
            "task.priced.v1" => {
                let task = self.task(&text(&data["task_id"]));
                assert_eq!(
                    (data["fee"].as_i64(), data["reward"].as_i64()),
                    (Some(task.fee), Some(task.reward))
                );
            }
            "balance.changed.v1" => self.post(sequence, data, &time),
            "day.closed.v1" => self.close(sequence, line),
            _ => {}
        }
    }

    fn user(&mut self, data: &Value) -> &mut User {
        self.users
            .get_mut(data["user_id"].as_str().expect("an id"))
            .expect("a known user")
    }

    fn task(&mut self, id: &str) -> &mut Task {
        &mut self.tasks[self.places[id]]
    }

    /// Rule A1: fee and reward are drawn from SHA-256 of company and task.
    fn price(&self, task: &str) -> (i64, i64) {
        let task: Uuid = task.parse().expect("a UUID");
        let digest = Sha256::new()
            .chain_update(self.company.as_bytes())
            .chain_update(task.as_bytes())
            .finalize();
        let drawn = |bytes: &[u8], low: &str, high: &str| {
            let draw = u64::from_be_bytes(bytes.try_into().expect("eight bytes"));
            let (low, high) = (number(&self.pricing[low]), number(&self.pricing[high]));
            i64::try_from(low + 100 * (draw % ((high - low) / 100 + 1))).expect("a price")
        };
        (
            drawn(&digest[0..8], "fee_min", "fee_max"),
            drawn(&digest[8..16], "reward_min", "reward_max"),
        )
    }

    fn create(&mut self, data: &Value, time: String) {
        let id = text(&data["task_id"]);
        let (fee, reward) = self.price(&id);
        self.places.insert(id.clone(), self.tasks.len());
        self.tasks.push(Task {
            number: number(&data["number"]),
            title: text(&data["title"]),
            jira_id: data["jira_id"].as_str().map(str::to_owned),
            created_by: text(&data["created_by"]),
            created_at: time,
            assignee: String::new(),
            assigned_at: String::new(),
            assignments: 0,
            completion: None,
            id,
            fee,
            reward,
        });
    }

    /// Rule T6.
    fn change(&mut self, data: &Value) {
        let task = self.task(data["task_id"].as_str().expect("an id"));
        if let Some(title) = data["title"].as_str() {
            title.clone_into(&mut task.title);
        }
        if let Some(jira_id) = data["jira_id"].as_str() {
            task.jira_id = Some(jira_id.to_owned()).filter(|id| !id.is_empty());
        }
    }

    fn assign(&mut self, sequence: u64, data: &Value, time: String) {
        let (date, assignee) = (self.local_date(&time), text(&data["assignee_id"]));
        let holder = &self.users[&assignee];
        assert!(
            holder.active && ["accountant", "developer", "worker"].contains(&holder.role.as_str()),
            "{holder:?}"
        );
        let task = self.task(data["task_id"].as_str().expect("an id"));
        task.assignee.clone_from(&assignee);
        task.assigned_at = time;
        task.assignments += 1;
        let cause = Cause {
            user: assignee,
            kind: "fee",
            amount: -task.fee,
            date,
            task: task.id.clone(),
        };
        self.causes.insert(sequence, cause);
    }

    fn complete(&mut self, sequence: u64, data: &Value, time: String) {
        let (on, by) = (self.local_date(&time), text(&data["completed_by"]));
        let task = self.task(data["task_id"].as_str().expect("an id"));
        assert!(task.completion.is_none() && task.assignee == by, "{task:?}");
        let cause = Cause {
            user: by.clone(),
            kind: "reward",
            amount: task.reward,
            date: on,
            task: task.id.clone(),
        };
        task.completion = Some(Completion {
            at: time,
            on,
            by,
            sequence,
        });
        self.causes.insert(sequence, cause);
    }

    /// The first date that is not closed.
    pub fn open_date(&self) -> Date {
        self.closes.last().map_or(self.first_date, |closed| {
            closed.date.tomorrow().expect("a date")
        })
    }

    fn post(&mut self, sequence: u64, data: &Value, time: &str) {
        let stated = Entry {
            sequence,
            id: text(&data["entry_id"]),
            user: text(&data["user_id"]),
            kind: text(&data["kind"]),
            amount: data["amount"].as_i64().expect("minor units"),
            date: date(&data["business_date"]),
            late: data["late"].as_bool().expect("a flag"),
            task: data["task_id"].as_str().map(str::to_owned),
            corrects: data["corrects"].as_str().map(str::to_owned),
        };
        match data["cause_sequence"].as_u64() {
            Some(cause) => self.check_caused(&stated, cause),
            None if stated.kind == "correction" => self.check_correction(&stated, time),
            // Compared when the date is closed.
            None => assert_eq!((stated.kind.as_str(), stated.late), ("payout", false)),
        }
        let balance = self.balances.entry(stated.user.clone()).or_default();
        *balance += stated.amount;
        assert_eq!(data["balance"].as_i64(), Some(*balance), "{data}");
        self.places.insert(stated.id.clone(), self.entries.len());
        self.entries.push(stated);
    }

    /// Rule A6: the local date of the cause, or the first open date if that one is closed.
    fn dated(&self, date: Date) -> (Date, bool) {
        if date < self.open_date() {
            (self.open_date(), true)
        } else {
            (date, false)
        }
    }

    fn check_caused(&mut self, stated: &Entry, sequence: u64) {
        let cause = &self.causes[&sequence];
        let (date, late) = self.dated(cause.date);
        assert_eq!(
            (
                &stated.user,
                stated.kind.as_str(),
                stated.amount,
                stated.task.as_ref()
            ),
            (&cause.user, cause.kind, cause.amount, Some(&cause.task)),
            "the entry of event {sequence}"
        );
        assert_eq!(
            (stated.date, stated.late),
            (date, late),
            "the date of the entry of event {sequence}"
        );
        assert!(
            self.answered.insert(sequence),
            "event {sequence} was posted twice"
        );
    }

    /// Rule A7.
    fn check_correction(&self, stated: &Entry, time: &str) {
        let corrected = stated.corrects.as_ref().expect("what it corrects");
        let original = &self.entries[self.places[corrected]];
        let before = self
            .entries
            .iter()
            .filter(|entry| entry.corrects.as_ref() == Some(corrected));
        let sum = before.map(|entry| entry.amount).sum::<i64>() + stated.amount;
        assert!(
            ["fee", "reward"].contains(&original.kind.as_str()) && original.user == stated.user
        );
        assert!(
            stated.amount.signum() == -original.amount.signum()
                && sum.abs() <= original.amount.abs()
        );
        assert_eq!(
            (stated.date, stated.late),
            self.dated(self.local_date(time))
        );
    }

    /// Rules A4 and A5: everybody above zero at the end of the date was paid just that.
    fn close(&mut self, sequence: u64, line: &Value) {
        let stated = &line["data"];
        let closing = date(&stated["business_date"]);
        assert_eq!(closing, self.open_date(), "dates are closed in order");
        let through = number(&stated["through_sequence"]);
        let mut before: BTreeMap<&str, i64> =
            self.users.keys().map(|user| (user.as_str(), 0)).collect();
        let mut paid: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| entry.date <= closing) {
            if entry.sequence <= through {
                *before.get_mut(entry.user.as_str()).expect("a known user") += entry.amount;
            } else {
                assert!(entry.kind == "payout" && entry.date == closing, "{entry:?}");
                paid.entry(&entry.user).or_default().push(entry.amount);
            }
        }
        let due: BTreeMap<_, _> = before
            .into_iter()
            .filter(|(_, sum)| *sum > 0)
            .map(|(user, sum)| (user, vec![-sum]))
            .collect();
        assert_eq!(paid, due, "the payouts of {closing}");
        let by = text(&line["actor"]).trim_start_matches("user/").to_owned();
        self.closes.push(Closed {
            date: closing,
            sequence,
            by,
        });
    }

    pub fn balance_now(&self, user: &str) -> i64 {
        self.balances.get(user).copied().unwrap_or(0)
    }

    /// At the end of a date.
    pub fn balance_on(&self, user: &str, date: Date) -> i64 {
        let until = self
            .entries
            .iter()
            .filter(|entry| entry.user == user && entry.date <= date);
        until.map(|entry| entry.amount).sum()
    }

    /// Popugs with an account, by login.
    pub fn popugs(&self) -> Vec<(&String, &User)> {
        let mut popugs: Vec<_> = self
            .users
            .iter()
            .filter(|(_, user)| user.role != "service")
            .collect();
        popugs.sort_by_key(|(_, user)| user.login.clone());
        popugs
    }

    /// The sum of what was posted in `from..=to`, by kind and optionally of one user.
    pub fn sum(&self, kind: &str, from: Date, to: Date, user: Option<&str>) -> i64 {
        let wanted = |entry: &&Entry| {
            entry.kind == kind
                && entry.date >= from
                && entry.date <= to
                && user.is_none_or(|user| entry.user == user)
        };
        self.entries
            .iter()
            .filter(wanted)
            .map(|entry| entry.amount)
            .sum()
    }

    /// How many are in the red at the end of a date, and what they owe together.
    pub fn debts_on(&self, date: Date) -> (u64, i64) {
        let debts = self
            .users
            .keys()
            .map(|user| self.balance_on(user, date))
            .filter(|balance| *balance < 0);
        debts.fold((0, 0), |(count, sum), balance| (count + 1, sum - balance))
    }
}
