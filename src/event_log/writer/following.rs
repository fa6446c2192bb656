//! A writer on a copy: settles the tail by what the remote has, fetches, and sends.
//!
//! Whole batches behind the head of a copy are an *intent*: decided on this machine, and perhaps
//! sent. The remote decides what becomes of it:
//!
//! | the remote ends with | the intent |
//! | --- | --- |
//! | the end of the intent | is published: it had arrived |
//! | the head of the copy, or a batch in the tail | is sent now from there on, and published if the remote takes it |
//! | something else behind the head | is cut, and the lines of the remote are stored |
//! | something before the head, or another event in its place | stays; the remote lost acknowledged events |
//!
//! If a slot of the head is lost, the tail may hold acknowledged events. Then it is cut only if the
//! remote goes further than the tail does.

use super::{Link, Sending, Writer};
use crate::domain::id::Sequence;
use crate::event_log::encode::Encoded;
use crate::event_log::error::LogError;
use crate::event_log::head::{Head, HeadFileState, Published};
use crate::event_log::line::Line;
use crate::event_log::reader::check_line;
use crate::event_log::remote::{End, Remote, damaged, hash_at};
use crate::event_log::segment::{self, io_error};
use crate::event_log::storage::Access;
use crate::event_log::tail::{self, Tail};

/// The number of times that the remote may move between a look at it and an append.
const ROUNDS: u32 = 5;
/// Fetched lines are stored and published when there are this many bytes of them.
const STORED_AT_ONCE: usize = 8 << 20;

fn end_of(head: &Head) -> End {
    (head.sequence, head.hash)
}

impl Writer<'_> {
    /// Settles the tail of a copy and brings its head to the end of the remote.
    pub(super) fn follow(&mut self, published: Published) -> Result<(), LogError> {
        let link = self.link.as_ref().expect("a copy has a remote");
        let remote = link.remote;
        let mut there = match &link.sending {
            Sending::InTurn(turn) => turn.standing.end,
            Sending::Drafted | Sending::Nothing => remote.standing()?.end,
        };
        let is_sound = published.head_file == HeadFileState::Sound;
        if is_sound && !tail::is_in_the_way(self.storage, &self.head)? {
            return self.fetch(remote, there);
        }
        let tail = tail::examine(self.storage, &published)?;
        for _ in 1..ROUNDS {
            match self.settle_by(remote, &tail, there) {
                Err(LogError::HeadMoved { .. }) => there = remote.standing()?.end,
                settled => return self.fetch(remote, settled?),
            }
        }
        let settled = self.settle_by(remote, &tail, there)?;
        self.fetch(remote, settled)
    }

    /// Settles `tail` for a remote that ends with `there`. Returns the end of the remote, which has
    /// the head from here on.
    fn settle_by(&mut self, remote: &dyn Remote, tail: &Tail, there: End) -> Result<End, LogError> {
        let (head, end) = (end_of(&tail.head), end_of(&tail.end));
        if there == end {
            return self.settle(tail).map(|()| there);
        }
        if there.0 >= head.0
            && there.0 < end.0
            && let Some(intent) = self.lines_behind(tail, there)?
        {
            return self.settle_intent(remote, tail, there, &intent);
        }
        if tail.head_file != HeadFileState::Sound {
            if there.0 >= end.0 && hash_at(remote, end.0)? == Some(end.1) {
                return self.settle(tail).map(|()| there);
            }
            if there.0 < end.0 || tail.head_file == HeadFileState::Lost {
                return Err(rolled_back(remote, end.0));
            }
        }
        self.check_has_head(remote, there)?;
        self.withdraw()?;
        if tail.head_file != HeadFileState::Sound {
            self.publish(self.head)?;
        }
        self.recovery.cut_bytes += tail.bytes();
        Ok(there)
    }

    /// The remote ends with `there` and lacks the rest of the tail, which is sent now.
    fn settle_intent(
        &mut self,
        remote: &dyn Remote,
        tail: &Tail,
        there: End,
        intent: &[u8],
    ) -> Result<End, LogError> {
        let is_sent = match self.link.as_ref().map(|link| &link.sending) {
            Some(Sending::InTurn(_)) => true,
            Some(Sending::Drafted) => false,
            Some(Sending::Nothing) | None => return Ok(end_of(&tail.head)),
        };
        if is_sent {
            remote.append(there, end_of(&tail.end), intent)?;
        }
        self.settle(tail).map(|()| end_of(&tail.end))
    }

    /// The whole batches of the tail behind `there`; `None` if that is neither the head nor the end
    /// of one of them. If the head file is lost, a log without events is no end of anything.
    fn lines_behind(&self, tail: &Tail, there: End) -> Result<Option<Vec<u8>>, LogError> {
        let mut is_found = there == end_of(&tail.head) && tail.head_file != HeadFileState::Lost;
        let mut behind = Vec::new();
        for range in &tail.whole {
            let mut bytes = segment::read_from(self.storage, range.segment, range.bytes.start)?;
            bytes.truncate(usize::try_from(range.length()).unwrap_or(usize::MAX));
            let mut offset = 0;
            while let Some(length) = memchr::memchr(b'\n', &bytes[offset..])
                && !is_found
            {
                let line = Line::parse(&bytes[offset..offset + length]);
                is_found =
                    line.is_ok_and(|line| (line.sequence, line.hash) == there && line.more == 0);
                offset += length + 1;
            }
            if is_found {
                behind.extend_from_slice(&bytes[offset..]);
            }
        }
        Ok(is_found.then_some(behind))
    }

    /// Fetches the lines behind the head up to `there`. Each must continue the chain.
    fn fetch(&mut self, remote: &dyn Remote, there: End) -> Result<(), LogError> {
        let start = end_of(&self.head);
        if there == start {
            return Ok(());
        }
        if there.0 <= start.0 {
            return Err(rolled_back(remote, start.0));
        }
        let mut run = Run {
            end: start,
            more: None,
            lines: Vec::new(),
        };
        let read = remote.read(start.0, there.0, &mut |line| {
            run.take(remote, line)?;
            if run.is_whole() && run.lines.len() >= STORED_AT_ONCE {
                self.store(&mut run)?;
            }
            Ok(())
        });
        if let Err(error @ LogError::DamagedThere { .. }) = read {
            // The first line also fails if the remote has another event in the place of our head.
            self.check_has_head(remote, there)?;
            return Err(error);
        }
        read?;
        if !run.is_whole() || run.end != there {
            let what = "its lines do not lead to the end that it names".to_owned();
            return Err(damaged(remote, run.end.0.next(), what));
        }
        self.store(&mut run)
    }

    /// Checks that the remote has the head of the copy.
    ///
    /// # Errors
    /// [`LogError::RolledBack`]
    fn check_has_head(&self, remote: &dyn Remote, there: End) -> Result<(), LogError> {
        let head = end_of(&self.head);
        let has_head =
            there == head || there.0 > head.0 && hash_at(remote, head.0)? == Some(head.1);
        if has_head {
            Ok(())
        } else {
            Err(rolled_back(remote, head.0))
        }
    }

    /// Writes fetched lines behind the head and publishes them.
    fn store(&mut self, run: &mut Run) -> Result<(), LogError> {
        if run.lines.is_empty() {
            return Ok(());
        }
        let unpublished = self.write(run.end, &run.lines)?;
        self.publish(unpublished.head)?;
        run.lines.clear();
        Ok(())
    }

    /// Sends a batch that is durable in the copy. If the remote surely did not take it, the batch is
    /// withdrawn; if that fails, or the answer was lost, it stays as an intent.
    pub(super) fn send(&mut self, encoded: &Encoded) -> Result<(), LogError> {
        let Some(Link {
            remote,
            sending: Sending::InTurn(_),
        }) = self.link
        else {
            return Ok(());
        };
        let Err(error) = remote.append(encoded.follows, encoded.last, &encoded.lines) else {
            return Ok(());
        };
        let is_surely_not_there = matches!(
            error,
            LogError::HeadMoved { .. } | LogError::Unreachable { .. } | LogError::Refused { .. }
        );
        if is_surely_not_there {
            self.withdraw().map_err(|failed| LogError::InDoubt {
                name: remote.name(),
                what: format!("{error}, and the batch could not be withdrawn: {failed}"),
            })?;
            self.poisoned = false;
        }
        Err(error)
    }

    /// Cuts everything behind the head, durably: a batch that was refused must not be sent later.
    fn withdraw(&mut self) -> Result<(), LogError> {
        self.segment = None;
        let head = self.head;
        let segments = segment::list(self.storage)?;
        for first in segments.iter().rev().filter(|first| **first > head.segment) {
            let name = segment::file_name(*first);
            self.storage
                .remove(&name)
                .map_err(|source| io_error(self.storage, "remove", *first, source))?;
        }
        if segments.contains(&head.segment) {
            let file = segment::open(self.storage, head.segment, Access::Write)?;
            file.truncate(head.position)
                .and_then(|()| file.sync())
                .map_err(|source| io_error(self.storage, "cut", head.segment, source))?;
        }
        self.sync_directory()
    }
}

/// Fetched lines that are not stored yet.
struct Run {
    /// The last line that was checked.
    end: End,
    /// The events that its batch still lacks; `None` before the first line.
    more: Option<u64>,
    lines: Vec<u8>,
}

impl Run {
    fn take(&mut self, remote: &dyn Remote, line: &[u8]) -> Result<(), LogError> {
        let next = self.end.0.next();
        let more = self.more.filter(|more| *more > 0);
        let checked = check_line(line, next, &self.end.1, more)
            .map_err(|what| damaged(remote, next, what))?;
        self.end = (checked.sequence, checked.hash);
        self.more = Some(checked.more);
        self.lines.extend_from_slice(line);
        self.lines.push(b'\n');
        Ok(())
    }

    fn is_whole(&self) -> bool {
        self.more.is_none_or(|more| more == 0)
    }
}

fn rolled_back(remote: &dyn Remote, sequence: Sequence) -> LogError {
    LogError::RolledBack {
        name: remote.name(),
        sequence,
    }
}
