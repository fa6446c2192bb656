//! The published head: the last acknowledged event.
//!
//! `log/head` has two slots of 4096 bytes, both written when the log is begun. A publication
//! overwrites the older one, so a torn write leaves the newer one intact, and an unreadable slot
//! may always have been the newer one. Each slot is one line of text:
//!
//! ```text
//! popug-head 1 <sequence> <segment> <position> <hash> <checksum>
//! ```
//!
//! A log that is a copy of a remote has `popug-head 2` there, so that programs that know no remote
//! refuse to write into it.
//!
//! with numbers of 20 digits, `segment` the first sequence of the segment, `position` the byte
//! after the last acknowledged line in it, and `checksum` the first 16 hex digits of the SHA-256 of
//! the text before it. The text after the slots names the last holder of the writer lock, for
//! messages only.

use std::time::Duration;

use crate::domain::id::Sequence;
use crate::event_log::error::LogError;
use crate::event_log::hash::Hash;
use crate::event_log::remote::role;
use crate::event_log::storage::{Access, Storage, StorageFile};
use crate::files::lock::wait_until;

pub const HEAD_FILE: &str = "head";
const SLOT_BYTES: usize = 4096;
/// The time that a slot may take to be overwritten before it counts as lost.
const SLOT_TAKES: Duration = Duration::from_millis(5);
const HOLDER_OFFSET: u64 = 2 * SLOT_BYTES as u64;
/// The format of the head file and of the log.
pub const FORMAT: &str = "popug-head 1";
/// The format of the head file of a copy.
const COPY_FORMAT: &str = "popug-head 2";

/// The last acknowledged event and its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    pub sequence: Sequence,
    pub hash: Hash,
    /// The first sequence of the segment that holds the last event.
    pub segment: Sequence,
    /// The byte after the last event in that segment.
    pub position: u64,
}

impl Head {
    /// The head of a log without events.
    pub const EMPTY: Head = Head {
        sequence: Sequence::ZERO,
        hash: Hash::ZERO,
        segment: Sequence::FIRST,
        position: 0,
    };

    fn to_slot(self, format: &str) -> [u8; SLOT_BYTES] {
        let text = format!(
            "{format} {:020} {:020} {:020} {}",
            self.sequence.0, self.segment.0, self.position, self.hash
        );
        let line = format!("{text} {}", checksum(&text));
        let mut slot = [b' '; SLOT_BYTES];
        slot[..line.len()].copy_from_slice(line.as_bytes());
        slot[SLOT_BYTES - 1] = b'\n';
        slot
    }

    fn from_slot(slot: &[u8]) -> Option<Head> {
        let text = checked_text(slot)?;
        let fields = text
            .strip_prefix(FORMAT)
            .or_else(|| text.strip_prefix(COPY_FORMAT))?;
        let mut fields = fields.strip_prefix(' ')?.split(' ');
        let mut number = || {
            fields
                .next()
                .filter(|field| field.len() == 20)?
                .parse()
                .ok()
        };
        let (sequence, segment, position) = (Sequence(number()?), Sequence(number()?), number()?);
        let hash = fields.next()?.parse().ok()?;
        let is_possible = sequence <= Sequence::MAX
            && segment <= Sequence::MAX.next()
            && position <= Sequence::MAX.0;
        (is_possible && fields.next().is_none()).then_some(Head {
            sequence,
            hash,
            segment,
            position,
        })
    }
}

/// The text of a slot with a right checksum, in any format.
fn checked_text(slot: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(slot)
        .ok()?
        .strip_suffix('\n')?
        .trim_end_matches(' ');
    let (text, sum) = line.rsplit_once(' ')?;
    (sum == checksum(text)).then_some(text)
}

/// The content of a slot of the head file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Slot {
    /// Never written.
    Empty,
    Valid(Head),
    /// Torn by a crash, or damaged later.
    Bad,
}

impl Slot {
    pub(super) const BYTES: u64 = SLOT_BYTES as u64;

    fn read(slot: &[u8]) -> Slot {
        match Head::from_slot(slot) {
            Some(head) => Slot::Valid(head),
            None if slot.iter().all(|byte| *byte == 0) => Slot::Empty,
            None => Slot::Bad,
        }
    }
}

/// The format of a slot. All formats end with the checksum.
fn format_of(slot: &[u8]) -> Option<String> {
    let format: Vec<_> = checked_text(slot)?.splitn(3, ' ').take(2).collect();
    (format.first() == Some(&"popug-head")).then(|| format.join(" "))
}

fn checksum(text: &str) -> String {
    Hash::of_bytes(text.as_bytes()).to_string()[..16].to_owned()
}

/// The open head file.
pub(super) struct HeadFile {
    file: Box<dyn StorageFile>,
    /// Whether the log is a copy of a remote.
    is_copy: bool,
}

/// The state of the head file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeadFileState {
    Sound,
    /// One of the two slots is unreadable. The other one gives a head, but the lost one may have
    /// been newer.
    OneSlot,
    /// The file is missing, or both slots are unreadable: the segments give the head.
    Lost,
}

/// The head according to the head file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Published {
    /// The head of the newer valid slot; [`Head::EMPTY`] if the head file is lost.
    pub head: Head,
    /// The slot that holds it. The next publication overwrites the other one.
    pub slot: usize,
    pub head_file: HeadFileState,
}

impl Published {
    pub(super) const LOST: Published = Published {
        head: Head::EMPTY,
        slot: 1,
        head_file: HeadFileState::Lost,
    };
}

impl HeadFile {
    /// `None` if there is no head file.
    pub(super) fn open(
        storage: &dyn Storage,
        access: Access,
    ) -> Result<Option<HeadFile>, LogError> {
        let is_copy = role::is_copy(storage)?;
        match storage.open(HEAD_FILE, access) {
            Ok(file) => Ok(Some(HeadFile { file, is_copy })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(LogError::Io {
                action: "open",
                path: storage.path(HEAD_FILE),
                source,
            }),
        }
    }

    pub(super) fn is_copy(&self) -> bool {
        self.is_copy
    }

    /// From here on slots are written in the format of a copy.
    pub(super) fn become_copy(&mut self) {
        self.is_copy = true;
    }

    pub(super) fn try_lock(&self) -> std::io::Result<bool> {
        self.file.try_lock()
    }

    /// The head in the newer valid slot. The caller holds the writer lock.
    pub(super) fn published(&self, storage: &dyn Storage) -> Result<Published, LogError> {
        Ok(published_by(self.slots(storage)?))
    }

    /// The same, asked without a lock: a slot that is being written just now does not count as lost.
    pub(super) fn published_at_rest(&self, storage: &dyn Storage) -> Result<Published, LogError> {
        let mut slots = [Slot::Empty; 2];
        wait_until(SLOT_TAKES, || {
            slots = self.slots(storage)?;
            let is_sound = published_by(slots).head_file == HeadFileState::Sound;
            Ok::<_, LogError>(is_sound || slots == [Slot::Empty; 2])
        })?;
        Ok(published_by(slots))
    }

    /// Both slots.
    pub(super) fn slots(&self, storage: &dyn Storage) -> Result<[Slot; 2], LogError> {
        let mut slots = vec![0; 2 * SLOT_BYTES];
        let length = self
            .file
            .read_at(&mut slots, 0)
            .map_err(|source| LogError::Io {
                action: "read",
                path: storage.path(HEAD_FILE),
                source,
            })?;
        for found in slots[..length].chunks(SLOT_BYTES).filter_map(format_of) {
            let path = storage.path(HEAD_FILE);
            match found.as_str() {
                FORMAT => {}
                COPY_FORMAT if self.is_copy => {}
                COPY_FORMAT => return Err(LogError::RoleMissing { path }),
                _ => return Err(LogError::TooNew { path, found }),
            }
        }
        let (first, second) = slots.split_at(SLOT_BYTES);
        Ok([Slot::read(first), Slot::read(second)])
    }

    /// Overwrites `slot` and waits until it is durable.
    pub(super) fn publish(&self, head: Head, slot: usize) -> std::io::Result<()> {
        let offset = (slot * SLOT_BYTES) as u64;
        let format = if self.is_copy { COPY_FORMAT } else { FORMAT };
        let bytes = head.to_slot(format);
        failpoint!("head.mid_slot", self.file.write_at(&bytes[..100], offset));
        self.file.write_at(&bytes, offset)?;
        failpoint!("head.before_sync");
        self.file.sync()?;
        failpoint!("head.published");
        Ok(())
    }

    /// Tells others who holds the lock. Nothing depends on it, so it is not synced.
    pub(super) fn name_holder(&self, holder: &str) -> std::io::Result<()> {
        let mut record: Vec<u8> = holder
            .bytes()
            .filter(|b| !b.is_ascii_control())
            .take(400)
            .collect();
        record.resize(401, b' ');
        record.push(b'\n');
        self.file.write_at(&record, HOLDER_OFFSET)
    }

    pub(super) fn holder(&self) -> String {
        let mut record = [0; 402];
        let length = self.file.read_at(&mut record, HOLDER_OFFSET).unwrap_or(0);
        let text = String::from_utf8_lossy(&record[..length]).trim().to_owned();
        if text.is_empty() {
            "unknown".to_owned()
        } else {
            text
        }
    }
}

/// Both slots are written before the first event, so an invalid slot was lost.
pub(super) fn published_by(slots: [Slot; 2]) -> Published {
    let is_sound = slots.iter().all(|read| matches!(read, Slot::Valid(_)));
    let head_file = if is_sound {
        HeadFileState::Sound
    } else {
        HeadFileState::OneSlot
    };
    let heads = slots
        .into_iter()
        .enumerate()
        .filter_map(|(slot, read)| match read {
            Slot::Valid(head) => Some(Published {
                head,
                slot,
                head_file,
            }),
            Slot::Empty | Slot::Bad => None,
        });
    heads
        .max_by_key(|published| published.head.sequence)
        .unwrap_or(Published::LOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        Head {
            sequence: Sequence(42),
            hash: Hash::of_bytes(b"x"),
            segment: Sequence(7),
            position: 9_000,
        }
    }

    #[test]
    fn a_slot_reads_back_as_it_was_written() {
        for format in [FORMAT, COPY_FORMAT] {
            for head in [head(), Head::EMPTY] {
                assert_eq!(Head::from_slot(&head.to_slot(format)), Some(head));
            }
        }
    }

    #[test]
    fn a_slot_with_any_flipped_bit_is_invalid_or_unchanged() {
        let slot = head().to_slot(FORMAT);
        for byte in 0..180 {
            for bit in 0..8 {
                let mut flipped = slot;
                flipped[byte] ^= 1 << bit;
                assert!(
                    Head::from_slot(&flipped).is_none_or(|read| read == head()),
                    "byte {byte} bit {bit}"
                );
            }
        }
    }
}
