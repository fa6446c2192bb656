//! Carries a repair out under the writer lock.
//!
//! Invariant: if it is killed anywhere, the log is no worse than before and can be repaired
//! again; the originals of changed bytes are kept, and a report holds the plan.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::app::backup::BackupDirectory;
use crate::app::repair::kept::{self, Kept};
use crate::app::repair::{RepairError, RepairPlan, Repaired, damage_of};
use crate::app::{App, AppError};
use crate::domain::time::EventTime;
use crate::event_log::audit::Depth;
use crate::event_log::copy::Progress;
use crate::event_log::storage::{Access, Storage, StorageFile};
use crate::event_log::{HeadFileState, Patience, segment};
use crate::files::held::named_path;

impl App<'_> {
    /// Carries out `plan`, if it still fits the log, and writes a report into the store.
    ///
    /// # Errors
    /// [`RepairError::Changed`]; an error of writing. The originals are kept.
    pub fn repair(
        &self,
        plan: &RepairPlan,
        from: Option<&Path>,
        progress: Progress<'_>,
    ) -> Result<Repaired, AppError> {
        let patience = Patience {
            wait: self.lock_wait,
            holder: self.holder.clone(),
        };
        let locked = self.log.lock_unsettled(&patience)?;
        if self.plan_repair(from, progress)? != *plan {
            return Err(RepairError::Changed.into());
        }
        let kept = Kept::create(self.directory.place())?;
        self.keep_originals(plan, &kept)?;
        let report = Report {
            begun_at: self.environment.now(),
            plan,
            from,
            kept: &kept,
        };
        let path = report.begin(self.directory.place())?;
        failpoint!("repair.before_change");
        if let Some(from) = from.filter(|_| !plan.replacements.is_empty()) {
            self.put_replacements(plan, &BackupDirectory::at(from), &kept)?;
        }
        self.remove_strays(plan)?;
        failpoint!("repair.before_settle");
        locked.settle()?;
        let damage = damage_of(self.log.audit(Depth::Chain, super::THREADS, progress)?);
        assert!(
            damage.listed.is_empty(),
            "a repaired log is whole: {:?}",
            damage.listed
        );
        failpoint!("repair.before_report");
        report.write(&path, Some(self.environment.now()))?;
        Ok(Repaired {
            kept: named_path(kept.path()),
            report: named_path(&path),
        })
    }

    fn log_file(&self, name: &str) -> PathBuf {
        self.directory.log().join(name)
    }

    fn keep_originals(&self, plan: &RepairPlan, kept: &Kept) -> Result<(), AppError> {
        for name in plan
            .replacements
            .iter()
            .map(super::Replacement::file_name)
            .chain(plan.strays.iter().cloned())
        {
            kept.keep(&self.log_file(&name), 0)?;
        }
        for cut in plan.tail.cuts() {
            let file = self.log_file(&segment::file_name(cut.segment));
            kept.keep(&file, cut.bytes.start)?;
        }
        match plan.tail.head_file {
            HeadFileState::Sound => Ok(()),
            HeadFileState::OneSlot | HeadFileState::Lost => kept.keep(&self.log_file("head"), 0),
        }
    }

    fn put_replacements(
        &self,
        plan: &RepairPlan,
        backup: &BackupDirectory,
        kept: &Kept,
    ) -> Result<(), AppError> {
        let overlay = self.overlay(backup, &plan.replacements, &plan.strays)?;
        for replaced in &plan.replacements {
            let name = replaced.file_name();
            let path = self.log_file(&name);
            let open = |source| AppError::Io {
                action: "open",
                path: path.clone(),
                source,
            };
            let file = overlay.open(&name, Access::Read).map_err(open)?;
            kept.replace(&path, &mut Contents { file, at: 0 })?;
            failpoint!("repair.between_segments");
        }
        Ok(())
    }

    fn remove_strays(&self, plan: &RepairPlan) -> Result<(), AppError> {
        for name in &plan.strays {
            let path = self.log_file(name);
            std::fs::remove_file(&path).map_err(|source| AppError::Io {
                action: "remove",
                path,
                source,
            })?;
            failpoint!("repair.between_strays");
        }
        if plan.strays.is_empty() {
            Ok(())
        } else {
            kept::sync(&self.directory.log())
        }
    }
}

/// `repair-<time>.json` in a store.
struct Report<'r> {
    begun_at: EventTime,
    plan: &'r RepairPlan,
    from: Option<&'r Path>,
    kept: &'r Kept,
}

impl Report<'_> {
    /// Writes the report before anything is changed, so that it explains the kept files even if the
    /// repair is killed.
    fn begin(&self, store: &Path) -> Result<PathBuf, AppError> {
        let stem = format!("repair-{}", self.begun_at).replace(':', "-");
        let names = (1..).map(|n| {
            if n == 1 {
                format!("{stem}.json")
            } else {
                format!("{stem}-{n}.json")
            }
        });
        let path = names
            .map(|name| store.join(name))
            .find(|path| !path.exists());
        let path = path.expect("some name is free");
        self.write(&path, None)?;
        Ok(path)
    }

    fn write(&self, path: &Path, repaired_at: Option<EventTime>) -> Result<(), AppError> {
        let text = json!({
            "format": 1,
            "begun_at": self.begun_at,
            "repaired_at": repaired_at,
            "backup": self.from.map(|from| named_path(from).display().to_string()),
            "kept_in": named_path(self.kept.path()).display().to_string(),
            "plan": self.plan.object(),
        });
        self.kept
            .replace(path, &mut format!("{text:#}\n").as_bytes())
    }
}

impl RepairPlan {
    /// For reports and scripts.
    pub fn object(&self) -> Value {
        let tail = &self.tail;
        json!({
            "damage": self.damage.iter().map(|fault| json!({
                "segment": fault.place.segment, "byte": fault.place.byte,
                "sequence": fault.place.sequence, "what": fault.what,
            })).collect::<Vec<_>>(),
            "replaced": self.replacements.iter().map(|replaced| json!({
                "segment": replaced.file_name(), "bytes_from_backup": replaced.from_backup, "bytes_kept": replaced.stay.unwrap_or(0),
            })).collect::<Vec<_>>(),
            "removed": self.strays,
            "cut": tail.cuts().map(|cut| json!({
                "segment": segment::file_name(cut.segment), "byte": cut.bytes.start, "bytes": cut.length(),
                "first_sequence": cut.sequences.map(|(first, _)| first),
                "last_sequence": cut.sequences.map(|(_, last)| last),
            })).collect::<Vec<_>>(),
            "published_events": tail.late_events(),
            "head_file": match tail.head_file {
                HeadFileState::Sound => "sound",
                HeadFileState::OneSlot => "half_bad",
                HeadFileState::Lost => "lost",
            },
            "head": { "sequence": tail.end.sequence, "hash": tail.end.hash.to_string() },
        })
    }
}

/// A file of a storage, from its first byte to its last.
struct Contents {
    file: Box<dyn StorageFile>,
    at: u64,
}

impl Read for Contents {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(into, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
