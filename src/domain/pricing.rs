//! Rule A1: a task's price is a fixed function of the company and the task.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::id::{CompanyId, TaskId};
use crate::domain::money::Money;

/// The bounds of fees and rewards, both ends included, whole currency units.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceRange {
    pub fee_min: Money,
    pub fee_max: Money,
    pub reward_min: Money,
    pub reward_max: Money,
}

impl PriceRange {
    /// The range of every new company: fees of 10 to 20, rewards of 20 to 40.
    pub const STANDARD: PriceRange = PriceRange {
        fee_min: Money::units(10),
        fee_max: Money::units(20),
        reward_min: Money::units(20),
        reward_max: Money::units(40),
    };
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Price {
    /// Charged at each assignment.
    pub fee: Money,
    /// Credited at completion.
    pub reward: Money,
}

/// Draws the price of a task: SHA-256 over the 16 bytes of the company's id and the 16 bytes of the
/// task's id; the first eight bytes give the fee, the next eight the reward. Anybody can draw it
/// again, and a command that is repeated after a crash draws the same price.
pub fn price(company: CompanyId, task: TaskId, range: &PriceRange) -> Price {
    let digest = Sha256::new()
        .chain_update(company.bytes())
        .chain_update(task.bytes())
        .finalize();
    let word = |at: usize| u64::from_be_bytes(digest[at..at + 8].try_into().expect("eight bytes"));
    Price {
        fee: choose(word(0), range.fee_min, range.fee_max),
        reward: choose(word(8), range.reward_min, range.reward_max),
    }
}

fn choose(word: u64, min: Money, max: Money) -> Money {
    let choices = u64::try_from((max - min).minor() / 100 + 1).expect("max is not below min");
    min + Money::units(i64::try_from(word % choices).expect("fewer than 2^63 choices"))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn drawn(n: u128) -> Price {
        let company = CompanyId::from_uuid(Uuid::from_u128(7));
        price(
            company,
            TaskId::from_uuid(Uuid::from_u128(n)),
            &PriceRange::STANDARD,
        )
    }

    #[test]
    fn prices_are_whole_units_inside_the_range_with_both_ends_reached() {
        let prices: Vec<_> = (0..2_000).map(drawn).collect();
        assert!(
            prices
                .iter()
                .all(|p| p.fee.minor() % 100 == 0 && p.reward.minor() % 100 == 0)
        );
        let fees: std::collections::BTreeSet<_> = prices.iter().map(|p| p.fee).collect();
        let rewards: std::collections::BTreeSet<_> = prices.iter().map(|p| p.reward).collect();
        assert_eq!(
            (fees.len(), fees.first(), fees.last()),
            (11, Some(&Money::units(10)), Some(&Money::units(20)))
        );
        assert_eq!(
            (rewards.len(), rewards.first(), rewards.last()),
            (21, Some(&Money::units(20)), Some(&Money::units(40)))
        );
    }

    /// Computed apart from this code: `printf '%s' <hex> | xxd -r -p | sha256sum`.
    #[test]
    fn the_function_is_the_documented_one() {
        let company = CompanyId::from_uuid(Uuid::from_u128(0));
        let task = TaskId::from_uuid(Uuid::from_u128(0));
        // SHA-256 of 32 zero bytes begins 66687aadf862bd776c8fc18b8e9f8e20.
        let fee = 10 + 0x6668_7aad_f862_bd77_u64 % 11;
        let reward = 20 + 0x6c8f_c18b_8e9f_8e20_u64 % 21;
        let drawn = price(company, task, &PriceRange::STANDARD);
        assert_eq!(drawn.fee, Money::units(fee.try_into().unwrap()));
        assert_eq!(drawn.reward, Money::units(reward.try_into().unwrap()));
    }
}
