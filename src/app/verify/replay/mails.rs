//! Checks the pay mails (I9): each belongs to one payout and goes to its user, and every attempt
//! follows from the one before. A mail that was sent or written may be sent again.

use std::collections::HashMap;

use crate::app::verify::replay::Replay;
use crate::domain::event::{Consumer, MailFailed, MailSent, PayoutMade};
use crate::domain::id::{EventId, PayoutId, UserId};
use crate::state::Recorded;

#[derive(Default)]
pub(super) struct Mails(HashMap<PayoutId, Mail>);

struct Mail {
    user: UserId,
    attempts: u32,
    /// The payout, or the last attempt.
    cause: EventId,
    was_sent: bool,
}

/// The attempt that an event records.
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

impl Mails {
    /// A payout was made: its mail is owed.
    pub(super) fn owe(&mut self, payout: EventId, e: &PayoutMade) {
        self.0.entry(e.payout_id).or_insert(Mail {
            user: e.user_id,
            attempts: 0,
            cause: payout,
            was_sent: false,
        });
    }
}

impl Replay {
    pub(super) fn mail_attempted(&mut self, recorded: &Recorded<'_>, attempt: &Attempt) {
        let (at, payout) = (recorded.sequence, attempt.payout);
        let Some(mail) = self.mails.0.get_mut(&payout) else {
            return self.violates("I9", at, format!("there is no payout {payout}"));
        };
        let name = match attempt.is_sent && !mail.was_sent {
            true => format!("mail/{payout}"),
            false => format!("mail/{payout}/{}", attempt.number),
        };
        let expected = (mail.user, mail.attempts + 1);
        mail.attempts = attempt.number;
        mail.was_sent |= attempt.is_sent;
        let cause = std::mem::replace(&mut mail.cause, recorded.id);
        let books = self.books.as_ref();
        let id = books.map(|books| books.company.id.derive(&name));
        let (user, number) = expected;
        if attempt.user != user {
            let what = format!("the mail is to {}, {user} was paid", attempt.user);
            self.violates("I9", at, what);
        }
        // A decision about the notifier's own events changes the attempts that it knows.
        let is_decided = self.decisions[..self.decided]
            .iter()
            .any(|about| about.consumer == Consumer::Notifier);
        if let Some(id) = id {
            self.check_origin(recorded, id, (!is_decided).then_some(cause));
        }
        if !is_decided && attempt.number != number {
            let said = attempt.number;
            let what = format!("the attempt is {said}, but the next one is {number}");
            self.violates("I9", at, what);
        }
    }
}
