//! The state index as a consumer.

use crate::consumers::{ConsumeError, Consumed, Surroundings};
use crate::domain::event::Consumer;
use crate::state::{Opened, StateIndex};

/// Opens the state index, telling if it had to be replaced.
pub fn open_index(around: &Surroundings<'_>) -> Result<StateIndex, ConsumeError> {
    let (index, opened) = StateIndex::open(&around.directory.state_index(), around.lock_wait)?;
    match opened {
        Opened::MovedAside(aside) => around
            .notices
            .warn(&format!("the state index was damaged; it is kept as {} and rebuilt from the log", aside.display())),
        Opened::InMemory => {
            let index = around.directory.state_index();
            around
                .notices
                .warn(&format!("the disk of {} is full; the log is read into memory instead", index.display()));
        }
        Opened::AsItWas | Opened::Anew => {}
    }
    if around.log.has_drafted() {
        index.never_commit()?;
    }
    Ok(index)
}

/// Brings the state index to the head; from sequence 1 if `rebuild`.
pub fn consume(around: &Surroundings<'_>, rebuild: bool) -> Result<Consumed, ConsumeError> {
    let index = open_index(around)?;
    index.begin()?;
    if rebuild {
        index.clear()?;
    }
    let from = index.checkpoint()?.sequence;
    let applied = match index.follow(around.log) {
        Ok(applied) => applied,
        Err(error) => {
            index.rollback()?;
            return Err(error.into());
        }
    };
    let to = index.checkpoint()?.sequence;
    index.commit()?;
    Ok(Consumed { consumer: Consumer::Tracker, from, to, applied, appended: 0 })
}
