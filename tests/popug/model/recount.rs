//! A whole log, read as an auditor reads it. A decision of a user is believed if the rules allow it. A line that
//! accounting appended is derived from its cause first and has to be equal.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::bookkeeping::Hand;
use super::books::{Books, text};
use super::calendar::micros;

/// A line without its hash; the hash of a command becomes `true`.
pub fn bare(mut line: Value) -> Value {
    line.as_object_mut().expect("an object").remove("hash");
    if line.get("commandhash").is_some() {
        line["commandhash"] = json!(true);
    }
    line
}

impl Books {
    /// # Panics
    /// At the first line that the rules do not give, and if a task event has no entry at the end.
    pub fn of_log(lines: &[Value]) -> Books {
        let lines: Vec<Value> = lines.iter().cloned().map(bare).collect();
        let mut books = Books::before(&lines[0]);
        let mut rest = &lines[..];
        while let Some(first) = rest.first() {
            let more = first["more"].as_u64().expect("a count") as usize;
            let (batch, later) = rest.split_at(more + 1);
            books.take_in(batch);
            rest = later;
        }
        let owed: Vec<u64> = books.due().map(|cause| cause.sequence).collect();
        assert!(owed.is_empty(), "events {owed:?} were never posted");
        books
    }

    fn take_in(&mut self, batch: &[Value]) {
        let (first, last) = (&batch[0], &batch[batch.len() - 1]);
        let (at, actor) = (micros(&text(&first["time"])), text(&first["actor"]));
        let by = actor.trim_start_matches("user/");
        if actor == "system/accounting" {
            return self.take_in_reaction(batch, at);
        }
        if last["type"] == "day.closed.v1" {
            let (key, date) = (text(&first["commandid"]), self.first_open_date());
            let row = key.strip_suffix(&format!("/{date}"));
            equal(batch, &self.closing(by, row, at, batch));
        } else if first["type"] == "balance.changed.v1" {
            equal(batch, &self.corrected(by, at, batch));
        }
        for line in batch {
            self.allows(line);
            self.follow(line);
        }
    }

    /// One by one, because each entry carries the balance after the one before.
    fn take_in_reaction(&mut self, batch: &[Value], at: i64) {
        let mut drafts = VecDeque::new();
        for line in batch {
            if drafts.is_empty() {
                let cause = self.due().next().cloned();
                let cause = cause.unwrap_or_else(|| panic!("nothing is owed: {line}"));
                drafts.extend(self.owed_to(&cause));
            }
            let draft = drafts.pop_front().expect("every cause is owed something");
            let mut expected = self.lines(vec![draft], &Hand::Accounting, at, &[]);
            expected[0]["more"] = line["more"].clone();
            if line["sequence"] != batch[0]["sequence"] {
                expected[0]["commandid"] = batch[0]["commandid"].clone();
            }
            equal(std::slice::from_ref(line), &expected);
            self.follow(line);
        }
        assert!(drafts.is_empty(), "half of what is owed: {}", batch[0]);
    }

    /// Rule A7.
    fn corrected(&self, by: &str, at: i64, batch: &[Value]) -> Vec<Value> {
        let (line, data) = (&batch[0], &batch[0]["data"]);
        let amount = data["amount"].as_i64().expect("minor units").abs();
        let amount = format!("{}.{:02}", amount / 100, amount % 100);
        let (entry, reason) = (text(&data["corrects"]), text(&data["reason"]));
        let drafts = self
            .correct(self.user(by), &entry, Some(&amount), &reason, at, batch)
            .unwrap_or_else(|refusal| panic!("{refusal:?}: {line}"));
        let key = line["commandhash"]
            .as_bool()
            .map(|_| text(&line["commandid"]));
        let hand = Hand::User {
            id: by,
            key: key.as_deref(),
        };
        self.lines(drafts, &hand, at, batch)
    }

    /// Rules T2 and T4.
    fn allows(&self, line: &Value) {
        let data = &line["data"];
        match line["type"].as_str().expect("a type") {
            "task.assigned.v1" | "task.assigned.v2" => {
                let assignee = self.user(&text(&data["assignee_id"]));
                assert!(assignee.is_eligible(), "{line}");
                let mut task = self
                    .tasks
                    .iter()
                    .filter(|task| data["task_id"] == task.id.as_str());
                assert!(task.all(|task| task.is_open()), "{line}");
            }
            "task.completed.v1" => {
                let task = self.task(&text(&data["task_id"]));
                assert_eq!(task.assignee, data["completed_by"], "{line}");
                assert!(task.is_open(), "{line}");
            }
            "task.cancelled.v1" => {
                let task = self.task(&text(&data["task_id"]));
                assert!(task.is_open(), "{line}");
            }
            _ => {}
        }
    }
}

fn equal(found: &[Value], expected: &[Value]) {
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected, "event {}", found["sequence"]);
    }
    assert_eq!(found.len(), expected.len(), "a batch: {}", found[0]);
}
