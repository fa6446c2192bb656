//! Everything a use case can fail with. Heading, hints and exit code are decided at the edge.

use std::path::PathBuf;

use crate::consumers::ConsumeError;
use crate::credentials::CredentialError;
use crate::domain::rejection::Rejection;
use crate::event_log::LogError;
use crate::state::StateError;
use crate::store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error(transparent)]
    Rejected(#[from] Rejection),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Consume(#[from] ConsumeError),
    #[error(transparent)]
    Credential(#[from] CredentialError),
    #[error("cannot {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },

    #[error("there is no store in {}", path.display())]
    NoStore { path: PathBuf },
    #[error("{} exists already", path.display())]
    StoreExists { path: PathBuf },
    #[error("`{name}` may be one of several tasks")]
    Ambiguous { name: String, candidates: Vec<String> },
    #[error("you are not logged in")]
    NotLoggedIn,
    #[error("wrong login or password")]
    WrongPassword,
    /// Clock or dice are pinned in a store that was not founded under them.
    #[error("{variable} is set, but this store does not run on a pinned clock")]
    Pinned { variable: &'static str },
    #[error("{message}")]
    Usage { message: String, hint: Option<String> },
}
