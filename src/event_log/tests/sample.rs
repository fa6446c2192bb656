//! Small logs with known contents.

use uuid::Uuid;

use super::forgetful_disk::ForgetfulDisk;
use crate::domain::event::{Actor, Consumer, Fact, TaskCreated};
use crate::domain::id::{EventId, Sequence, TaskId, UserId};
use crate::domain::time::EventTime;
use crate::event_log::{Batch, Hash, Head};
use crate::event_log::{FileLog, LogError, Patience, encode};

pub(super) const AT_ONCE: Patience = Patience {
    wait: std::time::Duration::ZERO,
    holder: String::new(),
};

/// A batch of `events` tasks, the same for the same `number`.
pub(super) fn batch(number: u64, events: u64) -> Batch {
    let id = |kind: u128, index: u64| {
        Uuid::from_u128(kind << 64 | u128::from(number) << 32 | u128::from(index))
    };
    let fact = |index| Fact {
        id: EventId::from_uuid(id(1, index)),
        causation: (index > 0).then(|| EventId::from_uuid(id(1, 0))),
        event: TaskCreated {
            task_id: TaskId::from_uuid(id(2, index)),
            number: number * 1000 + index,
            title: format!("Почистить клетку {number}"),
            jira_id: index.is_multiple_of(2).then(|| format!("UP-{index}")),
            description: number
                .is_multiple_of(3)
                .then(|| "с \"мылом\"\n".repeat(usize::try_from(number).unwrap())),
            created_by: UserId::from_uuid(id(3, 0)),
        }
        .into(),
    };
    Batch {
        time: EventTime::from_micros(1_700_000_000_000_000 + i64::try_from(number).unwrap())
            .unwrap(),
        actor: Actor::System(Consumer::Tracker),
        command_id: format!("key \"{number}\""),
        command_hash: number
            .is_multiple_of(2)
            .then(|| Hash::of_bytes(&number.to_be_bytes())),
        facts: (0..events).map(fact).collect(),
    }
}

/// The lines, without newlines, that the log must hold after `batches`.
pub(super) fn lines_of(batches: &[Batch]) -> Vec<String> {
    let (mut bytes, mut hash, mut first) = (Vec::new(), Hash::ZERO, Sequence::FIRST);
    for batch in batches {
        hash = encode::encode(batch, first, hash, &mut bytes);
        first = first.plus(batch.facts.len() as u64);
    }
    String::from_utf8(bytes)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

pub(super) fn append_all(log: &FileLog, batches: &[Batch]) -> Head {
    let mut writer = log.writer(&AT_ONCE).unwrap();
    let mut head = *writer.head();
    for batch in batches {
        head = writer.append(&head, batch).unwrap();
    }
    head
}

/// The contents of [`log_of_three_segments`].
pub(super) fn batches() -> Vec<Batch> {
    vec![batch(1, 2), batch(2, 1), batch(4, 2)]
}

/// A segment for each batch.
pub(super) fn log_of_three_segments() -> (ForgetfulDisk, FileLog) {
    let disk = ForgetfulDisk::with_empty_log(4096);
    let log = FileLog::on(Box::new(disk.clone())).with_segment_bytes_max(1);
    append_all(&log, &batches());
    (disk, log)
}

/// Every line up to the head, from `from` on.
pub(super) fn read_from(log: &FileLog, from: u64) -> Result<Vec<String>, LogError> {
    let mut lines = Vec::new();
    log.for_each(Sequence(from), &mut |line| {
        lines.push(line.text.to_owned());
        Ok(())
    })?;
    Ok(lines)
}

pub(super) fn read(log: &FileLog) -> Result<Vec<String>, LogError> {
    read_from(log, 1)
}
