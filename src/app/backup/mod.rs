//! Backups: a copy of the log, and on demand of the secrets, in a directory of their own.
//!
//! `manifest` describes the contents of a backup, `directory` is its place, `place` checks whether a
//! directory may take one, `restore` makes a store of it. `generations` finds and removes backups that
//! stand side by side, `retention` says which are kept. Tables, the state index, locks and the outbox
//! follow from the log, or belong to one machine: they are in no backup.
//!
//! Invariant: a backup never holds a line that does not continue the chain of the lines before.
//! Invariant: if a backup is killed anywhere, the former backup can be restored.

mod directory;
mod error;
pub mod generations;
mod manifest;
mod place;
pub mod restore;
pub mod retention;

use std::path::Path;

pub use directory::BackupDirectory;
pub use error::BackupError;
pub use manifest::Manifest;
pub use place::is_backup;

use crate::app::identity::Caller;
use crate::app::{App, AppError};
use crate::credentials::AuthDir;
use crate::domain::company::Company;
use crate::domain::id::Sequence;
use crate::domain::role::Right;
use crate::event_log::copy::{Copied, Extent, Progress};
use crate::event_log::{Hash, LogError, segment};
use manifest::{FORMAT, FileRecord, HeadRecord};

/// The result of a backup.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BackedUp {
    pub sequence: Sequence,
    pub hash: Hash,
    /// The number of segments and secrets that were written.
    pub files_copied: u64,
    pub bytes_copied: u64,
    pub with_secrets: bool,
}

impl App<'_> {
    /// Brings the backup in `root` up to the present head. It waits only for another backup into
    /// the same directory, and no process waits for it.
    ///
    /// # Errors
    /// The role; [`BackupError`] if the directory cannot take a backup of this log,
    /// [`LogError::Damaged`] if the log differs from the acknowledged one. The former backup stays.
    pub fn back_up(
        &self,
        caller: &Caller,
        company: &Company,
        root: &Path,
        with_secrets: bool,
        progress: Progress<'_>,
    ) -> Result<BackedUp, AppError> {
        caller.require(Right::Backup)?;
        place::check(root, &self.directory)?;
        former_of(&BackupDirectory::at(root), company, root)?;
        let directory = BackupDirectory::create(root)?;
        // Another directory may have the name by now.
        place::check_again(&directory, &self.directory)?;
        let _lock = directory.claim(&self.holder, self.lock_wait)?;
        // Another backup may have been at work until now.
        let former = former_of(&directory, company, root)?;
        let extent = former
            .as_ref()
            .map(|former| directory.extent(former))
            .transpose()?;
        let copied = self.copy_log(&directory, root, extent.as_ref(), progress)?;
        let generation = former.as_ref().map_or(0, Manifest::generation) + 1;
        let secrets = if with_secrets {
            self.copy_secrets(&directory, company, generation)?
        } else {
            Vec::new()
        };
        let backed_up = BackedUp {
            sequence: copied.extent.head.sequence,
            hash: copied.extent.head.hash,
            files_copied: copied.segments + secrets.len() as u64,
            bytes_copied: copied.bytes + secrets.iter().map(|file| file.bytes).sum::<u64>(),
            with_secrets,
        };
        failpoint!("backup.before_manifest");
        directory.publish(&self.manifest(company, &copied.extent, secrets, with_secrets)?)?;
        directory.forget_secrets(with_secrets.then_some(generation))?;
        Ok(backed_up)
    }

    fn copy_log(
        &self,
        directory: &BackupDirectory,
        root: &Path,
        extent: Option<&Extent>,
        progress: Progress<'_>,
    ) -> Result<Copied, AppError> {
        let copied = match (
            self.log.copy_to(&directory.log()?, extent, progress),
            extent,
        ) {
            (Err(LogError::NotOnChain { .. }), Some(extent)) => {
                return Err(BackupError::Diverged {
                    path: root.to_owned(),
                    sequence: extent.head.sequence,
                }
                .into());
            }
            (copied, _) => copied?,
        };
        for renewed in &copied.renewed {
            let name = segment::file_name(*renewed);
            self.notices.warn(&format!(
                "the backup's log/{name} was damaged; it was copied once more"
            ));
        }
        Ok(copied)
    }

    fn copy_secrets(
        &self,
        directory: &BackupDirectory,
        company: &Company,
        generation: u64,
    ) -> Result<Vec<FileRecord>, AppError> {
        let auth =
            AuthDir::open(self.directory.place(), company.id)?.with_lock_wait(self.lock_wait);
        // A leftover of a backup that was killed before it wrote its manifest.
        directory.forget_secrets(Some(generation - 1))?;
        directory.put_secrets(generation, &auth.files()?)
    }

    fn manifest(
        &self,
        company: &Company,
        extent: &Extent,
        secrets: Vec<FileRecord>,
        with_secrets: bool,
    ) -> Result<Manifest, AppError> {
        let head = extent.head;
        let time = self.log.line(head.sequence)?.line().event_time()?;
        let segments = extent.prefixes.iter().map(FileRecord::of_prefix);
        Ok(Manifest {
            format: FORMAT,
            company_id: company.id,
            company: company.name.clone(),
            made_at: self.environment.now(),
            head: HeadRecord {
                sequence: head.sequence,
                hash: head.hash.to_string(),
                time,
            },
            with_secrets,
            files: segments.chain(secrets).collect(),
        })
    }
}

/// The present backup of this company in the directory, if any.
fn former_of(
    directory: &BackupDirectory,
    company: &Company,
    root: &Path,
) -> Result<Option<Manifest>, AppError> {
    let former = match directory.manifest() {
        Ok(manifest) => manifest,
        Err(AppError::Backup(BackupError::Missing { .. })) => return Ok(None),
        Err(AppError::Backup(BackupError::Foreign { path })) => {
            return Err(BackupError::NotEmpty { path }.into());
        }
        Err(error) => return Err(error),
    };
    directory.extent(&former)?;
    if former.company_id != company.id {
        return Err(BackupError::OtherCompany {
            path: root.to_owned(),
            company: former.company,
        }
        .into());
    }
    Ok(Some(former))
}
