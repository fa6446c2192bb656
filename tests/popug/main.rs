//! The program as its users meet it: the built binary, real stores, nothing mocked.
//!
//! One target, because DuckDB and Polars are linked into each. What must hold: the suite needs no
//! network and leaves nothing behind. A test goes where its subject is:

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::too_many_lines,
    unreachable_pub,
    reason = "a test says how far it has come, is as long as its story, and exports nothing"
)]

mod access; //    accounts, roles, passwords, tokens: who may do or read what
mod commands; //  what a command answers: help, errors, formats, streams, the shell, scripts
mod damage; //    stores that are damaged, killed at, moved, restored, of an older program
mod helpers; //   no tests: the sealed world, a company to play with, kills
mod load; //      many processes on one store, stores with many tasks
mod model; //     the rules once more, in plain words: the books of a log, and random histories
mod money; //     the books: entries, closes, pay mails, events that accounting sets aside
mod project;
mod shared; //    a company on several machines, with its log in PostgreSQL //   the project itself: layers, files, guards, documentation
