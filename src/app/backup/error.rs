//! Errors of making and using a backup.

use std::path::PathBuf;

use crate::domain::id::Sequence;
use crate::domain::time::EventTime;

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("there is no backup in {}", path.display())]
    Missing { path: PathBuf },
    /// The manifest is that of `export --dir`.
    #[error("{} holds exported reports and no backup", path.display())]
    IsExport { path: PathBuf },
    /// `manifest.json` is not that of a backup, and nothing else of a backup is there.
    #[error("there is no backup in {}: its manifest.json belongs to something else", path.display())]
    Foreign { path: PathBuf },
    /// The manifest and the files differ.
    #[error("the backup is damaged: {}: {what}", path.display())]
    Damaged { path: PathBuf, what: String },
    #[error("{} was written by a newer popug-cli (format {format})", path.display())]
    TooNew { path: PathBuf, format: u32 },
    /// The directory has other files in it, which a backup would mix with.
    #[error("{} is not empty and not a backup", path.display())]
    NotEmpty { path: PathBuf },
    /// It is a store, and a backup removes foreign files from its directory.
    #[error("{} is a store or inside one; it cannot take a backup", path.display())]
    IsStore { path: PathBuf },
    #[error("{} holds a backup of another company, {company}", path.display())]
    OtherCompany { path: PathBuf, company: String },
    /// The backup does not belong to this log.
    #[error("{} holds a backup up to event {sequence}, which is not in this log", path.display())]
    Diverged { path: PathBuf, sequence: Sequence },
    /// The founding itself would be cut off.
    #[error(
        "the first batch of the backup ends with event {sequence} at {time}; it has no older event"
    )]
    BeforeFounding { sequence: Sequence, time: EventTime },
}
