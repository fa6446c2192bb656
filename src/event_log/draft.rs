//! A draft of the log: a dry run does everything on it that the real run would do on the log.
//!
//! The draft reads the real files and keeps all changes in memory: written and cut bytes, created
//! and removed files. Code that works on it recovers, appends, begins segments and reads its own
//! events back with the same sequences, times and hashes, and the appended events can be shown.
//!
//! Invariant: no file of the log is ever opened for writing. The first writer also takes the real
//! lock, and the draft holds it until [`Draft::end`], so the drafted events continue the true head.
//! Memory grows only with the drafted events.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::event_log::head::{HEAD_FILE, Head};
use crate::event_log::segment;
use crate::event_log::storage::{Access, Storage, StorageFile};

pub(super) struct Draft {
    real: Arc<dyn Storage>,
    changes: Arc<Mutex<Changes>>,
    /// The head at which the first writer began, once there was one.
    began: OnceLock<Head>,
}

/// The differences between the draft and the files.
#[derive(Default)]
struct Changes {
    files: BTreeMap<String, Change>,
    /// The real lock, from the first writer on.
    real_lock: Option<Arc<dyn StorageFile>>,
    /// Whether a writer of this draft holds the lock now.
    is_locked: bool,
}

enum Change {
    Removed,
    Written(Written),
}

/// A file whose first `kept` bytes are those of the real one.
#[derive(Default)]
struct Written {
    kept: u64,
    rest: Vec<u8>,
}

impl Draft {
    pub(super) fn over(real: Arc<dyn Storage>) -> Draft {
        Draft {
            real,
            changes: Arc::default(),
            began: OnceLock::new(),
        }
    }

    /// A writer has recovered the draft and stands at `head`. From here on nothing that others
    /// write is seen, not even after the end.
    pub(super) fn begin(&self, head: Head) -> io::Result<()> {
        if self.began.get().is_none() {
            self.pin(HEAD_FILE)?;
            if head.position > 0 {
                self.pin(&segment::file_name(head.segment))?;
            }
        }
        self.began.get_or_init(|| head);
        Ok(())
    }

    /// Keeps the present state of a file.
    fn pin(&self, name: &str) -> io::Result<()> {
        self.file(name, self.open_real(name)?).change(|_| Ok(()))
    }

    fn file(&self, name: &str, real: Option<Arc<dyn StorageFile>>) -> DraftFile {
        let changes = Arc::clone(&self.changes);
        DraftFile {
            name: name.to_owned(),
            real,
            changes,
            has_lock: AtomicBool::new(false),
        }
    }

    /// Where the first writer began; what was appended follows it.
    pub(super) fn began(&self) -> Option<&Head> {
        self.began.get()
    }

    /// Lets go of the real lock. What was drafted can still be read: it follows lines that nobody
    /// changes any more.
    pub(super) fn end(&self) {
        held(&self.changes).real_lock = None;
    }

    fn open_real(&self, name: &str) -> io::Result<Option<Arc<dyn StorageFile>>> {
        match self.real.open(name, Access::Read) {
            Ok(file) => Ok(Some(Arc::from(file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A panic leaves no change half done, so a poisoned lock is used on.
fn held(changes: &Mutex<Changes>) -> MutexGuard<'_, Changes> {
    changes.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Storage for Draft {
    fn names(&self) -> io::Result<Vec<String>> {
        let changes = held(&self.changes);
        let mut names = self.real.names()?;
        names.retain(|name| !changes.files.contains_key(name));
        let written = changes
            .files
            .iter()
            .filter(|(_, change)| matches!(change, Change::Written(_)));
        names.extend(written.map(|(name, _)| name.clone()));
        Ok(names)
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn StorageFile>> {
        let mut changes = held(&self.changes);
        let is_removed = matches!(changes.files.get(name), Some(Change::Removed));
        let real = if is_removed {
            None
        } else {
            self.open_real(name)?
        };
        let is_written = matches!(changes.files.get(name), Some(Change::Written(_)));
        if real.is_none() && !is_written {
            if access != Access::Create {
                return Err(io::ErrorKind::NotFound.into());
            }
            changes
                .files
                .insert(name.to_owned(), Change::Written(Written::default()));
        }
        Ok(Box::new(self.file(name, real)))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        held(&self.changes)
            .files
            .insert(name.to_owned(), Change::Removed);
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.real.path(name)
    }
}

struct DraftFile {
    name: String,
    real: Option<Arc<dyn StorageFile>>,
    changes: Arc<Mutex<Changes>>,
    has_lock: AtomicBool,
}

impl DraftFile {
    fn real_len(&self) -> io::Result<u64> {
        self.real.as_ref().map_or(Ok(0), |real| real.len())
    }

    fn read_real(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.real
            .as_ref()
            .map_or(Ok(0), |real| real.read_at(into, offset))
    }

    /// Segments are append-only, so their current length is enough. The head file is overwritten in
    /// place, so its bytes are copied.
    fn as_it_is(&self) -> io::Result<Written> {
        let length = self.real_len()?;
        if self.name != HEAD_FILE {
            return Ok(Written {
                kept: length,
                rest: Vec::new(),
            });
        }
        let mut rest = vec![0; length as usize];
        self.read_real(&mut rest, 0)?;
        Ok(Written { kept: 0, rest })
    }

    fn change(&self, change: impl FnOnce(&mut Written) -> io::Result<()>) -> io::Result<()> {
        let mut changes = held(&self.changes);
        let file = match changes.files.entry(self.name.clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Change::Written(self.as_it_is()?)),
        };
        match file {
            Change::Written(written) => change(written),
            Change::Removed => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl StorageFile for DraftFile {
    fn len(&self) -> io::Result<u64> {
        match held(&self.changes).files.get(&self.name) {
            Some(Change::Written(written)) => Ok(written.kept + written.rest.len() as u64),
            Some(Change::Removed) | None => self.real_len(),
        }
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let changes = held(&self.changes);
        let Some(Change::Written(written)) = changes.files.get(&self.name) else {
            return self.read_real(into, offset);
        };
        let kept = written.kept.saturating_sub(offset).min(into.len() as u64) as usize;
        let filled = self.read_real(&mut into[..kept], offset)?;
        if filled < kept {
            return Ok(filled);
        }
        let start = (offset + filled as u64).saturating_sub(written.kept) as usize;
        let rest = written.rest.get(start..).unwrap_or_default();
        let length = rest.len().min(into.len() - filled);
        into[filled..filled + length].copy_from_slice(&rest[..length]);
        Ok(filled + length)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.change(|written| {
            if offset < written.kept {
                let mut taken = vec![0; (written.kept - offset) as usize];
                self.read_real(&mut taken, offset)?;
                taken.append(&mut written.rest);
                *written = Written {
                    kept: offset,
                    rest: taken,
                };
            }
            let start = (offset - written.kept) as usize;
            let end = start + bytes.len();
            if written.rest.len() < end {
                written.rest.resize(end, 0);
            }
            written.rest[start..end].copy_from_slice(bytes);
            Ok(())
        })
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.change(|written| {
            let rest = length.saturating_sub(written.kept) as usize;
            written.kept = written.kept.min(length);
            written.rest.resize(rest, 0);
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    /// Without a head file there is nothing to lock.
    fn try_lock(&self) -> io::Result<bool> {
        let mut changes = held(&self.changes);
        if changes.is_locked {
            return Ok(false);
        }
        if let (None, Some(real)) = (&changes.real_lock, &self.real) {
            if !real.try_lock()? {
                return Ok(false);
            }
            changes.real_lock = Some(Arc::clone(real));
        }
        changes.is_locked = true;
        self.has_lock.store(true, Ordering::Relaxed);
        Ok(true)
    }
}

impl Drop for DraftFile {
    fn drop(&mut self) {
        if self.has_lock.load(Ordering::Relaxed) {
            held(&self.changes).is_locked = false;
        }
    }
}
