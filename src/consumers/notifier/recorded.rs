//! The results of mails in the log, looked up before any mail is sent.
//!
//! Tables can be tampered with. From false rows the notifier would send a mail again, append its
//! result under an id that the log already has, or report a payout that was never made.

use std::collections::{HashMap, HashSet};

use crate::consumers::ConsumeError;
use crate::consumers::notifier::rows::WaitingMail;
use crate::consumers::notifier::tables::MailTables;
use crate::domain::IMPORT_KEY_PREFIX;
use crate::domain::event::Event;
use crate::domain::id::{PayoutId, Sequence};
use crate::event_log::LogError;
use crate::state::Recorded;
use crate::turn::Surroundings;

/// Rebuilds the tables if their row of a waiting mail, or of one of `asked`, contradicts the log.
/// The log is read from the first of these payouts on.
///
/// # Errors
/// If log or tables cannot be read.
pub(super) fn hold_to_log(
    around: &Surroundings<'_>,
    tables: &MailTables,
    asked: &[PayoutId],
) -> Result<(), ConsumeError> {
    let waiting = tables.waiting(asked)?;
    let told = told_by_log(around, &waiting)?;
    if waiting
        .iter()
        .all(|mail| told.get(&mail.payout_id).and_then(Option::as_ref) == Some(mail))
    {
        return Ok(());
    }
    let name = around.directory.notifier();
    let name = name.display();
    around.notices.warn(&format!(
        "{name} contradicts the log about mails that wait; it is rebuilt from the log"
    ));
    tables.fill_anew(around)
}

/// The payouts of mails that were sent or failed after `since`.
pub(super) fn attempted_since(
    around: &Surroundings<'_>,
    since: Sequence,
) -> Result<HashSet<PayoutId>, LogError> {
    let mut attempted = HashSet::new();
    if around.log.head()?.sequence <= since {
        return Ok(attempted);
    }
    around.log.for_each(since.next(), &mut |line| {
        if line.type_name.starts_with("mail.") {
            match Recorded::from_line(line).map(|recorded| recorded.event.into_owned()) {
                Ok(Event::MailSent(sent)) => drop(attempted.insert(sent.payout_id)),
                Ok(Event::MailFailed(failed)) => drop(attempted.insert(failed.payout_id)),
                _ => {}
            }
        }
        Ok(())
    })?;
    Ok(attempted)
}

/// The mails of these payouts according to the log, without payouts that it lacks and without sent
/// mails.
fn told_by_log(
    around: &Surroundings<'_>,
    waiting: &[WaitingMail],
) -> Result<HashMap<PayoutId, Option<WaitingMail>>, LogError> {
    let mut told: HashMap<_, _> = waiting.iter().map(|mail| (mail.payout_id, None)).collect();
    let first = waiting
        .iter()
        .map(|mail| mail.sequence.max(Sequence::FIRST))
        .min();
    let Some(first) =
        first.filter(|first| around.log.head().is_ok_and(|head| *first <= head.sequence))
    else {
        return Ok(told);
    };
    around.log.for_each(first, &mut |line| {
        if line.type_name.starts_with("mail.") || line.type_name.starts_with("payout.") {
            // An unreadable event that did not stop the notifier was set aside.
            let Ok(recorded) = Recorded::from_line(line) else {
                return Ok(());
            };
            follow(&mut told, &recorded);
        }
        Ok(())
    })?;
    Ok(told)
}

fn follow(told: &mut HashMap<PayoutId, Option<WaitingMail>>, recorded: &Recorded<'_>) {
    match recorded.event.as_ref() {
        Event::PayoutMade(made) => {
            let Some(mail @ None) = told.get_mut(&made.payout_id) else {
                return;
            };
            *mail = Some(WaitingMail {
                payout_id: made.payout_id,
                sequence: recorded.sequence,
                user_id: made.user_id,
                amount: made.amount,
                date: made.business_date,
                opening: made.opening,
                earned: made.earned,
                made_at: recorded.time,
                imported: recorded.command_id.starts_with(IMPORT_KEY_PREFIX),
                attempts: 0,
                cause: recorded.id,
                was_sent: false,
            });
        }
        Event::MailFailed(failed) => {
            let Some(Some(mail)) = told.get_mut(&failed.payout_id) else {
                return;
            };
            (mail.attempts, mail.cause) = (failed.attempt, recorded.id);
        }
        Event::MailSent(sent) => {
            let Some(Some(mail)) = told.get_mut(&sent.payout_id) else {
                return;
            };
            (mail.attempts, mail.cause, mail.was_sent) = (sent.attempt, recorded.id, true);
        }
        _ => {}
    }
}
