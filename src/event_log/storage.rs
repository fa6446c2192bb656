//! All disk access of the log, behind one trait, so that tests can lose, cut and fail it.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use crate::files::lock;
use crate::files::regular_file::NO_FILE;

/// The directory that holds the log.
pub trait Storage: Send + Sync {
    /// The names of the regular files in the directory, in any order.
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
    /// Reads at `offset`, up to the length of `into`; fewer bytes only at the end of the file.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    fn truncate(&self, length: u64) -> io::Result<()>;
    /// fdatasync: contents and length are durable when it returns.
    fn sync(&self) -> io::Result<()>;
    /// Takes the exclusive lock between processes; false if another one holds it. Dropping the file
    /// releases it.
    fn try_lock(&self) -> io::Result<bool>;
}

/// Real files. The directory stays the one that was opened, even if its name is given to another.
pub struct Disk {
    directory: OwnedFd,
    /// For messages.
    name: PathBuf,
}

impl Disk {
    /// Opens the directory and holds it.
    ///
    /// # Errors
    /// If it is not a directory, or its permissions forbid it.
    pub fn open(directory: &Path) -> io::Result<Disk> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = retry_on_intr(|| rustix::fs::openat(CWD, directory, flags, Mode::empty()))?;
        Ok(Disk {
            directory: opened,
            name: directory.to_owned(),
        })
    }

    /// The kind of file under a name, links not followed; `None` if there is none.
    fn kind(&self, name: &str) -> io::Result<Option<FileType>> {
        match rustix::fs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(FileType::from_raw_mode(found.st_mode))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Storage for Disk {
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = match entry.file_type() {
                FileType::Unknown => self.kind(&name)?,
                told => Some(told),
            };
            if kind == Some(FileType::RegularFile) {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn StorageFile>> {
        // A link leads to a file of another program, which a writer would cut; opening a pipe would
        // wait.
        if self
            .kind(name)?
            .is_some_and(|kind| kind != FileType::RegularFile)
        {
            // Another file is in the place of the one to create.
            let kind = if access == Access::Create {
                io::ErrorKind::AlreadyExists
            } else {
                io::ErrorKind::NotFound
            };
            return Err(io::Error::new(kind, NO_FILE));
        }
        let flags = match access {
            Access::Read => OFlags::RDONLY,
            Access::Write => OFlags::RDWR,
            Access::Create => OFlags::RDWR | OFlags::CREATE,
        };
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        // The umask of a store removes the rights of group and others.
        let mode = Mode::from_raw_mode(0o666);
        let file = retry_on_intr(|| rustix::fs::openat(&self.directory, name, flags, mode))?;
        Ok(Box::new(File::from(file)))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(
            &self.directory,
            name,
            AtFlags::empty(),
        )?)
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.directory)?)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.name.join(name)
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
        lock::try_lock(self)
    }
}
