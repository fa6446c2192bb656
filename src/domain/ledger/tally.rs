//! Count, sum and digest of entries: one small value that states the contents of a table of
//! entries.

use sha2::{Digest, Sha256};

use crate::domain::event::BalanceChanged;

/// Count, sum and digest of a set of entries. It does not depend on their order, so tallies of
/// parts can be joined.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    pub entries: u64,
    /// The sum of the signed amounts in minor units, modulo 2^64.
    pub amount_minor: i64,
    /// The sum of the fingerprints of the entries, modulo 2^64.
    pub digest: u64,
}

impl Tally {
    pub fn add(&mut self, entry: &BalanceChanged) {
        self.join(&Tally {
            entries: 1,
            amount_minor: entry.amount.minor(),
            digest: fingerprint(entry),
        });
    }

    /// Adds all entries of `other`.
    pub fn join(&mut self, other: &Tally) {
        self.entries += other.entries;
        self.amount_minor = self.amount_minor.wrapping_add(other.amount_minor);
        self.digest = self.digest.wrapping_add(other.digest);
    }
}

/// The first eight bytes of SHA-256 over the ids of the entry and of its user, the amount and the
/// business date.
pub fn fingerprint(entry: &BalanceChanged) -> u64 {
    let sum = Sha256::new()
        .chain_update(entry.entry_id.bytes())
        .chain_update(entry.user_id.bytes())
        .chain_update(entry.amount.minor().to_be_bytes())
        .chain_update(entry.business_date.epoch_days().to_be_bytes())
        .finalize();
    u64::from_be_bytes(*sum.first_chunk().expect("a hash is longer"))
}
