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
use crate::event_log::{FileLog, Line, LogError};
use crate::state::{Checkpoint, StateError};
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

/// The remedy for an event of a version that this program does not know.
pub const NEWER: &str = "a newer popug-cli wrote it: use that one";

impl Obstacle {
    /// The event of the line, if the consumer of `withheld` has to apply it and cannot read it.
    pub fn of_line(line: &Line<'_>, withheld: &Withheld) -> Option<Obstacle> {
        let (sequence, error) = (line.sequence, withheld.read(line).err()?);
        Some(Obstacle::Unreadable { sequence, error })
    }

    /// The event that keeps the state index from following the log; `None` for an error of another
    /// kind.
    pub fn of_index(error: StateError) -> Option<Obstacle> {
        match error {
            StateError::Contradiction {
                sequence, reason, ..
            } => Some(Obstacle::Contradiction(Stop { sequence, reason })),
            StateError::Log(
                error @ (LogError::UnknownVersion { sequence, .. }
                | LogError::Undecodable { sequence, .. }),
            ) => Some(Obstacle::Unreadable { sequence, error }),
            _ => None,
        }
    }

    /// The event, and the reason why the consumer stops there.
    pub fn stop(&self) -> Stop {
        let (sequence, reason) = match self {
            Obstacle::MissingFromTheBooks(event) => (*event, "it is set aside".to_owned()),
            Obstacle::Contradiction(stop) => return stop.clone(),
            Obstacle::Unreadable { sequence, error } => {
                let reason = match error {
                    LogError::UnknownVersion { type_name, .. } => {
                        format!("it has the type {type_name}, which this version does not know")
                    }
                    LogError::Undecodable {
                        type_name, reason, ..
                    } => format!("it has the type {type_name} and cannot be read: {reason}"),
                    other => other.to_string(),
                };
                (*sequence, reason)
            }
        };
        Stop { sequence, reason }
    }

    /// The commands that help the consumer past the obstacle.
    pub fn remedy(&self, consumer: Consumer) -> String {
        let at = self.stop().sequence;
        let aside = || {
            let command = set_aside_command(at, consumer);
            format!("`{command}` lets it continue without the event")
        };
        let is_newer = matches!(
            self,
            Obstacle::Unreadable {
                error: LogError::UnknownVersion { .. },
                ..
            }
        );
        match (self, consumer) {
            (Obstacle::MissingFromTheBooks(event), _) => ways_to_retry(*event).join("; "),
            (_, Consumer::Tracker) if is_newer => {
                format!("{NEWER}; until then no command works")
            }
            (_, Consumer::Tracker) => {
                "no command works: `popug-cli verify --deep` shows what the log contradicts; \
                 restore a backup from before it"
                    .into()
            }
            _ if is_newer => format!("{NEWER}; {}", aside()),
            _ => format!("`popug-cli dlq show {at}` shows it; {}", aside()),
        }
    }
}

/// The command that lets `consumer` continue without the event `at`.
pub fn set_aside_command(at: Sequence, consumer: Consumer) -> String {
    format!(
        "popug-cli dlq set-aside {at} --consumer {}",
        consumer.name()
    )
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
            self.obstacle = Obstacle::of_line(&line, withheld);
            if self.obstacle.is_some() {
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
fn ways_to_retry(event: Sequence) -> [String; 2] {
    [
        format!("`popug-cli dlq show {event}` shows why"),
        format!(
            "`popug-cli dlq retry {event} --consumer accounting --reason TEXT` lets the books continue"
        ),
    ]
}
