//! The directory of a backup.
//!
//! ```text
//! manifest.json   written last, by a rename: until then the former backup counts
//! log/            segments; finished ones never change again
//! auth/<n>/       secrets of the n-th backup that has some
//! backup.lock     held while a backup is written
//! ```

use std::collections::BTreeSet;
use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::app::AppError;
use crate::app::backup::BackupError;
use crate::app::backup::manifest::{FORMAT, FileRecord, Manifest};
use crate::consumers::process_lock::ProcessLock;
use crate::credentials::SecretFile;
use crate::credentials::archive::put_secret_files;
use crate::event_log::overlay::{Overlay, OverlayPrefix};
use crate::event_log::storage::Disk;
use crate::event_log::{Hash, copy, segment};
use crate::files::held::Held;
use crate::files::replace::{put_in_place, write_beside};
use crate::files::sync_directory;

pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const UNFINISHED_MANIFEST: &str = ".manifest.json.new";
/// Room for more than a hundred thousand segments and tokens, at about a hundred bytes each.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;
pub(super) const LOCK: &str = "backup.lock";

pub struct BackupDirectory {
    /// The name for messages.
    root: PathBuf,
    /// `None` if it did not exist when it was opened, or cannot be opened.
    held: Option<Arc<Held>>,
}

pub(super) fn io<'p>(
    action: &'static str,
    path: &'p Path,
) -> impl FnOnce(std::io::Error) -> AppError + use<'p> {
    move |source| AppError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

fn sync(path: &Path) -> Result<(), AppError> {
    sync_directory(path).map_err(io("sync", path))
}

fn create_private(path: &Path) -> Result<(), AppError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(io("create", path))
}

impl BackupDirectory {
    /// A directory from which to read a backup. An existing directory stays the same one, even if
    /// its name is given to another.
    pub fn at(root: &Path) -> BackupDirectory {
        BackupDirectory {
            root: root.to_owned(),
            held: Held::open(root).ok(),
        }
    }

    /// A directory into which to write a backup, created if necessary and held from then on. The
    /// caller has checked that it may take a backup, and checks again when it is held.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn create(root: &Path) -> Result<BackupDirectory, AppError> {
        create_private(root)?;
        if let Some(parent) = std::path::absolute(root)
            .ok()
            .as_deref()
            .and_then(Path::parent)
        {
            sync(parent)?;
        }
        let held = Held::open(root).map_err(io("open", root))?;
        Ok(BackupDirectory {
            root: root.to_owned(),
            held: Some(held),
        })
    }

    /// Takes the lock that keeps others from writing there.
    ///
    /// # Errors
    /// If it is locked for longer than `wait`, or cannot be written.
    pub fn claim(&self, holder: &str, wait: Duration) -> Result<ProcessLock, AppError> {
        let lock = ProcessLock::take(&self.path(LOCK), holder, wait)?;
        create_private(&self.path("log"))?;
        Ok(lock)
    }

    /// The path of the directory. If it is held, the path always leads to the same one.
    pub(super) fn place(&self) -> &Path {
        self.held.as_ref().map_or(&self.root, |held| held.path())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place().join(name)
    }

    /// # Errors
    /// [`BackupError::Damaged`] if the log is missing; the system's error if it cannot be opened.
    pub fn log(&self) -> Result<Disk, AppError> {
        Disk::open(&self.path("log")).map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => self.damaged("log", "it is missing"),
            _ => io("open", &self.path("log"))(error),
        })
    }

    /// The log as the manifest counts it, without the bytes after a segment's counted ones.
    ///
    /// # Errors
    /// As [`BackupDirectory::log`].
    pub fn counted(&self, extent: &copy::Extent) -> Result<Overlay, AppError> {
        let counted = |bytes| OverlayPrefix {
            bytes,
            goes_on: false,
        };
        let overlaid = extent
            .prefixes
            .iter()
            .map(|prefix| (segment::file_name(prefix.segment), counted(prefix.bytes)));
        let (log, copy) = (Box::new(self.log()?), Box::new(self.log()?));
        Ok(Overlay {
            log,
            copy,
            overlaid: overlaid.collect(),
            strays: BTreeSet::new(),
        })
    }

    /// # Errors
    /// [`BackupError::Missing`]; [`BackupError::IsExport`]; [`BackupError::Foreign`];
    /// [`BackupError::Damaged`] if it cannot be read.
    pub fn manifest(&self) -> Result<Manifest, AppError> {
        let path = self.path(MANIFEST);
        let bytes = self.manifest_bytes()?.ok_or_else(|| BackupError::Missing {
            path: self.root.clone(),
        })?;
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if !is_of_backup(&value) && value.get("exported_at").is_some() {
            return Err(BackupError::IsExport {
                path: self.root.clone(),
            }
            .into());
        }
        if !is_of_backup(&value) && !self.has_other_part() {
            return Err(BackupError::Foreign {
                path: self.root.clone(),
            }
            .into());
        }
        let format = value["format"].as_u64().and_then(|n| u32::try_from(n).ok());
        if let Some(format) = format.filter(|format| *format > FORMAT) {
            return Err(BackupError::TooNew { path, format }.into());
        }
        serde_json::from_slice(&bytes).map_err(|error| self.damaged(MANIFEST, error.to_string()))
    }

    /// Whether a file of a backup besides the manifest is there: its lock or a segment.
    fn has_other_part(&self) -> bool {
        let names = |path| std::fs::read_dir(path).into_iter().flatten().flatten();
        let is_segment = |name: &str| segment::first_sequence(name).is_some();
        self.path(LOCK).is_file()
            || names(self.path("log")).any(|file| file.file_name().to_str().is_some_and(is_segment))
    }

    /// Whether the file of the manifest's name is another one, such as that of an export.
    ///
    /// # Errors
    /// [`BackupError::Damaged`] if it cannot be read.
    pub fn has_foreign_manifest(&self) -> Result<bool, AppError> {
        Ok(self
            .manifest_value()?
            .is_some_and(|manifest| !is_of_backup(&manifest)))
    }

    /// Whether the directory has the manifest of a backup.
    pub fn has_own_manifest(&self) -> bool {
        self.manifest_value()
            .ok()
            .flatten()
            .is_some_and(|manifest| is_of_backup(&manifest))
    }

    fn manifest_value(&self) -> Result<Option<serde_json::Value>, AppError> {
        Ok(self
            .manifest_bytes()?
            .and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    fn manifest_bytes(&self) -> Result<Option<Vec<u8>>, AppError> {
        let path = self.path(MANIFEST);
        self.check_regular(MANIFEST)?;
        let mut bytes = Vec::new();
        match File::open(&path)
            .and_then(|file| file.take(MANIFEST_BYTES_MAX + 1).read_to_end(&mut bytes))
        {
            Ok(read) if read as u64 > MANIFEST_BYTES_MAX => {
                Err(self.damaged(MANIFEST, "it is too large for a manifest"))
            }
            Ok(_) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io("read", &path)(error)),
        }
    }

    /// Links lead out of the backup, and opening a pipe would wait for ever.
    fn check_regular(&self, name: &str) -> Result<(), AppError> {
        match std::fs::symlink_metadata(self.path(name)) {
            Ok(found) if !found.is_file() => Err(self.damaged(name, "it is not a regular file")),
            _ => Ok(()),
        }
    }

    pub fn damaged(&self, name: &str, what: impl Into<String>) -> AppError {
        BackupError::Damaged {
            path: self.path(name),
            what: what.into(),
        }
        .into()
    }

    /// The extent of this backup's log according to its manifest.
    ///
    /// # Errors
    /// [`BackupError::Damaged`]
    pub fn extent(&self, manifest: &Manifest) -> Result<copy::Extent, AppError> {
        manifest
            .extent()
            .map_err(|what| self.damaged(MANIFEST, what))
    }

    /// Replaces the manifest: from now on the new backup counts.
    ///
    /// # Errors
    /// If it cannot be written; then the former one counts.
    pub fn publish(&self, manifest: &Manifest) -> Result<(), AppError> {
        let (path, beside) = (self.path(MANIFEST), self.path(UNFINISHED_MANIFEST));
        let mut bytes = serde_json::to_vec_pretty(manifest).expect("a manifest is JSON");
        bytes.push(b'\n');
        write_beside(&beside, 0o600, |file| file.write_all(&bytes))
            .and_then(|()| put_in_place(&beside, &path))
            .map_err(io("write", &path))
    }

    /// Writes secrets into a new directory, beside those that the former manifest names.
    pub fn put_secrets(
        &self,
        generation: u64,
        files: &[SecretFile],
    ) -> Result<Vec<FileRecord>, AppError> {
        let auth = self.path("auth");
        create_private(&auth)?;
        put_secret_files(&auth.join(generation.to_string()), files)?;
        sync(self.place())?;
        let record = |file: &SecretFile| FileRecord {
            path: format!("auth/{generation}/{}", file.path),
            bytes: file.bytes.len() as u64,
            sha256: Hash::of_bytes(&file.bytes).to_string(),
        };
        Ok(files.iter().map(record).collect())
    }

    /// Removes secrets that the manifest does not name, all but those of generation `kept`.
    pub fn forget_secrets(&self, kept: Option<u64>) -> Result<(), AppError> {
        let auth = self.path("auth");
        let entries = match std::fs::read_dir(&auth) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(io("list", &auth)(error)),
        };
        for entry in entries {
            let entry = entry.map_err(io("list", &auth))?;
            let is_generation = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u64>().ok());
            if is_generation.is_some_and(|generation| Some(generation) != kept) {
                std::fs::remove_dir_all(entry.path()).map_err(io("remove", &entry.path()))?;
                sync(&auth)?;
            }
        }
        Ok(())
    }

    /// The secrets that the manifest names, each compared with its hash.
    ///
    /// # Errors
    /// [`BackupError::Damaged`]
    pub fn secrets(&self, manifest: &Manifest) -> Result<Vec<SecretFile>, AppError> {
        let mut files = Vec::new();
        for record in &manifest.files {
            let Some((_, below)) = record.secret() else {
                continue;
            };
            self.check_regular(&record.path)?;
            let read = std::fs::read(self.path(&record.path));
            let bytes = read.map_err(|error| self.damaged(&record.path, error.to_string()))?;
            if bytes.len() as u64 != record.bytes
                || Hash::of_bytes(&bytes).to_string() != record.sha256
            {
                return Err(self.damaged(&record.path, "it differs from the manifest"));
            }
            files.push(SecretFile {
                path: below.to_owned(),
                bytes,
            });
        }
        Ok(files)
    }
}

/// Whether a manifest is that of a backup, of any format. The manifest of an export names the
/// company too, but has neither a format nor the head of a log.
fn is_of_backup(manifest: &serde_json::Value) -> bool {
    manifest.get("company_id").is_some()
        && (manifest["format"].is_u64() || manifest.get("head").is_some())
}
