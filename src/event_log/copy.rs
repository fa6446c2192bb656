//! Copies of the log: the bytes of its segments, each line checked while it is copied.
//!
//! A copy takes no lock and holds whole batches up to a head that was read once, so it is
//! consistent while others write. Copying again adds only the new events: bytes that the copy
//! already has are read and compared, never written again.
//!
//! Invariant: every line of a copy continues the hash of the line before it. If copying is killed,
//! the copy still has every byte of the extent that it had before.

use sha2::{Digest, Sha256};

use crate::domain::id::Sequence;
use crate::event_log::error::{LogError, Place};
use crate::event_log::hash::Hash;
use crate::event_log::head::{Head, HeadFile};
use crate::event_log::reader::Reader;
use crate::event_log::storage::{Access, Storage, StorageFile};
use crate::event_log::{FileLog, segment};

const CHUNK_BYTES: usize = 1 << 20;

/// The first bytes of a segment, as many as a copy holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentPrefix {
    /// The segment's first sequence.
    pub segment: Sequence,
    pub bytes: u64,
    pub sha256: Hash,
}

/// The segments and bytes that a copy holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Extent {
    /// The end of the last prefix.
    pub head: Head,
    /// In order.
    pub prefixes: Vec<SegmentPrefix>,
}

/// The result of copying.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Copied {
    pub extent: Extent,
    /// Segments that were written to.
    pub segments: u64,
    /// Bytes that were written.
    pub bytes: u64,
    /// Damaged segments of the copy, which were copied again.
    pub renewed: Vec<Sequence>,
}

/// Called with the bytes that are done and the total.
pub type Progress<'a> = &'a dyn Fn(u64, u64);

impl Extent {
    /// The prefixes whose bytes `storage` lacks or has changed. Bytes after a prefix do not belong to
    /// the extent.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn lacking(
        &self,
        storage: &dyn Storage,
        progress: Progress<'_>,
    ) -> Result<Vec<&SegmentPrefix>, LogError> {
        let total = self.prefixes.iter().map(|prefix| prefix.bytes).sum();
        let (mut done, mut lacking) = (0, Vec::new());
        for prefix in &self.prefixes {
            if held(storage, prefix)?.is_none() {
                lacking.push(prefix);
            }
            done += prefix.bytes;
            progress(done, total);
        }
        Ok(lacking)
    }
}

/// A prefix that a storage holds.
struct Held {
    /// The state of SHA-256 after the prefix.
    digest: Sha256,
    /// The length of the file, which may continue after the prefix.
    length: u64,
}

/// The prefix, if `storage` holds it.
fn held(storage: &dyn Storage, prefix: &SegmentPrefix) -> Result<Option<Held>, LogError> {
    let name = segment::file_name(prefix.segment);
    let io = |action, source| LogError::Io {
        action,
        path: storage.path(&name),
        source,
    };
    let file = match storage.open(&name, Access::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(io("open", source)),
    };
    let (mut digest, mut at, mut chunk) = (Sha256::new(), 0, vec![0; CHUNK_BYTES]);
    while at < prefix.bytes {
        let wanted = usize::try_from(prefix.bytes - at)
            .unwrap_or(usize::MAX)
            .min(CHUNK_BYTES);
        let read = file
            .read_at(&mut chunk[..wanted], at)
            .map_err(|source| io("read", source))?;
        if read == 0 {
            return Ok(None);
        }
        digest.update(&chunk[..read]);
        at += read as u64;
    }
    let found = Hash::from_digest(digest.clone().finalize().into());
    let length = file.len().map_err(|source| io("measure", source))?;
    Ok((found == prefix.sha256).then_some(Held { digest, length }))
}

impl FileLog {
    /// Brings the copy on `target`, which holds `extent`, up to the head. Without an extent it
    /// begins a copy.
    ///
    /// # Errors
    /// [`LogError::NotOnChain`] if the extent does not belong to this log, [`LogError::Damaged`] if
    /// bytes to be copied differ from the acknowledged ones. The copy still holds the extent then.
    pub fn copy_to(
        &self,
        target: &dyn Storage,
        extent: Option<&Extent>,
        progress: Progress<'_>,
    ) -> Result<Copied, LogError> {
        let head = self.head()?;
        let prefixes: &[SegmentPrefix] = extent.map_or(&[], |extent| &extent.prefixes);
        if let Some(extent) = extent {
            Reader::after(
                self.storage(),
                head,
                extent.head.sequence,
                &extent.head.hash,
            )?;
        }
        remove_strays(target, prefixes)?;
        let mut copying = Copying::new(self.storage(), target, head, progress)?;
        for (prefix, next) in prefixes.iter().zip(prefixes.iter().skip(1)) {
            copying.finished(prefix, next.segment)?;
        }
        copying.growing(extent)?;
        target.sync_directory().map_err(|source| LogError::Io {
            action: "sync",
            path: target.path(""),
            source,
        })?;
        Ok(copying.copied)
    }
}

/// Removes segments of a copy that was killed before it was complete.
fn remove_strays(target: &dyn Storage, prefixes: &[SegmentPrefix]) -> Result<(), LogError> {
    for first in segment::list(target)? {
        if prefixes.iter().all(|prefix| prefix.segment != first) {
            let name = segment::file_name(first);
            target.remove(&name).map_err(|source| LogError::Io {
                action: "remove",
                path: target.path(&name),
                source,
            })?;
        }
    }
    Ok(())
}

/// Writes `head` into an empty head file on `storage`, durably.
pub fn publish_first_head(storage: &dyn Storage, head: Head) -> Result<(), LogError> {
    let failed = |source| LogError::Io {
        action: "write the head in",
        path: storage.path(""),
        source,
    };
    let file = HeadFile::open(storage, Access::Create)?.expect("created if it was missing");
    file.publish(head, 0)
        .and_then(|()| file.publish(head, 1))
        .and_then(|()| storage.sync_directory())
        .map_err(failed)
}

struct Copying<'s> {
    source: &'s dyn Storage,
    target: &'s dyn Storage,
    head: Head,
    progress: Progress<'s>,
    done: u64,
    total: u64,
    copied: Copied,
}

impl<'s> Copying<'s> {
    fn new(
        source: &'s dyn Storage,
        target: &'s dyn Storage,
        head: Head,
        progress: Progress<'s>,
    ) -> Result<Copying<'s>, LogError> {
        let mut total = head.position;
        for first in segment::list(source)?
            .into_iter()
            .filter(|first| *first < head.segment)
        {
            let file = segment::open(source, first, Access::Read)?;
            let path = || source.path(&segment::file_name(first));
            total += file.len().map_err(|error| LogError::Io {
                action: "measure",
                path: path(),
                source: error,
            })?;
        }
        let extent = Extent {
            head,
            prefixes: Vec::new(),
        };
        let copied = Copied {
            extent,
            segments: 0,
            bytes: 0,
            renewed: Vec::new(),
        };
        Ok(Copying {
            source,
            target,
            head,
            progress,
            done: 0,
            total,
            copied,
        })
    }

    fn advance(&mut self, bytes: u64) {
        self.done += bytes;
        (self.progress)(self.done.min(self.total), self.total);
    }

    /// Copies a prefix after which `next` begins.
    fn finished(&mut self, prefix: &SegmentPrefix, next: Sequence) -> Result<(), LogError> {
        if let Some(held) = held(self.target, prefix)? {
            if held.length > prefix.bytes {
                self.cut(prefix)?;
            }
            self.copied.extent.prefixes.push(prefix.clone());
            self.advance(prefix.bytes);
            return Ok(());
        }
        self.copied.renewed.push(prefix.segment);
        let reader = Reader::from(self.source, self.head, prefix.segment)?;
        self.lines(reader, Sequence(next.0 - 1), None)?;
        if self.copied.extent.prefixes.last() == Some(prefix) {
            return Ok(());
        }
        let place = Place {
            segment: segment::file_name(prefix.segment),
            byte: 0,
            sequence: prefix.segment,
        };
        Err(LogError::Damaged {
            place,
            what: "the segment is not the one that was copied earlier".to_owned(),
        })
    }

    /// Removes the bytes after a prefix that never grows again.
    fn cut(&mut self, prefix: &SegmentPrefix) -> Result<(), LogError> {
        let file = segment::open(self.target, prefix.segment, Access::Write)?;
        let path = self.target.path(&segment::file_name(prefix.segment));
        let cut = file.truncate(prefix.bytes).and_then(|()| file.sync());
        cut.map_err(|source| LogError::Io {
            action: "cut",
            path,
            source,
        })?;
        self.copied.segments += 1;
        self.copied.renewed.push(prefix.segment);
        Ok(())
    }

    /// Copies the last prefix and all lines after it.
    fn growing(&mut self, extent: Option<&Extent>) -> Result<(), LogError> {
        let Some((extent, prefix)) =
            extent.and_then(|extent| Some((extent, extent.prefixes.last()?)))
        else {
            let reader = Reader::from(self.source, self.head, Sequence::FIRST)?;
            return self.lines(reader, self.head.sequence, None);
        };
        let Some(Held { digest, .. }) = held(self.target, prefix)? else {
            self.copied.renewed.push(prefix.segment);
            let reader = Reader::from(self.source, self.head, prefix.segment)?;
            return self.lines(reader, self.head.sequence, None);
        };
        self.advance(prefix.bytes);
        let reader = Reader::after(
            self.source,
            self.head,
            extent.head.sequence,
            &extent.head.hash,
        )?;
        let segment_writer =
            SegmentWriter::open(self.target, prefix.segment, prefix.bytes, digest)?;
        self.lines(reader, self.head.sequence, Some(segment_writer))
    }

    /// Copies lines up to `last`, after the bytes that `segment_writer` holds.
    fn lines(
        &mut self,
        mut reader: Reader<'_>,
        last: Sequence,
        mut segment_writer: Option<SegmentWriter>,
    ) -> Result<(), LogError> {
        let mut text = Vec::new();
        while let Some(line) = reader.next_line()? {
            text.clear();
            text.extend_from_slice(line.text.as_bytes());
            text.push(b'\n');
            let (sequence, more) = (line.sequence, line.more);
            let (segment, end) = reader.position().expect("a line was read");
            if sequence == last && more > 0 {
                let byte = end - text.len() as u64;
                let place = Place {
                    segment: segment::file_name(segment),
                    byte,
                    sequence,
                };
                let what = format!("the copy would end with a batch that lacks {more} events");
                return Err(LogError::Damaged { place, what });
            }
            let mut current = self.sheet_of(segment, segment_writer.take())?;
            let written = current.line(&text, self.target)?;
            if written > 0 {
                self.advance(written);
            }
            segment_writer = Some(current);
            if sequence == last {
                break;
            }
        }
        self.finish(segment_writer)
    }

    /// The open segment writer, if it is the segment's; otherwise it is finished and the next one
    /// begun.
    fn sheet_of(
        &mut self,
        segment: Sequence,
        open: Option<SegmentWriter>,
    ) -> Result<SegmentWriter, LogError> {
        match open {
            Some(segment_writer) if segment_writer.segment == segment => Ok(segment_writer),
            finished => {
                self.finish(finished)?;
                SegmentWriter::open(self.target, segment, 0, Sha256::new())
            }
        }
    }

    fn finish(&mut self, segment_writer: Option<SegmentWriter>) -> Result<(), LogError> {
        let Some(mut segment_writer) = segment_writer else {
            return Ok(());
        };
        let written = segment_writer.write(self.target)?;
        self.advance(written);
        if segment_writer.written > 0 {
            segment_writer
                .file
                .sync()
                .map_err(|source| segment_writer.failed(self.target, source))?;
            failpoint!("copy.segment_done");
            self.copied.segments += 1;
            self.copied.bytes += segment_writer.written;
        }
        let sha256 = Hash::from_digest(segment_writer.digest.finalize().into());
        self.copied.extent.prefixes.push(SegmentPrefix {
            segment: segment_writer.segment,
            bytes: segment_writer.end,
            sha256,
        });
        Ok(())
    }
}

/// A segment of the copy that is being written.
struct SegmentWriter {
    segment: Sequence,
    file: Box<dyn StorageFile>,
    /// The offset of the next bytes.
    end: u64,
    written: u64,
    digest: Sha256,
    waiting: Vec<u8>,
}

impl SegmentWriter {
    /// Continues at `end`; `digest` covers the bytes before. Later bytes are leftovers of a killed
    /// copy.
    fn open(
        target: &dyn Storage,
        segment: Sequence,
        end: u64,
        digest: Sha256,
    ) -> Result<SegmentWriter, LogError> {
        let file = segment::open(target, segment, Access::Create)?;
        let segment_writer = SegmentWriter {
            segment,
            file,
            end,
            written: 0,
            digest,
            waiting: Vec::with_capacity(CHUNK_BYTES),
        };
        segment_writer
            .file
            .truncate(end)
            .map_err(|source| segment_writer.failed(target, source))?;
        Ok(segment_writer)
    }

    fn failed(&self, target: &dyn Storage, source: std::io::Error) -> LogError {
        LogError::Io {
            action: "write",
            path: target.path(&segment::file_name(self.segment)),
            source,
        }
    }

    /// Adds a line and its newline. Returns the number of bytes that were written now.
    fn line(&mut self, text: &[u8], target: &dyn Storage) -> Result<u64, LogError> {
        self.waiting.extend_from_slice(text);
        if self.waiting.len() < CHUNK_BYTES {
            Ok(0)
        } else {
            self.write(target)
        }
    }

    fn write(&mut self, target: &dyn Storage) -> Result<u64, LogError> {
        failpoint!(
            "copy.mid_segment",
            self.file
                .write_at(&self.waiting[..self.waiting.len() / 2], self.end)
        );
        self.file
            .write_at(&self.waiting, self.end)
            .map_err(|source| self.failed(target, source))?;
        self.digest.update(&self.waiting);
        let bytes = self.waiting.len() as u64;
        self.end += bytes;
        self.written += bytes;
        self.waiting.clear();
        Ok(bytes)
    }
}
