//! Signed tokens, PASETO v4.public: they say who and until when, and nothing else.
//!
//! The signature also covers the company's id, which the token does not carry. What must hold:
//! a token is valid only if the signature fits, it has not expired, and the store has a record of
//! it that was not revoked; whether its user is active, and what he may do, the log says.

use pasetors::token::{Public, UntrustedToken};
use pasetors::version4::{PublicToken, V4};
use serde::{Deserialize, Serialize};

use crate::credentials::auth_dir::AuthDir;
use crate::credentials::error::CredentialError;
use crate::credentials::issued::{Registry, TokenId, TokenKind, TokenRecord};
use crate::credentials::secret::TokenText;
use crate::credentials::ttl::Ttl;
use crate::domain::id::UserId;
use crate::domain::time::EventTime;

/// A token of this program has about 270.
const TOKEN_BYTES_MAX: usize = 1024;

/// What a valid token proves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claims {
    pub user_id: UserId,
    pub token_id: TokenId,
    pub expires_at: EventTime,
}

/// A new token and what the store recorded about it.
#[derive(Clone, Debug)]
pub struct Issued {
    pub token: TokenText,
    pub record: TokenRecord,
}

/// The signed part, under the names that PASETO reserves for these claims.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    sub: UserId,
    jti: TokenId,
    exp: EventTime,
}

/// The tokens of a store. Moments come from the system clock, never from a pinned one.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a> {
    auth: &'a AuthDir,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(auth: &'a AuthDir) -> Self {
        Tokens { auth }
    }

    /// Signs a token. It is recorded before it is handed out.
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
        let token = self.sign(&Payload {
            sub: user,
            jti: token_id,
            exp: expires_at,
        })?;
        let record = TokenRecord {
            token_id,
            user_id: user,
            kind,
            issued_at: now,
            expires_at,
            revoked_at: None,
        };
        let lock = self.auth.lock()?;
        self.registry().forget_old(now, &lock)?;
        self.registry().put(&record, &lock)?;
        Ok(Issued { token, record })
    }

    fn sign(self, payload: &Payload) -> Result<TokenText, CredentialError> {
        let keys = self.auth.keys()?;
        let message = serde_json::to_vec(payload).expect("a payload is JSON");
        let token = PublicToken::sign(
            &keys.secret,
            &message,
            None,
            Some(self.auth.company().bytes()),
        );
        token
            .map(|token| TokenText::new(&token))
            .map_err(|error| CredentialError::Cryptography {
                action: "sign the token",
                reason: error.to_string(),
            })
    }

    /// What the token proves now.
    ///
    /// # Errors
    /// One `Token…` error for each reason to refuse it; others if the store's files are at fault.
    pub fn verify(self, token: &TokenText, now: EventTime) -> Result<Claims, CredentialError> {
        let untrusted = parse(token.reveal())?;
        let keys = self.auth.keys()?;
        let company = self.auth.company();
        let Ok(trusted) =
            PublicToken::verify(&keys.public, &untrusted, None, Some(company.bytes()))
        else {
            return Err(self.why_the_signature_does_not_fit(&untrusted));
        };
        let payload: Payload = serde_json::from_str(trusted.payload()).map_err(|_| {
            CredentialError::TokenMalformed {
                what: "its contents are those of another version",
            }
        })?;
        let claims = Claims {
            user_id: payload.sub,
            token_id: payload.jti,
            expires_at: payload.exp,
        };
        self.check_claims(&claims, now)?;
        Ok(claims)
    }

    fn check_claims(self, claims: &Claims, now: EventTime) -> Result<(), CredentialError> {
        let token_id = claims.token_id;
        if now >= claims.expires_at {
            return Err(CredentialError::TokenExpired {
                token_id,
                expired_at: claims.expires_at,
            });
        }
        let record = self.registry().get(token_id, claims.expires_at)?;
        match record
            .ok_or(CredentialError::TokenNotListed { token_id })?
            .revoked_at
        {
            Some(revoked_at) => Err(CredentialError::TokenRevoked {
                token_id,
                revoked_at,
            }),
            None => Ok(()),
        }
    }

    /// For the message only: what was not signed here proves nothing, but may name one of our
    /// tokens, and then somebody altered it.
    fn why_the_signature_does_not_fit(
        self,
        untrusted: &UntrustedToken<Public, V4>,
    ) -> CredentialError {
        match serde_json::from_slice::<Payload>(untrusted.untrusted_payload()) {
            Ok(claimed) if matches!(self.registry().find(claimed.jti), Ok(None)) => {
                CredentialError::TokenForeign
            }
            _ => CredentialError::TokenTampered,
        }
    }

    /// Every token that has not long expired, oldest first.
    pub fn list(self) -> Result<Vec<TokenRecord>, CredentialError> {
        self.registry().all()
    }

    /// From now on the token is refused. One that was revoked before stays as it is.
    ///
    /// # Errors
    /// [`CredentialError::UnknownToken`]
    pub fn revoke(self, token_id: TokenId, now: EventTime) -> Result<TokenRecord, CredentialError> {
        let lock = self.auth.lock()?;
        let record = self
            .registry()
            .find(token_id)?
            .ok_or(CredentialError::UnknownToken { token_id })?;
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

    fn registry(self) -> Registry<'a> {
        Registry::new(self.auth)
    }
}

/// Checks the shape. Exactly one text per token is let through: no footer, no padding.
fn parse(token: &str) -> Result<UntrustedToken<Public, V4>, CredentialError> {
    let malformed = |what| CredentialError::TokenMalformed { what };
    let Some(body) = token.strip_prefix(PublicToken::HEADER) else {
        return Err(malformed(what_else_it_is(token)));
    };
    if token.len() > TOKEN_BYTES_MAX {
        return Err(malformed("it is too long"));
    }
    if !body
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    {
        return Err(malformed("it has characters that no token has"));
    }
    UntrustedToken::try_from(token).map_err(|_| malformed("it is cut off or mistyped"))
}

fn what_else_it_is(token: &str) -> &'static str {
    let version = token.split('.').next().unwrap_or_default();
    match version {
        "" => "it is empty",
        "v1" | "v2" | "v3" | "v4" => "it is a PASETO, but not of the kind v4.public",
        header if header.starts_with("eyJ") => "it is a JSON Web Token",
        _ => "it does not begin with v4.public",
    }
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
