//! Reports: load (SQL over DuckDB tables), compute (Polars, pure), render.
//!
//! One file per report. A report only reads, and states the last event that its tables include.
//! `app::reports` decides whether the caller may see it.

pub mod balances;
#[cfg(test)]
mod check;
pub mod closes;
pub mod earnings;
pub mod error;
pub mod frame;
pub mod journal;
pub mod name;
pub mod negative;
pub mod pages;
pub mod payouts;
pub mod people;
pub mod query;
pub mod render;
pub mod source;
pub mod statement;
pub mod table;
pub mod tasks;
pub mod top_task;
pub mod trial_balance;
