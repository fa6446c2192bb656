//! The progress of a consumer, the event that stops it, and the commands that help.
//!
//! A checkpoint is the last event that a consumer has read. Accounting can have read task events
//! whose charges and credits are not posted yet. `status`, the reports, `doctor` and `verify` use
//! this module.

use crate::consumers::accounting::{first_owed, has_entries_behind, stop};
use crate::consumers::withheld::Withheld;
use crate::domain::dead_letter::Stop;
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::event_log::{FileLog, LogError};
use crate::state::Checkpoint;
use crate::store::{Database, StoreError};

/// The progress of a consumer according to its tables.
#[derive(Debug)]
pub struct Standing {
    pub consumer: Consumer,
    /// The last event that it has read.
    pub checkpoint: Checkpoint,
    /// The last event up to which its tables are complete. For accounting it is before the
    /// checkpoint while task events wait for their charges and credits.
    pub through: Sequence,
    /// Whether the tables hold some of the events after `through`.
    has_later_entries: bool,
    pub obstacle: Option<Obstacle>,
    /// The first event that is set aside.
    set_aside: Option<Sequence>,
}

/// An event that stops a consumer.
#[derive(Debug)]
pub enum Obstacle {
    /// An event of the books is set aside: nothing is charged, credited or paid.
    MissingFromTheBooks(Sequence),
    /// An event that can be read and contradicts the tables.
    Contradiction(Stop),
    /// An event that cannot be read.
    Unreadable { sequence: Sequence, error: LogError },
}

impl Standing {
    /// A consumer that has read up to `checkpoint` and whose tables are complete up to it.
    pub fn at(consumer: Consumer, checkpoint: Checkpoint) -> Standing {
        Standing {
            consumer,
            through: checkpoint.sequence,
            checkpoint,
            has_later_entries: false,
            obstacle: None,
            set_aside: None,
        }
    }

    /// The consumer of the tables in `database`, which leaves out `withheld`.
    pub fn of_tables(database: &Database, withheld: &Withheld) -> Result<Standing, StoreError> {
        let consumer = withheld.consumer();
        let read = Standing {
            set_aside: withheld.first_set_aside(),
            ..Standing::at(consumer, database.checkpoint()?)
        };
        if consumer != Consumer::Accounting {
            return Ok(read);
        }
        let missing = withheld.missing_from_the_books();
        // Usually every event that was read is charged and credited, and no query is needed.
        let Some(owed) = first_owed(database, withheld)? else {
            return Ok(read);
        };
        let through = Sequence(owed.0.saturating_sub(1)).min(read.through);
        let is_behind = through < read.through;
        let obstacle = match missing {
            Some(event) => Some(Obstacle::MissingFromTheBooks(event)),
            None if is_behind => stop(database, withheld)?.map(Obstacle::Contradiction),
            None => None,
        };
        Ok(Standing {
            through,
            has_later_entries: is_behind && has_entries_behind(database, through)?,
            obstacle,
            ..read
        })
    }

    /// The same, stopped by `obstacle` if there is one.
    #[must_use]
    pub fn stopped_by(self, obstacle: Option<Obstacle>) -> Standing {
        Standing {
            obstacle: obstacle.or(self.obstacle),
            ..self
        }
    }

    /// Looks for an unreadable event among the next `events` after the checkpoint, unless the
    /// consumer stops before.
    ///
    /// # Errors
    /// If the log cannot be read, or the checkpoint was made from another log.
    pub fn look_ahead(
        &mut self,
        log: &FileLog,
        withheld: &Withheld,
        events: usize,
    ) -> Result<(), LogError> {
        if self.obstacle.is_some() {
            return Ok(());
        }
        let mut reader = log.read_after(self.checkpoint.sequence, &self.checkpoint.hash)?;
        for _ in 0..events {
            let Some(line) = reader.next_line()? else {
                break;
            };
            if let Err(error) = withheld.read(&line) {
                self.obstacle = Some(Obstacle::Unreadable {
                    sequence: line.sequence,
                    error,
                });
                break;
            }
        }
        Ok(())
    }

    /// Why the consumer stays at `through`, in words; `None` if no obstacle is known.
    pub fn reason(&self) -> Option<String> {
        match &self.obstacle {
            Some(Obstacle::MissingFromTheBooks(event)) => Some(format!(
                "nothing is charged, credited or paid until event {event} of the books is retried"
            )),
            Some(Obstacle::Contradiction(Stop { sequence, reason })) => Some(format!(
                "{} stops at event {sequence}: {reason}",
                self.consumer.name()
            )),
            Some(Obstacle::Unreadable { error, .. }) => Some(error.to_string()),
            None if self.through < self.checkpoint.sequence => Some(format!(
                "event {} is neither charged nor credited yet",
                self.through.next()
            )),
            None => None,
        }
    }

    /// Notes about the events that the tables lack of a log with this head; none if they are
    /// complete.
    pub fn gaps(&self, head: Sequence) -> Vec<String> {
        let (through, name) = (self.through, self.consumer.name());
        let mut gaps = Vec::new();
        if through < head {
            let partly = if self.has_later_entries {
                " and some of what came later"
            } else {
                ""
            };
            let remedy = match &self.obstacle {
                Some(Obstacle::MissingFromTheBooks(event)) => {
                    let [tells, lets] = ways_to_retry(*event);
                    format!("event {event} of the books is set aside: {tells}, and {lets}")
                }
                Some(Obstacle::Contradiction(Stop { sequence, .. })) => format!(
                    "{name} stops at event {sequence}: `popug-cli dlq show {sequence}` shows why"
                ),
                Some(Obstacle::Unreadable { .. }) | None => {
                    format!("`popug-cli consume {name}` catches up")
                }
            };
            gaps.push(format!("as of event {through} of {head}{partly}; {remedy}"));
        }
        let is_named = |event: Sequence| matches!(self.obstacle, Some(Obstacle::MissingFromTheBooks(named)) if named == event);
        if let Some(event) = self.set_aside.filter(|event| !is_named(*event)) {
            gaps.push(format!(
                "without event {event}, which is set aside, and the events that wait for it: `popug-cli dlq show {event}`"
            ));
        }
        gaps
    }
}

/// The commands that explain and end the absence of `event` from the books.
pub fn ways_to_retry(event: Sequence) -> [String; 2] {
    [
        format!("`popug-cli dlq show {event}` shows why"),
        format!(
            "`popug-cli dlq retry {event} --consumer accounting --reason TEXT` lets the books continue"
        ),
    ]
}
