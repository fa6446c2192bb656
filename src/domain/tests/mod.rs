//! The business rules, tested one by one. A test is named after the rule that it tests.

mod cancels;
mod dead_letters;
pub(crate) mod dice;
mod draw;
mod edits;
mod facts;
mod hand_overs;
mod ledger;
pub(crate) mod mutation;
mod rejections;
mod scenario;
mod tasks;
mod text;
mod time;
mod users;
