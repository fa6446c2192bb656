//! Reports: load (SQL over DuckDB tables), compute (Polars, pure), render.
//!
//! One file per report. A report only reads, and says as of which sequence it is. Whether the
//! caller may see it is decided before.

pub mod error;
pub mod frame;
pub mod render;
pub mod table;
