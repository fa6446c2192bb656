//! The expected rows and totals of every report, computed from single entries.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use serde_json::{Map, Value, json};

use super::books::{Books, Closed, Entry, Task, User, text};
use super::calendar::{dates, micros, tomorrow, written};
use super::play::{Checked, same};

/// First and last date of a period.
pub type Span = (Date, Date);

/// The days, ISO weeks or months that touch `from..=to`.
pub fn periods(from: Date, to: Date, length: Option<&str>) -> Vec<Span> {
    let around = |date: Date| match length {
        None => (from, to),
        Some("day") => (date, date),
        Some("week") => {
            let monday = dates(date - 6.days(), date).find(|day| day.weekday() == Weekday::Monday);
            let monday = monday.expect("every week has one");
            (monday, monday + 6.days())
        }
        Some(_) => (date.first_of_month(), date.last_of_month()),
    };
    let mut periods: Vec<Span> = dates(from, to).map(around).collect();
    periods.dedup();
    periods
}

/// Minor units as a decimal.
pub fn money(minor: i64) -> String {
    format!(
        "{}{}.{:02}",
        if minor < 0 { "-" } else { "" },
        minor.abs() / 100,
        minor.abs() % 100
    )
}

/// Minor units, kept until the sums are made.
fn minor(value: &Value) -> i64 {
    let text = value.as_str().expect("money");
    text.replace('.', "").parse().expect("digits")
}

pub fn total(rows: &[Value], name: &str) -> Value {
    json!(money(rows.iter().map(|row| minor(&row[name])).sum()))
}

pub fn count(rows: &[Value], name: &str) -> Value {
    json!(
        rows.iter()
            .map(|row| row[name].as_i64().expect("a number"))
            .sum::<i64>()
    )
}

pub fn report(rows: Vec<Value>, sums: &[&str], others: Value) -> Value {
    let mut totals = others.as_object().cloned().unwrap_or_else(Map::new);
    totals.extend(
        sums.iter()
            .map(|name| ((*name).to_owned(), total(&rows, name))),
    );
    json!({ "totals": totals, "rows": rows })
}

impl Books {
    /// Everybody with an account, by login.
    pub fn people(&self) -> Vec<&User> {
        let mut people: Vec<&User> = self
            .users
            .iter()
            .filter(|user| user.role != "service")
            .collect();
        people.sort_by(|a, b| a.login.cmp(&b.login));
        people
    }

    /// The login, or the id of an unknown user.
    fn login_of(&self, id: &str) -> String {
        self.users
            .iter()
            .find(|user| user.id == id)
            .map_or(id, |user| &user.login)
            .to_owned()
    }

    /// Rule A5: a date that the zone skips is never closed.
    fn is_closed(&self, date: Date) -> bool {
        let is_passed =
            self.first_date <= date && self.closed_through().is_some_and(|closed| date <= closed);
        is_passed && self.calendar.exists(date)
    }

    /// Entries of a kind within dates, as a sum signed from the popug's side.
    pub fn moved(&self, kind: &str, (from, to): Span, user: Option<&str>) -> i64 {
        let is_wanted = |entry: &&Entry| {
            entry.kind == kind
                && (from..=to).contains(&entry.date)
                && user.is_none_or(|user| entry.user == user)
        };
        self.entries
            .iter()
            .filter(is_wanted)
            .map(|entry| entry.amount)
            .sum()
    }

    /// Without dates: now.
    pub fn expected_balances(&self, range: Option<Span>) -> Value {
        let people = self.people();
        let days: Vec<Option<Date>> =
            range.map_or(vec![None], |(from, to)| dates(from, to).map(Some).collect());
        let rows: Vec<Value> = days
            .iter()
            .flat_map(|date| people.iter().map(move |user| self.balance_row(user, *date)))
            .collect();
        let edge = |rows: &[Value], name| total(rows, name);
        let totals = json!({
            "opening": edge(&rows[..people.len()], "opening"),
            "balance": edge(&rows[rows.len() - people.len()..], "balance"),
        });
        report(rows, &["fees", "rewards", "corrections", "payout"], totals)
    }

    fn balance_row(&self, user: &User, date: Option<Date>) -> Value {
        let span = date.map_or((Date::MIN, Date::MAX), |date| (date, date));
        let of = |kind| self.moved(kind, span, Some(&user.id));
        let was = self.user_on(&user.id, date);
        json!({
            "date": date.map(|date| date.to_string()), "user_id": user.id, "login": user.login, "name": was.name,
            "role": was.role, "active": was.active, "opening": money(self.sum(&user.id, |e| e.date < span.0)),
            "fees": money(-of("fee")), "rewards": money(of("reward")), "corrections": money(of("correction")),
            "payout": money(-of("payout")), "balance": money(self.balance_at_end_of(&user.id, span.1)),
            "closed": date.map(|date| self.is_closed(date)),
        })
    }

    /// Rules A3 and N1.
    pub fn expected_earnings(&self, (from, to): Span, length: Option<&str>) -> Value {
        let spans = periods(from, to, length.or(Some("day")));
        let rows: Vec<Value> = spans
            .iter()
            .map(|span| self.earnings_row(*span, length.is_some()))
            .collect();
        let last = rows.last().expect("a range has a date");
        let totals = json!({
            "popugs_negative": last["popugs_negative"], "debt_carried": last["debt_carried"],
            "payouts_count": count(&rows, "payouts_count"),
        });
        report(
            rows,
            &["fees", "rewards", "corrections", "earned", "payouts"],
            totals,
        )
    }

    fn earnings_row(&self, span: Span, is_period: bool) -> Value {
        let of = |kind| self.moved(kind, span, None);
        let debts: Vec<i64> = self
            .users
            .iter()
            .map(|user| -self.balance_at_end_of(&user.id, span.1))
            .filter(|debt| *debt > 0)
            .collect();
        let paid = self
            .entries
            .iter()
            .filter(|entry| entry.kind == "payout" && (span.0..=span.1).contains(&entry.date));
        let mut row = json!({
            "fees": money(-of("fee")), "rewards": money(of("reward")), "corrections": money(of("correction")),
            "earned": money(-of("fee") - of("reward") - of("correction")), "popugs_negative": debts.len(),
            "payouts": money(-of("payout")), "payouts_count": paid.count(),
            "debt_carried": money(debts.iter().sum()), "closed": self.is_closed(span.1),
        });
        if is_period {
            (row["period_start"], row["period_end"]) =
                (json!(span.0.to_string()), json!(span.1.to_string()));
        } else {
            row["date"] = json!(span.0.to_string());
        }
        row
    }

    /// Rule N1: the users with a negative balance at the end of a date, or now.
    pub fn expected_negative(&self, date: Option<Date>) -> Value {
        let end = date.unwrap_or(Date::MAX);
        let mut red: Vec<&User> = self
            .users
            .iter()
            .filter(|user| self.balance_at_end_of(&user.id, end) < 0)
            .collect();
        red.sort_by_key(|user| (self.balance_at_end_of(&user.id, end), user.login.clone()));
        let row = |user: &&User| {
            let was = self.user_on(&user.id, date);
            json!({
                "date": date.map(|date| date.to_string()), "user_id": user.id, "login": user.login, "name": was.name,
                "role": was.role, "active": was.active, "balance": money(self.balance_at_end_of(&user.id, end)),
                "in_red_since": self.in_red_since(&user.id, end).to_string(),
            })
        };
        let rows: Vec<Value> = red.iter().map(row).collect();
        let debt = -rows.iter().map(|row| minor(&row["balance"])).sum::<i64>();
        let totals = json!({ "popugs_negative": rows.len(), "debt_carried": money(debt) });
        report(rows, &[], totals)
    }

    /// The first date of the last run of dates that all ended below zero, up to `end`.
    fn in_red_since(&self, user: &str, end: Date) -> Date {
        let last = self
            .entries
            .iter()
            .map(|entry| entry.date)
            .max()
            .expect("a debt has entries")
            .min(end);
        let days: Vec<Date> = dates(self.first_date, last).collect();
        let red = days
            .into_iter()
            .rev()
            .take_while(|date| self.balance_at_end_of(user, *date) < 0);
        red.last().expect("somebody who is in the red")
    }

    /// Rule N2.
    pub fn expected_top_task(&self, (from, to): Span, length: Option<&str>) -> Value {
        let rows = periods(from, to, length)
            .into_iter()
            .map(|span| self.top_task_row(span))
            .collect();
        report(rows, &[], json!({}))
    }

    fn top_task_row(&self, (from, to): Span) -> Value {
        let within = |settled: &&Value| {
            let at = micros(&text(&settled["completed_at"]));
            (from..=to).contains(&self.calendar.date_of(at))
        };
        let number = |settled: &Value, name: &str| settled[name].as_i64().expect("a number");
        let rank = |settled: &&Value| {
            (
                number(settled, "reward"),
                -number(settled, "completed_sequence"),
            )
        };
        let best = self.settled.iter().filter(within).max_by_key(rank);
        let ties = best.map(|best| {
            let as_dear = |settled: &&Value| settled["reward"] == best["reward"];
            self.settled.iter().filter(within).filter(as_dear).count() - 1
        });
        let of = |name: &str| best.map_or(Value::Null, |settled| settled[name].clone());
        json!({
            "period_start": from.to_string(), "period_end": to.to_string(), "task_id": of("task_id"),
            "number": of("number"), "jira_id": of("jira_id"), "title": of("title"),
            "reward": best.map(|settled| money(number(settled, "reward"))), "completed_at": of("completed_at"),
            "completed_on": of("completed_on"), "sequence": of("completed_sequence"), "ties": ties,
            "completed_by": best.map(|settled| self.login_of(&text(&settled["completed_by"]))),
        })
    }

    pub fn expected_payouts(&self) -> Value {
        let row = |line: &Value| {
            let data = &line["data"];
            let id = data["user_id"].as_str().expect("an id");
            let user = self.users.iter().find(|user| user.id == id);
            let date = data["business_date"]
                .as_str()
                .and_then(|date| date.parse().ok());
            let mail = self
                .mails
                .iter()
                .find(|mail| mail["payout_id"] == data["payout_id"]);
            let of = |name: &str| money(data[name].as_i64().expect("minor units"));
            json!({
                "date": data["business_date"], "payout_id": data["payout_id"], "entry_id": data["entry_id"],
                "sequence": text(&line["sequence"]).parse::<u64>().expect("digits"), "paid_at": line["time"],
                "user_id": id, "login": self.login_of(id), "name": self.user_on(id, date).name,
                "opening": of("opening"), "earned": of("earned"), "amount": of("amount"),
                "mail_status": if mail.is_some() { "written" } else { "pending" },
                "mail_to": mail.map_or_else(|| json!(user.map(|user| &user.email)), |mail| mail["to"].clone()),
            })
        };
        let mut rows: Vec<Value> = self.payouts.iter().map(row).collect();
        rows.sort_by_key(|row| (row["date"].to_string(), row["login"].to_string()));
        let totals = json!({ "payouts_count": rows.len() });
        report(rows, &["amount"], totals)
    }

    pub fn expected_entries(&self) -> Value {
        let row = |entry: &Entry| {
            let mut row = self.entry_row(entry, entry.balance);
            row["user_id"] = json!(entry.user);
            row["login"] = json!(self.login_of(&entry.user));
            row
        };
        let rows: Vec<Value> = self.by_date(|_| true).into_iter().map(row).collect();
        let totals = json!({ "entries": rows.len() });
        report(rows, &["amount"], totals)
    }

    pub fn expected_statement(&self, user: &User) -> Value {
        let mut running = 0;
        let mut rows = Vec::new();
        for entry in self.by_date(|entry| entry.user == user.id) {
            running += entry.amount;
            rows.push(self.entry_row(entry, running));
        }
        report(rows, &["amount"], json!({}))
    }

    fn by_date(&self, wanted: impl Fn(&Entry) -> bool) -> Vec<&Entry> {
        let mut entries: Vec<&Entry> = self.entries.iter().filter(|entry| wanted(entry)).collect();
        entries.sort_by_key(|entry| (entry.date, entry.sequence));
        entries
    }

    fn entry_row(&self, entry: &Entry, balance: i64) -> Value {
        let task = entry
            .task
            .as_ref()
            .and_then(|id| self.tasks.iter().find(|task| task.id == *id));
        let at = entry.cause.unwrap_or(entry.sequence);
        let texts = task.map(|task| self.texts_at(task, at, |_| true));
        let texts = texts.as_ref();
        json!({
            "sequence": entry.sequence, "entry_id": entry.id, "time": written(entry.occurred_at),
            "posted_at": written(entry.posted_at), "business_date": entry.date.to_string(), "kind": entry.kind,
            "task_id": entry.task, "number": task.map(|task| task.number),
            "jira_id": texts.and_then(|texts| texts.jira_id.as_ref()), "title": texts.map(|texts| &texts.title),
            "description": texts.and_then(|texts| texts.description.as_ref()), "amount": money(entry.amount),
            "balance": money(balance), "late": entry.late, "corrects": entry.corrects, "reason": entry.reason,
        })
    }

    /// Rule A8: every entry on the two accounts of the table, a correction on those of its entry.
    pub fn expected_trial_balance(&self) -> Value {
        let mut accounts: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        for entry in &self.entries {
            let of = |id: &String| {
                self.entries
                    .iter()
                    .find(|other| other.id == *id)
                    .expect("what it corrects")
            };
            let kind = entry
                .corrects
                .as_ref()
                .map_or(&entry.kind, |id| &of(id).kind);
            let other = match kind.as_str() {
                "fee" => "income:management:fees",
                "reward" => "expenses:management:rewards",
                _ => "assets:bank",
            };
            let own = format!("liabilities:popugs:{}", self.login_of(&entry.user));
            let (debited, credited) = if entry.amount < 0 {
                (own, other.to_owned())
            } else {
                (other.to_owned(), own)
            };
            accounts.entry(debited).or_default().0 += entry.amount.abs();
            accounts.entry(credited).or_default().1 += entry.amount.abs();
        }
        let row = |(account, (debit, credit)): (&String, &(i64, i64))| {
            json!({
                "account": account, "type": account.split(':').next(), "debit": money(*debit),
                "credit": money(*credit), "balance": money(debit - credit),
            })
        };
        report(
            accounts.iter().map(row).collect(),
            &["debit", "credit", "balance"],
            json!({}),
        )
    }

    pub fn expected_closes(&self) -> Value {
        let sums = [
            "fees",
            "rewards",
            "corrections",
            "management_earned",
            "payouts_total",
        ];
        let row = |closed: &Closed| {
            let mut row = closed.data.clone();
            for name in sums.iter().chain(&["debt_carried"]) {
                row[*name] = json!(money(row[*name].as_i64().expect("minor units")));
            }
            row["closed_at"] = json!(written(closed.at));
            row["closed_by"] = json!(self.login_of(&closed.by));
            row["sequence"] = json!(closed.sequence);
            row
        };
        let rows: Vec<Value> = self.closes.iter().map(row).collect();
        let counts = ["entries", "late_entries", "payouts_count", "skipped_events"];
        let totals: Map<String, Value> = counts
            .iter()
            .map(|name| ((*name).to_owned(), count(&rows, name)))
            .collect();
        report(rows, &sums, json!(totals))
    }

    pub fn expected_tasks(&self) -> Value {
        let rows: Vec<Value> = self.tasks.iter().map(|task| self.task_row(task)).collect();
        let of = |status: &str| {
            self.tasks
                .iter()
                .filter(|task| status_of(task) == status)
                .count()
        };
        let totals = json!({
            "open": of("open"), "completed": of("completed"), "cancelled": of("cancelled"),
        });
        report(rows, &["fees_charged"], totals)
    }

    fn task_row(&self, task: &Task) -> Value {
        let (done, price) = (task.completion.as_ref(), |minor| {
            task.is_priced.then(|| money(minor))
        });
        let is_assigned = task.assignments > 0;
        let texts = self.texts(task);
        json!({
            "task_id": task.id, "number": task.number, "title": texts.title, "jira_id": texts.jira_id,
            "description": texts.description, "status": status_of(task),
            "created_by": self.login_of(&task.created_by), "created_at": written(task.created_at),
            "assignee": is_assigned.then(|| self.login_of(&task.assignee)),
            "assigned_at": is_assigned.then(|| written(task.assigned_at)),
            "assignments": task.assignments, "fee": price(task.fee), "reward": price(task.reward),
            "fees_charged": money(self.fees_charged(&task.id)), "completed_at": done.map(|done| written(done.at)),
            "completed_by": done.map(|done| self.login_of(&done.by)),
        })
    }

    /// The dates of the requested reports: from the founding to tomorrow, at most 40.
    pub fn asked_range(&self, now: i64) -> Span {
        let to = tomorrow(self.calendar.date_of(now)).max(self.first_date);
        (self.first_date.max(to - 40.days()), to)
    }
}

/// Compares rows and totals.
pub fn same_report(name: &str, shown: &Value, expected: &Value) -> Checked {
    let rows = |report: &Value| report["rows"].as_array().cloned().unwrap_or_default();
    for (place, (shown, expected)) in rows(shown).iter().zip(&rows(expected)).enumerate() {
        same(&format!("row {place} of {name}"), shown, expected)?;
    }
    same(
        &format!("number of rows of {name}"),
        &rows(shown).len(),
        &rows(expected).len(),
    )?;
    same(
        &format!("totals of {name}"),
        &shown["totals"],
        &expected["totals"],
    )
}

pub fn status_of(task: &Task) -> &'static str {
    match (&task.completion, task.is_cancelled) {
        (Some(_), _) => "completed",
        (None, true) => "cancelled",
        (None, false) => "open",
    }
}
