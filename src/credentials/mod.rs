//! Proof of identity: passwords, and the tokens and sessions that stand for them.
//!
//! [`auth_dir`] is the `auth/` directory of a store and its lock. [`passwords`] keeps Argon2id
//! hashes and slows guessing down (`attempts`). [`tokens`] makes and checks tokens, `issued` keeps
//! their records, [`invites`] makes one-time codes, [`ttl`] parses how long a token lasts.
//! [`access`] keeps the tokens of users who come by ssh, each for a key ([`ssh_key`]).
//! [`sessions`] keeps the token of a login,
//! outside the store, and [`callers`] distinguishes the people who use an account through `sudo`.
//! [`mail`] keeps the settings of mails. [`archive`] reads all of `auth/` for a backup. `private_file` reads and writes the files,
//! [`secret`] keeps secrets out of messages.
//!
//! Invariant: this module knows user ids and never roles. The log decides whether a user exists and is
//! active, and what they may do.
//! Invariant: no secret is ever in the log, in a message or in `Debug` output.
//! Invariant: files change whole, by a rename; in `auth/` only under its lock. Readers take no lock.

pub mod access;
pub mod archive;
mod attempts;
pub mod auth_dir;
pub mod callers;
pub mod error;
#[cfg(test)]
mod fixture;
pub mod invites;
mod issued;
pub mod mail;
pub mod passwords;
pub mod private_file;
pub mod secret;
pub mod sessions;
pub mod ssh_key;
pub mod token_id;
pub mod tokens;
pub mod ttl;

pub use archive::SecretFile;
pub use auth_dir::AuthDir;
pub use callers::Callers;
pub use error::CredentialError;
pub use invites::{InviteCode, Invites};
pub use issued::{TokenKind, TokenRecord, TokenState};
pub use mail::MailSettings;
pub use passwords::Passwords;
pub use secret::{Password, TokenText};
pub use sessions::Sessions;
pub use token_id::TokenId;
pub use tokens::{Claims, Issued, Tokens};
pub use ttl::Ttl;

use std::path::Path;

use crate::credentials::access::Accesses;
use crate::credentials::attempts::Attempts;
use crate::domain::id::CompanyId;

impl AuthDir {
    /// Makes `<store>/auth/` without passwords and tokens. A directory that a crash left without a
    /// file of passwords is completed, because that file is written last.
    ///
    /// # Errors
    /// [`CredentialError::Exists`] if there are passwords already.
    pub fn create(store: &Path, company: CompanyId) -> Result<AuthDir, CredentialError> {
        let auth = AuthDir::make(store, company)?;
        auth.passwords().create()?;
        Ok(auth)
    }

    pub fn passwords(&self) -> Passwords<'_> {
        Passwords::new(self)
    }

    pub fn invites(&self) -> Invites<'_> {
        Invites::new(self)
    }

    pub fn tokens(&self) -> Tokens<'_> {
        Tokens::new(self)
    }

    pub fn accesses(&self) -> Accesses<'_> {
        Accesses::new(self)
    }

    /// All faults that make these credentials unusable. Changes nothing.
    pub fn faults(&self) -> Vec<CredentialError> {
        let attempts = || Attempts::load(self, &self.lock()?).map(drop);
        let checks = [
            self.passwords().check(),
            attempts(),
            self.invites().check(),
            self.tokens().list().map(drop),
            self.accesses().list().map(drop),
        ];
        checks.into_iter().filter_map(Result::err).collect()
    }
}
