//! The state index as a consumer.

use crate::consumers::{ConsumeError, Consumed, Surroundings, tell_opened};
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::state::{Check, StateIndex};

/// Opens the state index, telling if it had to be replaced. Its contents may lag behind.
///
/// # Errors
/// If it can be neither opened nor replaced.
pub fn open_index(around: &Surroundings<'_>) -> Result<StateIndex, ConsumeError> {
    open(around, Check::Headers)
}

fn open(around: &Surroundings<'_>, check: Check) -> Result<StateIndex, ConsumeError> {
    let path = around.directory.state_index();
    let (index, opened) = StateIndex::open(&path, check, around.lock_wait)?;
    tell_opened(around, "the state index", &path, opened);
    if around.log.has_drafted() {
        index.never_commit()?;
    }
    Ok(index)
}

/// Opens the state index and brings it to the head. On a disk that takes no more, one in memory takes its place.
///
/// # Errors
/// If the file cannot be read or the log cannot be followed.
pub fn index_at_head(around: &Surroundings<'_>) -> Result<StateIndex, ConsumeError> {
    let index = open_index(around)?;
    match catch_up(around, &index) {
        Err(ConsumeError::State(error)) if error.obstacle().is_some() => {
            let index = StateIndex::in_memory()?;
            catch_up(around, &index)?;
            Ok(index)
        }
        done => done.map(|_| index),
    }
}

/// Brings the index to the head, telling if its rows had to be made anew. Returns the number of events it read.
///
/// # Errors
/// If the file cannot be read or the log cannot be followed.
pub fn catch_up(around: &Surroundings<'_>, index: &StateIndex) -> Result<u64, ConsumeError> {
    let followed = index.catch_up(around.log)?;
    if followed.anew {
        around
            .notices
            .warn("the state index was not what the log gives; it was made anew");
    }
    Ok(followed.events)
}

/// Brings the state index to the head; from sequence 1 if `rebuild`.
///
/// # Errors
/// If the log cannot be followed; the index stays as it was.
pub fn consume(around: &Surroundings<'_>, rebuild: bool) -> Result<Consumed, ConsumeError> {
    // Pages that are cleared in a damaged file may stay damaged.
    let index = open(around, if rebuild { Check::All } else { Check::Headers })?;
    let applied = if rebuild {
        index.fill_anew(around.log)?
    } else {
        catch_up(around, &index)?
    };
    let to = index.checkpoint()?.sequence;
    Ok(Consumed {
        consumer: Consumer::Tracker,
        from: Sequence(to.0.saturating_sub(applied)),
        to,
        applied,
        appended: 0,
    })
}
