//! A store's credentials in a temporary directory, and the users and times that tests name.

use tempfile::TempDir;

use crate::credentials::AuthDir;
use crate::domain::id::{CompanyId, UserId};
use crate::domain::time::EventTime;

pub(super) fn company() -> CompanyId {
    CompanyId::from_uuid(uuid::Uuid::from_u128(7))
}

pub(super) fn user(number: u128) -> UserId {
    UserId::from_uuid(uuid::Uuid::from_u128(number))
}

/// `micros` after a Sunday in November.
pub(super) fn at_micros(micros: i64) -> EventTime {
    let start: EventTime = "2026-11-22T10:00:00Z".parse().unwrap();
    EventTime::from_micros(start.micros() + micros).unwrap()
}

pub(super) fn at(seconds: i64) -> EventTime {
    at_micros(seconds * 1_000_000)
}

pub(super) fn store() -> (TempDir, AuthDir) {
    let directory = tempfile::tempdir().unwrap();
    let auth = AuthDir::create(directory.path(), company()).unwrap();
    (directory, auth)
}
