//! Where everything of one company lies.

use std::path::{Path, PathBuf};

use crate::store::Tables;

/// The directory of a store.
#[derive(Clone, Debug)]
pub struct StoreDirectory {
    root: PathBuf,
}

impl StoreDirectory {
    pub fn new(root: impl Into<PathBuf>) -> StoreDirectory {
        StoreDirectory { root: root.into() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    pub fn state_index(&self) -> PathBuf {
        self.root.join("state.sqlite")
    }

    pub fn database(&self, tables: Tables) -> PathBuf {
        self.root.join(tables.file_name())
    }

    pub fn notifier(&self) -> PathBuf {
        self.root.join("notifier.sqlite")
    }

    pub fn lock(&self, name: &str) -> PathBuf {
        self.root.join(format!("{name}.lock"))
    }

    pub fn auth(&self) -> PathBuf {
        self.root.join("auth")
    }

    pub fn outbox(&self) -> PathBuf {
        self.root.join("outbox")
    }

    /// Left by `restore`: mails of this store go to the outbox only.
    pub fn restored_marker(&self) -> PathBuf {
        self.root.join("restored")
    }
}
