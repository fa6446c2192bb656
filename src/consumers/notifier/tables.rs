//! The notifier's file: opening it, bringing it to the head, and its queries.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Row, params};

use crate::consumers::ConsumeError;
use crate::consumers::feed::{check_on_chain, follow};
use crate::consumers::notifier::projection;
use crate::consumers::notifier::rows::{
    self, CompanyRow, MailRow, MailState, OwedMail, WaitingMail,
};
use crate::consumers::withheld::Withheld;
use crate::domain::dead_letter::Stop;
use crate::domain::event::Consumer;
use crate::domain::id::{IdPrefix, PayoutId, Sequence};
use crate::domain::time::EventTime;
use crate::event_log::FileLog;
use crate::state::row::{self, Blob};
use crate::state::{Check, Checkpoint, ComparedTable, Layout, Recorded, SqliteFile, StateError};
use crate::turn::Surroundings;
use crate::turn::index::tell_opened;

const LAYOUT: Layout = Layout {
    schema: include_str!("schema.sql"),
    code_version: 5,
    own_table: "payouts",
};
const TABLES: [ComparedTable; 3] = [
    ("company", "one"),
    ("users", "user_id"),
    ("payouts", "sequence"),
];

/// The notifier's tables of payouts and their mails.
pub struct MailTables {
    file: SqliteFile,
}

impl MailTables {
    /// Opens the file, and reports if it had to be replaced. Its contents may lag behind.
    ///
    /// # Errors
    /// If it can be neither opened nor replaced.
    pub fn open(around: &Surroundings<'_>, check: Check) -> Result<MailTables, ConsumeError> {
        let path = around.directory.notifier();
        let (file, opened) = SqliteFile::open(&path, &LAYOUT, check, around.lock_wait)?;
        tell_opened(around, &path.display().to_string(), &path, opened);
        if around.log.has_drafted() {
            file.never_commit()?;
        }
        Ok(MailTables { file })
    }

    /// Opens the file and brings the tables to the head. If the disk takes no more data, tables in
    /// memory take their place.
    ///
    /// # Errors
    /// As [`MailTables::catch_up`].
    pub fn open_at_head(around: &Surroundings<'_>) -> Result<MailTables, ConsumeError> {
        let tables = MailTables::open(around, Check::Headers)?;
        match tables.catch_up(around) {
            Err(ConsumeError::State(error)) if error.obstacle().is_some() => {
                let file = SqliteFile::in_memory(&LAYOUT)?;
                let tables = MailTables { file };
                tables.catch_up(around)?;
                Ok(tables)
            }
            done => done.map(|()| tables),
        }
    }

    /// Opens the tables to read only; `None` if they are of another code version.
    ///
    /// # Errors
    /// As [`SqliteFile::open_to_read`].
    pub fn open_to_read(
        path: &Path,
        scratch: &Path,
        lock_wait: Duration,
    ) -> Result<Option<MailTables>, StateError> {
        Ok(SqliteFile::open_to_read(path, &LAYOUT, scratch, lock_wait)?
            .map(|file| MailTables { file }))
    }

    /// Empty tables in a new file at `path`, in a transaction that is never committed.
    ///
    /// # Errors
    /// If the file cannot be made.
    pub fn beside(path: &Path, lock_wait: Duration) -> Result<MailTables, StateError> {
        let (file, _) = SqliteFile::open(path, &LAYOUT, Check::Headers, lock_wait)?;
        file.begin()?;
        Ok(MailTables { file })
    }

    /// The tables that differ, each with its first differing row.
    pub fn differences(
        &self,
        rebuilt: &MailTables,
    ) -> Result<Vec<(&'static str, String)>, StateError> {
        self.file.differences(&rebuilt.file, &TABLES)
    }

    pub(super) fn file(&self) -> &SqliteFile {
        &self.file
    }

    /// Reads the whole file.
    ///
    /// # Errors
    /// [`StateError::Damaged`]
    pub fn check_integrity(&self) -> Result<(), StateError> {
        self.file.check_integrity(&LAYOUT)
    }

    pub fn checkpoint(&self) -> Result<Checkpoint, StateError> {
        self.file.checkpoint()
    }

    /// Brings the tables to the head.
    ///
    /// # Errors
    /// [`ConsumeError::ForeignTables`] if they were made from another log.
    pub fn catch_up(&self, around: &Surroundings<'_>) -> Result<(), ConsumeError> {
        let checkpoint = self.checkpoint()?;
        if checkpoint == Checkpoint::from(&around.log.head()?) {
            return Ok(());
        }
        check_on_chain(around, Consumer::Notifier, &checkpoint)?;
        let withheld = Withheld::load(around, Consumer::Notifier)?;
        if !withheld.may_rest_at(checkpoint.sequence) {
            return self.fill_anew(around);
        }
        let followed = self
            .file
            .transaction(|| self.follow(around, &withheld, None));
        if let Some(stop) = followed.as_ref().err().and_then(ConsumeError::stop) {
            // The events before it are kept, so that the checkpoint shows where it stopped.
            let before = Sequence(stop.sequence.0 - 1);
            if withheld.may_rest_at(before) {
                self.file
                    .transaction(|| self.follow(around, &withheld, Some(before)))?;
            }
        }
        followed
    }

    /// Rebuilds the tables from the first event in one transaction.
    ///
    /// # Errors
    /// If an event cannot be read; the tables stay as they were.
    pub(super) fn fill_anew(&self, around: &Surroundings<'_>) -> Result<(), ConsumeError> {
        let withheld = Withheld::load(around, Consumer::Notifier)?;
        self.file.transaction(|| {
            self.file
                .db()
                .execute_batch("DELETE FROM payouts; DELETE FROM users; DELETE FROM company;")
                .map_err(self.file.failed("clear"))?;
            self.file.set_checkpoint(&Checkpoint::START)?;
            self.follow(around, &withheld, None)
        })
    }

    /// Applies the log up to the head or to `last`, or nothing, so that the checkpoint rests after
    /// every decision.
    fn follow(
        &self,
        around: &Surroundings<'_>,
        withheld: &Withheld,
        last: Option<Sequence>,
    ) -> Result<(), ConsumeError> {
        let from = self.checkpoint()?;
        let fed = follow(around, withheld, &from, last, None, |chunk| {
            for recorded in &chunk.events {
                self.apply(recorded)?;
            }
            self.file.set_checkpoint(&chunk.through)?;
            failpoint!("notifier.before_commit");
            Ok(())
        });
        fed.map(drop)
    }

    /// Applies one event; the caller sets the checkpoint.
    ///
    /// # Errors
    /// [`ConsumeError::Stopped`] if the event contradicts the tables.
    pub fn apply(&self, recorded: &Recorded<'_>) -> Result<(), ConsumeError> {
        let applied =
            projection::apply(self.file.db(), recorded).map_err(self.file.failed("write"));
        let Err(error) = applied else { return Ok(()) };
        let Some(broken) = error.broken_constraint() else {
            return Err(error.into());
        };
        let known = projection::contradiction(self.file.db(), &recorded.event)
            .map_err(self.file.failed("read"))?;
        let (consumer, sequence, reason) = (
            Consumer::Notifier,
            recorded.sequence,
            known.unwrap_or(broken),
        );
        Err(ConsumeError::Stopped {
            consumer,
            sequence,
            reason,
        })
    }

    /// The obstacle at the event right after the checkpoint. `decided` says whether an operator
    /// decided about the event as a dead letter.
    pub fn stop(
        &self,
        log: &FileLog,
        decided: impl Fn(Sequence) -> bool,
    ) -> Result<Option<Stop>, ConsumeError> {
        let next = self.checkpoint()?.sequence.next();
        if decided(next) {
            return Ok(None);
        }
        match self.contradiction(log, next) {
            Err(error) => error.stop().map_or(Err(error), |stop| Ok(Some(stop))),
            found => found,
        }
    }

    /// The event at `next`, right after the checkpoint, if there is one and it contradicts the
    /// tables.
    pub(super) fn contradiction(
        &self,
        log: &FileLog,
        next: Sequence,
    ) -> Result<Option<Stop>, ConsumeError> {
        if next > log.head()?.sequence {
            return Ok(None);
        }
        let line = log.line(next)?;
        let Some(recorded) = Withheld::nothing(Consumer::Notifier).read(&line.line())? else {
            return Ok(None);
        };
        let reason = projection::contradiction(self.file.db(), &recorded.event)
            .map_err(self.file.failed("read"))?;
        Ok(reason.map(|reason| Stop {
            sequence: next,
            reason,
        }))
    }

    /// The company; it exists when the first mail is owed.
    ///
    /// # Errors
    /// [`StateError::Damaged`] if it is missing.
    pub(super) fn company(&self) -> Result<CompanyRow, StateError> {
        self.file
            .db()
            .query_row("SELECT * FROM company", [], rows::company)
            .map_err(|error| match error {
                rusqlite::Error::QueryReturnedNoRows => self.file.damaged("its company is missing"),
                other => self.file.failed("read")(other),
            })
    }

    /// The first mails, in the order of their payouts, that are due at `now`.
    pub(super) fn due(
        &self,
        now: EventTime,
        mails_max: usize,
    ) -> Result<Vec<OwedMail>, StateError> {
        let sql = "SELECT * FROM payouts LEFT JOIN users USING (user_id)
            WHERE state = 'pending' AND (next_try IS NULL OR next_try <= ?1) ORDER BY sequence LIMIT ?2";
        self.all(sql, params![now.micros(), mails_max], rows::owed_mail)
    }

    /// The mails of these payouts that are still in one of these states.
    pub(super) fn owed(
        &self,
        payouts: &[PayoutId],
        states: &[MailState],
    ) -> Result<Vec<OwedMail>, StateError> {
        let sql = "SELECT * FROM payouts LEFT JOIN users USING (user_id) WHERE payout_id = ?1 AND state = ?2";
        let mut owed = Vec::new();
        for payout in payouts {
            for state in states {
                let params = params![Blob::from(*payout), state.name()];
                owed.extend(self.all(sql, params, rows::owed_mail)?);
            }
        }
        Ok(owed)
    }

    /// All mails, by date and login.
    pub fn rows(&self) -> Result<Vec<MailRow>, StateError> {
        self.all(
            "SELECT * FROM payouts LEFT JOIN users USING (user_id) ORDER BY business_date, login",
            [],
            rows::mail_row,
        )
    }

    /// At most [`IdPrefix::CANDIDATES`] mails of payouts whose id has this beginning.
    pub fn rows_named(&self, beginning: &str) -> Result<Vec<MailRow>, StateError> {
        let Ok(prefix) = beginning.parse::<IdPrefix>() else {
            return Ok(Vec::new());
        };
        let sql = "SELECT * FROM payouts LEFT JOIN users USING (user_id)
            WHERE payout_id BETWEEN ?1 AND ?2 ORDER BY payout_id LIMIT ?3";
        self.all(sql, row::range(prefix), rows::mail_row)
    }

    /// All waiting mails, and those of `asked`.
    pub(super) fn waiting(&self, asked: &[PayoutId]) -> Result<Vec<WaitingMail>, StateError> {
        let sql = "SELECT * FROM payouts WHERE state = 'pending'";
        let mut waiting = self.all(sql, [], rows::waiting_mail)?;
        let sql = "SELECT * FROM payouts WHERE payout_id = ?1 AND state <> 'pending'";
        for payout in asked {
            waiting.extend(self.all(sql, params![Blob::from(*payout)], rows::waiting_mail)?);
        }
        Ok(waiting)
    }

    fn all<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StateError> {
        let db = self.file.db();
        let collect = || {
            db.prepare_cached(sql)?
                .query_map(params, read)?
                .collect::<Result<Vec<T>, _>>()
        };
        collect().map_err(self.file.failed("read"))
    }
}
