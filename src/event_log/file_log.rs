//! The log in a directory of files.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::domain::id::Sequence;
use crate::event_log::draft::Draft;
use crate::event_log::error::LogError;
use crate::event_log::hash::Hash;
use crate::event_log::head::{HEAD_FILE, Head, HeadFile, HeadFileState, Published};
use crate::event_log::reader::Reader;
use crate::event_log::remote::role::Role;
use crate::event_log::remote::{Remote, TurnOf};
use crate::event_log::segment::OwnedLine;
use crate::event_log::storage::{Access, Disk, Storage};
use crate::event_log::tail::{self, Cutting, Tail};
use crate::event_log::writer::{Link, Recovery, Sending, Writer};
use crate::event_log::{Line, Patience, segment};
use crate::files::lock::wait_until;

/// A new segment is begun before a batch that would make the current one longer.
pub const SEGMENT_BYTES_MAX: u64 = 64 << 20;

pub struct FileLog {
    storage: Arc<dyn Storage>,
    segment_bytes_max: u64,
    /// The same storage, if this is a draft.
    draft: Option<Arc<Draft>>,
    /// Replaces the head of the head file.
    given_head: Option<Head>,
    /// The log of which this one is a copy.
    remote: Option<Arc<dyn Remote>>,
}

impl FileLog {
    /// A log on `storage`, which may be empty.
    pub fn on(storage: Box<dyn Storage>) -> FileLog {
        FileLog {
            storage: Arc::from(storage),
            segment_bytes_max: SEGMENT_BYTES_MAX,
            draft: None,
            given_head: None,
            remote: None,
        }
    }

    /// This log as a copy of `remote`, which its writers follow and send to.
    #[must_use]
    pub fn copying(self, remote: Arc<dyn Remote>) -> FileLog {
        FileLog {
            remote: Some(remote),
            ..self
        }
    }

    /// `other`, opened in the same directory, with the remote of this log.
    #[must_use]
    pub fn beside(&self, other: FileLog) -> FileLog {
        FileLog {
            remote: self.remote.clone(),
            ..other
        }
    }

    /// Makes a log without events a copy of `remote`.
    ///
    /// # Errors
    /// If the role cannot be written.
    pub fn become_copy(self, role: &Role, remote: Arc<dyn Remote>) -> Result<FileLog, LogError> {
        role.write(self.storage())?;
        Ok(self.copying(remote))
    }

    /// The remote of a copy.
    pub fn remote(&self) -> Option<&Arc<dyn Remote>> {
        self.remote.as_ref()
    }

    /// The remote that the files of this log name; `None` if it is no copy.
    ///
    /// # Errors
    /// If the file that names the remote cannot be read.
    pub fn role(&self) -> Result<Option<Role>, LogError> {
        Role::read(self.storage())
    }

    /// This log for a dry run: appended events stay in memory, after the true head. The first
    /// writer takes the real lock, and the draft holds it until [`FileLog::end_draft`].
    #[must_use]
    pub fn draft(self) -> FileLog {
        let draft = Arc::new(Draft::over(self.storage));
        FileLog {
            storage: Arc::clone(&draft) as Arc<dyn Storage>,
            draft: Some(draft),
            ..self
        }
    }

    /// Whether appended events stay in memory.
    pub fn is_draft(&self) -> bool {
        self.draft.is_some()
    }

    /// Whether this log may hold events that are not on the disk: it is a draft and was written to.
    /// Nobody may store rows that follow from them.
    pub fn has_drafted(&self) -> bool {
        self.draft
            .as_ref()
            .is_some_and(|draft| draft.began().is_some())
    }

    /// Releases the lock; nothing more can be appended.
    pub fn end_draft(&self) {
        if let Some(draft) = &self.draft {
            draft.end();
        }
    }

    /// Visits every event that was appended to a draft, without the events that recovery would
    /// publish: an earlier command appended those.
    ///
    /// # Errors
    /// The error of `visit`.
    pub fn for_each_drafted<E: From<LogError>>(
        &self,
        mut visit: impl FnMut(&Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(began) = self.draft.as_ref().and_then(|draft| draft.began()) else {
            return Ok(());
        };
        let mut reader = self.read_after(began.sequence, &began.hash)?;
        while let Some(line) = reader.next_line()? {
            visit(&line)?;
        }
        Ok(())
    }

    /// A log that is read up to `head` and never written, whatever follows: a copy, or the past of
    /// a log.
    pub fn as_of(storage: Box<dyn Storage>, head: Head) -> FileLog {
        FileLog {
            given_head: Some(head),
            ..FileLog::on(storage)
        }
    }

    pub(super) fn storage(&self) -> &dyn Storage {
        self.storage.as_ref()
    }

    /// Changes the length of segments from [`SEGMENT_BYTES_MAX`].
    #[must_use]
    pub fn with_segment_bytes_max(mut self, bytes: u64) -> FileLog {
        self.segment_bytes_max = bytes;
        self
    }

    /// Opens an existing log.
    ///
    /// # Errors
    /// [`LogError::Missing`] if the directory is not there.
    pub fn open(directory: &Path) -> Result<FileLog, LogError> {
        use std::io::ErrorKind::{NotADirectory, NotFound};
        let path = || directory.to_owned();
        match Disk::open(directory) {
            Ok(disk) => Ok(FileLog::on(Box::new(disk))),
            Err(source) if matches!(source.kind(), NotFound | NotADirectory) => {
                Err(LogError::Missing { path: path() })
            }
            Err(source) => Err(LogError::Io {
                action: "look into",
                path: path(),
                source,
            }),
        }
    }

    /// Whether both head and segments are gone, so that nothing tells to which company the log
    /// belonged.
    pub fn is_lost(&self) -> Result<bool, LogError> {
        let io = |source| LogError::Io {
            action: "list",
            path: self.storage.path(""),
            source,
        };
        let names = self.storage.names().map_err(io)?;
        Ok(!names.iter().any(|name| is_of_a_log(name)))
    }

    /// Creates the directory and an empty head. Its contents are durable after the first append,
    /// the directory itself after the caller has synced its parent.
    ///
    /// # Errors
    /// [`LogError::Exists`] if there is a log already.
    pub fn create(directory: &Path) -> Result<FileLog, LogError> {
        let io = |action, source| LogError::Io {
            action,
            path: directory.to_owned(),
            source,
        };
        std::fs::create_dir_all(directory).map_err(|source| io("create", source))?;
        let log = FileLog::on(Box::new(
            Disk::open(directory).map_err(|source| io("open", source))?,
        ));
        let used = log.storage.names().map_err(|source| io("list", source))?;
        if used.iter().any(|name| is_of_a_log(name)) {
            return Err(LogError::Exists {
                path: directory.to_owned(),
            });
        }
        log.storage
            .open(HEAD_FILE, Access::Create)
            .map_err(|source| io("create", source))?;
        Ok(log)
    }

    /// Takes the writer lock, waiting as long as `patience` allows, and recovers the tail.
    ///
    /// # Errors
    /// [`LogError::Locked`] names the holder.
    pub fn writer(&self, patience: &Patience) -> Result<Writer<'_>, LogError> {
        let begin = Instant::now();
        let head_file = self.locked_head_file(patience)?;
        let wait = patience.wait.saturating_sub(begin.elapsed());
        let link = self.remote.as_deref().map(|remote| {
            let sending = match &self.draft {
                Some(_) => Sending::Drafted,
                None => Sending::InTurn(remote.turn(TurnOf::Writer, &patience.holder, wait)?),
            };
            Ok::<_, LogError>(Link { remote, sending })
        });
        let mut writer = Writer::open(
            self.storage.as_ref(),
            head_file,
            self.segment_bytes_max,
            Cutting::Unasked,
            link.transpose()?,
        )?;
        match &self.draft {
            Some(draft) => {
                writer.forget_recovery();
                let path = self.storage.path(HEAD_FILE);
                draft.begin(*writer.head()).map_err(|source| LogError::Io {
                    action: "read",
                    path,
                    source,
                })?;
            }
            None => writer.name_holder(&patience.holder),
        }
        Ok(writer)
    }

    pub(super) fn locked_head_file(&self, patience: &Patience) -> Result<HeadFile, LogError> {
        assert!(
            self.given_head.is_none(),
            "a log as of some head is not written"
        );
        let head_file = match HeadFile::open(self.storage.as_ref(), Access::Write)? {
            Some(file) => file,
            None => self.recreate_head_file()?,
        };
        self.lock(&head_file, patience)?;
        Ok(head_file)
    }

    /// Takes the writer lock and settles nothing, so that the caller can first examine and copy the
    /// tail.
    ///
    /// # Errors
    /// [`LogError::Locked`]
    pub fn lock_unsettled(&self, patience: &Patience) -> Result<LockedLog<'_>, LogError> {
        let head_file = self.locked_head_file(patience)?;
        let _ = head_file.name_holder(&patience.holder);
        Ok(LockedLog {
            log: self,
            head_file,
        })
    }

    /// The holder of the writer lock, as it describes itself; `None` if nobody holds it. The lock
    /// is tried and released at once.
    ///
    /// # Errors
    /// If the head file cannot be opened or locked.
    pub fn writer_lock_holder(&self) -> Result<Option<String>, LogError> {
        let Some(file) = HeadFile::open(self.storage(), Access::Read)? else {
            return Ok(None);
        };
        let is_free = file.try_lock().map_err(|source| LogError::Io {
            action: "lock",
            path: self.storage.path(HEAD_FILE),
            source,
        })?;
        Ok((!is_free).then(|| file.holder()))
    }

    /// Settles the tail and a torn slot of the head that a crash may have left, so that readers see
    /// the whole batches of the tail. A working writer looks the same from outside, so this waits
    /// for it.
    ///
    /// # Errors
    /// As [`FileLog::writer`].
    pub fn settle(&self, patience: &Patience) -> Result<Recovery, LogError> {
        let has_lost_slot = self.published()?.head_file == HeadFileState::OneSlot;
        if has_lost_slot || tail::is_in_the_way(self.storage(), &self.head()?)? {
            return Ok(self.writer(patience)?.recovery());
        }
        Ok(Recovery::default())
    }

    /// Fetches the events that the remote has behind the head of this copy. Nothing is sent. If a
    /// writer is at work, it has followed the remote, and nothing is done.
    ///
    /// # Errors
    /// If the remote cannot be reached, has another history, or the lines cannot be written.
    pub fn follow(&self) -> Result<(), LogError> {
        let Some(remote) = self.remote.as_deref().filter(|_| !self.is_draft()) else {
            return Ok(());
        };
        let there = remote.standing()?.end;
        let published = self.published()?;
        let is_sound = published.head_file == HeadFileState::Sound;
        if is_sound && there == (published.head.sequence, published.head.hash) {
            return Ok(());
        }
        let at_once = Patience {
            wait: Duration::ZERO,
            holder: String::new(),
        };
        let head_file = match self.locked_head_file(&at_once) {
            Err(LogError::Locked { .. }) => return Ok(()),
            other => other?,
        };
        let link = Link {
            remote,
            sending: Sending::Nothing,
        };
        Writer::open(
            self.storage.as_ref(),
            head_file,
            self.segment_bytes_max,
            Cutting::Unasked,
            Some(link),
        )
        .map(drop)
    }

    fn recreate_head_file(&self) -> Result<HeadFile, LogError> {
        self.check_is_there()?;
        let created = HeadFile::open(self.storage.as_ref(), Access::Create)?;
        created.ok_or_else(|| LogError::Missing {
            path: self.storage.path(""),
        })
    }

    /// # Errors
    /// [`LogError::Missing`] if there are no segments.
    fn check_is_there(&self) -> Result<(), LogError> {
        if segment::list(self.storage())?.is_empty() {
            return Err(LogError::Missing {
                path: self.storage.path(""),
            });
        }
        Ok(())
    }

    /// The head that the head file names, read without a lock.
    fn published(&self) -> Result<Published, LogError> {
        match HeadFile::open(self.storage(), Access::Read)? {
            Some(file) => file.published_at_rest(self.storage()),
            None => self.check_is_there().map(|()| Published::LOST),
        }
    }

    fn lock(&self, head_file: &HeadFile, patience: &Patience) -> Result<(), LogError> {
        let taken = wait_until(patience.wait, || head_file.try_lock());
        if taken.map_err(|source| LogError::Io {
            action: "lock",
            path: self.storage.path(HEAD_FILE),
            source,
        })? {
            return Ok(());
        }
        Err(LogError::Locked {
            holder: head_file.holder(),
            waited_millis: patience.wait.as_millis(),
        })
    }

    /// The last acknowledged event.
    ///
    /// # Errors
    /// If the log is missing, damaged or unreadable.
    pub fn head(&self) -> Result<Head, LogError> {
        if let Some(head) = self.given_head {
            return Ok(head);
        }
        let published = self.published()?;
        match published.head_file {
            HeadFileState::Sound => Ok(published.head),
            // Behind the older slot of a copy there may be a batch that the remote never took.
            HeadFileState::OneSlot if self.remote.is_some() => Ok(published.head),
            HeadFileState::OneSlot | HeadFileState::Lost => {
                tail::examine(self.storage(), &published)?.acknowledged()
            }
        }
    }

    /// All bytes after the head. Nothing is written and no lock is taken.
    ///
    /// # Errors
    /// [`LogError::Damaged`] if the log ends before the head.
    pub fn tail(&self) -> Result<Tail, LogError> {
        tail::examine(self.storage(), &self.published()?)
    }

    /// A reader from `from` on. It takes the hash of the line before as it is stated there.
    ///
    /// # Errors
    /// [`LogError::NotOnChain`] if the log ends before `from - 1`.
    pub fn read(&self, from: Sequence) -> Result<Reader<'_>, LogError> {
        Reader::from(self.storage.as_ref(), self.head()?, from)
    }

    /// A reader of the events after a checkpoint.
    ///
    /// # Errors
    /// [`LogError::NotOnChain`] if the checkpoint was made from another log.
    pub fn read_after(&self, checkpoint: Sequence, hash: &Hash) -> Result<Reader<'_>, LogError> {
        Reader::after(self.storage.as_ref(), self.head()?, checkpoint, hash)
    }

    /// One event.
    ///
    /// # Errors
    /// [`LogError::NotOnChain`] if there is none at `sequence`.
    pub fn line(&self, sequence: Sequence) -> Result<OwnedLine, LogError> {
        if sequence == Sequence::ZERO {
            return Err(LogError::NotOnChain { sequence });
        }
        let mut reader = self.read(sequence)?;
        let line = reader
            .next_line()?
            .ok_or(LogError::NotOnChain { sequence })?;
        Ok(OwnedLine::from_line(&line))
    }

    /// Visits every acknowledged event from `from` on. Returns the head up to which it read.
    ///
    /// # Errors
    /// The first damage, or the error of `visit`.
    pub fn for_each(
        &self,
        from: Sequence,
        visit: &mut dyn FnMut(&Line<'_>) -> Result<(), LogError>,
    ) -> Result<Head, LogError> {
        let mut reader = self.read(from)?;
        while let Some(line) = reader.next_line()? {
            visit(&line)?;
        }
        Ok(*reader.head())
    }
}

/// A log whose writer lock is held and whose tail is not settled yet.
pub struct LockedLog<'l> {
    log: &'l FileLog,
    head_file: HeadFile,
}

impl LockedLog<'_> {
    /// Publishes whole batches after the head, cuts the rest, and writes both slots of the head
    /// again if one was bad.
    ///
    /// # Errors
    /// If the log is damaged or cannot be written.
    pub fn settle(self) -> Result<(Head, Recovery), LogError> {
        let mut writer = Writer::open(
            self.log.storage(),
            self.head_file,
            u64::MAX,
            Cutting::Approved,
            None,
        )?;
        writer.settle_the_rest()?;
        Ok((*writer.head(), writer.recovery()))
    }
}

fn is_of_a_log(name: &str) -> bool {
    name == HEAD_FILE || segment::first_sequence(name).is_some()
}
