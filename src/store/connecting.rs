//! Connections to DuckDB: its settings, how a file is attached, and errors of starting it.

use std::ffi::OsStr;
use std::path::Path;

use duckdb::{Config, Connection};

use crate::files::with_suffix;
use crate::store::error::{StoreError, first_line, is_full_disk};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Read,
    Write,
}

/// The version of DuckDB that is linked.
pub fn duckdb_version() -> Result<String, StoreError> {
    let path = Path::new("DuckDB");
    let failed = |source| StoreError::DuckDb {
        action: "ask",
        path: path.to_owned(),
        source,
    };
    let connection =
        Connection::open_in_memory_with_flags(config(path, Mode::Read)?).map_err(failed)?;
    connection
        .query_row("SELECT version()", [], |row| row.get(0))
        .map_err(failed)
}

/// The file is attached to a database in memory, because only an attached file can do without a
/// write-ahead file.
pub(super) fn try_connect(
    path: &Path,
    mode: Mode,
) -> Result<Result<Connection, duckdb::Error>, StoreError> {
    let options = match mode {
        Mode::Read => "READ_ONLY",
        Mode::Write => "RECOVERY_MODE no_wal_writes",
    };
    let sql = format!(
        "ATTACH '{}' AS tables (TYPE duckdb, {options}); USE tables;",
        quoted(path)?
    );
    let config = config(path, mode)?;
    Ok(Connection::open_in_memory_with_flags(config)
        .and_then(|connection| connection.execute_batch(&sql).map(|()| connection)))
}

/// Whether DuckDB can keep tables in this directory, or in a `new` one that will be made in it.
/// DuckDB takes only names in UTF-8, and reads the part after a `?` as parameters of a URL, also in
/// the names that links lead to.
///
/// # Errors
/// [`std::io::ErrorKind::InvalidInput`] if it cannot, or another error of the system.
pub fn check_directory(directory: &Path, new: Option<&OsStr>) -> std::io::Result<()> {
    let place = std::fs::canonicalize(directory)?.join(new.unwrap_or_default());
    let reason = match place.to_str() {
        None => {
            "tables cannot be kept below a directory whose name is not UTF-8; name another place"
        }
        Some(text) if text.contains('?') => {
            "tables cannot be kept below a directory with a `?` in its name; name another place"
        }
        Some(_) => return Ok(()),
    };
    Err(std::io::Error::new(
        std::io::ErrorKind::InvalidInput,
        reason,
    ))
}

/// A path as the content of an SQL string.
///
/// # Errors
/// If the path is not UTF-8, because DuckDB takes nothing else.
pub fn quoted(path: &Path) -> Result<String, StoreError> {
    let text = path.to_str().ok_or_else(|| StoreError::Io {
        action: "open",
        path: path.to_owned(),
        source: std::io::Error::new(std::io::ErrorKind::InvalidInput, "the path is not UTF-8"),
    })?;
    Ok(text.replace('\'', "''"))
}

/// Stands between the name of a file and the number of the process in the name of a directory for
/// intermediate results.
pub const SPILL: &str = ".spill-";

/// Settings of a connection. DuckDB never loads an extension; intermediate results that do not fit
/// into memory go to a directory beside the file.
pub(super) fn config(path: &Path, mode: Mode) -> Result<Config, StoreError> {
    let spill = with_suffix(path, &format!("{SPILL}{}", std::process::id()));
    // Rows that are appended stay in memory until they are committed.
    let memory = match mode {
        Mode::Read => "112MB",
        Mode::Write => "384MB",
    };
    let made = || -> Result<Config, duckdb::Error> {
        Config::default()
            .threads(2)?
            .max_memory(memory)?
            .enable_autoload_extension(false)?
            .with("temp_directory", spill.to_string_lossy())
    };
    made().map_err(|source| StoreError::DuckDb {
        action: "open",
        path: path.to_owned(),
        source,
    })
}

/// The holder of a file, if the file could not be opened because it is locked. DuckDB gives this
/// only as text.
pub(super) fn lock_holder(error: &duckdb::Error) -> Option<String> {
    let text = error.to_string();
    if text.contains("is already attached by database") {
        return Some("this process".to_owned());
    }
    let locked = text.contains("Could not set lock on file");
    locked.then(|| {
        let held = text
            .split_once("Conflicting lock is held in ")
            .map(|(_, rest)| rest);
        let holder = held
            .and_then(|rest| rest.split_once(". "))
            .map_or("another process", |(holder, _)| holder);
        holder.to_owned()
    })
}

/// A file that the system does not open is not damaged, whatever the reason; the error of the
/// system explains it best.
pub(super) fn cannot_open(path: &Path, error: duckdb::Error) -> StoreError {
    let failed = |source| StoreError::DuckDb {
        action: "open",
        path: path.to_owned(),
        source,
    };
    if is_full_disk(&error) {
        return failed(error);
    }
    if let Err(source) = std::fs::File::open(path) {
        return StoreError::Io {
            action: "open",
            path: path.to_owned(),
            source,
        };
    }
    if error.to_string().contains("Cannot open file") {
        return failed(error);
    }
    StoreError::Damaged {
        path: path.to_owned(),
        reason: first_line(&error),
    }
}
