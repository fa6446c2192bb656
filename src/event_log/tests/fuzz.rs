//! Lines that are changed and then hashed correctly: if an audit accepts a line, this program would
//! have written it.

use proptest::prelude::*;

use super::any_event::any_batch;
use super::forgetful_disk::ForgetfulDisk;
use super::sample::{AT_ONCE, lines_of};
use crate::domain::event::{EventKind, Fact};
use crate::domain::id::Sequence;
use crate::domain::tests::mutation::mutated;
use crate::event_log::audit::{Depth, FaultKind};
use crate::event_log::{Batch, FileLog, Hash, Line, segment};

const WORDS: &[&str] = &[
    "\\u0041",
    "\\/",
    "\\\"",
    "\\",
    "\"",
    "{",
    "}",
    ",",
    ":",
    "null",
    "0",
    "-1",
    "1e3",
    "1.0",
    "18446744073709551616",
    " ",
    "\n",
    "\0",
    "\u{1}",
    "\u{feff}",
    "ж",
    ",\"data\":",
    ",\"hash\":\"",
    "\"commandhash\":\"",
    "\"more\":",
    ".v9",
    "A",
    "f",
];

/// A line of a single event without its hash and its final brace.
fn body() -> impl Strategy<Value = Vec<u8>> {
    any_batch().prop_map(|mut batch| {
        batch.facts.truncate(1);
        let line = lines_of(&[batch]).swap_remove(0);
        let end = line.rfind(",\"hash\":\"").unwrap();
        line.as_bytes()[..end].to_vec()
    })
}

/// The line with its right hash, on a disk of its own.
fn log_of(body: &[u8]) -> (FileLog, Vec<u8>) {
    let hash = Hash::of_line(&Hash::ZERO, body);
    let line = [body, b",\"hash\":\"", hash.ascii(), b"\"}"].concat();
    let disk = ForgetfulDisk::with_empty_log(4096);
    disk.put(
        &segment::file_name(Sequence::FIRST),
        &[&line[..], b"\n"].concat(),
    );
    disk.delete("head");
    (FileLog::on(Box::new(disk)), line)
}

/// The batch of a line; `None` if this version cannot read it.
fn batch_of(line: &Line<'_>) -> Option<Batch> {
    EventKind::of_type(line.type_name)?;
    let fact = Fact {
        id: line.event_id().unwrap(),
        causation: line.causation_id.map(|id| id.parse().unwrap()),
        event: line.event().unwrap(),
    };
    Some(Batch {
        time: line.event_time().unwrap(),
        actor: line.acting().unwrap(),
        command_id: line.command_id().into_owned(),
        command_hash: line.command_hash.map(|hash| hash.parse().unwrap()),
        facts: vec![fact],
    })
}

proptest! {
    #[test]
    fn a_line_that_an_audit_takes_for_sound_is_one_that_would_be_written(body in mutated(body(), WORDS)) {
        let (log, bytes) = log_of(&body);
        let audit = log.audit(Depth::Decoding, 1, &|_, _| {}).unwrap();
        let is_sound = audit.events == 1 && audit.faults.iter().all(|fault| fault.kind == FaultKind::Head);
        if is_sound {
            let line = Line::parse(&bytes).map_err(TestCaseError::fail)?;
            if let Some(batch) = batch_of(&line) {
                let written = lines_of(&[batch]).swap_remove(0);
                prop_assert_eq!(written.as_bytes(), &bytes[..]);
            }
        }
    }

    #[test]
    fn no_line_makes_a_reader_or_a_writer_panic(body in mutated(body(), WORDS)) {
        let (log, bytes) = log_of(&body);
        if let Ok(line) = Line::parse(&bytes) {
            let _ = (line.kind(), line.event(), line.event_id(), line.event_time(), line.acting(), line.command_id());
        }
        let _ = log.for_each(Sequence::FIRST, &mut |line| line.event().map(drop));
        let _ = log.writer(&AT_ONCE).map(drop);
    }
}
