//! Errors of credentials. No text here ever contains a secret.

use std::io;
use std::path::PathBuf;

use crate::credentials::token_id::TokenId;
use crate::domain::time::EventTime;
use crate::files::held::shell_word;

#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    #[error("cannot {action} {}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },

    #[error("there are no credentials in {}", path.display())]
    Missing { path: PathBuf },

    #[error("there already are credentials in {}", path.display())]
    Exists { path: PathBuf },

    /// Other accounts on this machine may have read the secret.
    #[error("{} is open to other users (mode {mode:03o})", path.display())]
    OpenToOthers {
        path: PathBuf,
        mode: u32,
        wanted: u32,
    },

    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        path: PathBuf,
        what: String,
        remedy: &'static str,
    },

    #[error("{} was written by a newer popug-cli (format {format})", path.display())]
    TooNew { path: PathBuf, format: u32 },

    #[error("another process has held {} for {waited_millis} ms", path.display())]
    Locked { path: PathBuf, waited_millis: u128 },

    #[error("the password has {characters} characters; at least {min} are needed")]
    PasswordTooShort { characters: usize, min: usize },

    #[error("the password has {bytes} bytes; at most {max} are allowed")]
    PasswordTooLong { bytes: usize, max: usize },

    #[error(
        "{failures} wrong passwords in a row; the next attempt is possible in {wait_seconds} s"
    )]
    TooManyAttempts { failures: u32, wait_seconds: u64 },

    #[error("this is not a token of popug-cli: {what}")]
    TokenMalformed { what: &'static str },

    /// A token of the right form that has no record here, or another secret than its record.
    #[error("the token is not one that this store issued")]
    TokenUnknown,

    /// A signed token of an earlier version.
    #[error("the token was issued by an earlier version of popug-cli and is not accepted any more")]
    TokenOutdated,

    #[error("the token expired at {expired_at}")]
    TokenExpired {
        token_id: TokenId,
        expired_at: EventTime,
    },

    #[error("the token was revoked at {revoked_at}")]
    TokenRevoked {
        token_id: TokenId,
        revoked_at: EventTime,
    },

    /// Which of the three it is would help nobody but a person who guesses.
    #[error("the code is not valid: it was used, has expired, or a newer one was made")]
    InviteRefused,

    #[error("there is no token {token_id}")]
    NoSuchToken { token_id: TokenId },

    #[error("`{text}` is not a time to live: {reason}")]
    BadTtl { text: String, reason: String },

    #[error("a session cannot be stored: neither XDG_STATE_HOME nor HOME is an absolute path")]
    NoStateHome,

    #[error("cannot {action}: {reason}")]
    Cryptography {
        action: &'static str,
        reason: String,
    },
}

impl CredentialError {
    /// The user's next step.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::OpenToOthers { path, wanted, .. } => {
                return Some(format!("chmod {wanted:o} {}", shell_word(path)));
            }
            Self::Damaged { remedy, .. } => remedy,
            Self::Missing { .. } => {
                "bring auth/ back from a backup made with --with-secrets, or restore the backup into a new store"
            }
            Self::TooNew { .. } => "use that version or a later one",
            Self::Locked { .. } => "try again, or wait longer with --lock-wait",
            Self::TooManyAttempts { .. } => {
                "an admin can make a one-time code: `popug-cli user invite LOGIN`"
            }
            Self::TokenMalformed { .. } => {
                "copy the whole line that `token issue` printed, or run `login`"
            }
            Self::TokenUnknown => {
                "check which store --store or POPUG_STORE names; a restored store does not know older tokens: run `login`, or have a new one issued with `token issue`"
            }
            Self::TokenOutdated | Self::TokenExpired { .. } | Self::TokenRevoked { .. } => {
                "run `login`, or have an admin issue a new token with `token issue`"
            }
            Self::InviteRefused => "an admin makes a new one: `popug-cli user invite LOGIN`",
            Self::NoSuchToken { .. } => "`token list` shows all tokens",
            Self::BadTtl { .. } => "write it like 90d, 12h, 30m, 45s or 2w",
            Self::NoStateHome => "set HOME, or put a token into POPUG_TOKEN",
            Self::PasswordTooShort { .. } => {
                "a few words in a row are long enough, and easy to remember"
            }
            Self::PasswordTooLong { .. } => "shorten it",
            Self::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => {
                "move it away; a backup made with --with-secrets has the file's contents"
            }
            Self::Io { .. } | Self::Exists { .. } | Self::Cryptography { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_in_a_hint_can_be_pasted() {
        let open = |path: &str| CredentialError::OpenToOthers {
            path: path.into(),
            mode: 0o644,
            wanted: 0o600,
        };
        assert_eq!(open("/s/auth/key").hint().unwrap(), "chmod 600 /s/auth/key");
        assert_eq!(
            open("/it's here/key").hint().unwrap(),
            r"chmod 600 '/it'\''s here/key'"
        );
        assert_eq!(
            open("/s/key").to_string(),
            "/s/key is open to other users (mode 644)"
        );
    }
}
