//! The program as its users meet it: the built binary, real stores, nothing mocked.
//!
//! One target, because DuckDB and Polars are linked into each. What must hold: the suite is
//! deterministic, needs no network and leaves nothing behind.

mod accounts;
mod answers;
mod backup;
mod books;
mod chain;
mod concurrency;
mod crafted;
mod crowd;
mod damage;
mod day;
mod dead_letters;
mod doctor;
mod dry_runs;
mod durability;
mod edges;
mod errors;
mod extremes;
mod faults;
mod follow;
mod forgery;
mod harness;
mod head_slots;
mod help;
mod keys;
mod kills;
mod logins;
mod management;
mod model;
mod modes;
mod moved;
mod names;
mod old_log;
mod play;
mod played;
mod project;
mod rebuild;
mod recount;
mod refusals;
mod repair;
mod rescue;
mod restore;
mod rights;
mod scripts;
mod secrets;
mod shell;
mod streams;
mod torture;
mod typing;
