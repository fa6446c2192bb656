//! Generations: backups of one company side by side in a directory, one in each of its directories.
//!
//! Invariant: no backup is removed that was not read and found whole in the same run, and never the
//! newest whole one. Anything that is not a backup of this log stays.

use std::path::{Path, PathBuf};

use crate::app::backup::directory::io;
use crate::app::backup::restore::{Restorable, Until};
use crate::app::backup::retention::{Keep, Reason};
use crate::app::backup::{BackupDirectory, BackupError, Manifest, place};
use crate::app::error::in_full;
use crate::app::identity::Caller;
use crate::app::{App, AppError};
use crate::domain::company::Company;
use crate::domain::id::{CompanyId, Sequence};
use crate::domain::role::Right;
use crate::domain::time::EventTime;
use crate::event_log::Hash;
use crate::event_log::copy::Progress;
use crate::files::held::named;
use crate::files::sync_directory;
use crate::state::Checkpoint;

/// The end of the name to which a backup is moved before it is removed.
const REMOVED: &str = ".pruned";

/// A backup in a directory of backups.
#[derive(Clone, Debug)]
pub struct Generation {
    /// Its name in the directory; `.` for the directory itself.
    pub name: String,
    path: PathBuf,
    /// `None` if it cannot be read.
    pub manifest: Option<Manifest>,
    /// Why it is no whole backup of this log.
    pub fault: Option<String>,
}

/// A generation, and why it is kept.
#[derive(Clone, Debug)]
pub struct Judged {
    pub generation: Generation,
    /// Empty: it is to be removed.
    pub reasons: Vec<String>,
}

impl Generation {
    /// The bytes that its manifest counts.
    pub fn bytes(&self) -> Option<u64> {
        let files = &self.manifest.as_ref()?.files;
        Some(files.iter().map(|file| file.bytes).sum())
    }

    /// Its place in the order of generations: later in the log, then made later.
    fn age(&self) -> Option<(Sequence, EventTime)> {
        let manifest = self.manifest.as_ref()?;
        Some((manifest.head.sequence, manifest.made_at))
    }
}

impl App<'_> {
    /// The backups of this company in `root` and in its directories, each read and checked, oldest
    /// first. Hidden directories and links are left out.
    ///
    /// # Errors
    /// The role; if `root` cannot be listed.
    pub fn generations(
        &self,
        caller: &Caller,
        company: &Company,
        root: &Path,
        progress: Progress<'_>,
    ) -> Result<Vec<Generation>, AppError> {
        caller.require(Right::Backup)?;
        let mut generations = Vec::new();
        for (name, path) in candidates(root)? {
            let found = BackupDirectory::at(&path).manifest();
            let (manifest, fault) = match found {
                Ok(manifest) if manifest.company_id != company.id => continue,
                Ok(manifest) => {
                    let fault = self.fault_of(&path, &manifest, progress)?;
                    (Some(manifest), fault)
                }
                Err(AppError::Backup(BackupError::Missing { .. })) if place::is_backup(&path) => {
                    (None, Some("it was never finished".to_owned()))
                }
                Err(error) if is_no_backup(&error) => continue,
                Err(error) => (None, Some(in_words(&error))),
            };
            generations.push(Generation {
                name,
                path,
                manifest,
                fault,
            });
        }
        generations.sort_by_key(Generation::age);
        Ok(generations)
    }

    /// Why a backup is not a whole one of this log, if that is so.
    fn fault_of(
        &self,
        path: &Path,
        manifest: &Manifest,
        progress: Progress<'_>,
    ) -> Result<Option<String>, AppError> {
        if let Err(error) = Restorable::examine(path, Until::End, progress) {
            return Ok(Some(in_words(&error)));
        }
        let (sequence, hash) = (manifest.head.sequence, &manifest.head.hash);
        let is_ours = match hash.parse::<Hash>() {
            Ok(hash) => Checkpoint { sequence, hash }.is_of(&self.log)?,
            Err(()) => false,
        };
        Ok((!is_ours).then(|| format!("event {sequence} of it is not in this log")))
    }

    /// The generations in `root`, each with the reasons to keep it.
    ///
    /// # Errors
    /// As [`App::generations`].
    pub fn judge_generations(
        &self,
        caller: &Caller,
        company: &Company,
        root: &Path,
        keep: Keep,
        progress: Progress<'_>,
    ) -> Result<Vec<Judged>, AppError> {
        let found = self.generations(caller, company, root, progress)?;
        let is_good = |generation: &&Generation| generation.fault.is_none();
        let made_on: Vec<_> = found
            .iter()
            .filter(is_good)
            .filter_map(|generation| Some(company.zone.date_of(generation.age()?.1)))
            .collect();
        let mut kept = keep.reasons(&made_on).into_iter();
        let judged = found.into_iter().map(|generation| {
            let reasons = match &generation.fault {
                Some(_) => vec!["damaged".to_owned()],
                None => kept
                    .next()
                    .unwrap_or_default()
                    .iter()
                    .map(Reason::to_string)
                    .collect(),
            };
            let holds_more = reasons.is_empty() && !place::holds_only_backup(&generation.path)?;
            let other_files = holds_more.then(|| "other files in it".to_owned());
            let reasons = reasons.into_iter().chain(other_files).collect();
            Ok(Judged {
                generation,
                reasons,
            })
        });
        judged.collect()
    }

    /// Removes a generation, unless a backup was made into it since it was judged. Returns whether
    /// it was removed. It is moved away first, so a killed removal leaves no half backup behind.
    ///
    /// # Errors
    /// If a backup into it is under way, or it cannot be removed.
    pub fn remove_generation(
        &self,
        root: &Path,
        generation: &Generation,
    ) -> Result<bool, AppError> {
        let directory = BackupDirectory::at(&generation.path);
        let _lock = directory.claim(&self.holder, self.lock_wait)?;
        let made_at = directory.manifest()?.made_at;
        if generation
            .manifest
            .as_ref()
            .map(|manifest| manifest.made_at)
            != Some(made_at)
        {
            return Ok(false);
        }
        let away = root.join(format!(".{}{REMOVED}", generation.name));
        std::fs::rename(&generation.path, &away).map_err(io("move", &generation.path))?;
        sync_directory(root).map_err(io("sync", root))?;
        failpoint!("backup.before_removal");
        std::fs::remove_dir_all(&away).map_err(io("remove", &away))?;
        sync_directory(root).map_err(io("sync", root))?;
        Ok(true)
    }
}

/// Removes backups of which a killed removal left a part.
///
/// # Errors
/// If one cannot be removed.
pub fn finish_removals(root: &Path) -> Result<(), AppError> {
    for name in place::names(root)? {
        let path = root.join(&name);
        let is_moved = name.starts_with('.') && name.ends_with(REMOVED);
        if is_moved && is_directory(&path) && place::holds_only_backup(&path)? {
            std::fs::remove_dir_all(&path).map_err(io("remove", &path))?;
        }
    }
    Ok(())
}

/// The time of the newest backup of the company in `root` or in its directories. Only manifests are
/// read.
///
/// # Errors
/// The fault of the newest one; [`BackupError::Missing`] if there is none.
pub fn newest_manifest(root: &Path, company: CompanyId) -> Result<Manifest, AppError> {
    let own = BackupDirectory::at(root).manifest();
    if !matches!(&own, Err(AppError::Backup(BackupError::Missing { .. }))) {
        return own;
    }
    let manifests = candidates(root)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(_, path)| {
            let manifest = BackupDirectory::at(&path).manifest().ok()?;
            (manifest.company_id == company && has_its_bytes(&path, &manifest)).then_some(manifest)
        });
    manifests
        .max_by_key(|manifest| (manifest.head.sequence, manifest.made_at))
        .map_or(own, Ok)
}

/// Whether each file is at least as long as the manifest states.
fn has_its_bytes(path: &Path, manifest: &Manifest) -> bool {
    manifest.files.iter().all(|file| {
        std::fs::symlink_metadata(path.join(&file.path))
            .is_ok_and(|found| found.is_file() && found.len() >= file.bytes)
    })
}

/// The places in which a backup may be: the directory itself and its visible directories.
fn candidates(root: &Path) -> Result<Vec<(String, PathBuf)>, AppError> {
    std::fs::read_dir(root).map_err(io("list", root))?;
    let mut names = place::names(root)?;
    names.sort();
    let below = names
        .into_iter()
        .filter(|name| !name.starts_with('.'))
        .map(|name| (name.clone(), root.join(name)))
        .filter(|(_, path)| is_directory(path));
    let itself = (".".to_owned(), root.to_owned());
    Ok(std::iter::once(itself).chain(below).collect())
}

/// Not a link to one.
fn is_directory(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

/// The fault with the name of its file. Later the descriptor of the backup's directory is that of another
/// one, by which a path would be named.
fn in_words(error: &AppError) -> String {
    named(&in_full(error)).into_owned()
}

/// Whether the error means that there is no backup.
fn is_no_backup(error: &AppError) -> bool {
    matches!(
        error,
        AppError::Backup(
            BackupError::Missing { .. }
                | BackupError::IsExport { .. }
                | BackupError::Foreign { .. }
        )
    )
}
