//! Decides a whole file: each row on the state after the rows before it.

mod faults;
mod people;

use std::rc::Rc;

use crate::app::command::{Command, hash};
use crate::app::import::columns::Column;
use crate::app::import::csv_file::{CsvFile, CsvRow};
use crate::app::import::fault::Fault;
use crate::app::import::obstacle::Obstacles;
use crate::app::import::past::{Past, Point};
use crate::app::import::row::{self, Action, Request, Rows};
use crate::app::import::{ImportKind, ImportSummary, cannot_keep};
use crate::app::timed_commands::{BatchDecider, Timed, is_group};
use crate::app::{App, AppError};
use crate::consumers::accounting::CloseRequest;
use crate::domain::event::Subject;
use crate::domain::id::Sequence;
use crate::domain::rejection::Rejection;
use crate::domain::role::Right;
use crate::domain::task::{Add, Task};
use crate::domain::time::EventTime;
use crate::domain::user::{Deactivate, Register, SetRole, User};
use crate::event_log::{Batch, Hash, Stored, Unplaced};
use crate::files::spool::Spool;
use crate::state::{StateError, StateIndex, TaskName};
use faults::also;
use people::People;

/// The number of rows between two calls of `progress`.
const PROGRESS_ROWS: u64 = 1_000;

/// The work of an import, in order.
pub(super) enum Work {
    /// The next lines of [`Plan::batches`].
    Append(Stored),
    Close(EventTime, CloseRequest),
}

pub(super) struct Plan {
    pub work: Vec<Work>,
    /// The decided batches of a file may not fit into memory.
    pub batches: Spool,
    pub summary: ImportSummary,
}

/// Why a row was not decided.
enum Trouble {
    /// The row may have more faults than these.
    Bad(Vec<Fault>),
    /// Another row had its key. Its other faults are not looked for.
    Reused(Fault),
    Stop(AppError),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Trouble {
        Trouble::Bad(vec![fault])
    }
}

impl From<Rejection> for Trouble {
    fn from(rejection: Rejection) -> Trouble {
        Fault::from_rejection(&rejection).into()
    }
}

impl From<AppError> for Trouble {
    fn from(error: AppError) -> Trouble {
        match error {
            AppError::Rejected(rejection) => rejection.into(),
            other => Trouble::Stop(other),
        }
    }
}

impl From<StateError> for Trouble {
    fn from(error: StateError) -> Trouble {
        Trouble::Stop(error.into())
    }
}

pub(super) struct Planner<'a, 'e> {
    app: &'a App<'e>,
    index: &'a StateIndex,
    csv_file: &'a CsvFile,
    decider: BatchDecider<'a>,
    importer: Rc<User>,
    people: People<'a>,
    rows: Rows,
    now: EventTime,
    /// The time of every row, if the file has no times.
    at_once: Option<EventTime>,
    /// The time of the log's last event when the import began.
    last: Option<EventTime>,
    /// The time of the last new row; the next one is not earlier.
    reached: Option<EventTime>,
    /// The last event of the last row that an earlier run appended.
    passed: Sequence,
    /// An earlier run decided the rows before this line, unless they were inserted later.
    passed_line: u64,
    past: Option<Past>,
    obstacles: Obstacles<'a>,
    /// The last decided batches.
    group: Unplaced,
    plan: Plan,
}

impl<'a, 'e> Planner<'a, 'e> {
    pub(super) fn new(
        app: &'a App<'e>,
        index: &'a StateIndex,
        csv_file: &'a CsvFile,
        importer: User,
        decider: BatchDecider<'a>,
        last: Option<EventTime>,
        batches: Spool,
    ) -> Planner<'a, 'e> {
        Planner {
            app,
            index,
            csv_file,
            decider,
            importer: Rc::new(importer),
            people: People::new(index),
            rows: Rows::default(),
            now: app.environment.now(),
            at_once: None,
            last,
            reached: None,
            passed: Sequence::ZERO,
            passed_line: 0,
            past: None,
            obstacles: Obstacles::new(&app.log, index),
            group: Unplaced::default(),
            plan: Plan {
                work: Vec::new(),
                batches,
                summary: ImportSummary {
                    rows: csv_file.count + csv_file.malformed.len() as u64,
                    ..ImportSummary::default()
                },
            },
        }
    }

    /// Every row happens at `at`.
    pub(super) fn at_once(&mut self, at: EventTime) {
        self.at_once = Some(at);
    }

    /// Decides all rows; a bad one leaves the state unchanged.
    ///
    /// # Errors
    /// An error that is not the fault of a row.
    pub(super) fn decide_all(
        mut self,
        kind: ImportKind,
        progress: &dyn Fn(u64),
    ) -> Result<(Plan, BatchDecider<'a>), AppError> {
        let csv_file = self.csv_file;
        if kind == ImportKind::Activity {
            self.passed_line = self.find_passed_line(kind)?;
        }
        for (row, done) in csv_file.rows()?.zip(1..) {
            let row = row?;
            let faults = match self.decide(kind, &row) {
                Ok(()) => Vec::new(),
                Err(Trouble::Bad(faults)) => self.all_faults(kind, &row, faults)?,
                Err(Trouble::Reused(fault)) => vec![fault],
                Err(Trouble::Stop(error)) => return Err(error),
            };
            if !faults.is_empty() {
                self.plan.summary.rejected.push(row.rejected(faults));
            }
            if done % PROGRESS_ROWS == 0 {
                progress(done);
            }
        }
        self.store_group()?;
        progress(self.plan.summary.rows);
        self.plan
            .summary
            .rejected
            .extend(csv_file.malformed.iter().cloned());
        self.plan.summary.rejected.sort_by_key(|row| row.line);
        Ok((self.plan, self.decider))
    }

    fn decide(&mut self, kind: ImportKind, row: &CsvRow) -> Result<(), Trouble> {
        let request = self
            .rows
            .request(kind, self.csv_file, row)
            .map_err(Trouble::Bad)?;
        if request.action == Action::Close {
            return self.close(&request, row);
        }
        let (actor, command) = self.read_command(&request, row)?;
        let hash = hash(&command, actor.id);
        if self.is_replayed(kind, &request, hash)? {
            self.plan.summary.replayed += 1;
            return Ok(());
        }
        if self.had_no_effect(&request, &command)? {
            self.plan.summary.skipped += 1;
            return Ok(());
        }
        let mut dice = self.app.environment.dice(&request.row_key);
        let at = match self.time_of(&request) {
            Ok(at) => at,
            Err(Trouble::Bad(late)) => {
                let timed = Timed {
                    at: self.now,
                    actor: &actor,
                    command: &command,
                    key: None,
                };
                return Err(also(self.decider.check(&timed, dice.as_mut()), late)?);
            }
            Err(other) => return Err(other),
        };
        let timed = Timed {
            at,
            actor: &actor,
            command: &command,
            key: Some((&request.row_key, hash)),
        };
        match self.decider.decide(&timed, dice.as_mut())? {
            Some(batch) => self.carry_out(&batch)?,
            None => self.plan.summary.skipped += 1,
        }
        Ok(())
    }

    /// Whether the row's key is known, with the same content.
    fn is_replayed(
        &mut self,
        kind: ImportKind,
        request: &Request,
        hash: Hash,
    ) -> Result<bool, Trouble> {
        let Some(given) = self.index.given_command(&request.row_key)? else {
            return Ok(false);
        };
        if given.command_hash != hash {
            let column = key_column(kind);
            let reason = format!(
                "event {} was imported from a row with this {column} and other content",
                given.first
            );
            return Err(Trouble::Reused(Fault { column, reason }));
        }
        self.passed = self.passed.max(Sequence(given.first.0 + given.events - 1));
        Ok(true)
    }

    fn carry_out(&mut self, batch: &Batch) -> Result<(), AppError> {
        if matches!(batch.facts[0].event.subject(), Subject::User(_)) {
            self.people.forget();
        }
        self.reached = Some(batch.time);
        self.plan.summary.imported += 1;
        self.plan.summary.appended_events += batch.facts.len() as u64;
        self.group.push(batch)?;
        if is_group(&self.group) {
            self.store_group()?;
        }
        Ok(())
    }

    fn store_group(&mut self) -> Result<(), AppError> {
        if !self.group.is_empty() {
            let batches = &mut self.plan.batches;
            let cannot_keep = cannot_keep(batches);
            let stored = self.group.store(batches).map_err(cannot_keep)?;
            self.plan.work.push(Work::Append(stored));
        }
        Ok(())
    }

    fn close(&mut self, request: &Request, row: &CsvRow) -> Result<(), Trouble> {
        let actor = self.actor(row)?;
        if self.is_passed(request) {
            self.plan.summary.skipped += 1;
            return Ok(());
        }
        let (at, allowed) = (self.time_of(request), actor.require(Right::Close));
        let at = match (at, allowed) {
            (at, Ok(())) => at?,
            (Err(Trouble::Bad(late)), Err(refused)) => {
                return Err(also(Err(refused.into()), late)?);
            }
            (_, Err(refused)) => return Err(refused.into()),
        };
        let close = CloseRequest {
            by: actor.id,
            through: None,
            imported: Some(request.row_key.clone()),
        };
        self.reached = Some(at);
        self.plan.summary.imported += 1;
        self.store_group()?;
        self.plan.work.push(Work::Close(at, close));
        Ok(())
    }

    /// Whether an earlier run, if there was one, has decided the row.
    fn is_passed(&self, request: &Request) -> bool {
        request.at.is_some() && (request.at < self.last || request.line < self.passed_line)
    }

    /// The last row with the time of the log's last event whose events are in the log: for rows of
    /// that time, times do not show how far an earlier run came.
    fn find_passed_line(&self, kind: ImportKind) -> Result<u64, AppError> {
        let (mut rows, mut passed) = (Rows::default(), 0);
        for row in self.csv_file.rows()? {
            let row = row?;
            if row::time_of(self.csv_file, &row) == self.last
                && let Ok(request) = rows.request(kind, self.csv_file, &row)
                && self.index.given_command(&request.row_key)?.is_some()
            {
                passed = row.line;
            }
        }
        Ok(passed)
    }

    /// The time of a new row.
    fn time_of(&mut self, request: &Request) -> Result<EventTime, Trouble> {
        let Some(at) = request.at else {
            return Ok(self.at_once.expect("a file without times happens at once"));
        };
        match self.time_fault(at)? {
            Some(fault) => Err(fault.into()),
            None => Ok(at),
        }
    }

    /// Whether an earlier run decided the row without effect at its point in history.
    fn had_no_effect(&mut self, request: &Request, command: &Command) -> Result<bool, Trouble> {
        let (Command::SetRole { user, .. } | Command::DeactivateUser { user, .. }) = command else {
            return Ok(false);
        };
        let Some(at) = request.at.filter(|_| self.is_passed(request)) else {
            return Ok(false);
        };
        let Some(user) = self.index.user_named(user)? else {
            return Ok(false);
        };
        let past = match &mut self.past {
            Some(past) => past,
            unread => unread.insert(Past::read(&self.app.log)?),
        };
        Ok(past.had_no_effect(
            command,
            user.id,
            Point {
                at,
                passed: self.passed,
            },
        ))
    }

    fn cell<'r>(&'r self, row: &'r CsvRow, column: Column) -> &'r str {
        self.csv_file.cell(&row.record, column)
    }

    fn read_command(
        &mut self,
        request: &Request,
        row: &CsvRow,
    ) -> Result<(Rc<User>, Command), Trouble> {
        if request.action == Action::Complete {
            return self.completion(row);
        }
        let actor = self.actor(row)?;
        let text = |column| self.cell(row, column).to_owned();
        let optional = |column| Some(text(column)).filter(|text| !text.is_empty());
        let command = match request.action {
            Action::Register => Command::RegisterUser(Register {
                login: text(Column::Login),
                full_name: text(Column::Name),
                email: text(Column::Email),
                role: text(Column::Role),
            }),
            Action::SetRole => Command::SetRole {
                user: text(Column::Login),
                change: SetRole {
                    role: text(Column::Role),
                },
            },
            Action::Deactivate => Command::DeactivateUser {
                user: text(Column::Login),
                change: Deactivate {
                    reason: None,
                    keep_tasks: false,
                },
            },
            Action::Create => Command::AddTask(Add::new(
                text(Column::Title),
                optional(Column::JiraId),
                optional(Column::Description),
            )),
            Action::Reshuffle => Command::Reshuffle,
            Action::Complete | Action::Close => unreachable!("handled before"),
        };
        Ok((actor, command))
    }

    fn actor(&mut self, row: &CsvRow) -> Result<Rc<User>, Trouble> {
        let name = self.csv_file.cell(&row.record, Column::Actor);
        if name.is_empty() {
            let importer = self.importer.id;
            return self.people.by_id(importer);
        }
        self.people.named(name)
    }

    fn completion(&mut self, row: &CsvRow) -> Result<(Rc<User>, Command), Trouble> {
        let task = self.task(self.csv_file.cell(&row.record, Column::Key))?;
        let is_holder = self.cell(row, Column::Actor).is_empty();
        let actor = if is_holder {
            self.people.by_id(task.assignee)?
        } else {
            self.actor(row)?
        };
        Ok((
            actor,
            Command::CompleteTasks {
                tasks: vec![task.number.to_string()],
            },
        ))
    }

    /// The task that an import created under a foreign id.
    fn task(&self, foreign_id: &str) -> Result<Task, Trouble> {
        if foreign_id.is_empty() {
            return Err(Fault::of(
                Column::Key,
                "the key is empty; it tells which task is completed",
            )
            .into());
        }
        let given = self.index.given_command(&row::create_key(foreign_id))?;
        let tasks = match given.and_then(|given| given.task_number) {
            Some(number) => self.index.tasks_named(&TaskName::Number(number))?,
            None => Vec::new(),
        };
        let task = tasks.into_iter().next();
        Ok(task.ok_or_else(|| Rejection::UnknownTask {
            name: foreign_id.to_owned(),
        })?)
    }
}

/// The column from which the key of a row is made.
const fn key_column(kind: ImportKind) -> &'static str {
    match kind {
        ImportKind::Users => Column::Login.name(),
        ImportKind::Tasks | ImportKind::Activity => Column::Key.name(),
    }
}
