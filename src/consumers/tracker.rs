//! The state index as a consumer.

use crate::consumers::{ConsumeError, Consumed};
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::state::Check;
use crate::turn::Surroundings;
use crate::turn::index::{catch_up, open_index};

/// Brings the state index to the head; from sequence 1 if `rebuild`.
///
/// # Errors
/// If the log cannot be followed; the index stays as it was.
pub fn consume(around: &Surroundings<'_>, rebuild: bool) -> Result<Consumed, ConsumeError> {
    // Cleared pages of a damaged file may stay damaged.
    let check = if rebuild { Check::All } else { Check::Headers };
    let index = open_index(around, check)?;
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
