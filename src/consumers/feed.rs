//! Reading, checking and decoding on one thread while tables are filled on another.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::domain::event::EventKind;
use crate::domain::id::Sequence;
use crate::event_log::{FileLog, LineKind, LogError, Reader};
use crate::state::{Checkpoint, Recorded};

const CHUNK_EVENTS: u64 = 4096;
const CHUNKS_AHEAD: usize = 4;

/// A run of consecutive lines, of which the wanted ones are decoded.
pub struct Chunk {
    pub events: Vec<Recorded<'static>>,
    /// The last line of the run, wanted or not.
    pub through: Checkpoint,
    pub lines: u64,
}

/// Hands every chunk after `after` to `sink`, up to the head or to `last`, until `sink` returns
/// false. Returns false if it was stopped so.
///
/// # Errors
/// Damage, an event that cannot be decoded, or what `sink` returns.
pub fn feed<E: From<LogError>>(
    log: &FileLog,
    after: &Checkpoint,
    last: Option<Sequence>,
    wanted: impl Fn(EventKind) -> bool + Send,
    mut sink: impl FnMut(Chunk) -> Result<bool, E>,
) -> Result<bool, E> {
    let mut reader = log.read_after(after.sequence, &after.hash)?;
    let last = last.unwrap_or(reader.head().sequence);
    std::thread::scope(|scope| {
        let (sender, chunks) = sync_channel(CHUNKS_AHEAD);
        scope.spawn(move || produce(&mut reader, last, wanted, &sender));
        drain(chunks, &mut sink)
    })
}

fn drain<E: From<LogError>>(
    chunks: Receiver<Result<Chunk, LogError>>,
    sink: &mut impl FnMut(Chunk) -> Result<bool, E>,
) -> Result<bool, E> {
    for chunk in chunks {
        if !sink(chunk?)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Ends at `last`, at an error, or when nobody listens any more.
fn produce(
    reader: &mut Reader<'_>,
    last: Sequence,
    wanted: impl Fn(EventKind) -> bool,
    sender: &SyncSender<Result<Chunk, LogError>>,
) {
    loop {
        let chunk = next_chunk(reader, last, &wanted);
        let is_end = !matches!(&chunk, Ok(Some(chunk)) if chunk.through.sequence < last);
        let Some(chunk) = chunk.transpose() else { return };
        if sender.send(chunk).is_err() || is_end {
            return;
        }
    }
}

fn next_chunk(
    reader: &mut Reader<'_>,
    last: Sequence,
    wanted: &impl Fn(EventKind) -> bool,
) -> Result<Option<Chunk>, LogError> {
    let mut events = Vec::new();
    let mut through = None;
    let mut lines = 0;
    while lines < CHUNK_EVENTS && through.is_none_or(|through: Checkpoint| through.sequence < last) {
        let Some(line) = reader.next_line()? else { break };
        if line.sequence > last {
            break;
        }
        match line.kind() {
            LineKind::Known(kind) if wanted(kind) => match Recorded::from_line(&line) {
                Ok(event) => events.push(event),
                // What stands before a bad event is applied; the next run stops right at it.
                Err(_) if through.is_some() => break,
                Err(error) => return Err(error),
            },
            LineKind::UnknownVersion(kind) if wanted(kind) => match line.event() {
                Err(error) if through.is_none() => return Err(error),
                _ => break,
            },
            _ => {}
        }
        through = Some(Checkpoint { sequence: line.sequence, hash: line.hash });
        lines += 1;
    }
    Ok(through.map(|through| Chunk { events, through, lines }))
}
