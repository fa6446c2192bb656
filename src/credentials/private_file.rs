//! Files that only their owner can read: JSON documents, replaced whole or not at all.
//!
//! Invariant: a reader sees the old contents or the new, never a mixture; when a write has
//! returned, it is durable; a secret that others could read is refused.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};

use crate::credentials::error::CredentialError;
use crate::files::replace::{put_in_place, write_beside};
use crate::files::{self, parent_of, regular_file, sync_directory};

pub const FILE_MODE: u32 = 0o600;
pub const DIRECTORY_MODE: u32 = 0o700;
const OTHERS: u32 = 0o077;
const FORMAT: u32 = 1;

/// The first member of every document; no format but that of this version is read.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Format(u32);

impl Format {
    pub const CURRENT: Format = Format(FORMAT);
}

impl Default for Format {
    fn default() -> Format {
        Format::CURRENT
    }
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            FORMAT => Ok(Format::CURRENT),
            other => Err(D::Error::custom(format_args!(
                "format {other} is not known"
            ))),
        }
    }
}

#[derive(Deserialize)]
struct OnlyFormat {
    format: u32,
}

pub fn io_error(action: &'static str, path: &Path, source: io::Error) -> CredentialError {
    CredentialError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

/// Reads the whole file; `None` if there is none.
///
/// # Errors
/// [`CredentialError::OpenToOthers`] if group or others have any right to it.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, CredentialError> {
    let mut file = match regular_file::open(path, OpenOptions::new().read(true)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(io_error("open", path, source)),
    };
    let metadata = file
        .metadata()
        .map_err(|source| io_error("look at", path, source))?;
    refuse_others(path, metadata.permissions().mode(), FILE_MODE)?;
    let mut bytes = Vec::with_capacity(1024);
    file.read_to_end(&mut bytes)
        .map_err(|source| io_error("read", path, source))?;
    Ok(Some(bytes))
}

/// Reads a document whose first member is `format`. `remedy` is the hint for a damaged document.
pub fn read_json<T: DeserializeOwned>(
    path: &Path,
    remedy: &'static str,
) -> Result<Option<T>, CredentialError> {
    let Some(bytes) = read(path)? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        match serde_json::from_slice::<OnlyFormat>(&bytes) {
            Ok(found) if found.format > FORMAT => CredentialError::TooNew {
                path: path.to_owned(),
                format: found.format,
            },
            _ => CredentialError::Damaged {
                path: path.to_owned(),
                what: place_of(&error),
                remedy,
            },
        }
    })
}

/// The place of the fault in the text. The text may contain a secret, so it is not quoted.
fn place_of(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let what = match error.classify() {
        Category::Data => "a member is missing or wrong",
        Category::Eof => "it ends too early",
        Category::Syntax | Category::Io => "it is not JSON",
    };
    format!("{what} (line {} column {})", error.line(), error.column())
}

pub fn replace_json(path: &Path, document: &impl Serialize) -> Result<(), CredentialError> {
    let mut bytes =
        serde_json::to_vec_pretty(document).expect("the documents of this module are JSON");
    bytes.push(b'\n');
    replace(path, &bytes)
}

/// Replaces or creates the file, with mode 0600.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), CredentialError> {
    let beside = beside(path);
    write_beside(&beside, FILE_MODE, |file| file.write_all(bytes))
        .and_then(|()| put_in_place(&beside, path))
        .map_err(|source| {
            // The first error is the one to report.
            let _ = files::remove(&beside);
            io_error("write", path, source)
        })
}

/// A unique name, because two processes may replace a session at once.
fn beside(path: &Path) -> PathBuf {
    let name = path
        .file_name()
        .expect("a file has a name")
        .to_string_lossy();
    path.with_file_name(format!(".{name}.{:016x}.new", rand::random::<u64>()))
}

/// Removes the file. Returns whether there was one.
pub fn remove(path: &Path) -> Result<bool, CredentialError> {
    let removed = files::remove(path).map_err(|source| io_error("remove", path, source))?;
    if removed {
        sync_names(parent_of(path))?;
    }
    Ok(removed)
}

/// The names in a directory; none if it is missing, because another process may remove it.
pub fn names_in(directory: &Path) -> Result<Vec<String>, CredentialError> {
    let failed = |source| io_error("list", directory, source);
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(failed(source)),
    };
    entries
        .map(|entry| {
            Ok(entry
                .map_err(failed)?
                .file_name()
                .to_string_lossy()
                .into_owned())
        })
        .collect()
}

/// Creates a directory for its owner alone; an existing one is left as it is.
pub fn create_directory(path: &Path) -> Result<(), CredentialError> {
    match DirBuilder::new().mode(DIRECTORY_MODE).create(path) {
        Ok(()) => sync_names(parent_of(path)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(io_error("create", path, source)),
    }
}

/// # Errors
/// [`CredentialError::Missing`], or [`CredentialError::OpenToOthers`]
pub fn check_directory(path: &Path) -> Result<(), CredentialError> {
    match std::fs::metadata(path) {
        Ok(metadata) => refuse_others(path, metadata.permissions().mode(), DIRECTORY_MODE),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(CredentialError::Missing { path: path.into() })
        }
        Err(source) => Err(io_error("look at", path, source)),
    }
}

fn refuse_others(path: &Path, mode: u32, wanted: u32) -> Result<(), CredentialError> {
    if mode & OTHERS == 0 {
        return Ok(());
    }
    Err(CredentialError::OpenToOthers {
        path: path.to_owned(),
        mode: mode & 0o777,
        wanted,
    })
}

fn sync_names(directory: &Path) -> Result<(), CredentialError> {
    sync_directory(directory).map_err(|source| io_error("sync", directory, source))
}
