//! The expected events of an import, row by row, and the bad rows.
//!
//! The draws of a refused file are never known, so their consequences are not compared.

use std::collections::BTreeMap;

use popug_cli::app::AppError;
use popug_cli::app::import::{ImportError, ImportKind};
use popug_cli::consumers::ConsumeError;
use popug_cli::domain::rejection::Rejection;
use serde_json::{Value, json};

use super::bookkeeping::{Ended, Hand};
use super::books::{Books, Given, Task, text};
use super::calendar::{micros, written};
use super::command::Command;
use super::decisions::stopped_at;
use super::play::{Checked, Play, same, same_refusal, sequence};
use super::rules::Refusal;
use super::sheets::{File, Row};
use super::steps::Crash;

/// The line of the first row after the header.
const FIRST_LINE: u64 = 2;

/// The result of a row.
enum Fate {
    /// It has no new events.
    Passed,
    Bad,
    Lines(Vec<Value>, Option<Ended>),
}

/// Lines, the reason of an early end, and all keys after them.
type Imported = (Vec<Value>, Option<Ended>, BTreeMap<String, Given>);

struct Walk<'a> {
    file: &'a File,
    now: i64,
    /// The time of the log's last event when the import begins.
    last: i64,
    /// An earlier run decided the rows up to this one.
    passed_row: usize,
    passed: u64,
    reached: i64,
    ahead: Books,
    alike: BTreeMap<String, u64>,
    /// Whether assignees were drawn that are not known.
    is_drawn: bool,
}

impl Play {
    pub fn import(&mut self, file: &File, crash: Option<Crash>) -> Checked {
        let (result, found) = self.killed_at(crash, |store| store.import(file));
        self.files.push(file.clone());
        let now = self.store.now();
        if let Err(refusal) = self.books.may_import(file, now) {
            return match result {
                Err(ImportError::App(error)) => same_refusal(&error, refusal, &found),
                other => Err(format!("was to be refused with {refusal:?}: {other:?}")),
            };
        }
        if let Err(ImportError::BadRows { bad, .. }) = &result {
            same("appended by a refused import", &found.len(), &0)?;
            let told: Vec<u64> = bad.iter().map(|row| row.line).collect();
            return self.books.check_bad_rows(file, now, &told);
        }
        let (expected, ended, keys) = self.books.imported(file, now, &found, crash.is_some())?;
        let told = result.as_ref().err().map(ended_by).transpose()?;
        if crash.is_none() {
            same("what ended the import", &told, &ended)?;
        }
        let is_whole = crash.is_none() && !matches!(ended, Some(Ended::Stopped(_)));
        self.appended(&expected, &found, is_whole)?;
        if let (Ok(summary), None) = (result, crash) {
            same("appended, as it was told", &summary, &(found.len() as u64))?;
        }
        self.follow(&found, None);
        self.books.keys = keys;
        Ok(())
    }
}

fn ended_by(error: &ImportError) -> Result<Ended, String> {
    let (ImportError::Stopped { source, .. } | ImportError::App(source)) = error else {
        return Err(format!("ended by {error:?}"));
    };
    match source {
        AppError::Rejected(Rejection::DateBlocked { date, sequence })
        | AppError::Consume(ConsumeError::Rejected(Rejection::DateBlocked { date, sequence })) => {
            Ok(Ended::Blocked(
                date.to_string().parse().expect("a date"),
                sequence.0,
            ))
        }
        other => stopped_at(other)
            .map(Ended::Stopped)
            .ok_or_else(|| format!("the import was refused with {other:?}")),
    }
}

impl Books {
    fn may_import(&self, file: &File, now: i64) -> Result<(), Refusal> {
        let by = self.user(&file.by);
        match (by.active, by.role.as_str()) {
            (false, _) => Err((5, "actor_deactivated")),
            (_, "admin") if file.kind == ImportKind::Activity => Ok(()),
            (_, "admin") => self.stamp(now).map(drop),
            _ => Err((5, "role_may_not")),
        }
    }

    fn check_bad_rows(&self, file: &File, now: i64, told: &[u64]) -> Checked {
        let mut walk = self.walk(file, now);
        let mut bad = Vec::new();
        let mut unknown = Vec::new();
        // A completion that may have been accepted lets every earlier row behind it be too late, and nothing after
        // that is known.
        let (mut perhaps_reached, mut is_lost) = (i64::MIN, false);
        for (place, row) in (0..).zip(&file.rows) {
            is_lost |= row.at < perhaps_reached;
            let fate = if row.action == "close" {
                walk.close(row, place, None)
            } else {
                walk.decide(row, place, &[])
            };
            let line = FIRST_LINE + file.rows[..place].iter().map(height).sum::<u64>();
            match fate {
                _ if is_lost => unknown.push(line),
                _ if row.action == "complete" && walk.is_drawn => {
                    unknown.push(line);
                    perhaps_reached = perhaps_reached.max(row.at);
                }
                Fate::Bad => bad.push(line),
                Fate::Lines(lines, _) => lines.iter().for_each(|line| walk.ahead.follow(line)),
                Fate::Passed => {}
            }
        }
        let is_known = |line: &u64| !unknown.contains(line);
        let told: Vec<u64> = told.iter().copied().filter(is_known).collect();
        same("bad rows", &told, &bad)
    }

    /// The lines that a file without bad rows appends; draws are taken from `found`.
    fn imported(
        &self,
        file: &File,
        now: i64,
        found: &[Value],
        is_killed: bool,
    ) -> Result<Imported, String> {
        let mut walk = self.walk(file, now);
        let mut lines: Vec<Value> = Vec::new();
        for (place, row) in (0..).zip(&file.rows) {
            let Some(rest) = found
                .get(lines.len()..)
                .filter(|rest| !(is_killed && rest.is_empty()))
            else {
                break;
            };
            let fate = if row.action == "close" {
                walk.close(row, place, Some(rest))
            } else {
                walk.decide(row, place, rest)
            };
            match fate {
                Fate::Bad => {
                    return Err(format!(
                        "row {place} was to be refused: {}",
                        written(row.at)
                    ));
                }
                Fate::Passed => {}
                Fate::Lines(more, ended) => {
                    more.iter().for_each(|line| walk.ahead.follow(line));
                    lines.extend(more);
                    if ended.is_some() {
                        return Ok((lines, ended, walk.ahead.keys));
                    }
                }
            }
        }
        Ok((lines, None, walk.ahead.keys))
    }

    fn walk<'a>(&self, file: &'a File, now: i64) -> Walk<'a> {
        let mut walk = Walk {
            file,
            now,
            last: self.last_time,
            passed_row: 0,
            passed: 0,
            reached: i64::MIN,
            ahead: self.clone(),
            alike: BTreeMap::new(),
            is_drawn: false,
        };
        if file.kind == ImportKind::Activity {
            let keys: Vec<String> = file.rows.iter().map(|row| walk.key(row)).collect();
            let is_known = |place: &usize| {
                file.rows[*place].at == self.last_time && self.keys.contains_key(&keys[*place])
            };
            walk.passed_row = (0..keys.len()).rev().find(is_known).unwrap_or(0);
            walk.alike.clear();
        }
        walk
    }

    /// The task that was imported under a foreign id.
    fn task_imported(&self, key: &str) -> Option<&Task> {
        let given = self.keys.get(&format!("import/create/{key}"))?;
        let created = self.line(*given.sequences.first()?)?;
        self.tasks
            .iter()
            .find(|task| created["data"]["task_id"] == task.id)
    }
}

impl Walk<'_> {
    /// `import/<action>/<key>`, or a count of equal rows.
    fn key(&mut self, row: &Row) -> String {
        match (self.file.kind, row.key.as_str()) {
            (ImportKind::Users, _) => return format!("import/register/{}", row.login),
            (_, "") => {}
            (_, key) => return format!("import/{}/{key}", row.action),
        }
        let login = if self.file.kind == ImportKind::Activity {
            row.login.as_str()
        } else {
            ""
        };
        let alike = format!(
            "import/{}/{}/{}/{login}/",
            row.action,
            written(row.at),
            row.actor
        );
        let count = self.alike.entry(alike.clone()).or_default();
        *count += 1;
        format!("{alike}{count}")
    }

    fn is_passed(&self, row: &Row, place: usize) -> bool {
        self.file.kind == ImportKind::Activity && (row.at < self.last || place < self.passed_row)
    }

    /// Whether the row is not before the log's end and the rows before it, and not later than now.
    fn is_in_time(&self, row: &Row) -> bool {
        self.file.kind != ImportKind::Activity
            || (self.last.max(self.reached)..=self.now).contains(&row.at)
    }

    fn actor(&self, row: &Row) -> Option<String> {
        match row.actor.as_str() {
            "" => Some(self.file.by.clone()),
            login => self
                .ahead
                .users
                .iter()
                .find(|user| user.login == login)
                .map(|user| user.id.clone()),
        }
    }

    fn close(&mut self, row: &Row, place: usize, found: Option<&[Value]>) -> Fate {
        let key = self.key(row);
        let Some(by) = self.actor(row) else {
            return Fate::Bad;
        };
        if self.is_passed(row, place) {
            return Fate::Passed;
        }
        let user = self.ahead.user(&by);
        if !self.is_in_time(row)
            || !user.active
            || !["accountant", "admin", "service"].contains(&user.role.as_str())
        {
            return Fate::Bad;
        }
        self.reached = row.at;
        let Some(found) = found else {
            return Fate::Passed;
        };
        let appended = self
            .ahead
            .close_imported(&by, Some(&key), row.at, found)
            .expect("allowed");
        Fate::Lines(appended.lines, appended.ended)
    }

    fn decide(&mut self, row: &Row, place: usize, found: &[Value]) -> Fate {
        let key = self.key(row);
        let Some((by, command)) = self.order(row) else {
            return Fate::Bad;
        };
        if let Some(given) = self.ahead.keys.get(&key) {
            let is_same = given.by == by && given.command == command;
            self.passed = self.passed.max(*given.sequences.last().expect("a batch"));
            return if is_same { Fate::Passed } else { Fate::Bad };
        }
        if self.is_passed(row, place) && self.changed_nothing(row, &command) {
            return Fate::Passed;
        }
        let actor = self.ahead.user(&by).clone();
        if !self.is_in_time(row) || !actor.active {
            return Fate::Bad;
        }
        let made_up = self.made_up(&row.login);
        let stated = if found.is_empty() {
            &made_up[..]
        } else {
            found
        };
        let at = if self.file.kind == ImportKind::Activity {
            row.at
        } else {
            self.now.max(self.last)
        };
        let drafts = match self.ahead.decide(&actor, &command, at, stated) {
            Err(_) => return Fate::Bad,
            Ok(drafts) if drafts.is_empty() => return Fate::Passed,
            Ok(drafts) => drafts,
        };
        self.is_drawn |=
            found.is_empty() && ["create", "reshuffle", "deactivate"].contains(&row.action);
        let lines = self.ahead.lines(
            drafts,
            &Hand::User {
                id: &by,
                key: Some(&key),
            },
            at,
            stated,
        );
        self.reached = row.at;
        self.ahead
            .give(&key, &by, &command, lines.iter().map(sequence).collect());
        Fate::Lines(lines, None)
    }

    /// The user and the command; `None` if the user or the task is unknown.
    fn order(&self, row: &Row) -> Option<(String, Command)> {
        if row.action == "complete" {
            let task = self.ahead.task_imported(&row.key)?;
            let by = if row.actor.is_empty() {
                task.assignee.clone()
            } else {
                self.actor(row)?
            };
            return Some((
                by,
                Command::CompleteTasks {
                    tasks: vec![task.number.to_string()],
                },
            ));
        }
        self.actor(row).map(|by| (by, row.command()))
    }

    /// Whether the row changed nothing in the company at its time, after the rows before it.
    fn changed_nothing(&self, row: &Row, command: &Command) -> bool {
        let mut then = self.ahead.empty();
        let is_before = |line: &&std::rc::Rc<Value>| {
            micros(&text(&line["time"])) < row.at || sequence(line) <= self.passed
        };
        self.ahead
            .lines
            .iter()
            .filter(is_before)
            .for_each(|line| then.follow(line));
        let user = then.users.iter().find(|user| user.login == row.login);
        user.is_some_and(|user| match command {
            Command::SetRole { role, .. } => user.role == *role,
            Command::DeactivateUser { .. } => !user.active,
            _ => false,
        })
    }

    /// Made-up draws for rows that are not appended. `leaver` is not drawn.
    fn made_up(&self, leaver: &str) -> Vec<Value> {
        let eligible = self
            .ahead
            .users
            .iter()
            .find(|user| user.is_eligible() && user.login != leaver)
            .map(|user| user.id.clone());
        let place = self.ahead.lines.len();
        let id = self.ahead.derived(&format!("made up {place}"));
        let line =
            json!({ "id": id, "data": { "user_id": id, "task_id": id, "assignee_id": eligible } });
        vec![line; 2 + self.ahead.tasks.len()]
    }
}

/// The number of lines of the row in the file.
fn height(row: &Row) -> u64 {
    1 + row.title.matches('\n').count() as u64
}
