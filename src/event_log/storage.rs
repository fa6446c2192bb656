//! The one door between the log and the disk, so that tests can lose, cut and fail it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::durable::sync_directory;
use crate::regular_file::{self, NO_FILE};

/// The directory that holds the log.
pub trait Storage: Send + Sync {
    /// The names of the regular files in it, in no order.
    fn names(&self) -> io::Result<Vec<String>>;
    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn StorageFile>>;
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes created and removed names durable.
    fn sync_directory(&self) -> io::Result<()>;
    /// For messages.
    fn path(&self, name: &str) -> PathBuf;
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    Read,
    /// An existing file.
    Write,
    /// A file that may not exist yet.
    Create,
}

pub trait StorageFile: Send + Sync {
    fn len(&self) -> io::Result<u64>;
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Reads what there is at `offset`, up to the length of `into`; fewer bytes only at the end.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    fn truncate(&self, length: u64) -> io::Result<()>;
    /// fdatasync: contents and length are durable when it returns.
    fn sync(&self) -> io::Result<()>;
    /// Takes the exclusive lock between processes; false if another holds it. Dropping the file
    /// lets go of it.
    fn try_lock(&self) -> io::Result<bool>;
}

/// Real files.
pub struct Disk {
    directory: PathBuf,
}

impl Disk {
    pub fn new(directory: &Path) -> Disk {
        Disk { directory: directory.to_owned() }
    }
}

/// A link leads to a file of somebody else, which a writer would cut.
fn is_no_file(path: &Path) -> bool {
    path.is_symlink() || regular_file::is_other(path)
}

impl Storage for Disk {
    fn names(&self) -> io::Result<Vec<String>> {
        let entries = std::fs::read_dir(&self.directory)?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        Ok(names)
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn StorageFile>> {
        let write = access != Access::Read;
        let path = self.directory.join(name);
        if is_no_file(&path) {
            // Where one is to be created, something stands in its way.
            let kind = if access == Access::Create { io::ErrorKind::AlreadyExists } else { io::ErrorKind::NotFound };
            return Err(io::Error::new(kind, NO_FILE));
        }
        let file =
            OpenOptions::new().read(true).write(write).create(access == Access::Create).truncate(false).open(path)?;
        Ok(Box::new(file))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.directory.join(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        sync_directory(&self.directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

impl StorageFile for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < into.len() {
            match FileExt::read_at(self, &mut into[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn try_lock(&self) -> io::Result<bool> {
        match File::try_lock(self) {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}
