//! The manifest of a backup: its contents and the proof of them. Only bytes that the manifest
//! counts belong to the backup.
//!
//! Invariant: no path in a manifest leads out of the backup, even if somebody edited it.

use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use crate::domain::id::{CompanyId, Sequence};
use crate::domain::time::EventTime;
use crate::event_log::copy::{Extent, SegmentPrefix};
use crate::event_log::{Hash, Head, segment};

pub(super) const FORMAT: u32 = 1;

/// The largest length of a file, and number in a column of the tables.
const BYTES_MAX: u64 = i64::MAX as u64;
const EVENTS_MAX: u64 = i64::MAX as u64;

/// The content of `manifest.json`.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct Manifest {
    pub format: u32,
    pub company_id: CompanyId,
    /// The company's name at the time of the backup, for people.
    pub company: String,
    pub made_at: EventTime,
    pub head: HeadRecord,
    pub with_secrets: bool,
    /// Segments in order, then secrets.
    pub files: Vec<FileRecord>,
}

/// The last event of the backup.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct HeadRecord {
    pub sequence: Sequence,
    pub hash: String,
    pub time: EventTime,
}

#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct FileRecord {
    /// The path below the backup's directory, with slashes.
    pub path: String,
    /// The bytes that count; a killed backup may have made the segment longer.
    pub bytes: u64,
    pub sha256: String,
}

impl FileRecord {
    pub fn of_prefix(prefix: &SegmentPrefix) -> FileRecord {
        let path = format!("log/{}", segment::file_name(prefix.segment));
        FileRecord {
            path,
            bytes: prefix.bytes,
            sha256: prefix.sha256.to_string(),
        }
    }

    fn prefix(&self) -> Option<Result<SegmentPrefix, String>> {
        let segment = segment::first_sequence(self.path.strip_prefix("log/")?)?;
        let sha256 = self
            .sha256
            .parse()
            .map_err(|()| format!("{} has no SHA-256", self.path));
        Some(sha256.map(|sha256| SegmentPrefix {
            segment,
            bytes: self.bytes,
            sha256,
        }))
    }

    /// The path below `auth/`, and the generation of the backup's directory for `auth/`.
    pub fn secret(&self) -> Option<(u64, &str)> {
        let (generation, path) = self.path.strip_prefix("auth/")?.split_once('/')?;
        let is_plain = Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        Some((generation.parse().ok()?, path)).filter(|_| is_plain && !path.is_empty())
    }
}

impl Manifest {
    /// The files' paths and hashes as an extent of the log.
    ///
    /// # Errors
    /// The fault in words.
    pub fn extent(&self) -> Result<Extent, String> {
        let mut prefixes = Vec::new();
        for file in &self.files {
            match (file.prefix(), file.secret()) {
                (Some(prefix), _) => prefixes.push(prefix?),
                // The next backup gets the next number.
                (None, Some((u64::MAX, _))) => {
                    return Err(format!("`{}` has an invalid backup number", file.path));
                }
                (None, Some(_)) if self.with_secrets => {}
                (None, _) => return Err(format!("`{}` is not a file of a backup", file.path)),
            }
        }
        self.check_numbers(&prefixes)?;
        let is_ordered = prefixes
            .windows(2)
            .all(|pair| pair[0].segment < pair[1].segment);
        let last = prefixes
            .last()
            .filter(|_| is_ordered)
            .ok_or("its segments are not in order")?;
        let hash: Hash = self
            .head
            .hash
            .parse()
            .map_err(|()| "the head has no hash".to_owned())?;
        let head = Head {
            sequence: self.head.sequence,
            hash,
            segment: last.segment,
            position: last.bytes,
        };
        Ok(Extent { head, prefixes })
    }

    /// Checks that all numbers fit their later uses, because anybody can edit a manifest.
    fn check_numbers(&self, prefixes: &[SegmentPrefix]) -> Result<(), String> {
        let total = prefixes
            .iter()
            .try_fold(0_u64, |total, prefix| total.checked_add(prefix.bytes));
        if total.is_none_or(|total| total > BYTES_MAX)
            || prefixes.iter().any(|prefix| prefix.bytes == 0)
        {
            return Err("its files have too many bytes".to_owned());
        }
        let (first, last) = (prefixes.first(), prefixes.last());
        if first.is_some_and(|prefix| prefix.segment != Sequence::FIRST) {
            return Err("its first segment does not begin with event 1".to_owned());
        }
        let head = self.head.sequence;
        if head.0 > EVENTS_MAX || last.is_some_and(|prefix| prefix.segment > head) {
            return Err(format!("no log with these segments ends with event {head}"));
        }
        Ok(())
    }

    /// The number of the directory below `auth/` that counts; 0 if there was none yet.
    pub fn generation(&self) -> u64 {
        self.files
            .iter()
            .filter_map(FileRecord::secret)
            .map(|(generation, _)| generation)
            .max()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> FileRecord {
        FileRecord {
            path: path.to_owned(),
            bytes: 1,
            sha256: Hash::of_bytes(b"x").to_string(),
        }
    }

    fn manifest(paths: &[&str], with_secrets: bool) -> Manifest {
        let time = "2026-11-22T10:00:00Z".parse().unwrap();
        Manifest {
            format: FORMAT,
            company_id: CompanyId::from_uuid(uuid::Uuid::from_u128(1)),
            company: "UberPopug".to_owned(),
            made_at: time,
            head: HeadRecord {
                sequence: Sequence(7),
                hash: Hash::ZERO.to_string(),
                time,
            },
            with_secrets,
            files: paths.iter().map(|path| file(path)).collect(),
        }
    }

    const SEGMENT: &str = "log/00000000000000000001.ndjson";

    #[test]
    fn segments_and_secrets_are_what_a_backup_may_hold() {
        let whole = manifest(&[SEGMENT, "auth/3/tokens/2026-01-01/x.json"], true);
        assert_eq!(whole.extent().unwrap().prefixes.len(), 1);
        assert_eq!(whole.generation(), 3);
        assert_eq!(manifest(&[SEGMENT], false).generation(), 0);
    }

    #[test]
    fn a_path_that_leads_elsewhere_makes_the_manifest_worthless() {
        for path in [
            "auth/3/../../x",
            "auth/3//etc/passwd",
            "../log/x",
            "/etc/passwd",
            "log/../../x",
            "auth/x/y",
            "x",
        ] {
            assert!(manifest(&[SEGMENT, path], true).extent().is_err(), "{path}");
        }
        assert!(
            manifest(&[SEGMENT, "auth/3/key"], false).extent().is_err(),
            "secrets that are not announced"
        );
    }

    #[test]
    fn segments_out_of_order_and_none_at_all_are_refused() {
        let second = "log/00000000000000000005.ndjson";
        assert!(manifest(&[SEGMENT, second], false).extent().is_ok());
        assert!(manifest(&[second, SEGMENT], false).extent().is_err());
        assert!(manifest(&[SEGMENT, SEGMENT], false).extent().is_err());
        assert!(manifest(&[], false).extent().is_err());
    }

    #[test]
    fn numbers_that_no_backup_has_are_refused() {
        type Edit = (&'static str, fn(&mut Manifest));
        let edits: [Edit; 8] = [
            ("a sum that is none", |manifest| {
                manifest.files[0].bytes = u64::MAX
            }),
            ("two halves of it", |manifest| {
                manifest
                    .files
                    .iter_mut()
                    .for_each(|file| file.bytes = 1 << 63)
            }),
            ("an empty segment", |manifest| manifest.files[1].bytes = 0),
            ("a head without a next", |manifest| {
                manifest.head.sequence = Sequence(u64::MAX)
            }),
            ("a head beyond all tables", |manifest| {
                manifest.head.sequence = Sequence(1 << 63)
            }),
            ("no head", |manifest| {
                manifest.head.sequence = Sequence::ZERO
            }),
            ("a head before its segment", |manifest| {
                manifest.head.sequence = Sequence(4)
            }),
            ("a beginning that is lost", |manifest| {
                drop(manifest.files.remove(0))
            }),
        ];
        let whole = manifest(&[SEGMENT, "log/00000000000000000005.ndjson"], false);
        assert!(whole.extent().is_ok());
        for (what, edit) in edits {
            let mut edited = whole.clone();
            edit(&mut edited);
            assert!(edited.extent().is_err(), "{what}");
        }
        let secret = manifest(&[SEGMENT, "auth/18446744073709551615/x.json"], true);
        assert!(secret.extent().is_err());
    }
}
