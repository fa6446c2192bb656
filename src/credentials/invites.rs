//! One-time codes with which users choose their own password.
//!
//! A code is 20 characters of an alphabet of 32, so 100 random bits; guessing needs no other limit.
//! The store keeps its SHA-256 with the company's id, the user and the end of its validity.
//!
//! Invariant: a code works once, before its end, and only if no newer one was made for the user. It
//! is gone before the password is set, so that a crash cannot leave it usable.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use rand::TryRng;
use rand::rngs::SysRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::credentials::auth_dir::AuthDir;
use crate::credentials::error::CredentialError;
use crate::credentials::passwords::{check_length, hash};
use crate::credentials::private_file::{self, Format};
use crate::credentials::secret::Password;
use crate::credentials::tokens::hex;
use crate::credentials::ttl::Ttl;
use crate::domain::id::UserId;
use crate::domain::time::EventTime;

const INVITES_FILE: &str = "invites.json";
const REMEDY: &str =
    "remove it: the codes in it are refused from then on, and new ones can be made";
/// Without I, L, O and U, which are taken for other signs.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CODE_CHARACTERS: usize = 20;
const GROUP_CHARACTERS: usize = 5;

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: Format,
    invites: BTreeMap<UserId, Invite>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Invite {
    sha256: String,
    expires_at: EventTime,
}

/// A code as text: a person who has it can set the password of its user, once.
#[derive(Clone, PartialEq, Eq)]
pub struct InviteCode(String);

impl InviteCode {
    /// A code as people type it: in any case, with or without hyphens.
    pub fn typed(text: &str) -> InviteCode {
        let sign = |c: char| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        let is_sign = |c: &char| *c != '-' && !c.is_whitespace();
        InviteCode(text.chars().filter(is_sign).map(sign).collect())
    }

    fn random() -> Result<InviteCode, CredentialError> {
        let mut bytes = [0; CODE_CHARACTERS];
        SysRng.try_fill_bytes(&mut bytes).map_err(|error| {
            let (action, reason) = ("make a random code", error.to_string());
            CredentialError::Cryptography { action, reason }
        })?;
        // 256 is a multiple of 32, so every character is as likely as any other.
        let characters = bytes.map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
        Ok(InviteCode(characters.iter().collect()))
    }

    /// For the one place that gives the code to an admin: `7K3MQ-9QX2T-…`.
    pub fn reveal(&self) -> String {
        let characters: Vec<char> = self.0.chars().collect();
        let groups = characters.chunks(GROUP_CHARACTERS);
        let groups: Vec<String> = groups.map(|group| group.iter().collect()).collect();
        groups.join("-")
    }
}

impl fmt::Debug for InviteCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InviteCode(hidden)")
    }
}

/// The codes of a store. Times come from the system clock, never from a pinned one.
#[derive(Clone, Copy, Debug)]
pub struct Invites<'a> {
    auth: &'a AuthDir,
}

impl<'a> Invites<'a> {
    pub(super) fn new(auth: &'a AuthDir) -> Self {
        Invites { auth }
    }

    /// Makes a code for a user and its end; an earlier code of the user is void.
    pub fn issue(
        self,
        user: UserId,
        ttl: Ttl,
        now: EventTime,
    ) -> Result<(InviteCode, EventTime), CredentialError> {
        let expires_at = ttl.after(now).ok_or_else(|| CredentialError::BadTtl {
            text: ttl.to_string(),
            reason: "it ends after the year 9999".to_owned(),
        })?;
        let code = InviteCode::random()?;
        let _lock = self.auth.lock()?;
        let mut document = self.load()?;
        document.invites.retain(|_, invite| invite.expires_at > now);
        let sha256 = self.hash(&code);
        let invite = Invite { sha256, expires_at };
        document.invites.insert(user, invite);
        private_file::replace_json(&self.path(), &document)?;
        Ok((code, expires_at))
    }

    /// The user of a code that is valid now.
    ///
    /// # Errors
    /// [`CredentialError::InviteRefused`]
    pub fn user_of(self, code: &InviteCode, now: EventTime) -> Result<UserId, CredentialError> {
        self.find(&self.load()?, code, now)
    }

    /// Sets the password of the user of a valid code, which is void from then on.
    ///
    /// # Errors
    /// [`CredentialError::InviteRefused`]; a password that is too short or too long. Nothing is
    /// changed then.
    pub fn redeem(
        self,
        code: &InviteCode,
        password: &Password,
        now: EventTime,
    ) -> Result<UserId, CredentialError> {
        check_length(password)?;
        let hash = hash(password)?;
        let lock = self.auth.lock()?;
        let mut document = self.load()?;
        let user = self.find(&document, code, now)?;
        document.invites.remove(&user);
        private_file::replace_json(&self.path(), &document)?;
        self.auth.passwords().put(user, hash, &lock)?;
        Ok(user)
    }

    /// Checks that the file can be read.
    pub fn check(self) -> Result<(), CredentialError> {
        self.load().map(drop)
    }

    fn find(
        self,
        document: &Document,
        code: &InviteCode,
        now: EventTime,
    ) -> Result<UserId, CredentialError> {
        let sha256 = self.hash(code);
        let mut invites = document.invites.iter();
        invites
            .find(|(_, invite)| invite.sha256 == sha256 && invite.expires_at > now)
            .map(|(user, _)| *user)
            .ok_or(CredentialError::InviteRefused)
    }

    fn hash(self, code: &InviteCode) -> String {
        let hash = Sha256::new()
            .chain_update(self.auth.company().bytes())
            .chain_update(&code.0)
            .finalize();
        hex(&hash)
    }

    fn path(self) -> PathBuf {
        self.auth.file(INVITES_FILE)
    }

    fn load(self) -> Result<Document, CredentialError> {
        Ok(private_file::read_json(&self.path(), REMEDY)?.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::fixture::{at, company, store, user};

    fn password(text: &str) -> Password {
        Password::new(text)
    }

    #[test]
    fn a_code_sets_the_password_of_its_user_once() {
        let (directory, auth) = store();
        let ttl: Ttl = "3d".parse().unwrap();
        let (code, expires_at) = auth.invites().issue(user(1), ttl, at(0)).unwrap();
        assert_eq!(expires_at, at(3 * 24 * 3600));
        let auth = AuthDir::open(directory.path(), company()).unwrap();
        assert_eq!(auth.invites().user_of(&code, at(1)).unwrap(), user(1));
        let short = auth.invites().redeem(&code, &password("short"), at(1));
        assert!(matches!(
            short,
            Err(CredentialError::PasswordTooShort { .. })
        ));
        let redeem = || {
            auth.invites()
                .redeem(&code, &password("long enough"), at(1))
        };
        assert_eq!(redeem().unwrap(), user(1));
        assert!(
            auth.passwords()
                .verify(user(1), &password("long enough"), at(1))
                .unwrap()
        );
        assert!(matches!(redeem(), Err(CredentialError::InviteRefused)));
    }

    #[test]
    fn a_code_ends_and_a_newer_one_makes_it_void() {
        let (_directory, auth) = store();
        let ttl: Ttl = "1h".parse().unwrap();
        let (first, expires_at) = auth.invites().issue(user(1), ttl, at(0)).unwrap();
        let user_of = |code: &InviteCode, now| auth.invites().user_of(code, now);
        assert!(matches!(
            user_of(&first, expires_at),
            Err(CredentialError::InviteRefused)
        ));
        let (other, _) = auth.invites().issue(user(2), ttl, at(0)).unwrap();
        let (second, _) = auth.invites().issue(user(1), ttl, at(0)).unwrap();
        assert!(matches!(
            user_of(&first, at(1)),
            Err(CredentialError::InviteRefused)
        ));
        assert_eq!(user_of(&second, at(1)).unwrap(), user(1));
        assert_eq!(user_of(&other, at(1)).unwrap(), user(2));
    }

    #[test]
    fn a_code_may_be_typed_in_any_case_and_without_hyphens_and_is_stored_as_a_hash() {
        let (_directory, auth) = store();
        let (code, _) = auth
            .invites()
            .issue(user(1), "1h".parse().unwrap(), at(0))
            .unwrap();
        let shown = code.reveal();
        assert_eq!(shown.len(), 23, "{shown}");
        for typed in [
            shown.clone(),
            shown.to_lowercase(),
            shown.replace('-', ""),
            shown.replace('-', " ").replace('0', "o").replace('1', "l"),
        ] {
            let typed = InviteCode::typed(&typed);
            assert_eq!(auth.invites().user_of(&typed, at(1)).unwrap(), user(1));
        }
        let text = std::fs::read_to_string(auth.invites().path()).unwrap();
        assert!(!text.contains(&code.0) && !text.contains(&shown), "{text}");
        assert!(!format!("{code:?}").contains(&code.0));
    }
}
