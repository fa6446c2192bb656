//! The life of a DuckDB file of tables: opening and repairing it, rebuilding it, moving it aside.
//!
//! Such a file is disposable: the log fills a new one. Opening it for work moves a damaged file
//! aside, replaces one of another code version, and removes a write-ahead file. Damage that opening
//! does not find ends the work that meets it; the file is moved aside when it is closed, under the
//! consumer's lock.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::consumers::accounting::AccountingTables;
use crate::consumers::analytics::SettledTable;
use crate::consumers::common_tables::CommonTables;
use crate::consumers::feed::check_on_chain;
use crate::consumers::process_lock::ProcessLock;
use crate::consumers::projection::{OwnTables, Projection};
use crate::consumers::withheld::Withheld;
use crate::consumers::{ConsumeError, contents};
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::files::replace::put_in_place;
use crate::files::{self, Identity};
use crate::store::database::remove;
use crate::store::write_ahead::{is_mark_of_checkpoint, write_ahead_of};
use crate::store::{Database, StoreError, Tables};
use crate::turn::{Surroundings, report_recovery};

/// A consumer's live file, open for writing, and its withheld events. While the lock is held, no
/// other process of the consumer works and no decision about dead letters is made.
pub struct TableFile {
    database: Database,
    common: CommonTables,
    withheld: Withheld,
    lock: ProcessLock,
}

impl TableFile {
    /// Opens a consumer's file for writing. A damaged file is moved aside. A file of another code
    /// version, or one made without a decision about a dead letter, is replaced by a rebuild,
    /// during which the locks are released. A file that was made from another log is refused.
    ///
    /// # Errors
    /// If the file or its lock cannot be had, or the log cannot be projected.
    pub fn open(around: &Surroundings<'_>, tables: Tables) -> Result<TableFile, ConsumeError> {
        remove_leftover(around, tables)?;
        loop {
            let lock = process_lock(around, consumer_of(tables))?;
            if tables == Tables::Accounting && !around.log.is_draft() {
                // Entries that a killed process wrote and did not publish belong to the books
                // before anything is decided. From here on no other process posts any.
                report_recovery(around.log.settle(&around.patience())?, around.notices);
            }
            let path = around.directory.database(tables);
            discard_write_ahead(around, &path)?;
            let database = open_or_move_aside(around, tables, &path)?;
            if database.is_current()? {
                let common = match contents::load_checked(&database, tables) {
                    Err(StoreError::Damaged { reason, .. }) => {
                        drop(database);
                        replace_damaged(around, &path, &reason)?;
                        continue;
                    }
                    loaded => loaded?,
                };
                let checkpoint = database.checkpoint()?;
                check_on_chain(around, consumer_of(tables), &checkpoint)?;
                let withheld = Withheld::load(around, consumer_of(tables))?;
                if withheld.may_rest_at(checkpoint.sequence) {
                    if around.log.is_draft() {
                        database.never_commit()?;
                    }
                    return Ok(TableFile {
                        database,
                        common,
                        withheld,
                        lock,
                    });
                }
            }
            drop((database, lock));
            rebuild(around, tables)?;
        }
    }

    /// Runs `work` and closes the file. If the file was found to be damaged, it is moved aside, and
    /// the next opening rebuilds it. Returns the lock and the result of the work.
    pub fn run<T>(
        self,
        work: impl FnOnce(&Database, CommonTables, Withheld) -> Result<T, ConsumeError>,
    ) -> (ProcessLock, Result<T, ConsumeError>) {
        let TableFile {
            database,
            common,
            withheld,
            lock,
        } = self;
        let path = database.path().to_owned();
        let done = work(&database, common, withheld);
        drop(database);
        let done = done.map_err(|error| match error {
            error if is_damage_of(&path, &error) => moved_aside(error),
            error => error,
        });
        (lock, done)
    }
}

/// Runs `work` on tables that are open for reading and closes them. Should they turn out to be damaged, they are moved
/// aside as by [`TableFile::run`], unless another process has replaced them.
///
/// # Errors
/// The error of `work`; [`ConsumeError::MovedAside`] if the file was moved aside.
pub fn read<T>(
    around: &Surroundings<'_>,
    database: Database,
    tables: Tables,
    work: impl FnOnce(&Database) -> Result<T, ConsumeError>,
) -> Result<T, ConsumeError> {
    let path = database.path().to_owned();
    let opened = Identity::of(&path);
    let done = work(&database);
    drop(database);
    match done {
        Err(error) if is_damage_of(&path, &error) => {
            let _lock = process_lock(around, consumer_of(tables))?;
            Err(if Identity::of(&path) == opened {
                moved_aside(error)
            } else {
                error
            })
        }
        done => done,
    }
}

fn is_damage_of(path: &Path, error: &ConsumeError) -> bool {
    matches!(error, ConsumeError::Store(StoreError::Damaged { path: damaged, .. }) if damaged == path)
}

/// Moves the file that the error names aside. The caller holds the consumer's lock.
fn moved_aside(error: ConsumeError) -> ConsumeError {
    match error {
        ConsumeError::Store(StoreError::Damaged { path, reason }) => match move_aside(&path) {
            Ok(aside) => ConsumeError::MovedAside {
                path,
                aside,
                reason,
            },
            Err(error) => error,
        },
        error => error,
    }
}

fn open_or_move_aside(
    around: &Surroundings<'_>,
    tables: Tables,
    path: &Path,
) -> Result<Database, ConsumeError> {
    match Database::open(path, tables, around.lock_wait) {
        Err(StoreError::Damaged { reason, .. }) => {
            replace_damaged(around, path, &reason)?;
            Ok(Database::open(path, tables, around.lock_wait)?)
        }
        // Another program had the file open until now.
        Err(StoreError::WriteAhead { .. }) => {
            discard_write_ahead(around, path)?;
            Ok(Database::open(path, tables, around.lock_wait)?)
        }
        other => Ok(other?),
    }
}

/// Projects the whole log into a new file beside the live one and swaps them. A reader sees the old
/// tables or the new ones; a kill before the swap changes nothing.
///
/// # Errors
/// If an event cannot be applied, or the live file stays locked; the live tables stay as they were.
pub fn rebuild(around: &Surroundings<'_>, tables: Tables) -> Result<(), ConsumeError> {
    let beside = beside(&around.directory.database(tables));
    let _alone = ProcessLock::take_in(around, &rebuild_lock(around, tables))?;
    remove_database(&beside)?;
    let withheld = Withheld::load(around, consumer_of(tables))?;
    let database = Database::open(&beside, tables, around.lock_wait)?;
    project_through(
        around,
        &database,
        tables,
        withheld,
        around.log.head()?.sequence,
    )?;
    drop(database);
    let _lock = process_lock(around, consumer_of(tables))?;
    replace_live(around, tables, &beside)
}

/// The lock that a consumer holds while it works. DuckDB's own lock is not enough, because it
/// belongs to the file and not to its name.
///
/// # Errors
/// [`ConsumeError::Locked`] if another process holds it for too long.
pub(super) fn process_lock(
    around: &Surroundings<'_>,
    consumer: Consumer,
) -> Result<ProcessLock, ConsumeError> {
    ProcessLock::take_in(around, &around.directory.lock(consumer.name()))
}

fn beside(live: &Path) -> PathBuf {
    live.with_extension("duckdb.new")
}

/// The lock that a rebuild holds while it needs the file beside the live one.
fn rebuild_lock(around: &Surroundings<'_>, tables: Tables) -> PathBuf {
    around
        .directory
        .lock(&format!("{}-rebuild", consumer_of(tables).name()))
}

/// Removes the leftover of a killed rebuild, unless one is at work.
fn remove_leftover(around: &Surroundings<'_>, tables: Tables) -> Result<(), ConsumeError> {
    let beside = beside(&around.directory.database(tables));
    if !beside.exists() {
        return Ok(());
    }
    match ProcessLock::take(&rebuild_lock(around, tables), around.holder, Duration::ZERO) {
        Ok(_alone) => remove_database(&beside),
        Err(ConsumeError::Locked { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Fills new tables with the log up to `last`, without reacting.
///
/// # Errors
/// If an event cannot be applied.
pub fn project_through(
    around: &Surroundings<'_>,
    database: &Database,
    tables: Tables,
    withheld: Withheld,
    last: Sequence,
) -> Result<(), ConsumeError> {
    match tables {
        Tables::Accounting => fill::<AccountingTables>(around, database, withheld, last),
        Tables::Analytics => fill::<SettledTable>(around, database, withheld, last),
    }
}

fn fill<T: OwnTables>(
    around: &Surroundings<'_>,
    database: &Database,
    withheld: Withheld,
    last: Sequence,
) -> Result<(), ConsumeError> {
    let common = CommonTables::load(database)?;
    let mut projection = Projection::<T>::resume(database, common, withheld)?;
    projection.follow(around, Some(last), None)?;
    projection.commit()
}

/// Puts new tables in the place of the live ones, durably. The caller holds the consumer's lock.
fn replace_live(
    around: &Surroundings<'_>,
    tables: Tables,
    beside: &Path,
) -> Result<(), ConsumeError> {
    let live = around.directory.database(tables);
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |source| io(action, &path, source)
    };
    discard_write_ahead(around, &live)?;
    // Waits until nobody has the live file open. A damaged one cannot be open anywhere.
    match Database::open(&live, tables, around.lock_wait) {
        Ok(database) => drop(database),
        Err(StoreError::Damaged { reason, .. }) => replace_damaged(around, &live, &reason)?,
        Err(error) => return Err(error.into()),
    }
    std::fs::File::open(beside)
        .and_then(|file| file.sync_all())
        .map_err(failed("sync", beside))?;
    put_in_place(beside, &live).map_err(failed("replace", &live))
}

pub const fn consumer_of(tables: Tables) -> Consumer {
    match tables {
        Tables::Accounting => Consumer::Accounting,
        Tables::Analytics => Consumer::Analytics,
    }
}

fn remove_database(path: &Path) -> Result<(), ConsumeError> {
    for file in write_ahead_of(path) {
        remove(&file)?;
    }
    Ok(remove(path)?)
}

/// Opens a consumer's tables for reading, if they are of this log and of this version of the
/// program. A write-ahead file beside them is removed first. `doctor` and `verify` may change
/// nothing, so they open the file by themselves.
///
/// # Errors
/// [`ConsumeError::OtherVersion`], [`ConsumeError::ForeignTables`]. If the file is locked or
/// damaged, or a write-ahead file cannot be removed.
pub fn open_to_read(around: &Surroundings<'_>, tables: Tables) -> Result<Database, ConsumeError> {
    let (database, consumer) = (open_alone(around, tables)?, consumer_of(tables));
    if !database.is_current()? {
        let path = database.path().to_owned();
        return Err(ConsumeError::OtherVersion { consumer, path });
    }
    check_on_chain(around, consumer, &database.checkpoint()?)?;
    Ok(database)
}

/// Opens tables for reading without a write-ahead file beside them.
fn open_alone(around: &Surroundings<'_>, tables: Tables) -> Result<Database, ConsumeError> {
    let path = around.directory.database(tables);
    let open = || Database::open_to_read(&path, tables, around.lock_wait);
    match open() {
        Err(left) if matches!(left, StoreError::WriteAhead { .. }) => {
            // On a read-only disk nobody can remove it.
            let cleaned = process_lock(around, consumer_of(tables)).and_then(|lock| {
                discard_write_ahead(around, &path)?;
                Ok(lock)
            });
            match cleaned {
                Ok(_lock) => Ok(open()?),
                Err(ConsumeError::Io { .. } | ConsumeError::Store(StoreError::Io { .. })) => {
                    Err(left.into())
                }
                Err(error) => Err(error),
            }
        }
        opened => Ok(opened?),
    }
}

/// Removes a write-ahead file beside the tables: a leftover of a killed process, or a foreign file.
/// The tables are whole without it, and the log has the later rows. The caller holds the consumer's
/// lock.
fn discard_write_ahead(around: &Surroundings<'_>, path: &Path) -> Result<(), ConsumeError> {
    for file in write_ahead_of(path) {
        let Ok(found) = file.symlink_metadata() else {
            continue;
        };
        let is_expected = is_mark_of_checkpoint(&file);
        if found.is_dir() {
            files::move_aside(&file).map_err(|source| io("move aside", &file, source))?;
        } else {
            remove(&file)?;
        }
        if !is_expected {
            let name = file.display();
            around.notices.warn(&format!(
                "{name} was not written with the tables beside it; it was removed unread"
            ));
        }
    }
    Ok(())
}

fn io(action: &'static str, path: &Path, source: std::io::Error) -> ConsumeError {
    ConsumeError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

fn replace_damaged(
    around: &Surroundings<'_>,
    path: &Path,
    reason: &str,
) -> Result<(), ConsumeError> {
    let aside = move_aside(path)?;
    let (path, aside) = (path.display(), aside.display());
    around.notices.warn(&format!(
        "{path} was damaged ({reason}); it is kept as {aside} and rebuilt from the log"
    ));
    Ok(())
}

/// Keeps a damaged file under another name. The caller holds the consumer's lock.
fn move_aside(path: &Path) -> Result<PathBuf, ConsumeError> {
    let aside = files::move_aside(path).map_err(|source| io("move aside", path, source))?;
    remove_database(path)?;
    Ok(aside)
}
