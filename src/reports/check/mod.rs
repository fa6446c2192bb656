//! The reports on files with a pseudo-random history. Each figure is computed a second time in
//! plain Rust from the entries alone.

mod arranged;
mod figures;
mod history;
mod journals;
mod pages;
mod speed;
mod tables;
