//! Ids of tokens.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::time::EventTime;

/// Names a token without its secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenId(Uuid);

impl TokenId {
    /// A UUIDv7 of the time `at`. Its random part is never pinned: two runs of a test store with
    /// the same dice must not share a token.
    pub(super) fn random(at: EventTime) -> TokenId {
        let millis = u64::try_from(at.micros() / 1_000).unwrap_or_default();
        TokenId(uuid::Builder::from_unix_timestamp_millis(millis, &rand::random()).into_uuid())
    }

    pub const fn from_uuid(uuid: Uuid) -> TokenId {
        TokenId(uuid)
    }

    /// Whether the id lies between two, both included.
    pub fn is_between(self, first: Uuid, last: Uuid) -> bool {
        (first..=last).contains(&self.0)
    }

    /// The id as 32 hex digits, as in a token.
    pub(super) fn hex(self) -> String {
        self.0.simple().to_string()
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for TokenId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self)
    }
}
