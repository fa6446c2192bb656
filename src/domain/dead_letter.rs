//! Dead letters: events that a consumer cannot apply, and the decisions of operators about them.
//!
//! A dead letter is a pointer to an event of the log, never a copy. An event that is set aside
//! waits, and later events of the same task or user wait with it. A retried event is applied in its
//! own place. A skipped event is left out for ever, and no event waits for it any more. The last
//! decision holds.
//!
//! Invariant: no event of the books is skipped, so that every cent stays where it was posted.

use crate::domain::event::{Consumer, Event, EventRetried, EventSetAside, EventSkipped};
use crate::domain::id::{EventId, Sequence, UserId};
use crate::domain::rejection::Rejection;
use crate::domain::role::Right;
use crate::domain::text;
use crate::domain::user::User;

/// The last decision about an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LetterState {
    SetAside,
    Retried,
    Skipped,
}

impl LetterState {
    pub const fn name(self) -> &'static str {
        match self {
            LetterState::SetAside => "set_aside",
            LetterState::Retried => "retried",
            LetterState::Skipped => "skipped",
        }
    }

    pub fn named(name: &str) -> Option<LetterState> {
        [
            LetterState::SetAside,
            LetterState::Retried,
            LetterState::Skipped,
        ]
        .into_iter()
        .find(|state| state.name() == name)
    }
}

/// The event, with the facts of its envelope and the decisions before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    pub consumer: Consumer,
    pub sequence: Sequence,
    pub id: EventId,
    /// Whether accounting appended it.
    pub is_of_the_books: bool,
    /// The users whose accounts it touches.
    pub touches: Vec<UserId>,
    /// `None` without a decision.
    pub state: Option<LetterState>,
}

/// The event at which a consumer stops, and the reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stop {
    pub sequence: Sequence,
    pub reason: String,
}

impl Target {
    /// Sets the event aside. `stop` is the event at which the consumer stops now; its reason is used if
    /// the operator gives none.
    ///
    /// # Errors
    /// [`Rejection::RoleMayNot`], [`Rejection::OwnAccount`], [`Rejection::NotStopped`], a bad reason
    pub fn set_aside(
        &self,
        actor: &User,
        stop: Option<&Stop>,
        reason: Option<&str>,
    ) -> Result<Vec<Event>, Rejection> {
        self.check_actor(actor, Right::DeadLetters)?;
        let Some(stop) = stop.filter(|stop| stop.sequence == self.sequence) else {
            let at = stop.map(|stop| stop.sequence);
            return Err(Rejection::NotStopped {
                consumer: self.consumer,
                sequence: self.sequence,
                at,
            });
        };
        let reason = match reason {
            Some(given) => text::check_reason(given)?,
            None => text::as_reason(&stop.reason),
        };
        let (consumer, target_sequence, target_id) = (self.consumer, self.sequence, self.id);
        Ok(vec![
            EventSetAside {
                consumer,
                target_sequence,
                target_id,
                reason,
            }
            .into(),
        ])
    }

    /// Lets the consumer apply the event. `unreadable` is the reason why it still cannot be read.
    ///
    /// # Errors
    /// [`Rejection::RoleMayNot`], [`Rejection::NotSetAside`], [`Rejection::StillUnreadable`], a bad reason
    pub fn retry(
        &self,
        actor: &User,
        unreadable: Option<String>,
        reason: &str,
    ) -> Result<Vec<Event>, Rejection> {
        actor.require(Right::DeadLetters)?;
        self.check_state(&[LetterState::SetAside, LetterState::Skipped])?;
        if let Some(reason) = unreadable {
            return Err(Rejection::StillUnreadable {
                sequence: self.sequence,
                reason,
            });
        }
        let reason = text::check_reason(reason)?;
        let (consumer, target_sequence, target_id) = (self.consumer, self.sequence, self.id);
        Ok(vec![
            EventRetried {
                consumer,
                target_sequence,
                target_id,
                reason,
            }
            .into(),
        ])
    }

    /// Leaves the event out for ever.
    ///
    /// # Errors
    /// [`Rejection::RoleMayNot`], [`Rejection::OwnAccount`], [`Rejection::NotSetAside`],
    /// [`Rejection::BooksAreNotSkipped`], a bad reason
    pub fn skip(&self, actor: &User, reason: &str) -> Result<Vec<Event>, Rejection> {
        self.check_actor(actor, Right::SkipDeadLetters)?;
        self.check_state(&[LetterState::SetAside])?;
        if self.is_of_the_books {
            return Err(Rejection::BooksAreNotSkipped {
                consumer: self.consumer,
                sequence: self.sequence,
            });
        }
        let reason = text::check_reason(reason)?;
        let (consumer, target_sequence, target_id) = (self.consumer, self.sequence, self.id);
        Ok(vec![
            EventSkipped {
                consumer,
                target_sequence,
                target_id,
                reason,
            }
            .into(),
        ])
    }

    /// Rule A10.
    fn check_actor(&self, actor: &User, right: Right) -> Result<(), Rejection> {
        actor.require(right)?;
        if self.touches.contains(&actor.id) {
            Err(Rejection::OwnAccount)
        } else {
            Ok(())
        }
    }

    fn check_state(&self, expected: &[LetterState]) -> Result<(), Rejection> {
        match self.state {
            Some(state) if expected.contains(&state) => Ok(()),
            _ => Err(Rejection::NotSetAside {
                consumer: self.consumer,
                sequence: self.sequence,
            }),
        }
    }
}
