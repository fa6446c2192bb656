//! Errors of DuckDB files, and the causes that DuckDB states only in words.

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
    /// A write-ahead file stands beside the tables and nobody is at work on them.
    #[error("{} does not belong to the tables beside it", path.display())]
    WriteAhead { path: PathBuf },
    /// The path began to lead elsewhere while the file was being opened.
    #[error("{} was replaced while it was being opened", path.display())]
    Replaced { path: PathBuf },
    /// DuckDB cannot read the file, or some of it, or it lacks our tables.
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

/// Whether the disk takes no more. DuckDB says so only in words.
pub fn is_full_disk(error: &duckdb::Error) -> bool {
    let text = error.to_string();
    is_too_large(error)
        || ["No space left on device", "Disk quota exceeded"]
            .iter()
            .any(|words| text.contains(words))
}

/// Whether a file may not become as large as it would (`ulimit -f`). DuckDB says so only in words.
pub fn is_too_large(error: &duckdb::Error) -> bool {
    error.to_string().contains("File too large")
}

/// Whether a result did not fit into memory, nor beside the tables on the disk. DuckDB says so only in words.
pub fn is_out_of_memory(error: &duckdb::Error) -> bool {
    error.to_string().contains("Out of Memory Error")
}

/// Whether the file does not hold what was written to it. DuckDB says so only in words; once it has met
/// damage, some of them are said of whatever is asked next.
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
