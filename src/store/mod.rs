//! DuckDB files: opening them with a wait, their tables, and rows appended in sets.
//!
//! DuckDB lets one process at a time write a file, and none read it meanwhile. So files are
//! opened late and closed at once, and whoever finds one locked waits with backoff.

pub mod connecting;
pub mod database;
pub mod directory;
pub mod disk;
pub mod rows;
pub mod tables;
pub mod write_ahead;

pub use database::{
    Database, StoreError, Tables, is_damage, is_full_disk, is_out_of_memory, is_too_large,
};
pub use directory::StoreDirectory;
