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
