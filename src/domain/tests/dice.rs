//! Dice with the same results in every run.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use uuid::{Builder, Uuid};

use crate::domain::dice::Dice;
use crate::domain::time::EventTime;

#[derive(Clone)]
pub(crate) struct PinnedDice(ChaCha12Rng);

impl PinnedDice {
    pub(crate) fn new(seed: u64) -> PinnedDice {
        PinnedDice(ChaCha12Rng::seed_from_u64(seed))
    }

    #[cfg(feature = "cli")]
    pub(crate) fn from_seed(seed: [u8; 32]) -> PinnedDice {
        PinnedDice(ChaCha12Rng::from_seed(seed))
    }
}

impl Dice for PinnedDice {
    fn below(&mut self, bound: usize) -> usize {
        self.0.random_range(0..bound)
    }

    fn uuid_v7(&mut self, at: EventTime) -> Uuid {
        let mut random = [0; 10];
        self.0.fill_bytes(&mut random);
        let millis = u64::try_from(at.micros() / 1_000).expect("after 1970");
        Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}
