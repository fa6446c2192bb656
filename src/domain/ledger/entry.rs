//! The kinds of entries and the accounts that they post to.

use serde::{Deserialize, Serialize};

use crate::domain::money::Money;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// Charged when a task is assigned.
    Fee,
    /// Credited when a task is completed.
    Reward,
    /// Paid out at the end of a date.
    Payout,
    /// Reverses a fee or reward, wholly or in part.
    Correction,
}

impl EntryKind {
    pub const fn name(self) -> &'static str {
        match self {
            EntryKind::Fee => "fee",
            EntryKind::Reward => "reward",
            EntryKind::Payout => "payout",
            EntryKind::Correction => "correction",
        }
    }

    pub fn named(name: &str) -> Option<EntryKind> {
        let kinds = [
            EntryKind::Fee,
            EntryKind::Reward,
            EntryKind::Payout,
            EntryKind::Correction,
        ];
        kinds.into_iter().find(|kind| kind.name() == name)
    }
}

/// An account of the trial balance, without the popug's login.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Account {
    Bank,
    Rewards,
    Fees,
    /// The company's debt to a user; one account for each.
    Popug,
}

impl Account {
    pub fn name(self, login: &str) -> String {
        match self {
            Account::Bank => "assets:bank".into(),
            Account::Rewards => "expenses:management:rewards".into(),
            Account::Fees => "income:management:fees".into(),
            Account::Popug => format!("liabilities:popugs:{login}"),
        }
    }
}

/// Two sides of one entry, equal by construction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Posting {
    pub debit: Account,
    pub credit: Account,
    /// Above zero.
    pub amount: Money,
}

/// The posting of an entry of `kind` with the signed `amount` on the popug's side. A correction
/// reverses the posting of its entry: a positive one reverses a fee, a negative one a reward.
pub fn posting(kind: EntryKind, amount: Money) -> Posting {
    let (debit, credit) = match kind {
        EntryKind::Fee => (Account::Popug, Account::Fees),
        EntryKind::Reward => (Account::Rewards, Account::Popug),
        EntryKind::Payout => (Account::Popug, Account::Bank),
        EntryKind::Correction if amount.is_positive() => (Account::Fees, Account::Popug),
        EntryKind::Correction => (Account::Popug, Account::Rewards),
    };
    Posting {
        debit,
        credit,
        amount: amount.abs(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correction_swaps_the_sides_of_the_entry_it_corrects() {
        let swapped = |p: Posting| Posting {
            debit: p.credit,
            credit: p.debit,
            amount: p.amount,
        };
        let fee = posting(EntryKind::Fee, Money::units(-12));
        assert_eq!(
            posting(EntryKind::Correction, Money::units(12)),
            swapped(fee)
        );
        let reward = posting(EntryKind::Reward, Money::units(30));
        assert_eq!(
            posting(EntryKind::Correction, Money::units(-30)),
            swapped(reward)
        );
    }

    #[test]
    fn the_popugs_side_of_a_posting_is_the_entrys_amount() {
        for (kind, units) in [
            (EntryKind::Fee, -10),
            (EntryKind::Reward, 20),
            (EntryKind::Payout, -13),
            (EntryKind::Correction, 4),
            (EntryKind::Correction, -4),
        ] {
            let posted = posting(kind, Money::units(units));
            let side = if posted.credit == Account::Popug {
                posted.amount
            } else {
                -posted.amount
            };
            assert_eq!(side, Money::units(units), "{kind:?}");
        }
    }
}
