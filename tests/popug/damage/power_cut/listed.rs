//! Tries listed states: each store once, however many states leave it.
//!
//! The clock and the dice are pinned, so equal files lead to equal files. Work that was done on a
//! store is not done again on an equal one: many states differ only until the interrupted command
//! is repeated.

use std::collections::{BTreeMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use sha2::{Digest, Sha256};

use crate::helpers::harness::World;
use crate::helpers::kills::Seeded;

use super::disk::Left;
use super::states::State;
use super::{Days, left_in};

/// Two, as many as the cores of a small machine.
const THREADS: usize = 2;
/// A long run says so often how far it is.
const TOLD_EVERY: usize = 1_000;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Work {
    /// All of the below.
    All,
    /// `verify` of a store whose tables were not verified before.
    VerifyTables,
    /// `verify` of a log and an index, without tables.
    VerifyIndex,
    /// `close` and `consume` after the interrupted command was repeated.
    Close,
    /// `verify --deep` after all is done.
    VerifyDeeply,
}

/// The stores that work was done on, by their digests.
#[derive(Default)]
struct Done(Mutex<HashSet<(Work, usize, u64)>>);

impl Done {
    /// `ended` is the number of commands that had ended before the power cut.
    fn is_new(&self, work: Work, ended: usize, digest: u64) -> bool {
        let mut done = self.0.lock().expect("no panic while it is held");
        done.insert((work, ended, digest))
    }

    fn tally(&self) -> BTreeMap<Work, usize> {
        let mut tally = BTreeMap::new();
        for (work, ..) in &*self.0.lock().expect("no panic while it is held") {
            *tally.entry(*work).or_default() += 1;
        }
        tally
    }
}

/// Tries the states on [`THREADS`] threads. A state that fails does not keep the others from being
/// tried.
pub fn try_all(days: &Days<'_>, states: &[&State]) {
    let (done, next, failed) = (Done::default(), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let began = Instant::now();
    let work = || {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let Some(state) = states.get(n) else { break };
            if n > 0 && n % TOLD_EVERY == 0 {
                eprintln!("{n} states, {:?}, {:?}", began.elapsed(), done.tally());
            }
            let tried = catch_unwind(AssertUnwindSafe(|| try_one(days, n as u64, state, &done)));
            if tried.is_err() {
                let mut failed = failed.lock().expect("no panic while it is held");
                failed.push((n, state.done, state.lost.clone()));
            }
        }
    };
    std::thread::scope(|threads| (0..THREADS).for_each(|_| drop(threads.spawn(work))));
    let failed = failed.into_inner().expect("no thread is left");
    eprintln!(
        "{:?}, work on different stores: {:?}",
        began.elapsed(),
        done.tally()
    );
    assert!(
        failed.is_empty(),
        "{} states failed: {failed:?}",
        failed.len()
    );
}

fn is_of_index(name: &str) -> bool {
    name.starts_with("state.sqlite")
}

fn is_of_tables(name: &str) -> bool {
    ["accounting.", "analytics.", "notifier."]
        .iter()
        .any(|begin| name.starts_with(begin))
}

fn try_one(days: &Days<'_>, n: u64, state: &State, done: &Done) {
    let ended = days.recording.ended(state.done);
    let left = left_in(&days.recording, state);
    if !done.is_new(Work::All, ended, left.digest(|_| true)) {
        return;
    }
    let world = World::new();
    let _told = Seeded {
        seed: n,
        world: &world,
    };
    if done.is_new(
        Work::VerifyTables,
        ended,
        left.digest(|name| !is_of_index(name)),
    ) {
        left.put(&world.store());
        days.assert_nothing_is_lost(&world, ended);
        days.verify(&world, ended);
    } else if done.is_new(
        Work::VerifyIndex,
        ended,
        left.digest(|name| !is_of_tables(name)),
    ) {
        left.put_chosen(&world.store(), |name| !is_of_tables(name));
        days.assert_nothing_is_lost(&world, ended);
        days.verify(&world, ended);
    }
    left.put(&world.store());
    days.go_on(&world, ended, (ended + 1).min(days.play.steps.len()));
    let repeated = Left::read(&world.store()).digest(|name| !is_of_index(name));
    if !done.is_new(Work::Close, 0, repeated ^ rows_of_index(&world.store())) {
        return;
    }
    days.close(&world);
    let closed = Left::read(&world.store()).digest(|name| !is_of_index(name));
    if done.is_new(
        Work::VerifyDeeply,
        0,
        closed ^ rows_of_index(&world.store()),
    ) {
        days.verify_deeply(&world, &days.later());
    }
}

/// A digest of every row of the state index: files that came about in different transactions
/// differ in their bytes alone.
fn rows_of_index(store: &Path) -> u64 {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(store.join("state.sqlite"), flags).expect("an index");
    let mut rows = Sha256::new();
    let list = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let mut tables = db.prepare(list).expect("SQL");
    let tables = tables.query_map((), |row| row.get::<_, String>(0));
    for table in tables.expect("tables").map(|name| name.expect("a name")) {
        rows.update(&table);
        let mut all = db.prepare(&format!("SELECT * FROM {table}")).expect("SQL");
        let columns = all.column_count();
        let mut read = all.query(()).expect("rows");
        while let Some(row) = read.next().expect("a row") {
            for column in 0..columns {
                let value = match row.get_ref(column).expect("a value") {
                    ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                    other => format!("{other:?}"),
                };
                rows.update((value.len() as u64).to_le_bytes());
                rows.update(value);
            }
        }
    }
    u64::from_le_bytes(rows.finalize()[..8].try_into().expect("eight bytes"))
}
