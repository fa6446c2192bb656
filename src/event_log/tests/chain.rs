//! The hash chain, recomputed as an auditor would do it: from the text alone.

use sha2::{Digest, Sha256};

use super::sample::{append_all, batch, lines_of, read};
use crate::event_log::FileLog;

/// The hash rule, without the log's own code.
fn audited_hash(previous: &str, line: &str) -> String {
    let (before, hash_and_brace) = line.rsplit_once(r#","hash":""#).unwrap();
    assert_eq!(hash_and_brace.len(), 66);
    let digest = Sha256::digest(format!("{previous}\n{before}}}"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_line_carries_the_hash_of_itself_and_the_line_before() {
    let mut previous = "0".repeat(64);
    for line in lines_of(&[batch(1, 3), batch(2, 1), batch(3, 2)]) {
        let hash = audited_hash(&previous, &line);
        assert!(line.ends_with(&format!(r#","hash":"{hash}"}}"#)), "{line}");
        previous = hash;
    }
}

#[test]
fn lines_are_json_with_their_members_in_the_documented_order() {
    let order = [
        "specversion",
        "id",
        "source",
        "type",
        "subject",
        "time",
        "sequence",
        "more",
        "actor",
        "commandid",
        "commandhash",
        "causationid",
        "data",
        "hash",
    ];
    for line in lines_of(&[batch(1, 2), batch(2, 2)]) {
        let envelope: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&line).unwrap();
        let mut from = 0;
        for member in order
            .iter()
            .filter(|member| envelope.contains_key(**member))
        {
            let at = line[from..]
                .find(&format!("\"{member}\":"))
                .unwrap_or_else(|| panic!("{member} in {line}"));
            from += at;
        }
        assert!(
            envelope
                .keys()
                .all(|member| order.contains(&member.as_str())),
            "{line}"
        );
    }
}

#[test]
fn segments_are_the_lines_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let log = FileLog::create(directory.path())
        .unwrap()
        .with_segment_bytes_max(2_000);
    let batches = [batch(1, 2), batch(2, 3), batch(3, 1), batch(4, 4)];
    append_all(&log, &batches);
    let mut files: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    let segments = files
        .iter()
        .filter(|path| path.extension().is_some_and(|ext| ext == "ndjson"));
    let text: String = segments
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    assert!(files.len() > 3, "{files:?}");
    assert_eq!(text, lines_of(&batches).join("\n") + "\n");
    assert_eq!(read(&log).unwrap(), lines_of(&batches));
}
