//! The version of the program in full: its commit and its engines.

use std::fmt::Write;
use std::sync::OnceLock;

use crate::app::error::in_full;
use crate::reports::polars_version;
use crate::state::sqlite_version;
use crate::store::connecting::duckdb_version;

static COMMIT: OnceLock<&'static str> = OnceLock::new();

/// States the commit of the sources from which this process was built. The first statement counts.
pub fn built_from(commit: &'static str) {
    let _ = COMMIT.set(commit);
}

/// The lines of `--version` after the first one, which `-V` prints alone.
pub(super) fn details() -> String {
    let duckdb = duckdb_version().unwrap_or_else(|error| in_full(&error));
    let rows = [
        ("commit", COMMIT.get().copied().unwrap_or("unknown")),
        ("DuckDB", duckdb.trim_start_matches('v')),
        ("SQLite", sqlite_version()),
        ("Polars", polars_version()),
    ];
    let mut text = String::new();
    for (what, version) in rows {
        let _ = writeln!(text, "{what} {version}");
    }
    text
}
