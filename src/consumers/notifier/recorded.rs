//! What the log says became of mails, asked before any is sent.
//!
//! Tables can be tampered with. Believing them, the notifier would send a mail again that went out, and append
//! its result under an id that the log already has.

use std::collections::HashMap;

use crate::consumers::notifier::tables::MailTables;
use crate::consumers::{ConsumeError, Surroundings};
use crate::domain::event::Event;
use crate::domain::id::{PayoutId, Sequence};
use crate::event_log::{EventLog, LogError};

/// Makes the tables anew if they say of a mail that waits, or of the one of `asked`, what the log does not. The
/// log is read from the first of their payouts on.
///
/// # Errors
/// If log or tables cannot be read.
pub(super) fn hold_to_log(
    around: &Surroundings<'_>,
    tables: &MailTables,
    asked: Option<PayoutId>,
) -> Result<(), ConsumeError> {
    let waiting = tables.on_sound_file(around, || Ok(tables.waiting(asked)?))?;
    let Some(first) = waiting.iter().map(|(_, sequence, _)| *sequence).min() else { return Ok(()) };
    let recorded = attempts_since(around, first)?;
    let is_right = |payout: &PayoutId, attempts: u32| match recorded.get(payout) {
        None => attempts == 0,
        Some(Recorded::Failed(attempt)) => attempts == *attempt,
        Some(Recorded::Sent) => false,
    };
    if waiting.iter().all(|(payout, _, attempts)| is_right(payout, *attempts)) {
        return Ok(());
    }
    let name = around.directory.notifier();
    let name = name.display();
    around.notices.warn(&format!("{name} contradicts the log about mails that wait; it is made anew from the log"));
    tables.fill_anew(around)
}

/// How the last attempt at a mail ended.
enum Recorded {
    Sent,
    Failed(u32),
}

fn attempts_since(around: &Surroundings<'_>, first: Sequence) -> Result<HashMap<PayoutId, Recorded>, LogError> {
    let mut recorded = HashMap::new();
    around.log.for_each(first, &mut |line| {
        if line.type_name.starts_with("mail.") {
            // One that cannot be read and did not stop the notifier was set aside.
            let (payout, how) = match line.event() {
                Ok(Event::MailSent(sent)) => (sent.payout_id, Recorded::Sent),
                Ok(Event::MailFailed(failed)) => (failed.payout_id, Recorded::Failed(failed.attempt)),
                _ => return Ok(()),
            };
            recorded.insert(payout, how);
        }
        Ok(())
    })?;
    Ok(recorded)
}
