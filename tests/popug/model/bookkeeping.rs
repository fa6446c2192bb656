//! The expected events of accounting: the entries that are owed for task events, and the payouts of
//! a closed date. Also turns drafts into lines.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde_json::{Value, json};

use super::books::{Books, Cause, Owed, Task};
use super::calendar::written;
use super::letters::ACCOUNTING;
use super::rules::{Draft, Refusal, draft};

/// The author and the key of a batch.
pub enum Hand<'a> {
    /// A command; its key, if one was given.
    User { id: &'a str, key: Option<&'a str> },
    /// The closing user, and the key of the imported row that requests the close.
    Closer {
        id: &'a str,
        date: Date,
        row: Option<&'a str>,
    },
    /// Accounting, in batches of any size: each is named after the first event that caused it.
    Accounting,
    /// As accounting.
    Notifier,
}

/// The appended events, and the reason of an early end.
pub struct Appended {
    pub lines: Vec<Value>,
    pub ended: Option<Ended>,
}

#[derive(Debug, PartialEq)]
pub enum Ended {
    /// Accounting cannot apply this event.
    Stopped(u64),
    /// The date cannot be closed while this event is set aside.
    Blocked(Date, u64),
}

impl Books {
    /// The lines of `drafts` after the head; random parts are taken from `found`.
    pub fn lines(
        &self,
        drafts: Vec<Draft>,
        hand: &Hand<'_>,
        at: i64,
        found: &[Value],
    ) -> Vec<Value> {
        let count = drafts.len();
        let (mut command, mut batch_ends) = (json!(null), 0);
        let mut lines: Vec<Value> = Vec::new();
        for (place, draft) in drafts.into_iter().enumerate() {
            let stated = found.get(place);
            if place == batch_ends {
                let in_one = count - place;
                let stated_length = stated
                    .and_then(|line| line["more"].as_u64())
                    .map(|more| more as usize + 1);
                batch_ends += match hand {
                    Hand::Accounting | Hand::Notifier => {
                        stated_length.unwrap_or(in_one).min(in_one)
                    }
                    _ => in_one,
                };
                command = command_of(hand, &draft, stated);
            }
            let mut line = json!({
                "specversion": "1.0",
                "id": draft.id.map_or_else(|| self.minted(stated), Value::from),
                "source": format!("/popug/{}", draft.context),
                "type": draft.kind,
                "subject": draft.subject,
                "time": written(at),
                "sequence": format!("{:020}", self.head as usize + place + 1),
                "more": batch_ends - place - 1,
                "actor": actor_of(hand),
                "commandid": command,
                "data": draft.data,
            });
            if let Some(cause) = draft.cause {
                line["causationid"] = json!(cause);
            }
            if matches!(hand, Hand::User { key: Some(_), .. }) && place == 0 {
                line["commandhash"] = json!(true);
            }
            lines.push(line);
        }
        lines
    }

    /// A random id that no earlier event has.
    fn minted(&self, stated: Option<&Value>) -> Value {
        let id = stated
            .and_then(|line| line["id"].as_str())
            .unwrap_or_default();
        let is_v7 = id
            .parse::<uuid::Uuid>()
            .is_ok_and(|id| id.get_version_num() == 7);
        if is_v7 && !self.ids.contains(id) {
            json!(id)
        } else {
            json!("a new UUIDv7")
        }
    }

    /// Rules A1 and A2: the owed events, in the order of the causes, up to the event that stops
    /// accounting. They are not in these books yet.
    pub fn reaction(&self, at: i64, found: &[Value]) -> Vec<Value> {
        let mut ahead = self.clone();
        let mut lines = Vec::new();
        for cause in self.postable() {
            let drafts = ahead.owed_to(&cause);
            // Applied one by one, because each entry carries the balance after the one before.
            let loose = ahead.lines(
                drafts,
                &Hand::Accounting,
                at,
                found.get(lines.len()..).unwrap_or_default(),
            );
            loose.iter().for_each(|line| ahead.follow(line));
            lines.extend(loose);
        }
        let drafts = lines.into_iter().map(unplaced).collect();
        self.lines(drafts, &Hand::Accounting, at, found)
    }

    /// The causes before the event that stops accounting.
    pub fn postable(&self) -> Vec<Cause> {
        let stop = self.stop().unwrap_or(u64::MAX);
        self.due()
            .take_while(|cause| cause.sequence < stop)
            .cloned()
            .collect()
    }

    pub fn owed_to(&self, cause: &Cause) -> Vec<Draft> {
        let task = self.task(&cause.task);
        match &cause.what {
            Owed::Price => {
                let data = json!({ "task_id": task.id, "fee": task.fee, "reward": task.reward });
                vec![self.caused("task.priced.v1", format!("task/{}", task.id), cause, data)]
            }
            Owed::Fee {
                user,
                assignment_no,
            } => {
                vec![self.entry(cause, "fee", -task.fee, user, *assignment_no)]
            }
            Owed::FeesBack { keeps: true, .. } => vec![],
            Owed::FeesBack { reason, .. } => self.fees_back(cause, reason),
            Owed::Reward {
                user,
                assignment_no,
            } => {
                vec![
                    self.entry(cause, "reward", task.reward, user, *assignment_no),
                    self.settled(cause, task, user),
                ]
            }
        }
    }

    /// Rule T7: what is left of each fee is given back by an entry of its own.
    fn fees_back(&self, cause: &Cause, reason: &str) -> Vec<Draft> {
        let mut balances: BTreeMap<&str, i64> = BTreeMap::new();
        let (date, late) = self.dated(cause.at);
        let back = self.fees_left(&cause.task).into_iter().map(|(fee, left)| {
            let before = || self.balance(&fee.user);
            let balance = balances.entry(&fee.user).or_insert_with(before);
            *balance += left;
            let id = self.derived(&format!("balance.changed/{}/{}", cause.id, fee.id));
            let data = json!({
                "entry_id": id, "user_id": fee.user, "kind": "correction", "amount": left, "balance": *balance,
                "business_date": date.to_string(), "late": late, "occurred_at": written(cause.at),
                "cause_sequence": cause.sequence, "task_id": cause.task, "assignment_no": fee.assignment_no,
                "corrects": fee.id, "reason": reason,
            });
            let draft = self.caused("balance.changed.v1", format!("user/{}", fee.user), cause, data);
            Draft {
                id: Some(id),
                ..draft
            }
        });
        back.collect()
    }

    fn caused(&self, kind: &'static str, subject: String, cause: &Cause, data: Value) -> Draft {
        let id = Some(self.derived(&format!("{}/{}", kind.trim_end_matches(".v1"), cause.id)));
        Draft {
            id,
            cause: Some(cause.id.clone()),
            ..draft("accounting", kind, subject, data)
        }
    }

    fn entry(
        &self,
        cause: &Cause,
        kind: &str,
        amount: i64,
        user: &str,
        assignment_no: u64,
    ) -> Draft {
        let (date, late) = self.dated(cause.at);
        let data = json!({
            "entry_id": self.derived(&format!("balance.changed/{}", cause.id)), "user_id": user, "kind": kind,
            "amount": amount, "balance": self.balance(user) + amount, "business_date": date.to_string(), "late": late,
            "occurred_at": written(cause.at), "cause_sequence": cause.sequence, "task_id": cause.task,
            "assignment_no": assignment_no,
        });
        self.caused("balance.changed.v1", format!("user/{user}"), cause, data)
    }

    fn settled(&self, cause: &Cause, task: &Task, by: &str) -> Draft {
        let counts = |at| !self.leaves_out(ACCOUNTING, self.line(at).expect("a line"));
        let texts = self.texts_at(task, cause.sequence, counts);
        let mut data = json!({
            "task_id": task.id, "number": task.number, "title": texts.title, "completed_by": by,
            "completed_at": written(cause.at), "completed_on": self.calendar.date_of(cause.at).to_string(),
            "completed_sequence": cause.sequence, "fee": task.fee, "reward": task.reward,
            "fees_charged": self.fees_charged(&task.id),
        });
        if let Some(jira_id) = &texts.jira_id {
            data["jira_id"] = json!(jira_id);
        }
        self.caused("task.settled.v1", format!("task/{}", task.id), cause, data)
    }

    /// Rules A5 and A10: the events of `close` when the clock shows `now`, including entries that
    /// are owed before.
    pub fn close(
        &self,
        by: &str,
        through: Option<Date>,
        now: i64,
        found: &[Value],
    ) -> Result<Appended, Refusal> {
        let actor = self.user(by);
        if !actor.active {
            return Err((5, "actor_deactivated"));
        }
        if !["accountant", "admin", "service"].contains(&actor.role.as_str()) {
            return Err((5, "role_may_not"));
        }
        if let Some(date) = through {
            self.seen_by(ACCOUNTING).closable(date, now)?;
        }
        self.close_finished(by, (through, None), now, found)
    }

    /// Every finished date, for an imported row.
    pub fn close_imported(
        &self,
        by: &str,
        row: Option<&str>,
        at: i64,
        found: &[Value],
    ) -> Result<Appended, Refusal> {
        self.close_finished(by, (None, row), at, found)
    }

    fn close_finished(
        &self,
        by: &str,
        (through, row): (Option<Date>, Option<&str>),
        now: i64,
        found: &[Value],
    ) -> Result<Appended, Refusal> {
        let seen = self.seen_by(ACCOUNTING);
        let lines = if self.postable().is_empty() {
            vec![]
        } else {
            self.reaction(self.stamp(now)?, found)
        };
        if let Some(stop) = self.stop() {
            return Ok(Appended {
                lines,
                ended: Some(Ended::Stopped(stop)),
            });
        }
        let mut ahead = self.clone();
        lines.iter().for_each(|line| ahead.follow(line));
        let mut appended = Appended { lines, ended: None };
        loop {
            let date = if self.missing_from_the_books().is_some() {
                &seen
            } else {
                &ahead
            }
            .first_open_date();
            if through.is_some_and(|through| date > through) || !self.calendar.is_over(date, now) {
                return Ok(appended);
            }
            if let Some(sequence) = self.blocks(date) {
                return Ok(Appended {
                    ended: Some(Ended::Blocked(date, sequence)),
                    ..appended
                });
            }
            let found = found.get(appended.lines.len()..).unwrap_or_default();
            let closed = ahead.closing(by, row, self.stamp(now)?, found);
            closed.iter().for_each(|line| ahead.follow(line));
            appended.lines.extend(closed);
        }
    }

    fn closable(&self, date: Date, now: i64) -> Result<(), Refusal> {
        if date < self.first_date {
            return Err((4, "date_before_founding"));
        }
        let is_closed = self.closed_through().is_some_and(|closed| date <= closed);
        if is_closed || self.calendar.is_over(date, now) {
            Ok(())
        } else {
            Err((4, "date_not_over"))
        }
    }

    /// The batch that closes the first open date, from the posted entries.
    pub fn closing(&self, by: &str, row: Option<&str>, at: i64, found: &[Value]) -> Vec<Value> {
        let date = self.first_open_date();
        let mut ahead = self.clone();
        let mut drafts = Vec::new();
        let mut users: Vec<&str> = self.users.iter().map(|user| user.id.as_str()).collect();
        users.sort_unstable();
        for user in users
            .into_iter()
            .filter(|user| self.balance_at_end_of(user, date) > 0)
        {
            drafts.extend(self.payout(user, date, at));
        }
        let hand = Hand::Closer { id: by, date, row };
        let paid = ahead.lines(drafts, &hand, at, found);
        paid.iter().for_each(|line| ahead.follow(line));
        let totals = ahead.totals(date, self.head);
        let mut drafts: Vec<Draft> = paid.into_iter().map(unplaced).collect();
        let id = Some(self.derived(&format!("day/{date}")));
        drafts.push(Draft {
            id,
            ..draft("accounting", "day.closed.v1", format!("day/{date}"), totals)
        });
        self.lines(drafts, &hand, at, found)
    }

    /// Rule A4.
    fn payout(&self, user: &str, date: Date, at: i64) -> [Draft; 2] {
        let opening = self.sum(user, |entry| entry.date < date);
        let amount = self.balance_at_end_of(user, date);
        let payout = self.derived(&format!("payout/{user}/{date}"));
        let (paid_id, entry_id) = (
            self.derived(&format!("payout.made/{payout}")),
            self.derived(&format!("balance.changed/{payout}")),
        );
        let paid = json!({
            "payout_id": payout, "entry_id": entry_id, "user_id": user, "amount": amount,
            "business_date": date.to_string(), "opening": opening, "earned": amount - opening,
        });
        let entry = json!({
            "entry_id": entry_id, "user_id": user, "kind": "payout", "amount": -amount,
            "balance": self.balance(user) - amount, "business_date": date.to_string(), "late": false,
            "occurred_at": written(at), "payout_id": payout,
        });
        let of_user = |kind, data| draft("accounting", kind, format!("user/{user}"), data);
        [
            Draft {
                id: Some(paid_id.clone()),
                ..of_user("payout.made.v1", paid)
            },
            Draft {
                id: Some(entry_id),
                cause: Some(paid_id),
                ..of_user("balance.changed.v1", entry)
            },
        ]
    }

    /// The members of `day.closed`, added up entry by entry.
    fn totals(&self, date: Date, through_sequence: u64) -> Value {
        let day = || self.entries.iter().filter(move |entry| entry.date == date);
        let sum = |kind: &str| {
            day()
                .filter(|entry| entry.kind == kind)
                .map(|entry| entry.amount)
                .sum::<i64>()
        };
        let (fees, rewards, corrections) = (-sum("fee"), sum("reward"), sum("correction"));
        let balances = self
            .users
            .iter()
            .map(|user| self.balance_at_end_of(&user.id, date));
        let debts: Vec<i64> = balances
            .filter(|balance| *balance < 0)
            .map(|balance| -balance)
            .collect();
        json!({
            "business_date": date.to_string(), "through_sequence": through_sequence, "entries": day().count(),
            "late_entries": day().filter(|entry| entry.late).count(), "fees": fees, "rewards": rewards,
            "corrections": corrections, "management_earned": fees - rewards - corrections,
            "payouts_count": day().filter(|entry| entry.kind == "payout").count(), "payouts_total": -sum("payout"),
            "accounts_negative": debts.len(), "debt_carried": debts.iter().sum::<i64>(), "skipped_events": self.skipped_on(date),
        })
    }
}

fn actor_of(hand: &Hand<'_>) -> String {
    match hand {
        Hand::User { id, .. } | Hand::Closer { id, .. } => format!("user/{id}"),
        Hand::Accounting => "system/accounting".to_owned(),
        Hand::Notifier => "system/notifier".to_owned(),
    }
}

fn command_of(hand: &Hand<'_>, first: &Draft, stated: Option<&Value>) -> Value {
    match hand {
        Hand::User { key: Some(key), .. } => json!(key),
        Hand::User { key: None, .. } => {
            let minted = stated
                .and_then(|line| line["commandid"].as_str())
                .unwrap_or_default();
            let is_v7 = minted
                .parse::<uuid::Uuid>()
                .is_ok_and(|id| id.get_version_num() == 7);
            if is_v7 {
                json!(minted)
            } else {
                json!("a new UUIDv7")
            }
        }
        Hand::Closer { date, row, .. } => json!(format!("{}/{date}", row.unwrap_or("close"))),
        Hand::Accounting => json!(format!(
            "accounting/{}",
            first.cause.as_deref().unwrap_or_default()
        )),
        Hand::Notifier => json!(format!(
            "notifier/{}",
            first.cause.as_deref().unwrap_or_default()
        )),
    }
}

/// A line without its place.
fn unplaced(line: Value) -> Draft {
    let text = |name: &str| line[name].as_str().map(str::to_owned);
    let kinds = [
        "task.priced.v1",
        "balance.changed.v1",
        "task.settled.v1",
        "payout.made.v1",
    ];
    let kind = kinds
        .into_iter()
        .find(|kind| line["type"] == *kind)
        .expect("what accounting appends");
    let (id, cause, subject) = (
        text("id"),
        text("causationid"),
        text("subject").expect("a subject"),
    );
    Draft {
        id,
        cause,
        ..draft("accounting", kind, subject, line["data"].clone())
    }
}
