//! A directory outside the store for the files of a verification, removed when it ends.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::app::AppError;

pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// # Errors
    /// If the system's directory for temporary files cannot be written.
    pub(crate) fn new() -> Result<Scratch, AppError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("popug-cli-verify-{}-{number}", std::process::id()));
        // A leftover of a killed process that had our process id.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).map_err(|source| AppError::Io {
            action: "create",
            path: path.clone(),
            source,
        })?;
        Ok(Scratch(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A link to a file of the store, without the files that stand beside it.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(crate) fn link(&self, file: &Path) -> io::Result<PathBuf> {
        let name = file.file_name().unwrap_or_default();
        let link = self.0.join(format!("live-{}", name.to_string_lossy()));
        match std::os::unix::fs::symlink(file, &link) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(link),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Remaining temporary files are a nuisance, not an error.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
