//! The one source of randomness, as an input.

use uuid::Uuid;

use crate::domain::time::EventTime;

/// Randomness, as an input of the rules. The real dice are seeded by the operating system;
/// a test store pins them.
pub trait Dice {
    /// A uniform number in `0..bound`. `bound` is above zero.
    fn below(&mut self, bound: usize) -> usize;

    /// A UUIDv7 for a fact of the moment `at`.
    fn uuid_v7(&mut self, at: EventTime) -> Uuid;
}
