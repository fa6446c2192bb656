//! How far a consumer has come with the log, the event that stops it, and the commands that help.
//!
//! A checkpoint tells how far a consumer has read. Accounting may say less: it can have read task events whose charges
//! and credits it has not posted. `status`, the reports, `doctor` and `verify` all ask here.

use crate::consumers::accounting::{first_owed, has_entries_behind, stop};
use crate::consumers::withheld::Withheld;
use crate::domain::dead_letter::Stop;
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::event_log::{FileLog, LogError};
use crate::state::Checkpoint;
use crate::store::{Database, StoreError};

/// How far a consumer has come, as its tables tell.
#[derive(Debug)]
pub struct Standing {
    pub consumer: Consumer,
    /// The last event that it has read.
    pub checkpoint: Checkpoint,
    /// The last event up to which its tables are complete. For accounting that is an earlier one than the checkpoint
    /// while task events wait for their charges and credits.
    pub through: Sequence,
    /// Whether the tables hold some of the events behind `through`.
    has_later_entries: bool,
    pub obstacle: Option<Obstacle>,
    /// The first event that is set aside.
    set_aside: Option<Sequence>,
}

/// An event that keeps a consumer from going on.
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
    /// A consumer that has read up to `checkpoint`, and whose tables are complete up to there.
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
    ///
    /// # Errors
    /// If the tables cannot be read.
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
        // As a rule everything that was read is charged and credited, and there is nothing to look for.
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

    /// Looks for an event that the consumer cannot read among the next `events` behind its checkpoint, unless
    /// something stops it before.
    ///
    /// # Errors
    /// If the log cannot be read, or is not the one that the checkpoint was made from.
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

    /// Why the consumer does not go on from `through`, in words; `None` if nothing is known to keep it.
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

    /// The remarks about what the tables lack of a log with this head; none if they are complete.
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
                    "{name} stops at event {sequence}: `popug-cli dlq show {sequence}` tells why"
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
                "without event {event}, which is set aside, and what waits for it: `popug-cli dlq show {event}`"
            ));
        }
        gaps
    }
}

/// The commands that explain and end the absence of `event` from the books.
pub fn ways_to_retry(event: Sequence) -> [String; 2] {
    [
        format!("`popug-cli dlq show {event}` tells why"),
        format!(
            "`popug-cli dlq retry {event} --consumer accounting --reason TEXT` lets the books go on"
        ),
    ]
}
