//! Finds the event that makes a row too late, and the way around it.
//!
//! Event times never decrease. A row of history that is not in the log yet can no longer be
//! appended once a later event is there: a pay mail, an entry, or a command of today.

use crate::app::AppError;
use crate::domain::event::Actor;
use crate::domain::id::Sequence;
use crate::domain::time::EventTime;
use crate::event_log::FileLog;
use crate::state::StateIndex;

/// The first event that is later than a row.
struct Obstacle {
    /// Whether the way around it was explained.
    is_told: bool,
    /// The earliest time of rows that it prevents.
    from: EventTime,
    at: EventTime,
    sequence: Sequence,
    /// `57 (mail.sent.v1 of 2026-11-22T10:00:00.000000Z by system/notifier)`
    shown: String,
}

pub(super) struct Obstacles<'a> {
    log: &'a FileLog,
    index: &'a StateIndex,
    /// The last one that was found, because it prevents many rows.
    found: Option<Obstacle>,
}

impl<'a> Obstacles<'a> {
    pub(super) fn new(log: &'a FileLog, index: &'a StateIndex) -> Obstacles<'a> {
        Obstacles {
            log,
            index,
            found: None,
        }
    }

    /// Why a row with the time `at`, before the log's last event, cannot be appended. The first of
    /// the rows that an obstacle prevents explains the way around it.
    ///
    /// # Errors
    /// If the log or the index cannot be read.
    pub(super) fn reason(&mut self, at: EventTime) -> Result<String, AppError> {
        let is_in_the_way = |obstacle: &Obstacle| obstacle.from <= at && at < obstacle.at;
        let mut obstacle = match self.found.take().filter(is_in_the_way) {
            Some(obstacle) => obstacle,
            None => self.find(at)?,
        };
        let is_founding = obstacle.sequence == Sequence::FIRST;
        let reason = match (is_founding, obstacle.is_told) {
            (true, _) => {
                let founded = obstacle.at;
                format!("{at} is earlier than the founding of the company ({founded})")
            }
            (false, false) => format!("{at} is earlier than event {}", obstacle.shown),
            (false, true) => format!("{at} is earlier than event {}", obstacle.sequence),
        };
        let way = match (is_founding, obstacle.is_told) {
            (_, true) => String::new(),
            (true, false) => "; `init --founded-at` founds one earlier".to_owned(),
            (false, false) => self.way_around(obstacle.sequence)?,
        };
        obstacle.is_told = true;
        self.found = Some(obstacle);
        Ok(reason + &way)
    }

    fn way_around(&self, obstacle: Sequence) -> Result<String, AppError> {
        let (before, last) = (obstacle.0 - 1, self.log.head()?.sequence);
        Ok(format!(
            "; the rows go into a store that ends before it: `popug-cli backup DIR`, then `popug-cli -C NEW-DIR \
             restore DIR --to-sequence {before}`; events {obstacle} to {last} are lost there: `consume` makes \
             entries and mails anew, commands have to be repeated"
        ))
    }

    /// Finds the first event later than `at` by binary search. All events of a batch have one time,
    /// so it is the first of its batch.
    fn find(&self, at: EventTime) -> Result<Obstacle, AppError> {
        let (mut low, mut high) = (Sequence::FIRST, self.log.head()?.sequence);
        while low < high {
            let middle = Sequence(low.0 + (high.0 - low.0) / 2);
            if self.time_of(middle)? > at {
                high = middle
            } else {
                low = middle.next()
            }
        }
        let line = self.log.line(low)?;
        let line = line.line();
        let by = match line.acting()? {
            Actor::User(id) => self
                .index
                .user(id)?
                .map_or_else(|| id.to_string(), |user| user.login),
            system @ Actor::System(_) => system.to_string(),
        };
        let before = Sequence(low.0 - 1);
        let from = if before == Sequence::ZERO {
            at
        } else {
            self.time_of(before)?
        };
        let shown = format!(
            "{low} ({} of {} by {by})",
            line.type_name,
            line.event_time()?
        );
        Ok(Obstacle {
            is_told: false,
            from,
            at: line.event_time()?,
            sequence: low,
            shown,
        })
    }

    fn time_of(&self, sequence: Sequence) -> Result<EventTime, AppError> {
        Ok(self.log.line(sequence)?.line().event_time()?)
    }
}
