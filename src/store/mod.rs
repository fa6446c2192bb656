//! DuckDB files: opening them with a wait, their tables, and rows appended in sets.
//!
//! While one process writes a DuckDB file, no other can open it, not even for reading. So files are
//! opened late and closed early, and a process that finds one locked tries again, with growing
//! pauses.

pub mod connecting;
pub mod database;
pub mod directory;
pub mod disk;
pub mod error;
pub mod rows;
pub mod tables;
pub mod write_ahead;

pub use database::{Database, Tables};
pub use directory::StoreDirectory;
pub use error::{StoreError, is_damage, is_full_disk, is_out_of_memory};
