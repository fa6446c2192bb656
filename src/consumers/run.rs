//! Running a consumer: opening its file whatever state it is in, slices of work, rebuilds.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::consumers::accounting::Accounting;
use crate::consumers::analytics::Analytics;
use crate::consumers::process_lock::ProcessLock;
use crate::consumers::{ConsumeError, Consumed, Pen, Surroundings};
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::event_log::{EventLog, LogError};
use crate::state::Checkpoint;
use crate::store::{Database, StoreError, Tables};

/// Locks are let go after this much work, so that others get their turn.
pub(super) const SLICE: Duration = Duration::from_secs(1);
/// How long they stay free between two slices.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

/// Brings accounting to the head with nothing owed.
pub fn consume_accounting<'l>(around: &Surroundings<'l>, pen: &mut Pen<'_, 'l>) -> Result<Consumed, ConsumeError> {
    let is_alone = matches!(pen, Pen::Held(_));
    let mut total: Option<Consumed> = None;
    loop {
        let deadline = (!is_alone).then(|| Instant::now() + SLICE);
        let (slice, done) = with_accounting(around, |accounting| {
            let from = accounting.position().sequence;
            let done = accounting.advance(around, pen, deadline)?;
            let (applied, appended) = accounting.counts();
            let to = accounting.position().sequence;
            Ok((Consumed { consumer: Consumer::Accounting, from, to, applied, appended }, done))
        })?;
        let sum = total.get_or_insert(Consumed { applied: 0, appended: 0, ..slice });
        sum.to = slice.to;
        sum.applied += slice.applied;
        sum.appended += slice.appended;
        if done {
            return Ok(*sum);
        }
        std::thread::sleep(PAUSE);
    }
}

/// Runs `work` as the only accounting process, on the ledger's file.
pub fn with_accounting<T>(
    around: &Surroundings<'_>,
    work: impl FnOnce(&mut Accounting<'_>) -> Result<T, ConsumeError>,
) -> Result<T, ConsumeError> {
    let lock = around.directory.lock(Consumer::Accounting.name());
    let _lock = ProcessLock::take(&lock, around.holder, around.lock_wait)?;
    let database = open_tables(around, Tables::Accounting)?;
    let mut accounting = Accounting::resume(&database)?;
    work(&mut accounting)
}

/// Brings analytics to the head.
pub fn consume_analytics(around: &Surroundings<'_>) -> Result<Consumed, ConsumeError> {
    let mut start = None;
    loop {
        let (from, to, at_head) = analytics_slice(around)?;
        let from = *start.get_or_insert(from);
        if at_head {
            let applied = to.0 - from.0;
            return Ok(Consumed { consumer: Consumer::Analytics, from, to, applied, appended: 0 });
        }
        std::thread::sleep(PAUSE);
    }
}

fn analytics_slice(around: &Surroundings<'_>) -> Result<(Sequence, Sequence, bool), ConsumeError> {
    let database = open_tables(around, Tables::Analytics)?;
    let mut analytics = Analytics::resume(&database)?;
    let from = analytics.position().sequence;
    let at_head = analytics.catch_up(around, Some(Instant::now() + SLICE))?;
    Ok((from, analytics.position().sequence, at_head))
}

/// Projects the whole log into a new file beside the live one and swaps them. A reader sees the
/// old tables or the new ones; killed anywhere before the swap, it changed nothing.
pub fn rebuild(around: &Surroundings<'_>, tables: Tables) -> Result<(), ConsumeError> {
    let live = around.directory.database(tables);
    let beside = live.with_extension("duckdb.new");
    remove_database(&beside)?;
    let database = Database::open(&beside, tables, around.lock_wait)?;
    project_through(around, &database, tables, around.log.head()?.sequence)?;
    database.checkpoint_file()?;
    drop(database);
    swap(around, tables, &beside, &live)
}

/// Fills new tables with the log up to `last`, never reacting.
pub fn project_through(
    around: &Surroundings<'_>,
    database: &Database,
    tables: Tables,
    last: Sequence,
) -> Result<(), ConsumeError> {
    match tables {
        Tables::Accounting => {
            let mut accounting = Accounting::resume(database)?;
            accounting.project_through(around, Some(last), None)?;
            accounting.commit()
        }
        Tables::Analytics => Analytics::resume(database)?.project_through(around, Some(last), None).map(drop),
    }
}

/// Under the locks of the live file: puts the new one in its place, durably.
fn swap(around: &Surroundings<'_>, tables: Tables, beside: &Path, live: &Path) -> Result<(), ConsumeError> {
    let io = |action, path: &Path| {
        let path = path.to_owned();
        move |source| ConsumeError::Io { action, path, source }
    };
    let _lock = match tables {
        Tables::Accounting => {
            let lock = around.directory.lock(Consumer::Accounting.name());
            Some(ProcessLock::take(&lock, around.holder, around.lock_wait)?)
        }
        Tables::Analytics => None,
    };
    // Waits until nobody has the live file open. A damaged one cannot be open anywhere.
    match Database::open(live, tables, around.lock_wait) {
        Ok(database) => database.checkpoint_file()?,
        Err(StoreError::Damaged { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let wal = wal_of(live);
    if wal.exists() {
        std::fs::remove_file(&wal).map_err(io("remove", &wal))?;
    }
    std::fs::File::open(beside).and_then(|file| file.sync_all()).map_err(io("sync", beside))?;
    std::fs::rename(beside, live).map_err(io("replace", live))?;
    let root = around.directory.root();
    std::fs::File::open(root).and_then(|directory| directory.sync_all()).map_err(io("sync", root))
}

/// Opens a consumer's file for writing. A damaged one is moved aside, one of another code version
/// is begun anew; one that was made from another log is refused.
fn open_tables(around: &Surroundings<'_>, tables: Tables) -> Result<Database, ConsumeError> {
    let path = around.directory.database(tables);
    let database = match Database::open(&path, tables, around.lock_wait) {
        Ok(database) if database.is_current()? => database,
        Ok(outdated) => {
            drop(outdated);
            remove_database(&path)?;
            Database::open(&path, tables, around.lock_wait)?
        }
        Err(StoreError::Damaged { reason, .. }) => {
            let aside = move_aside(&path)?;
            around.notices.warn(&format!(
                "{} was damaged ({reason}); it is kept as {} and rebuilt from the log",
                path.display(),
                aside.display()
            ));
            Database::open(&path, tables, around.lock_wait)?
        }
        Err(error) => return Err(error.into()),
    };
    let checkpoint = database.checkpoint()?;
    check_on_chain(around, consumer_of(tables), &checkpoint)?;
    Ok(database)
}

/// # Errors
/// [`ConsumeError::ForeignTables`] if the checkpoint is not on this log's chain.
pub fn check_on_chain(
    around: &Surroundings<'_>,
    consumer: Consumer,
    checkpoint: &Checkpoint,
) -> Result<(), ConsumeError> {
    match around.log.read_after(checkpoint.sequence, &checkpoint.hash) {
        Ok(_) => Ok(()),
        Err(LogError::NotOnChain { sequence }) => Err(ConsumeError::ForeignTables { consumer, checkpoint: sequence }),
        Err(error) => Err(error.into()),
    }
}

const fn consumer_of(tables: Tables) -> Consumer {
    match tables {
        Tables::Accounting => Consumer::Accounting,
        Tables::Analytics => Consumer::Analytics,
    }
}

fn wal_of(path: &Path) -> PathBuf {
    let mut wal = path.as_os_str().to_owned();
    wal.push(".wal");
    wal.into()
}

fn remove_database(path: &Path) -> Result<(), ConsumeError> {
    for file in [wal_of(path), path.to_owned()] {
        match std::fs::remove_file(&file) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(ConsumeError::Io { action: "remove", path: file, source });
            }
            _ => {}
        }
    }
    Ok(())
}

fn move_aside(path: &Path) -> Result<PathBuf, ConsumeError> {
    let aside = (1..)
        .map(|n| path.with_extension(format!("duckdb.damaged-{n}")))
        .find(|aside| !aside.exists())
        .expect("some number is free");
    std::fs::rename(path, &aside).map_err(|source| ConsumeError::Io {
        action: "move aside",
        path: path.to_owned(),
        source,
    })?;
    remove_database(path)?;
    Ok(aside)
}
