//! Proof of identity: passwords, and the tokens and sessions that stand in for them.
//!
//! [`auth_dir`] is the `auth/` directory of a store, its lock and its key pair (`keys`).
//! [`passwords`] keeps Argon2id hashes and slows guessing down (`attempts`). [`tokens`] signs
//! and verifies, `issued` remembers what was signed and what was revoked, [`ttl`] reads how long
//! it lasts. [`sessions`] keeps the token of whoever logged in, outside the store, and [`callers`] tells
//! apart who came to an account by `sudo`. [`archive`] takes all of `auth/` out for a backup. `private_file` is the only door to the disk, [`secret`] keeps
//! secrets out of messages.
//!
//! Invariant: this module knows user ids and never roles. Whether a user exists, is active and
//! what he may do comes from the log.
//! Invariant: no secret is ever in the log, in a message or in `Debug` output.
//! Invariant: files change whole, by a rename; in `auth/` only under its lock. Readers take no lock.

pub mod archive;
mod attempts;
pub mod auth_dir;
pub mod callers;
pub mod error;
#[cfg(test)]
mod fixture;
mod issued;
mod keys;
pub mod passwords;
pub mod private_file;
pub mod secret;
pub mod sessions;
pub mod tokens;
pub mod ttl;

pub use archive::SecretFile;
pub use auth_dir::AuthDir;
pub use callers::Callers;
pub use error::CredentialError;
pub use issued::{TokenId, TokenKind, TokenRecord, TokenState};
pub use passwords::Passwords;
pub use secret::{Password, TokenText};
pub use sessions::Sessions;
pub use tokens::{Claims, Issued, Tokens};
pub use ttl::Ttl;
