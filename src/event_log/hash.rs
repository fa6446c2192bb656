//! The hash chain: each line's hash covers the line and the hash of the line before it.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// A SHA-256 as 64 lower-case hex digits, the form in which the chain hashes it on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; 64]);

impl Hash {
    /// The hash that the first line continues.
    pub const ZERO: Hash = Hash([b'0'; 64]);

    /// The hash of a line: SHA-256 of the previous hash, a newline, and the line without its
    /// `hash` member. `open_line` is the line up to that member, without the closing brace.
    pub fn of_line(previous: &Hash, open_line: &[u8]) -> Hash {
        let digest = Sha256::new()
            .chain_update(previous.0)
            .chain_update(b"\n")
            .chain_update(open_line)
            .chain_update(b"}")
            .finalize();
        Hash::from_digest(digest.into())
    }

    /// The hash of a text, for commands and checksums.
    pub fn of_bytes(bytes: &[u8]) -> Hash {
        Hash::from_digest(Sha256::digest(bytes).into())
    }

    pub(super) fn from_digest(digest: [u8; 32]) -> Hash {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(digest) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        Hash(hex)
    }

    /// Takes 64 bytes as they are in a line, without checking them.
    pub fn from_ascii(bytes: &[u8]) -> Option<Hash> {
        bytes.try_into().ok().map(Hash)
    }

    pub const fn ascii(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl FromStr for Hash {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let hex = text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        Hash::from_ascii(text.as_bytes()).filter(|_| hex).ok_or(())
    }
}
