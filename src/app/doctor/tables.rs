//! The tables of the consumers: there, of this version, of this log, not far behind; mails that wait.

use std::path::Path;

use crate::app::doctor::stops::{Ahead, Halt};
use crate::app::doctor::{Check, OWN_FILES, counted};
use crate::app::error::in_full;
use crate::app::verify::scratch::Scratch;
use crate::app::{App, AppError};
use crate::consumers::accounting::{first_owed, stop};
use crate::consumers::notifier::{Outlook, Outstanding, outlook};
use crate::consumers::withheld::Withheld;
use crate::domain::dead_letter::Stop;
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::event_log::LogError;
use crate::event_log::head::FORMAT;
use crate::state::{Checkpoint, StateError, StateIndex, sqlite_version};
use crate::store::connecting::duckdb_version;
use crate::store::{Database, StoreError, Tables};

/// A consumer that has not looked for a day has been forgotten.
const FORGOTTEN_SECONDS: i64 = 24 * 60 * 60;

/// What a look at a consumer's file gave.
pub(super) enum Found {
    Nothing,
    OfAnotherVersion,
    UpTo(Checkpoint),
    /// Read up to the checkpoint; from this event on nothing is charged or credited.
    Owing(Checkpoint, Sequence),
    /// An event of the books is set aside; nothing is charged, credited or paid.
    Lacking(Sequence),
    /// An event that it cannot apply, now or ever.
    StoppedBy(Halt),
}

/// Why a consumer's file tells nothing, and what to do.
struct Unreadable {
    detail: String,
    hint: String,
}

impl Unreadable {
    fn because(consumer: Consumer, error: &AppError) -> Unreadable {
        let hint = if is_forbidden(error) {
            OWN_FILES.to_owned()
        } else {
            format!(
                "`popug-cli consume {} --rebuild` makes the tables anew from the log",
                consumer.name()
            )
        };
        Unreadable {
            detail: in_full(error),
            hint,
        }
    }
}

/// Whether the file is there and this account may not read it.
fn is_forbidden(error: &AppError) -> bool {
    let is_denied = |source: &std::io::Error| source.kind() == std::io::ErrorKind::PermissionDenied;
    match error {
        AppError::Store(StoreError::Io { source, .. })
        | AppError::State(StateError::Copy { source, .. }) => is_denied(source),
        AppError::State(error) => error.is_forbidden(),
        _ => false,
    }
}

impl App<'_> {
    /// `head` is `None` if the log cannot be read to its end.
    pub(super) fn table_checks(&self, head: Option<Sequence>) -> Vec<Check> {
        let scratch = match Scratch::new() {
            Ok(scratch) => scratch,
            Err(error) => {
                let hint = "check the directory for temporary files, or name another in TMPDIR";
                return vec![Check::problem("tables", in_full(&error), hint)];
            }
        };
        let ahead = self.index_ahead(scratch.path());
        let (notifier, mails) = match self.outlook(scratch.path(), &ahead) {
            Ok((found, mails)) => (Ok(found), mails),
            Err(error) => (Err(error), None),
        };
        let found = [
            (Consumer::Tracker, self.state_index(scratch.path())),
            (
                Consumer::Accounting,
                self.duckdb(Tables::Accounting, &ahead),
            ),
            (Consumer::Analytics, self.duckdb(Tables::Analytics, &ahead)),
            (Consumer::Notifier, notifier),
        ];
        let mut checks: Vec<Check> = found
            .into_iter()
            .map(|(consumer, found)| {
                let found = found.map(|found| self.looking_ahead(consumer, found, &ahead));
                self.consumer(consumer, found, head)
            })
            .collect();
        checks.extend(self.set_aside_check(scratch.path()));
        checks.extend(mails.map(|outlook| waiting_mails(&outlook.outstanding)));
        checks
    }

    fn state_index(&self, scratch: &Path) -> Result<Found, AppError> {
        let path = self.directory.state_index();
        if !path.exists() {
            return Ok(Found::Nothing);
        }
        let index = StateIndex::open_to_read(&path, scratch, self.lock_wait)?;
        let Some(index) = index else {
            return Ok(Found::OfAnotherVersion);
        };
        index.check_integrity()?;
        Ok(Found::UpTo(index.checkpoint()?))
    }

    /// `None` if the state index, which knows them, cannot be read; that is told of the tracker.
    fn set_aside_check(&self, scratch: &Path) -> Option<Check> {
        let index =
            StateIndex::open_to_read(&self.directory.state_index(), scratch, self.lock_wait)
                .ok()??;
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
            "`popug-cli dlq show {}` tells why; retry it, or let an admin skip it if it is not of the books",
            first.target
        );
        Some(Check::warning("dead-letters", detail, hint))
    }

    fn duckdb(&self, tables: Tables, ahead: &Ahead) -> Result<Found, AppError> {
        let path = self.directory.database(tables);
        if !path.exists() {
            return Ok(Found::Nothing);
        }
        let database = Database::open_to_read(&path, tables, self.lock_wait)?;
        if !database.is_current()? {
            return Ok(Found::OfAnotherVersion);
        }
        database.check_readable()?;
        let checkpoint = database.checkpoint()?;
        match tables {
            Tables::Accounting => self.ledger(&database, checkpoint, ahead),
            Tables::Analytics => Ok(Found::UpTo(checkpoint)),
        }
    }

    fn ledger(
        &self,
        database: &Database,
        checkpoint: Checkpoint,
        ahead: &Ahead,
    ) -> Result<Found, AppError> {
        // What cannot be read of the log is told of the log.
        let withheld = Withheld::of(&self.log, Consumer::Accounting, &ahead.resolutions)
            .unwrap_or_else(|_| Withheld::nothing(Consumer::Accounting));
        if let Some(missing) = withheld.missing_from_the_books() {
            return Ok(Found::Lacking(missing));
        }
        if let Some(stop) = stop(database, &withheld)? {
            return Ok(Found::StoppedBy(Halt::contradiction(stop)));
        }
        let owing = |first| Found::Owing(checkpoint, first);
        Ok(first_owed(database, &withheld)?.map_or(Found::UpTo(checkpoint), owing))
    }

    fn outlook(&self, scratch: &Path, ahead: &Ahead) -> Result<(Found, Option<Outlook>), AppError> {
        if !self.directory.notifier().exists() {
            return Ok((Found::Nothing, None));
        }
        let Some(outlook) = outlook(&self.directory, &self.log, scratch, self.lock_wait)? else {
            return Ok((Found::OfAnotherVersion, None));
        };
        let is_decided = |at| {
            ahead
                .resolutions
                .iter()
                .any(|about| (about.consumer, about.target) == (Consumer::Notifier, at))
        };
        let found = match &outlook.contradiction {
            Some(stop) if !is_decided(stop.sequence) => {
                Found::StoppedBy(Halt::contradiction(stop.clone()))
            }
            _ => Found::UpTo(outlook.checkpoint),
        };
        Ok((found, Some(outlook)))
    }

    fn consumer(
        &self,
        consumer: Consumer,
        found: Result<Found, AppError>,
        head: Option<Sequence>,
    ) -> Check {
        let name = consumer.name();
        match found {
            Ok(Found::UpTo(checkpoint)) => {
                self.standing(consumer, checkpoint, checkpoint.sequence.next(), head)
            }
            Ok(Found::Owing(checkpoint, first)) => self.standing(consumer, checkpoint, first, head),
            Ok(Found::Nothing) => self.standing(consumer, Checkpoint::START, Sequence::FIRST, head),
            Ok(Found::OfAnotherVersion) => Check::warning(
                name,
                "its tables were made by another version of popug-cli",
                format!("`popug-cli consume {name}` makes them anew"),
            ),
            Ok(Found::Lacking(event)) => Check::warning(
                name,
                format!(
                    "event {event} of the books is set aside, and nothing is charged, credited or paid"
                ),
                format!(
                    "`popug-cli dlq show {event}` tells why; \
                     `popug-cli dlq retry {event} --consumer accounting --reason TEXT` lets the books go on"
                ),
            ),
            Ok(Found::StoppedBy(halt)) => {
                let Stop { sequence, reason } = &halt.stop;
                Check::problem(
                    name,
                    format!("it stops at event {sequence}: {reason}"),
                    halt.hint(consumer),
                )
            }
            Err(error) => {
                let Unreadable { detail, hint } = Unreadable::because(consumer, &error);
                Check::problem(name, detail, hint)
            }
        }
    }

    /// How far behind the head a consumer is that `first` comes next for, if its checkpoint is of this log at all.
    fn standing(
        &self,
        consumer: Consumer,
        checkpoint: Checkpoint,
        first: Sequence,
        head: Option<Sequence>,
    ) -> Check {
        let (name, at) = (consumer.name(), checkpoint.sequence);
        match (self.log.read_after(at, &checkpoint.hash), head) {
            (Err(LogError::NotOnChain { .. }), _) => Check::problem(
                name,
                format!(
                    "it has read up to event {at} of another log, or of one that was rolled back"
                ),
                format!("`popug-cli consume {name} --rebuild` makes its tables anew from this log"),
            ),
            (Ok(_), Some(head)) if first > head => Check::ok(name, "at the head"),
            (Ok(_), Some(head)) => self.lag(consumer, first, head),
            (Err(_), _) | (_, None) => Check::warning(
                name,
                format!("at event {at}; the log could not be read on from there"),
                "see log above",
            ),
        }
    }

    fn lag(&self, consumer: Consumer, first: Sequence, head: Sequence) -> Check {
        let name = consumer.name();
        let Ok(Ok(since)) = self.log.line(first).map(|line| line.line().event_time()) else {
            return Check::warning(
                name,
                format!("event {first} cannot be read"),
                "see log above",
            );
        };
        let seconds = since.micros_until(self.environment.now()).max(0) / 1_000_000;
        let behind = counted(head.next().0.saturating_sub(first.0), "event", "events");
        let detail = format!("{behind} behind, the oldest of {since}");
        // Whoever needs the index brings it to the head himself.
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
            "`popug-cli mail list` tells which and `popug-cli mail retry ID` tries again",
        );
    }
    if *retrying > 0 {
        return Check::warning(
            NAME,
            detail,
            "`popug-cli mail list` tells why; `popug-cli consume notifier` tries again",
        );
    }
    Check::ok(NAME, detail)
}

/// Of the program and of what its files are written by.
pub fn versions() -> Check {
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
            "DuckDB does not work here: install popug-cli anew",
        ),
        Err(other) => Check::problem("versions", in_full(&other), "install popug-cli anew"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_file_that_may_not_be_read_is_no_damaged_one() {
        let denied = || std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let path = PathBuf::from("accounting.duckdb");
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
            let told = Unreadable::because(Consumer::Accounting, &error);
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
        let told = Unreadable::because(Consumer::Accounting, &damaged);
        assert!(
            told.hint.contains("popug-cli consume accounting --rebuild"),
            "{}",
            told.hint
        );
    }
}
