//! Tokens: random texts whose hashes the store keeps.
//!
//! A token is `popug_token_<id>_<secret>`: the id, 32 hex digits, names the record of the token;
//! the secret is 256 random bits, 64 hex digits. The record holds the SHA-256 of the company's id
//! and the whole token. So the files of a store are not enough to make a token, and a token is not
//! valid in a copy of the files under another company.
//!
//! Invariant: a token is valid only if the store has a record with its hash, it has not
//! expired and was not revoked. The log decides whether its user is active and what they may do.

use rand::TryRng;
use rand::rngs::SysRng;
use sha2::{Digest, Sha256};

use crate::credentials::auth_dir::AuthDir;
use crate::credentials::error::CredentialError;
use crate::credentials::issued::{Registry, TokenKind, TokenRecord, TokenState};
use crate::credentials::secret::{SIGNED_HEADER, TOKEN_HEADER, TokenText};
use crate::credentials::token_id::TokenId;
use crate::credentials::ttl::Ttl;
use crate::domain::id::UserId;
use crate::domain::time::EventTime;

const ID_DIGITS: usize = 32;
const SECRET_BYTES: usize = 32;

/// The user, kind and end that a valid token proves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claims {
    pub user_id: UserId,
    pub token_id: TokenId,
    pub expires_at: EventTime,
}

/// A new token and its record.
#[derive(Clone, Debug)]
pub struct Issued {
    pub token: TokenText,
    pub record: TokenRecord,
}

/// The tokens of a store. Times come from the system clock, never from a pinned one.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a> {
    auth: &'a AuthDir,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(auth: &'a AuthDir) -> Self {
        Tokens { auth }
    }

    /// Makes a token. Its record is stored before the token is returned.
    pub fn issue(
        self,
        user: UserId,
        kind: TokenKind,
        ttl: Ttl,
        now: EventTime,
    ) -> Result<Issued, CredentialError> {
        let expires_at = ttl.after(now).ok_or_else(|| CredentialError::BadTtl {
            text: ttl.to_string(),
            reason: "it would end after the year 9999".to_owned(),
        })?;
        let token_id = TokenId::random(now);
        let token = random_token(token_id)?;
        let record = TokenRecord {
            token_id,
            user_id: user,
            kind,
            issued_at: now,
            expires_at,
            revoked_at: None,
            sha256: self.hash(&token),
        };
        let lock = self.auth.lock()?;
        self.registry().forget_old(now, &lock)?;
        self.registry().put(&record, &lock)?;
        Ok(Issued { token, record })
    }

    fn hash(self, token: &TokenText) -> String {
        let hash = Sha256::new()
            .chain_update(self.auth.company().bytes())
            .chain_update(token.reveal())
            .finalize();
        hex(&hash)
    }

    /// The claims of a token that is valid now.
    ///
    /// # Errors
    /// One `Token…` error for each reason to refuse it; other errors for faults of the store's
    /// files.
    pub fn verify(self, token: &TokenText, now: EventTime) -> Result<Claims, CredentialError> {
        let token_id = parse(token.reveal())?;
        let record = self
            .registry()
            .find(token_id)?
            .filter(|record| record.sha256 == self.hash(token))
            .ok_or(CredentialError::TokenUnknown)?;
        if now >= record.expires_at {
            return Err(CredentialError::TokenExpired {
                token_id,
                expired_at: record.expires_at,
            });
        }
        if let Some(revoked_at) = record.revoked_at {
            return Err(CredentialError::TokenRevoked {
                token_id,
                revoked_at,
            });
        }
        Ok(Claims {
            user_id: record.user_id,
            token_id,
            expires_at: record.expires_at,
        })
    }

    /// All tokens except those that expired long ago, oldest first.
    pub fn list(self) -> Result<Vec<TokenRecord>, CredentialError> {
        self.registry().all()
    }

    /// Revokes the token. A token that was revoked before stays as it is.
    ///
    /// # Errors
    /// [`CredentialError::NoSuchToken`]
    pub fn revoke(self, token_id: TokenId, now: EventTime) -> Result<TokenRecord, CredentialError> {
        let lock = self.auth.lock()?;
        let record = self
            .registry()
            .find(token_id)?
            .ok_or(CredentialError::NoSuchToken { token_id })?;
        if record.revoked_at.is_some() {
            return Ok(record);
        }
        let revoked = TokenRecord {
            revoked_at: Some(now),
            ..record
        };
        self.registry().put(&revoked, &lock)?;
        Ok(revoked)
    }

    /// Revokes all valid tokens and sessions of the user but `kept`. Returns how many there were.
    pub fn revoke_all(
        self,
        user: UserId,
        kept: Option<TokenId>,
        now: EventTime,
    ) -> Result<u64, CredentialError> {
        let lock = self.auth.lock()?;
        let mut revoked = 0;
        for record in self.registry().all()? {
            let is_theirs = record.user_id == user && Some(record.token_id) != kept;
            if is_theirs && record.state(now) == TokenState::Valid {
                let ended = TokenRecord {
                    revoked_at: Some(now),
                    ..record
                };
                self.registry().put(&ended, &lock)?;
                revoked += 1;
            }
        }
        Ok(revoked)
    }

    fn registry(self) -> Registry<'a> {
        Registry::new(self.auth)
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The secret comes from the operating system, even if the dice are pinned.
fn random_token(token_id: TokenId) -> Result<TokenText, CredentialError> {
    let mut secret = [0; SECRET_BYTES];
    SysRng
        .try_fill_bytes(&mut secret)
        .map_err(|error| CredentialError::Cryptography {
            action: "make a token",
            reason: error.to_string(),
        })?;
    let text = format!("{TOKEN_HEADER}{}_{}", token_id.hex(), hex(&secret));
    Ok(TokenText::new(&text))
}

/// The id of a token of the right form. Each token has one spelling.
fn parse(token: &str) -> Result<TokenId, CredentialError> {
    let malformed = |what| CredentialError::TokenMalformed { what };
    if token.starts_with(SIGNED_HEADER) {
        return Err(CredentialError::TokenOutdated);
    }
    let Some(body) = token.strip_prefix(TOKEN_HEADER) else {
        return Err(malformed(match token {
            "" => "it is empty",
            _ => "it does not begin with popug_token_",
        }));
    };
    let is_hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    match body.split_once('_') {
        Some((id, secret))
            if (id.len(), secret.len()) == (ID_DIGITS, 2 * SECRET_BYTES)
                && is_hex(id)
                && is_hex(secret) =>
        {
            id.parse().map_err(|_| malformed("its id is invalid"))
        }
        _ => Err(malformed("it is cut off or mistyped")),
    }
}

#[cfg(test)]
mod tests;
