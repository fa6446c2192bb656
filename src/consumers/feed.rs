//! Reads, checks and decodes lines on one thread while another one fills tables.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use crate::consumers::ConsumeError;
use crate::consumers::withheld::Withheld;
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::event_log::{FileLog, Line, LogError, Reader};
use crate::state::{Checkpoint, Recorded};
use crate::turn::Surroundings;

const CHUNK_EVENTS: u64 = 4096;
const CHUNKS_AHEAD: usize = 4;

/// Consecutive lines; those that the consumer reads are decoded.
pub struct Chunk<T = Recorded<'static>> {
    pub events: Vec<T>,
    /// The last line of the chunk, decoded or not.
    pub through: Checkpoint,
    pub lines: u64,
}

/// Passes every chunk after `after` to `sink`, up to the head or to `last`, until `sink` returns
/// false. `read` decodes the lines that the consumer reads. Returns false if `sink` did.
///
/// # Errors
/// Damage, an event that cannot be decoded, or the error of `sink`.
pub fn feed<T: Send, E: From<LogError>>(
    log: &FileLog,
    after: &Checkpoint,
    last: Option<Sequence>,
    read: impl Fn(&Line<'_>) -> Result<Option<T>, LogError> + Send,
    mut sink: impl FnMut(Chunk<T>) -> Result<bool, E>,
) -> Result<bool, E> {
    let mut reader = log.read_after(after.sequence, &after.hash)?;
    let last = last.unwrap_or(reader.head().sequence);
    std::thread::scope(|scope| {
        let (sender, chunks) = sync_channel(CHUNKS_AHEAD);
        scope.spawn(move || produce(&mut reader, last, read, &sender));
        drain(chunks, &mut sink)
    })
}

/// Checks that the checkpoint belongs to this log.
///
/// # Errors
/// [`ConsumeError::ForeignTables`] if it is not on this log's chain.
pub fn check_on_chain(
    around: &Surroundings<'_>,
    consumer: Consumer,
    checkpoint: &Checkpoint,
) -> Result<(), ConsumeError> {
    if checkpoint.is_of(around.log)? {
        return Ok(());
    }
    Err(ConsumeError::ForeignTables {
        consumer,
        checkpoint: checkpoint.sequence,
    })
}

/// Passes the events that are not withheld to `project`, up to the head or to `last`, or until
/// `deadline` has passed at an event where a checkpoint may rest. False if time ended it.
///
/// # Errors
/// Damage, an event that cannot be decoded, or the error of `project`.
pub fn follow(
    around: &Surroundings<'_>,
    withheld: &Withheld,
    after: &Checkpoint,
    last: Option<Sequence>,
    deadline: Option<Instant>,
    mut project: impl FnMut(&Chunk) -> Result<(), ConsumeError>,
) -> Result<bool, ConsumeError> {
    let total = around.log.head()?.sequence;
    let read = |line: &Line<'_>| withheld.read(line);
    feed(around.log, after, last, read, |chunk: Chunk| {
        project(&chunk)?;
        around
            .notices
            .advanced(withheld.consumer(), chunk.through.sequence, total);
        let is_late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        Ok(!(is_late && withheld.may_rest_at(chunk.through.sequence)))
    })
}

fn drain<T, E: From<LogError>>(
    chunks: Receiver<Result<Chunk<T>, LogError>>,
    sink: &mut impl FnMut(Chunk<T>) -> Result<bool, E>,
) -> Result<bool, E> {
    for chunk in chunks {
        if !sink(chunk?)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Ends at `last`, at an error, or when the receiver is gone. The events before an unreadable one
/// are passed on, then the error; the reader is past that event and must not continue.
fn produce<T>(
    reader: &mut Reader<'_>,
    last: Sequence,
    read: impl Fn(&Line<'_>) -> Result<Option<T>, LogError>,
    sender: &SyncSender<Result<Chunk<T>, LogError>>,
) {
    loop {
        let (chunk, error) = next_chunk(reader, last, &read);
        let is_end = chunk
            .as_ref()
            .is_none_or(|chunk| chunk.through.sequence >= last)
            || error.is_some();
        for part in chunk.map(Ok).into_iter().chain(error.map(Err)) {
            if sender.send(part).is_err() {
                return;
            }
        }
        if is_end {
            return;
        }
    }
}

/// The next lines, and the error right after them, if any.
fn next_chunk<T>(
    reader: &mut Reader<'_>,
    last: Sequence,
    read: &impl Fn(&Line<'_>) -> Result<Option<T>, LogError>,
) -> (Option<Chunk<T>>, Option<LogError>) {
    let mut events = Vec::new();
    let mut through = None;
    let mut lines = 0;
    let mut error = None;
    while lines < CHUNK_EVENTS && through.is_none_or(|through: Checkpoint| through.sequence < last)
    {
        match next_event(reader, last, read) {
            Ok(None) => break,
            Ok(Some((event, at))) => {
                events.extend(event);
                through = Some(at);
                lines += 1;
            }
            Err(what) => {
                error = Some(what);
                break;
            }
        }
    }
    (
        through.map(|through| Chunk {
            events,
            through,
            lines,
        }),
        error,
    )
}

/// The next line up to `last`, decoded if the consumer reads it.
fn next_event<T>(
    reader: &mut Reader<'_>,
    last: Sequence,
    read: &impl Fn(&Line<'_>) -> Result<Option<T>, LogError>,
) -> Result<Option<(Option<T>, Checkpoint)>, LogError> {
    let Some(line) = reader.next_line()?.filter(|line| line.sequence <= last) else {
        return Ok(None);
    };
    let event = read(&line)?;
    Ok(Some((
        event,
        Checkpoint {
            sequence: line.sequence,
            hash: line.hash,
        },
    )))
}
