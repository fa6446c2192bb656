//! Commands and their answers: help, errors, formats, streams, the shell.

mod answers;
mod cancels;
mod check;
mod current;
mod demo;
mod doctor;
mod dry_runs;
mod edges;
mod edits;
mod errors;
mod follow;
mod hand_overs;
mod help;
mod imports;
mod keys;
mod lists;
mod names;
mod outputs;
mod parquet;
mod periods;
mod questions;
mod refusals;
mod scripts;
mod shell;
mod streams;
mod typing;
