//! Public keys of ssh, as `ssh-keygen` writes them to `NAME.pub`.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

/// The kinds of keys that OpenSSH accepts by default.
const KINDS: [&str; 7] = [
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa",
];

/// The reason why a text is no public key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadSshKey {
    #[error("it is a private key, which stays with its user")]
    Private,
    #[error("it has {0} keys and must have one")]
    NotOne(usize),
    #[error("its line does not begin with a kind of key, such as ssh-ed25519")]
    UnknownKind,
    #[error("its key is damaged")]
    Damaged,
}

/// A public key without its comment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SshKey {
    kind: &'static str,
    blob: Vec<u8>,
}

/// Parses the contents of a file with one key.
impl FromStr for SshKey {
    type Err = BadSshKey;

    fn from_str(text: &str) -> Result<SshKey, BadSshKey> {
        if text.contains("PRIVATE KEY-----") {
            return Err(BadSshKey::Private);
        }
        let is_key = |line: &&str| !line.is_empty() && !line.starts_with('#');
        let lines: Vec<&str> = text.lines().map(str::trim).filter(is_key).collect();
        let [line] = lines[..] else {
            return Err(BadSshKey::NotOne(lines.len()));
        };
        let mut words = line.split_ascii_whitespace();
        let kind = words.next().unwrap_or_default();
        let kind = KINDS.into_iter().find(|known| *known == kind);
        let kind = kind.ok_or(BadSshKey::UnknownKind)?;
        let blob = words.next().and_then(|word| STANDARD.decode(word).ok());
        blob.filter(|blob| begins_with(blob, kind))
            .map(|blob| SshKey { kind, blob })
            .ok_or(BadSshKey::Damaged)
    }
}

/// Whether the first member of the key, a text behind its length in four bytes, is the kind.
fn begins_with(blob: &[u8], kind: &str) -> bool {
    let length = u32::try_from(kind.len()).unwrap_or_default().to_be_bytes();
    let rest = blob.strip_prefix(&length);
    rest.and_then(|rest| rest.strip_prefix(kind.as_bytes()))
        .is_some_and(|key| !key.is_empty())
}

impl SshKey {
    /// `SHA256:…`, as `ssh-keygen -l` and sshd's log show it.
    pub fn fingerprint(&self) -> String {
        format!(
            "SHA256:{}",
            STANDARD_NO_PAD.encode(Sha256::digest(&self.blob))
        )
    }

    /// The key as in `authorized_keys`, without options and comment.
    pub fn line(&self) -> String {
        format!("{} {}", self.kind, STANDARD.encode(&self.blob))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

    #[test]
    fn a_key_loses_its_comment_and_has_the_fingerprint_of_ssh_keygen() {
        let key: SshKey = format!("# mine\n\n{KEY} anna@home, \"quoted\"\r\n")
            .parse()
            .unwrap();
        assert_eq!(key.line(), KEY);
        assert_eq!(key.fingerprint().len(), "SHA256:".len() + 43);
    }

    #[test]
    fn a_text_that_is_no_single_public_key_is_refused() {
        let body = KEY.split(' ').nth(1).unwrap();
        for (text, why) in [
            (String::new(), BadSshKey::NotOne(0)),
            (format!("{KEY}\n{KEY}\n"), BadSshKey::NotOne(2)),
            (format!("command=\"sh\" {KEY}"), BadSshKey::UnknownKind),
            (format!("ssh-dss {body}"), BadSshKey::UnknownKind),
            (format!("ssh-rsa {body}"), BadSshKey::Damaged),
            (KEY.replace("AAAAC3", "AAAAC4"), BadSshKey::Damaged),
            (KEY[..30].to_owned(), BadSshKey::Damaged),
            ("ssh-ed25519".to_owned(), BadSshKey::Damaged),
            (
                "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n".to_owned(),
                BadSshKey::Private,
            ),
        ] {
            assert_eq!(text.parse::<SshKey>(), Err(why), "{text}");
        }
    }
}
