//! One attempt at each mail of a group: compose, send, record the result.
//!
//! Invariant: results are appended together, and only of mails for which no attempt was recorded
//! since they were found to be due. If the process is killed between sending and appending, the
//! next run composes the same bytes from the same facts and sends them again.

use std::collections::HashMap;

use crate::consumers::notifier::ledger::{Lines, load_lines};
use crate::consumers::notifier::recorded::attempted_since;
use crate::consumers::notifier::routes::MailRoutes;
use crate::consumers::notifier::rows::{CompanyRow, OwedMail};
use crate::consumers::notifier::tables::MailTables;
use crate::consumers::{ConsumeError, WriterAccess};
use crate::domain::event::{Actor, Consumer, Event, Fact, MailFailed, MailSent, Transport};
use crate::domain::id::{EventId, PayoutId, Sequence};
use crate::domain::money::Money;
use crate::domain::time::EventTime;
use crate::event_log::Batch;
use crate::mail::{ComposedMail, Letterhead, MailTransport, PayMail, SendError, message_id};
use crate::turn::{Surroundings, Turn, begin_again};

type Sending = Result<Transport, SendError>;

/// Sends the mails, which waited as of the event `as_of`, and appends the results. Returns the
/// number of events appended. The results are recorded even if the tables change meanwhile, because
/// only the log is asked.
pub(super) fn attempt<'l>(
    around: &Surroundings<'l>,
    access: &mut WriterAccess<'_, 'l>,
    routes: &MailRoutes,
    tables: &MailTables,
    (mails, as_of): (&[OwedMail], Sequence),
) -> Result<u64, ConsumeError> {
    let company = tables.company()?;
    let is_written = mails
        .iter()
        .any(|mail| routes.transport(mail.waiting.imported).is_some());
    let lines = if is_written {
        load_lines(around, access, mails)?
    } else {
        Lines::new()
    };
    let mailer = Mailer {
        company,
        letterhead: routes.letterhead(),
        lines,
    };
    let mut outcomes = HashMap::new();
    for imported in [false, true] {
        let mails: Vec<_> = mails
            .iter()
            .filter(|mail| mail.waiting.imported == imported)
            .collect();
        outcomes.extend(mailer.send(routes.transport(imported), &mails));
    }
    failpoint!("notifier.after_send");
    begin_again(|| {
        access.in_turn(around, |turn| {
            let touched = attempted_since(around, as_of)?;
            let untouched = mails
                .iter()
                .filter(|mail| !touched.contains(&mail.waiting.payout_id));
            let attempts = untouched
                .filter_map(|mail| Some((mail, outcomes.get(&mail.waiting.payout_id)?)))
                .collect();
            record(turn, &mailer.company, attempts)
        })
    })
}

/// The contents that the mails of a group share.
struct Mailer<'a> {
    company: CompanyRow,
    letterhead: &'a Letterhead,
    lines: Lines,
}

impl Mailer<'_> {
    /// The result of each mail. Without a transport it counts as sent.
    fn send(
        &self,
        transport: Option<&dyn MailTransport>,
        mails: &[&OwedMail],
    ) -> HashMap<PayoutId, Sending> {
        let Some(transport) = transport else {
            return mails
                .iter()
                .map(|mail| (mail.waiting.payout_id, Ok(Transport::None)))
                .collect();
        };
        let mut outcomes = HashMap::new();
        let mut composed = Vec::new();
        for mail in mails {
            match self.compose(mail) {
                Ok(mail) => composed.push(mail),
                Err(error) => drop(outcomes.insert(mail.waiting.payout_id, Err(error))),
            }
        }
        if !composed.is_empty() {
            let results = transport
                .send_all(&composed)
                .into_iter()
                .map(|result| result.map(|_| transport.kind()));
            outcomes.extend(composed.iter().map(|mail| mail.payout_id).zip(results));
        }
        outcomes
    }

    fn compose(&self, mail: &OwedMail) -> Result<ComposedMail, SendError> {
        let OwedMail {
            waiting,
            name: to_name,
            email,
        } = mail;
        let lines = self
            .lines
            .get(&waiting.payout_id)
            .cloned()
            .unwrap_or_default();
        let sum: Money = lines.iter().map(|line| line.amount).sum();
        if sum != waiting.earned {
            let (date, earned) = (waiting.date, waiting.earned);
            let reason = format!(
                "accounting's entries of {date} add up to {sum}, not to {earned}; rebuild accounting"
            );
            return Err(SendError::Transient(reason));
        }
        let CompanyRow {
            name,
            zone,
            currency,
            ..
        } = &self.company;
        let pay_mail = PayMail {
            payout_id: waiting.payout_id,
            company: name.clone(),
            currency: currency.clone(),
            zone: zone.clone(),
            date: waiting.date,
            to_name: to_name.clone(),
            to_address: email.clone(),
            amount: waiting.amount,
            opening: waiting.opening,
            earned: waiting.earned,
            lines,
        };
        // Dated like the payout, so that every attempt has the same bytes.
        Ok(pay_mail.compose(self.letterhead, waiting.made_at)?)
    }
}

/// Appends the results under the writer lock, in the order of the payouts. Results of imported
/// history that went only to the outbox come first, in a batch of their own with the time of the
/// log's last event: with the present time they would prevent the import of the next part of the
/// history.
fn record(
    turn: &mut Turn<'_>,
    company: &CompanyRow,
    attempts: Vec<(&OwedMail, &Sending)>,
) -> Result<u64, ConsumeError> {
    if attempts.is_empty() {
        return Ok(0);
    }
    let now = turn.stamp()?;
    let reached = turn.last_time().unwrap_or(now);
    let (history, present): (Vec<_>, Vec<_>) = attempts.into_iter().partition(|(mail, outcome)| {
        mail.waiting.imported && matches!(outcome, Ok(Transport::File | Transport::None))
    });
    let recorded = append(turn, company, reached, history)?;
    Ok(recorded + append(turn, company, now, present)?)
}

fn append(
    turn: &mut Turn<'_>,
    company: &CompanyRow,
    time: EventTime,
    attempts: Vec<(&OwedMail, &Sending)>,
) -> Result<u64, ConsumeError> {
    let Some((first, _)) = attempts.first() else {
        return Ok(0);
    };
    let command_id = format!("notifier/{}", first.waiting.cause);
    let facts: Vec<_> = attempts
        .into_iter()
        .map(|(mail, outcome)| fact(company, mail, outcome))
        .collect();
    let events = facts.len() as u64;
    let actor = Actor::System(Consumer::Notifier);
    let followed = turn.head();
    turn.append(
        &followed,
        &Batch {
            time,
            actor,
            command_id,
            command_hash: None,
            facts,
        },
    )?;
    Ok(events)
}

fn fact(company: &CompanyRow, mail: &OwedMail, outcome: &Sending) -> Fact {
    let OwedMail { waiting, email, .. } = mail;
    let (payout_id, user_id, attempt) = (waiting.payout_id, waiting.user_id, waiting.attempts + 1);
    let (name, event): (String, Event) = match outcome {
        Ok(transport) => {
            let (to, message_id) = (email.clone(), message_id(payout_id));
            let sent = MailSent {
                payout_id,
                user_id,
                to,
                message_id,
                transport: *transport,
                attempt,
            };
            // The first one has the id by which it was known before mails could be sent again.
            let name = match waiting.was_sent {
                false => format!("mail/{payout_id}"),
                true => format!("mail/{payout_id}/{attempt}"),
            };
            (name, sent.into())
        }
        Err(error) => {
            let (permanent, error) = (error.is_permanent(), error.to_string());
            let failed = MailFailed {
                payout_id,
                user_id,
                attempt,
                error,
                permanent,
            };
            (format!("mail/{payout_id}/{attempt}"), failed.into())
        }
    };
    Fact {
        id: EventId::from_uuid(company.id.derive(&name)),
        causation: Some(waiting.cause),
        event,
    }
}
