//! The business rules, pure: no I/O, clock, randomness, async, JSON or floating point.
//!
//! Commands are decided (`decide`: state and command in, events or a [`rejection::Rejection`] out),
//! and events are applied (`evolve`, `post`: never fails). Clock and dice are arguments.

#![cfg_attr(not(test), deny(clippy::float_arithmetic))]

pub mod clock;
pub mod company;
pub mod dead_letter;
pub mod dice;
pub mod displayed;
pub mod event;
pub mod id;
pub mod ledger;
pub mod money;
pub mod period;
pub mod pricing;
pub mod rejection;
pub mod role;
pub mod task;
pub mod text;
pub mod time;
pub mod user;

/// The beginning of the idempotency keys of imported rows.
pub const IMPORT_KEY_PREFIX: &str = "import/";

#[cfg(test)]
pub(crate) mod tests;
