//! The log as an auditor reads it: only its lines and SHA-256.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest, Sha256};

pub const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Lower-case hex SHA-256 of the previous hash, a newline and the line without its hash.
pub fn hash(previous: &str, line_without_hash: &str) -> String {
    let digest = Sha256::digest(format!("{previous}\n{line_without_hash}"));
    digest.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The line without its hash, and the hash.
pub fn split(line: &str) -> (String, &str) {
    let (body, tail) = line
        .rsplit_once(",\"hash\":\"")
        .expect("every line ends with its hash");
    (
        format!("{body}}}"),
        tail.strip_suffix("\"}")
            .expect("the hash is the last member"),
    )
}

/// Checks dense sequences, unbroken hashes, whole batches, unique ids, one key for each batch, and
/// times that never decrease.
pub fn check(lines: &[String]) {
    let mut previous = NO_HASH.to_owned();
    let (mut ids, mut keys) = (HashSet::new(), HashSet::new());
    let (mut time, mut more, mut key) = (String::new(), 0, String::new());
    for (line, sequence) in lines.iter().zip(1..) {
        let (body, stated) = split(line);
        assert_eq!(
            hash(&previous, &body),
            stated,
            "the hash of event {sequence}"
        );
        stated.clone_into(&mut previous);
        let event: Value = serde_json::from_str(line).expect("JSON");
        let text = |name: &str| {
            event[name]
                .as_str()
                .unwrap_or_else(|| panic!("no {name}: {line}"))
                .to_owned()
        };
        assert_eq!(text("sequence"), format!("{sequence:020}"));
        assert!(
            ids.insert(text("id")),
            "event {sequence} has an id that was there before"
        );
        assert!(
            text("time") >= time,
            "event {sequence} is earlier than the one before"
        );
        time = text("time");
        if more == 0 {
            key = text("commandid");
            assert!(keys.insert(key.clone()), "{key} belongs to two batches");
        } else {
            assert_eq!(event["more"], more - 1, "event {sequence}");
            assert_eq!(text("commandid"), key, "event {sequence}");
        }
        more = event["more"].as_u64().expect("a count");
    }
    assert_eq!(more, 0, "the last batch is whole");
}
