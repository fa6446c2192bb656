//! I9 of pay mails: each is that of a payout, to whoever was paid, and every attempt follows from the one before.

use crate::app::verify::history::History;
use crate::domain::event::{Consumer, MailFailed, MailSent, PayoutMade};
use crate::domain::id::{EventId, PayoutId, UserId};
use crate::state::Recorded;

/// The mail of a payout.
pub(super) struct Mail {
    user: UserId,
    attempts: u32,
    is_sent: bool,
    /// The payout, or the attempt that failed last.
    cause: EventId,
}

/// What an attempt tells of itself.
pub(super) struct Attempt {
    payout: PayoutId,
    user: UserId,
    number: u32,
    is_sent: bool,
}

impl From<&MailSent> for Attempt {
    fn from(e: &MailSent) -> Attempt {
        Attempt {
            payout: e.payout_id,
            user: e.user_id,
            number: e.attempt,
            is_sent: true,
        }
    }
}

impl From<&MailFailed> for Attempt {
    fn from(e: &MailFailed) -> Attempt {
        Attempt {
            payout: e.payout_id,
            user: e.user_id,
            number: e.attempt,
            is_sent: false,
        }
    }
}

impl History {
    pub(super) fn mail_owed(&mut self, recorded: &Recorded<'_>, e: &PayoutMade) {
        let mail = Mail {
            user: e.user_id,
            attempts: 0,
            is_sent: false,
            cause: recorded.id,
        };
        self.mails.entry(e.payout_id).or_insert(mail);
    }

    pub(super) fn mail_attempted(&mut self, recorded: &Recorded<'_>, attempt: &Attempt) {
        let payout = attempt.payout;
        self.check_id(recorded, || match attempt.is_sent {
            true => format!("mail/{payout}"),
            false => format!("mail/{payout}/{}", attempt.number),
        });
        let at = recorded.sequence;
        // What was decided about the notifier's own events changes what it knows of its attempts.
        let is_decided = self.decisions[..self.decided]
            .iter()
            .any(|about| about.consumer == Consumer::Notifier);
        let Some(mail) = self.mails.get_mut(&payout) else {
            return self.violates("I9", at, format!("there is no payout {payout}"));
        };
        let (user, number, was_sent, cause) =
            (mail.user, mail.attempts + 1, mail.is_sent, mail.cause);
        (mail.attempts, mail.is_sent, mail.cause) =
            (attempt.number, was_sent || attempt.is_sent, recorded.id);
        if attempt.user != user {
            self.violates(
                "I9",
                at,
                format!("the mail is to {}, {user} was paid", attempt.user),
            );
        }
        if was_sent {
            return self.violates("I9", at, "the mail was sent before");
        }
        if !is_decided {
            if attempt.number != number {
                let what = format!(
                    "attempt {} follows where attempt {number} is the next",
                    attempt.number
                );
                self.violates("I9", at, what);
            }
            self.check_cause(recorded, cause);
        }
    }
}
