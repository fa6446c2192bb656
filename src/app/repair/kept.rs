//! `damaged-<n>/` in a store: the originals of everything that a repair replaced or cut.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::app::AppError;
use crate::files::replace::{put_in_place, write_beside};
use crate::files::{free_name, sync_directory};

/// The umask is subtracted.
const MODE: u32 = 0o666;

pub(super) struct Kept {
    path: PathBuf,
}

fn io<'p>(
    action: &'static str,
    path: &'p Path,
) -> impl FnOnce(std::io::Error) -> AppError + use<'p> {
    move |source| AppError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

pub(super) fn sync(directory: &Path) -> Result<(), AppError> {
    sync_directory(directory).map_err(io("sync", directory))
}

impl Kept {
    /// Creates the first free `damaged-<n>/` of the store.
    ///
    /// # Errors
    /// If it cannot be created.
    pub(super) fn create(store: &Path) -> Result<Kept, AppError> {
        let path = free_name(&store.join("damaged"));
        std::fs::create_dir(&path).map_err(io("create", &path))?;
        Ok(Kept { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the bytes of a file from `byte` on, if the file exists. The copy's name becomes
    /// durable with the next [`Kept::replace`] in the store, before which nothing is changed.
    /// Anything but a regular file holds no events and would be in the way, so it is moved.
    ///
    /// # Errors
    /// If it cannot be copied or moved.
    pub(super) fn keep(&self, file: &Path, byte: u64) -> Result<(), AppError> {
        let name = file
            .file_name()
            .expect("a file has a name")
            .to_string_lossy();
        if std::fs::symlink_metadata(file).is_ok_and(|found| !found.is_file()) {
            return std::fs::rename(file, self.path.join(&*name)).map_err(io("move aside", file));
        }
        let mut from = match File::open(file) {
            Ok(from) => from,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(io("open", file)(error)),
        };
        let name = if byte == 0 {
            name.into_owned()
        } else {
            format!("{name}.from-byte-{byte}")
        };
        let path = self.path.join(name);
        from.seek(SeekFrom::Start(byte)).map_err(io("read", file))?;
        self.write(&path, &mut from)?;
        failpoint!("repair.between_kept");
        Ok(())
    }

    /// Replaces `file` with the bytes of `contents` by a rename, durably.
    ///
    /// # Errors
    /// If it cannot be written; then the file is as it was.
    pub(super) fn replace(&self, file: &Path, contents: &mut dyn Read) -> Result<(), AppError> {
        let beside = self.path.join(".unfinished");
        self.write(&beside, contents)?;
        put_in_place(&beside, file).map_err(io("replace", file))?;
        sync(&self.path)
    }

    fn write(&self, path: &Path, contents: &mut dyn Read) -> Result<(), AppError> {
        write_beside(path, MODE, |file| std::io::copy(contents, file).map(drop))
            .map_err(io("write", path))
    }
}
