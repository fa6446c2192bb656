//! The state index as a consumer.

use crate::consumers::{ConsumeError, Consumed, Surroundings};
use crate::domain::event::Consumer;
use crate::state::{Opened, StateError, StateIndex};

/// An error that a SQLite file may be behind that was damaged, or replaced meanwhile, or is not what the log gives.
pub trait MayBeDamage: From<ConsumeError> {
    /// What is known of the damage.
    fn damage(&self) -> Option<&StateError>;
}

impl MayBeDamage for ConsumeError {
    fn damage(&self) -> Option<&StateError> {
        match self {
            ConsumeError::State(error) if error.may_be_damage() => Some(error),
            _ => None,
        }
    }
}

/// Opens the state index, telling if it had to be replaced.
pub fn open_index(around: &Surroundings<'_>) -> Result<StateIndex, ConsumeError> {
    let (index, opened) = StateIndex::open(&around.directory.state_index(), around.lock_wait)?;
    match opened {
        Opened::MovedAside(aside) => around.notices.warn(&format!(
            "the state index was damaged; it is kept as {} and rebuilt from the log",
            aside.display()
        )),
        Opened::InMemory(obstacle) => {
            let index = around.directory.state_index();
            around.notices.warn(&format!(
                "the disk of {} {obstacle}; the log is read into memory instead",
                index.display()
            ));
        }
        Opened::AsItWas | Opened::Anew => {}
    }
    if around.log.has_drafted() {
        index.never_commit()?;
    }
    Ok(index)
}

/// Brings the index to the head, whatever state its file is in.
///
/// # Errors
/// If the log cannot be followed.
pub fn catch_up(around: &Surroundings<'_>, index: &StateIndex) -> Result<(), ConsumeError> {
    on_sound_index(around, index, || {
        Ok(index.catch_up(around.log).map(drop)?)
    })
}

/// Runs `work`, which stores nothing, on an index that is at the head. Should the file turn out to be damaged
/// or replaced meanwhile, one made anew takes its place, and `work` begins again; so it does if the rows contradict
/// the log and the log does not contradict itself.
///
/// # Errors
/// What `work` returns.
pub fn on_sound_index<T, E: MayBeDamage>(
    around: &Surroundings<'_>,
    index: &StateIndex,
    work: impl Fn() -> Result<T, E>,
) -> Result<T, E> {
    let begun = work();
    match begun.as_ref().err().and_then(MayBeDamage::damage) {
        Some(damage) if go_on_anew(around, index, damage)? => work(),
        _ => begun,
    }
}

/// False if that was tried before, or is of no use.
fn go_on_anew(
    around: &Surroundings<'_>,
    index: &StateIndex,
    damage: &StateError,
) -> Result<bool, ConsumeError> {
    if let StateError::Contradiction { .. } = damage {
        return fill_anew(around, index);
    }
    if !index.go_on_anew(around.lock_wait)? {
        return Ok(false);
    }
    // Whoever replaced it has said so.
    if let StateError::Damaged { .. } = damage {
        around
            .notices
            .warn(&format!("{damage} and rebuilt from the log"));
    }
    index.catch_up(around.log)?;
    Ok(true)
}

/// False if the log itself is what cannot be followed.
fn fill_anew(around: &Surroundings<'_>, index: &StateIndex) -> Result<bool, ConsumeError> {
    match index.fill_anew(around.log) {
        Ok(_) => {
            around
                .notices
                .warn("the state index was not what the log gives; it was made anew");
            Ok(true)
        }
        Err(StateError::Contradiction { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Brings the state index to the head; from sequence 1 if `rebuild`.
pub fn consume(around: &Surroundings<'_>, rebuild: bool) -> Result<Consumed, ConsumeError> {
    let index = open_index(around)?;
    on_sound_index(around, &index, || follow(around, &index, rebuild))
}

fn follow(
    around: &Surroundings<'_>,
    index: &StateIndex,
    rebuild: bool,
) -> Result<Consumed, ConsumeError> {
    if rebuild {
        // What is cleared in a damaged file may stay damaged.
        index.check_integrity()?;
    }
    index.begin()?;
    if rebuild {
        index.clear()?;
    }
    let from = index.checkpoint()?.sequence;
    let applied = match index.follow(around.log) {
        Ok(applied) => applied,
        Err(error) => {
            let _ = index.rollback();
            return Err(error.into());
        }
    };
    let to = index.checkpoint()?.sequence;
    index.commit()?;
    Ok(Consumed {
        consumer: Consumer::Tracker,
        from,
        to,
        applied,
        appended: 0,
    })
}
