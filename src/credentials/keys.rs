//! The store's Ed25519 key pair, made once when the store is made. Whoever has it can be anybody.

use std::path::Path;

use pasetors::keys::{AsymmetricKeyPair, AsymmetricPublicKey, AsymmetricSecretKey, Generate};
use pasetors::version4::V4;
use serde::{Deserialize, Serialize};

use crate::credentials::error::CredentialError;
use crate::credentials::private_file::{self, Format};

pub const KEY_FILE: &str = "signing-key.json";
const REMEDY: &str =
    "bring it back from a backup made with --with-secrets, or restore the backup into a new store";
/// Seed and public key, 32 bytes each.
const KEY_BYTES: usize = 64;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: Format,
    /// The seed and the public key, in hex.
    ed25519: String,
}

/// Signs and verifies. `Debug` of its members hides the secret half.
#[derive(Debug)]
pub struct Keys {
    pub secret: AsymmetricSecretKey<V4>,
    pub public: AsymmetricPublicKey<V4>,
}

impl Keys {
    /// Makes a key pair from the randomness of the operating system.
    pub fn create(path: &Path) -> Result<(), CredentialError> {
        let pair =
            AsymmetricKeyPair::<V4>::generate().map_err(|error| CredentialError::Cryptography {
                action: "make a key pair",
                reason: error.to_string(),
            })?;
        let ed25519 = pair
            .secret
            .as_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        private_file::replace_json(
            path,
            &Document {
                format: Format::CURRENT,
                ed25519,
            },
        )
    }

    pub fn load(path: &Path) -> Result<Keys, CredentialError> {
        let document: Option<Document> = private_file::read_json(path, REMEDY)?;
        let document = document.ok_or_else(|| CredentialError::Missing {
            path: path.to_owned(),
        })?;
        Self::from_hex(&document.ed25519).ok_or_else(|| CredentialError::Damaged {
            path: path.to_owned(),
            what: "its two halves are not a key pair".to_owned(),
            remedy: REMEDY,
        })
    }

    fn from_hex(hex: &str) -> Option<Keys> {
        let bytes = bytes_of(hex)?;
        // The library panics on a seed of zeros instead of refusing it.
        let has_seed = bytes[..KEY_BYTES / 2].iter().any(|byte| *byte != 0);
        let secret = has_seed
            .then(|| AsymmetricSecretKey::from(&bytes).ok())
            .flatten()?;
        let public = AsymmetricPublicKey::try_from(&secret).ok()?;
        Some(Keys { secret, public })
    }
}

fn bytes_of(hex: &str) -> Option<[u8; KEY_BYTES]> {
    if hex.len() != 2 * KEY_BYTES || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; KEY_BYTES];
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn created() -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(KEY_FILE);
        Keys::create(&path).unwrap();
        (directory, path)
    }

    #[test]
    fn two_stores_never_share_a_key() {
        let ((_a, first), (_b, second)) = (created(), created());
        assert_ne!(
            Keys::load(&first).unwrap().secret,
            Keys::load(&second).unwrap().secret
        );
    }

    #[test]
    fn a_key_pair_does_not_show_its_secret() {
        let (_directory, path) = created();
        let keys = Keys::load(&path).unwrap();
        let shown = format!("{keys:?}");
        assert!(shown.contains("OMITTED"), "{shown}");
        assert!(
            !shown.contains(&format!("{:?}", &keys.secret.as_bytes()[..4]).replace(['[', ']'], "")),
            "{shown}"
        );
    }

    #[test]
    fn a_damaged_key_is_refused_whatever_the_damage() {
        let (_directory, path) = created();
        let whole = std::fs::read_to_string(&path).unwrap();
        let at = whole.find("ed25519").unwrap() + 12;
        let flipped = if &whole[at..=at] == "0" { "1" } else { "0" };
        let zeros = format!(r#"{{"format":1,"ed25519":"{}"}}"#, "0".repeat(128));
        let multibyte = format!(r#"{{"format":1,"ed25519":"{}"}}"#, "й".repeat(64));
        let altered = format!("{}{flipped}{}", &whole[..at], &whole[at + 1..]);
        for text in [
            "",
            "{}",
            "null",
            "\u{0}",
            &whole[..whole.len() / 2],
            &zeros,
            &multibyte,
            &altered,
        ] {
            private_file::replace(&path, text.as_bytes()).unwrap();
            let refused = Keys::load(&path).unwrap_err();
            assert!(
                matches!(refused, CredentialError::Damaged { .. }),
                "{text:?}: {refused}"
            );
            assert!(refused.to_string().contains(KEY_FILE), "{refused}");
        }
    }

    #[test]
    fn a_key_file_of_a_later_version_is_not_called_damaged() {
        let (_directory, path) = created();
        private_file::replace(&path, br#"{"format":2,"keys":[]}"#).unwrap();
        assert!(matches!(
            Keys::load(&path),
            Err(CredentialError::TooNew { format: 2, .. })
        ));
    }
}
