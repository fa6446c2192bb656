//! Tables that are rebuilt while the log is read, each up to the checkpoint of the live ones.

use std::path::PathBuf;
use std::time::Duration;

use crate::app::AppError;
use crate::app::verify::checkpoints::LiveFiles;
use crate::app::verify::reading::{Chunks, Follower, Read};
use crate::app::verify::scratch::Scratch;
use crate::consumers::ConsumeError;
use crate::consumers::accounting::AccountingTables;
use crate::consumers::analytics::SettledTable;
use crate::consumers::common_tables::CommonTables;
use crate::consumers::feed::Chunk;
use crate::consumers::notifier::MailTables;
use crate::consumers::projection::{OwnTables, Projection};
use crate::consumers::withheld::Withheld;
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::event_log::{FileLog, Hash, LogError};
use crate::state::{Check, Checkpoint, Resolution, StateError, StateIndex};
use crate::store::{Database, Tables};

/// The tables of a SQLite file that differ, each with its first differing row.
pub(super) type Differences = Vec<(&'static str, String)>;

pub(super) struct Rebuilds<'f> {
    pub followers: Vec<Follower>,
    pub index: IndexRebuild<'f>,
    pub mails: Option<MailRebuild<'f>>,
    pub duckdb: Vec<DuckDbRebuild>,
    pub lock_wait: Duration,
}

/// The state index. Every command needs it at the head, so it follows the log to its end, whatever
/// the checkpoint of the live one is, and even if there is none.
pub(super) struct IndexRebuild<'f> {
    follower: Follower,
    live: Option<&'f (StateIndex, Checkpoint)>,
    rebuilt: StateIndex,
    /// The differences from the live index, set when the rebuilt one reaches its checkpoint.
    pub differences: Option<Differences>,
    pub ended: Result<(), ConsumeError>,
}

pub(super) struct MailRebuild<'f> {
    follower: Follower,
    live: &'f MailTables,
    rebuilt: MailTables,
    pub ended: Result<(), ConsumeError>,
}

pub(super) struct DuckDbRebuild {
    pub tables: Tables,
    pub path: PathBuf,
    pub follower: Follower,
    /// Set after the log was read.
    pub ended: Result<(), ConsumeError>,
}

impl<'f> Rebuilds<'f> {
    /// Rebuilds of the live files, which are to be compared with the decisions known to them.
    pub(super) fn begin(
        log: &FileLog,
        files: &'f LiveFiles,
        decisions: &[Resolution],
        scratch: &Scratch,
        lock_wait: Duration,
    ) -> Result<Rebuilds<'f>, AppError> {
        let follower = |consumer, until: &Checkpoint| -> Result<Follower, ConsumeError> {
            let is_known = |made: &Resolution| made.sequence <= until.sequence;
            let known = &decisions[..decisions.partition_point(is_known)];
            let withheld = match Withheld::of(log, consumer, known) {
                // The event of a decision is damaged, and the reading ends before it.
                Err(ConsumeError::Log(LogError::Damaged { .. })) => Withheld::nothing(consumer),
                withheld => withheld?,
            };
            Ok(Follower {
                withheld,
                until: *until,
            })
        };
        let index = IndexRebuild {
            follower: Follower {
                withheld: Withheld::nothing(Consumer::Tracker),
                until: Checkpoint {
                    sequence: Sequence(u64::MAX),
                    hash: Hash::ZERO,
                },
            },
            live: files.state.as_ref(),
            rebuilt: StateIndex::open(
                &scratch.path().join("rebuilt.sqlite"),
                Check::Headers,
                lock_wait,
            )?
            .0,
            differences: None,
            ended: Ok(()),
        };
        index.rebuilt.begin()?;
        let mut mails = None;
        if let Some((live, until)) = &files.mails {
            mails = Some(MailRebuild {
                follower: follower(Consumer::Notifier, until)?,
                live,
                rebuilt: MailTables::beside(&scratch.path().join("notifier.sqlite"), lock_wait)?,
                ended: Ok(()),
            });
        }
        let mut duckdb = Vec::new();
        for (file, tables, consumer) in [
            (&files.accounting, Tables::Accounting, Consumer::Accounting),
            (&files.analytics, Tables::Analytics, Consumer::Analytics),
        ] {
            if let Some((_, until)) = file {
                duckdb.push(DuckDbRebuild {
                    tables,
                    path: scratch.path().join(tables.file_name()),
                    follower: follower(consumer, until)?,
                    ended: Ok(()),
                });
            }
        }
        let followers = [&index.follower]
            .into_iter()
            .chain(mails.iter().map(|mails| &mails.follower))
            .chain(duckdb.iter().map(|made| &made.follower))
            .cloned()
            .collect();
        Ok(Rebuilds {
            followers,
            index,
            mails,
            duckdb,
            lock_wait,
        })
    }
}

impl IndexRebuild<'_> {
    /// Follows the next lines, unless the index stopped.
    pub(super) fn follow(&mut self, log: &FileLog, chunk: &Chunk<Read>) {
        if self.ended.is_ok() {
            self.ended = self.follow_chunk(log, chunk);
        }
    }

    fn follow_chunk(&mut self, log: &FileLog, chunk: &Chunk<Read>) -> Result<(), ConsumeError> {
        let IndexRebuild {
            follower,
            live,
            rebuilt,
            differences,
            ..
        } = self;
        let until = live.map(|(_, until)| until.sequence).unwrap_or_default();
        follower.follow(log, chunk, |recorded| {
            if differences.is_none() && recorded.sequence > until {
                *differences = Some(compared(*live, rebuilt)?);
            }
            Ok(rebuilt.follow_event(recorded)?)
        })
    }

    /// The tables that differ after the log was read, or `None` if the index stopped before.
    ///
    /// # Errors
    /// The error that stopped the rebuild.
    pub(super) fn end(self) -> (Option<Differences>, Result<(), ConsumeError>) {
        match (self.differences, self.ended) {
            (None, Ok(())) => match compared(self.live, &self.rebuilt) {
                Ok(differences) => (Some(differences), Ok(())),
                Err(error) => (None, Err(error.into())),
            },
            ended => ended,
        }
    }
}

fn compared(
    live: Option<&(StateIndex, Checkpoint)>,
    rebuilt: &StateIndex,
) -> Result<Differences, StateError> {
    live.map_or(Ok(Vec::new()), |(live, _)| live.differences(rebuilt))
}

impl MailRebuild<'_> {
    /// Follows the next lines, unless the notifier stopped.
    pub(super) fn follow(&mut self, log: &FileLog, chunk: &Chunk<Read>) {
        if self.ended.is_ok() {
            let rebuilt = &self.rebuilt;
            let followed = self
                .follower
                .follow(log, chunk, |recorded| rebuilt.apply(recorded));
            self.ended = followed;
        }
    }

    /// The tables that differ after the log was read.
    ///
    /// # Errors
    /// The error that stopped the notifier.
    pub(super) fn end(self) -> Result<Differences, ConsumeError> {
        self.ended?;
        Ok(self.live.differences(&self.rebuilt)?)
    }
}

impl DuckDbRebuild {
    /// Follows all lines.
    pub(super) fn follow(&mut self, log: &FileLog, chunks: Chunks, lock_wait: Duration) {
        self.ended = match self.tables {
            Tables::Accounting => self.fill::<AccountingTables>(log, chunks, lock_wait),
            Tables::Analytics => self.fill::<SettledTable>(log, chunks, lock_wait),
        };
    }

    fn fill<T: OwnTables>(
        &self,
        log: &FileLog,
        chunks: Chunks,
        lock_wait: Duration,
    ) -> Result<(), ConsumeError> {
        let until = self.follower.until;
        let database = Database::open(&self.path, self.tables, lock_wait)?;
        let common = CommonTables::load(&database)?;
        let withheld = self.follower.withheld.clone();
        let mut projection = Projection::<T>::resume(&database, common, withheld)?;
        for chunk in chunks {
            self.follower
                .follow(log, &chunk, |recorded| projection.project(recorded))?;
            let is_last = chunk.through.sequence >= until.sequence;
            let through = if is_last { until } else { chunk.through };
            projection.moved_to(through, chunk.lines)?;
            if is_last {
                break;
            }
        }
        projection.commit()
    }
}
