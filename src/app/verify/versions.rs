//! Events of known types in versions that this program does not know.
//!
//! No consumer here reads an unknown type. A known type in an unknown version stops every consumer
//! that subscribes to it, unless the event, or an earlier one for which it waits, was set aside for
//! that consumer.

use crate::app::verify::Findings;
use crate::app::{App, AppError};
use crate::consumers::ConsumeError;
use crate::consumers::standing::Obstacle;
use crate::consumers::withheld::Withheld;
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::event_log::LogError;
use crate::state::Resolution;

/// Further events are only counted.
const STOPS_MAX: u64 = 1_000;

impl App<'_> {
    /// The first event that stops a consumer.
    pub(super) fn check_versions(
        &self,
        unknown: &[Sequence],
        decisions: &[Resolution],
        findings: &mut Findings,
    ) -> Result<Option<Sequence>, AppError> {
        if unknown.is_empty() {
            return Ok(None);
        }
        let withheld = Consumer::ALL.map(|consumer| self.left_out(consumer, decisions));
        let withheld = withheld.into_iter().collect::<Result<Vec<_>, _>>()?;
        let (mut first, mut count) = (None, 0);
        for at in unknown {
            let line = match self.log.line(*at) {
                Err(LogError::Damaged { .. }) => continue,
                line => line?,
            };
            let stops = |withheld: &&Withheld| Obstacle::of_line(&line.line(), withheld).is_some();
            let stopped: Vec<Consumer> = withheld
                .iter()
                .filter(stops)
                .map(Withheld::consumer)
                .collect();
            if stopped.is_empty() {
                continue;
            }
            first = first.or(Some(*at));
            count += 1;
            if count <= STOPS_MAX {
                findings.unknown_version(*at, line.line().type_name, &stopped);
            }
        }
        if count > STOPS_MAX {
            findings.notes.push(format!(
                "{} further events of unknown versions are not listed",
                count - STOPS_MAX
            ));
        }
        Ok(first)
    }

    /// The state index leaves no event out.
    fn left_out(&self, consumer: Consumer, decisions: &[Resolution]) -> Result<Withheld, AppError> {
        match Withheld::of(&self.log, consumer, decisions) {
            _ if consumer == Consumer::Tracker => Ok(Withheld::nothing(consumer)),
            // The event of a decision is damaged, which was already reported.
            Err(ConsumeError::Log(LogError::Damaged { .. })) => Ok(Withheld::nothing(consumer)),
            withheld => Ok(withheld?),
        }
    }
}
