//! Slows down guessing of passwords: after five failures in a row the next attempt has to wait a
//! second, and twice as long after each further one, up to a minute.
//!
//! The counts are kept in a file, so a new process has no advantage. No process sleeps: an attempt
//! that comes too early is refused with the time to wait, and does not count.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::credentials::auth_dir::{AuthDir, Locked};
use crate::credentials::error::CredentialError;
use crate::credentials::private_file::{self, Format};
use crate::domain::id::UserId;
use crate::domain::time::EventTime;

const ATTEMPTS_FILE: &str = "attempts.json";
const REMEDY: &str = "remove it: wrong passwords are counted from zero again";
const FREE_FAILURES: u32 = 5;
const DELAY_SECONDS_MAX: u64 = 60;
const SECOND_MICROS: u64 = 1_000_000;
/// Older failures are forgotten, so that the file does not grow.
const REMEMBERED_MICROS: u64 = 24 * 60 * 60 * SECOND_MICROS;
/// The number of logins whose failures are counted, unknown logins included.
const LOGINS_MAX: usize = 1_000;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: Format,
    failures: BTreeMap<UserId, Failures>,
}

/// Wrong passwords in a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Failures {
    count: u32,
    last_at: EventTime,
}

impl Failures {
    fn delay_micros(self) -> u64 {
        let doublings = self.count.checked_sub(FREE_FAILURES);
        let seconds = doublings.map_or(0, |doublings| {
            (1 << doublings.min(63)).min(DELAY_SECONDS_MAX)
        });
        seconds * SECOND_MICROS
    }

    /// If the clock was set back, the difference counts as age, so that nobody is locked out until
    /// it catches up.
    fn age_micros(self, now: EventTime) -> u64 {
        self.last_at.micros_until(now).unsigned_abs()
    }

    fn wait_seconds(self, now: EventTime) -> u64 {
        self.delay_micros()
            .saturating_sub(self.age_micros(now))
            .div_ceil(SECOND_MICROS)
    }
}

/// The counts of a store, read and changed under its lock.
pub(super) struct Attempts {
    path: PathBuf,
    failures: BTreeMap<UserId, Failures>,
}

impl Attempts {
    pub(super) fn load(auth: &AuthDir, _lock: &Locked) -> Result<Attempts, CredentialError> {
        let path = auth.file(ATTEMPTS_FILE);
        let document: Option<Document> = private_file::read_json(&path, REMEDY)?;
        let failures = document
            .map(|document| document.failures)
            .unwrap_or_default();
        Ok(Attempts { path, failures })
    }

    /// # Errors
    /// [`CredentialError::TooManyAttempts`] if it is too early for another attempt.
    pub(super) fn check(&self, user: UserId, now: EventTime) -> Result<(), CredentialError> {
        match self.failures.get(&user) {
            Some(failures) if failures.wait_seconds(now) > 0 => {
                Err(CredentialError::TooManyAttempts {
                    failures: failures.count,
                    wait_seconds: failures.wait_seconds(now),
                })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn failed(mut self, user: UserId, now: EventTime) -> Result<(), CredentialError> {
        self.failures
            .retain(|_, failures| failures.age_micros(now) < REMEMBERED_MICROS);
        let before = self
            .failures
            .get(&user)
            .map_or(0, |failures| failures.count);
        self.failures.insert(
            user,
            Failures {
                count: before.saturating_add(1),
                last_at: now,
            },
        );
        self.forget_the_least(user);
        self.save()
    }

    /// Makes room if somebody tries thousands of made-up logins: the logins with the fewest
    /// failures are forgotten, so a login under attack stays counted.
    fn forget_the_least(&mut self, but: UserId) {
        let others = || self.failures.iter().filter(|(user, _)| **user != but);
        let least = others()
            .min_by_key(|(_, failures)| (failures.count, failures.last_at))
            .map(|(user, _)| *user);
        if let Some(user) = least.filter(|_| self.failures.len() > LOGINS_MAX) {
            self.failures.remove(&user);
        }
    }

    /// Writes nothing if there were no failures.
    pub(super) fn succeeded(mut self, user: UserId) -> Result<(), CredentialError> {
        if self.failures.remove(&user).is_none() {
            return Ok(());
        }
        self.save()
    }

    fn save(self) -> Result<(), CredentialError> {
        private_file::replace_json(
            &self.path,
            &Document {
                format: Format::CURRENT,
                failures: self.failures,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::fixture::{at, at_micros, store, user};

    fn wait_after(count: u32, age_micros: i64) -> u64 {
        Failures {
            count,
            last_at: at(0),
        }
        .wait_seconds(at_micros(age_micros))
    }

    #[test]
    fn the_delay_doubles_from_one_second_to_a_minute() {
        let waits: Vec<_> = [0, 4, 5, 6, 7, 8, 9, 10, 11, 12, 100, u32::MAX]
            .map(|count| wait_after(count, 0))
            .into();
        assert_eq!(waits, [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
    }

    #[test]
    fn the_wait_shrinks_with_time_and_is_rounded_up() {
        assert_eq!(wait_after(7, 1), 4);
        assert_eq!(wait_after(7, 3_999_999), 1);
        assert_eq!(wait_after(7, 4_000_000), 0);
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out() {
        assert_eq!(wait_after(100, -86_400_000_000), 0);
        assert!(wait_after(100, -1_000_000) <= DELAY_SECONDS_MAX);
    }

    #[test]
    fn counts_survive_the_process_and_are_forgotten_after_a_day() {
        let (_directory, auth) = store();
        let lock = auth.lock().unwrap();
        let load = || Attempts::load(&auth, &lock).unwrap();
        for second in 0..5 {
            load().failed(user(1), at(second)).unwrap();
        }
        let refused = load().check(user(1), at(4)).unwrap_err();
        assert!(
            matches!(
                refused,
                CredentialError::TooManyAttempts {
                    failures: 5,
                    wait_seconds: 1
                }
            ),
            "{refused}"
        );
        assert!(load().check(user(2), at(4)).is_ok());
        load().failed(user(2), at(4 + 86_400)).unwrap();
        assert_eq!(
            load().failures.keys().copied().collect::<Vec<_>>(),
            [user(2)]
        );
    }

    #[test]
    fn made_up_logins_push_out_each_other_and_nobody_who_is_guessed_at() {
        let (_directory, auth) = store();
        let lock = auth.lock().unwrap();
        let load = || Attempts::load(&auth, &lock).unwrap();
        for second in 0..6 {
            load().failed(user(0), at(second)).unwrap();
        }
        let logins = LOGINS_MAX as u128;
        let full = (1..logins).map(|n| {
            (
                user(n),
                Failures {
                    count: 1,
                    last_at: at(6),
                },
            )
        });
        let mut attempts = load();
        attempts.failures.extend(full);
        attempts.save().unwrap();
        for n in logins..logins + 3 {
            load().failed(user(n), at(7)).unwrap();
            assert!(load().failures.len() == LOGINS_MAX && load().failures.contains_key(&user(n)));
        }
        assert_eq!(load().failures[&user(0)].count, 6);
    }

    #[test]
    fn a_damaged_count_names_the_file_and_the_way_out() {
        let (_directory, auth) = store();
        private_file::replace(&auth.file(ATTEMPTS_FILE), b"{\"format\":1,\"failures\":[1").unwrap();
        let refused = Attempts::load(&auth, &auth.lock().unwrap()).err().unwrap();
        assert!(
            refused
                .to_string()
                .contains("auth/attempts.json is damaged"),
            "{refused}"
        );
        assert_eq!(refused.hint().unwrap(), REMEDY);
    }
}
