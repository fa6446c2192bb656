//! Access by ssh: a key, and the token by which its user acts.
//!
//! `auth/access/<id>.json` says who granted it and for which key; the id is that of the token.
//! `auth/access/<id>` has the token itself, for the restricted shell that sshd starts. A person who
//! can read it can read the rest of the store too.
//!
//! Invariant: the record is written last, so an access in the list has its token.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::credentials::auth_dir::AuthDir;
use crate::credentials::error::CredentialError;
use crate::credentials::issued::{TokenKind, TokenRecord, TokenState};
use crate::credentials::private_file::{self, Format, names_in};
use crate::credentials::ssh_key::SshKey;
use crate::credentials::token_id::TokenId;
use crate::credentials::ttl::Ttl;
use crate::domain::id::UserId;
use crate::domain::time::EventTime;

const DIRECTORY: &str = "access";
const RECORD: &str = ".json";
const REMEDY: &str = "remove it, and revoke its token with `token revoke`";

/// The record of an access.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessRecord {
    pub token_id: TokenId,
    /// The fingerprint of the key.
    pub key: String,
    pub granted_at: EventTime,
    pub granted_by: UserId,
}

#[derive(Serialize, Deserialize)]
struct Document {
    format: Format,
    access: AccessRecord,
}

/// An access and its token.
#[derive(Clone, Debug)]
pub struct Access {
    pub record: AccessRecord,
    pub token: TokenRecord,
}

/// The accesses of a store. Times come from the system clock, never from a pinned one.
#[derive(Clone, Copy, Debug)]
pub struct Accesses<'a> {
    auth: &'a AuthDir,
}

impl<'a> Accesses<'a> {
    pub(super) fn new(auth: &'a AuthDir) -> Self {
        Accesses { auth }
    }

    /// Issues a token for a user with this key, and keeps it for the restricted shell.
    pub fn grant(
        self,
        user: UserId,
        key: &SshKey,
        ttl: Ttl,
        now: EventTime,
        by: UserId,
    ) -> Result<Access, CredentialError> {
        let issued = self.auth.tokens().issue(user, TokenKind::Token, ttl, now)?;
        let record = AccessRecord {
            token_id: issued.record.token_id,
            key: key.fingerprint(),
            granted_at: now,
            granted_by: by,
        };
        let _lock = self.auth.lock()?;
        private_file::create_directory(&self.directory())?;
        self.forget_old()?;
        let token = format!("{}\n", issued.token.reveal());
        private_file::replace(&self.token_file(record.token_id), token.as_bytes())?;
        let document = Document {
            format: Format::CURRENT,
            access: record.clone(),
        };
        private_file::replace_json(&self.record_file(record.token_id), &document)?;
        Ok(Access {
            record,
            token: issued.record,
        })
    }

    /// Removes the files of accesses whose tokens are forgotten.
    fn forget_old(self) -> Result<(), CredentialError> {
        let tokens = self.auth.tokens().list()?;
        for name in names_in(&self.directory())? {
            let id = name.strip_suffix(RECORD).unwrap_or(&name).parse();
            let is_old = |id| !tokens.iter().any(|token| token.token_id == id);
            if id.is_ok_and(is_old) {
                private_file::remove(&self.directory().join(name))?;
            }
        }
        Ok(())
    }

    /// All accesses, oldest first, but for those whose token is forgotten.
    pub fn list(self) -> Result<Vec<Access>, CredentialError> {
        let tokens = self.auth.tokens().list()?;
        let mut found = Vec::new();
        for name in names_in(&self.directory())? {
            let id = name.strip_suffix(RECORD).and_then(|id| id.parse().ok());
            let Some(id) = id else { continue };
            let document: Option<Document> =
                private_file::read_json(&self.record_file(id), REMEDY)?;
            let token = tokens.iter().find(|token| token.token_id == id);
            if let (Some(document), Some(token)) = (document, token) {
                found.push(Access {
                    record: document.access,
                    token: token.clone(),
                });
            }
        }
        found.sort_by_key(|access| (access.record.granted_at, access.record.token_id));
        Ok(found)
    }

    /// The valid access with this key.
    pub fn by_key(self, key: &SshKey, now: EventTime) -> Result<Option<Access>, CredentialError> {
        let fingerprint = key.fingerprint();
        let is_same = |access: &Access| {
            access.record.key == fingerprint && access.token.state(now) == TokenState::Valid
        };
        Ok(self.list()?.into_iter().find(is_same))
    }

    /// Revokes the token of an access and removes it from the files.
    pub fn revoke(self, id: TokenId, now: EventTime) -> Result<(), CredentialError> {
        self.auth.tokens().revoke(id, now)?;
        let _lock = self.auth.lock()?;
        private_file::remove(&self.token_file(id))?;
        Ok(())
    }

    /// The file with the token of an access, below the store.
    pub fn token_path(id: TokenId) -> PathBuf {
        [super::auth_dir::DIRECTORY, DIRECTORY, &id.to_string()]
            .iter()
            .collect()
    }

    fn directory(self) -> PathBuf {
        self.auth.file(DIRECTORY)
    }

    fn token_file(self, id: TokenId) -> PathBuf {
        self.directory().join(id.to_string())
    }

    fn record_file(self, id: TokenId) -> PathBuf {
        self.directory().join(format!("{id}{RECORD}"))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::credentials::TokenText;
    use crate::credentials::fixture::{at, store, user};

    fn key() -> SshKey {
        let text =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
        text.parse().unwrap()
    }

    #[test]
    fn an_access_has_a_token_of_its_user_until_it_is_revoked() {
        let (directory, auth) = store();
        let accesses = auth.accesses();
        assert!(accesses.list().unwrap().is_empty());
        let granted = accesses.grant(user(1), &key(), Ttl::TOKEN, at(0), user(2));
        let id = granted.unwrap().record.token_id;
        let file = directory.path().join(Accesses::token_path(id));
        let mode = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let token = TokenText::new(&std::fs::read_to_string(&file).unwrap());
        let claims = auth.tokens().verify(&token, at(1)).unwrap();
        assert_eq!((claims.user_id, claims.token_id), (user(1), id));
        let found = accesses.by_key(&key(), at(1)).unwrap().unwrap();
        assert_eq!(found.record.granted_by, user(2));
        accesses.revoke(id, at(2)).unwrap();
        assert!(!file.exists() && accesses.by_key(&key(), at(3)).unwrap().is_none());
        let refused = auth.tokens().verify(&token, at(3));
        assert!(matches!(refused, Err(CredentialError::TokenRevoked { .. })));
        assert_eq!(accesses.list().unwrap().len(), 1);
        accesses.revoke(id, at(4)).unwrap();
    }

    #[test]
    fn the_files_of_an_access_go_some_time_after_its_end() {
        let (_directory, auth) = store();
        let accesses = auth.accesses();
        let ttl: Ttl = "1d".parse().unwrap();
        for day in [0, 40] {
            let now = at(day * 86_400);
            let granted = accesses.grant(user(1), &key(), ttl, now, user(2));
            assert_eq!(accesses.list().unwrap().len(), 1);
            assert_eq!(names_in(&accesses.directory()).unwrap().len(), 2);
            granted.unwrap();
        }
    }

    #[test]
    fn an_access_whose_grant_was_interrupted_is_not_in_the_list() {
        let (_directory, auth) = store();
        let accesses = auth.accesses();
        let granted = accesses.grant(user(1), &key(), Ttl::TOKEN, at(0), user(2));
        let id = granted.unwrap().record.token_id;
        std::fs::remove_file(accesses.record_file(id)).unwrap();
        assert!(accesses.list().unwrap().is_empty());
        assert_eq!(auth.tokens().list().unwrap().len(), 1);
    }
}
