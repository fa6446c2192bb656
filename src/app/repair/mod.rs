//! `repair`: first a plan that can be shown, then its execution.
//!
//! Bytes after the head were never acknowledged and are settled. A lost head is found again from the
//! segments. Damage before the head is replaced by a backup's bytes, if with them every line up to the
//! present head continues the chain; nothing is guessed.
//!
//! Invariant: planning writes nothing and takes no lock.
//! Invariant: bytes that are replaced or cut are first kept outside the log.

mod error;
mod kept;
mod mending;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub use error::RepairError;

use crate::app::backup::restore::check_files;
use crate::app::backup::{BackupDirectory, Manifest};
use crate::app::{App, AppError};
use crate::domain::event::Event;
use crate::domain::id::{CompanyId, Sequence};
use crate::event_log::audit::{Audit, Depth, Fault, FaultKind};
use crate::event_log::copy::{Extent, Progress, SegmentPrefix};
use crate::event_log::overlay::{Overlay, OverlayPrefix};
use crate::event_log::storage::{Access, Disk, Storage};
use crate::event_log::tail::Cutting;
use crate::event_log::{FileLog, HeadFileState, LogError, Tail, segment};

const THREADS: usize = 2;
/// The most bytes of the founding event.
const FIRST_LINE_BYTES_MAX: usize = 64 << 10;

/// The faults of the log, and their repair.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RepairPlan {
    /// Acknowledged bytes that are missing or changed.
    pub damage: Vec<Fault>,
    pub replacements: Vec<Replacement>,
    /// Files with the names of segments that hold no events of this log.
    pub strays: Vec<String>,
    /// The bytes after the head once the damage is repaired, and the state of the head file.
    pub tail: Tail,
}

/// A segment whose first bytes are taken from a backup.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replacement {
    pub segment: Sequence,
    /// Bytes of the backup.
    pub from_backup: u64,
    /// The number of later bytes that stay; `None` if the backup holds the whole segment.
    pub stay: Option<u64>,
}

impl Replacement {
    pub fn file_name(&self) -> String {
        segment::file_name(self.segment)
    }
}

impl RepairPlan {
    pub fn is_nothing(&self) -> bool {
        self.damage.is_empty() && self.tail.is_settled()
    }
}

/// The result of a repair.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Repaired {
    /// The place of the bytes that were replaced or cut.
    pub kept: PathBuf,
    pub report: PathBuf,
}

impl App<'_> {
    /// Finds all faults of the log and their repair, with the backup in `from` if there is one.
    /// `progress` gets the checked bytes, of the log and of the backup in turn.
    ///
    /// # Errors
    /// [`RepairError`] if the log cannot be made whole in this way.
    pub fn plan_repair(
        &self,
        from: Option<&Path>,
        progress: Progress<'_>,
    ) -> Result<RepairPlan, AppError> {
        self.check_is_no_copy()?;
        let damage = damage_of(self.log.audit(Depth::Chain, THREADS, progress)?);
        match (damage.listed.first(), from) {
            (Some(first), None) => {
                let (place, what) = (first.place.clone(), first.what.clone());
                Err(RepairError::NeedsBackup {
                    place,
                    what,
                    others: damage.count - 1,
                }
                .into())
            }
            (Some(_), Some(from)) => self.plan_with_backup(damage.listed, from, progress),
            (None, from) => self.plan_without_damage(from, progress),
        }
    }

    /// If the head is sound, it names the last acknowledged event. Otherwise the segments do, and a
    /// torn tail of theirs may be whole in the backup.
    fn plan_without_damage(
        &self,
        from: Option<&Path>,
        progress: Progress<'_>,
    ) -> Result<RepairPlan, AppError> {
        let tail = tail_to_settle(&self.log)?;
        match from {
            Some(from) if tail.head_file != HeadFileState::Sound => {
                self.plan_with_backup(Vec::new(), from, progress)
            }
            _ => Ok(RepairPlan {
                damage: Vec::new(),
                replacements: Vec::new(),
                strays: Vec::new(),
                tail,
            }),
        }
    }

    fn plan_with_backup(
        &self,
        damage: Vec<Fault>,
        from: &Path,
        progress: Progress<'_>,
    ) -> Result<RepairPlan, AppError> {
        let backup = BackupDirectory::at(from);
        let manifest = backup.manifest()?;
        let extent = backup.extent(&manifest)?;
        check_files(&backup, &extent, progress)?;
        let log = self.log_files()?;
        let listed = segment::list(&log)?;
        // The segment in which the backup ends may have grown since.
        let goes_on = |segment| {
            segment == extent.head.segment && !listed.contains(&extent.head.sequence.next())
        };
        let lacking = extent.lacking(&log, progress)?;
        let wrong = extent
            .prefixes
            .iter()
            .filter(|prefix| lacking.contains(prefix) || self.is_overfull(prefix, &extent));
        let replacements = wrong
            .map(|prefix| self.replacement(prefix.segment, prefix.bytes, goes_on(prefix.segment)));
        let replacements: Vec<_> = replacements.collect();
        let strays = listed
            .iter()
            .copied()
            .filter(|first| *first <= extent.head.sequence);
        let strays = strays.filter(|first| {
            extent
                .prefixes
                .iter()
                .all(|prefix| prefix.segment != *first)
        });
        let strays: Vec<String> = strays.map(segment::file_name).collect();
        let overlay =
            || Ok::<_, AppError>(Box::new(self.overlay(&backup, &replacements, &strays)?));
        let whole = FileLog::on(overlay()?);
        check_overlay(&whole, &extent, from, progress)?;
        let tail = tail_to_settle(&whole)?;
        let ends = match tail.head_file {
            HeadFileState::Sound => whole,
            HeadFileState::OneSlot | HeadFileState::Lost => FileLog::as_of(overlay()?, tail.end),
        };
        check_past(&ends, &extent, from)?;
        if tail.head_file == HeadFileState::Lost {
            self.check_company(&manifest, from)?;
        }
        Ok(RepairPlan {
            damage,
            replacements,
            strays,
            tail,
        })
    }

    fn log_files(&self) -> Result<Disk, AppError> {
        let path = self.directory.log();
        Disk::open(&path).map_err(|source| AppError::Io {
            action: "open",
            path,
            source,
        })
    }

    /// Whether bytes follow a segment that the backup holds whole.
    fn is_overfull(&self, prefix: &SegmentPrefix, extent: &Extent) -> bool {
        prefix.segment < extent.head.segment && self.length(prefix.segment) > prefix.bytes
    }

    fn length(&self, segment: Sequence) -> u64 {
        let path = self.directory.log().join(segment::file_name(segment));
        let file = std::fs::symlink_metadata(path)
            .ok()
            .filter(std::fs::Metadata::is_file);
        file.map_or(0, |found| found.len())
    }

    fn replacement(&self, segment: Sequence, from_backup: u64, goes_on: bool) -> Replacement {
        let stay = goes_on.then(|| self.length(segment).saturating_sub(from_backup));
        Replacement {
            segment,
            from_backup,
            stay,
        }
    }

    fn overlay(
        &self,
        backup: &BackupDirectory,
        replacements: &[Replacement],
        strays: &[String],
    ) -> Result<Overlay, AppError> {
        let beginning = |of: &Replacement| OverlayPrefix {
            bytes: of.from_backup,
            goes_on: of.stay.is_some(),
        };
        let overlaid = replacements
            .iter()
            .map(|replaced| (replaced.file_name(), beginning(replaced)));
        Ok(Overlay {
            log: Box::new(self.log_files()?),
            copy: Box::new(backup.log()?),
            overlaid: overlaid.collect::<BTreeMap<_, _>>(),
            strays: strays.iter().cloned().collect::<BTreeSet<_>>(),
        })
    }

    /// Checks that log and backup belong to one company: by the hash of the head, or without a head
    /// by the first line.
    fn check_company(&self, manifest: &Manifest, from: &Path) -> Result<(), AppError> {
        let what = match self.founded_company() {
            Some(company) if company == manifest.company_id => return Ok(()),
            Some(_) => "it is of another company",
            None => "neither head nor first event show to which company the log belongs",
        };
        Err(RepairError::Foreign {
            path: from.to_owned(),
            what: what.to_owned(),
        }
        .into())
    }

    fn founded_company(&self) -> Option<CompanyId> {
        let file = self
            .log_files()
            .ok()?
            .open(&segment::file_name(Sequence::FIRST), Access::Read)
            .ok()?;
        let mut text = vec![0; FIRST_LINE_BYTES_MAX];
        let length = file.read_at(&mut text, 0).ok()?;
        let first = text[..length].split(|byte| *byte == b'\n').next()?;
        match crate::event_log::Line::parse(first).ok()?.event().ok()? {
            Event::CompanyFounded(founded) => Some(founded.company_id),
            _ => None,
        }
    }
}

/// # Errors
/// [`LogError::Damaged`] if the tail may not be cut even with approval, because the end of the log
/// is unknown.
fn tail_to_settle(log: &FileLog) -> Result<Tail, LogError> {
    let tail = log.tail()?;
    tail.check(Cutting::Approved)?;
    Ok(tail)
}

struct DamageFound {
    listed: Vec<Fault>,
    count: u64,
}

fn damage_of(audit: Audit) -> DamageFound {
    let listed: Vec<_> = audit
        .faults
        .into_iter()
        .filter(|fault| fault.kind == FaultKind::Damage)
        .collect();
    let count = listed.len() as u64 + audit.unlisted_faults;
    DamageFound { listed, count }
}

/// Checks that the overlay is whole up to the present head.
fn check_overlay(
    overlay: &FileLog,
    extent: &Extent,
    from: &Path,
    progress: Progress<'_>,
) -> Result<(), AppError> {
    let audit = overlay.audit(Depth::Chain, THREADS, progress)?;
    let head = audit
        .head
        .map_or(extent.head.sequence, |head| head.sequence);
    if let Some(Fault { place, what, .. }) = damage_of(audit).listed.into_iter().next() {
        if head < extent.head.sequence {
            return Err(foreign(extent, from, head));
        }
        return Err(RepairError::BeyondBackup {
            backup: extent.head.sequence,
            head,
            place,
            what,
        }
        .into());
    }
    Ok(())
}

/// Checks that the overlay contains the backup.
fn check_past(overlay: &FileLog, extent: &Extent, from: &Path) -> Result<(), AppError> {
    match overlay.read_after(extent.head.sequence, &extent.head.hash) {
        Ok(_) => Ok(()),
        Err(LogError::NotOnChain { .. }) => Err(foreign(extent, from, overlay.head()?.sequence)),
        Err(other) => Err(other.into()),
    }
}

fn foreign(extent: &Extent, from: &Path, head: Sequence) -> AppError {
    let what = format!(
        "it ends with event {}, which this log (up to event {head}) does not have",
        extent.head.sequence
    );
    RepairError::Foreign {
        path: from.to_owned(),
        what,
    }
    .into()
}
