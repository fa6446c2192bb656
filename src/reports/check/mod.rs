//! The reports against files that hold a pseudo-random history, each figure computed once more in
//! plain Rust from the entries alone.

mod figures;
mod history;
mod journals;
mod pages;
mod speed;
mod tables;
