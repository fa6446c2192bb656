//! Segments: `log/<first sequence, 20 digits>.ndjson`.

use crate::domain::id::Sequence;
use crate::event_log::error::{LogError, Place};
use crate::event_log::head::Head;
use crate::event_log::line::Line;
use crate::event_log::storage::{Access, Storage, StorageFile};

const EXTENSION: &str = ".ndjson";

pub fn file_name(first: Sequence) -> String {
    format!("{:020}{EXTENSION}", first.0)
}

/// The first sequence in a file name, if it is the name of a segment.
pub fn first_sequence(name: &str) -> Option<Sequence> {
    let digits = name.strip_suffix(EXTENSION)?;
    let shaped = digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit());
    shaped.then(|| digits.parse().ok()).flatten().map(Sequence)
}

/// The first sequences of all segments, in order.
pub fn list(storage: &dyn Storage) -> Result<Vec<Sequence>, LogError> {
    let names = storage.names().map_err(|source| LogError::Io {
        action: "list",
        path: storage.path(""),
        source,
    })?;
    let mut segments: Vec<_> = names
        .iter()
        .filter_map(|name| first_sequence(name))
        .collect();
    segments.sort_unstable();
    Ok(segments)
}

pub fn open(
    storage: &dyn Storage,
    first: Sequence,
    access: Access,
) -> Result<Box<dyn StorageFile>, LogError> {
    let name = file_name(first);
    storage.open(&name, access).map_err(|source| LogError::Io {
        action: "open",
        path: storage.path(&name),
        source,
    })
}

pub(super) fn length(storage: &dyn Storage, first: Sequence) -> Result<u64, LogError> {
    open(storage, first, Access::Read)?
        .len()
        .map_err(|source| io_error(storage, "measure", first, source))
}

/// All bytes of a segment from `from` on, even those after the head.
pub(super) fn read_from(
    storage: &dyn Storage,
    first: Sequence,
    from: u64,
) -> Result<Vec<u8>, LogError> {
    let io = |action| move |source| io_error(storage, action, first, source);
    let file = open(storage, first, Access::Read)?;
    let length = file.len().map_err(io("measure"))?;
    let length = usize::try_from(length.saturating_sub(from)).unwrap_or(usize::MAX);
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(length)
        .map_err(|_| io("read")(std::io::ErrorKind::OutOfMemory.into()))?;
    bytes.resize(length, 0);
    let read = file.read_at(&mut bytes, from).map_err(io("read"))?;
    bytes.truncate(read);
    Ok(bytes)
}

pub(super) fn io_error(
    storage: &dyn Storage,
    action: &'static str,
    first: Sequence,
    source: std::io::Error,
) -> LogError {
    LogError::Io {
        action,
        path: storage.path(&file_name(first)),
        source,
    }
}

/// One segment open for reading, bounded by the head.
pub(super) struct Segment {
    pub first: Sequence,
    /// The byte after the last acknowledged line.
    pub end: u64,
    file: Box<dyn StorageFile>,
}

impl Segment {
    /// Opens a segment that the head vouches for.
    pub(super) fn open(
        storage: &dyn Storage,
        first: Sequence,
        head: &Head,
    ) -> Result<Segment, LogError> {
        let file = match storage.open(&file_name(first), Access::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let place = Place {
                    segment: file_name(first),
                    byte: 0,
                    sequence: first,
                };
                let why = error
                    .get_ref()
                    .map_or_else(String::new, |why| format!(": {why}"));
                return Err(LogError::Damaged {
                    place,
                    what: format!("the segment is missing{why}"),
                });
            }
            Err(source) => {
                return Err(LogError::Io {
                    action: "open",
                    path: storage.path(&file_name(first)),
                    source,
                });
            }
        };
        let length = file.len().map_err(|source| LogError::Io {
            action: "measure",
            path: storage.path(&file_name(first)),
            source,
        })?;
        let end = if first == head.segment {
            head.position
        } else {
            length
        };
        if length < end {
            let place = Place {
                segment: file_name(first),
                byte: length,
                sequence: head.sequence,
            };
            let what = format!("the segment ends here, but {end} bytes are acknowledged");
            return Err(LogError::Damaged { place, what });
        }
        Ok(Segment { first, end, file })
    }

    pub(super) fn place(&self, byte: u64, sequence: Sequence) -> Place {
        Place {
            segment: file_name(self.first),
            byte,
            sequence,
        }
    }

    fn damaged(&self, byte: u64, sequence: Sequence, what: impl Into<String>) -> LogError {
        LogError::Damaged {
            place: self.place(byte, sequence),
            what: what.into(),
        }
    }

    /// Reads up to the acknowledged end.
    pub(super) fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize, LogError> {
        let length = usize::try_from(self.end.saturating_sub(offset))
            .unwrap_or(usize::MAX)
            .min(into.len());
        self.file
            .read_at(&mut into[..length], offset)
            .map_err(|source| LogError::Io {
                action: "read",
                path: file_name(self.first).into(),
                source,
            })
    }

    /// The first byte of the line with `sequence`, by binary search over bytes. A sequence that
    /// follows the last line gives the end.
    pub(super) fn seek(&self, sequence: Sequence) -> Result<u64, LogError> {
        if sequence == self.first {
            return Ok(0);
        }
        // `low` is the start of a line at or before the wanted one; all lines at or after `high`
        // are later.
        let (mut low, mut high) = (0, self.end);
        while low < high {
            let middle = low + (high - low) / 2;
            let Some(start) = self.next_line_start(middle)?.filter(|start| *start < high) else {
                high = middle;
                continue;
            };
            match self.sequence_at(start)? {
                found if found == sequence => return Ok(start),
                found if found < sequence => low = start + 1,
                _ => high = middle,
            }
        }
        match self.next_line_start(low)? {
            Some(start) if start < self.end => {
                Err(self.damaged(start, sequence, "this sequence is missing"))
            }
            _ => Ok(self.end),
        }
    }

    /// The start of the first line that begins at or after `offset`.
    pub(super) fn next_line_start(&self, offset: u64) -> Result<Option<u64>, LogError> {
        if offset == 0 {
            return Ok(Some(0));
        }
        let mut at = offset - 1;
        let mut chunk = [0; 4096];
        loop {
            let length = self.read_at(&mut chunk, at)?;
            if length == 0 {
                return Ok(None);
            }
            if let Some(newline) = memchr::memchr(b'\n', &chunk[..length]) {
                return Ok(Some(at + newline as u64 + 1));
            }
            at += length as u64;
        }
    }

    fn sequence_at(&self, start: u64) -> Result<Sequence, LogError> {
        let mut beginning = [0; 512];
        let length = self.read_at(&mut beginning, start)?;
        let marker = br#","sequence":""#;
        let found = beginning[..length]
            .windows(marker.len())
            .position(|window| window == marker);
        let digits =
            found.and_then(|at| beginning[..length].get(at + marker.len()..at + marker.len() + 20));
        let number = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| digits.parse().ok());
        number
            .map(Sequence)
            .ok_or_else(|| self.damaged(start, self.first, "no sequence where a line begins"))
    }

    /// The line that ends just before `end`, newline excluded, and its first byte.
    pub(super) fn line_before(&self, end: u64) -> Result<(u64, Vec<u8>), LogError> {
        let mut window = 4096_u64;
        loop {
            let from = end.saturating_sub(window);
            let mut bytes = vec![0; usize::try_from(end - from).expect("a window fits memory")];
            let length = self.read_at(&mut bytes, from)?;
            if length < bytes.len() || bytes.last() != Some(&b'\n') {
                return Err(self.damaged(
                    end,
                    self.first,
                    "a line does not end where the next begins",
                ));
            }
            bytes.pop();
            if let Some(newline) = memchr::memrchr(b'\n', &bytes) {
                let start = from + newline as u64 + 1;
                return Ok((start, bytes.split_off(newline + 1)));
            }
            if from == 0 {
                return Ok((0, bytes));
            }
            window *= 4;
        }
    }

    /// The acknowledged line that ends at `end` must carry `sequence`.
    pub(super) fn checked_line_before(
        &self,
        end: u64,
        sequence: Sequence,
    ) -> Result<OwnedLine, LogError> {
        let (start, bytes) = self.line_before(end)?;
        let line = Line::parse(&bytes).map_err(|what| self.damaged(start, sequence, what))?;
        if line.sequence != sequence {
            return Err(self.damaged(
                start,
                sequence,
                format!("found sequence {} instead", line.sequence),
            ));
        }
        Ok(OwnedLine { bytes })
    }
}

/// A line that owns its bytes.
pub struct OwnedLine {
    bytes: Vec<u8>,
}

impl OwnedLine {
    pub(super) fn from_line(line: &Line<'_>) -> OwnedLine {
        OwnedLine {
            bytes: line.text.as_bytes().to_vec(),
        }
    }

    /// # Errors
    /// If the bytes are not a line.
    pub fn parse(bytes: &[u8]) -> Result<OwnedLine, String> {
        Line::parse(bytes).map(|line| OwnedLine::from_line(&line))
    }

    pub fn line(&self) -> Line<'_> {
        Line::parse(&self.bytes).expect("parsed when it was read")
    }
}
