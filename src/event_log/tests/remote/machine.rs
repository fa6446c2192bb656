//! A machine with a copy of a remote, on a disk that forgets.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::id::Sequence;
use crate::event_log::remote::Remote;
use crate::event_log::remote::role::Role;
use crate::event_log::tests::forgetful_disk::ForgetfulDisk;
use crate::event_log::tests::sample::{batch, read};
use crate::event_log::{Batch, FileLog, Head, LogError, Patience};

/// Small, so that a short history has several segments.
pub(crate) const SEGMENT_BYTES: u64 = 3_000;

pub(crate) struct Machine {
    pub(in crate::event_log::tests) disk: ForgetfulDisk,
    pub(crate) remote: Arc<dyn Remote>,
}

/// An empty copy on `disk`.
pub(in crate::event_log::tests) fn make_copy(disk: &ForgetfulDisk) {
    let company = "0198c0de-0000-7000-8000-000000000001".parse().unwrap();
    let role = Role::new(company, "memory:".to_owned(), true);
    role.write(disk).unwrap();
}

/// The batch with this number, at a time that any log of this suite has not passed.
pub(crate) fn numbered(number: u64, events: u64, follows: Sequence) -> Batch {
    let time = batch(follows.0 + 1, 1).time;
    Batch {
        time,
        ..batch(number, events)
    }
}

impl Machine {
    pub(crate) fn with(remote: Arc<dyn Remote>) -> Machine {
        let disk = ForgetfulDisk::with_empty_log(4096);
        make_copy(&disk);
        Machine { disk, remote }
    }

    /// The same machine with another connection to the remote.
    pub(crate) fn through(self, remote: Arc<dyn Remote>) -> Machine {
        Machine { remote, ..self }
    }

    pub(crate) fn log(&self) -> FileLog {
        FileLog::on(Box::new(self.disk.clone()))
            .with_segment_bytes_max(SEGMENT_BYTES)
            .copying(Arc::clone(&self.remote))
    }

    /// Appends the batch `number` as a command would: in a turn of its own, behind the end.
    pub(crate) fn append(&self, number: u64, events: u64) -> Result<Head, LogError> {
        // The turn of a connection that broke off is free when the server has noticed.
        let patience = Patience {
            wait: Duration::from_secs(10),
            holder: String::new(),
        };
        self.append_within(&patience, number, events)
    }

    pub(crate) fn append_within(
        &self,
        patience: &Patience,
        number: u64,
        events: u64,
    ) -> Result<Head, LogError> {
        let log = self.log();
        let mut writer = log.writer(patience)?;
        let head = *writer.head();
        writer.append(&head, &numbered(number, events, head.sequence))
    }

    /// The same for several numbers, each with as many events.
    pub(crate) fn append_all(&self, numbers: std::ops::RangeInclusive<u64>, events: u64) {
        for number in numbers {
            self.append(number, events).unwrap();
        }
    }

    /// Every line that readers see, without asking the remote.
    pub(crate) fn lines(&self) -> Vec<String> {
        read(&self.log()).unwrap()
    }

    /// Every line of the remote.
    pub(crate) fn lines_there(&self) -> Vec<String> {
        let (through, _) = self.remote.standing().unwrap().end;
        let mut lines = Vec::new();
        let mut take = |line: &[u8]| {
            lines.push(String::from_utf8(line.to_vec()).unwrap());
            Ok(())
        };
        self.remote
            .read(Sequence::ZERO, through, &mut take)
            .unwrap();
        lines
    }
}

/// The numbers of the batches in `lines`, by their keys.
pub(crate) fn numbers(lines: &[String]) -> Vec<u64> {
    let number = |line: &String| {
        let key = line.split(r#""commandid":"key \""#).nth(1).unwrap();
        key.split('\\').next().unwrap().parse().unwrap()
    };
    let mut numbers: Vec<u64> = lines.iter().map(number).collect();
    numbers.dedup();
    numbers
}
