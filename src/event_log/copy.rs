//! Copies of the log: the bytes of its segments, each line checked while it is copied.
//!
//! A copy holds whole batches up to a head that was read once, so it is consistent while others
//! write, and takes no lock. It is brought on by what the log has got since: bytes that the copy
//! holds already are read and compared, never written again.
//!
//! What must hold: no line reaches a copy whose hash does not continue the line before it; killed
//! anywhere, a copy still holds every byte of the extent it was begun with.

use sha2::{Digest, Sha256};

use crate::domain::id::Sequence;
use crate::event_log::error::{LogError, Place};
use crate::event_log::hash::Hash;
use crate::event_log::head::{Head, HeadFile};
use crate::event_log::reader::Reader;
use crate::event_log::storage::{Access, Storage, StorageFile};
use crate::event_log::{FileLog, segment};

const CHUNK_BYTES: usize = 1 << 20;

/// The beginning of a segment, as far as a copy holds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece {
    /// The segment's first sequence.
    pub segment: Sequence,
    pub bytes: u64,
    pub sha256: Hash,
}

/// What a copy holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Extent {
    /// The end of the last piece.
    pub head: Head,
    /// In order.
    pub pieces: Vec<Piece>,
}

/// What copying did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Copied {
    pub extent: Extent,
    /// Segments that were written to.
    pub segments: u64,
    /// Bytes that were written.
    pub bytes: u64,
    /// Segments that the copy no longer held as it ought to, and that were made good.
    pub renewed: Vec<Sequence>,
}

/// Told the bytes that are done and all bytes.
pub type Progress<'a> = &'a dyn Fn(u64, u64);

impl Extent {
    /// The pieces that `storage` does not hold as this extent says. What stands behind a piece is
    /// not the extent's.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn lacking(
        &self,
        storage: &dyn Storage,
        progress: Progress<'_>,
    ) -> Result<Vec<&Piece>, LogError> {
        let total = self.pieces.iter().map(|piece| piece.bytes).sum();
        let (mut done, mut lacking) = (0, Vec::new());
        for piece in &self.pieces {
            if held(storage, piece)?.is_none() {
                lacking.push(piece);
            }
            done += piece.bytes;
            progress(done, total);
        }
        Ok(lacking)
    }
}

/// A piece that is there.
struct Held {
    /// The state of SHA-256 behind it.
    digest: Sha256,
    /// Of the file, which may go on behind the piece.
    length: u64,
}

/// The piece, if `storage` holds it.
fn held(storage: &dyn Storage, piece: &Piece) -> Result<Option<Held>, LogError> {
    let name = segment::file_name(piece.segment);
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
    while at < piece.bytes {
        let wanted = usize::try_from(piece.bytes - at)
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
    Ok((found == piece.sha256).then_some(Held { digest, length }))
}

impl FileLog {
    /// Brings the copy on `target`, which holds `extent`, up to the head; begins one without it.
    ///
    /// # Errors
    /// [`LogError::NotOnChain`] if the extent is not the past of this log, [`LogError::Damaged`]
    /// if what is to be copied is not what was acknowledged. The extent is held as before.
    pub fn copy_to(
        &self,
        target: &dyn Storage,
        extent: Option<&Extent>,
        progress: Progress<'_>,
    ) -> Result<Copied, LogError> {
        let head = self.head()?;
        let pieces: &[Piece] = extent.map_or(&[], |extent| &extent.pieces);
        if let Some(extent) = extent {
            Reader::after(
                self.storage(),
                head,
                extent.head.sequence,
                &extent.head.hash,
            )?;
        }
        remove_strays(target, pieces)?;
        let mut copying = Copying::new(self.storage(), target, head, progress)?;
        for (piece, next) in pieces.iter().zip(pieces.iter().skip(1)) {
            copying.finished(piece, next.segment)?;
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

/// Segments of a copy that was killed before it was complete.
fn remove_strays(target: &dyn Storage, pieces: &[Piece]) -> Result<(), LogError> {
    for first in segment::list(target)? {
        if pieces.iter().all(|piece| piece.segment != first) {
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

/// Says in an empty head file on `storage` that the log ends with `head`, durably.
///
/// # Errors
/// If it cannot be written.
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
            pieces: Vec::new(),
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

    /// A piece behind which `next` begins.
    fn finished(&mut self, piece: &Piece, next: Sequence) -> Result<(), LogError> {
        if let Some(held) = held(self.target, piece)? {
            if held.length > piece.bytes {
                self.cut(piece)?;
            }
            self.copied.extent.pieces.push(piece.clone());
            self.advance(piece.bytes);
            return Ok(());
        }
        self.copied.renewed.push(piece.segment);
        let reader = Reader::from(self.source, self.head, piece.segment)?;
        self.lines(reader, Sequence(next.0 - 1), None)?;
        if self.copied.extent.pieces.last() == Some(piece) {
            return Ok(());
        }
        let place = Place {
            segment: segment::file_name(piece.segment),
            byte: 0,
            sequence: piece.segment,
        };
        Err(LogError::Damaged {
            place,
            what: "the segment is not the one that was copied earlier".to_owned(),
        })
    }

    /// Takes away what stands behind a piece that never grows again.
    fn cut(&mut self, piece: &Piece) -> Result<(), LogError> {
        let file = segment::open(self.target, piece.segment, Access::Write)?;
        let path = self.target.path(&segment::file_name(piece.segment));
        let cut = file.truncate(piece.bytes).and_then(|()| file.sync());
        cut.map_err(|source| LogError::Io {
            action: "cut",
            path,
            source,
        })?;
        self.copied.segments += 1;
        self.copied.renewed.push(piece.segment);
        Ok(())
    }

    /// The last piece, and all that comes behind it.
    fn growing(&mut self, extent: Option<&Extent>) -> Result<(), LogError> {
        let Some((extent, piece)) = extent.and_then(|extent| Some((extent, extent.pieces.last()?)))
        else {
            let reader = Reader::from(self.source, self.head, Sequence::FIRST)?;
            return self.lines(reader, self.head.sequence, None);
        };
        let Some(Held { digest, .. }) = held(self.target, piece)? else {
            self.copied.renewed.push(piece.segment);
            let reader = Reader::from(self.source, self.head, piece.segment)?;
            return self.lines(reader, self.head.sequence, None);
        };
        self.advance(piece.bytes);
        let reader = Reader::after(
            self.source,
            self.head,
            extent.head.sequence,
            &extent.head.hash,
        )?;
        let sheet = Sheet::open(self.target, piece.segment, piece.bytes, digest)?;
        self.lines(reader, self.head.sequence, Some(sheet))
    }

    /// Copies lines up to `last`, going on behind what `sheet` holds.
    fn lines(
        &mut self,
        mut reader: Reader<'_>,
        last: Sequence,
        mut sheet: Option<Sheet>,
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
            let mut current = self.sheet_of(segment, sheet.take())?;
            let written = current.line(&text, self.target)?;
            if written > 0 {
                self.advance(written);
            }
            sheet = Some(current);
            if sequence == last {
                break;
            }
        }
        self.finish(sheet)
    }

    /// The sheet that is open, if it is the segment's; else it is finished and the next begun.
    fn sheet_of(&mut self, segment: Sequence, open: Option<Sheet>) -> Result<Sheet, LogError> {
        match open {
            Some(sheet) if sheet.segment == segment => Ok(sheet),
            finished => {
                self.finish(finished)?;
                Sheet::open(self.target, segment, 0, Sha256::new())
            }
        }
    }

    fn finish(&mut self, sheet: Option<Sheet>) -> Result<(), LogError> {
        let Some(mut sheet) = sheet else {
            return Ok(());
        };
        let written = sheet.write(self.target)?;
        self.advance(written);
        if sheet.written > 0 {
            sheet
                .file
                .sync()
                .map_err(|source| sheet.failed(self.target, source))?;
            failpoint!("copy.segment_done");
            self.copied.segments += 1;
            self.copied.bytes += sheet.written;
        }
        let sha256 = Hash::from_digest(sheet.digest.finalize().into());
        self.copied.extent.pieces.push(Piece {
            segment: sheet.segment,
            bytes: sheet.end,
            sha256,
        });
        Ok(())
    }
}

/// A segment of the copy that is being written.
struct Sheet {
    segment: Sequence,
    file: Box<dyn StorageFile>,
    /// Where the next bytes go.
    end: u64,
    written: u64,
    digest: Sha256,
    waiting: Vec<u8>,
}

impl Sheet {
    /// Goes on at `end`; `digest` has taken in what stands before. What stands behind is left of a
    /// copy that was killed.
    fn open(
        target: &dyn Storage,
        segment: Sequence,
        end: u64,
        digest: Sha256,
    ) -> Result<Sheet, LogError> {
        let file = segment::open(target, segment, Access::Create)?;
        let sheet = Sheet {
            segment,
            file,
            end,
            written: 0,
            digest,
            waiting: Vec::with_capacity(CHUNK_BYTES),
        };
        sheet
            .file
            .truncate(end)
            .map_err(|source| sheet.failed(target, source))?;
        Ok(sheet)
    }

    fn failed(&self, target: &dyn Storage, source: std::io::Error) -> LogError {
        LogError::Io {
            action: "write",
            path: target.path(&segment::file_name(self.segment)),
            source,
        }
    }

    /// Takes a line with its newline; the bytes that were written on this occasion.
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
