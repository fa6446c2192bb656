//! One process at a time: a locked file that names its holder.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use crate::consumers::ConsumeError;
use crate::files::lock::{lock, try_lock};
use crate::files::regular_file;
use crate::turn::Surroundings;

/// Held until dropped. The file stays.
pub struct ProcessLock {
    _file: File,
}

impl ProcessLock {
    /// Takes the lock of a store at `path`.
    ///
    /// # Errors
    /// As [`ProcessLock::take`].
    pub fn take_in(around: &Surroundings<'_>, path: &Path) -> Result<ProcessLock, ConsumeError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        around.waited(&name, || {
            ProcessLock::take(path, around.holder, around.lock_wait)
        })
    }

    /// Takes the lock at `path`, waiting up to `wait`.
    ///
    /// # Errors
    /// [`ConsumeError::Locked`] names the holder.
    pub fn take(path: &Path, holder: &str, wait: Duration) -> Result<ProcessLock, ConsumeError> {
        let io = |action| {
            move |source| ConsumeError::Io {
                action,
                path: path.to_owned(),
                source,
            }
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = regular_file::open(path, &options).map_err(io("open"))?;
        if !lock(&file, wait).map_err(io("lock"))? {
            return Err(ConsumeError::Locked {
                path: path.to_owned(),
                holder: read_holder(&mut file),
            });
        }
        // It only serves messages, so a full disk is no error here.
        let _ = write_holder(&mut file, holder);
        Ok(ProcessLock { _file: file })
    }
}

/// The holder of the lock at `path`, as it named itself; `None` if the lock is free. The lock is
/// tried and released at once.
///
/// # Errors
/// [`ConsumeError::Io`]
pub fn holder_of(path: &Path) -> Result<Option<String>, ConsumeError> {
    let io = |action| {
        move |source| ConsumeError::Io {
            action,
            path: path.to_owned(),
            source,
        }
    };
    let mut file = match regular_file::open(path, OpenOptions::new().read(true)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(io("open"))?,
    };
    let is_free = try_lock(&file).map_err(io("lock"))?;
    Ok((!is_free).then(|| read_holder(&mut file)))
}

fn write_holder(file: &mut File, holder: &str) -> std::io::Result<()> {
    file.rewind()?;
    file.set_len(0)?;
    file.write_all(holder.as_bytes())
}

fn read_holder(file: &mut File) -> String {
    let mut holder = String::new();
    match file
        .rewind()
        .and_then(|()| file.read_to_string(&mut holder))
    {
        Ok(_) if !holder.is_empty() => holder,
        _ => "unknown".to_owned(),
    }
}
