//! Plays a history on the product and on the model side by side and compares them after each step.

mod answers;

pub use answers::*;

use jiff::civil::Date;
use popug_cli::app::AppError;
use popug_cli::app::command::CancelTask;
use popug_cli::app::identity::Caller;
use popug_cli::app::write::{Manner, Outcome};
use popug_cli::consumers::accounting::Closed;
use popug_cli::domain::event::{Actor, Event, EventKind, Fact};
use popug_cli::domain::rejection::Rejection;
use popug_cli::domain::task::cancel::Cancel;
use popug_cli::domain::time::{BusinessDate, EventTime};
use popug_cli::event_log::Batch;
use serde_json::Value;

use super::bookkeeping::{Appended, Ended, Hand};
use super::books::{Books, Cause, Owed, text};
use super::calendar::{DAY, MINUTE, micros};
use super::command::Command;
use super::decisions::stopped_at;
use super::resolve::pick;
use super::rules::{Refusal, Verdict};
use super::sheets::File;
use super::steps::{Crash, FOUNDINGS, History, Step, Stop, Timed, Wait};
use super::store::{Store, agrees, refusal};

/// The first difference, in words.
pub type Checked = Result<(), String>;

pub struct Play {
    pub store: Store,
    pub books: Books,
    /// Orders with a key.
    keyed: Vec<(String, Command, String)>,
    pub files: Vec<File>,
    /// The payouts whose mails were taken out of the outbox.
    pub taken: Vec<String>,
    /// The places of `day.closed` events of dates that were closed while events of theirs had no
    /// entry.
    closed_too_soon: Vec<String>,
}

/// All users at the beginning, besides the admin.
const PEOPLE: [(&str, &str); 6] = [
    ("mara", "manager"),
    ("axel", "accountant"),
    ("dora", "developer"),
    ("dan", "developer"),
    ("walt", "worker"),
    ("cron", "service"),
];

/// # Errors
/// The first difference.
pub fn play(history: &History) -> Checked {
    let (zone, founded) = FOUNDINGS[history.founding];
    let store = Store::found(zone, micros(founded), history.seed);
    let books = Books::founded(&store.lines_after(0));
    let mut play = Play {
        store,
        books,
        keyed: Vec::new(),
        files: Vec::new(),
        taken: Vec::new(),
        closed_too_soon: Vec::new(),
    };
    for (login, role) in PEOPLE {
        let ada = play.books.users[0].id.clone();
        play.order(&ada, &registration(login, role), None, None)?;
    }
    for (number, timed) in history.steps.iter().enumerate() {
        play.step(timed)
            .map_err(|what| format!("step {number}, {timed:?}: {what}"))?;
    }
    play.end()
}

pub fn registration(login: &str, role: &str) -> Command {
    Command::RegisterUser {
        login: login.to_owned(),
        full_name: format!("The {login}"),
        email: format!("{}@popug.example", login.trim()),
        role: role.to_owned(),
    }
}

impl Play {
    fn step(&mut self, Timed { wait, step }: &Timed) -> Checked {
        let before = self.store.now();
        self.wait(wait);
        self.take(step)?;
        if matches!(wait, Wait::Slip(_)) {
            self.store.set_clock(before);
        }
        Ok(())
    }

    fn take(&mut self, step: &Step) -> Checked {
        match step {
            Step::Order {
                who,
                deed,
                key,
                crash,
            } => {
                let (by, command) = self.books.resolve(*who, deed);
                let key = key.map(|n| {
                    if n == 7 {
                        "close/mine".to_owned()
                    } else {
                        format!("key {n}")
                    }
                });
                if let Some(key) = &key {
                    self.keyed.push((by.clone(), command.clone(), key.clone()));
                }
                self.give(&by, &command, key.as_deref(), *crash)
            }
            Step::Again { which } if !self.keyed.is_empty() => {
                let (by, command, key) = self.keyed[usize::from(*which) % self.keyed.len()].clone();
                self.give(&by, &command, Some(&key), None)
            }
            Step::GivenUp { consumer, event } => self.given_up(consumer, *event),
            Step::Consume { stop, crash } => self.consume(*stop, *crash),
            Step::Close { who, days, crash } => {
                let date = days.map(|days| {
                    self.books
                        .first_open_date()
                        .saturating_add(jiff::Span::new().days(days))
                });
                self.close(&self.books.closer(*who), date, *crash)
            }
            Step::Import {
                who,
                kind,
                rows,
                crash,
            } => {
                let rows = self.books.rows(&[], rows, *kind, self.store.now());
                self.import(
                    &File {
                        by: self.books.importer(*who),
                        kind: *kind,
                        rows,
                    },
                    *crash,
                )
            }
            Step::ImportAgain { which, rows, crash } if !self.files.is_empty() => {
                let mut file = pick(&self.files, *which).clone();
                file.rows.extend(
                    self.books
                        .rows(&file.rows, rows, file.kind, self.store.now()),
                );
                self.import(&file, *crash)
            }
            Step::Notify { crash } => self.notify(*crash),
            Step::CloseElsewhere => self.close_elsewhere(),
            Step::Lose(derived) => {
                self.store.lose(*derived);
                Ok(())
            }
            Step::Reports => self.reports(),
            Step::Again { .. } | Step::ImportAgain { .. } => Ok(()),
        }
    }

    fn wait(&self, wait: &Wait) {
        let now = self.store.now();
        self.store.set_clock(match wait {
            Wait::Minutes(minutes) => now + minutes * MINUTE,
            Wait::Days(days) => now + days * DAY,
            Wait::Midnight(micros) => self.books.calendar.next_change_of_date(now) + micros,
            Wait::Back(micros) => now - micros,
            Wait::Slip(micros) => self.books.last_time - micros,
        });
    }

    fn give(
        &mut self,
        by: &str,
        command: &Command,
        key: Option<&str>,
        crash: Option<Crash>,
    ) -> Checked {
        match command {
            Command::SetAside { .. } | Command::RetryEvent { .. } | Command::SkipEvent { .. } => {
                self.decision(by, command, key, crash)
            }
            _ => self.order(by, command, key, crash),
        }
    }

    fn order(
        &mut self,
        by: &str,
        command: &Command,
        key: Option<&str>,
        crash: Option<Crash>,
    ) -> Checked {
        let (result, found) = self.killed_at(crash, |store| execute(store, by, command, key));
        let (now, warnings) = (self.store.now(), self.store.take_warnings());
        let verdict = self.books.verdict(by, command, key, now, &found);
        match (&result, verdict) {
            (Err(error), Err(expected)) => same_refusal(error, expected, &found),
            (Ok(outcome), Ok(Verdict::Replay(sequences))) => {
                same("sequences of a replay", &sequences_of(outcome), &sequences)?;
                same(
                    "replayed, appended",
                    &(outcome.replayed, found.len()),
                    &(true, 0),
                )
            }
            (Ok(outcome), Ok(Verdict::Append(drafts))) => {
                let at = self.books.stamp(now).expect("refused otherwise");
                let expected = self
                    .books
                    .lines(drafts, &Hand::User { id: by, key }, at, &found);
                self.appended(&expected, &found, crash.is_none())?;
                same("replayed", &outcome.replayed, &false)?;
                same("sequences", &sequences_of(outcome).len(), &expected.len())?;
                let warned = warnings
                    .iter()
                    .any(|warning| warning.starts_with("the clock is"));
                if crash.is_none() {
                    same(
                        "warns of the clock",
                        &warned,
                        &self.books.warns_of_clock(now),
                    )?;
                }
                self.follow(&found, Some((by, command, key)));
                Ok(())
            }
            (Ok(_), Err(expected)) => {
                Err(format!("{command:?} was to be refused with {expected:?}"))
            }
            (Err(error), Ok(_)) => Err(format!("{command:?} was refused with {error:?}")),
        }
    }

    pub fn consume(&mut self, stop_at: Stop, crash: Option<Crash>) -> Checked {
        let (result, found) = self.killed_at(crash, |store| store.consume(stop_at));
        let (posts, stop) = (!self.books.postable().is_empty(), self.books.stop());
        let stamp = if posts {
            self.books.stamp(self.store.now())
        } else {
            Ok(self.books.last_time)
        };
        let reaches_end = matches!(stop_at, Stop::AtHead);
        match (&result, stamp) {
            (Err(error), stamp) if stop.is_some() && stopped_at(error) == stop => {
                let expected = stamp
                    .map(|at| self.books.reaction(at, &found))
                    .unwrap_or_default();
                self.appended(&expected, &found, false)?;
            }
            (Err(error), Err(expected)) => return same_refusal(error, expected, &found),
            (Err(error), Ok(_)) => return Err(format!("accounting was refused with {error:?}")),
            (Ok(()), _) if reaches_end && stop.is_some() => {
                return Err(format!("accounting was to stop at {stop:?}"));
            }
            (Ok(()), Err(expected)) if reaches_end => {
                return Err(format!("accounting was to be refused with {expected:?}"));
            }
            (Ok(()), Err(_)) => same("appended", &found.len(), &0)?,
            (Ok(()), Ok(at)) => {
                let expected = self.books.reaction(at, &found);
                self.appended(&expected, &found, reaches_end && crash.is_none())?;
            }
        }
        self.follow(&found, None);
        Ok(())
    }

    fn close(&mut self, by: &str, through: Option<Date>, crash: Option<Crash>) -> Checked {
        let (result, found) = self.killed_at(crash, |store| close(store, by, through));
        match (
            &result,
            self.books.close(by, through, self.store.now(), &found),
        ) {
            (Err(error), Err(expected)) if stopped_at(error).is_none() => {
                same_refusal(error, expected, &found)
            }
            (Err(error), Err(_)) => {
                same(
                    "where accounting stops",
                    &stopped_at(error),
                    &self.books.stop(),
                )?;
                same("appended", &found.len(), &0)
            }
            (Ok(_), Err(expected)) => Err(format!("the close was to be refused with {expected:?}")),
            (_, Ok(Appended { lines, ended })) => {
                let ended_so = match &result {
                    Ok(closed) => told_of(closed, &lines).map(|()| None)?,
                    Err(error) => Some(ended_by(error)?),
                };
                same("what ended the close", &ended_so, &ended)?;
                let is_whole = crash.is_none() && !matches!(ended, Some(Ended::Stopped(_)));
                self.appended(&lines, &found, is_whole)?;
                self.follow(&found, None);
                Ok(())
            }
        }
    }

    /// Entries that are owed at that time become late.
    fn close_elsewhere(&mut self) -> Checked {
        let (now, date) = (self.store.now(), self.books.first_open_date());
        let Ok(at) = self.books.stamp(now) else {
            return Ok(());
        };
        if !self.books.calendar.is_over(date, now) || self.books.blocks(date).is_some() {
            return Ok(());
        }
        let by = self.books.users[0].id.clone();
        let expected = self.books.closing(&by, None, at, &[]);
        let facts = expected.iter().map(fact).collect();
        let time = EventTime::from_micros(at).expect("in range");
        let actor = Actor::User(by.parse().expect("an id"));
        let command_id = format!("close/{date}");
        self.append_elsewhere(Batch {
            time,
            actor,
            command_id,
            command_hash: None,
            facts,
        });
        let found = self.store.lines_after(self.books.head);
        self.appended(&expected, &found, true)?;
        // A price alone pays nobody.
        let is_money = |cause: &&Cause| !matches!(cause.what, Owed::Price);
        if self
            .books
            .due()
            .filter(is_money)
            .any(|cause| self.books.calendar.date_of(cause.at) <= date)
        {
            self.closed_too_soon
                .push(format!("event {}", found.last().map_or(0, sequence)));
        }
        self.follow(&found, None);
        Ok(())
    }

    /// Runs `work`, leaves the files as if it had been killed, and reads what is new in the log.
    pub fn killed_at<T>(
        &self,
        crash: Option<Crash>,
        work: impl FnOnce(&Store) -> T,
    ) -> (T, Vec<Value>) {
        self.store.take_warnings();
        let before = crash.map(|crash| (crash, self.store.before()));
        let result = work(&self.store);
        if let Some((crash, before)) = before {
            self.store.crash(crash, &before);
        }
        (result, self.store.lines_after(self.books.head))
    }

    /// The found lines must be the expected ones; for an unfinished run, the first of them.
    pub fn appended(&self, expected: &[Value], found: &[Value], is_whole: bool) -> Checked {
        let is_long_enough =
            expected.len() == found.len() || (!is_whole && found.len() < expected.len());
        for (expected, found) in expected.iter().zip(found) {
            same("a line", found, expected)?;
        }
        same(
            "lines as many as expected",
            &(is_long_enough, found.len(), expected.len()),
            &{ (true, found.len(), expected.len()) },
        )
    }

    pub fn follow(&mut self, found: &[Value], given: Option<(&str, &Command, Option<&str>)>) {
        found.iter().for_each(|line| self.books.follow(line));
        if let (Some((by, command, Some(key))), false) = (given, found.is_empty()) {
            self.books
                .give(key, by, command, found.iter().map(sequence).collect());
        }
    }

    /// With the clock set right, everything is brought to its end, and a deep verification finds
    /// only the faults of the other program.
    fn end(&mut self) -> Checked {
        self.store
            .set_clock(self.store.now().max(self.books.last_time));
        self.reports()?;
        self.notify(None)?;
        self.reports()?;
        let findings = self
            .store
            .app()
            .verify(true, &|_, _, _| {})
            .map_err(|error| format!("{error:?}"))?;
        same("damage", &findings.damage, &Vec::new())?;
        let too_soon = self
            .closed_too_soon
            .iter()
            .map(|place| ("I13", place.as_str()));
        let found = findings
            .violations
            .iter()
            .map(|found| (found.invariant, found.place.as_str()));
        same(
            "violations",
            &found.collect::<Vec<_>>(),
            &too_soon.collect(),
        )
        .map_err(|what| format!("{what}\n{:?}", findings.violations))
    }
}

pub fn execute(
    store: &Store,
    by: &str,
    command: &Command,
    key: Option<&str>,
) -> Result<Outcome, AppError> {
    let (app, manner) = (
        store.app(),
        Manner {
            key: key.map(str::to_owned),
        },
    );
    let caller = caller(&app, by)?;
    match command {
        Command::CancelTask {
            task,
            reason,
            keep_fees,
        } => {
            let cancel = Cancel {
                reason: reason.clone(),
                keep_fees: *keep_fees,
            };
            let task = task.clone();
            app.cancel_task(
                &app.index()?,
                &caller,
                &CancelTask { task, cancel },
                &manner,
            )
        }
        Command::CorrectEntry {
            entry,
            amount,
            reason,
        } => app.correct(&caller, entry, amount.as_deref(), reason, &manner),
        Command::SetAside {
            consumer,
            event,
            reason,
        } => app.set_aside(&caller, *consumer, *event, reason.as_deref(), &manner),
        Command::RetryEvent {
            consumer,
            event,
            reason,
        } => app.retry_event(&caller, *consumer, *event, reason, &manner),
        Command::SkipEvent {
            consumer,
            event,
            reason,
        } => app.skip_event(&caller, *consumer, *event, reason, &manner),
        _ => {
            let command = command.to_product().expect("all others are decided above");
            app.execute(caller.user.id, &command, &manner)
        }
    }
}

fn close(store: &Store, by: &str, through: Option<Date>) -> Result<Vec<Closed>, AppError> {
    let app = store.app();
    let caller = caller(&app, by)?;
    Ok(app
        .close(&caller, through.map(BusinessDate::new))?
        .unblocked()?)
}
