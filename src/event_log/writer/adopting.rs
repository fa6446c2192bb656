//! Brings a log of files to a remote, and makes it a copy of it.

use super::Writer;
use crate::domain::id::Sequence;
use crate::event_log::error::LogError;
use crate::event_log::head::Head;
use crate::event_log::remote::role::Role;
use crate::event_log::remote::{Remote, TurnOf, hash_at};
use crate::event_log::{FileLog, Patience};

/// Whole batches are sent when they have this many bytes.
const SENT_AT_ONCE: usize = 4 << 20;

impl FileLog {
    /// Appends the acknowledged events of this log that `remote` lacks. Returns their number.
    ///
    /// # Errors
    /// [`LogError::Diverged`] if the remote has other events.
    pub fn push_to(&self, remote: &dyn Remote) -> Result<u64, LogError> {
        let head = self.head()?;
        let (there, hash) = remote.standing()?.end;
        let diverged = |sequence| LogError::Diverged {
            name: remote.name(),
            sequence,
        };
        if there > head.sequence {
            let theirs = hash_at(remote, head.sequence)?;
            let is_ahead = head.sequence > Sequence::ZERO && theirs == Some(head.hash);
            return if is_ahead {
                Ok(0)
            } else {
                Err(diverged(head.sequence))
            };
        }
        if there > Sequence::ZERO && self.line(there)?.line().hash != hash {
            return Err(diverged(there));
        }
        let (mut lines, mut follows, mut last) = (Vec::new(), (there, hash), (there, hash));
        let mut reader = self.read_after(there, &hash)?;
        while let Some(line) = reader.next_line()? {
            lines.extend_from_slice(line.text.as_bytes());
            lines.push(b'\n');
            last = (line.sequence, line.hash);
            if line.more == 0 && lines.len() >= SENT_AT_ONCE {
                remote.append(follows, last, &lines)?;
                follows = last;
                lines.clear();
            }
        }
        if !lines.is_empty() {
            remote.append(follows, last, &lines)?;
        }
        Ok(last.0.0 - there.0)
    }

    /// Appends what `remote` lacks, and makes this log a copy of it. From then on programs that know
    /// no remote refuse the log. Returns the head.
    ///
    /// # Errors
    /// As [`FileLog::push_to`]; [`LogError::Diverged`] also if the remote has more events.
    pub fn adopt(
        &self,
        role: &Role,
        remote: &dyn Remote,
        patience: &Patience,
    ) -> Result<Head, LogError> {
        let mut writer = self.writer(patience)?;
        let _turn = remote.turn(TurnOf::Writer, &patience.holder, patience.wait)?;
        self.push_to(remote)?;
        let head = *writer.head();
        let end = remote.standing()?.end;
        if end != (head.sequence, head.hash) {
            return Err(LogError::Diverged {
                name: remote.name(),
                sequence: end.0,
            });
        }
        role.write(self.storage())?;
        writer.become_copy()?;
        Ok(head)
    }
}

impl Writer<'_> {
    /// Writes both slots in the format of a copy.
    fn become_copy(&mut self) -> Result<(), LogError> {
        self.head_file.become_copy();
        let head = self.head;
        self.publish(head)?;
        self.publish(head)
    }
}
