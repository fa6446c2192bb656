//! The records of issued tokens: the data of `token list` and the place of revocations.
//!
//! One file per token, in a directory named after the UTC date on which it expires. So the cost of
//! a look-up does not grow with the number of tokens of a date, and old records are deleted unread.
//!
//! Invariant: a token without a record is not valid, so losing records can only lock out.

use std::path::{Path, PathBuf};

use jiff::civil::Date;
use jiff::tz::Offset;
use serde::{Deserialize, Serialize};

use crate::credentials::auth_dir::{AuthDir, Locked};
use crate::credentials::error::CredentialError;
use crate::credentials::private_file::{self, Format, io_error, names_in};
use crate::credentials::token_id::TokenId;
use crate::domain::id::UserId;
use crate::domain::time::{BusinessDate, EventTime};

const REMEDY: &str = "remove it: its token is refused from then on, and a new one can be issued";
/// The time for which an expired token stays in the list.
const KEPT_DAYS: i64 = 30;

/// The purpose of a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    /// For programs, in `POPUG_TOKEN`.
    Token,
    /// Issued by `login`, for one person at one machine.
    Session,
}

impl TokenKind {
    pub const fn name(self) -> &'static str {
        match self {
            TokenKind::Token => "token",
            TokenKind::Session => "session",
        }
    }
}

/// The record of a token. It is not enough to make the token.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRecord {
    pub token_id: TokenId,
    pub user_id: UserId,
    pub kind: TokenKind,
    pub issued_at: EventTime,
    pub expires_at: EventTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<EventTime>,
    /// SHA-256 of the company's id and the token, in hex. Empty in records of signed tokens of
    /// earlier versions: such tokens are refused and their records ignored.
    #[serde(default)]
    pub sha256: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenState {
    Valid,
    Expired,
    Revoked,
}

impl TokenState {
    pub const fn name(self) -> &'static str {
        match self {
            TokenState::Valid => "valid",
            TokenState::Expired => "expired",
            TokenState::Revoked => "revoked",
        }
    }
}

impl TokenRecord {
    pub fn state(&self, now: EventTime) -> TokenState {
        match self.revoked_at {
            Some(_) => TokenState::Revoked,
            None if now >= self.expires_at => TokenState::Expired,
            None => TokenState::Valid,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Document {
    format: Format,
    token: TokenRecord,
}

/// The records of a store.
#[derive(Clone, Copy)]
pub(super) struct Registry<'a> {
    auth: &'a AuthDir,
}

impl<'a> Registry<'a> {
    pub(super) fn new(auth: &'a AuthDir) -> Self {
        Registry { auth }
    }

    /// Writes the record of a token durably.
    pub(super) fn put(self, record: &TokenRecord, _lock: &Locked) -> Result<(), CredentialError> {
        let directory = self.directory_of(record.expires_at);
        private_file::create_directory(&self.auth.tokens_directory())?;
        private_file::create_directory(&directory)?;
        let document = Document {
            format: Format::CURRENT,
            token: record.clone(),
        };
        private_file::replace_json(&directory.join(file_name(record.token_id)), &document)
    }

    /// The record of a token, searched in one directory for each date on which tokens expire. A
    /// directory that cannot be read keeps no other token from being found.
    pub(super) fn find(self, token_id: TokenId) -> Result<Option<TokenRecord>, CredentialError> {
        let mut failed = None;
        for (_, directory) in self.dates()? {
            match read_record(&directory.join(file_name(token_id)), token_id) {
                Ok(None) => {}
                Ok(found) => return Ok(found),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(None), Err)
    }

    /// All records, oldest first.
    pub(super) fn all(self) -> Result<Vec<TokenRecord>, CredentialError> {
        let mut records = Vec::new();
        for (_, directory) in self.dates()? {
            for name in names_in(&directory)? {
                if let Some(token_id) = name.strip_suffix(".json").and_then(|id| id.parse().ok()) {
                    records.extend(read_record(&directory.join(&name), token_id)?);
                }
            }
        }
        records.sort_by_key(|record| (record.issued_at, record.token_id));
        Ok(records)
    }

    /// Removes the records of tokens that expired long ago. These tokens are refused without a
    /// record too.
    pub(super) fn forget_old(self, now: EventTime, _lock: &Locked) -> Result<(), CredentialError> {
        let oldest = BusinessDate::new(utc_date(now)).plus_days(-KEPT_DAYS);
        for (_, directory) in self.dates()?.into_iter().filter(|(date, _)| *date < oldest) {
            std::fs::remove_dir_all(&directory)
                .map_err(|source| io_error("remove", &directory, source))?;
        }
        Ok(())
    }

    fn directory_of(self, expires_at: EventTime) -> PathBuf {
        self.auth
            .tokens_directory()
            .join(utc_date(expires_at).to_string())
    }

    fn dates(self) -> Result<Vec<(BusinessDate, PathBuf)>, CredentialError> {
        let root = self.auth.tokens_directory();
        let dated = names_in(&root)?
            .into_iter()
            .filter_map(|name| Some((name.parse().ok()?, root.join(name))));
        Ok(dated.collect())
    }
}

fn utc_date(moment: EventTime) -> Date {
    Offset::UTC.to_datetime(moment.timestamp()).date()
}

fn file_name(token_id: TokenId) -> String {
    format!("{token_id}.json")
}

fn read_record(path: &Path, token_id: TokenId) -> Result<Option<TokenRecord>, CredentialError> {
    let document: Option<Document> = private_file::read_json(path, REMEDY)?;
    match document.map(|document| document.token) {
        Some(record) if record.token_id != token_id => Err(CredentialError::Damaged {
            path: path.to_owned(),
            what: "it describes another token than its name says".to_owned(),
            remedy: REMEDY,
        }),
        record => Ok(record.filter(|record| !record.sha256.is_empty())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Ttl;
    use crate::credentials::fixture::{at, store, user};

    #[test]
    fn a_directory_that_cannot_be_read_keeps_no_other_token_from_being_found() {
        let (_directory, auth) = store();
        let ttl: Ttl = "1h".parse().unwrap();
        let issued = auth.tokens().issue(user(1), TokenKind::Token, ttl, at(0));
        let issued = issued.unwrap();
        // Whichever order the directory has, most of these come before the date of the token.
        for day in 1..=9 {
            let no_directory = auth.tokens_directory().join(format!("2026-01-0{day}"));
            std::fs::write(no_directory, "").unwrap();
        }
        auth.tokens().verify(&issued.token, at(1)).unwrap();
        let registry = Registry::new(&auth);
        std::fs::remove_dir_all(registry.directory_of(issued.record.expires_at)).unwrap();
        let refused = auth.tokens().verify(&issued.token, at(1));
        assert!(
            matches!(refused, Err(CredentialError::Io { .. })),
            "{refused:?}"
        );
    }
}
