//! `log/remote` says that the files of a log are a copy, and names the remote.

use serde::{Deserialize, Serialize};

use crate::domain::id::CompanyId;
use crate::event_log::error::LogError;
use crate::event_log::storage::{Access, Storage};

const ROLE_FILE: &str = "remote";
const FORMAT: u32 = 1;
/// Far longer than any role.
const BYTES_MAX: usize = 64 << 10;

/// The remote of a copy.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Role {
    format: u32,
    pub company: CompanyId,
    /// Where the remote is; it holds no password.
    pub url: String,
    /// Whether `consume` sends the pay mails of the company from this store. One store of a company
    /// does.
    pub sends_mails: bool,
}

impl Role {
    pub fn new(company: CompanyId, url: String, sends_mails: bool) -> Role {
        Role {
            format: FORMAT,
            company,
            url,
            sends_mails,
        }
    }

    /// The role of the log on `storage`; `None` if it is no copy.
    ///
    /// # Errors
    /// [`LogError::RoleUnreadable`], [`LogError::TooNew`]
    pub fn read(storage: &dyn Storage) -> Result<Option<Role>, LogError> {
        let path = || storage.path(ROLE_FILE);
        let file = match storage.open(ROLE_FILE, Access::Read) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|source| LogError::Io {
                action: "open",
                path: path(),
                source,
            })?,
        };
        let mut bytes = vec![0; BYTES_MAX];
        let length = file.read_at(&mut bytes, 0).map_err(|source| LogError::Io {
            action: "read",
            path: path(),
            source,
        })?;
        let role: Role =
            serde_json::from_slice(&bytes[..length]).map_err(|error| LogError::RoleUnreadable {
                path: path(),
                what: error.to_string(),
            })?;
        if role.format > FORMAT {
            let found = format!("format {}", role.format);
            return Err(LogError::TooNew {
                path: path(),
                found,
            });
        }
        Ok(Some(role))
    }

    /// Makes the log on `storage` a copy, durably. The slots of its head still have to be written.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, storage: &dyn Storage) -> Result<(), LogError> {
        let mut text = serde_json::to_string(self).expect("a role is JSON");
        text.push('\n');
        let written = storage.open(ROLE_FILE, Access::Create).and_then(|file| {
            file.truncate(0)?;
            file.write_at(text.as_bytes(), 0)?;
            file.sync()?;
            storage.sync_directory()
        });
        written.map_err(|source| LogError::Io {
            action: "write",
            path: storage.path(ROLE_FILE),
            source,
        })
    }
}

/// Whether the log on `storage` is a copy.
pub(in crate::event_log) fn is_copy(storage: &dyn Storage) -> Result<bool, LogError> {
    match storage.open(ROLE_FILE, Access::Read) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(LogError::Io {
            action: "open",
            path: storage.path(ROLE_FILE),
            source,
        }),
    }
}
