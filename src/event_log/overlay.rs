//! A storage that shows a log in which some segments begin with bytes of a copy. It writes nothing,
//! so a repair can check the whole result before it replaces anything.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;

use crate::event_log::storage::{Access, Storage, StorageFile};

/// A log, with the parts of a copy that replace some of its bytes.
pub struct Overlay {
    pub log: Box<dyn Storage>,
    pub copy: Box<dyn Storage>,
    /// The segments that begin with bytes of the copy.
    pub overlaid: BTreeMap<String, OverlayPrefix>,
    /// Files that are left out.
    pub strays: BTreeSet<String>,
}

/// The bytes at the start of a segment that come from the copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OverlayPrefix {
    pub bytes: u64,
    /// Whether the log's own bytes follow.
    pub goes_on: bool,
}

fn read_only<T>() -> io::Result<T> {
    Err(io::Error::new(
        io::ErrorKind::ReadOnlyFilesystem,
        "an overlay is read-only",
    ))
}

impl Storage for Overlay {
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names: BTreeSet<String> = self.log.names()?.into_iter().collect();
        names.extend(self.overlaid.keys().cloned());
        Ok(names.difference(&self.strays).cloned().collect())
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn StorageFile>> {
        if access != Access::Read {
            return read_only();
        }
        let Some(beginning) = self.overlaid.get(name) else {
            return self.log.open(name, access);
        };
        let rest = match self.log.open(name, access) {
            Ok(file) => Some(file).filter(|_| beginning.goes_on),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(Box::new(OverlayFile {
            beginning: self.copy.open(name, access)?,
            bytes: beginning.bytes,
            rest,
        }))
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        read_only()
    }

    fn sync_directory(&self) -> io::Result<()> {
        read_only()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.log.path(name)
    }
}

/// The first bytes of one file, then the bytes of another from the same offset on.
struct OverlayFile {
    beginning: Box<dyn StorageFile>,
    bytes: u64,
    rest: Option<Box<dyn StorageFile>>,
}

impl StorageFile for OverlayFile {
    fn len(&self) -> io::Result<u64> {
        let rest = self.rest.as_ref().map_or(Ok(0), |rest| rest.len())?;
        Ok(self.bytes.max(rest))
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        if offset < self.bytes {
            let wanted = usize::try_from(self.bytes - offset)
                .unwrap_or(usize::MAX)
                .min(into.len());
            filled = self.beginning.read_at(&mut into[..wanted], offset)?;
            if filled < wanted {
                return Ok(filled);
            }
        }
        match &self.rest {
            Some(rest) if filled < into.len() => {
                Ok(filled + rest.read_at(&mut into[filled..], offset + filled as u64)?)
            }
            _ => Ok(filled),
        }
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        read_only()
    }

    fn truncate(&self, _: u64) -> io::Result<()> {
        read_only()
    }

    fn sync(&self) -> io::Result<()> {
        read_only()
    }

    fn try_lock(&self) -> io::Result<bool> {
        read_only()
    }
}
