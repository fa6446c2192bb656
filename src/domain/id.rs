//! Identifiers. Each has a type of its own, so that a task can never be passed where a user is
//! meant.
//!
//! ```compile_fail
//! use popug_cli::domain::id::{TaskId, UserId};
//! fn pay(_: UserId) {}
//! pay(TaskId::from_uuid(uuid::Uuid::nil()));
//! ```
//!
//! Facts decided by commands have UUIDv7 ids. Facts that follow from other facts have UUIDv5 ids
//! derived from their cause, so deriving a fact twice gives the same id.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// The 16 bytes in network order.
            pub const fn bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )+};
}

id! {
    /// The company that owns a log; the namespace of every derived id.
    CompanyId
    /// A person or program known to the company.
    UserId
    /// A task of the exchange.
    TaskId
    /// One entry of the ledger, that is one `balance.changed` event.
    EntryId
    /// The payout of one user for one date.
    PayoutId
    /// One line of the log.
    EventId
}

impl CompanyId {
    /// The UUIDv5 of `name` in this company's namespace.
    pub fn derive(self, name: &str) -> Uuid {
        Uuid::new_v5(&self.0, name.as_bytes())
    }
}

/// The first characters of an id, as people type them, with or without the hyphens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IdPrefix {
    digits: usize,
    first: Uuid,
    last: Uuid,
}

/// A text that begins no id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("it is not the beginning of an id")]
pub struct NoIdPrefix;

impl IdPrefix {
    /// The number of candidates that an error names.
    pub const CANDIDATES: usize = 10;
    const LEAST_DIGITS: usize = 4;
    const DELIBERATE_DIGITS: usize = 8;
    const ALL_DIGITS: usize = 32;

    /// The beginning of an id in a place where other names are taken too. It has at least four digits, and a letter:
    /// other digits are a number.
    pub fn beside_names(text: &str) -> Option<IdPrefix> {
        let has_letter = text.bytes().any(|byte| byte.is_ascii_alphabetic());
        let prefix = text.parse().ok().filter(|_| has_letter);
        prefix.filter(|prefix: &IdPrefix| prefix.digits >= IdPrefix::LEAST_DIGITS)
    }

    /// The beginning of an id for a command that cannot be undone. It has at least eight digits, so
    /// that no sequence or amount is taken for it.
    pub fn deliberate(text: &str) -> Option<IdPrefix> {
        let prefix = text.parse().ok();
        prefix.filter(|prefix: &IdPrefix| prefix.digits >= IdPrefix::DELIBERATE_DIGITS)
    }

    /// The first and the last id with this beginning.
    pub const fn range(self) -> (Uuid, Uuid) {
        (self.first, self.last)
    }
}

impl FromStr for IdPrefix {
    type Err = NoIdPrefix;

    fn from_str(text: &str) -> Result<Self, NoIdPrefix> {
        let digits: String = text.trim().chars().filter(|c| *c != '-').collect();
        let missing = IdPrefix::ALL_DIGITS
            .checked_sub(digits.len())
            .filter(|missing| *missing < IdPrefix::ALL_DIGITS)
            .ok_or(NoIdPrefix)?;
        let end = |filler: &str| {
            Uuid::try_parse(&(digits.clone() + &filler.repeat(missing))).map_err(|_| NoIdPrefix)
        };
        Ok(IdPrefix {
            digits: digits.len(),
            first: end("0")?,
            last: end("f")?,
        })
    }
}

/// A place in the log. Dense, starting at 1.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Sequence(pub u64);

impl Sequence {
    /// Before the first event: the head of an empty log, the checkpoint of a new consumer.
    pub const ZERO: Sequence = Sequence(0);
    pub const FIRST: Sequence = Sequence(1);
    /// The longest possible log; this program never writes a larger number.
    pub const MAX: Sequence = Sequence(i64::MAX as u64);

    #[must_use]
    pub const fn next(self) -> Self {
        Sequence(self.0 + 1)
    }

    #[must_use]
    pub const fn plus(self, events: u64) -> Self {
        Sequence(self.0 + events)
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01a22bce-c135-72df-803c-6ac9ec181f11";

    #[test]
    fn the_beginning_of_an_id_is_the_range_of_the_ids_that_begin_with_it() {
        let id: Uuid = ID.parse().unwrap();
        for text in [
            "0",
            "01a2",
            "01A22BCE",
            "01a22bce-c",
            "01a22bcec135",
            ID,
            " 01a2 ",
        ] {
            let (first, last) = text.parse::<IdPrefix>().unwrap().range();
            assert!((first..=last).contains(&id), "{text}");
        }
        for text in ["02", "01a23", "01a22bce-d"] {
            let (first, last) = text.parse::<IdPrefix>().unwrap().range();
            assert!(!(first..=last).contains(&id), "{text}");
        }
        let (first, last) = ID.parse::<IdPrefix>().unwrap().range();
        assert_eq!((first, last), (id, id));
        for text in ["", "-", "01x2", "T-12", "ж", &format!("{ID}0")] {
            assert_eq!(text.parse::<IdPrefix>(), Err(NoIdPrefix), "{text}");
        }
    }

    #[test]
    fn beside_other_names_a_beginning_has_four_digits_and_a_letter() {
        for text in ["01a2", "abcd", ID] {
            assert!(IdPrefix::beside_names(text).is_some(), "{text}");
        }
        for text in ["ada", "01a", "1234", "0190-1234", "olga"] {
            assert!(IdPrefix::beside_names(text).is_none(), "{text}");
        }
    }
}
