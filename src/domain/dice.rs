//! The one source of randomness, as an input.

use uuid::Uuid;

use crate::domain::time::EventTime;

/// Chance, handed to the rules from outside. The real dice are filled by the operating system;
/// a test store pins them.
pub trait Dice {
    /// A uniform number in `0..bound`. `bound` is above zero.
    fn below(&mut self, bound: usize) -> usize;

    /// A UUIDv7 for a fact of the moment `at`.
    fn uuid_v7(&mut self, at: EventTime) -> Uuid;
}
