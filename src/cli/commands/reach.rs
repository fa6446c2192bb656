//! How far the tables behind a report say all that the log says, and what lets them say the rest.

use crate::cli::commands::report::withheld;
use crate::cli::failure::Failure;
use crate::cli::invocation::Desk;
use crate::cli::reporter::Reporter;
use crate::consumers::accounting::{has_entries_behind, settled_through, stop};
use crate::domain::event::Consumer;
use crate::domain::id::Sequence;
use crate::store::Database;

/// How far the tables of one consumer come.
pub struct Reach {
    consumer: Consumer,
    /// The last event that they say all of.
    pub through: Sequence,
    /// Whether they say some of what comes later.
    goes_on: bool,
    obstacle: Option<Obstacle>,
    /// The first event that is set aside.
    set_aside: Option<Sequence>,
}

/// What accounting does not get past.
enum Obstacle {
    /// An event of the books, which is set aside.
    OfTheBooks(Sequence),
    /// One that it cannot apply.
    Stop(Sequence),
}

impl Reach {
    /// # Errors
    /// If tables, index or log cannot be read.
    pub fn of(desk: &Desk<'_>, consumer: Consumer, database: &Database) -> Result<Reach, Failure> {
        let withheld = withheld(desk, consumer)?;
        let set_aside = withheld.first_set_aside();
        if consumer != Consumer::Accounting {
            let through = database.checkpoint()?.sequence;
            return Ok(Reach {
                consumer,
                through,
                goes_on: false,
                obstacle: None,
                set_aside,
            });
        }
        let through = settled_through(database, &withheld)?;
        // As a rule all that was read is settled, and there is nothing to look for.
        let is_behind = through < database.checkpoint()?.sequence;
        let goes_on = is_behind && has_entries_behind(database, through)?;
        let obstacle = match withheld.missing_from_the_books() {
            Some(event) => Some(Obstacle::OfTheBooks(event)),
            None if is_behind => {
                stop(database, &withheld)?.map(|stop| Obstacle::Stop(stop.sequence))
            }
            None => None,
        };
        Ok(Reach {
            consumer,
            through,
            goes_on,
            obstacle,
            set_aside,
        })
    }

    /// Says what a report lacks that ends before `head` or leaves events out.
    pub fn tell(&self, reporter: &Reporter, head: Sequence) {
        let (through, name) = (self.through, self.consumer.name());
        if through < head {
            let partly = if self.goes_on {
                " and some of what came later"
            } else {
                ""
            };
            let remedy = match self.obstacle {
                Some(Obstacle::OfTheBooks(event)) => format!(
                    "event {event} of the books is set aside: `popug-cli dlq show {event}` tells why, and \
                     `popug-cli dlq retry {event} --consumer accounting --reason TEXT` lets the books go on"
                ),
                Some(Obstacle::Stop(event)) => {
                    format!("{name} stops at event {event}: `popug-cli dlq show {event}` tells why")
                }
                None => format!("`popug-cli consume {name}` catches up"),
            };
            reporter.remark(&format!(
                "as of event {through} of {head}{partly}; {remedy}"
            ));
        }
        let untold = |event: &Sequence| !matches!(self.obstacle, Some(Obstacle::OfTheBooks(told)) if told == *event);
        if let Some(event) = self.set_aside.filter(untold) {
            reporter.remark(&format!(
                "without event {event}, which is set aside, and what waits for it: `popug-cli dlq show {event}`"
            ));
        }
    }
}
