//! Checks the consumers' tables: whether they exist, belong to this version and this log, and are
//! not far behind. Also checks dead letters and waiting mails.

use std::path::{Path, PathBuf};

use crate::app::doctor::files::hint_of_denied;
use crate::app::doctor::index_ahead::{Ahead, index_ahead};
use crate::app::doctor::{Check, counted};
use crate::app::error::in_full;
use crate::app::status::OpenDates;
use crate::app::verify::scratch::Scratch;
use crate::app::{App, AppError};
use crate::consumers::ConsumeError;
use crate::consumers::common_tables::last_closed_date;
use crate::consumers::notifier::{Outlook, Outstanding, outlook};
use crate::consumers::standing::{Obstacle, Standing};
use crate::consumers::table_file::consumer_of;
use crate::consumers::withheld::Withheld;
use crate::domain::company::Company;
use crate::domain::dead_letter::Stop;
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::event_log::head::FORMAT;
use crate::state::{Checkpoint, Resolution, StateError, StateIndex, sqlite_version};
use crate::store::connecting::duckdb_version;
use crate::store::{Database, StoreDirectory, StoreError, Tables};

/// A consumer with a longer lag probably has no cron job.
const FORGOTTEN_SECONDS: i64 = 24 * 60 * 60;

/// A date that waits longer for its close probably has no cron job.
const NIGHTLY_SECONDS: u64 = 26 * 60 * 60;

/// Why a consumer's file cannot be read, and the remedy.
struct Unreadable {
    detail: String,
    hint: String,
}

impl Unreadable {
    fn because(consumer: Consumer, error: &AppError, store: &StoreDirectory) -> Unreadable {
        let hint = if is_forbidden(error) {
            hint_of_denied(store)
        } else {
            format!(
                "`popug-cli consume {} --rebuild` rebuilds the tables from the log",
                consumer.name()
            )
        };
        Unreadable {
            detail: in_full(error),
            hint,
        }
    }
}

fn of_another_version(consumer: Consumer, path: PathBuf) -> AppError {
    ConsumeError::OtherVersion { consumer, path }.into()
}

/// Whether the file exists and this account may not read it.
fn is_forbidden(error: &AppError) -> bool {
    let is_denied = |source: &std::io::Error| source.kind() == std::io::ErrorKind::PermissionDenied;
    match error {
        AppError::Store(StoreError::Io { source, .. })
        | AppError::State(StateError::Copy { source, .. }) => is_denied(source),
        AppError::State(error) => error.is_forbidden(),
        _ => false,
    }
}

/// The tables of a store, read without changing them.
struct TableChecks<'a> {
    app: &'a App<'a>,
    /// A directory for copies.
    scratch: &'a Path,
    /// `None` if the log cannot be read to its end.
    head: Option<Sequence>,
    /// Every decision about a dead letter, as of the head.
    resolutions: Vec<Resolution>,
    /// Whether the index stops before the head, so that no command works.
    stops_all: bool,
}

/// `head` is `None` if the log cannot be read to its end.
pub(super) fn checks(
    app: &App<'_>,
    head: Option<Sequence>,
    company: Option<&Company>,
) -> Vec<Check> {
    let scratch = match Scratch::new() {
        Ok(scratch) => scratch,
        Err(error) => {
            let hint = "check the directory for temporary files, or name another in TMPDIR";
            return vec![Check::problem("tables", in_full(&error), hint)];
        }
    };
    let Ahead {
        resolutions,
        obstacle,
    } = index_ahead(app, scratch.path());
    let looking = TableChecks {
        app,
        scratch: scratch.path(),
        head,
        resolutions,
        stops_all: obstacle.is_some(),
    };
    let (notifier, mails) = match looking.outlook() {
        Ok((standing, mails)) => (Ok(standing), mails),
        Err(error) => (Err(error), None),
    };
    let mut checks = vec![
        looking.consumer(Consumer::Tracker, looking.state_index(obstacle)),
        looking.consumer(Consumer::Accounting, looking.duckdb(Tables::Accounting)),
        looking.consumer(Consumer::Analytics, looking.duckdb(Tables::Analytics)),
        looking.consumer(Consumer::Notifier, notifier),
    ];
    checks.extend(company.and_then(|company| looking.closes(company)));
    checks.extend(looking.set_aside());
    checks.extend(mails.map(|outlook| waiting_mails(&outlook.outstanding)));
    checks
}

impl TableChecks<'_> {
    fn open_index(&self) -> Result<Option<StateIndex>, StateError> {
        let path = self.app.directory.state_index();
        StateIndex::open_to_read(&path, self.scratch, self.app.lock_wait)
    }

    fn state_index(&self, obstacle: Option<Obstacle>) -> Result<Standing, AppError> {
        let (consumer, path) = (Consumer::Tracker, self.app.directory.state_index());
        let mut checkpoint = Checkpoint::START;
        if path.exists() {
            let index = self
                .open_index()?
                .ok_or_else(|| of_another_version(consumer, path))?;
            index.check_integrity()?;
            checkpoint = index.checkpoint()?;
        }
        Ok(Standing::at(consumer, checkpoint).stopped_by(obstacle))
    }

    /// The dates that wait for their close; `None` if the tables cannot be read, which the check of
    /// accounting reports.
    fn closes(&self, company: &Company) -> Option<Check> {
        const NAME: &str = "closes";
        let path = self.app.directory.database(Tables::Accounting);
        let mut last_closed = None;
        if path.exists() {
            let database =
                Database::open_to_read(&path, Tables::Accounting, self.app.lock_wait).ok()?;
            last_closed = last_closed_date(database.connection()).ok()?;
        }
        let open = OpenDates::at(company, last_closed, self.app.environment.now());
        let closed = last_closed.map_or_else(|| "no date".to_owned(), |date| date.to_string());
        let waiting = counted(open.count, "date waits", "dates wait");
        let detail = format!("closed up to {closed}; {waiting} for a close");
        if open.age_seconds <= NIGHTLY_SECONDS {
            return Some(Check::ok(NAME, detail));
        }
        let hint = "`popug-cli close` closes and pays them; is there a cron job for it?";
        Some(Check::warning(NAME, detail, hint))
    }

    /// The check of the dead letters; `None` if the state index cannot be read, which the check of
    /// the tracker reports.
    fn set_aside(&self) -> Option<Check> {
        let index = self.open_index().ok()??;
        let set_aside = index.set_aside().ok()?;
        let Some(first) = set_aside.first() else {
            return Some(Check::ok("dead-letters", "nothing is set aside"));
        };
        let detail = format!(
            "{} set aside, first event {} for {}",
            counted(set_aside.len() as u64, "event is", "events are"),
            first.target,
            first.consumer.name()
        );
        let hint = format!(
            "`popug-cli dlq show {}` shows why; retry it, or let an admin skip it if it is not of the books",
            first.target
        );
        Some(Check::warning("dead-letters", detail, hint))
    }

    fn duckdb(&self, tables: Tables) -> Result<Standing, AppError> {
        let (consumer, path) = (consumer_of(tables), self.app.directory.database(tables));
        if !path.exists() {
            return Ok(Standing::at(consumer, Checkpoint::START));
        }
        let database = Database::open_to_read(&path, tables, self.app.lock_wait)?;
        if !database.is_current()? {
            return Err(of_another_version(consumer, path));
        }
        database.check_readable()?;
        let withheld = self.withheld(consumer);
        Ok(Standing::of_tables(&database, &withheld)?)
    }

    /// The events that a consumer leaves out. The check of the log reports unreadable ones.
    fn withheld(&self, consumer: Consumer) -> Withheld {
        Withheld::of(&self.app.log, consumer, &self.resolutions)
            .unwrap_or_else(|_| Withheld::nothing(consumer))
    }

    fn outlook(&self) -> Result<(Standing, Option<Outlook>), AppError> {
        let (app, consumer) = (self.app, Consumer::Notifier);
        let path = app.directory.notifier();
        if !path.exists() {
            return Ok((Standing::at(consumer, Checkpoint::START), None));
        }
        let outlook = outlook(&app.directory, &app.log, self.scratch, app.lock_wait)?
            .ok_or_else(|| of_another_version(consumer, path))?;
        let withheld = self.withheld(consumer);
        let stop = outlook.contradiction.clone();
        let stop = stop.filter(|stop| !withheld.is_decided(stop.sequence));
        let standing = Standing::at(consumer, outlook.checkpoint)
            .stopped_by(stop.map(Obstacle::Contradiction));
        Ok((standing, Some(outlook)))
    }

    fn consumer(&self, consumer: Consumer, found: Result<Standing, AppError>) -> Check {
        let name = consumer.name();
        let mut standing = match found {
            Ok(standing) => standing,
            Err(AppError::Consume(ConsumeError::OtherVersion { .. })) => {
                return Check::warning(
                    name,
                    "its tables were made by another version of popug-cli",
                    format!("`popug-cli consume {name}` rebuilds them"),
                );
            }
            Err(error) => {
                let Unreadable { detail, hint } =
                    Unreadable::because(consumer, &error, &self.app.directory);
                return Check::problem(name, detail, hint);
            }
        };
        // The index was brought to the head already, in a copy.
        if consumer != Consumer::Tracker {
            // The checks of the log and of the checkpoint report an unreadable log.
            let _ = standing.look_ahead(&self.app.log, &self.withheld(consumer), usize::MAX);
        }
        match &standing.obstacle {
            None => self.progress(&standing),
            Some(obstacle @ Obstacle::MissingFromTheBooks(event)) => Check::warning(
                name,
                format!(
                    "event {event} of the books is set aside, and nothing is charged, credited or paid"
                ),
                obstacle.remedy(consumer),
            ),
            Some(obstacle) => {
                let Stop { sequence, reason } = obstacle.stop();
                let hint = if self.stops_all && consumer != Consumer::Tracker {
                    "see tracker above".to_owned()
                } else {
                    obstacle.remedy(consumer)
                };
                Check::problem(
                    name,
                    format!("it stops at event {sequence}: {reason}"),
                    hint,
                )
            }
        }
    }

    /// The lag of a consumer, if its checkpoint belongs to this log.
    fn progress(&self, standing: &Standing) -> Check {
        let (name, at) = (standing.consumer.name(), standing.checkpoint.sequence);
        match (standing.checkpoint.is_of(&self.app.log), self.head) {
            (Ok(false), _) => Check::problem(
                name,
                format!(
                    "it has read up to event {at} of another log, or of one that was rolled back"
                ),
                format!("`popug-cli consume {name} --rebuild` rebuilds its tables from this log"),
            ),
            (Ok(true), Some(head)) if standing.through >= head => Check::ok(name, "at the head"),
            (Ok(true), Some(head)) => self.lag(standing.consumer, standing.through.next(), head),
            (Err(_), _) | (_, None) => Check::warning(
                name,
                format!("at event {at}; the log could not be read on from there"),
                "see log above",
            ),
        }
    }

    fn lag(&self, consumer: Consumer, first: Sequence, head: Sequence) -> Check {
        let name = consumer.name();
        let Ok(Ok(since)) = self
            .app
            .log
            .line(first)
            .map(|line| line.line().event_time())
        else {
            return Check::warning(
                name,
                format!("event {first} cannot be read"),
                "see log above",
            );
        };
        let seconds = since.micros_until(self.app.environment.now()).max(0) / 1_000_000;
        let behind = counted(head.next().0.saturating_sub(first.0), "event", "events");
        let detail = format!("{behind} behind, the oldest of {since}");
        // Every command that needs the index brings it to the head.
        if consumer == Consumer::Tracker || seconds < FORGOTTEN_SECONDS {
            return Check::ok(name, detail);
        }
        Check::warning(
            name,
            detail,
            format!("`popug-cli consume {name}` catches up; is there a cron job for it?"),
        )
    }
}

fn waiting_mails(mails: &Outstanding) -> Check {
    const NAME: &str = "mails";
    let Outstanding {
        untried,
        retrying,
        failed,
        ..
    } = mails;
    let next = mails
        .next_try
        .map_or_else(String::new, |at| format!(", next at {at}"));
    let error = mails
        .failed_because
        .as_deref()
        .or(mails.retried_because.as_deref())
        .map_or_else(String::new, |error| format!("; {error}"));
    let detail =
        format!("{untried} to be sent, {retrying} to be tried again{next}, {failed} failed{error}");
    if *failed > 0 {
        return Check::warning(
            NAME,
            detail,
            "`popug-cli mail list` shows which and `popug-cli mail retry ID` tries again",
        );
    }
    if *retrying > 0 {
        return Check::warning(
            NAME,
            detail,
            "`popug-cli mail list` shows why; `popug-cli consume notifier` tries again",
        );
    }
    Check::ok(NAME, detail)
}

/// The versions of the program, of its file formats and of its engines.
pub(super) fn versions() -> Check {
    let versions = |duckdb: String| {
        let (program, accounting, analytics) = (
            env!("CARGO_PKG_VERSION"),
            Tables::Accounting.code_version(),
            Tables::Analytics.code_version(),
        );
        format!(
            "popug-cli {program}, log {FORMAT}, tables of accounting {accounting}, of analytics {analytics}, \
             DuckDB {duckdb}, SQLite {}",
            sqlite_version()
        )
    };
    match duckdb_version() {
        Ok(duckdb) => Check::ok("versions", versions(duckdb)),
        Err(error @ (StoreError::DuckDb { .. } | StoreError::Io { .. })) => Check::problem(
            "versions",
            in_full(&error),
            "DuckDB does not work here: install popug-cli again",
        ),
        Err(other) => Check::problem("versions", in_full(&other), "install popug-cli again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_may_not_be_read_is_no_damaged_one() {
        let denied = || std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let path = PathBuf::from("accounting.duckdb");
        let store = StoreDirectory::new("/nowhere");
        let of_duckdb = AppError::Store(StoreError::Io {
            action: "open",
            path: path.clone(),
            source: denied(),
        });
        let of_sqlite = AppError::State(StateError::Copy {
            path: path.clone(),
            source: denied(),
        });
        for error in [of_duckdb, of_sqlite] {
            let told = Unreadable::because(Consumer::Accounting, &error, &store);
            assert!(
                told.hint.contains("chmod") && !told.hint.contains("consume"),
                "{}",
                told.hint
            );
        }
        let damaged = AppError::Store(StoreError::Damaged {
            path,
            reason: "torn".into(),
        });
        let told = Unreadable::because(Consumer::Accounting, &damaged, &store);
        assert!(
            told.hint.contains("popug-cli consume accounting --rebuild"),
            "{}",
            told.hint
        );
    }
}
