//! Imports CSV files: users, tasks, and the whole history of another tracker.
//!
//! `csv_file` reads the file with `records`, `encoding` and `columns`. `row` parses the command and
//! the idempotency key of a row. `plan` decides every row before anything is appended. Keys follow
//! from the contents of rows, so a file can be imported again, whole or extended, after a kill or
//! by mistake.
//!
//! Invariant: the events of a row do not depend on which rows an earlier run appended.

mod columns;
mod csv_file;
mod encoding;
mod fault;
mod obstacle;
mod past;
mod plan;
mod records;
mod row;
#[cfg(test)]
mod tests;

use std::io::{self, Read, Write};

use csv::StringRecord;

use crate::app::identity::Caller;
use crate::app::timed_commands::{BatchAppender, BatchDecider, HistoryClock};
use crate::app::{App, AppError};
use crate::consumers::accounting::Accounting;
use crate::domain::IMPORT_KEY_PREFIX;
use crate::domain::id::Sequence;
use crate::domain::role::Right;
use crate::domain::time::BusinessDate;
use crate::event_log::{FileLog, LogError};
use crate::files::spool::Spool;
use crate::state::StateError;
use crate::turn::clock::stamp;
use crate::turn::index::index_at_head;
pub use columns::Reading;
use csv_file::CsvFile;
pub use fault::Fault;
use plan::{Plan, Planner, Work};

/// The kind of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ImportKind {
    /// `login,name,email,role`
    Users,
    /// `key,title,jira_id,description`
    Tasks,
    /// `at,action,key,actor,login,name,email,role,title,jira_id,description`
    Activity,
}

/// How to handle bad rows.
pub enum OnError<'o> {
    /// Nothing is imported.
    Refuse,
    /// The other rows are imported; the bad ones are written to `rejects` with line, column and
    /// reason.
    Skip { rejects: Option<&'o mut dyn Write> },
}

pub struct ImportOptions<'o, 'r> {
    pub on_error: OnError<'o>,
    pub reading: Reading,
    /// Gets a note on how the file was read, if its form is unusual.
    pub remark: &'r dyn Fn(&str),
}

impl<'o> ImportOptions<'o, '_> {
    /// With our own column names, and without notes.
    pub fn new(on_error: OnError<'o>) -> Self {
        ImportOptions {
            on_error,
            reading: Reading::default(),
            remark: &|_| (),
        }
    }
}

/// A row that cannot be imported.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadRow {
    /// The line in which the row begins, counted from 1.
    pub line: u64,
    /// All faults of the row, at least one.
    pub faults: Vec<Fault>,
    /// The row as in the file.
    pub record: StringRecord,
}

/// Why nothing was imported, or not all.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file as a whole is no CSV of this kind.
    #[error("{reason}")]
    BadCsv { reason: String, hints: Vec<String> },
    /// Nothing was imported, because these rows cannot be.
    #[error("{} of {rows} rows cannot be imported; nothing was", bad.len())]
    BadRows { bad: Vec<BadRow>, rows: u64 },
    /// It failed before it appended anything.
    #[error("no row was imported")]
    NotBegun { source: AppError },
    /// It failed midway. What is in the log stays, and the same import goes on behind it.
    #[error("{in_log} of {rows} rows are in the log")]
    Stopped {
        in_log: u64,
        rows: u64,
        source: AppError,
    },
    #[error(transparent)]
    App(AppError),
}

impl<E: Into<AppError>> From<E> for ImportError {
    fn from(error: E) -> ImportError {
        ImportError::App(error.into())
    }
}

/// The result of an import.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ImportSummary {
    /// The rows of the file: the sum of the next three and the rejected ones.
    pub rows: u64,
    /// Rows that were carried out now.
    pub imported: u64,
    /// Rows that an earlier run carried out.
    pub replayed: u64,
    /// Rows that change nothing.
    pub skipped: u64,
    /// The imported rows that closed dates.
    pub closed: u64,
    pub rejected: Vec<BadRow>,
    /// Including those of accounting.
    pub appended_events: u64,
    pub closed_dates: Vec<BusinessDate>,
}

/// Imports by a caller who may import.
pub struct Importer<'a> {
    app: &'a App<'a>,
    caller: &'a Caller,
}

impl App<'_> {
    /// # Errors
    /// The role.
    pub fn importer<'a>(&'a self, caller: &'a Caller) -> Result<Importer<'a>, AppError> {
        caller.require(Right::Administer)?;
        Ok(Importer { app: self, caller })
    }
}

impl Importer<'_> {
    /// Imports a file. `progress` gets the number of decided rows.
    ///
    /// # Errors
    /// [`ImportError::Stopped`]: the same import goes on where it stopped. After any other nothing
    /// is appended.
    pub fn import(
        &self,
        kind: ImportKind,
        input: impl Read,
        options: ImportOptions<'_, '_>,
        progress: &dyn Fn(u64),
    ) -> Result<ImportSummary, ImportError> {
        // Read before any lock is taken, because the input may be a pipe that nobody fills.
        let csv_file = CsvFile::read(kind, &options.reading, input, self.spool())?;
        csv_file
            .remarks()
            .iter()
            .for_each(|remark| (options.remark)(remark));
        let closes = kind == ImportKind::Activity && asks_to_close(&csv_file)?;
        let import = |accounting: Option<&mut Accounting<'_>>| match self
            .import_file(kind, &csv_file, options, accounting, progress)
        {
            Err(ImportError::App(error)) => Err(error),
            ended => Ok(ended),
        };
        if closes {
            self.app
                .with_accounting(|accounting| import(Some(accounting)))?
        } else {
            import(None)?
        }
    }

    fn import_file(
        &self,
        kind: ImportKind,
        csv_file: &CsvFile,
        options: ImportOptions<'_, '_>,
        accounting: Option<&mut Accounting<'_>>,
        progress: &dyn Fn(u64),
    ) -> Result<ImportSummary, ImportError> {
        let app = self.app;
        let history_clock = HistoryClock::new(app.environment.now());
        let mut appender = BatchAppender::open(app, &history_clock, accounting)?;
        let index = index_at_head(&app.around())?;
        let importer = app.actor(&index, self.caller.user.id)?;
        importer.require(Right::Administer)?;
        let head = appender.head();
        let decider = BatchDecider::begin(&index, head)?;
        let mut planner = Planner::new(
            app,
            &index,
            csv_file,
            importer,
            decider,
            appender.last_time(),
            self.spool(),
        );
        if kind != ImportKind::Activity {
            planner.at_once(stamp(appender.last_time(), &app.around())?);
        }
        let (plan, decider) = planner
            .decide_all(kind, progress)
            .map_err(|error| match error {
                full if is_full_disk(&full) => ImportError::NotBegun { source: full },
                other => other.into(),
            })?;
        let Plan {
            work,
            batches,
            summary,
        } = plan;
        let mut summary = without_rejected(csv_file, summary, options.on_error)?;
        match perform(work, &batches, &mut summary, &mut appender, decider) {
            Ok(behind) => {
                behind.iter().for_each(|error| app.did_not_follow(error));
                Ok(summary)
            }
            Err(error) if app.log.is_draft() => Err(error.into()),
            Err(error) => {
                drop(appender);
                app.settle_after(&error);
                Err(self.stopped(&summary, head.sequence, error))
            }
        }
    }

    /// A place for rows or events that wait for their turn.
    fn spool(&self) -> Spool {
        Spool::in_directory(self.app.directory.place())
    }

    /// The error of an import that stopped midway, once the end of the log is settled.
    fn stopped(&self, summary: &ImportSummary, began: Sequence, source: AppError) -> ImportError {
        let rows = summary.rows;
        match appended_rows(&self.app.log, began) {
            Ok(appended) => ImportError::Stopped {
                in_log: summary.replayed + summary.skipped + summary.closed + appended,
                rows,
                source,
            },
            Err(_) => source.into(),
        }
    }
}

/// Whether any row closes dates.
fn asks_to_close(csv_file: &CsvFile) -> Result<bool, AppError> {
    for row in csv_file.rows()? {
        if row::asks_to_close(csv_file, &row?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The number of rows whose batches are after `began`, without rows that close dates, which append
/// several batches or none.
fn appended_rows(log: &FileLog, began: Sequence) -> Result<u64, LogError> {
    let mut rows = 0;
    log.for_each(began.next(), &mut |line| {
        let key = line.command_id();
        let row = key.strip_prefix(IMPORT_KEY_PREFIX);
        let is_row = row.is_some_and(|row| !row.starts_with("close/"));
        rows += u64::from(is_row && line.more == 0);
        Ok(())
    })?;
    Ok(rows)
}

/// # Errors
/// [`ImportError::BadRows`] unless bad rows are to be skipped.
fn without_rejected(
    csv_file: &CsvFile,
    summary: ImportSummary,
    on_error: OnError<'_>,
) -> Result<ImportSummary, ImportError> {
    match on_error {
        OnError::Refuse if !summary.rejected.is_empty() => Err(ImportError::BadRows {
            rows: summary.rows,
            bad: summary.rejected,
        }),
        OnError::Skip { rejects: Some(to) } => {
            csv_file.write_rejects(&summary.rejected, to)?;
            Ok(summary)
        }
        OnError::Refuse | OnError::Skip { rejects: None } => Ok(summary),
    }
}

/// Appends what was decided. Returns the error of an index that could not follow.
fn perform(
    work: Vec<Work>,
    batches: &Spool,
    summary: &mut ImportSummary,
    appender: &mut BatchAppender<'_, '_, '_>,
    decider: BatchDecider<'_>,
) -> Result<Option<StateError>, AppError> {
    // The events of accounting at a close shift the sequences of later events, so the index has to
    // read them from the log.
    let closes = work.iter().any(|part| matches!(part, Work::Close(..)));
    let decider = if closes { None } else { Some(decider) };
    let mut batches = batches.read_from(0);
    for part in work {
        match part {
            Work::Append(group) => {
                let group = group.load(&mut batches).map_err(unreadable)?;
                appender.append_group(group)?;
            }
            Work::Close(at, request) => {
                let before = appender.appended();
                let closed = appender.close(at, &request)?;
                summary
                    .closed_dates
                    .extend(closed.iter().map(|closed| closed.day.business_date));
                if appender.appended() == before {
                    summary.imported -= 1;
                    summary.skipped += 1;
                } else {
                    summary.closed += 1;
                }
            }
        }
    }
    summary.appended_events = appender.appended();
    // The import has succeeded, even if the index cannot follow.
    Ok(decider.and_then(|decider| decider.commit(appender.head()).err()))
}

/// The error of a spool that cannot be read.
fn unreadable(source: io::Error) -> AppError {
    AppError::Stream {
        action: "read a temporary file",
        source,
    }
}

fn is_full_disk(error: &AppError) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    match error {
        AppError::State(error) => error.is_full_disk(),
        AppError::Io { source, .. } => {
            matches!(source.kind(), FileTooLarge | QuotaExceeded | StorageFull)
        }
        _ => false,
    }
}

/// The error of a spool that cannot be written.
fn cannot_keep(spool: &Spool) -> impl Fn(io::Error) -> AppError + use<> {
    let path = spool.directory().to_owned();
    move |source| AppError::Io {
        action: "write a temporary file in",
        path: path.clone(),
        source,
    }
}
