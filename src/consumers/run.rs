//! Runs a consumer: opens its file in any state, works in slices, rebuilds.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::consumers::accounting::{Accounting, AccountingTables};
use crate::consumers::analytics::{Analytics, SettledTable};
use crate::consumers::process_lock::ProcessLock;
use crate::consumers::projection::{OwnTables, Projection};
use crate::consumers::withheld::Withheld;
use crate::consumers::{
    ConsumeError, Consumed, Pen, Surroundings, contents, notifier, report_recovery,
};
use crate::domain::dead_letter::Stop;
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::files::name_aside;
use crate::files::replace::put_in_place;
use crate::state::Checkpoint;
use crate::store::database::remove;
use crate::store::write_ahead::{is_mark_of_checkpoint, write_ahead_of};
use crate::store::{Database, StoreError, Tables};

/// Locks are let go after this much work, so that others get their turn.
pub(super) const SLICE: Duration = Duration::from_secs(1);
/// How long they stay free between two slices.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

/// Brings accounting to the head with nothing owed; while others append, to the head that it found and what follows
/// from that.
pub fn consume_accounting<'l>(
    around: &Surroundings<'l>,
    pen: &mut Pen<'_, 'l>,
) -> Result<Consumed, ConsumeError> {
    // A draft of the log holds the writer lock and does not wait for the others again.
    let is_alone = matches!(pen, Pen::Held(_)) || around.log.is_draft();
    let until = around.log.head()?.sequence;
    let mut total: Option<Consumed> = None;
    let mut had_reacted = false;
    loop {
        let deadline = (!is_alone).then(|| Instant::now() + SLICE);
        let sliced = again_if_damaged(|| {
            with_accounting(around, |accounting| {
                let from = accounting.position().sequence;
                let done = accounting.advance(around, pen, deadline)?;
                let (applied, appended) = accounting.counts();
                let to = accounting.position().sequence;
                let slice = Consumed {
                    consumer: Consumer::Accounting,
                    from,
                    to,
                    applied,
                    appended,
                };
                Ok((slice, done, accounting.has_reacted_to(until)))
            })
        });
        if matches!(sliced, Err(ConsumeError::Stopped { .. })) {
            keep_what_was_read(around)?;
        }
        let (slice, done, has_reacted) = sliced?;
        let sum = total.get_or_insert(Consumed {
            applied: 0,
            appended: 0,
            ..slice
        });
        sum.to = slice.to;
        sum.applied += slice.applied;
        sum.appended += slice.appended;
        // Where others append all the time, the head is never met. What was appended in one slice is read in the next.
        if done || std::mem::replace(&mut had_reacted, has_reacted) {
            return Ok(*sum);
        }
        std::thread::sleep(PAUSE);
    }
}

/// Tables that have followed the log tell how much is owed, and from which event on.
fn keep_what_was_read(around: &Surroundings<'_>) -> Result<(), ConsumeError> {
    with_accounting(around, |accounting| {
        accounting.catch_up(around, None)?;
        accounting.commit()
    })
}

/// Runs `work` again if it ended because a file is damaged, which has been moved aside then.
///
/// # Errors
/// What `work` returns.
pub fn again_if_damaged<T>(
    mut work: impl FnMut() -> Result<T, ConsumeError>,
) -> Result<T, ConsumeError> {
    match work() {
        Err(ConsumeError::Store(StoreError::Damaged { .. })) => work(),
        done => done,
    }
}

/// Runs `work` as the only accounting process, on the ledger's file. Should that turn out to be damaged, it is
/// moved aside before the error is returned.
pub fn with_accounting<T>(
    around: &Surroundings<'_>,
    work: impl FnOnce(&mut Accounting<'_>) -> Result<T, ConsumeError>,
) -> Result<T, ConsumeError> {
    let Opened {
        _lock,
        database,
        withheld,
    } = open_tables(around, Tables::Accounting)?;
    let done =
        Accounting::resume(&database, withheld).and_then(|mut accounting| work(&mut accounting));
    close_tables(around, database, done)
}

/// Brings analytics to the head that it finds, or further.
pub fn consume_analytics(around: &Surroundings<'_>) -> Result<Consumed, ConsumeError> {
    let until = around.log.head()?.sequence;
    let mut start = None;
    loop {
        let (from, to, at_head) = again_if_damaged(|| analytics_slice(around))?;
        let from = *start.get_or_insert(from);
        if at_head || to >= until {
            let applied = to.0 - from.0;
            return Ok(Consumed {
                consumer: Consumer::Analytics,
                from,
                to,
                applied,
                appended: 0,
            });
        }
        std::thread::sleep(PAUSE);
    }
}

fn analytics_slice(around: &Surroundings<'_>) -> Result<(Sequence, Sequence, bool), ConsumeError> {
    let Opened {
        _lock,
        database,
        withheld,
    } = open_tables(around, Tables::Analytics)?;
    let deadline = (!around.log.is_draft()).then(|| Instant::now() + SLICE);
    let done = Analytics::resume(&database, withheld).and_then(|mut analytics| {
        let from = analytics.position().sequence;
        let at_head = analytics.catch_up(around, deadline)?;
        Ok((from, analytics.position().sequence, at_head))
    });
    close_tables(around, database, done)
}

/// Runs `decide` under the lock of `consumer`, so that nothing is decided about dead letters while it runs.
///
/// # Errors
/// If the lock is held for too long, or what `decide` returns.
pub fn with_lock<T, E: From<ConsumeError>>(
    around: &Surroundings<'_>,
    consumer: Consumer,
    decide: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let _lock = process_lock(around, consumer)?;
    decide()
}

/// Brings `consumer` on as far as it gets, sending nothing, and runs `decide` with the event that
/// stops it, if one does. No other process of this consumer comes in between.
///
/// # Errors
/// What stops it for now only, or what `decide` returns.
pub fn while_stopped<T, E: From<ConsumeError>>(
    around: &Surroundings<'_>,
    consumer: Consumer,
    decide: impl FnOnce(Option<Stop>) -> Result<T, E>,
) -> Result<T, E> {
    let stop = |result: Result<(), ConsumeError>| match result {
        Ok(()) => Ok(None),
        Err(error) => error.stop().map_or(Err(error), |stop| Ok(Some(stop))),
    };
    match consumer {
        Consumer::Tracker => unreachable!("the state index cannot set aside"),
        Consumer::Notifier => {
            notifier::while_caught_up(around, |caught_up| decide(stop(caught_up)?))
        }
        Consumer::Accounting => match open_tables(around, Tables::Accounting) {
            Err(error) => with_lock(around, consumer, || decide(stop(Err(error))?)),
            Ok(Opened {
                _lock,
                database,
                withheld,
            }) => {
                let advanced = Accounting::resume(&database, withheld)
                    .and_then(|mut accounting| accounting.advance(around, &mut Pen::ByLock, None));
                decide(stop(close_tables(around, database, advanced).map(drop))?)
            }
        },
        Consumer::Analytics => match open_tables(around, Tables::Analytics) {
            Err(error) => with_lock(around, consumer, || decide(stop(Err(error))?)),
            Ok(Opened {
                _lock,
                database,
                withheld,
            }) => {
                let caught_up = Analytics::resume(&database, withheld)
                    .and_then(|mut analytics| analytics.catch_up(around, None));
                decide(stop(close_tables(around, database, caught_up).map(drop))?)
            }
        },
    }
}

/// Projects the whole log into a new file beside the live one and swaps them. A reader sees the
/// old tables or the new ones; killed anywhere before the swap, it changed nothing.
///
/// # Errors
/// If an event cannot be applied, or the live file stays locked; the live tables stay as they were.
pub fn rebuild(around: &Surroundings<'_>, tables: Tables) -> Result<(), ConsumeError> {
    let beside = beside(&around.directory.database(tables));
    let _alone = ProcessLock::take(
        &rebuild_lock(around, tables),
        around.holder,
        around.lock_wait,
    )?;
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

/// Held while a consumer works: DuckDB's own lock ends with the file, and not with its name.
fn process_lock(
    around: &Surroundings<'_>,
    consumer: Consumer,
) -> Result<ProcessLock, ConsumeError> {
    ProcessLock::take(
        &around.directory.lock(consumer.name()),
        around.holder,
        around.lock_wait,
    )
}

fn beside(live: &Path) -> PathBuf {
    live.with_extension("duckdb.new")
}

/// Held as long as a rebuild needs the file beside the live one.
fn rebuild_lock(around: &Surroundings<'_>, tables: Tables) -> PathBuf {
    around
        .directory
        .lock(&format!("{}-rebuild", consumer_of(tables).name()))
}

/// Removes what a rebuild that was killed has left behind, unless one is at work.
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

/// Fills new tables with the log up to `last`, never reacting.
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
    let mut projection = Projection::<T>::resume(database, withheld)?;
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
        Err(StoreError::Damaged { reason, .. }) => move_aside(around, &live, &reason)?,
        Err(error) => return Err(error.into()),
    }
    std::fs::File::open(beside)
        .and_then(|file| file.sync_all())
        .map_err(failed("sync", beside))?;
    put_in_place(beside, &live).map_err(failed("replace", &live))
}

/// A consumer's live file, open for writing, and what the consumer leaves out. As long as it is
/// open no other process of the consumer works, and nothing is decided about dead letters.
struct Opened {
    database: Database,
    withheld: Withheld,
    _lock: ProcessLock,
}

/// Opens a consumer's file for writing. A damaged one is moved aside; one of another code version, or
/// made without a decision about a dead letter, is replaced by a rebuild, for which the locks are
/// let go; one that was made from another log is refused.
fn open_tables(around: &Surroundings<'_>, tables: Tables) -> Result<Opened, ConsumeError> {
    remove_leftover(around, tables)?;
    loop {
        let _lock = process_lock(around, consumer_of(tables))?;
        if tables == Tables::Accounting && !around.log.is_draft() {
            // Entries of an accountant who was killed before he could publish them belong to the
            // books before anything is decided. From here on nobody else posts any.
            report_recovery(around.log.settle(&around.patience())?, around.notices);
        }
        let path = around.directory.database(tables);
        discard_write_ahead(around, &path)?;
        let database = open_or_move_aside(around, tables, &path)?;
        if database.is_current()? {
            if let Err(StoreError::Damaged { reason, .. }) =
                contents::check_opened(&database, tables)
            {
                drop(database);
                move_aside(around, &path, &reason)?;
                continue;
            }
            let checkpoint = database.checkpoint()?;
            check_on_chain(around, consumer_of(tables), &checkpoint)?;
            let withheld = Withheld::load(around, consumer_of(tables))?;
            if withheld.may_rest_at(checkpoint.sequence) {
                if around.log.is_draft() {
                    database.never_commit()?;
                }
                return Ok(Opened {
                    database,
                    withheld,
                    _lock,
                });
            }
        }
        drop((database, _lock));
        rebuild(around, tables)?;
    }
}

fn open_or_move_aside(
    around: &Surroundings<'_>,
    tables: Tables,
    path: &Path,
) -> Result<Database, ConsumeError> {
    match Database::open(path, tables, around.lock_wait) {
        Err(StoreError::Damaged { reason, .. }) => {
            move_aside(around, path, &reason)?;
            Ok(Database::open(path, tables, around.lock_wait)?)
        }
        // Another program had the file until now.
        Err(StoreError::WriteAhead { .. }) => {
            discard_write_ahead(around, path)?;
            Ok(Database::open(path, tables, around.lock_wait)?)
        }
        other => Ok(other?),
    }
}

/// Closes the file after work that ended so. The caller holds the consumer's lock: a file that the work found
/// to be damaged is still the one at its path, and is moved aside.
fn close_tables<T>(
    around: &Surroundings<'_>,
    database: Database,
    done: Result<T, ConsumeError>,
) -> Result<T, ConsumeError> {
    let path = database.path().to_owned();
    drop(database);
    if let Err(ConsumeError::Store(StoreError::Damaged {
        path: damaged,
        reason,
    })) = &done
        && *damaged == path
    {
        move_aside(around, &path, reason)?;
    }
    done
}

/// # Errors
/// [`ConsumeError::ForeignTables`] if the checkpoint is not on this log's chain.
pub fn check_on_chain(
    around: &Surroundings<'_>,
    consumer: Consumer,
    checkpoint: &Checkpoint,
) -> Result<(), ConsumeError> {
    if checkpoint.is_of(around.log)? {
        return Ok(());
    }
    Err(ConsumeError::ForeignTables {
        consumer,
        checkpoint: checkpoint.sequence,
    })
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

/// Opens a consumer's tables for reading. A write-ahead file that stands beside them is removed first.
///
/// # Errors
/// If the file is locked or damaged, or a write-ahead file cannot be removed.
pub fn open_to_read(around: &Surroundings<'_>, tables: Tables) -> Result<Database, ConsumeError> {
    let path = around.directory.database(tables);
    let open = || Database::open_to_read(&path, tables, around.lock_wait);
    match open() {
        Err(left) if matches!(left, StoreError::WriteAhead { .. }) => {
            // On a disk that can only be read nobody can remove it.
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

/// Removes a write-ahead file beside the tables: it is of a process that was killed, or from elsewhere. The tables are
/// whole without it, and the log has what they lack. The caller holds the consumer's lock.
fn discard_write_ahead(around: &Surroundings<'_>, path: &Path) -> Result<(), ConsumeError> {
    for file in write_ahead_of(path) {
        let Ok(found) = file.symlink_metadata() else {
            continue;
        };
        let is_expected = is_mark_of_checkpoint(&file);
        if found.is_dir() {
            let aside = name_aside(&file);
            std::fs::rename(&file, &aside).map_err(|source| io("move aside", &file, source))?;
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

fn move_aside(around: &Surroundings<'_>, path: &Path, reason: &str) -> Result<(), ConsumeError> {
    let aside = name_aside(path);
    if path.exists() {
        std::fs::rename(path, &aside).map_err(|source| io("move aside", path, source))?;
    }
    remove_database(path)?;
    let (path, aside) = (path.display(), aside.display());
    around.notices.warn(&format!(
        "{path} was damaged ({reason}); it is kept as {aside} and rebuilt from the log"
    ));
    Ok(())
}
