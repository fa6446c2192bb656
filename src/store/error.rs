//! Errors of DuckDB files, and the causes that DuckDB gives only as text.

use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot {action} {}: {}", path.display(), first_line(source))]
    DuckDb {
        action: &'static str,
        path: PathBuf,
        source: duckdb::Error,
    },
    #[error("{} has been in use for {waited_millis} ms: {holder}", path.display())]
    Locked {
        path: PathBuf,
        holder: String,
        waited_millis: u128,
    },
    /// A write-ahead file is beside the tables, and no process works on them.
    #[error("{} does not belong to the tables beside it", path.display())]
    WriteAhead { path: PathBuf },
    /// The path came to lead to another file while the file was being opened.
    #[error("{} was replaced while it was being opened", path.display())]
    Replaced { path: PathBuf },
    /// DuckDB cannot read the file or a part of it, or the file lacks our tables.
    #[error("{} is damaged or not ours: {reason}", path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("cannot {action} {}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
}

impl StoreError {
    pub(super) fn of(action: &'static str, path: &Path, source: duckdb::Error) -> StoreError {
        let path = path.to_owned();
        if is_damage(&source) {
            return StoreError::Damaged {
                path,
                reason: first_line(&source),
            };
        }
        StoreError::DuckDb {
            action,
            path,
            source,
        }
    }
}

pub(super) fn first_line(error: &duckdb::Error) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// Whether the disk is full, or the file may not grow (`ulimit -f`). DuckDB gives this only as text.
pub fn is_full_disk(error: &duckdb::Error) -> bool {
    const WORDS: [&str; 3] = [
        "No space left on device",
        "Disk quota exceeded",
        "File too large",
    ];
    let text = error.to_string();
    WORDS.iter().any(|words| text.contains(words))
}

/// Whether a result fits neither into memory nor on the disk beside the tables. DuckDB gives this
/// only as text.
pub fn is_out_of_memory(error: &duckdb::Error) -> bool {
    error.to_string().contains("Out of Memory Error")
}

/// Whether the file is damaged. DuckDB gives this only as text; once it has met damage, it answers
/// later questions with some of these texts too.
pub fn is_damage(error: &duckdb::Error) -> bool {
    const WORDS: [&str; 6] = [
        "Corrupt database file",
        "Could not read enough bytes",
        "Serialization Error",
        "INTERNAL Error",
        "FATAL Error",
        "Catalog Error: Table with name",
    ];
    let text = error.to_string();
    !is_full_disk(error) && WORDS.iter().any(|words| text.contains(words))
}
