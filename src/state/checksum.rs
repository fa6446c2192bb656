//! A checksum in every row, so that a bit that rots in a disposable file is damage and not a fact.
//!
//! SQLite's pages carry none. Two SQL functions do it, which the generated columns of a schema call: `checksum`
//! sums up the columns of a row whenever it is written, `is_sound` compares whenever a query names the column
//! `sound`, as `SELECT *` and `WHERE sound` do. A row that does not match is an error, never a row. Whatever
//! reads or changes a row names that column.

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Result, ffi};
use sha2::{Digest, Sha256};

/// Makes the two functions known to a connection; without them the tables can be neither read nor written.
///
/// # Errors
/// If SQLite fails.
pub fn register(db: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    db.create_scalar_function("checksum", -1, flags, |row| Ok(checksum(row, 0)))?;
    db.create_scalar_function("is_sound", -1, flags, |row| {
        if row.get_raw(0) == ValueRef::Integer(checksum(row, 1)) {
            return Ok(true);
        }
        // With words of its own it would lose its code.
        Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), None))
    })
}

/// The first eight bytes of SHA-256 over the values from `first` on, each with its type and length.
fn checksum(row: &Context<'_>, first: usize) -> i64 {
    let mut sum = Sha256::new();
    for column in first..row.len() {
        let mut add = |kind: u8, bytes: &[u8]| {
            sum.update([kind]);
            sum.update((bytes.len() as u64).to_le_bytes());
            sum.update(bytes);
        };
        match row.get_raw(column) {
            ValueRef::Null => add(0, &[]),
            ValueRef::Integer(number) => add(1, &number.to_le_bytes()),
            ValueRef::Real(number) => add(2, &number.to_le_bytes()),
            ValueRef::Text(text) => add(3, text),
            ValueRef::Blob(bytes) => add(4, bytes),
        }
    }
    let digest = sum.finalize();
    i64::from_le_bytes(digest[..8].try_into().expect("eight bytes"))
}
