//! Checks the consumers' files: readable, and made from this log.

use std::path::{Path, PathBuf};

use crate::app::verify::Findings;
use crate::app::verify::scratch::Scratch;
use crate::app::{App, AppError};
use crate::consumers::notifier::MailTables;
use crate::consumers::table_file::consumer_of;
use crate::domain::event::Consumer;
use crate::event_log::LogError;
use crate::state::{Checkpoint, StateError, StateIndex};
use crate::store::write_ahead::is_mark_of_checkpoint;
use crate::store::{Database, StoreError, Tables};

/// The files that can be compared with a rebuild, and the last event of each.
pub(super) struct LiveFiles {
    pub accounting: Option<(Database, Checkpoint)>,
    pub analytics: Option<(Database, Checkpoint)>,
    pub state: Option<(StateIndex, Checkpoint)>,
    pub mails: Option<(MailTables, Checkpoint)>,
}

impl App<'_> {
    /// Checks all files; if `deep`, every byte of them is read.
    pub(super) fn check_checkpoints(
        &self,
        deep: bool,
        scratch: &Scratch,
        findings: &mut Findings,
    ) -> Result<LiveFiles, AppError> {
        Ok(LiveFiles {
            state: self.state_file(deep, scratch, findings)?,
            accounting: self.duckdb_file(deep, Tables::Accounting, scratch, findings)?,
            analytics: self.duckdb_file(deep, Tables::Analytics, scratch, findings)?,
            mails: self.mail_file(deep, scratch, findings)?,
        })
    }

    /// The tables, and the mark beside them that a killed process left. It holds no rows, and DuckDB does not see it
    /// beside a link.
    pub(super) fn tables_as_they_are(
        &self,
        tables: Tables,
        scratch: &Scratch,
    ) -> Result<(Database, Option<PathBuf>), StoreError> {
        let path = self.directory.database(tables);
        let read = |path: &Path| Database::open_to_read(path, tables, self.lock_wait);
        match read(&path) {
            Err(StoreError::WriteAhead { path: mark }) if is_mark_of_checkpoint(&mark) => {
                let link = scratch.link(&path).map_err(|source| StoreError::Io {
                    action: "link",
                    path,
                    source,
                })?;
                Ok((read(&link)?, Some(mark)))
            }
            database => Ok((database?, None)),
        }
    }

    fn duckdb_file(
        &self,
        deep: bool,
        tables: Tables,
        scratch: &Scratch,
        findings: &mut Findings,
    ) -> Result<Option<(Database, Checkpoint)>, AppError> {
        let (path, name) = (self.directory.database(tables), tables.file_name());
        let consumer = consumer_of(tables);
        if !path.exists() {
            findings.notes.push(missing(name, consumer));
            return Ok(None);
        }
        let read = || {
            let (database, mark) = self.tables_as_they_are(tables, scratch)?;
            let found = (database.is_current()?, database.checkpoint()?);
            if deep {
                database.check_readable()?;
            }
            Ok((database, mark, found))
        };
        let found = read().map(|(database, mark, found)| {
            let left = mark.as_ref().and_then(|mark| mark.file_name());
            findings.notes.extend(left.map(|left| {
                format!(
                    "{} is left from a process that was killed; `popug-cli consume {}` removes it",
                    left.display(),
                    consumer.name()
                )
            }));
            (database, found)
        });
        match found {
            Ok((_, (false, _))) => {
                findings.notes.push(outdated(name, consumer));
                Ok(None)
            }
            Ok((database, (true, checkpoint))) => {
                let is_ours = self.check_checkpoint(&checkpoint, name, consumer, findings)?;
                Ok(is_ours.then_some((database, checkpoint)))
            }
            Err(
                error @ (StoreError::Damaged { .. }
                | StoreError::WriteAhead { .. }
                | StoreError::DuckDb { .. }),
            ) => {
                findings.rebuildable(
                    "checkpoint",
                    consumer.name(),
                    name.to_owned(),
                    error.to_string(),
                );
                Ok(None)
            }
            Err(other) => Err(other.into()),
        }
    }

    fn state_file(
        &self,
        deep: bool,
        scratch: &Scratch,
        findings: &mut Findings,
    ) -> Result<Option<(StateIndex, Checkpoint)>, AppError> {
        let path = self.directory.state_index();
        self.sqlite_file(&path, Consumer::Tracker, findings, || {
            let Some(index) = StateIndex::open_to_read(&path, scratch.path(), self.lock_wait)?
            else {
                return Ok(None);
            };
            if deep {
                index.check_integrity()?;
            }
            let checkpoint = index.checkpoint()?;
            Ok(Some((index, checkpoint)))
        })
    }

    fn mail_file(
        &self,
        deep: bool,
        scratch: &Scratch,
        findings: &mut Findings,
    ) -> Result<Option<(MailTables, Checkpoint)>, AppError> {
        let path = self.directory.notifier();
        self.sqlite_file(&path, Consumer::Notifier, findings, || {
            let Some(tables) = MailTables::open_to_read(&path, scratch.path(), self.lock_wait)?
            else {
                return Ok(None);
            };
            if deep {
                tables.check_integrity()?;
            }
            let checkpoint = tables.checkpoint()?;
            Ok(Some((tables, checkpoint)))
        })
    }

    /// The file that `open` opens, unless it is of another code version.
    fn sqlite_file<T>(
        &self,
        path: &Path,
        consumer: Consumer,
        findings: &mut Findings,
        open: impl FnOnce() -> Result<Option<(T, Checkpoint)>, StateError>,
    ) -> Result<Option<(T, Checkpoint)>, AppError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !path.exists() {
            findings.notes.push(missing(&name, consumer));
            return Ok(None);
        }
        match open() {
            Ok(None) => {
                findings.notes.push(outdated(&name, consumer));
                Ok(None)
            }
            Ok(Some((tables, checkpoint))) => {
                let is_ours = self.check_checkpoint(&checkpoint, &name, consumer, findings)?;
                Ok(is_ours.then_some((tables, checkpoint)))
            }
            Err(error @ (StateError::Sqlite { .. } | StateError::Damaged { .. })) => {
                let what = match error {
                    StateError::Damaged { reason, .. } => reason,
                    other => other.to_string(),
                };
                findings.rebuildable("checkpoint", consumer.name(), name.into_owned(), what);
                Ok(None)
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Whether the checkpoint is on this log's chain.
    fn check_checkpoint(
        &self,
        checkpoint: &Checkpoint,
        name: &str,
        consumer: Consumer,
        findings: &mut Findings,
    ) -> Result<bool, AppError> {
        let at = checkpoint.sequence;
        let head = findings.head.map(|head| head.sequence).unwrap_or_default();
        let what = match checkpoint.is_of(&self.log) {
            Ok(true) => return Ok(true),
            Ok(false) if at > head => {
                format!("it has read up to event {at}, but the log ends with {head}")
            }
            Ok(false) => format!("it has read up to event {at} of another log"),
            Err(LogError::Damaged { .. }) => {
                let note =
                    format!("{name} was not compared with the log: event {at} cannot be read");
                findings.notes.push(note);
                return Ok(false);
            }
            Err(other) => return Err(other.into()),
        };
        findings.rebuildable("checkpoint", consumer.name(), name.to_owned(), what);
        Ok(false)
    }
}

fn missing(name: &str, consumer: Consumer) -> String {
    format!(
        "{name} is missing; popug-cli consume {} makes it",
        consumer.name()
    )
}

fn outdated(name: &str, consumer: Consumer) -> String {
    format!(
        "{name} is of another version of popug-cli; the next popug-cli consume {} rebuilds it",
        consumer.name()
    )
}
