//! A disk that keeps synced bytes apart from written ones.
//!
//! A crash keeps the synced bytes and any part of the rest: page by page, in any order, with or
//! without the new length, with or without names whose directory was not synced. A call can be made
//! to fail or to be the last before the crash. After a failed sync the pages count as clean
//! although they never reached the disk, as on Linux: only writing them again saves them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::event_log::storage::{Access, Storage, StorageFile};

/// The fault of a chosen call that changes the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// The call fails, half done; later ones work.
    Fail,
    /// The call is half done, and nothing works after it.
    Crash,
}

/// Clones share the same disk.
#[derive(Clone)]
pub(super) struct ForgetfulDisk(Arc<Mutex<State>>);

struct State {
    page_bytes: usize,
    names: BTreeMap<String, Arc<Mutex<Content>>>,
    durable_names: BTreeMap<String, Arc<Mutex<Content>>>,
    changes: usize,
    fault: Option<(usize, Fault)>,
    down: bool,
}

#[derive(Default)]
struct Content {
    written: Vec<u8>,
    durable: Vec<u8>,
    dirty_pages: BTreeSet<usize>,
    locked: bool,
}

/// SplitMix64; it chooses the bytes that survive a crash.
struct Luck(u64);

impl Luck {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn coin(&mut self) -> bool {
        self.draw() & 1 == 1
    }
}

impl ForgetfulDisk {
    /// With an empty, durable head file, as creating a log leaves it.
    pub(super) fn with_empty_log(page_bytes: usize) -> ForgetfulDisk {
        let names = BTreeMap::from([("head".to_owned(), Arc::default())]);
        let durable_names = names.clone();
        let state = State {
            page_bytes,
            names,
            durable_names,
            changes: 0,
            fault: None,
            down: false,
        };
        ForgetfulDisk(Arc::new(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Calls so far that changed something.
    pub(super) fn changes(&self) -> usize {
        self.state().changes
    }

    /// Lets the call number `change`, counted from 0 as in [`Self::changes`], go wrong.
    pub(super) fn fail_at(&self, change: usize, fault: Fault) {
        self.state().fault = Some((change, fault));
    }

    /// The disk after the power comes back; `seed` chooses which unsynced bytes were kept.
    pub(super) fn after_crash(&self, seed: u64) -> ForgetfulDisk {
        let state = self.state();
        let mut luck = Luck(seed);
        let mut names = state.durable_names.clone();
        for (name, content) in &state.names {
            if !names.contains_key(name) && luck.coin() {
                names.insert(name.clone(), content.clone());
            }
        }
        names.retain(|name, _| state.names.contains_key(name) || luck.coin());
        let kept = |content: &Arc<Mutex<Content>>, luck: &mut Luck| {
            let bytes = content.lock().unwrap().after_crash(state.page_bytes, luck);
            Arc::new(Mutex::new(Content {
                written: bytes.clone(),
                durable: bytes,
                ..Content::default()
            }))
        };
        let names: BTreeMap<_, _> = names
            .iter()
            .map(|(name, content)| (name.clone(), kept(content, &mut luck)))
            .collect();
        let durable_names = names.clone();
        let page_bytes = state.page_bytes;
        ForgetfulDisk(Arc::new(Mutex::new(State {
            page_bytes,
            names,
            durable_names,
            changes: 0,
            fault: None,
            down: false,
        })))
    }

    /// The contents of a file as processes see them.
    pub(super) fn bytes(&self, name: &str) -> Vec<u8> {
        self.state().names[name].lock().unwrap().written.clone()
    }

    /// Flips one bit of a file after the other, counted from the lowest one of its first byte, and
    /// puts the file back.
    pub(super) fn flip_each(
        &self,
        name: &str,
        bits: impl IntoIterator<Item = usize>,
        mut look: impl FnMut(usize),
    ) {
        let whole = self.bytes(name);
        for bit in bits {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            self.put(name, &flipped);
            look(bit);
        }
        self.put(name, &whole);
    }

    /// Puts a file onto the disk, durably.
    pub(super) fn put(&self, name: &str, bytes: &[u8]) {
        let content = Content {
            written: bytes.to_vec(),
            durable: bytes.to_vec(),
            ..Content::default()
        };
        let content = Arc::new(Mutex::new(content));
        let mut state = self.state();
        state.names.insert(name.to_owned(), content.clone());
        state.durable_names.insert(name.to_owned(), content);
    }

    pub(super) fn delete(&self, name: &str) {
        let mut state = self.state();
        state.names.remove(name);
        state.durable_names.remove(name);
    }
}

impl Content {
    fn after_crash(&self, page_bytes: usize, luck: &mut Luck) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        let (short, long) = (
            self.durable.len().min(self.written.len()),
            self.durable.len().max(self.written.len()),
        );
        let length = match luck.draw() % 3 {
            0 => self.durable.len(),
            1 => self.written.len(),
            _ => short + usize::try_from(luck.draw()).unwrap() % (long - short + 1),
        };
        bytes.resize(length, 0);
        for page in self.dirty_pages.iter().filter(|_| luck.coin()) {
            self.copy_page(*page, page_bytes, &mut bytes);
        }
        bytes
    }

    fn copy_page(&self, page: usize, page_bytes: usize, into: &mut [u8]) {
        let start = page * page_bytes;
        let end = (start + page_bytes).min(self.written.len()).min(into.len());
        if start < end {
            into[start..end].copy_from_slice(&self.written[start..end]);
        }
    }

    fn write(&mut self, bytes: &[u8], offset: usize, page_bytes: usize) {
        let end = offset + bytes.len();
        if self.written.len() < end {
            self.written.resize(end, 0);
        }
        self.written[offset..end].copy_from_slice(bytes);
        self.dirty_pages
            .extend(offset / page_bytes..end.div_ceil(page_bytes));
    }

    fn sync(&mut self, page_bytes: usize) {
        let mut durable = std::mem::take(&mut self.durable);
        durable.resize(self.written.len(), 0);
        for page in std::mem::take(&mut self.dirty_pages) {
            self.copy_page(page, page_bytes, &mut durable);
        }
        self.durable = durable;
    }
}

impl State {
    fn check(&self) -> io::Result<()> {
        if self.down {
            Err(io::Error::other("the machine is down"))
        } else {
            Ok(())
        }
    }

    /// Counts a change; true if this is the one to fail.
    fn change(&mut self) -> io::Result<bool> {
        self.check()?;
        let struck = self.fault.filter(|(at, _)| *at == self.changes);
        self.changes += 1;
        self.down = matches!(struck, Some((_, Fault::Crash)));
        Ok(struck.is_some())
    }
}

fn struck() -> io::Error {
    io::Error::other("the disk failed")
}

impl Storage for ForgetfulDisk {
    fn names(&self) -> io::Result<Vec<String>> {
        let state = self.state();
        state.check()?;
        Ok(state.names.keys().cloned().collect())
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn StorageFile>> {
        let mut state = self.state();
        state.check()?;
        if !state.names.contains_key(name) {
            if access != Access::Create {
                return Err(io::ErrorKind::NotFound.into());
            }
            if state.change()? {
                return Err(struck());
            }
            state.names.insert(name.to_owned(), Arc::default());
        }
        let content = state.names[name].clone();
        let page_bytes = state.page_bytes;
        Ok(Box::new(ForgetfulFile {
            disk: self.clone(),
            content,
            page_bytes,
            holds_lock: AtomicBool::new(false),
        }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        if state.change()? {
            return Err(struck());
        }
        state
            .names
            .remove(name)
            .map(drop)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut state = self.state();
        if state.change()? {
            return Err(struck());
        }
        state.durable_names = state.names.clone();
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("forgetful").join(name)
    }
}

struct ForgetfulFile {
    disk: ForgetfulDisk,
    content: Arc<Mutex<Content>>,
    page_bytes: usize,
    holds_lock: AtomicBool,
}

impl ForgetfulFile {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap()
    }
}

impl Drop for ForgetfulFile {
    fn drop(&mut self) {
        if *self.holds_lock.get_mut() {
            self.content().locked = false;
        }
    }
}

impl StorageFile for ForgetfulFile {
    fn len(&self) -> io::Result<u64> {
        self.disk.state().check()?;
        Ok(self.content().written.len() as u64)
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.disk.state().check()?;
        let content = self.content();
        let from = usize::try_from(offset).unwrap().min(content.written.len());
        let length = into.len().min(content.written.len() - from);
        into[..length].copy_from_slice(&content.written[from..from + length]);
        Ok(length)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let failed = self.disk.state().change()?;
        let length = if failed { bytes.len() / 2 } else { bytes.len() };
        self.content().write(
            &bytes[..length],
            usize::try_from(offset).unwrap(),
            self.page_bytes,
        );
        if failed { Err(struck()) } else { Ok(()) }
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        if self.disk.state().change()? {
            return Err(struck());
        }
        let mut content = self.content();
        content.written.resize(usize::try_from(length).unwrap(), 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let (failed, down) = {
            let mut state = self.disk.state();
            (state.change()?, state.down)
        };
        let mut content = self.content();
        match (failed, down) {
            (true, true) => Err(struck()),
            (true, false) => {
                content.dirty_pages.clear();
                Err(struck())
            }
            (false, _) => {
                content.sync(self.page_bytes);
                Ok(())
            }
        }
    }

    fn try_lock(&self) -> io::Result<bool> {
        let mut content = self.content();
        if content.locked {
            return Ok(false);
        }
        content.locked = true;
        self.holds_lock.store(true, Ordering::Relaxed);
        Ok(true)
    }
}
