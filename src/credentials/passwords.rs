//! Passwords, kept as Argon2id hashes (PHC strings) and never in the log.
//!
//! Invariant: neither the answer nor its time distinguishes an unknown user, a user without a
//! password and a wrong password. Attempts of several processes are counted one by one, because
//! each is checked and counted under the lock.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use serde::{Deserialize, Serialize};

use crate::credentials::attempts::Attempts;
use crate::credentials::auth_dir::{AuthDir, Locked};
use crate::credentials::error::CredentialError;
use crate::credentials::private_file::{self, Format};
use crate::credentials::secret::Password;
use crate::domain::id::UserId;
use crate::domain::time::EventTime;

pub const PASSWORD_CHARACTERS_MIN: usize = 8;
pub const PASSWORD_BYTES_MAX: usize = 1024;

pub const PASSWORDS_FILE: &str = "passwords.json";
const REMEDY: &str = "bring it back from a backup made with --with-secrets, or restore the backup into a new store, \
                      which takes a new password for the first admin";
/// 19 MiB and two passes, the minimum that OWASP recommends for Argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Limits a damaged cost, so that a login cannot take all memory or hours.
const COST_FACTOR_MAX: u32 = 64;
/// Checked for users without a password, at the same cost. It is the hash of no known password, and
/// the result is ignored.
const STAND_IN: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: Format,
    passwords: BTreeMap<UserId, String>,
}

/// The passwords of a store.
#[derive(Clone, Copy, Debug)]
pub struct Passwords<'a> {
    auth: &'a AuthDir,
}

impl<'a> Passwords<'a> {
    pub(super) fn new(auth: &'a AuthDir) -> Self {
        Passwords { auth }
    }

    /// Writes a file without passwords.
    ///
    /// # Errors
    /// [`CredentialError::Exists`] if there is a file already.
    pub(super) fn create(self) -> Result<(), CredentialError> {
        let _lock = self.auth.lock()?;
        if private_file::read(&self.path())?.is_some() {
            return Err(CredentialError::Exists { path: self.path() });
        }
        self.save(BTreeMap::new())
    }

    /// Replaces the user's password, if there is one, and resets the count of failures.
    ///
    /// # Errors
    /// [`CredentialError::PasswordTooShort`] or [`CredentialError::PasswordTooLong`]
    pub fn set_password(self, user: UserId, password: &Password) -> Result<(), CredentialError> {
        check_length(password)?;
        let hash = hash(password)?;
        let lock = self.auth.lock()?;
        self.put(user, hash, &lock)
    }

    /// Stores the hash of a password that has been checked.
    pub(super) fn put(
        self,
        user: UserId,
        hash: String,
        lock: &Locked,
    ) -> Result<(), CredentialError> {
        let mut passwords = self.load()?;
        passwords.insert(user, hash);
        self.save(passwords)?;
        Attempts::load(self.auth, lock)?.succeeded(user)
    }

    /// The users who have a password.
    pub fn holders(self) -> Result<BTreeSet<UserId>, CredentialError> {
        Ok(self.load()?.into_keys().collect())
    }

    /// Whether the user has a password.
    pub fn has(self, user: UserId) -> Result<bool, CredentialError> {
        Ok(self.load()?.contains_key(&user))
    }

    /// Whether this is the user's password. For an unknown login, pass an id derived from the
    /// login, so that the answer takes the same time and attempts are limited in the same way.
    ///
    /// # Errors
    /// [`CredentialError::TooManyAttempts`] if it is too early after failures; nothing was checked.
    pub fn verify(
        self,
        user: UserId,
        password: &Password,
        now: EventTime,
    ) -> Result<bool, CredentialError> {
        refuse_too_long(password)?;
        let lock = self.auth.lock()?;
        let attempts = Attempts::load(self.auth, &lock)?;
        attempts.check(user, now)?;
        let stored = self.load()?.remove(&user);
        let hash = self.parse(stored.as_deref().unwrap_or(STAND_IN))?;
        let fits = cost()
            .verify_password(password.text().as_bytes(), &hash)
            .is_ok();
        if fits && stored.is_some() {
            attempts.succeeded(user)?;
            return Ok(true);
        }
        attempts.failed(user, now)?;
        Ok(false)
    }

    /// Checks that the file can be read. Without it nobody can log in.
    pub fn check(self) -> Result<(), CredentialError> {
        self.load().map(drop)
    }

    fn path(self) -> PathBuf {
        self.auth.file(PASSWORDS_FILE)
    }

    fn load(self) -> Result<BTreeMap<UserId, String>, CredentialError> {
        let document: Option<Document> = private_file::read_json(&self.path(), REMEDY)?;
        document
            .map(|document| document.passwords)
            .ok_or_else(|| CredentialError::Missing { path: self.path() })
    }

    fn save(self, passwords: BTreeMap<UserId, String>) -> Result<(), CredentialError> {
        private_file::replace_json(
            &self.path(),
            &Document {
                format: Format::CURRENT,
                passwords,
            },
        )
    }

    fn parse(self, phc: &str) -> Result<PasswordHash, CredentialError> {
        let hash = PasswordHash::new(phc).ok();
        hash.filter(is_affordable_argon2id)
            .ok_or_else(|| CredentialError::Damaged {
                path: self.path(),
                what: "the user's entry is not an Argon2id hash".to_owned(),
                remedy: "set a new password with `user set-password`",
            })
    }
}

fn is_affordable_argon2id(hash: &PasswordHash) -> bool {
    let costs = Params::try_from(hash).is_ok_and(|params| {
        params.m_cost() <= MEMORY_KIB * COST_FACTOR_MAX
            && params.t_cost() <= PASSES * COST_FACTOR_MAX
            && params.p_cost() <= LANES * COST_FACTOR_MAX
    });
    costs && hash.algorithm.as_str() == "argon2id" && hash.salt.is_some() && hash.hash.is_some()
}

/// Checks the length of a password before anything else is done with it.
///
/// # Errors
/// [`CredentialError::PasswordTooShort`], [`CredentialError::PasswordTooLong`]
pub fn check_length(password: &Password) -> Result<(), CredentialError> {
    let characters = password.text().chars().count();
    if characters < PASSWORD_CHARACTERS_MIN {
        return Err(CredentialError::PasswordTooShort {
            characters,
            min: PASSWORD_CHARACTERS_MIN,
        });
    }
    refuse_too_long(password)
}

fn refuse_too_long(password: &Password) -> Result<(), CredentialError> {
    let bytes = password.text().len();
    if bytes > PASSWORD_BYTES_MAX {
        return Err(CredentialError::PasswordTooLong {
            bytes,
            max: PASSWORD_BYTES_MAX,
        });
    }
    Ok(())
}

fn cost() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the costs are in range");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// The hash, with a salt from the operating system.
pub(super) fn hash(password: &Password) -> Result<String, CredentialError> {
    let hash = cost().hash_password(password.text().as_bytes());
    hash.map(|hash| hash.to_string())
        .map_err(|error| CredentialError::Cryptography {
            action: "hash the password",
            reason: error.to_string(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::fixture::{at, company, store, user};

    fn password(text: &str) -> Password {
        Password::new(text)
    }

    #[test]
    fn only_the_right_password_of_the_right_user_is_accepted() {
        let (directory, auth) = store();
        auth.passwords()
            .set_password(user(1), &password("попугай 🦜 1"))
            .unwrap();
        auth.passwords()
            .set_password(user(2), &password("another one"))
            .unwrap();
        let auth = AuthDir::open(directory.path(), company()).unwrap();
        let verify = |number, text: &str| {
            auth.passwords()
                .verify(user(number), &password(text), at(0))
                .unwrap()
        };
        assert!(verify(1, "попугай 🦜 1"));
        assert!(verify(2, "another one"));
        for (number, text) in [
            (1, "another one"),
            (2, "another one "),
            (2, ""),
            (3, "another one"),
        ] {
            assert!(!verify(number, text), "{number} {text:?}");
        }
    }

    #[test]
    fn a_new_password_replaces_the_old_one() {
        let (_directory, auth) = store();
        auth.passwords()
            .set_password(user(1), &password("the old one"))
            .unwrap();
        auth.passwords()
            .set_password(user(1), &password("the new one"))
            .unwrap();
        assert!(
            !auth
                .passwords()
                .verify(user(1), &password("the old one"), at(0))
                .unwrap()
        );
        assert!(
            auth.passwords()
                .verify(user(1), &password("the new one"), at(0))
                .unwrap()
        );
    }

    #[test]
    fn passwords_have_eight_characters_to_a_kibibyte() {
        let (_directory, auth) = store();
        let set = |text: &str| auth.passwords().set_password(user(1), &password(text));
        assert!(matches!(
            set("жжжжжжж"),
            Err(CredentialError::PasswordTooShort {
                characters: 7,
                min: 8
            })
        ));
        assert!(matches!(
            set(""),
            Err(CredentialError::PasswordTooShort { characters: 0, .. })
        ));
        assert!(set("жжжжжжжж").is_ok());
        assert!(set(&"x".repeat(1024)).is_ok());
        assert!(matches!(
            set(&"x".repeat(1025)),
            Err(CredentialError::PasswordTooLong {
                bytes: 1025,
                max: 1024
            })
        ));
        let long = auth
            .passwords()
            .verify(user(1), &password(&"x".repeat(1025)), at(0));
        assert!(matches!(long, Err(CredentialError::PasswordTooLong { .. })));
    }

    #[test]
    fn passwords_are_stored_as_salted_argon2id_hashes() {
        let (_directory, auth) = store();
        for number in [1, 2] {
            auth.passwords()
                .set_password(user(number), &password("same for both"))
                .unwrap();
        }
        let text = std::fs::read_to_string(auth.passwords().path()).unwrap();
        assert!(!text.contains("same for both"));
        let stored = auth.passwords().load().unwrap();
        assert_ne!(stored[&user(1)], stored[&user(2)]);
        assert!(
            stored
                .values()
                .all(|phc| phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$")),
            "{text}"
        );
    }

    #[test]
    fn a_user_without_a_password_costs_as_much_as_one_with() {
        let stand_in = PasswordHash::new(STAND_IN).unwrap();
        let real = PasswordHash::new(&hash(&password("long enough")).unwrap()).unwrap();
        assert_eq!(stand_in.params, real.params);
        assert_eq!(stand_in.version, real.version);
        assert_eq!(stand_in.salt.unwrap().len(), real.salt.unwrap().len());
        assert_eq!(stand_in.hash.unwrap().len(), real.hash.unwrap().len());
    }

    #[test]
    fn repeated_failures_are_slowed_down_and_a_success_starts_afresh() {
        let (_directory, auth) = store();
        auth.passwords()
            .set_password(user(1), &password("long enough"))
            .unwrap();
        let verify = |text: &str, second| {
            auth.passwords()
                .verify(user(1), &password(text), at(second))
        };
        for _ in 0..5 {
            assert!(!verify("wrong guess", 0).unwrap());
        }
        let refused = verify("long enough", 0).unwrap_err();
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
        assert!(!verify("wrong guess", 1).unwrap());
        assert!(matches!(
            verify("long enough", 2),
            Err(CredentialError::TooManyAttempts {
                wait_seconds: 1,
                ..
            })
        ));
        assert!(verify("long enough", 3).unwrap());
        assert!(!verify("wrong guess", 3).unwrap());
        assert!(verify("long enough", 3).unwrap());
    }

    #[test]
    fn users_without_a_password_are_slowed_down_alike() {
        let (_directory, auth) = store();
        let verify = || {
            auth.passwords()
                .verify(user(9), &password("wrong guess"), at(0))
        };
        for _ in 0..5 {
            assert!(!verify().unwrap());
        }
        assert!(matches!(
            verify(),
            Err(CredentialError::TooManyAttempts { .. })
        ));
    }

    #[test]
    fn a_new_password_ends_the_slow_down() {
        let (_directory, auth) = store();
        for _ in 0..5 {
            auth.passwords()
                .verify(user(1), &password("wrong guess"), at(0))
                .unwrap();
        }
        auth.passwords()
            .set_password(user(1), &password("long enough"))
            .unwrap();
        assert!(
            auth.passwords()
                .verify(user(1), &password("long enough"), at(0))
                .unwrap()
        );
    }

    #[test]
    fn failures_of_several_at_once_are_all_counted() {
        let (directory, auth) = store();
        let guess = || {
            let auth = AuthDir::open(directory.path(), company()).unwrap();
            auth.passwords()
                .verify(user(1), &password("wrong guess"), at(0))
                .is_ok()
        };
        let checked = std::thread::scope(|scope| {
            let guesses: Vec<_> = (0..8).map(|_| scope.spawn(guess)).collect();
            guesses
                .into_iter()
                .map(|guess| guess.join().unwrap())
                .filter(|checked| *checked)
                .count()
        });
        assert_eq!(checked, 5);
        let refused = auth
            .passwords()
            .verify(user(1), &password("wrong guess"), at(0))
            .unwrap_err();
        assert!(
            matches!(
                refused,
                CredentialError::TooManyAttempts { failures: 5, .. }
            ),
            "{refused}"
        );
    }

    #[test]
    fn a_damaged_file_is_named_with_the_way_out() {
        let (_directory, auth) = store();
        let path = auth.passwords().path();
        let verify = || {
            auth.passwords()
                .verify(user(1), &password("long enough"), at(0))
                .unwrap_err()
        };
        for text in [
            "",
            "{",
            "[]",
            r#"{"format":1,"passwords":{"x":"y"}}"#,
            r#"{"format":1}"#,
            "\u{fffd}",
        ] {
            private_file::replace(&path, text.as_bytes()).unwrap();
            let refused = verify();
            assert!(
                refused.to_string().contains("passwords.json is damaged"),
                "{text:?}: {refused}"
            );
            assert!(refused.hint().is_some());
        }
        private_file::replace(&path, br#"{"format":9,"passwords":{}}"#).unwrap();
        assert!(matches!(
            verify(),
            CredentialError::TooNew { format: 9, .. }
        ));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(verify(), CredentialError::Missing { .. }));
    }

    #[test]
    fn a_damaged_hash_is_neither_accepted_nor_computed() {
        let (_directory, auth) = store();
        let salt_and_hash = STAND_IN.split_at(STAND_IN.find("p=1").unwrap() + 3).1;
        let costly = format!("$argon2id$v=19$m=4294967295,t=2,p=1{salt_and_hash}");
        let slow = format!("$argon2id$v=19$m=19456,t=4294967295,p=1{salt_and_hash}");
        let weak = STAND_IN.replace("argon2id", "argon2d");
        for phc in [
            "",
            "long enough",
            "$argon2id$v=19$m=19456,t=2,p=1$",
            "$argon2id$",
            &costly,
            &slow,
            &weak,
        ] {
            auth.passwords()
                .save(BTreeMap::from([(user(1), phc.to_owned())]))
                .unwrap();
            let refused = auth
                .passwords()
                .verify(user(1), &password("long enough"), at(0))
                .unwrap_err();
            assert!(
                matches!(refused, CredentialError::Damaged { .. }),
                "{phc}: {refused}"
            );
        }
    }
}
